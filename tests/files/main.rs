//! Role `files`: what an agent finds at an `ask` entry, on a real FUSE mount, as root and as an ordinary user.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends by panicking")]
#![allow(clippy::panic, clippy::indexing_slicing, reason = "the same")]

#[path = "../support/mod.rs"]
mod support;

mod cost;
mod place;
mod served;
mod touch;
