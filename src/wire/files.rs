//! Guardian and role `files`, which serves the FUSE mounts of `ask` entries. Both ends are ours; the role is confined
//! and may be taken over by what it parses, so the Guardian believes nothing but the entry and the touch it names.

use super::subject::Action;
use serde::{Deserialize, Serialize};

/// Guardian to role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ToFiles {
    /// Serve this entry. The message carries the /dev/fuse descriptor of its mount.
    Entry {
        /// Which entry of the ceiling.
        entry: u16,
        /// The place is a folder (otherwise a file).
        folder: bool,
        /// The owner of what is shown, as the user namespace of the mount numbers it: the person is 0 there.
        uid: u32,
        /// The group.
        gid: u32,
        /// How it is served once granted; `None`: the real thing is mounted beneath instead.
        serve: Option<Serve>,
    },
    /// The answer to a touch.
    Decided {
        /// Which touch.
        touch: u64,
        /// What becomes of it.
        verdict: Verdict,
    },
    /// From here on serve the object behind this entry. The message carries the object's descriptor (O_PATH). Comes
    /// before its `Decided`, and before `Retry` too: then it serves who cannot walk again, such as mkdir(2) and handles
    /// from before.
    Grant {
        /// Which entry.
        entry: u16,
        /// What may be done.
        actions: Vec<Action>,
        /// The most bytes that may be read and written together; `None`: no limit.
        bytes: Option<u64>,
    },
    /// Stop serving it: open handles fail with EIO from now on, the next touch asks again.
    Withdraw {
        /// Which entry.
        entry: u16,
    },
}

/// How a granted entry is served by the role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Serve {
    /// Every call is judged by the granted actions. Append-only: no truncate, no overwrite, no rename over.
    Checked {},
    /// As `Checked`, and what is read goes through the rules first.
    Redacted {
        /// Regular expressions whose matches are replaced by `…`; the built-in table when empty.
        rules: Vec<String>,
    },
    /// Programs of these digests can be read and executed, others not even opened.
    Programs {
        /// Lower-case hex of SHA-256.
        sha256: Vec<String>,
    },
}

/// What becomes of a touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Verdict {
    /// The real thing stands there now: ESTALE, the kernel walks again.
    Retry {},
    /// Go on and serve it.
    Serve {},
    /// EACCES, and again for this entry until told otherwise.
    Deny {
        /// How long the same answer is given without asking, milliseconds.
        for_ms: u64,
    },
}

/// Role to Guardian.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum FromFiles {
    /// Something inside touched an entry that is not granted, and waits.
    Touched {
        /// Which entry.
        entry: u16,
        /// Names it for the answer.
        touch: u64,
        /// What it would do.
        action: Action,
        /// The name below the entry that was touched, escaped; empty for the entry itself.
        name: String,
        /// The toucher's pid as FUSE tells it: in the pid namespace of the mount's maker; 0 when unknown.
        pid: u32,
    },
    /// A call on a granted entry was refused by its actions, its digests or its limit.
    Refused {
        /// Which entry.
        entry: u16,
        /// What it would have done.
        action: Action,
        /// The name, escaped.
        name: String,
        /// The limit of bytes was reached.
        spent: bool,
        /// The toucher's pid, as in `Touched`.
        pid: u32,
    },
    /// So much went through since the last such message.
    Moved {
        /// Which entry.
        entry: u16,
        /// Bytes read.
        read: u64,
        /// Bytes written.
        written: u64,
        /// Matches that were redacted.
        redacted: u64,
    },
    /// Its mount is gone, or its session failed.
    Lost {
        /// Which entry.
        entry: u16,
    },
}
