//! Outcome: how a run ended, and the exit code that tells of it.

use super::stage::{Stage, StageFailure};
use crate::sys::Errno;
use crate::sys::process::Ended;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The agent exited with this code.
    Exited(i32),
    /// This signal ended the agent.
    Signaled(i32),
    /// Its wall time was over.
    OutOfTime,
    /// A stage failed; the agent never ran.
    Failed(StageFailure),
    /// Init ended without a word about the agent: killed from outside, or out of memory.
    Lost(Ended),
}

impl Outcome {
    /// The exit code of `aisandbox exec`: the agent's, 128+n for a signal, 124 out of time, 125 to 127 our failure.
    pub fn code(self) -> u8 {
        let byte = |value: i32| u8::try_from(value & 0xFF).unwrap_or(125);
        match self {
            Self::Exited(code) => byte(code),
            Self::Signaled(signal) | Self::Lost(Ended::Signaled(signal)) => byte(128 + signal),
            Self::OutOfTime => 124,
            Self::Failed(StageFailure {
                stage: Stage::Exec, errno: Errno::ENOENT | Errno::ENOTDIR, ..
            }) => 127,
            Self::Failed(StageFailure { stage: Stage::Exec, .. }) => 126,
            Self::Failed(_) | Self::Lost(_) => 125,
        }
    }
}
