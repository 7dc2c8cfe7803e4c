//! What others can read of a log, read by packages that others wrote: signed notes, proofs of inclusion and of consistency.

use super::{Place, event, read, verify};
use aisandbox::audit::log::{Submission, checkpoint, prove};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use serde_json::Value;
use sha2::Sha256;
use signed_note::{Note, NoteError, StandardVerifier, VerifierList, key_id};

type Root = RootHash<Sha256>;

fn bytes(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap()
}

fn hashes(lines: &str) -> Vec<u8> {
    lines.lines().flat_map(bytes).collect()
}

/// A key as signed-note writes it, its id computed by the package.
fn written(name: &str, key: &[u8]) -> String {
    let typed = [&[1], key].concat();
    format!("{name}+{:08x}+{}", key_id(name, &typed), STANDARD.encode(typed))
}

fn known(name: &str, key: &[u8]) -> VerifierList {
    VerifierList::new(vec![Box::new(StandardVerifier::new(&written(name, key)).unwrap())])
}

/// The root that a checkpoint says, once the package found its signature right.
fn root(text: &str, name: &str, key: &[u8]) -> Root {
    let note = Note::from_bytes(text.as_bytes()).unwrap();
    let (right, other) = note.verify(&known(name, key)).unwrap();
    assert_eq!((right.len(), other.len()), (1, 0), "{text}");
    let said = String::from_utf8(note.text().to_vec()).unwrap();
    let lines: Vec<_> = said.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, name));
    let digest: [u8; 32] = bytes(lines[2]).try_into().unwrap();
    Root::new(digest.into(), lines[1].parse().unwrap())
}

/// The origin and the stable key of a run's log, from its first leaf.
fn names(folder: &std::path::Path) -> (String, Vec<u8>) {
    let mut first = None;
    read(folder, &mut |found| first = first.take().or(Some(found.bytes.to_vec()))).unwrap();
    let start: Value = serde_json::from_slice(&first.unwrap()).unwrap();
    let key = start["data"]["stable"].as_str().unwrap();
    let key = (0..key.len()).step_by(2).map(|at| u8::from_str_radix(&key[at..at + 2], 16).unwrap()).collect();
    (format!("aisandbox.run/{}", start["data"]["run"].as_str().unwrap()), key)
}

#[test]
fn a_head_is_a_signed_note_that_another_package_verifies() {
    let place = Place::new();
    let (_, folder) = place.log(7, true);
    let (name, key) = names(&folder);
    let text = checkpoint(&folder).unwrap().unwrap();
    let verdict = verify(&folder).unwrap();
    let head = root(&text, &name, &key);
    assert_eq!((head.num_leaves(), head.as_bytes().as_slice()), (verdict.leaves, verdict.root.0.as_slice()));
    let changed =
        text.replacen(&format!("\n{}\n", verdict.leaves), &format!("\n{}\n", verdict.leaves - 1), 1);
    let refused = Note::from_bytes(changed.as_bytes()).unwrap().verify(&known(&name, &key));
    assert!(matches!(refused, Err(NoteError::InvalidSignature { .. })), "{refused:?}");
}

#[test]
fn a_proof_of_an_event_is_one_that_another_package_verifies() {
    let place = Place::new();
    let (_, folder) = place.log(20, true);
    let (name, key) = names(&folder);
    for index in 0..verify(&folder).unwrap().leaves {
        let text = prove(&folder, index).unwrap();
        let (body, note) = text.split_once("\n\n").unwrap();
        let mut parts = body.splitn(4, '\n');
        assert_eq!(parts.next(), Some("c2sp.org/tlog-proof@v1"));
        let extra = parts.next().unwrap().strip_prefix("extra ").unwrap();
        let extra: Value = serde_json::from_slice(&bytes(extra)).unwrap();
        let leaf = extra["leaf"].as_str().unwrap();
        assert_eq!(parts.next(), Some(format!("index {index}").as_str()));
        let path = InclusionProof::try_from_bytes(hashes(parts.next().unwrap_or_default())).unwrap();
        let head = root(note, &name, &key);
        head.verify_inclusion(&leaf, index, &path).unwrap();
        assert!(head.verify_inclusion(&format!("{leaf} "), index, &path).is_err());
    }
}

#[test]
fn what_a_log_sends_to_a_witness_shows_another_package_that_it_grew() {
    let place = Place::new();
    let (run, mut log) = place.begin();
    let folder = place.folder(run);
    let mut heads: Vec<Root> = Vec::new();
    for number in 0..12 {
        log.append(&event(&format!("event {number}"))).unwrap();
        let (name, key) = names(&folder);
        for old in &heads {
            let sent = Submission::of(&folder, old.num_leaves()).unwrap().unwrap().body();
            let (body, note) = sent.split_once("\n\n").unwrap();
            let (first, rest) = body.split_once('\n').unwrap_or((body, ""));
            assert_eq!(first, format!("old {}", old.num_leaves()));
            let proof = ConsistencyProof::try_from_bytes(hashes(rest)).unwrap();
            let head = root(note, &name, &key);
            if head.num_leaves() > old.num_leaves() {
                head.verify_consistency(old, &proof).unwrap();
                let forged = Root::new([7; 32].into(), old.num_leaves());
                assert!(head.verify_consistency(&forged, &proof).is_err());
            }
        }
        if let Some(text) = checkpoint(&folder).unwrap() {
            heads.push(root(&text, &name, &key));
        }
    }
    assert!(heads.last().unwrap().num_leaves() > heads[0].num_leaves() + 5, "{heads:?}");
}
