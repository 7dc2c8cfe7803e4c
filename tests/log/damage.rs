//! Cuts, changed bits, zeros, garbage, blocks that were removed, moved or made anew: none is silent.

use super::support::segment::sum_anew;
use super::{Place, blocks, event, messages, segment, state, step};
use aisandbox::audit::log::{State, verify};
use aisandbox::base::RunId;
use std::fs;
use std::path::Path;

/// Random enough, and the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

/// The state after the segment has these bytes.
fn after(folder: &Path, bytes: &[u8]) -> State {
    fs::write(segment(folder), bytes).unwrap();
    state(folder)
}

#[test]
fn two_thousand_changed_bits_are_all_found() {
    let place = Place::new();
    let (_, folder) = place.log(3, true);
    let bytes = fs::read(segment(&folder)).unwrap();
    let last = *blocks(&bytes).iter().rev().nth(1).unwrap();
    let mut dice = Dice(1);
    for _ in 0..2000 / step(10) {
        let bit = dice.roll(bytes.len() * 8);
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let found = after(&folder, &changed);
        // Only in the last block it could be a write that was cut short.
        let expected =
            if bit / 8 < last { vec![State::Tampered] } else { vec![State::Tampered, State::Truncated] };
        assert!(expected.contains(&found), "bit {bit}: {found:?}");
    }
    assert_eq!(after(&folder, &bytes), State::Sealed, "the control");
}

#[test]
fn every_cut_of_the_last_two_blocks_ends_what_holds_where_a_block_ends() {
    let place = Place::new();
    for sealed in [true, false] {
        let (_, folder) = place.log(2, sealed);
        let bytes = fs::read(segment(&folder)).unwrap();
        let places = blocks(&bytes);
        let from = places[places.len() - 3];
        for length in
            (from..bytes.len()).step_by(step(23)).chain(places.iter().copied().filter(|at| *at >= from))
        {
            fs::write(segment(&folder), &bytes[..length]).unwrap();
            let verdict = verify(&folder).unwrap();
            let whole = places.contains(&length);
            let all = sealed && length == bytes.len();
            let expected = if all {
                State::Sealed
            } else if whole {
                State::Open
            } else {
                State::Truncated
            };
            assert_eq!(verdict.state, expected, "{length}: {verdict:?}");
            let held = *places.iter().rfind(|place| **place <= length).unwrap();
            assert!(whole || verdict.at.as_ref().unwrap().1 == held as u64, "{length}: {verdict:?}");
        }
    }
}

#[test]
fn zeros_and_garbage_from_any_place_of_the_last_two_blocks_are_found_where_they_begin() {
    let place = Place::new();
    let (_, folder) = place.log(2, true);
    let bytes = fs::read(segment(&folder)).unwrap();
    let places = blocks(&bytes);
    let (first, last) = (places[places.len() - 3], places[places.len() - 2]);
    let mut dice = Dice(2);
    for at in (first..bytes.len()).step_by(step(29)) {
        let end = if at < last { last } else { bytes.len() };
        for garbage in [false, true] {
            let mut changed = bytes.clone();
            changed[at..end].fill_with(|| if garbage { dice.roll(256) as u8 } else { 0 });
            if changed == bytes {
                continue;
            }
            fs::write(segment(&folder), &changed).unwrap();
            let verdict = verify(&folder).unwrap();
            // What lies before a whole block was whole as well.
            let expected = if at < last { State::Tampered } else { State::Truncated };
            assert_eq!(verdict.state, expected, "{at}: {verdict:?}");
            let begins = if at < last { first } else { last };
            assert_eq!(verdict.at.unwrap().1, begins as u64);
        }
    }
}

#[test]
fn blocks_that_are_removed_swapped_doubled_or_added_are_found() {
    let place = Place::new();
    let (_, folder) = place.log(5, true);
    let bytes = fs::read(segment(&folder)).unwrap();
    let places = blocks(&bytes);
    let block = |number: usize| &bytes[places[number]..places[number + 1]];
    let join =
        |numbers: &[usize]| numbers.iter().flat_map(|number| block(*number).to_vec()).collect::<Vec<u8>>();
    assert_eq!(after(&folder, &join(&[0, 1, 2, 3, 4, 5])), State::Sealed, "the control");
    for wrong in
        [&[1, 2, 3, 4, 5][..], &[0, 2, 3, 4, 5], &[0, 2, 1, 3, 4, 5], &[0, 0, 1], &[0, 1, 2, 3, 4, 5, 5]]
    {
        assert_eq!(after(&folder, &join(wrong)), State::Tampered, "{wrong:?}");
    }
    assert_eq!(
        after(&folder, &join(&[0, 1, 2])),
        State::Open,
        "nothing says that more was there but the device"
    );
    let more = [&bytes[..], b"more"].concat();
    assert_eq!(after(&folder, &more), State::Tampered, "behind the end nothing is torn");
}

/// A block with another event and a right sum, signed by nobody.
#[test]
fn a_changed_event_with_a_sum_made_anew_is_found() {
    let place = Place::new();
    let (_, folder) = place.log(3, true);
    let bytes = fs::read(segment(&folder)).unwrap();
    let places = blocks(&bytes);
    for number in 0..3 {
        let (from, to) = (places[number], places[number + 1]);
        let mut changed = bytes.clone();
        let at = from + bytes[from..to].windows(6).position(|window| window == b"\"plan\"").unwrap() + 1;
        changed[at] ^= 1;
        sum_anew(&mut changed[from..to]);
        fs::write(segment(&folder), &changed).unwrap();
        let verdict = verify(&folder).unwrap();
        assert_eq!((verdict.state, verdict.at.unwrap().1), (State::Tampered, from as u64));
        assert!(verdict.why.unwrap().contains("root"));
    }
}

/// Another log of the same run, by the same device, with keys of its own: as a thief of the device's next key makes it.
#[test]
fn a_run_that_was_made_anew_differs_from_what_the_device_has_of_it() {
    let place = Place::new();
    let (run, folder) = place.log(3, true);
    let known = aisandbox::audit::log::read_device(&place.device()).unwrap();
    let (_, _, how) = known.runs[&run].end.clone().unwrap();
    assert_eq!(how, aisandbox::audit::log::Ending::Sealed);
    fs::rename(&folder, place.0.join("old")).unwrap();
    let mut log =
        aisandbox::audit::log::Log::create(&place.runs(), RunId::from_parts(run.unix_millis(), 7)).unwrap();
    log.append(&event("another")).unwrap();
    log.seal().unwrap();
    let (texts, verdict) = messages(&folder_of(&place, run));
    assert_eq!((texts.len(), verdict.state), (1, State::Sealed));
    assert_ne!(known.runs[&run].end.as_ref().unwrap().1, verdict.root);
}

fn folder_of(place: &Place, run: RunId) -> std::path::PathBuf {
    place.folder(RunId::from_parts(run.unix_millis(), 7))
}
