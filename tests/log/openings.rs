//! Personal fields lie beside the log: what is in a leaf is a commitment to them, and no change of either goes unseen.

use crate::{Place, end, event, messages, segment, step};
use aisandbox::audit::AuditError;
use aisandbox::audit::log::{
    Batch, Opening, Openings, Packed, State, Turn, check_proof, pack, prove, read, verify,
};
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn openings(folder: &Path) -> PathBuf {
    folder.join("00000000.openings")
}

pub(crate) fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

/// Bytes of each record of openings. The layout is read by hand on purpose.
fn records(bytes: &[u8]) -> Vec<usize> {
    let mut places = vec![0];
    while *places.last().unwrap() < bytes.len() {
        let at = *places.last().unwrap();
        places.push(at + 11 + usize::from(u16::from_be_bytes([bytes[at + 9], bytes[at + 10]])));
    }
    places
}

#[test]
fn a_personal_value_is_beside_the_log_and_not_in_it_and_is_read_as_before() {
    let place = Place::new();
    let (run, mut log) = place.begin();
    log.append(&event("a word of a person")).unwrap();
    log.append(&end()).unwrap();
    log.seal().unwrap();
    let folder = place.folder(run);
    let (log, beside) = (fs::read(segment(&folder)).unwrap(), fs::read(openings(&folder)).unwrap());
    assert!(holds(&log, "launch_failure") && !holds(&log, "a word of a person"));
    assert!(holds(&beside, "a word of a person") && !holds(&beside, "launch_failure"));
    assert_eq!(fs::metadata(openings(&folder)).unwrap().permissions().mode() & 0o777, 0o600);
    let (texts, verdict) = messages(&folder);
    assert_eq!(texts, ["a word of a person"]);
    assert_eq!(verdict.openings, Openings { open: 2, withheld: 0, missing: 0 });
    assert_eq!(verdict.state, State::Sealed);
}

use std::os::unix::fs::PermissionsExt;

#[test]
fn no_byte_of_the_openings_changes_unseen_and_none_can_be_taken_away_or_added() {
    let place = Place::new();
    let (_, folder) = place.log(5, true);
    let path = openings(&folder);
    let whole = fs::read(&path).unwrap();
    let places = records(&whole);
    for at in (0..whole.len()).step_by(step(3)) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&path, bytes).unwrap();
        let verdict = verify(&folder).unwrap();
        // The id of a redaction is the only thing that is looked up elsewhere, and none is here.
        assert_eq!(verdict.state, State::Tampered, "byte {at}: {verdict:?}");
        let shown = messages(&folder).0.len();
        assert!(shown < 5, "byte {at}: {shown} are shown");
    }
    for length in (0..whole.len()).step_by(step(5)) {
        fs::write(&path, &whole[..length]).unwrap();
        let verdict = verify(&folder).unwrap();
        let clean = places.contains(&length);
        let wanted = if clean { State::Truncated } else { State::Tampered };
        assert_eq!(verdict.state, wanted, "cut to {length}: {verdict:?}");
        assert!(verdict.openings.missing > 0);
    }
    for wrong in [&[1, 0, 2, 3, 4][..], &[0, 0, 1, 2, 3, 4], &[0, 1, 3, 4], &[4, 3, 2, 1, 0]] {
        let join = wrong.iter().flat_map(|number| &whole[places[*number]..places[number + 1]]);
        fs::write(&path, join.copied().collect::<Vec<u8>>()).unwrap();
        assert_ne!(verify(&folder).unwrap().state, State::Sealed, "{wrong:?}");
    }
    fs::write(&path, [&whole[..], b"x"].concat()).unwrap();
    assert_eq!(verify(&folder).unwrap().state, State::Tampered, "a byte more");
    fs::remove_file(&path).unwrap();
    let verdict = verify(&folder).unwrap();
    assert_eq!((verdict.state, verdict.openings.missing), (State::Truncated, 5), "{verdict:?}");
    assert!(verdict.why.unwrap().contains("no redaction says that it took it"));
    fs::write(&path, whole).unwrap();
    assert_eq!(verify(&folder).unwrap().state, State::Sealed);
}

/// A log in the form that it had before: everything is in its leaves.
#[test]
fn a_log_without_commitments_holds_and_is_read() {
    let place = Place::new();
    let (run, mut log) = place.begin();
    let leaf = br#"{"v":2,"ts":1,"mono":1,"event":"launch_failure","data":{"stage":"plan","message":"old","errno":null}}"#;
    let mut batch = Batch::new();
    batch.push(leaf);
    log.commit(&mut batch, Turn::Now).unwrap();
    log.seal().unwrap();
    let folder = place.folder(run);
    fs::remove_file(openings(&folder)).unwrap();
    let (texts, verdict) = messages(&folder);
    assert_eq!((texts, verdict.state), (vec!["old".to_owned()], State::Sealed));
    assert!(verdict.openings.is_none());
    assert!(check_proof(&prove(&folder, 1).unwrap()).is_ok());
    assert!(matches!(pack(&folder).unwrap(), Packed::Done { .. }));
    assert_eq!(messages(&folder).0, ["old"]);
}

/// As a launcher leaves it that was killed between the two writes, or inside of the first.
#[test]
fn what_opens_no_leaf_yet_is_no_damage_of_a_log_without_an_end_and_a_leaf_is_never_without() {
    let place = Place::new();
    let (_, folder) = place.log(4, false);
    let (log, beside) = (fs::read(segment(&folder)).unwrap(), fs::read(openings(&folder)).unwrap());
    let (blocks, places) = (crate::blocks(&log), records(&beside));
    assert_eq!((blocks.len(), places.len()), (5, 5));
    fs::write(segment(&folder), &log[..blocks[3]]).unwrap();
    for length in places[3]..=places[4] {
        fs::write(openings(&folder), &beside[..length]).unwrap();
        let (texts, verdict) = messages(&folder);
        assert_eq!((verdict.state, texts.len()), (State::Open, 3), "{length}: {verdict:?}");
    }
    // Not even a power loss leaves a leaf that was waited for without what opens it. Where it is so, it is told.
    fs::write(openings(&folder), &beside[..places[2]]).unwrap();
    let (texts, verdict) = messages(&folder);
    assert_eq!((verdict.state, texts.len(), verdict.openings.missing), (State::Truncated, 2, 1));
}

#[test]
fn openings_are_packed_with_their_log_and_no_byte_of_them_changes_unseen() {
    let place = Place::new();
    let (_, folder) = place.log(12, true);
    let (verdict, said, proof) = (verify(&folder).unwrap(), messages(&folder).0, prove(&folder, 7).unwrap());
    assert!(matches!(pack(&folder).unwrap(), Packed::Done { .. }));
    let path = folder.join("00000000.openings.zst");
    assert!(!openings(&folder).exists() && path.exists());
    assert_eq!((verify(&folder).unwrap(), messages(&folder).0), (verdict.clone(), said));
    assert_eq!(prove(&folder, 7).unwrap(), proof);
    let whole = fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(step(7)) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&path, bytes).unwrap();
        let now = verify(&folder).unwrap();
        assert!(now.state == State::Tampered || now == verdict, "byte {at}: {now:?}");
    }
}

#[test]
fn openings_that_were_replaced_are_never_written_to_again() {
    let place = Place::new();
    let (run, mut log) = place.begin();
    log.append(&event("one")).unwrap();
    fs::write(openings(&place.folder(run)), b"").unwrap();
    assert!(matches!(log.append(&event("two")).unwrap_err(), AuditError::Replaced { .. }));
    assert!(matches!(log.append(&event("three")), Err(AuditError::Closed { .. })));
}

#[test]
fn a_proof_has_the_personal_fields_and_they_cannot_be_changed_in_it() {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let place = Place::new();
    let (_, folder) = place.log(3, true);
    let text = prove(&folder, 1).unwrap();
    assert_eq!(check_proof(&text).unwrap().leaf.data["message"], "event 0");
    let line = text.lines().find_map(|line| line.strip_prefix("extra ")).unwrap();
    let extra = String::from_utf8(STANDARD.decode(line).unwrap()).unwrap();
    let change = |from: &str, to: &str| {
        assert!(extra.contains(from), "{extra}");
        check_proof(&text.replace(line, &STANDARD.encode(extra.replace(from, to))))
    };
    assert!(change("event 0", "event 0").is_ok());
    assert!(change("event 0", "event 9").is_err());
    // Without them the event is proven, and what they are is not said.
    let end = extra.find(",\"run\":").unwrap();
    let begin = extra.find(",\"salt\":").unwrap();
    let bare =
        check_proof(&text.replace(line, &STANDARD.encode(extra.replace(&extra[begin..end], "")))).unwrap();
    assert!(bare.leaf.sd.is_some() && bare.leaf.data.get("message").is_none());
}

#[test]
fn every_leaf_says_what_there_is_beside_it() {
    let place = Place::new();
    let (_, folder) = place.log(2, true);
    let mut all = Vec::new();
    read(&folder, &mut |found| {
        all.push((found.leaf().unwrap().event, matches!(found.opening, Opening::Open(_))))
    })
    .unwrap();
    let open: Vec<_> = all.iter().filter(|(_, open)| *open).map(|(event, _)| event.as_str()).collect();
    assert_eq!(open, ["launch_failure"; 2]);
    assert!(all.iter().any(|(event, open)| event == "log.start" && !open));
}
