//! Ten thousand broken bundles: none makes the reader panic, and what it takes still decides.
//!
//! Seeded: the same mutations on every run. AISANDBOX_SEED chooses others; a failure prints the round.

use crate::dice::Dice;
use aisandbox::policy::archive::{Member, pack, unpack};
use aisandbox::policy::{Bundle, Trust, shipped, shipped_names};

const ROUNDS: u32 = 10_000;

/// Pieces that mean something to Rego, to JSON, to an archive, or to a careless reader.
const PIECES: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "\"",
    "`",
    "#",
    "\n",
    " if ",
    "not ",
    "some x in ",
    "- ",
    ".",
    ",",
    "input",
    "data",
    "with input as ",
    "\0",
    "\u{202e}",
    "1e999",
    "package ",
    "default verdict := ",
];

fn mutate(bytes: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..=dice.roll(4) {
        let at = dice.roll(bytes.len() + 1);
        let end = (at + dice.roll(12)).min(bytes.len());
        match dice.roll(4) {
            0 => drop(bytes.drain(at..end)),
            1 => drop(bytes.splice(at..end, PIECES[dice.roll(PIECES.len())].bytes())),
            2 => {
                let piece: Vec<u8> = bytes[at..end].to_vec();
                let to = dice.roll(bytes.len() + 1);
                drop(bytes.splice(to..to, piece));
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = u8::try_from(dice.roll(256)).unwrap_or(0);
                }
            }
        }
    }
}

#[test]
fn no_mutation_of_a_shipped_bundle_makes_the_reader_panic() {
    let bundles: Vec<Vec<Member>> = shipped_names().filter_map(shipped).collect();
    let seed = std::env::var("AISANDBOX_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_125);
    let mut dice = Dice(seed);
    let (mut right, mut wrong) = (0, 0);
    for round in 0..ROUNDS {
        let mut members = bundles[dice.roll(bundles.len())].clone();
        // One in ten is broken as an archive, the others in one of their files.
        let archive = if dice.roll(10) == 0 {
            let mut bytes = pack(&members).unwrap();
            mutate(&mut bytes, &mut dice);
            bytes
        } else {
            let place = dice.roll(members.len());
            mutate(&mut members[place].bytes, &mut dice);
            pack(&members).unwrap()
        };
        let read = std::panic::catch_unwind(|| {
            unpack(&archive).and_then(|members| Bundle::read("b", &members, &Trust::default(), true)).is_ok()
        });
        match read {
            Ok(true) => right += 1,
            Ok(false) => wrong += 1,
            Err(_) => panic!("seed {seed}, round {round}"),
        }
    }
    // Both ways must have been walked, or the mutations are too weak or too wild to prove anything.
    assert!(right > ROUNDS / 50 && wrong > ROUNDS / 4, "{right} right, {wrong} wrong");
}
