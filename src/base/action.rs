//! Actions: what can be done to a resource, in the words of profiles, requests, policies and records alike.

use serde::{Deserialize, Serialize};

/// What is done to a resource. The words of a profile's `actions`, and those for what is no file.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Read a file, list a folder.
    Read,
    /// Add to the end of a file; never change or cut what is there.
    Append,
    /// Change what a file holds.
    Overwrite,
    /// Make a name that was not there.
    Create,
    /// Remove a name.
    Delete,
    /// Start a program.
    Execute,
    /// Connect to a host.
    Connect,
    /// Use a device of the desktop: clipboard, notification, camera, microphone.
    Use,
    /// Send one body or message to a host that may be connected to.
    Upload,
}

impl Action {
    /// Every action with its word.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::Read, "read"),
        (Self::Append, "append"),
        (Self::Overwrite, "overwrite"),
        (Self::Create, "create"),
        (Self::Delete, "delete"),
        (Self::Execute, "execute"),
        (Self::Connect, "connect"),
        (Self::Use, "use"),
        (Self::Upload, "upload"),
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(action, _)| *action == self).map_or("", |(_, word)| word)
    }
}
