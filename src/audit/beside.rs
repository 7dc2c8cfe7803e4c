//! What happens beside requests: rules that were loaded, a clock that was set, refusals that are told together.

use super::access::Seen;
use serde::{Deserialize, Serialize};

/// Something that decides, as it was loaded: before anything is decided by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PolicyLoaded {
    /// `profile` (a file of it), `filter` (of system calls, compiled), `policy` (a bundle), `dlp-rules` or
    /// `detection-rules` (a file, or all that are built in, one behind the other by name).
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

/// A rule found something in the events of the run (aisandbox-audit(7), DETECTION), or rules cannot be asked any more. Kept
/// before anything is done about it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Alert {
    /// Names it.
    pub alert: String,
    /// The rule, by name; [`Alert::LOST`] when rules cannot be asked any more.
    pub rule: String,
    /// The rule's UUID; empty for [`Alert::LOST`].
    pub rule_id: String,
    /// What it finds, in a few words.
    pub title: String,
    /// `informational`, `low`, `medium`, `high` or `critical`.
    pub level: String,
    /// What is done: `log`, `alert`, `ask`, `tighten`, `freeze` or `stop`.
    pub action: String,
    /// Fields that tell most about it, with the beginnings of their values.
    pub about: Vec<(String, String)>,
    /// The first event of it.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// How often it was found since the alert before.
    pub count: u64,
}

impl Alert {
    /// The rule of an alert that rules cannot be asked any more.
    pub const LOST: &str = "detection-lost";
}

/// All that runs in the sandbox was frozen, or goes on again, or what an alert took away was given back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Freeze {
    /// `frozen`, `failed` or `resumed`.
    pub what: String,
    /// By what: `cgroup`, `signals`, or nothing where nothing was frozen.
    pub how: String,
    /// Who or what did it: a rule, or `person`.
    pub by: String,
    /// Processes that were stopped or go on, where they were counted.
    pub processes: u64,
}
