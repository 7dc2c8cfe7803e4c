//! Coverage: what the record of a run can say of each kind of thing, and what nobody could observe.
//!
//! Never claims more than the plan makes sure: a kind of which a part is seen has the word of that part.

use serde::{Deserialize, Serialize};

/// What is observed of each kind. The words are stable; aisandbox-audit(7) says what each means.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Coverage {
    /// How much of the calls was to be observed: `deny`, `writes`, `all` or `strict`.
    pub level: String,
    /// Requests for access, their answers, and leases: `all`, or `none` in a run without a Guardian.
    pub requests: String,
    /// Files that are opened: `all`, `writes` (to be written, or cut, and those that the Guardian opens), `leases` (those
    /// that the Guardian opens for an agent, by name) or `none`.
    pub file_opens: String,
    /// Bytes that are read of files: `served` (of places that a role serves call by call) or `none`.
    pub read_bytes: String,
    /// What is written to files: `served`, or `none`.
    pub writes: String,
    /// Names that are made, moved or removed, and modes that are set by a name: `all` or `none`.
    pub file_changes: String,
    /// Names that the profile protects: `refusals` of creating calls, or `none` where nothing watches for them.
    pub protected_names: String,
    /// Programs that are executed: `attempts` (each, as its caller said it), `command` (the first alone) or `started` (and
    /// those that the Guardian starts beside).
    pub exec: String,
    /// Connections: `all` (every one passes our proxy), `closed` (nothing leads out) or `none`.
    pub network: String,
    /// What is inside TLS: `inspected` (of hosts whose rule says so) or `none`.
    pub tls_bodies: String,
    /// What Landlock refuses: `none`; the kernel tells only who has CAP_AUDIT_READ of the host.
    pub landlock_denials: String,
    /// System calls that the filter refuses: `none`.
    pub seccomp_denials: String,
    /// What goes through descriptors that were open before: of none is anything seen. How many, with the three of stdio.
    pub inherited_descriptors: u64,
    /// Calls that pass by every observer of calls: `refused` or `allowed`.
    pub io_uring: String,
}

impl Coverage {
    /// Each kind with its word, in the order of the type.
    pub fn words(&self) -> [(&'static str, String); 14] {
        [
            ("level", self.level.clone()),
            ("requests", self.requests.clone()),
            ("file_opens", self.file_opens.clone()),
            ("read_bytes", self.read_bytes.clone()),
            ("writes", self.writes.clone()),
            ("file_changes", self.file_changes.clone()),
            ("protected_names", self.protected_names.clone()),
            ("exec", self.exec.clone()),
            ("network", self.network.clone()),
            ("tls_bodies", self.tls_bodies.clone()),
            ("landlock_denials", self.landlock_denials.clone()),
            ("seccomp_denials", self.seccomp_denials.clone()),
            ("inherited_descriptors", self.inherited_descriptors.to_string()),
            ("io_uring", self.io_uring.clone()),
        ]
    }

    /// In one line, for formats that have one field for it.
    pub fn line(&self) -> String {
        self.words().map(|(kind, word)| format!("{kind}={word}")).join(" ")
    }
}
