//! Bench of the Guardian: `cargo bench --bench guardian [PART …]`. Prints medians of one run beside what is wanted;
//! judges nothing.
//!
//! `AISANDBOX_BENCH_QUICK=1` takes few turns, for a look that it works. For numbers on a busy machine run the bench with
//! a real-time priority (`chrt -f 1`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod floor;
mod mounts;
mod open;
#[path = "../parts/mod.rs"]
mod parts;
mod policy;
mod request;
mod scale;
#[path = "../../tests/support/mod.rs"]
mod support;
mod timing;
mod token;
mod transition;

use parts::{Part, turns};

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
    if let [floor, folder] = words.as_slice()
        && floor == "--floor"
    {
        return floor::serve(folder);
    }
    if let [start, name] = words.as_slice()
        && start == "--start"
    {
        return transition::inside(name);
    }
    parts::run(PARTS, &words);
}
