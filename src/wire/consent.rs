//! A question to a person, as data, and the answer. The same messages reach the terminal, a notification and the TUI.

use super::session::AlertState;
use super::subject::{Action, Asker, Resource, Scope};
use super::upload::Upload;
use serde::{Deserialize, Serialize};

/// A question. Everything in it but `why` was found out by the Guardian; `why` is the agent's own words, as they came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Names it for `approve` and `deny`: unique among the runs of a person, such as `8F3K-2`.
    pub id: String,
    /// The run.
    pub run: String,
    /// The profile.
    pub profile: String,
    /// Runs above this one, nearest first, when an agent started the agent.
    pub chain: Vec<String>,
    /// Who.
    pub asker: Asker,
    /// What would be allowed.
    pub actions: Vec<Action>,
    /// On what, as the agent sees it.
    pub resource: Resource,
    /// On what, as the machine sees it.
    pub object: Option<Object>,
    /// What would be sent, where an upload is asked about.
    pub upload: Option<Upload>,
    /// Why, in the agent's words: never shown unescaped, always marked as the agent's.
    pub why: Option<String>,
    /// How long a yes lasts unless the person says otherwise, seconds; `None`: until the run ends.
    pub lease_s: Option<u64>,
    /// When it was asked: seconds since 1970.
    pub asked_at: u64,
    /// No answer by then means no: seconds since 1970.
    pub until: u64,
    /// The policy that wanted a person to be asked, and its reason.
    pub policy: Option<String>,
}

/// The object of a question on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// Its canonical path on the host.
    pub path: String,
    /// `file`, `folder`, or what else it is.
    pub kind: String,
    /// Bytes of a file; entries are not counted for a folder.
    pub size: Option<u64>,
    /// How sensitive it is by its place and name, such as `keys`, `mail`, `browser`; empty for nothing special.
    pub label: String,
    /// Lower-case hex of its SHA-256, for a program.
    pub sha256: Option<String>,
}

/// What a person answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Answer {
    /// Yes.
    Allow {
        /// For how long.
        scope: Scope,
    },
    /// No; asked again later.
    Deny {},
    /// No, and never ask again (a line in the user's own policy).
    Never {},
}

/// Guardian to a way of asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Show {
    /// Ask this. One at a time.
    Ask {
        /// The question.
        question: Box<Question>,
        /// Echoed in the answer; random.
        nonce: String,
    },
    /// A rule found something. Nothing is asked.
    Alert {
        /// What.
        alert: Box<AlertState>,
    },
    /// It was answered elsewhere, or its time is over.
    Withdraw {
        /// Which question.
        id: String,
    },
}

/// A way of asking to the Guardian.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Shown {
    /// It is on the screen now.
    Visible {
        /// Which question.
        id: String,
    },
    /// A person answered.
    Answered {
        /// Which question.
        id: String,
        /// The nonce of `Ask`.
        nonce: String,
        /// The answer.
        answer: Answer,
        /// How long it was on the screen, milliseconds.
        after_ms: u64,
    },
    /// It cannot be shown (no terminal in the foreground, no notification service). Not an answer.
    Unable {
        /// Which question.
        id: String,
        /// Why.
        why: String,
    },
}
