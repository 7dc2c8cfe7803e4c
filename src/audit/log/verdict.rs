//! The verdict on a log: what it is found to be, and why.
//!
//! Pure.

use super::hex::Hex;
use super::join::{Joined, Openings};
use super::walk::{Ended, Stop, Walk};
use serde::{Deserialize, Serialize};

/// What a log is found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Whole, and ended: nothing was changed, and nothing can have been cut off or added.
    Sealed,
    /// Whole as far as it goes, but without an end: its run goes on, or it was killed. What stood behind may be cut off.
    Open,
    /// Its end is missing or damaged.
    Truncated,
    /// It is not what was written.
    Tampered,
}

/// The verdict on a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// In one word.
    pub state: State,
    /// Leaves that hold: events, and what the log itself says.
    pub leaves: u64,
    /// What there is of their personal fields.
    #[serde(default, skip_serializing_if = "Openings::is_none")]
    pub openings: Openings,
    /// The root over them.
    pub root: Hex<32>,
    /// The identity of the device that signed its first key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Hex<32>>,
    /// The first segment and byte that do not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<(String, u64)>,
    /// Why, or why it ended early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Of a log that holds to its end.
pub(super) fn ended(walk: &Walk, alive: bool) -> Verdict {
    let state = if walk.ended.is_some() { State::Sealed } else { State::Open };
    let why = match &walk.ended {
        Some(Ended::Suspended(reason)) => Some(format!("could not go on: {reason}")),
        Some(Ended::Sealed) => None,
        None if alive => Some("its run goes on".to_owned()),
        None => Some("its run was killed, or its end was cut off".to_owned()),
    };
    Verdict { state, why, ..plain(walk) }
}

fn plain(walk: &Walk) -> Verdict {
    let identity = walk.identity.map(Hex);
    let (leaves, root, openings) = (walk.size(), Hex(walk.root()), Openings::default());
    Verdict { state: State::Open, leaves, openings, root, identity, at: None, why: None }
}

/// A block that is being written while we read is no damage.
pub(super) fn stopped(walk: &Walk, at: (String, u64), stop: Stop, alive: bool) -> Verdict {
    match stop {
        Stop::Torn(_) if alive => Verdict { why: Some("its run goes on".to_owned()), ..plain(walk) },
        Stop::Torn(why) => Verdict { state: State::Truncated, at: Some(at), why: Some(why), ..plain(walk) },
        Stop::Tampered(why) => {
            Verdict { state: State::Tampered, at: Some(at), why: Some(why), ..plain(walk) }
        }
    }
}

/// The same with what was found beside the leaves, which can only make it worse. Where openings are not `expected`, a log
/// without any is a copy of its leaves.
pub(super) fn with_openings(mut verdict: Verdict, found: &Joined, expected: bool) -> Verdict {
    let missing = found.counts.missing;
    verdict.openings = found.counts;
    if let Some((at, why)) = &found.wrong
        && verdict.state != State::Tampered
    {
        (verdict.state, verdict.at) = (State::Tampered, Some(at.clone()));
        verdict.why = Some(format!("of what opens its leaves: {why}"));
    } else if missing > 0 && matches!(verdict.state, State::Sealed | State::Open) {
        let what = format!("what opens {missing} leaves is");
        if expected {
            verdict.state = State::Truncated;
            verdict.why = Some(format!("{what} missing, and no redaction says that it took it"));
        } else {
            let why = verdict.why.map_or_else(String::new, |why| format!("{why}; "));
            verdict.why = Some(format!("{why}{what} not here: this is a copy of the leaves alone"));
        }
    }
    verdict
}
