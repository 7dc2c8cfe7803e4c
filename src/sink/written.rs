//! One sink of the file: from the keys of its kind to what it is.

use super::config::{Bulk, Hec, Http, Kind, S3, Sink, Syslog, Tls};
use super::http::is_local;
use super::journald::SOCKET;
use super::keys::{
    AuthorizationKeys, BatchKeys, BulkKeys, FormatWord, HecKeys, JournaldKeys, KindWord, LinesKeys,
    SecretKeys, SyslogKeys, TlsKeys,
};
use super::keys::{LockWord, S3Keys};
use super::secret::SecretPlace;
use crate::audit::export::Format;
use crate::base::Source;
use crate::profile::decode::{At, Decode, Decoder};
use crate::profile::parse::{Node, Value};
use crate::profile::units::Lasting;
use std::path::PathBuf;
use std::time::Duration;

/// The shortest that a longest message may be: what every receiver of RFC 5425 takes.
const LEAST_MESSAGE: u64 = 2048;
/// How long Splunk may take to index a batch.
const INDEXED: Duration = Duration::from_secs(300);

/// The word of `kind`, without taking it out.
fn kind_of(node: &Node, decoder: &mut Decoder) -> Option<KindWord> {
    let kind = match &node.value {
        Value::Map(map) => map.iter().find(|(key, _)| key.name == "kind").map(|(_, kind)| kind.clone()),
        other => return decoder.refuse(node.line, format!("must be a mapping, not {}", other.kind()), None),
    };
    match kind {
        Some(kind) => KindWord::decode(kind, decoder),
        None => decoder.refuse(node.line, "`kind` is missing", None),
    }
}

/// Reads a sink.
pub(super) fn sink(node: Node, decoder: &mut Decoder) -> Option<Sink> {
    match kind_of(&node, decoder)? {
        KindWord::Syslog => syslog(SyslogKeys::decode(node, decoder)?, decoder),
        kind @ (KindWord::Json | KindWord::Otlp) => lines(LinesKeys::decode(node, decoder)?, kind, decoder),
        KindWord::Hec => hec(HecKeys::decode(node, decoder)?, decoder),
        KindWord::Bulk => bulk(BulkKeys::decode(node, decoder)?, decoder),
        KindWord::S3 => s3(S3Keys::decode(node, decoder)?, decoder),
        KindWord::Journald => {
            let keys = JournaldKeys::decode(node, decoder)?;
            let common = Common::of(keys.name, None, None, 1000, decoder)?;
            let socket = path(keys.socket, decoder)?.unwrap_or_else(|| PathBuf::from(SOCKET));
            Some(common.with(Kind::Journald { socket, format: format(keys.format, Format::Jsonl) }))
        }
    }
}

fn syslog(keys: SyslogKeys, decoder: &mut Decoder) -> Option<Sink> {
    let common = Common::of(keys.name, keys.batch, keys.timeout, 4096, decoder)?;
    let to = keys.to?;
    let Some((host, port)) = address(&to.value, 6514) else {
        let hint = Some("write HOST or HOST:PORT".to_owned());
        return decoder.refuse(line(&to.asked), format!("no address: `{}`", to.value), hint);
    };
    let message = keys.message.map_or(8192, |bytes| bytes.0);
    let facility = keys.facility.map_or(13, |count| count.0);
    if message < LEAST_MESSAGE || facility > 23 {
        let what = format!("`message` is at least {LEAST_MESSAGE}, `facility` at most 23");
        return decoder.refuse(line(&common.asked), what, None);
    }
    let kind = Kind::Syslog(Syslog {
        host,
        port,
        format: format(keys.format, Format::Jsonl),
        tls: tls(keys.tls, decoder)?,
        facility: u8::try_from(facility).unwrap_or(13),
        message: usize::try_from(message).unwrap_or(usize::MAX),
        checkpoint: keys.checkpoint.map_or(1000, |count| count.0),
    });
    Some(common.with(kind))
}

fn lines(keys: LinesKeys, kind: KindWord, decoder: &mut Decoder) -> Option<Sink> {
    let common = Common::of(keys.name, keys.batch, keys.timeout, 1000, decoder)?;
    let is_otlp = kind == KindWord::Otlp;
    if is_otlp && keys.format.is_some() {
        return decoder.refuse(line(&common.asked), "`otlp` is a format by itself", None);
    }
    let format = if is_otlp { Format::Otlp } else { format(keys.format, Format::Jsonl) };
    let at = line(&common.asked);
    if format == Format::Cef {
        return decoder.refuse(at, "`json` has no lines of CEF", Some("jsonl, ecs or ocsf".to_owned()));
    }
    let (url, port) = url(keys.url?, decoder)?;
    let (gzip, tls) = (keys.gzip.unwrap_or(false), tls(keys.tls, decoder)?);
    let authorization = authorization(keys.authorization, decoder)?;
    Some(common.with(Kind::Lines(Http { url, port, format, gzip, tls, authorization })))
}

fn hec(keys: HecKeys, decoder: &mut Decoder) -> Option<Sink> {
    let common = Common::of(keys.name, keys.batch, keys.timeout, 10_000, decoder)?;
    let (url, port) = url(keys.url?, decoder)?;
    let At { value: token, asked } = keys.token?;
    let place = secret(token, &asked, decoder)?;
    let http = Http {
        url,
        port,
        format: format(keys.format, Format::Jsonl),
        gzip: keys.gzip.unwrap_or(false),
        tls: tls(keys.tls, decoder)?,
        authorization: Some(("authorization".to_owned(), "Splunk".to_owned(), place)),
    };
    let source_type = keys.sourcetype.unwrap_or_else(|| "aisandbox:audit".to_owned());
    let acknowledge = keys.acknowledge.map_or(Some(INDEXED), |asked| asked.0);
    Some(common.with(Kind::Hec(Hec { http, index: keys.index, source_type, acknowledge })))
}

fn bulk(keys: BulkKeys, decoder: &mut Decoder) -> Option<Sink> {
    let common = Common::of(keys.name, keys.batch, keys.timeout, 1000, decoder)?;
    let (url, port) = url(keys.url?, decoder)?;
    let At { value: index, asked } = keys.index?;
    let plain = |letter: char| {
        letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '-' | '_' | '.')
    };
    if index.is_empty() || index.starts_with(['-', '_', '.']) || !index.chars().all(plain) {
        return decoder.refuse(line(&asked), format!("no name for an index: `{index}`"), None);
    }
    let format = format(keys.format, Format::Ecs);
    if format == Format::Cef {
        return decoder.refuse(line(&asked), "a document is JSON", Some("ecs, ocsf or jsonl".to_owned()));
    }
    let (gzip, tls) = (keys.gzip.unwrap_or(false), tls(keys.tls, decoder)?);
    let authorization = authorization(keys.authorization, decoder)?;
    Some(common.with(Kind::Bulk(Bulk { http: Http { url, port, format, gzip, tls, authorization }, index })))
}

fn s3(keys: S3Keys, decoder: &mut Decoder) -> Option<Sink> {
    let common = Common::of(keys.name, None, keys.timeout, 1, decoder)?;
    let (url, port) = url(keys.url?, decoder)?;
    let mut named = |at: Option<At<String>>| {
        let At { value, asked } = at?;
        let plain = |letter: char| {
            letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '-' | '.')
        };
        if !value.is_empty() && value.chars().all(plain) {
            return Some(value);
        }
        decoder.refuse(line(&asked), format!("no name for that: `{value}`"), None)
    };
    let (region, bucket) = (named(keys.region)?, named(keys.bucket)?);
    let mut place = |at: At<SecretKeys>| secret(at.value, &at.asked, decoder);
    let (access_key, secret_key) = (place(keys.access_key?)?, place(keys.secret_key?)?);
    let session_token = match keys.session_token {
        Some(at) => Some(place(at)?),
        None => None,
    };
    let lock = keys.lock?;
    let days = lock.days?.0;
    if days > 36_500 {
        return decoder.refuse(line(&common.asked), "`days` is at most 36500", None);
    }
    Some(common.with(Kind::S3(S3 {
        url,
        port,
        region,
        bucket,
        prefix: keys.prefix.unwrap_or_default(),
        governance: lock.mode == Some(LockWord::Governance),
        days,
        access_key,
        secret_key,
        session_token,
        tls: tls(keys.tls, decoder)?,
    })))
}

/// `https://`, or `http://` to this machine; and its port.
fn url(At { value, asked }: At<String>, decoder: &mut Decoder) -> Option<(String, u16)> {
    let local = is_local(&value);
    let rest = if local { value.strip_prefix("http://") } else { value.strip_prefix("https://") };
    let authority = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let found = authority.filter(|authority| !authority.contains('@'));
    let found = found.and_then(|authority| address(authority, if local { 80 } else { 443 }));
    let plain = value.bytes().all(|byte| byte.is_ascii_graphic());
    match found.filter(|_| plain && !value.contains(['?', '#'])) {
        Some((_, port)) => Some((value, port)),
        None => {
            let hint = "https://HOST[:PORT][/PATH], without user or query; http:// to this machine alone";
            decoder.refuse(line(&asked), format!("no address to send to: `{value}`"), Some(hint.to_owned()))
        }
    }
}

fn secret(keys: SecretKeys, asked: &Source, decoder: &mut Decoder) -> Option<SecretPlace> {
    let hint = "one of `file: /PATH`, `environment: NAME`, `credential: NAME`; never the secret itself";
    let place = SecretPlace::of(keys);
    place.or_else(|| decoder.refuse(line(asked), "no place of a secret", Some(hint.to_owned())))
}

type Authorization = (String, String, SecretPlace);

fn authorization(
    keys: Option<At<AuthorizationKeys>>,
    decoder: &mut Decoder,
) -> Option<Option<Authorization>> {
    let Some(At { value: keys, asked }) = keys else { return Some(None) };
    let place = SecretKeys { file: keys.file, environment: keys.environment, credential: keys.credential };
    let place = secret(place, &asked, decoder)?;
    let header = keys.header.unwrap_or_else(|| "authorization".to_owned()).to_ascii_lowercase();
    let scheme = keys.scheme.unwrap_or_else(|| "Bearer".to_owned());
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if header.is_empty() || !plain(&header) || !plain(&scheme) {
        return decoder.refuse(line(&asked), "no header, or no scheme", None);
    }
    Some(Some((header, scheme, place)))
}

/// What every sink has.
struct Common {
    name: String,
    most_messages: usize,
    most_bytes: usize,
    timeout: Duration,
    asked: Source,
}

impl Common {
    fn of(
        name: Option<At<String>>,
        batch: Option<BatchKeys>,
        timeout: Option<Lasting>,
        messages: u64,
        decoder: &mut Decoder,
    ) -> Option<Self> {
        let At { value: name, asked } = name?;
        let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            let hint = Some("letters, digits, `-` and `_`".to_owned());
            return decoder.refuse(line(&asked), format!("no name for a sink: `{name}`"), hint);
        }
        let batch = batch.unwrap_or_default();
        let most_messages = batch.messages.map_or(messages, |count| count.0).min(100_000);
        let most_bytes = batch.bytes.map_or(1 << 20, |bytes| bytes.0).clamp(64 << 10, 64 << 20);
        Some(Self {
            name,
            most_messages: usize::try_from(most_messages).unwrap_or(1),
            most_bytes: usize::try_from(most_bytes).unwrap_or(1 << 20),
            timeout: timeout.map_or(Duration::from_secs(30), |Lasting(timeout)| timeout),
            asked,
        })
    }

    fn with(self, kind: Kind) -> Sink {
        let Self { name, most_messages, most_bytes, timeout, asked } = self;
        Sink { name, kind, most_messages, most_bytes, timeout, asked }
    }
}

fn format(word: Option<FormatWord>, usual: Format) -> Format {
    match word {
        None => usual,
        Some(FormatWord::Jsonl) => Format::Jsonl,
        Some(FormatWord::Ocsf) => Format::Ocsf,
        Some(FormatWord::Cef) => Format::Cef,
        Some(FormatWord::Ecs) => Format::Ecs,
    }
}

fn line(asked: &Source) -> u32 {
    asked.line_number().unwrap_or(1)
}

/// `HOST`, `HOST:PORT`, `[ADDRESS]:PORT`.
fn address(text: &str, usual: u16) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']')?;
            (host, behind.strip_prefix(':'))
        }
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = port.map_or(Some(usual), |port| port.parse().ok().filter(|port| *port > 0))?;
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_' | ':');
    (!host.is_empty() && host.chars().all(plain)).then(|| (host.to_owned(), port))
}

/// Paths are absolute: a unit has no working folder to mean.
fn path(at: Option<At<String>>, decoder: &mut Decoder) -> Option<Option<PathBuf>> {
    let Some(At { value, asked }) = at else { return Some(None) };
    let path = PathBuf::from(&value);
    if path.is_absolute() {
        return Some(Some(path));
    }
    decoder.refuse(line(&asked), format!("no absolute path: `{value}`"), None)
}

fn tls(keys: Option<TlsKeys>, decoder: &mut Decoder) -> Option<Tls> {
    let Some(keys) = keys else { return Some(Tls::default()) };
    let at = keys.certificate.as_ref().or(keys.key.as_ref()).map_or(1, |at| line(&at.asked));
    let (ca, name) = (path(keys.ca, decoder)?, keys.name.map(|name| name.value));
    let own = match (path(keys.certificate, decoder)?, path(keys.key, decoder)?) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => return decoder.refuse(at, "`certificate` and `key` come together", None),
    };
    Some(Tls { ca, own, name })
}
