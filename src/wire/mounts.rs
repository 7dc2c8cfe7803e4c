//! Guardian and role `mounts`, which alone can change the mounts of a running sandbox. It reads nothing an agent wrote.

use serde::{Deserialize, Serialize};

/// Guardian to role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ToMounts {
    /// Enter the outer user namespace; the message carries it. First of all messages.
    UserNamespace {},
    /// The sandbox's mount namespace; the message carries it. Second.
    MountNamespace {},
    /// An entry that may be attached later.
    Entry {
        /// Which entry of the ceiling.
        entry: u16,
        /// Where it is inside, as bytes in lower-case hex.
        inner_hex: String,
        /// The canonical path on the host, as bytes in lower-case hex.
        host_hex: String,
        /// Device number of the object the plan saw.
        dev: u64,
        /// Inode number of the object the plan saw.
        ino: u64,
        /// Nothing below can be executed.
        noexec: bool,
    },
    /// Mount the real thing beneath the ask mount, then detach that one.
    Attach {
        /// Which entry.
        entry: u16,
        /// Not writable.
        read_only: bool,
    },
    /// Put the ask mount back beneath the real thing, then detach that one.
    Detach {
        /// Which entry.
        entry: u16,
    },
}

/// Role to Guardian: one for each message, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum FromMounts {
    /// It is done.
    Done {},
    /// It could not be done; things stand as before.
    Failed {
        /// Which call.
        what: String,
        /// Its errno.
        errno: i32,
    },
}
