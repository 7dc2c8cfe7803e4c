//! The keys of the file, as they are written; each kind of sink has its own.
//!
//! Never holds a secret: a key names the place where one is.

use crate::profile::decode::{At, Decode, Decoder, mapping, schema, words};
use crate::profile::parse::{Node, Value};
use crate::profile::units::{Bytes, Count, Lasting};
use std::time::Duration;

words! {
    /// The kinds of sinks.
    KindWord, "kind" {
        /// Syslog, RFC 5424 over TLS (RFC 5425).
        "syslog" => Syslog,
        /// Lines of JSON by HTTPS.
        "json" => Json,
        /// Splunk's HTTP Event Collector.
        "hec" => Hec,
        /// `_bulk` of Elasticsearch and OpenSearch.
        "bulk" => Bulk,
        /// OTLP logs by HTTP, as JSON.
        "otlp" => Otlp,
        /// The journal of this machine.
        "journald" => Journald,
        /// S3 with Object Lock.
        "s3" => S3,
    }
}

words! {
    /// What becomes of events when the spool is full.
    WhenFull, "word" {
        /// They stay, and are sent when they can be.
        "keep" => Keep,
        /// The oldest are left out, and the sink is told which.
        "skip" => Skip,
    }
}

words! {
    /// A form of records.
    FormatWord, "format" {
        /// Our own.
        "jsonl" => Jsonl,
        /// OCSF 1.9.
        "ocsf" => Ocsf,
        /// CEF 0.
        "cef" => Cef,
        /// Elastic Common Schema.
        "ecs" => Ecs,
    }
}

mapping! {
    /// How far the records of the past are kept for a sink that does not take them.
    SpoolKeys, required [] {
        /// The oldest record that is sent.
        age: Lasting,
        /// The most bytes of logs that wait.
        size: Bytes,
        /// What becomes of what is beyond.
        when_full: WhenFull,
    }
}

mapping! {
    /// Whom to trust, and who we are.
    TlsKeys, required [] {
        /// Authorities that stand for the other side, PEM; without it those of this machine.
        ca: At<String>,
        /// Our certificate, PEM.
        certificate: At<String>,
        /// Its key, PEM.
        key: At<String>,
        /// The name that the other side's certificate must have, where it is not that of the address.
        name: At<String>,
    }
}

mapping! {
    /// The place of a secret: one of the three.
    SecretKeys, required [] {
        /// A file that others cannot read.
        file: String,
        /// A variable of the environment.
        environment: String,
        /// A credential that systemd hands over.
        credential: String,
    }
}

mapping! {
    /// What a request says to be let in.
    AuthorizationKeys, required [] {
        /// The header; `Authorization` without it.
        header: String,
        /// The word before the secret; `Bearer` without it. Empty: none.
        scheme: String,
        /// A file that others cannot read.
        file: String,
        /// A variable of the environment.
        environment: String,
        /// A credential that systemd hands over.
        credential: String,
    }
}

mapping! {
    /// Lines of JSON, or OTLP logs, by HTTPS.
    LinesKeys, required ["name", "kind", "url"] {
        /// What the sink is called.
        name: At<String>,
        /// `json` or `otlp`.
        kind: KindWord,
        /// Where to; `http://` is for this machine alone.
        url: At<String>,
        /// The form of the lines of `json`.
        format: FormatWord,
        /// Whether batches are packed.
        gzip: bool,
        /// What lets us in.
        authorization: At<AuthorizationKeys>,
        /// Certificates.
        tls: TlsKeys,
        /// How much at once.
        batch: BatchKeys,
        /// How long an exchange may take.
        timeout: Lasting,
    }
}

mapping! {
    /// Splunk's HTTP Event Collector.
    HecKeys, required ["name", "kind", "url", "token"] {
        /// What the sink is called.
        name: At<String>,
        /// `hec`.
        kind: KindWord,
        /// Where to, without a path.
        url: At<String>,
        /// The token.
        token: At<SecretKeys>,
        /// The index; that of the token without it.
        index: String,
        /// The source type.
        sourcetype: String,
        /// How long a batch may take to be indexed; `off` does not ask.
        acknowledge: Acknowledge,
        /// The form of the events.
        format: FormatWord,
        /// Whether batches are packed.
        gzip: bool,
        /// Certificates.
        tls: TlsKeys,
        /// How much at once.
        batch: BatchKeys,
        /// How long an exchange may take.
        timeout: Lasting,
    }
}

mapping! {
    /// `_bulk` of Elasticsearch and OpenSearch.
    BulkKeys, required ["name", "kind", "url", "index"] {
        /// What the sink is called.
        name: At<String>,
        /// `bulk`.
        kind: KindWord,
        /// Where to, without `/_bulk`.
        url: At<String>,
        /// The index or data stream.
        index: At<String>,
        /// The form of the documents.
        format: FormatWord,
        /// Whether batches are packed.
        gzip: bool,
        /// What lets us in.
        authorization: At<AuthorizationKeys>,
        /// Certificates.
        tls: TlsKeys,
        /// How much at once.
        batch: BatchKeys,
        /// How long an exchange may take.
        timeout: Lasting,
    }
}

mapping! {
    /// The journal of this machine.
    JournaldKeys, required ["name", "kind"] {
        /// What the sink is called.
        name: At<String>,
        /// `journald`.
        kind: KindWord,
        /// The journal's socket, where it is not the usual one.
        socket: At<String>,
        /// The form of the messages.
        format: FormatWord,
    }
}

words! {
    /// The modes of Object Lock.
    LockWord, "mode" {
        /// Nobody can shorten it.
        "compliance" => Compliance,
        /// Who has a right of its own can.
        "governance" => Governance,
    }
}

mapping! {
    /// How objects are locked.
    LockKeys, required ["days"] {
        /// By whom it can be undone.
        mode: LockWord,
        /// For how many days.
        days: Count,
    }
}

mapping! {
    /// S3 with Object Lock.
    S3Keys, required ["name", "kind", "url", "region", "bucket", "lock", "access_key", "secret_key"] {
        /// What the sink is called.
        name: At<String>,
        /// `s3`.
        kind: KindWord,
        /// The endpoint, without the bucket.
        url: At<String>,
        /// The region.
        region: At<String>,
        /// The bucket, which has Object Lock.
        bucket: At<String>,
        /// What names of objects begin with.
        prefix: String,
        /// How objects are locked.
        lock: LockKeys,
        /// The place of the id of the key.
        access_key: At<SecretKeys>,
        /// The place of the key.
        secret_key: At<SecretKeys>,
        /// The place of a session's token.
        session_token: At<SecretKeys>,
        /// Certificates.
        tls: TlsKeys,
        /// How long an exchange may take.
        timeout: Lasting,
    }
}

/// `off`, or a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Acknowledge(pub(super) Option<Duration>);

impl Decode for Acknowledge {
    fn decode(node: Node, decoder: &mut Decoder) -> Option<Self> {
        // In YAML 1.2 `off` is text.
        if matches!(&node.value, Value::Str(text) if text == "off") {
            return Some(Self(None));
        }
        Lasting::decode(node, decoder).map(|Lasting(time)| Self(Some(time)))
    }
}

schema!(Acknowledge, { "type": "string" });

mapping! {
    /// How much at once, and how long.
    BatchKeys, required [] {
        /// The most messages of a batch.
        messages: Count,
        /// The most bytes of one.
        bytes: Bytes,
    }
}

mapping! {
    /// Syslog over TLS.
    SyslogKeys, required ["name", "kind", "to"] {
        /// What the sink is called.
        name: At<String>,
        /// `syslog`.
        kind: KindWord,
        /// Where to: HOST or HOST:PORT.
        to: At<String>,
        /// The form of the messages.
        format: FormatWord,
        /// Certificates.
        tls: TlsKeys,
        /// The facility, 0 to 23.
        facility: Count,
        /// The longest message in bytes; what is longer is cut and says so.
        message: Bytes,
        /// After how many messages a checkpoint is sent.
        checkpoint: Count,
        /// How much at once.
        batch: BatchKeys,
        /// How long a connection, and the confirmation of a batch, may take.
        timeout: Lasting,
    }
}
