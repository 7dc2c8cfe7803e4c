//! A person's commands to a running Guardian (`requests`, `approve`, `revoke`, …), and the state a run shows.
//!
//! One JSON datagram each way over the run's own socket, which lies where no sandbox sees it. Peers are checked by the
//! Guardian: same user, not inside any sandbox.

use super::consent::{Answer, Question};
use super::denial::{Denial, Reason};
use super::hidden::Hidden;
use super::subject::{Action, Resource};
use super::upload::Upload;
use serde::{Deserialize, Serialize};

/// What a person's program asks of a Guardian.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// The state, once.
    State {},
    /// The state now and after every change, until the connection ends. A consent channel is attached.
    Watch {},
    /// Answers a request.
    Answer {
        /// The question's id.
        id: String,
        /// The answer.
        answer: Answer,
    },
    /// Grants access nobody asked for yet, within the ceiling.
    Grant {
        /// The path inside.
        path: String,
        /// What is allowed.
        actions: Vec<Action>,
        /// For how long, seconds; `None`: until the run ends.
        seconds: Option<u64>,
    },
    /// Takes a lease back.
    Revoke {
        /// The grant's id, or `all`.
        id: String,
    },
    /// Lets a lease last so many seconds from now.
    Extend {
        /// The grant's id.
        id: String,
        /// Seconds from now.
        seconds: u64,
    },
    /// Lets a run go on that rules stopped: what is frozen, and requests that are refused or asked about.
    Resume {},
    /// Signs a statement of a lease, for somebody outside of the machine.
    Sign {
        /// The grant's id.
        id: String,
        /// For whom it is.
        audience: String,
    },
}

/// The answer to a [`Command`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Reply {
    /// Done. For a grant: the lease.
    Done {
        /// The lease that came of it.
        grant: Option<Box<GrantState>>,
        /// What could not be undone: processes that still hold it, descriptors handed out.
        left: Vec<String>,
    },
    /// Not done.
    Refused {
        /// Why.
        reason: Reason,
        /// More, for people.
        detail: String,
    },
    /// A statement of a lease.
    Signed {
        /// As base64url.
        token: Hidden,
        /// Seconds it lasts.
        seconds: u64,
        /// The Ed25519 key that checks it, as lower-case hex.
        public_key: String,
    },
    /// The state.
    State {
        /// The run.
        state: Box<RunState>,
    },
}

/// A run, as `ps`, `requests` and `grants` show it. The same JSON is the file `state.json` in the run's folder, which is
/// replaced as a whole after every change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunState {
    /// 1.
    pub version: u32,
    /// The run.
    pub run: String,
    /// The run whose agent started this one.
    pub parent: Option<String>,
    /// The launcher's pid.
    pub launcher: i32,
    /// Init's pid, as the person's machine numbers it; 0 before it is known.
    pub init: i32,
    /// The profile's name.
    pub profile: String,
    /// The command, as the record has it (nothing that looks like a secret).
    pub command: Vec<String>,
    /// Seconds since 1970.
    pub since: u64,
    /// It can be asked: it has a Guardian and a socket.
    pub guarded: bool,
    /// The Ed25519 key that checks what its Guardian signs, as lower-case hex.
    pub public_key: Option<String>,
    /// Questions that wait.
    pub requests: Vec<Question>,
    /// Leases that hold.
    pub grants: Vec<GrantState>,
    /// The last refusals, newest last, at most 50.
    pub denials: Vec<Denial>,
    /// What rules found, newest last.
    pub alerts: Vec<AlertState>,
    /// Everything in the sandbox is stopped: by what.
    pub frozen: Option<String>,
}

/// An alert, as a person is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertState {
    /// Names it in the record.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// What it finds.
    pub title: String,
    /// `informational` to `critical`.
    pub level: String,
    /// What was done about it.
    pub action: String,
    /// How often.
    pub count: u64,
    /// Seconds since 1970.
    pub at: u64,
}

/// One lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantState {
    /// Names it for `revoke` and `extend`, such as `8F3K-g1`.
    pub id: String,
    /// What is allowed.
    pub actions: Vec<Action>,
    /// On what, as the agent sees it.
    pub resource: Resource,
    /// The canonical path on the host, where there is one.
    pub path: Option<String>,
    /// For uploads: it holds for what is not larger, and of no other kinds.
    pub upload: Option<Upload>,
    /// How it was given.
    pub by: Given,
    /// Who or what said yes: `terminal`, `ui`, `notification`, `approve`, `grant`, `policy NAME`, `template NAME`.
    pub approved_by: String,
    /// Seconds since 1970.
    pub since: u64,
    /// When it ends, seconds since 1970; `None`: with the run.
    pub until: Option<u64>,
    /// Uses that are left.
    pub uses_left: Option<u64>,
    /// Bytes that are left.
    pub bytes_left: Option<u64>,
    /// Taking it back takes everything back. Otherwise a descriptor was handed out, which stays.
    pub revocable: bool,
}

/// How a lease was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Given {
    /// The real thing is mounted in the sandbox.
    Mount,
    /// Role `files` serves it, call by call.
    Served,
    /// A descriptor went to the agent.
    Descriptor,
    /// The Guardian acted itself (append, spawn).
    Act,
}
