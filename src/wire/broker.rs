//! The agent and the Guardian. aisandbox-broker(7) is the specification; a client can be written from it alone.

use super::denial::Denial;
use super::hidden::Hidden;
use super::subject::{Action, Resource};
use serde::{Deserialize, Serialize};

/// Agent to Guardian: a request with a number, and the token it is made under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Names the answer. Not in use by a call that is still open.
    pub id: u32,
    /// A token, as base64url; the one of the welcome, or one that was attenuated from it.
    pub token: Hidden,
    /// What is wanted.
    pub op: Op,
}

/// What an agent can want.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Op {
    /// Is anybody there.
    Ping {},
    /// Access to a resource; a person may be asked. The answer comes when it is decided.
    Request {
        /// What would be done.
        actions: Vec<Action>,
        /// On what.
        resource: Resource,
        /// Why, in the agent's words; at most 500 characters are kept.
        why: String,
        /// A W3C traceparent, version 00: what the agent says that it belongs to. It is kept as the agent's word.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        traceparent: Option<String>,
    },
    /// Opens files of what is granted; each descriptor comes with the answer. At most eight.
    Open {
        /// Absolute paths as the agent sees them.
        paths: Vec<String>,
        /// `read`, `append`, `overwrite` or `create`.
        action: Action,
    },
    /// Adds to the end of a file of what is granted.
    Append {
        /// The file.
        path: String,
        /// The text; at most 32 KiB.
        text: String,
    },
    /// Starts another agent beside this one, with less (see aisandbox-broker(7), AGENTS).
    Spawn {
        /// The command.
        argv: Vec<String>,
        /// Working folder inside.
        chdir: Option<String>,
        /// What it gets less than this one.
        less: Less,
    },
    /// Starts a program that the profile gives less, beside this one (see aisandbox-broker(7), TRANSITIONS).
    Transition {
        /// The program, as the profile names it.
        program: String,
        /// Its arguments, its name first: each ended by a zero byte, all as base64url.
        argv: String,
        /// Its variables, in the same way.
        environment: Hidden,
        /// Working folder inside, in the same way.
        chdir: String,
    },
    /// Sends a signal to what a call of this channel started.
    Signal {
        /// The call that started it.
        call: u32,
        /// The signal's number.
        number: i32,
    },
    /// What holds now, and what may be asked for.
    List {},
    /// More about one refusal.
    Explain {
        /// The denial's id.
        id: String,
    },
    /// A token with less.
    Attenuate {
        /// The (action, resource) pairs it still has; each within the present one.
        allowed: Vec<Allowed>,
        /// How long it lasts, seconds; at most what is left of the present one.
        seconds: u64,
    },
    /// A fresh token instead of one that ends soon.
    Renew {},
    /// Gives a lease back before its end.
    Release {
        /// The grant's id.
        grant: String,
    },
}

/// What a started agent gets less than the one that starts it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Less {
    /// Places that become read-only.
    pub read_only: Vec<String>,
    /// Places that are not there at all.
    pub hidden: Vec<String>,
    /// No network.
    pub no_network: bool,
    /// It cannot ask for anything.
    pub no_requests: bool,
    /// It ends after this long, seconds.
    pub seconds: Option<u64>,
}

/// One pair a token lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Allowed {
    /// What.
    pub action: Action,
    /// On what, and everything below it.
    pub resource: Resource,
}

/// Guardian to agent: the answer to a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Return {
    /// The call's id.
    pub id: u32,
    /// What became of it.
    pub result: Outcome,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Outcome {
    /// Done; nothing else to say.
    Done {},
    /// A person is asked; the final answer follows under the same id.
    Pending {
        /// The request's id, as the person sees it.
        request: String,
        /// Seconds until silence means no.
        seconds: u64,
    },
    /// A lease.
    Granted {
        /// The grant's id.
        grant: String,
        /// Seconds it lasts; `None`: until the run ends.
        seconds: Option<u64>,
        /// Where it can be used: the path is there now (`mount`), or with `Open` (`descriptor`).
        how: super::session::Given,
    },
    /// The opened files, in order. As many descriptors come with this message as there are `true`.
    Opened {
        /// Which path was opened.
        opened: Vec<bool>,
        /// Why the others were not, in order.
        denials: Vec<Denial>,
    },
    /// An agent was started. Three descriptors come with this message: its stdin (to write), stdout and stderr.
    Spawned {
        /// Its run.
        run: String,
    },
    /// An agent that was started has ended.
    Ended {
        /// Its exit code, as aisandbox(1) has it.
        code: u8,
    },
    /// What holds, and what may be asked for.
    Listed {
        /// Leases.
        grants: Vec<super::session::GrantState>,
        /// What the ceiling has that is not granted.
        askable: Vec<Askable>,
    },
    /// More about one refusal.
    Explained {
        /// The refusal.
        denial: Denial,
        /// What can be done about it.
        hint: String,
    },
    /// A token.
    Token {
        /// As base64url.
        token: Hidden,
        /// Seconds it lasts.
        seconds: u64,
    },
    /// No.
    Denied {
        /// Why.
        denial: Denial,
    },
}

/// What may be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Askable {
    /// The actions.
    pub actions: Vec<Action>,
    /// On what, and everything below it.
    pub resource: Resource,
}

/// Guardian to agent, the first message of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Welcome {
    /// The run.
    pub run: String,
    /// The channel, 16 bytes as lower-case hex: part of every MAC.
    pub channel: String,
    /// 32 random bytes as lower-case hex, from which both sides derive their keys.
    pub secret: Hidden,
    /// A token for everything this run may have.
    pub token: Hidden,
    /// Seconds the token lasts.
    pub seconds: u64,
}

/// Guardian to agent, without a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Event {
    /// A lease ended.
    Revoked {
        /// The grant's id.
        grant: String,
    },
    /// Tokens of before no longer hold; here is one that does.
    Rotated {
        /// The key epoch of every later frame: the present one, or one more.
        epoch: u32,
        /// As base64url.
        token: Hidden,
        /// Seconds it lasts.
        seconds: u64,
    },
}
