//! A thief with all of the writer's memory: every key that is left, and the files. What he can make anew, and what not.

use super::batch::Batch;
use super::block::{self, Block};
use super::keys::Ratchet;
use super::leaf::{Leaf, NextKey, Own, encode};
use super::merkle::Edge;
use super::note::{Head, digest, signature_line};
use super::walk::{Stop, Walk};
use super::writer::origin;
use super::{Hex, Log, Turn};
use crate::audit::event::{Event, LaunchFailure};
use crate::audit::new_run_id;
use crate::base::RunId;
use std::path::PathBuf;

/// Whether the epoch ends with each block.
const BLOCKS: [Turn; 7] =
    [Turn::Now, Turn::InTime, Turn::InTime, Turn::Now, Turn::InTime, Turn::Now, Turn::InTime];

fn event(number: usize) -> Event {
    Event::LaunchFailure(LaunchFailure {
        stage: "plan".into(),
        message: format!("event {number}"),
        errno: None,
    })
}

struct Stolen {
    log: Log,
    run: RunId,
    bytes: Vec<u8>,
    place: PathBuf,
}

fn stolen() -> Stolen {
    let run = new_run_id().unwrap();
    let place = std::env::temp_dir().join(format!("aisandbox-theft-{run}"));
    let mut log = Log::create(&place.join("runs"), run).unwrap();
    for (number, turn) in BLOCKS.into_iter().enumerate() {
        let mut batch = Batch::new();
        batch.push(&encode(&event(number)).unwrap());
        log.commit(&mut batch, turn).unwrap();
    }
    let bytes = std::fs::read(log.path()).unwrap();
    Stolen { log, run, bytes, place }
}

fn blocks(bytes: &[u8]) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let block = block::parse(&bytes[at..]).unwrap();
        at += block.length;
        found.push(block);
    }
    found
}

/// All blocks from `first` on, with another event in that one, each signed by the key that is left and with all that an
/// epoch's end says of it. With `renamed`, each such end also names that key as the next.
fn forged(stolen: &Stolen, first: usize, keys: &Ratchet, renamed: bool) -> Vec<u8> {
    let origin = origin(&stolen.run.to_string());
    let (mut out, mut edge, mut notes) = (Vec::new(), Edge::default(), None);
    for (number, block) in blocks(&stolen.bytes).iter().enumerate() {
        let mut batch = Batch::new();
        let mut ends = false;
        for leaf in block.leaves().flatten() {
            let text = String::from_utf8(leaf.to_vec()).unwrap();
            let text = if number == first { text.replace("event ", "other ") } else { text };
            let own = Leaf::parse(leaf).unwrap().own();
            let leaf = match own {
                Some(Own::Key(next)) => {
                    ends = true;
                    let key = if renamed { Hex(keys.public()) } else { next.key };
                    let next = NextKey { key, notes: notes.map(Hex), ..next };
                    if number < first { text.into_bytes() } else { encode(&Own::Key(next)).unwrap() }
                }
                _ => text.into_bytes(),
            };
            batch.push(&leaf);
        }
        batch.leaves().iter().for_each(|leaf| edge.push(*leaf));
        let head = Head { origin: origin.clone(), size: edge.size(), root: edge.root() };
        let line = signature_line(&origin, &keys.public(), &keys.sign(head.text().as_bytes()).unwrap());
        let note = if number < first {
            block.note.to_vec()
        } else {
            format!("{}\n{line}", head.text()).into_bytes()
        };
        notes = if ends { None } else { Some(digest(notes, &note)) };
        out.extend(batch.finish(block.first, &note).unwrap().0);
    }
    out
}

fn walk(stolen: &Stolen, bytes: &[u8]) -> (usize, Option<Stop>) {
    Walk::of(Some(stolen.run)).segment(bytes, true, &mut |_| {})
}

#[test]
fn no_epoch_that_is_over_can_be_made_anew_with_the_keys_that_are_left() {
    let stolen = stolen();
    let keys = stolen.log.keys_left();
    assert_eq!(walk(&stolen, &stolen.bytes), (stolen.bytes.len(), None), "the control");
    let mut begins = 0;
    for (first, block) in blocks(&stolen.bytes).iter().enumerate().take(BLOCKS.len() - 1) {
        for renamed in [false, true] {
            let (held, stop) = walk(&stolen, &forged(&stolen, first, keys, renamed));
            assert!(matches!(stop, Some(Stop::Tampered(_))), "block {first}: {stop:?}");
            assert_eq!(held, begins, "block {first} is where it begins");
        }
        begins += block.length;
    }
    std::fs::remove_dir_all(&stolen.place).unwrap();
}

/// What the log cannot show: from the theft on, the thief writes what he likes, and what the key signed so far, anew.
#[test]
fn the_epoch_that_goes_on_can_be_made_anew_by_who_has_its_key() {
    let stolen = stolen();
    let anew = forged(&stolen, BLOCKS.len() - 1, stolen.log.keys_left(), false);
    assert_ne!(anew, stolen.bytes);
    assert_eq!(walk(&stolen, &anew), (anew.len(), None));
    std::fs::remove_dir_all(&stolen.place).unwrap();
}

/// Blocks of an epoch that is over, cut out with those behind, and with the keys that are left in their place.
#[test]
fn an_epoch_cannot_be_cut_short() {
    let stolen = stolen();
    let keys = stolen.log.keys_left();
    let all = blocks(&stolen.bytes);
    let begins = |number: usize| all[..number].iter().map(|block| block.length).sum::<usize>();
    for kept in [2, 3, 5] {
        let mut edge = Edge::default();
        for block in &all[..kept] {
            block.add_to(&mut edge).unwrap();
        }
        let mut batch = Batch::new();
        batch.push(&encode(&event(99)).unwrap());
        let head = Head::at(origin(&stolen.run.to_string()), &edge.with(batch.leaves()));
        let line = signature_line(&head.origin, &keys.public(), &keys.sign(head.text().as_bytes()).unwrap());
        let (block, _) = batch.finish(edge.size(), format!("{}\n{line}", head.text()).as_bytes()).unwrap();
        let bytes = [&stolen.bytes[..begins(kept)], block].concat();
        let (held, stop) = walk(&stolen, &bytes);
        assert!(matches!(stop, Some(Stop::Tampered(_))), "{kept} blocks: {stop:?}");
        assert_eq!(held, begins(kept));
    }
    std::fs::remove_dir_all(&stolen.place).unwrap();
}
