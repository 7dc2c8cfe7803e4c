//! Role `egress` as its own process, confined, with the test as its Guardian and loopback servers as the outside.
//!
//! Connections come by its two proxies, so no namespace is needed.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod bombs;
mod denials;
mod endings;
mod flood;
mod grpc;
mod guardian;
mod hosts;
mod http;
mod limits;
mod load;
mod names;
mod people;
mod reader;
mod stream;
mod wild;
