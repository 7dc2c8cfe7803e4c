//! A request and an answer, as what is behind the sockets sees them: without a socket.

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{Method, StatusCode};
use std::collections::BTreeMap;
use std::fmt;

/// The most bytes of a path with its question.
const MOST_TARGET: usize = 8 << 10;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Peer {
    /// A process of this user, on the local socket.
    Local {
        /// Its user.
        uid: u32,
    },
    /// A client with a certificate that holds.
    Certified {
        /// Its names that are known here, or else the digest of its certificate.
        name: String,
    },
}

/// A request whose body is there.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) peer: Peer,
    pub(super) method: Method,
    /// The parts of the path, decoded.
    pub(super) path: Vec<String>,
    /// The question behind it, decoded; each name once.
    pub(super) query: BTreeMap<String, String>,
    /// `If-None-Match`.
    pub(super) unless: Option<String>,
    pub(super) body: Bytes,
}

/// Why a target makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadTarget(pub(super) &'static str);

impl Asked {
    /// Reads a target strictly: every escape is whole, all of it is text, and no name comes twice.
    pub(super) fn target(target: &str) -> Result<(Vec<String>, BTreeMap<String, String>), BadTarget> {
        if target.len() > MOST_TARGET {
            return Err(BadTarget("the target is too long"));
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = path.strip_prefix('/').ok_or(BadTarget("the target is no path"))?;
        let path: Vec<String> = path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(|part| decoded(part, false))
            .collect::<Result<_, _>>()?;
        let mut named = BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if named.insert(decoded(name, true)?, decoded(value, true)?).is_some() {
                return Err(BadTarget("a name comes twice"));
            }
        }
        Ok((path, named))
    }
}

fn decoded(text: &str, plus: bool) -> Result<String, BadTarget> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'%' => {
                let digits = tail.first_chunk::<2>().and_then(|two| str::from_utf8(two).ok());
                let hex = digits.filter(|two| two.bytes().all(|byte| byte.is_ascii_hexdigit()));
                let byte = hex.and_then(|two| u8::from_str_radix(two, 16).ok());
                bytes.push(byte.ok_or(BadTarget("an escape is not whole"))?);
                rest = tail.get(2..).unwrap_or_default();
            }
            b'+' if plus => bytes.push(b' '),
            other => bytes.push(*other),
        }
    }
    let text = String::from_utf8(bytes).map_err(|_| BadTarget("it is no text"))?;
    if text.contains('\0') { Err(BadTarget("it has a zero byte")) } else { Ok(text) }
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) kind: &'static str,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Bytes,
}

impl fmt::Debug for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

impl Answer {
    /// Bytes of a kind.
    pub(super) fn of(kind: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status: StatusCode::OK, kind, headers: Vec::new(), body: body.into() }
    }

    /// JSON; nothing in it can act on a terminal.
    pub(super) fn json(value: &serde_json::Value) -> Self {
        let text = crate::audit::json(value).unwrap_or_default();
        Self::of("application/json", text + "\n")
    }

    /// That it does not go, and why, as JSON. Nothing of what was asked stands in it unescaped.
    pub(super) fn refusal(status: StatusCode, why: &str) -> Self {
        let why = crate::base::escape(why.as_bytes());
        let error = serde_json::json!({ "error": { "status": status.as_u16(), "why": why } });
        Self { status, ..Self::json(&error) }
    }

    /// The same with a header.
    pub(super) fn with(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        if let Ok(value) = value.try_into() {
            self.headers.push((name, value));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_whole_or_not_at_all() {
        let (path, query) = Asked::target("/v1//sessions/%2e%2E?a=b+c&d=%2B&e").unwrap();
        assert_eq!(path, ["v1", "sessions", ".."]);
        let told: Vec<(&str, &str)> =
            query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(told, [("a", "b c"), ("d", "+"), ("e", "")]);
        let long = format!("/{}", "a".repeat(MOST_TARGET));
        for bad in ["v1", "/%", "/%4", "/%+1", "/%zz", "/%00", "/%ff", "/?a=1&a=2", "/?a=%ff", "*", &long] {
            assert!(Asked::target(bad).is_err(), "{bad:.40}");
        }
    }
}
