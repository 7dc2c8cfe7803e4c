//! What was observed of the calls of a run: files that were opened or changed, programs that were executed.
//!
//! Never holds what was read or written.

use super::access::Seen;
use super::event::Command;
use serde::{Deserialize, Serialize};

/// A file was opened or changed, or a program executed, or that was tried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Access {
    /// The process.
    pub process: Seen,
    /// `read`, `append`, `overwrite`, `create`, `delete`, `mode` or `execute`. What is moved is deleted and created.
    pub action: String,
    /// The system call.
    pub call: String,
    /// The path inside: of what was opened, or of the name. Empty where the caller's memory could not be read.
    pub path: String,
    /// The other name of what has two: where it was moved from or to, what is linked, what a link says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<String>,
    /// `observed`: it was done, or for a program, left to the kernel. `denied`: it was refused. `failed`: there is no such
    /// thing.
    pub outcome: String,
    /// The error, by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How it is known. `guard`: init did it itself, and the path is that of what it opened. `notify`: it was seen as the
    /// caller said it, and the kernel went on.
    pub src: String,
    /// How often, when several that are alike are told together.
    pub count: u64,
    /// Milliseconds from the first of these to the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_ms: Option<u64>,
    /// Arguments of a program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Command>,
}
