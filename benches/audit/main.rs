//! Bench of the log: `cargo bench --bench audit [PART …]`. Prints numbers of one run beside what is wanted; judges nothing.
//!
//! Writes below `AISANDBOX_BENCH_DIR`, else the temporary folder: what it measures is that disk.
//! `AISANDBOX_BENCH_QUICK=1` takes few turns, for a look that it works.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod append;
mod grant;
mod journald;
mod place;
mod read;

/// A part: its name, and what it does.
type Part = (&'static str, fn());

const PARTS: &[Part] =
    &[("append", append::run), ("journald", journald::run), ("grant", grant::run), ("read", read::run)];

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
}

/// How often something is done: often, or a few times when only a look is wanted.
fn turns(often: usize, few: usize) -> usize {
    let quick = std::env::var_os("AISANDBOX_BENCH_QUICK").is_some_and(|value| value == "1");
    if quick { few } else { often }
}
