//! Rules over records and over runs that live, by the real program; and the same rules by somebody else's.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod maps;
mod pysigma;
mod records;
#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};

/// A folder of the source.
pub(crate) fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}
