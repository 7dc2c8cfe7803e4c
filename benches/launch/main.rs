//! Bench of the launcher: `cargo bench --bench launch`. Prints medians and ratios of one run; judges nothing.
//!
//! Every rival is measured in turns with ours, so that a busy machine is busy for all of them. Run by root, all but
//! the memory part happens as an ordinary user. `AISANDBOX_BENCH_QUICK=1` takes few turns, for a look that it works;
//! `AISANDBOX_BENCH_OTHER=PATH` lets another build of the program take its turns too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bwrap;
mod egress;
mod entries;
mod floor;
#[path = "../../tests/support/library.rs"]
mod library;
mod memory;
mod observe;
mod place;
mod price;
mod rate;
mod starts;
mod table;

use place::Place;

/// A part: its name, and what it does.
type Part = (&'static str, fn(&Place));

/// The parts that an ordinary user measures.
const PARTS: [Part; 6] = [
    ("starts", starts::run),
    ("rate", rate::run),
    ("entries", entries::run),
    ("price", price::run),
    ("observe", observe::run),
    ("egress", egress::run),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["--inside", folder] => price::inside(folder),
        ["--part", name, root] => {
            let (_, part) = PARTS.iter().find(|(known, _)| *known == name).expect("a part of this bench");
            part(&Place::at(root));
        }
        _ => all(&words),
    }
}

/// Everything, or the parts whose names are given.
fn all(words: &[&str]) {
    let named: Vec<&&str> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let wanted = |name: &str| named.is_empty() || named.iter().any(|word| **word == name);
    let place = Place::make();
    place.check();
    for (name, _) in PARTS.iter().filter(|(name, _)| wanted(name)) {
        place.run_part(name);
    }
    if wanted("memory") {
        memory::run(&place);
    }
}

/// How often something is done: often, or a few times when only a look is wanted.
fn turns(often: usize, few: usize) -> usize {
    if quick() { few } else { often }
}

fn quick() -> bool {
    std::env::var_os("AISANDBOX_BENCH_QUICK").is_some_and(|value| value == "1")
}

/// Says why something is not measured; an error where everything must run.
fn skip(what: &str, why: &str) {
    println!("skipped: {what}: {why}");
    assert_ne!(std::env::var_os("AISANDBOX_MUST_RUN").as_deref(), Some("1".as_ref()), "must run: {what}");
}
