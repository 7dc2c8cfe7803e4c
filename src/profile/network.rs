//! `network`, `credentials` and `dlp` of a finished profile, as types.
//!
//! Never holds a secret: where one lies is found when a run starts.

use super::destination::Destination;
use super::model::NetworkMode;
use crate::base::{HostPath, Source};

/// `network:`.
#[derive(Debug, Clone)]
pub struct Network {
    /// How much network there is.
    pub mode: NetworkMode,
    /// Where the mode was written.
    pub asked: Source,
    /// How connections reach the proxy when filtered.
    pub way: NetworkWay,
    /// TCP ports that may be connected to; `None` leaves it to the mode (Landlock ABI 4, Linux 6.7).
    pub connect_tcp: Option<Vec<u16>>,
    /// TCP ports that may be bound; `None` leaves it to the mode.
    pub bind_tcp: Option<Vec<u16>>,
    /// Where `filtered` leads.
    pub allow: Vec<Allowed>,
    /// Refused whatever else is allowed. With `none` and `loopback` nothing gets there anyway.
    pub deny: Vec<Denied>,
    /// Limits of all together.
    pub limits: Traffic,
    /// Ports of the sandbox on the host's loopback.
    pub publish: Vec<Published>,
    /// `HOST:PORT` of an HTTP proxy that everything goes through.
    pub parent_proxy: Option<(String, Source)>,
    /// Secrets that stay outside.
    pub credentials: Vec<Credential>,
    /// Scanning.
    pub dlp: Dlp,
}

/// `network.way`: which ways to the proxy are tried when the network is filtered. Each lets the same out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum NetworkWay {
    /// The best that this machine has.
    Auto,
    /// Every TCP connection is redirected (nftables).
    Redirect,
    /// Every address is local, and the policy's ports have listeners.
    AnyIp,
    /// A proxy on loopback that programs are told of.
    Proxy,
}

/// A destination that is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// Where to.
    pub host: Destination,
    /// TCP ports; never empty.
    pub ports: Vec<u16>,
    /// A person is asked first.
    pub ask: bool,
    /// HTTP methods; empty: every one.
    pub methods: Vec<String>,
    /// Beginnings of paths; empty: every one.
    pub paths: Vec<String>,
    /// What happens to TLS.
    pub tls: TlsUse,
    /// Programs by path or SHA-256; empty: every one.
    pub programs: Vec<ByProgram>,
    /// Private networks that the name may resolve to.
    pub networks: Vec<Destination>,
    /// What is read is scanned.
    pub scan: bool,
    /// What would stop a request is replaced by a mark instead.
    pub redact: bool,
    /// Content that cannot be scanned is sent.
    pub unscannable: bool,
    /// A request logs in with a credential for this host, and with nothing else.
    pub own_login: bool,
    /// Ids of a trace go out as they are.
    pub trace: bool,
    /// Limits of this destination.
    pub limits: Traffic,
    /// Where it was written.
    pub asked: Source,
}

/// What happens to TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum TlsUse {
    /// Passed on unread once its name agrees.
    Splice,
    /// Read.
    Inspect,
    /// Refused: for protocols without TLS.
    Deny,
}

/// Where in a request a placeholder is exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum SecretPlace {
    /// Header values, and inside Basic.
    Header,
    /// The query.
    Query,
    /// The body.
    Body,
}

/// A program of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ByProgram {
    /// Lower-case hex of its SHA-256.
    Digest(String),
    /// The program that is there when the run starts.
    Path(HostPath),
}

/// A destination that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// Where to.
    pub host: Destination,
    /// The port; every one when `None`.
    pub port: Option<u16>,
    /// Where it was written.
    pub asked: Source,
}

/// Limits of traffic: bytes, and bytes a second. What is `None` is not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// All that is sent.
    pub upload_total: Option<u64>,
    /// Sent a second.
    pub upload_rate: Option<u64>,
    /// Sent at once above the rate.
    pub upload_burst: Option<u64>,
    /// All that is received.
    pub download_total: Option<u64>,
    /// Received a second.
    pub download_rate: Option<u64>,
    /// One request's body.
    pub request_body: Option<u64>,
    /// A person is asked before a larger upload.
    pub ask_above: Option<u64>,
    /// Connections at one time.
    pub connections: Option<u32>,
}

/// A port of the sandbox on the host's loopback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The port inside.
    pub inside: u16,
    /// The port outside.
    pub port: u16,
    /// Where it was written.
    pub asked: Source,
}

/// A secret that stays outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub source: SecretSource,
    /// Hosts that get it.
    pub hosts: Vec<Destination>,
    /// Where in a request.
    pub places: Vec<SecretPlace>,
    /// The variable that holds the placeholder inside.
    pub variable: Option<String>,
    /// Where there is no such secret, the run goes without it.
    pub optional: bool,
    /// Where it was written.
    pub asked: Source,
}

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// A variable of the caller's environment.
    Environment(String),
    /// A file.
    File(HostPath),
    /// What a program prints.
    Command(Vec<String>),
    /// The Secret Service's item with these attributes.
    Keyring(Vec<(String, String)>),
}

/// `dlp:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dlp {
    /// What becomes of findings: kind or rule, and the word.
    pub actions: Vec<(String, &'static str)>,
    /// Files with rules.
    pub rules: Vec<(HostPath, Source)>,
    /// Decoys are put into the home.
    pub canaries: bool,
}

impl Default for Dlp {
    fn default() -> Self {
        Self { actions: Vec::new(), rules: Vec::new(), canaries: true }
    }
}

impl Network {
    /// No network at all.
    pub(super) fn nothing(asked: Source) -> Self {
        Self {
            mode: NetworkMode::None,
            asked,
            way: NetworkWay::Auto,
            connect_tcp: None,
            bind_tcp: None,
            allow: Vec::new(),
            deny: Vec::new(),
            limits: Traffic::default(),
            publish: Vec::new(),
            parent_proxy: None,
            credentials: Vec::new(),
            dlp: Dlp::default(),
        }
    }

    /// Something is read on its way out, so the session has an authority of its own.
    pub fn inspects(&self) -> bool {
        self.mode == NetworkMode::Filtered && self.allow.iter().any(|rule| rule.tls == TlsUse::Inspect)
    }

    /// Takes a mode other than `filtered`: what was allowed by name before is forgotten, so that a profile which builds on
    /// this one gets nothing of it back by its own `filtered`.
    pub(super) fn forget_allowed(&mut self) {
        self.allow.clear();
        self.publish.clear();
        self.credentials.clear();
        self.parent_proxy = None;
    }

    /// Only what goes by name leaves: a mode that leaves less, without what was allowed.
    pub(super) fn close(&mut self, mode: NetworkMode, asked: Source) {
        let closed = Self::nothing(asked);
        *self = Self { mode, deny: std::mem::take(&mut self.deny), ..closed };
    }
}
