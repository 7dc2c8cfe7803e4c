//! What role `egress` tells of the way out: every attempt, as it was seen.

use crate::wire::subject::Process;
use crate::wire::upload::Found;
use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A connection was let out.
    Open,
    /// A connection or a name was refused.
    Denied,
    /// A request of an inspected connection.
    Request,
    /// A long connection goes on: once a minute.
    Volume,
    /// A connection ended.
    Close,
    /// A placeholder, a canary or a known secret was on its way to a host that must not have it.
    Alert,
    /// So many more were not told one by one.
    Omitted,
}

/// An attempt to reach something, as it was seen. Text of the agent's is cut, and shown escaped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// What happened.
    pub kind: Kind,
    /// The connection: counts from 1 in a session; 0 for a lookup.
    pub flow: u64,
    /// The name or literal that was wanted.
    pub host: String,
    /// The port; 0 for a lookup.
    pub port: u16,
    /// The address outside, when there was one.
    pub address: Option<String>,
    /// The protocol that was seen: `tls`, `http`, `h2`, `ssh`, `other`, `dns`.
    pub protocol: String,
    /// The name in the TLS hello.
    pub sni: Option<String>,
    /// Protocols the TLS hello offered.
    pub alpn: Vec<String>,
    /// The hello had Encrypted Client Hello (or GREASE of it).
    pub ech: bool,
    /// Who, when it is known.
    pub process: Option<Process>,
    /// The rule that decided.
    pub rule: Option<String>,
    /// The lease that let it out, where one did.
    pub grant: Option<String>,
    /// Why it was denied: a stable word.
    pub reason: Option<String>,
    /// Bytes to the host so far.
    pub sent: u64,
    /// Bytes from it so far.
    pub received: u64,
    /// Requests so far.
    pub requests: u64,
    /// An HTTP request: method and path without its query, cut.
    pub request: Option<String>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// Findings of role `dlp`, each kind once.
    pub findings: Vec<Found>,
    /// It was held back so long by limits, milliseconds.
    pub delay_ms: u64,
    /// It is over after so long, milliseconds.
    pub took_ms: u64,
    /// For `Omitted`: how many.
    pub count: u64,
}
