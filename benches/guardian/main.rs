//! Bench of the Guardian: `cargo bench --bench guardian [PART …]`. Prints medians of one run beside what is wanted;
//! judges nothing.
//!
//! `AISANDBOX_BENCH_QUICK=1` takes few turns, for a look that it works. For numbers on a busy machine run the bench with
//! a real-time priority (`chrt -f 1`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod mounts;
mod open;
mod policy;
mod request;
mod scale;
#[path = "../../tests/support/mod.rs"]
mod support;
mod timing;
mod token;
mod transition;

/// A part: its name, and what it does.
type Part = (&'static str, fn());

const PARTS: &[Part] = &[
    ("token", token::run),
    ("request", request::run),
    ("mounts", mounts::run),
    ("open", open::run),
    ("scale", scale::run),
    ("policy", policy::run),
    ("transition", transition::run),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "--hold") {
        return scale::hold();
    }
    if let [inside, plain, asked] = words.as_slice()
        && inside == "--inside"
    {
        return mounts::inside(plain, asked);
    }
    if let [open, docs] = words.as_slice()
        && open == "--open"
    {
        return open::inside(docs);
    }
    if let [start, name] = words.as_slice()
        && start == "--start"
    {
        return transition::inside(name);
    }
    let words: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    for word in &words {
        assert!(PARTS.iter().any(|(name, _)| name == word), "no part {word}");
    }
    for (name, run) in PARTS {
        if words.is_empty() || words.iter().any(|word| word == name) {
            println!("\n== {name}");
            run();
        }
    }
}

/// How often something is done: often, or a few times when only a look is wanted.
fn turns(often: usize, few: usize) -> usize {
    let quick = std::env::var_os("AISANDBOX_BENCH_QUICK").is_some_and(|value| value == "1");
    if quick { few } else { often }
}
