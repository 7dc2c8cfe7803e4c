//! Bench of the log: `cargo bench --bench audit [PART …]`. Prints numbers of one run beside what is wanted; judges nothing.
//!
//! Writes below `AISANDBOX_BENCH_DIR`, else the temporary folder: what it measures is that disk.
//! `AISANDBOX_BENCH_QUICK=1` takes few turns, for a look that it works.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod append;
#[path = "../../tests/forward/certificates.rs"]
mod certificates;
mod detect;
mod grant;
mod journald;
#[path = "../parts/mod.rs"]
mod parts;
mod place;
mod read;
mod stored;
mod syslog;

use parts::{Part, turns};

const PARTS: &[Part] = &[
    ("append", append::run),
    ("journald", journald::run),
    ("grant", grant::run),
    ("read", read::run),
    ("detect", detect::run),
    ("syslog", syslog::run),
    ("stored", stored::run),
    ("redact", stored::redaction),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    parts::run(PARTS, &words);
}
