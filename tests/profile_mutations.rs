//! Ten thousand broken profiles: none makes the reader panic, and each error still points into a file.
//!
//! Seeded: the same mutations on every run. AISANDBOX_SEED chooses others; a failure prints the text.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/dice.rs"]
mod dice;

use aisandbox::profile::{Context, load_str, to_text};
use dice::Dice;

const ROUNDS: u32 = 10_000;

/// Pieces that mean something to YAML, to the format, or to a careless reader.
const PIECES: [&str; 40] = [
    ":",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "\n",
    "  ",
    "\t",
    "#",
    "&a ",
    "*a",
    "!!str ",
    "|",
    ">",
    "\"",
    "'",
    "~",
    "$",
    "${",
    "$$",
    "$HOME",
    "\0",
    "\u{1b}[2J",
    "\u{202e}",
    "\u{feff}",
    "é",
    "..",
    "/",
    "-1",
    "99999999999999999999",
    "1e999",
    ".nan",
    "0x",
    "<<: ",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "extends: [cowork]\n",
    "access: mask",
];

fn piece(dice: &mut Dice) -> &'static str {
    PIECES.get(dice.roll(PIECES.len())).copied().unwrap_or(":")
}

fn mutate(text: &str, dice: &mut Dice) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for _ in 0..=dice.roll(6) {
        let at = dice.roll(letters.len() + 1);
        let end = (at + dice.roll(12)).min(letters.len());
        match dice.roll(5) {
            0 => drop(letters.drain(at..end)),
            1 => drop(letters.splice(at..at, piece(dice).chars())),
            2 => drop(letters.splice(at..end, piece(dice).chars())),
            3 => {
                let piece: Vec<char> = letters.iter().take(end).skip(at).copied().collect();
                let to = dice.roll(letters.len() + 1);
                drop(letters.splice(to..to, piece));
            }
            _ => {
                if let Some(letter) = letters.get_mut(at) {
                    *letter = u32::try_from(dice.roll(0x250)).ok().and_then(char::from_u32).unwrap_or('x');
                }
            }
        }
    }
    letters.into_iter().collect()
}

#[test]
fn no_mutation_of_a_shipped_profile_makes_the_reader_panic() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles");
    let mut texts: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        // Comments only dilute the dice.
        .map(|text| {
            text.lines()
                .map(|line| line.split(" #").next().unwrap_or("").trim_end().to_owned() + "\n")
                .collect()
        })
        .collect();
    texts.sort();
    let person = Context {
        home: "/home/u".into(),
        pwd: "/home/u/project".into(),
        user: "u".into(),
        uid: 1000,
        env: std::collections::BTreeMap::new(),
        search: Vec::new(),
    };
    let seed = std::env::var("AISANDBOX_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_124);
    let mut dice = Dice(seed);
    let (mut right, mut wrong) = (0, 0);
    for round in 0..ROUNDS {
        let text = mutate(&texts[dice.roll(texts.len())], &mut dice);
        let outcome = std::panic::catch_unwind(|| match load_str("x.yaml", &text, &person) {
            Ok(profile) => {
                let shown = to_text(&profile);
                assert!(!shown.contains('\u{1b}'));
                let again = load_str("again.yaml", &shown, &person);
                assert!(again.is_ok(), "shown as\n{shown}\n{again:?}");
                true
            }
            Err(errors) => {
                assert!(!errors.is_empty());
                for error in &errors {
                    let shown = error.to_string();
                    assert!(shown.contains(".yaml:") && !shown.contains('\u{1b}'), "{shown:?}");
                    assert!(shown.lines().count() <= 2, "{shown:?}");
                }
                false
            }
        });
        match outcome {
            Ok(true) => right += 1,
            Ok(false) => wrong += 1,
            Err(_) => panic!("seed {seed}, round {round}: the text was\n{text:?}"),
        }
    }
    // Both ways must have been walked, or the mutations are too weak or too wild to prove anything.
    assert!(right > ROUNDS / 50 && wrong > ROUNDS / 4, "{right} right, {wrong} wrong");
}
