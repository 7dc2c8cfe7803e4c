//! Guardian and role `egress`, the only way out of a run whose network is filtered. Rules and descriptors go in before
//! the agent starts; afterwards grants go in, and events come out. Nothing that comes out can widen what went in.

mod event;
mod rule;

pub use super::upload::Found;
pub use event::{Event, Kind};
pub use rule::{Deny, Network, Rule, Tls, Unscannable};

use super::subject::Asker;
use super::upload::Upload;
use crate::base::address::is_within;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// Who a rule is about: lower-case, without a dot at the end.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Host {
    /// Exactly this name.
    Name {
        /// The name.
        name: String,
    },
    /// Every name below this one, not the name itself.
    Below {
        /// The name after `*.`.
        name: String,
    },
    /// Addresses: a literal, or what a name resolves to. One address is a network of full length.
    Network {
        /// The first address.
        address: String,
        /// Bits of the network.
        bits: u8,
    },
    /// The host's own loopback, by the name `localhost` on the inside. A port must be named.
    Loopback {},
}

impl Host {
    /// Whether a name in lower case, or an address as text, is meant.
    pub fn holds(&self, name: &str) -> bool {
        match self {
            Self::Name { name: this } => this == name,
            Self::Below { name: above } => is_below(name, above),
            Self::Network { address, bits } => {
                let (Ok(first), Ok(this)) = (address.parse::<IpAddr>(), name.parse::<IpAddr>()) else {
                    return false;
                };
                is_within(this, first, *bits)
            }
            Self::Loopback {} => name == "localhost",
        }
    }
}

/// Whether a name is below another, and not that name itself. Both in lower case.
pub fn is_below(name: &str, above: &str) -> bool {
    name.strip_suffix(above).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

impl fmt::Display for Host {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { name } => out.write_str(name),
            Self::Below { name } => write!(out, "*.{name}"),
            Self::Network { address, bits } => {
                let whole = *bits == if address.contains(':') { 128 } else { 32 };
                if whole { out.write_str(address) } else { write!(out, "{address}/{bits}") }
            }
            Self::Loopback {} => out.write_str("localhost"),
        }
    }
}

/// Limits, for a host or for the session. Rates are bytes a second; what is `None` is not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Bytes sent.
    pub upload_total: Option<u64>,
    /// Bytes sent a second.
    pub upload_rate: Option<u64>,
    /// Bytes that may be sent at once above the rate; a second of it when `None`.
    pub upload_burst: Option<u64>,
    /// Bytes received.
    pub download_total: Option<u64>,
    /// Bytes received a second.
    pub download_rate: Option<u64>,
    /// Bytes of one request's body.
    pub request_body: Option<u64>,
    /// A person is asked before a body larger than this starts.
    pub ask_above: Option<u64>,
    /// Connections at one time.
    pub connections: Option<u32>,
}

/// Where in a request a placeholder is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Header values, and inside Basic.
    Header,
    /// The query of the target.
    Query,
    /// The body.
    Body,
}

/// A secret that stays outside.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// Its name in the profile, for records.
    pub name: String,
    /// What the agent has in its place: of the same shape.
    pub placeholder: String,
    /// The secret. Never in a record.
    pub secret: String,
    /// Hosts that get it.
    pub hosts: Vec<Host>,
    /// Where in a request.
    pub places: Vec<Place>,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Credential").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A socket of the sandbox's network namespace, or a file, that a message carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Carried {
    /// TCP that was redirected here; SO_ORIGINAL_DST says where it wanted to go.
    Redirected {},
    /// TCP to every address at this port; getsockname says where it wanted to go.
    Port {
        /// The port.
        port: u16,
    },
    /// An HTTP proxy for CONNECT and absolute requests.
    Connect {},
    /// A SOCKS5 proxy.
    Socks {},
    /// UDP 53.
    Dns {},
    /// NETLINK_SOCK_DIAG.
    Diag {},
    /// A port published on the host's loopback: connections to it go inside, to `inside`.
    Publish {
        /// The port inside.
        inside: u16,
    },
    /// An unconnected TCP socket of the sandbox's namespace, for one connection into it.
    Inward {},
    /// The host's bundle of certificate authorities, PEM.
    Roots {},
    /// The socket of role `dlp`.
    Dlp {},
}

/// Guardian to role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ToEgress {
    /// Make the session's authority for names that are inspected, as far as a certificate can name them; answered by
    /// `Authority`. `until` is seconds since 1970.
    Authority {
        /// Names, without wildcards.
        names: Vec<String>,
        /// When it ends at the latest.
        until: u64,
    },
    /// A descriptor.
    Take {
        /// What it is.
        what: Carried,
    },
    /// A rule that allows. Before `Start` only.
    Allow {
        /// The rule.
        rule: Box<Rule>,
    },
    /// A rule that denies.
    Deny {
        /// The rule.
        rule: Deny,
    },
    /// A secret.
    Credential {
        /// With its placeholder.
        credential: Credential,
    },
    /// How names are resolved outside. Before `Start` only.
    Resolver {
        /// Addresses of name servers, with a port behind a colon where it is not 53.
        servers: Vec<String>,
        /// Lines of the host's own hosts file.
        hosts: String,
        /// Addresses of the host itself, which are refused.
        own: Vec<String>,
        /// `http://HOST:PORT` of a proxy that everything goes through.
        parent: Option<String>,
    },
    /// Limits of the whole session.
    Limits {
        /// The limits.
        limits: Limits,
    },
    /// Serve from here on; answered by `Ready`.
    Start {},
    /// A grant: a rule that holds until it is taken back. Only what a rule with `ask` names.
    Grant {
        /// Its id.
        grant: String,
        /// The name or address.
        host: String,
        /// The port.
        port: u16,
    },
    /// The end of a grant: its connections are aborted.
    Revoke {
        /// Its id.
        grant: String,
    },
    /// The answer to `Ask`: `None` means no, otherwise the grant that was told before.
    Answer {
        /// Which.
        id: u64,
        /// The grant.
        grant: Option<String>,
        /// Why not, as one of the stable reasons.
        reason: Option<String>,
    },
    /// The answer to `Upload`: `None` means no, otherwise the grant it goes out by.
    Upload {
        /// Which.
        id: u64,
        /// The grant.
        grant: Option<String>,
        /// Why not, as one of the stable reasons.
        reason: Option<String>,
    },
    /// The answer to `Who`.
    Known {
        /// Which.
        id: u64,
        /// The process and its parents; pid 0 when it was gone.
        asker: Asker,
    },
}

/// Role to Guardian.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum FromEgress {
    /// The session's authority was made.
    Authority {
        /// Its certificate.
        pem: String,
    },
    /// It serves.
    Ready {},
    /// It cannot; the launch stops.
    Refused {
        /// Why, for people.
        why: String,
    },
    /// A person is wanted for this connection.
    Ask {
        /// Names the answer.
        id: u64,
        /// The name or address.
        host: String,
        /// The port.
        port: u16,
        /// The inode of the asking socket inside, as SOCK_DIAG told.
        inode: Option<u64>,
    },
    /// A person is wanted for what this connection would send; a yes to its host is none to that.
    Upload {
        /// Names the answer.
        id: u64,
        /// The name or address.
        host: String,
        /// The port.
        port: u16,
        /// What would be sent.
        upload: Box<Upload>,
        /// The inode of the asking socket inside, as SOCK_DIAG told.
        inode: Option<u64>,
    },
    /// Nobody waits for the answer to `Upload` any more.
    Withdraw {
        /// Which.
        id: u64,
    },
    /// Whose socket is this?
    Who {
        /// Names the answer.
        id: u64,
        /// The inode of a socket inside.
        inode: u64,
    },
    /// Something happened.
    Event {
        /// What.
        event: Box<Event>,
    },
}
