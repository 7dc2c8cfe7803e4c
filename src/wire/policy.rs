//! Guardian and role `policy`: one question as an input document, one decision. aisandbox-policy(7) describes both.

use super::subject::{Action, Asker, Resource};
use super::upload::Upload;
use serde::{Deserialize, Serialize};

/// The input document. Paths are canonical and hosts resolved before they come here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// 1.
    pub version: u32,
    /// What would be done.
    pub actions: Vec<Action>,
    /// On what, as the agent sees it.
    pub resource: Resource,
    /// The canonical path on the host, for files and programs.
    pub path: Option<String>,
    /// How sensitive the object is by its place and name; empty for nothing special.
    pub label: String,
    /// `file`, `folder`, or what else it is; `None` for what is no path.
    pub kind: Option<String>,
    /// Bytes of a file.
    pub size: Option<u64>,
    /// What would be sent, where an upload is asked about.
    pub upload: Option<Upload>,
    /// Who asks.
    pub asker: Asker,
    /// The profile's name.
    pub profile: String,
    /// The run.
    pub run: String,
    /// How many agents above this one.
    pub depth: u32,
    /// The caller's user id.
    pub uid: u32,
    /// Seconds since 1970. Policies must use this, never a clock of their own.
    pub now: u64,
    /// Leases that hold now: action and resource.
    pub grants: Vec<Held>,
}

/// A lease that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// What is allowed.
    pub actions: Vec<Action>,
    /// On what.
    pub resource: Resource,
}

/// What a policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Yes, without asking a person.
    Allow,
    /// Ask a person.
    Prompt,
    /// No.
    Deny,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// What becomes of it.
    pub outcome: Outcome,
    /// Names this decision in records (a UUID).
    pub decision_id: String,
    /// The policy that decided, such as `readonly-docs`; empty for the default.
    pub policy: String,
    /// Its reason, for people.
    pub reason: String,
    /// The most seconds a lease may last.
    pub ttl_s: Option<u64>,
    /// Revision of each bundle that was asked, `NAME=REVISION`.
    pub bundles: Vec<String>,
    /// It took so long, nanoseconds.
    pub took_ns: u64,
    /// The evaluation failed; the outcome is deny.
    pub error: Option<String>,
}

/// Guardian to role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ToPolicy {
    /// A bundle as one file, which the message's descriptor names. One of the same level and name replaces the earlier;
    /// when it cannot be used, the earlier stays.
    Load {
        /// `administrator`, `user` or `project`.
        level: String,
        /// Its path, for messages.
        name: String,
        /// A bundle without a signature is refused.
        signed: bool,
        /// Keys a signature may be by.
        keys: Vec<VerifyKey>,
    },
    /// Decide. Answers come in any order.
    Decide {
        /// Names the answer.
        id: u64,
        /// The question.
        input: Box<Input>,
    },
}

/// A key that signatures of bundles are checked by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyKey {
    /// How a signature names it.
    pub id: String,
    /// A public key in PEM. Its kind says the algorithm.
    pub pem: String,
}

/// Role to Guardian.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum FromPolicy {
    /// The bundle is in use.
    Loaded {
        /// Its revision.
        revision: String,
    },
    /// It is not, and the reason.
    NotLoaded {
        /// For people, with file and line.
        error: String,
    },
    /// A decision.
    Decided {
        /// The question's id.
        id: u64,
        /// The decision.
        decision: Box<Decision>,
    },
}
