//! Epochs: when a key goes, and that no byte of the blocks before the one whose signature is checked can change.

use super::support::segment::sum_anew;
use super::{Place, blocks, event, segment, state, step, verify};
use aisandbox::audit::event::{Event, LaunchFailure};
use aisandbox::audit::log::{Batch, Leaf, Log, Own, SharedLog, State, Turn, read};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// One block with one leaf.
fn commit(log: &mut Log, turn: Turn) {
    let mut batch = Batch::new();
    batch.push(br#"{"v":2,"ts":1,"mono":1,"event":"x","data":{}}"#);
    log.commit(&mut batch, turn).unwrap();
}

/// Four blocks in one epoch, two in the next, which a seal ends or nothing.
pub(super) fn epochs(place: &Place, sealed: bool) -> PathBuf {
    let (run, mut log) = place.begin();
    for turn in [Turn::InTime, Turn::InTime, Turn::InTime, Turn::Now, Turn::InTime, Turn::InTime] {
        commit(&mut log, turn);
    }
    if sealed {
        log.seal().unwrap();
    }
    place.folder(run)
}

/// As somebody changes it who knows the format.
#[test]
fn every_byte_of_a_block_whose_signature_nobody_checks_is_covered_by_one_that_is() {
    for sealed in [true, false] {
        let place = Place::new();
        let folder = epochs(&place, sealed);
        assert_eq!(state(&folder), if sealed { State::Sealed } else { State::Open }, "the control");
        let bytes = fs::read(segment(&folder)).unwrap();
        let places = blocks(&bytes);
        for window in places.windows(2) {
            let (from, to) = (window[0], window[1]);
            for at in (from..to).filter(|at| !(from + 24..from + 28).contains(at)).step_by(step(13)) {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << (at % 8);
                sum_anew(&mut changed[from..to]);
                fs::write(segment(&folder), &changed).unwrap();
                let verdict = verify(&folder).unwrap();
                // A last block whose layout is broken may be a write that was cut short.
                let torn = to == bytes.len() && verdict.state == State::Truncated;
                assert!(verdict.state == State::Tampered || torn, "byte {at}: {verdict:?}");
                assert_eq!(verdict.at.unwrap().1, from as u64, "byte {at}");
            }
        }
    }
}

#[test]
fn blocks_of_one_epoch_that_are_removed_swapped_or_doubled_are_found() {
    let place = Place::new();
    let folder = epochs(&place, true);
    let bytes = fs::read(segment(&folder)).unwrap();
    let places = blocks(&bytes);
    for wrong in
        [&[0, 2, 3, 4, 5, 6][..], &[0, 2, 1, 3, 4, 5, 6], &[0, 1, 1, 2, 3], &[0, 1, 2, 3, 5, 6], &[3, 4]]
    {
        let join = wrong.iter().flat_map(|number| &bytes[places[*number]..places[number + 1]]);
        fs::write(segment(&folder), join.copied().collect::<Vec<u8>>()).unwrap();
        assert_eq!(state(&folder), State::Tampered, "{wrong:?}");
    }
}

/// Of every epoch in its order: how long its key was there with a block in it, by the clock of its leaves, and its blocks.
fn keys(folder: &Path) -> Vec<Duration> {
    let (mut began, mut all) = (None, Vec::new());
    read(folder, &mut |found| {
        let leaf = Leaf::parse(found.bytes).unwrap();
        let began_at: u64 = *began.get_or_insert(leaf.mono);
        if matches!(leaf.own(), Some(Own::Key(_))) {
            all.push(Duration::from_nanos(leaf.mono - began_at));
            began = None;
        }
    })
    .unwrap();
    all
}

#[test]
fn a_key_goes_in_a_quarter_of_a_second_in_a_flood_and_when_nothing_comes() {
    for durable in [false, true] {
        let place = Place::new();
        let (run, log) = place.begin();
        let log = SharedLog::new(log);
        log.start_thread(durable).unwrap();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(900) {
            log.note(&event("flood")).unwrap();
            std::thread::sleep(Duration::from_micros(300));
        }
        // Nothing more comes: it is the thread that ends the epoch.
        let ended = || {
            let bytes = fs::read(segment(&place.folder(run))).unwrap();
            String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(1000)..]).contains("\"log.key\"")
        };
        while !ended() {
            assert!(begun.elapsed() < Duration::from_secs(20), "the key stays");
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut times = keys(&place.folder(run));
        let number = blocks(&fs::read(segment(&place.folder(run))).unwrap()).len() - 1;
        assert!(times.len() >= 3 && number > times.len() + 10, "{number} blocks, {times:?}");
        times.sort();
        // A machine with much else to do may wake a thread late.
        let (middle, last) = (times[times.len() / 2], times[times.len() - 1]);
        assert!(middle <= Duration::from_millis(300) && last <= Duration::from_secs(1), "{times:?}");
        log.seal().unwrap();
        assert_eq!(state(&place.folder(run)), State::Sealed);
    }
}

#[test]
fn what_somebody_waits_for_ends_the_epoch_with_it() {
    let place = Place::new();
    let (run, log) = place.begin();
    let log = SharedLog::new(log);
    log.start_thread(true).unwrap();
    for number in 0..20 {
        // The stage is in the leaf itself.
        let staged = |stage: &str| {
            let (stage, message) = (stage.to_owned(), String::new());
            Event::LaunchFailure(LaunchFailure { stage, message, errno: None })
        };
        log.note(&staged("nobody waits")).unwrap();
        let waits = staged("somebody waits");
        if number % 2 == 0 {
            log.append(&waits).unwrap()
        } else {
            log.append_durable(&waits).unwrap()
        }
        let bytes = fs::read(segment(&place.folder(run))).unwrap();
        let last =
            String::from_utf8_lossy(&bytes[*blocks(&bytes).iter().rev().nth(1).unwrap()..]).into_owned();
        assert!(last.contains("somebody waits") && last.contains("\"log.key\""), "{last}");
    }
    log.seal().unwrap();
    assert_eq!(state(&place.folder(run)), State::Sealed);
}
