//! Server: records over sockets. `api` answers questions about the logs of one user; `collector` keeps the logs of devices on
//! another host and cosigns them, and `mirror` sends them there.
//!
//! Never writes a log of this device, never executes anything, and never answers a client that nothing names. Every head, body,
//! answer, connection and wait has a bound. The only place besides role `egress` that names tokio, hyper and rustls.
#![forbid(unsafe_code)]

mod accept;
pub mod api;
mod asked;
mod client;
pub mod collector;
mod http;
mod keep;
pub mod mirror;
mod pairs;
mod patient;
mod tls;

use crate::sys::Sys;
use crate::sys::limits::{Resource, lower};

/// The most private memory of the process, bytes, and its descriptors.
const MEMORY_BYTES: u64 = 2 << 30;
const DESCRIPTORS: u64 = 512;

/// Sets the limits of this process, before its filter forbids it.
/// # Errors
/// As setrlimit(2).
pub fn set_limits() -> Sys<()> {
    lower(Resource::OpenFiles, DESCRIPTORS)?;
    lower(Resource::Data, MEMORY_BYTES)
}
