//! What a forwarder says for itself, among the records that it hands on.
//!
//! Stands in no log: whoever gets it has the forwarder's word for it, and the signed head where one is in it.

use super::AuditError;
use super::log::{Hex, encode};
use serde::{Deserialize, Serialize};

/// A word of the forwarder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "event", content = "data")]
pub enum Forwarded {
    /// So much was sent so far.
    #[serde(rename = "forward.checkpoint")]
    Checkpoint(Checkpoint),
    /// Events that this sink does not get.
    #[serde(rename = "forward.gap")]
    Gap(Gap),
    /// A log is not what it should be.
    #[serde(rename = "forward.alert")]
    Alert(Alert),
}

/// What a receiver can prove gaps with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The sink.
    pub sink: String,
    /// Every event of the run below this index was sent.
    pub size: u64,
    /// Messages of this sink since its process began, this one not counted.
    pub sent: u64,
    /// A signed head (C2SP checkpoint) of the log that has them all.
    pub note: String,
}

/// Events that are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// The sink.
    pub sink: String,
    /// The first of them.
    pub from: u64,
    /// The one behind the last; absent where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
    /// The root over all leaves of the log, those that are left out among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<Hex<32>>,
    /// Why.
    pub why: String,
}

/// The verdict on a log that is not sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// The sink.
    pub sink: String,
    /// `tampered`, `truncated` or `open`: its run was killed.
    pub state: String,
    /// Leaves that hold; no event behind them is sent.
    pub leaves: u64,
    /// The first segment that does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    /// The first byte in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte: Option<u64>,
    /// Why.
    pub why: String,
}

impl Forwarded {
    /// What the names of these events begin with; no other event's does.
    pub const PREFIX: &'static str = "forward.";

    /// As a leaf, as of now.
    /// # Errors
    /// When it has no form in JSON.
    pub fn leaf(&self) -> Result<Vec<u8>, AuditError> {
        encode(self)
    }

    /// The index in the run that it is about.
    pub fn index(&self) -> u64 {
        match self {
            Self::Checkpoint(checkpoint) => checkpoint.size,
            Self::Gap(gap) => gap.from,
            Self::Alert(alert) => alert.leaves,
        }
    }
}
