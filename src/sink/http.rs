//! Requests to a collector that speaks HTTP, over verified TLS. The only file here that names ureq and flate2.
//!
//! Never follows a redirect, never takes a proxy from the environment, never speaks plain HTTP but with this machine
//! itself, and never says more of an answer than its status.

use super::Trouble;
use super::config::{Http, Tls};
use super::secret::{Hidden, read_file, read_private};
use super::tls::authorities;
use crate::base::WallTime;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderValue, Request};
use std::io::{Read, Write};
use std::time::Duration;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

/// The most bytes of an answer that are read.
const MOST_ANSWER: u64 = 32 << 20;

/// Where to, and who we are there.
pub(super) struct Client {
    agent: ureq::Agent,
    /// What every request says besides.
    headers: Vec<(String, Hidden)>,
    gzip: bool,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// Its status.
    pub(super) status: u16,
    /// How long to wait, where it says so.
    pub(super) after: Option<Duration>,
    /// Its headers' values by name, as far as they are text.
    headers: http::HeaderMap,
    /// Its body.
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Http {
    /// A client of this collector.
    /// # Errors
    /// As [`Client::new`].
    pub(super) fn client(&self, timeout: Duration) -> Result<Client, String> {
        let mut headers = Vec::new();
        if let Some((header, scheme, place)) = &self.authorization {
            headers.push((header.clone(), place.read()?.behind(scheme)));
        }
        Client::new(&self.url, &self.tls, headers, self.gzip, timeout)
    }
}

/// Whether plain HTTP may be spoken there: it stays on this machine.
pub(super) fn is_local(url: &str) -> bool {
    let rest = url.strip_prefix("http://").unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.strip_prefix("[::1]").map_or_else(|| authority.split(':').next(), |_| Some("::1"));
    matches!(host, Some("127.0.0.1" | "localhost" | "::1")) && !authority.contains('@')
}

impl Client {
    /// Reads the certificates; nothing is sent.
    /// # Errors
    /// In words, which hold nothing of a key or a secret.
    pub(super) fn new(
        url: &str,
        tls: &Tls,
        headers: Vec<(String, Hidden)>,
        gzip: bool,
        timeout: Duration,
    ) -> Result<Self, String> {
        let mut builder = ureq::Agent::config_builder()
            .https_only(!is_local(url))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .http_status_as_error(false)
            .user_agent(concat!("aisandbox/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(timeout));
        if !is_local(url) {
            builder = builder.tls_config(tls_config(tls)?);
        }
        Ok(Self { agent: builder.build().new_agent(), headers, gzip })
    }

    /// Sends a request with a body, which is packed where that was asked for.
    /// # Errors
    /// When there is no answer.
    pub(super) fn post(
        &self,
        url: &str,
        kind: &str,
        more: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, Trouble> {
        let packed = if self.gzip { Some(pack(body).map_err(Trouble::later)?) } else { None };
        let mut headers = vec![("content-type", kind)];
        headers.extend(packed.as_ref().map(|_| ("content-encoding", "gzip")));
        headers.extend(more);
        self.send("POST", url, &headers, packed.as_deref().unwrap_or(body))
    }

    /// Sends a request as it is.
    /// # Errors
    /// When there is no answer.
    pub(super) fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, Trouble> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        for (name, value) in &self.headers {
            let mut value =
                HeaderValue::from_str(value.expose()).map_err(|_| Trouble::later("a secret is no header"))?;
            value.set_sensitive(true);
            request = request.header(name.as_str(), value);
        }
        let none = |error: http::Error| Trouble::later(format!("no request: {error}"));
        let failed = |error: ureq::Error| Trouble::later(format!("ask {}: {error}", shown(url)));
        let answer = match method {
            "HEAD" => self.agent.run(request.body(()).map_err(none)?),
            _ => self.agent.run(request.body(body).map_err(none)?),
        };
        let mut answer = answer.map_err(failed)?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let after = headers.get("retry-after").and_then(|after| retry_after(after.to_str().ok()?));
        let mut body = Vec::new();
        let read = answer.body_mut().as_reader().take(MOST_ANSWER).read_to_end(&mut body);
        read.map_err(|error| Trouble::later(format!("read the answer of {}: {error}", shown(url))))?;
        Ok(Answer { status, after, headers, body })
    }
}

/// What an answer that is no success means for the batch. What may be put right on the other side is tried again: a token
/// that is not known there, a path that is not there yet.
pub(super) fn judge(answer: Answer, url: &str) -> Result<Answer, Trouble> {
    let why = format!("{} answered with status {}", shown(url), answer.status);
    match answer.status {
        200..=299 => Ok(answer),
        400 | 413 | 422 => Err(Trouble::Refused { why }),
        _ => Err(Trouble::Later { why, after: answer.after }),
    }
}

/// Without what may be secret in it.
fn shown(url: &str) -> &str {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    url.get(..end).unwrap_or_default()
}

fn tls_config(tls: &Tls) -> Result<TlsConfig, String> {
    let roots = certificates(&authorities(tls)?);
    if roots.is_empty() {
        return Err("the file of authorities has none".to_owned());
    }
    let own = match &tls.own {
        None => None,
        Some((certificate, key)) => {
            let chain = certificates(&read_file(certificate)?);
            let pem = read_private(key)?;
            let pem = PrivateKey::from_pem(&pem)
                .map_err(|_| format!("{}: no private key in PEM", key.display()))?;
            Some(ClientCert::new_with_certs(&chain, pem))
        }
    };
    Ok(TlsConfig::builder().root_certs(RootCerts::new_with_certs(&roots)).client_cert(own).build())
}

fn certificates(pem: &[u8]) -> Vec<Certificate<'static>> {
    let items = parse_pem(pem).flatten();
    items.filter_map(|item| if let PemItem::Certificate(one) = item { Some(one) } else { None }).collect()
}

fn pack(body: &[u8]) -> Result<Vec<u8>, String> {
    let mut packer = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    packer.write_all(body).and_then(|()| packer.finish()).map_err(|error| format!("pack a batch: {error}"))
}

/// Seconds, or a moment as HTTP writes it (RFC 9110, 10.2.3).
fn retry_after(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split_once(", ")?.1.split(' ');
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let moment: WallTime = format!("{year}-{month:02}-{day}T{time}").parse().ok()?;
    Some(Duration::from_secs(moment.unix_seconds().saturating_sub(WallTime::now().unix_seconds())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_spoken_with_this_machine_alone() {
        for url in ["http://127.0.0.1:4318/v1/logs", "http://localhost", "http://[::1]:80/x"] {
            assert!(is_local(url), "{url}");
        }
        for url in
            ["http://127.0.0.1.example.com/", "http://localhost@example.com", "https://localhost", "http://h"]
        {
            assert!(!is_local(url), "{url}");
        }
    }

    #[test]
    fn a_time_to_wait_is_seconds_or_a_moment() {
        assert_eq!(retry_after("7"), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        let far = retry_after("Fri, 01 Jan 2999 00:00:00 GMT").unwrap();
        assert!(far > Duration::from_secs(1_000_000));
        assert_eq!(retry_after("soon"), None);
    }

    #[test]
    fn an_answer_is_taken_for_what_can_be_done_about_it() {
        let answer = |status| Answer {
            status,
            after: Some(Duration::from_secs(3)),
            headers: http::HeaderMap::new(),
            body: Vec::new(),
        };
        let url = "https://h/x?token=s3cr3t";
        assert!(judge(answer(204), url).is_ok());
        assert!(matches!(judge(answer(413), url), Err(Trouble::Refused { .. })));
        for status in [401, 404, 429, 500, 503, 302] {
            let Err(Trouble::Later { why, after }) = judge(answer(status), url) else { panic!("{status}") };
            assert_eq!(after, Some(Duration::from_secs(3)));
            assert!(!why.contains("s3cr3t"), "{why}");
        }
    }
}
