//! Audit: the record of a run, written so that a later change of it shows.
//!
//! Never decides, never prints, and never holds a secret it was not handed by mistake. Writing fails upwards: who
//! asked for a record gets it or an error, and must do nothing without it.
#![forbid(unsafe_code)]

pub mod access;
pub mod beside;
mod cache;
pub mod calls;
mod coverage;
mod error;
pub mod event;
pub mod export;
mod find;
mod forward;
pub mod index;
mod json;
mod known;
pub mod log;
pub mod network;
mod private;
mod proved;
pub mod proven;
mod record;
mod redact;
pub mod report;
pub mod schema;
mod spans;
pub mod withhold;

pub use cache::DigestCache;
pub use coverage::Coverage;
pub use error::AuditError;
pub use event::Event;
pub use find::{find, first_format, runs, stamp, with_logs};
pub use forward::{Alert, Checkpoint, Forwarded, Gap};
pub use json::json;
pub use known::KnownGood;
pub use log::{Log, SharedLog};
pub use private::{
    digests_dir, forward_dir, keys_dir, make_folders, open_private, proved_dir, replace, reputation_dir,
    runs_dir, sessions_dir, settings,
};
pub use proved::Proved;
pub use record::Record;
pub use spans::{Span, of_agent as span_of_agent};

use crate::base::{RunId, TraceId, WallTime};

/// A new trace id: 16 random bytes.
/// # Errors
/// As [`new_run_id`].
pub fn new_trace_id() -> Result<TraceId, AuditError> {
    let random = crate::sys::random::random_bytes::<16>().map_err(|errno| AuditError::Random { errno })?;
    TraceId::of(random).ok_or(AuditError::Random { errno: crate::sys::Errno::EIO })
}

/// A new run id: now, and 80 random bits.
/// # Errors
/// When the kernel gives no random bytes (getrandom(2)).
pub fn new_run_id() -> Result<RunId, AuditError> {
    let random = crate::sys::random::random_bytes::<16>().map_err(|errno| AuditError::Random { errno })?;
    Ok(RunId::from_parts(WallTime::now().unix_millis(), u128::from_le_bytes(random)))
}
