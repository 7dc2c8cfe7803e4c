//! The words every message shares: who, what, on what, and for how long.

pub use crate::base::Action;
use serde::{Deserialize, Serialize};

/// What an action is on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Resource {
    /// A file or folder, by the absolute path the agent sees.
    File {
        /// Absolute, no `..`.
        path: String,
    },
    /// A host on the network.
    Host {
        /// A name or an address.
        host: String,
        /// The TCP port.
        port: u16,
    },
    /// What is sent to a host that is connected to already: one body or message. Not a kind of `Host`, so that a rule
    /// that lets a host be reached says nothing of it.
    Upload {
        /// A name or an address.
        host: String,
        /// The TCP port.
        port: u16,
    },
    /// A program, by the absolute path the agent sees.
    Program {
        /// Absolute, no `..`.
        path: String,
    },
    /// A device of the desktop.
    Device {
        /// `clipboard`, `notification`, `camera` or `microphone`.
        name: String,
    },
}

/// How long a yes lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Scope {
    /// For this one request. For an ask mount: until the process that asked has ended, at most [`ONCE_S`] seconds.
    Once {},
    /// Until the run ends.
    Session {},
    /// For so many seconds (CLOCK_BOOTTIME: time asleep counts).
    For {
        /// Seconds, at least 1.
        seconds: u64,
    },
    /// This run, and a line in the user's own policy for later ones.
    Always {},
}

/// The most seconds a `once` lasts on an ask mount.
pub const ONCE_S: u64 = 60;

/// A process, as it was seen when it asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Its pid as the person's machine numbers it; 0 when the kernel cannot tell.
    pub pid: i32,
    /// Its program as the sandbox sees it; empty when it was gone already.
    pub program: String,
    /// Lower-case hex of the SHA-256 of the program, where it was found.
    pub sha256: Option<String>,
}

/// Who asks: the process and the chain of its parents, nearest first, up to the sandbox's init.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Asker {
    /// The process.
    pub process: Process,
    /// Its parents, at most eight.
    pub parents: Vec<Process>,
}
