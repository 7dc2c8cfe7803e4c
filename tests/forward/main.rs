//! Records on their way to other systems: real receivers where there are any, strict ones of our own elsewhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends by panicking")]
#![allow(clippy::indexing_slicing, reason = "the same")]

mod certificates;
mod damage;
mod http;
mod journal;
mod mock;
mod otlp;
mod page;
mod rsyslog;
mod store;
#[path = "../support/mod.rs"]
mod support;
mod syslog;
mod world;
