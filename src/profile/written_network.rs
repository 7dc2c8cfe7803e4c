//! `network`, `credentials` and `dlp` as they are written, with the words their keys know.
//!
//! Never fills in a default or a variable: `network` does.

use super::decode::{At, mapping, words};
use super::model::NetworkMode;
use super::network::{NetworkWay, SecretPlace, TlsUse};
use super::units::{Bytes, Count};
use super::values::Host;

mapping! {
    /// The way out.
    NetworkKeys, required [] {
        /// none: not even loopback. loopback: its own. filtered: by name. host: the host's.
        mode: At<NetworkMode>,
        /// How connections reach the proxy when filtered; auto when not said.
        way: NetworkWay,
        /// Destinations that are allowed when filtered. Lists of several profiles add up.
        allow: Vec<At<AllowKeys>>,
        /// Destinations that are refused whatever else is allowed. Lists of several profiles add up.
        deny: Vec<At<DenyKeys>>,
        /// Limits of all that leaves and comes in.
        limits: TrafficKeys,
        /// Ports of the sandbox that the host's loopback reaches. Lists of several profiles add up.
        publish: Vec<At<PublishKeys>>,
        /// A proxy that everything goes through: http://HOST:PORT.
        parent_proxy: At<String>,
        /// TCP ports, by Landlock.
        tcp: TcpKeys,
    }
}

mapping! {
    /// A destination that is allowed.
    AllowKeys, required [] {
        /// A name, `*.` before a name, an address, a network such as 10.0.0.0/8, or localhost.
        host: At<Host>,
        /// Several of them, for each of which all of this is said.
        hosts: Vec<At<Host>>,
        /// The TCP port; 443 when not said. For localhost it must be said.
        port: u16,
        /// Several TCP ports.
        ports: Vec<u16>,
        /// allow, or ask: a person is asked first and the connection waits.
        access: DestinationWord,
        /// HTTP methods; every one when not said. For what is read.
        methods: Vec<String>,
        /// Beginnings of paths; every one when not said. For what is read.
        paths: Vec<String>,
        /// splice: passed on unread. inspect: read. deny: no TLS here.
        tls: TlsUse,
        /// Programs that may use it, by path or SHA-256; every one when not said.
        programs: Vec<At<String>>,
        /// Private networks that the name may resolve to.
        networks: Vec<At<Host>>,
        /// false: what is read is not scanned for secrets and personal data.
        scan: bool,
        /// What becomes of findings that would stop a request; block when not said.
        findings: FindingsWord,
        /// What becomes of content that cannot be scanned; block when not said.
        unscannable: UnscannableWord,
        /// any, when not said, or own: only with a credential for this host is a request let through. For what is read.
        login: LoginWord,
        /// strip: ids of a trace (traceparent and the like) are taken out of requests; keep. For what is read.
        trace: TraceWord,
        /// Limits for this destination.
        limits: TrafficKeys,
    }
}

words! {
    /// What is said of a destination.
    DestinationWord, "access" {
        "allow" => Allow,
        "ask" => Ask,
    }
}

words! {
    /// By whose login a request goes.
    LoginWord, "login" {
        "any" => Any,
        "own" => Own,
    }
}

words! {
    /// What becomes of a request's ids of a trace.
    TraceWord, "trace" {
        "strip" => Strip,
        "keep" => Keep,
    }
}

words! {
    /// What becomes of findings that would stop a request.
    FindingsWord, "findings" {
        "block" => Block,
        "redact" => Redact,
    }
}

words! {
    /// What becomes of content that cannot be scanned.
    UnscannableWord, "unscannable" {
        "block" => Block,
        "allow" => Allow,
    }
}

mapping! {
    /// A destination that is refused.
    DenyKeys, required ["host"] {
        /// A name, `*.` before a name, an address, a network, or localhost.
        host: Host,
        /// The TCP port; every port when not said.
        port: u16,
    }
}

mapping! {
    /// Limits of traffic. What is not said is not limited.
    TrafficKeys, required [] {
        /// Bytes of all uploads of a run.
        upload_total: Bytes,
        /// Bytes a second that are sent.
        upload_rate: Bytes,
        /// Bytes that may be sent at once above the rate; those of a second when not said.
        upload_burst: Bytes,
        /// Bytes of all that is received in a run.
        download_total: Bytes,
        /// Bytes a second that are received.
        download_rate: Bytes,
        /// Bytes of one request.
        request_body: Bytes,
        /// A person is asked before a larger upload starts.
        ask_above: Bytes,
        /// Connections at one time.
        connections: Count,
    }
}

mapping! {
    /// A port of the sandbox that the host's loopback reaches.
    PublishKeys, required ["inside"] {
        /// The TCP port inside.
        inside: u16,
        /// The TCP port of 127.0.0.1 outside; the same when not said.
        port: u16,
    }
}

mapping! {
    /// TCP ports, by Landlock.
    TcpKeys, required [] {
        /// Ports that may be connected to.
        connect: Vec<u16>,
        /// Ports that may be bound.
        bind: Vec<u16>,
    }
}

mapping! {
    /// A secret that stays outside. The program has a placeholder of the same shape, which is exchanged on the way out.
    CredentialKeys, required ["name", "source", "hosts"] {
        /// Its name, for records.
        name: At<String>,
        /// Where the secret is.
        source: At<SourceKeys>,
        /// Hosts that get it. Each needs a destination with `tls: inspect`.
        hosts: Vec<At<Host>>,
        /// Where in a request: header, query, body; header when not said.
        places: Vec<SecretPlace>,
        /// The variable that holds the placeholder inside.
        variable: At<String>,
        /// true: where there is no such secret, the run goes without it.
        optional: bool,
    }
}

mapping! {
    /// Where a secret is: one of these.
    SourceKeys, required [] {
        /// A variable of the caller's environment.
        environment: At<String>,
        /// A file; a line's end at its end does not count.
        file: At<String>,
        /// A program and its arguments, which prints it.
        command: At<Vec<At<String>>>,
        /// An item of the Secret Service: attributes with their values.
        keyring: At<super::values::Settings>,
    }
}

mapping! {
    /// Scanning of what is read on its way out.
    DlpKeys, required [] {
        /// What becomes of findings, by kind or by rule; `*` stands for all others.
        actions: Actions,
        /// Files with rules beside the shipped ones (aisandbox-dlp(7)). Lists of several profiles add up.
        rules: Vec<At<String>>,
        /// false: no decoys in the home. true when not said, where something is inspected.
        canaries: bool,
    }
}

words! {
    /// What becomes of a finding.
    ActWord, "action" {
        "allow" => Allow,
        "log" => Log,
        "hash" => Hash,
        "tokenize" => Tokenize,
        "redact" => Redact,
        "ask" => Ask,
        "block" => Block,
    }
}

/// Kinds of findings, each with what becomes of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Actions(pub(crate) Vec<(String, At<ActWord>)>);

impl super::decode::Decode for Actions {
    fn decode(node: super::parse::Node, decoder: &mut super::decode::Decoder) -> Option<Self> {
        let found = decoder.by_name(node, &["*"], ("a kind", Some("see aisandbox dlp rules list")))?;
        Some(Self(found.into_iter().map(|(name, act): (At<String>, _)| (name.value, act)).collect()))
    }
}

impl schemars::JsonSchema for Actions {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Actions".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let words: Vec<&str> = ActWord::WORDS.iter().map(|(word, _)| *word).collect();
        schemars::json_schema!({
            "type": "object",
            "propertyNames": { "pattern": "^(\\*|[a-z0-9-]+)$" },
            "additionalProperties": { "type": "string", "enum": words }
        })
    }
}
