//! A thief with all of the writer's memory: every key that is left, and the files. What he can make anew, and what not.

use super::Log;
use super::batch::Batch;
use super::block::{self, Block};
use super::keys::Ratchet;
use super::leaf::{NextKey, Own, encode};
use super::merkle::Edge;
use super::note::{Head, signature_line};
use super::walk::{Stop, Walk};
use super::writer::origin;
use crate::audit::event::{Event, LaunchFailure};
use crate::audit::new_run_id;
use crate::base::RunId;
use std::path::PathBuf;

const BLOCKS: usize = 4;

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
    (0..BLOCKS).for_each(|number| log.append(&event(number)).unwrap());
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

/// All blocks from `first` on, with another event in that one, signed by the key that is left. With `renamed`, each
/// also names that key as the next.
fn forged(stolen: &Stolen, first: usize, keys: &Ratchet, renamed: bool) -> Vec<u8> {
    let origin = origin(&stolen.run.to_string());
    let (mut out, mut edge) = (Vec::new(), Edge::default());
    for (number, block) in blocks(&stolen.bytes).iter().enumerate() {
        let mut batch = Batch::new();
        let leaves: Vec<&[u8]> = block.leaves().flatten().collect();
        for (place, leaf) in leaves.iter().enumerate() {
            let text = String::from_utf8(leaf.to_vec()).unwrap();
            let text = if number == first { text.replace("event ", "other ") } else { text };
            let next = NextKey { epoch: number as u64 + 1, key: super::Hex(keys.public()) };
            let is_key = place == leaves.len() - 1 && number >= first && renamed;
            let leaf = if is_key { encode(&Own::Key(next)).unwrap() } else { text.into_bytes() };
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
        out.extend(batch.finish(block.first, &note).unwrap());
    }
    out
}

#[test]
fn no_block_that_is_written_can_be_made_anew_with_the_keys_that_are_left() {
    let stolen = stolen();
    let keys = stolen.log.keys_left();
    let walk = |bytes: &[u8]| Walk::of(Some(stolen.run)).segment(bytes, true, &mut |_| {});
    assert_eq!(walk(&stolen.bytes), (stolen.bytes.len(), None), "the control");
    let mut begins = 0;
    for (first, block) in blocks(&stolen.bytes).iter().enumerate() {
        for renamed in [false, true] {
            let (held, stop) = walk(&forged(&stolen, first, keys, renamed));
            assert!(matches!(stop, Some(Stop::Tampered(_))), "block {first}: {stop:?}");
            assert_eq!(held, begins, "block {first} is where it begins");
        }
        begins += block.length;
    }
    std::fs::remove_dir_all(&stolen.place).unwrap();
}

/// What the log cannot show: from the theft on, the thief writes what he likes.
#[test]
fn the_block_that_comes_can_be_made_by_who_has_the_keys() {
    let mut stolen = stolen();
    stolen.log.append(&event(99)).unwrap();
    let bytes = std::fs::read(stolen.log.path()).unwrap();
    assert_eq!(Walk::of(Some(stolen.run)).segment(&bytes, true, &mut |_| {}), (bytes.len(), None));
    std::fs::remove_dir_all(&stolen.place).unwrap();
}
