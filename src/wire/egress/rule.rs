//! Rules about where connections may go, as role `egress` gets them.

use super::{Host, Limits};
use serde::{Deserialize, Serialize};

/// What happens to TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// Passed on unread once its name agrees.
    Splice,
    /// Read: the agent sees a certificate of the session's own authority.
    Inspect,
    /// Refused: this rule is for protocols without TLS.
    Deny,
}

/// What becomes of content that cannot be scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unscannable {
    /// Not sent.
    Block,
    /// Sent, and recorded.
    Allow,
}

/// A rule that allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// File and line of the profile, or the id of the grant: named in denials and records.
    pub id: String,
    /// Where to.
    pub host: Host,
    /// TCP ports; never empty.
    pub ports: Vec<u16>,
    /// What happens to TLS.
    pub tls: Tls,
    /// HTTP methods; empty: every one. Needs `Inspect` or plain HTTP.
    pub methods: Vec<String>,
    /// Beginnings of HTTP paths, at a `/`; empty: every one. Needs `Inspect` or plain HTTP.
    pub paths: Vec<String>,
    /// Lower-case hex of the SHA-256 of programs that may use it; empty: every one. An unknown program matches none.
    pub programs: Vec<String>,
    /// Networks that the name may resolve to although they are private.
    pub networks: Vec<Network>,
    /// A person is asked first; the connection waits.
    pub ask: bool,
    /// What is sent is scanned by role `dlp` (only what is read can be).
    pub dlp: bool,
    /// What would stop a request is replaced by a mark instead.
    pub redact: bool,
    /// Content that cannot be scanned.
    pub unscannable: Unscannable,
    /// Names of credentials, one of which each request logs in with, and with nothing else; `None`: as it likes.
    pub login: Option<Vec<String>>,
    /// Ids of a trace go out with what is read.
    pub trace: bool,
    /// Limits for this host.
    pub limits: Limits,
}

impl Rule {
    /// A rule that lets everything out to a host at these ports, as it is.
    pub fn plain(id: &str, host: Host, ports: &[u16]) -> Self {
        Self {
            id: id.to_owned(),
            host,
            ports: ports.to_vec(),
            tls: Tls::Splice,
            methods: Vec::new(),
            paths: Vec::new(),
            programs: Vec::new(),
            networks: Vec::new(),
            ask: false,
            dlp: false,
            redact: false,
            unscannable: Unscannable::Block,
            login: None,
            trace: false,
            limits: Limits::default(),
        }
    }
}

/// A network of addresses.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// The first address.
    pub address: String,
    /// Bits of the network.
    pub bits: u8,
}

/// A rule that denies; it beats every rule that allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deny {
    /// File and line of the profile.
    pub id: String,
    /// Where to.
    pub host: Host,
    /// The TCP port; every one when `None`.
    pub port: Option<u16>,
}
