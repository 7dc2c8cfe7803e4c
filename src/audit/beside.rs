//! What happens beside requests: rules that were loaded, a clock that was set, refusals that are told together.

use super::access::Seen;
use serde::{Deserialize, Serialize};

/// Something that decides, as it was loaded: before anything is decided by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PolicyLoaded {
    /// `profile` (a file of it), `filter` (of system calls, compiled), `policy` (a bundle) or `dlp-rules`.
    pub kind: String,
    /// Its path, or its name where it is built in.
    pub name: String,
    /// SHA-256 of the bytes that were used, as hex.
    pub sha256: String,
    /// Whose a bundle is: `administrator`, `user` or `project` (one that the profile names).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// The revision that a bundle says it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

/// Somebody set the clock of the machine while the run went on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ClockStep {
    /// By how much, nanoseconds; negative: it was set back. What CLOCK_BOOTTIME counted meanwhile is left out.
    pub delta_ns: i64,
}

/// Refusals of one kind that came faster than they are told one by one. No other record has any of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Repeat {
    /// The event that each would have been: `denial`, `network` or `access`.
    pub of: String,
    /// The stable id of the reason that all have; of calls, the error.
    pub reason: String,
    /// The actions, as words.
    pub actions: Vec<String>,
    /// What the first was about, as [`What::resource`](super::access::What::resource).
    pub first: String,
    /// What the last was about.
    pub last: String,
    /// How many they were.
    pub count: u64,
    /// Milliseconds from the first to the last.
    pub within_ms: u64,
    /// The process that asked.
    pub process: Seen,
}
