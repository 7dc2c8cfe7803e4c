//! What the Guardian leaves behind: who asked for what and why, what was answered, what was given and taken back.
//!
//! Never holds what was read or written, and the agent's words only cut; whoever prints them escapes them.

use super::event::Command;
use serde::{Deserialize, Serialize};

/// The Guardian of a run began to serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GuardianStart {
    /// Roles that were started.
    pub roles: Vec<String>,
    /// What may be asked for: actions and place, one entry a line.
    pub ceiling: Vec<String>,
    /// Ways to ask a person, in order.
    pub channels: Vec<String>,
    /// Agents above this one, nearest first.
    pub chain: Vec<String>,
    /// The Ed25519 key that checks what the run signs for others, as hex.
    #[serde(default)]
    pub public_key: Option<String>,
}

/// A reason came for a request that was asked already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReasonGiven {
    /// The request's id.
    pub request: String,
    /// Who gave it.
    pub who: Who,
    /// Why, in the agent's words, cut.
    pub why: String,
}

/// The Guardian of a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GuardianEnd {
    /// Requests that were taken up.
    pub requests: u64,
    /// Leases that were given.
    pub grants: u64,
    /// Refusals, those of rates and ceilings included.
    pub denials: u64,
    /// Messages that were malformed, forged or out of order.
    pub rejected: u64,
    /// Records of channels that ended and of tokens that were left out: too many came in a minute.
    #[serde(default)]
    pub left_out: u64,
    /// Why the run was ended from here, where it was.
    pub ended_the_run: Option<String>,
}

/// One process, as it was seen when it asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Seen {
    /// Its pid outside; 0 when it could not be known.
    pub pid: i32,
    /// Its program, as the sandbox sees it.
    pub program: String,
    /// The SHA-256 of the program, where it was read.
    pub sha256: Option<String>,
}

/// Who asked: a process and its parents, nearest first, up to the sandbox's init.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Who {
    /// The process.
    pub process: Seen,
    /// Its parents.
    pub parents: Vec<Seen>,
}

/// On what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct What {
    /// The actions, as words.
    pub actions: Vec<String>,
    /// `file`, `host`, `program` or `device`, and its name as the agent sees it.
    pub resource: String,
    /// The canonical path on the host, where there is one.
    pub path: Option<String>,
    /// How sensitive it is by its place and name; empty for nothing special.
    pub label: String,
    /// What would be sent, where an upload was asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<Uploading>,
}

/// An upload. Never what is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Uploading {
    /// Method and path without its query; a part of the path that is no plain word is `*`.
    pub request: String,
    /// Bytes that were announced; `None`: nobody said how many.
    pub bytes: Option<u64>,
    /// Kinds of what was found in it, with their numbers.
    pub found: Vec<(String, u64)>,
}

/// Somebody inside asked for access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Request {
    /// The request's id.
    pub request: String,
    /// Who.
    pub who: Who,
    /// On what.
    pub what: What,
    /// Why, in the agent's words, cut.
    pub why: Option<String>,
    /// How it came: `touch`, `broker`, `connection`, `upload` or `person`.
    pub by: String,
    /// The id of the token it was asked for under, as hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// A W3C traceparent that the agent says it belongs to. Nothing here was checked but its form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<String>,
}

/// What a policy said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Decision {
    /// The request's id.
    pub request: String,
    /// Names the decision in the policy's own records.
    pub decision_id: String,
    /// `allow`, `prompt` or `deny`.
    pub outcome: String,
    /// The policy; empty for the default.
    pub policy: String,
    /// Its reason.
    pub reason: String,
    /// The most seconds a lease may last.
    pub ttl_s: Option<u64>,
    /// Revision of each bundle that was asked.
    pub bundles: Vec<String>,
    /// Nanoseconds it took.
    pub took_ns: u64,
    /// The evaluation failed.
    pub error: Option<String>,
}

/// A program was asked about before it may run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ProgramCheck {
    /// The request's id; `None` at the start of a run.
    pub request: Option<String>,
    /// The program's canonical path on the host.
    pub path: String,
    /// Its SHA-256, where it could be read.
    pub sha256: Option<String>,
    /// Who said so: the command or the address, `cache`, or `terminal` for a person.
    pub by: String,
    /// `good`, `bad`, `unknown` or `failed`; of a person `yes` or `no`.
    pub answer: String,
    /// Its reason, in the words of who answered.
    pub reason: String,
}

/// A lease. On disk before it takes effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Grant {
    /// The lease's id.
    pub grant: String,
    /// The request behind it.
    pub request: Option<String>,
    /// Who asked.
    pub who: Who,
    /// On what.
    pub what: What,
    /// `mount`, `served`, `descriptor` or `act`.
    pub how: String,
    /// Who or what said yes.
    pub approved_by: String,
    /// `once`, `session`, `for` or `always`.
    pub scope: String,
    /// Milliseconds the question was on a screen.
    pub shown_ms: Option<u64>,
    /// Seconds it lasts; `None`: until the run ends.
    pub lease_s: Option<u64>,
    /// Uses.
    pub uses: Option<u64>,
    /// Bytes.
    pub bytes: Option<u64>,
    /// The policy's decision behind it.
    pub decision_id: Option<String>,
    /// The id of the token it was asked for under, as hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Denial {
    /// The refusal's id.
    pub denial: String,
    /// The request behind it, where one was taken up.
    pub request: Option<String>,
    /// Who asked.
    pub who: Who,
    /// On what.
    pub what: What,
    /// The stable id of the reason.
    pub reason: String,
    /// More.
    pub detail: String,
    /// Who or what said no, where somebody did.
    pub by: Option<String>,
    /// Milliseconds the question was on a screen.
    pub shown_ms: Option<u64>,
    /// How often, when many of one kind are told together.
    pub count: u64,
}

/// A lease is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Revoke {
    /// The lease's id.
    pub grant: String,
    /// `expired`, `used`, `bytes`, `revoked`, `released`, `asker-ended` or `failed`.
    pub why: String,
    /// What could not be taken back: processes that hold it, descriptors that were handed out.
    pub left: Vec<String>,
    /// What was done to processes that held it: `leave`, `stop` or `kill`.
    pub holders: String,
    /// The request that it goes back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The id of the token that it was asked for under, as hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// Role `dlp` was taught what a sensitive place holds, before it could be read. Of the files only their number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct KnownFiles {
    /// The lease. Empty for a place that the profile shows from the start.
    pub grant: String,
    /// The place, as it is seen inside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// How sensitive the place is.
    pub label: String,
    /// Files that are known: what is sent of them is found.
    pub files: u32,
    /// Files that are not: too large, too many, or not to be read.
    pub left_out: u32,
    /// The request that it goes back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The id of the token that it was asked for under, as hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// A lease was extended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Extend {
    /// The lease's id.
    pub grant: String,
    /// Seconds from now.
    pub lease_s: u64,
    /// The request that it goes back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The id of the token that it was asked for under, as hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// What went through a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Transfer {
    /// The lease's id.
    pub grant: String,
    /// A file that was opened or added to, where it is known.
    pub path: Option<String>,
    /// The action.
    pub action: String,
    /// Bytes read through the role, and written.
    pub read: u64,
    /// Bytes written.
    pub written: u64,
    /// Matches that were redacted.
    pub redacted: u64,
    /// The request that it goes back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The id of the token that it was opened under, or that was asked under, as hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// An agent was started by this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AgentStart {
    /// Its run.
    pub run: String,
    /// Its command.
    pub command: Command,
    /// The program, when it was started because the profile gives it less (`programs.transitions`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transition: Option<String>,
    /// Who asked.
    pub who: Who,
    /// The id of the token it was asked for under, as hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// A channel of the broker ended, or a stranger was turned away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ChannelClosed {
    /// The channel, as hex; empty when there was none yet.
    pub channel: String,
    /// Why: the first rule it broke, or that its end closed.
    pub why: String,
    /// Who wrote last.
    pub who: Who,
    /// Messages it had sent.
    pub messages: u64,
}

impl ChannelClosed {
    /// Why an orderly channel ended.
    pub const ORDERLY: &str = "its end was closed";
}

/// A token was made or refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Token {
    /// `attenuated`, `renewed`, `signed`, `revoked` (with all that go back to it), `rotated` or `refused`.
    pub what: String,
    /// Its id, as hex.
    pub token: String,
    /// The token it came from; for `signed` the lease it is of.
    pub from: Option<String>,
    /// Seconds it lasts.
    pub seconds: u64,
    /// For whom outside of the machine it is, when it was signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
}
