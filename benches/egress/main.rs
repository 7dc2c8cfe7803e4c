//! Bench of what leaves: `cargo bench --bench egress [PART …]`. Prints numbers of one run beside what is wanted; judges
//! nothing.
//!
//! `AISANDBOX_BENCH_QUICK=1` takes few turns, for a look that it works. For numbers on a busy machine run the bench with
//! a real-time priority (`chrt -f 1`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod client;
mod dlp;
mod flood;
mod held;
mod inspect;
#[path = "../parts/mod.rs"]
mod parts;
mod quality;
mod relay;
mod role;
mod server;
mod small;
mod table;

use parts::{Part, turns};

const PARTS: &[Part] = &[
    ("relay", relay::run),
    ("inspect", inspect::run),
    ("small", small::run),
    ("held", held::run),
    ("dlp", dlp::run),
    ("flood", flood::run),
    ("quality", quality::run),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    parts::run(PARTS, &words);
    table::print();
}
