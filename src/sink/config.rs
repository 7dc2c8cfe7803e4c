//! The file that names the sinks, read and judged whole: every error with its line.
//!
//! Never opens what it names; `work` does.

use super::keys::{SpoolKeys, WhenFull};
use super::secret::SecretPlace;
use super::written;
use crate::audit::export::Format;
use crate::base::Source;
use crate::profile::ProfileError;
use crate::profile::decode::{Decode, Decoder};
use crate::profile::parse::{Node, Value, parse};
use crate::profile::units::Lasting;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The most sinks.
const MOST_SINKS: usize = 16;

/// All that the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The sinks, in their order.
    pub sinks: Vec<Sink>,
    /// How much waits for one at most.
    pub spool: Spool,
}

/// The bound on what waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spool {
    /// No record older than that is sent.
    pub age: Option<Duration>,
    /// No more bytes of logs wait.
    pub size: Option<u64>,
    /// What is beyond is left out and told; otherwise it stays.
    pub skip: bool,
}

/// One sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sink {
    /// Its name: a file name of letters, digits, `-` and `_`.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The most messages at once.
    pub most_messages: usize,
    /// The most bytes at once.
    pub most_bytes: usize,
    /// How long one exchange may take.
    pub timeout: Duration,
    /// Where it was asked for.
    pub asked: Source,
}

/// What a sink is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Syslog over TLS.
    Syslog(Syslog),
    /// Lines of JSON, or OTLP logs.
    Lines(Http),
    /// Splunk's HTTP Event Collector.
    Hec(Hec),
    /// `_bulk` of Elasticsearch and OpenSearch.
    Bulk(Bulk),
    /// Closed segments to S3 with Object Lock.
    S3(S3),
    /// The journal of this machine.
    Journald {
        /// Its socket.
        socket: PathBuf,
        /// What a message is.
        format: Format,
    },
}

/// S3 with Object Lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3 {
    /// The endpoint.
    pub url: String,
    /// Its port.
    pub port: u16,
    /// The region.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// What names of objects begin with.
    pub prefix: String,
    /// Whoever has the right for it can undo a lock; otherwise nobody.
    pub governance: bool,
    /// Days that an object is locked.
    pub days: u64,
    /// The places of the keys.
    pub access_key: SecretPlace,
    /// The same.
    pub secret_key: SecretPlace,
    /// The place of a session's token.
    pub session_token: Option<SecretPlace>,
    /// Certificates.
    pub tls: Tls,
}

impl S3 {
    /// The mode of the lock, as S3 calls it.
    pub(super) fn mode(&self) -> &'static str {
        if self.governance { "GOVERNANCE" } else { "COMPLIANCE" }
    }
}

/// A collector that speaks HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Where to.
    pub url: String,
    /// Its port.
    pub port: u16,
    /// What a message is.
    pub format: Format,
    /// Whether batches are packed.
    pub gzip: bool,
    /// Certificates.
    pub tls: Tls,
    /// A header, the word before its secret, and where that is.
    pub authorization: Option<(String, String, SecretPlace)>,
}

/// Splunk's HTTP Event Collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hec {
    /// The collector.
    pub http: Http,
    /// The index.
    pub index: Option<String>,
    /// The source type.
    pub source_type: String,
    /// How long a batch may take to be indexed.
    pub acknowledge: Option<Duration>,
}

/// `_bulk`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bulk {
    /// The collector.
    pub http: Http,
    /// The index or data stream.
    pub index: String,
}

/// Syslog over TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syslog {
    /// The host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What a message is.
    pub format: Format,
    /// Certificates.
    pub tls: Tls,
    /// The facility.
    pub facility: u8,
    /// The longest message.
    pub message: usize,
    /// Messages between checkpoints.
    pub checkpoint: u64,
}

/// Certificates by their files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Authorities.
    pub ca: Option<PathBuf>,
    /// Our certificate and its key.
    pub own: Option<(PathBuf, PathBuf)>,
    /// The name to verify.
    pub name: Option<String>,
}

impl Config {
    /// The ports that the sinks connect to.
    pub fn ports(&self) -> Vec<u16> {
        self.sinks.iter().filter_map(Sink::port).collect()
    }
}

impl Sink {
    /// The port that it connects to.
    fn port(&self) -> Option<u16> {
        match &self.kind {
            Kind::Syslog(to) => Some(to.port),
            Kind::Lines(http) | Kind::Hec(Hec { http, .. }) | Kind::Bulk(Bulk { http, .. }) => {
                Some(http.port)
            }
            Kind::S3(to) => Some(to.port),
            Kind::Journald { .. } => None,
        }
    }
}

/// Reads the file.
/// # Errors
/// Everything that is wrong with it.
pub fn load(path: &Path) -> Result<Config, Vec<ProfileError>> {
    let name = path.display().to_string();
    let unreadable = |error: std::io::Error| {
        vec![ProfileError::new(Source::flag("--config"), format!("read {name}: {error}"))]
    };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    read(&name, &text)
}

/// Reads its text.
pub(super) fn read(name: &str, text: &str) -> Result<Config, Vec<ProfileError>> {
    let root = parse(name, text)?;
    let mut decoder = Decoder::new(name);
    let config = file(root, &mut decoder);
    let errors = decoder.into_errors();
    match config {
        Some(config) if errors.is_empty() => Ok(config),
        _ => Err(errors),
    }
}

fn file(root: Node, decoder: &mut Decoder) -> Option<Config> {
    let (line, mut sinks, mut spool) = (root.line, Vec::new(), SpoolKeys::default());
    for (key, node) in decoder.entries(root, &["version", "sinks", "spool"], &["version", "sinks"])? {
        match (key, node.value) {
            ("version", Value::Int(1)) => {}
            ("version", _) => decoder.refuse(node.line, "this program reads version 1", None)?,
            ("sinks", Value::List(list)) => {
                sinks = list.into_iter().filter_map(|item| written::sink(item, decoder)).collect();
            }
            ("sinks", other) => {
                decoder.refuse(node.line, format!("must be a list, not {}", other.kind()), None)?;
            }
            (_, value) => spool = SpoolKeys::decode(Node { value, ..node }, decoder)?,
        }
    }
    unique(&sinks, decoder);
    if sinks.len() > MOST_SINKS {
        decoder.refuse::<()>(line, format!("more than {MOST_SINKS} sinks"), None);
    }
    let skip = spool.when_full == Some(WhenFull::Skip);
    let (age, size) = (spool.age.map(|Lasting(age)| age), spool.size.map(|bytes| bytes.0));
    if skip && age.is_none() && size.is_none() {
        let hint = Some("set spool.age or spool.size".to_owned());
        return decoder.refuse(line, "`when_full: skip` without an age or a size", hint);
    }
    Some(Config { sinks, spool: Spool { age, size, skip } })
}

fn unique(sinks: &[Sink], decoder: &mut Decoder) {
    for (at, one) in sinks.iter().enumerate() {
        if sinks.iter().take(at).any(|other| other.name == one.name) {
            let line = one.asked.line_number().unwrap_or(1);
            decoder.refuse::<()>(line, format!("two sinks are called `{}`", one.name), None);
        }
    }
}
