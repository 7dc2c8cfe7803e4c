//! What a run whose network is filtered reached, or tried to: one record for each connection, request and refusal.
//!
//! Never holds content, and of a request its method and path without the query.

use super::access::Seen;
use serde::{Deserialize, Serialize};

/// Something happened on the way out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Network {
    /// `open`, `denied`, `request`, `volume`, `close`, `alert`, `omitted`, or `lost` when nothing leads out any more.
    pub what: String,
    /// The connection, counted from 1 in a run; 0 for a lookup.
    pub flow: u64,
    /// The name or address that was wanted.
    pub host: String,
    /// The TCP port; 0 for a lookup.
    pub port: u16,
    /// The address outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What was spoken: `tls`, `http`, `h2`, `ssh`, `dns` or `other`.
    pub protocol: String,
    /// The name in the TLS hello.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sni: Option<String>,
    /// Protocols that the TLS hello offered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alpn: Vec<String>,
    /// The hello had Encrypted Client Hello, or GREASE of it.
    #[serde(default)]
    pub ech: bool,
    /// The process, when it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Seen>,
    /// The rule that decided: file and line, or a lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The lease that let it out, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// The request that the lease goes back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// The id of the token that was asked under, as hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Why it was refused, as a stable word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Bytes to the host so far.
    pub sent: u64,
    /// Bytes from it so far.
    pub received: u64,
    /// Requests so far.
    pub requests: u64,
    /// Method and path of a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The status of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What was found on the way out, each kind with its count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<(String, u64)>,
    /// Limits held it back so long, milliseconds.
    #[serde(default)]
    pub delay_ms: u64,
    /// It took so long, milliseconds.
    #[serde(default)]
    pub took_ms: u64,
    /// Events that were left out, when too many came.
    #[serde(default)]
    pub count: u64,
}

/// The way out of a run, as it began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NetworkStart {
    /// How connections reach the proxy: `redirect`, `any-ip` or `proxy`.
    pub way: String,
    /// Rules that allow and that deny.
    pub rules: Vec<String>,
    /// Credentials that stay outside, by name.
    pub credentials: Vec<String>,
    /// Something is read, under an authority whose certificate has this SHA-256.
    pub authority: Option<String>,
}
