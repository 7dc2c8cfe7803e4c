//! Bench of what leaves: `cargo bench --bench egress [PART …]`. Prints numbers of one run beside what is wanted; judges
//! nothing.
//!
//! `AISANDBOX_BENCH_QUICK=1` takes few turns, for a look that it works. For numbers on a busy machine run the bench with
//! a real-time priority (`chrt -f 1`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod client;
mod dlp;
mod held;
mod inspect;
mod quality;
mod relay;
mod role;
mod server;
mod small;
mod table;

/// A part: its name, and what it does.
type Part = (&'static str, fn());

const PARTS: &[Part] = &[
    ("relay", relay::run),
    ("inspect", inspect::run),
    ("small", small::run),
    ("held", held::run),
    ("dlp", dlp::run),
    ("quality", quality::run),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    for word in &words {
        assert!(PARTS.iter().any(|(name, _)| name == word), "no part {word}");
    }
    for (name, run) in PARTS {
        if words.is_empty() || words.iter().any(|word| word == name) {
            println!("\n== {name}");
            run();
        }
    }
    table::print();
}

/// How often something is done: often, or a few times when only a look is wanted.
fn turns(often: usize, few: usize) -> usize {
    let quick = std::env::var_os("AISANDBOX_BENCH_QUICK").is_some_and(|value| value == "1");
    if quick { few } else { often }
}
