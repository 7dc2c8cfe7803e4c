//! Secrets that stay outside: the agent has placeholders, and each host gets its own secrets in their place.
//!
//! Never gives a secret to another host, over a connection that nobody verified, or back to the agent.

use super::encode::{Form, percent, write};
use super::needle::{Finder, Found, Needles, Piece};
use super::refuse::Refusal;
use crate::wire::egress::{Credential, Host, Place};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{HeaderMap, HeaderValue};
use http::uri::PathAndQuery;
use std::net::IpAddr;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Every secret of the session.
#[derive(Default)]
pub(super) struct Vault {
    entries: Vec<Entry>,
    placeholders: Option<Needles>,
}

struct Entry {
    name: String,
    placeholder: Vec<u8>,
    secret: Zeroizing<Vec<u8>>,
    hosts: Vec<Host>,
    places: Vec<Place>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_list().entries(self.entries.iter().map(|entry| &entry.name)).finish()
    }
}

/// What one host gets of them.
#[derive(Debug)]
pub(super) struct Keys {
    vault: Arc<Vault>,
    /// For each entry, whether it is this host's.
    own: Vec<bool>,
    /// Secrets of this host: the answer must not show them.
    secrets: Option<Needles>,
    /// Which entry a secret of `secrets` belongs to.
    entries: Vec<usize>,
}

impl Vault {
    /// Takes the secrets.
    /// # Errors
    /// For people: when a secret or its placeholder is empty, or there are too many.
    pub(super) fn new(credentials: Vec<Credential>) -> Result<Self, String> {
        let mut entries = Vec::new();
        for credential in credentials {
            if credential.placeholder.is_empty() || credential.secret.is_empty() {
                return Err(format!(
                    "the credential {} is empty",
                    crate::base::escape(credential.name.as_bytes())
                ));
            }
            entries.push(Entry {
                name: credential.name,
                placeholder: credential.placeholder.into_bytes(),
                secret: Zeroizing::new(credential.secret.into_bytes()),
                hosts: credential.hosts,
                places: credential.places,
            });
        }
        let words = entries.iter().map(|entry| entry.placeholder.as_slice());
        let needles =
            Needles::new(words).map_err(|error| format!("credentials cannot be looked for: {error}"))?;
        Ok(Self { placeholders: (!needles.is_empty()).then_some(needles), entries })
    }

    /// What this host gets. Over a connection without TLS only the host's own loopback gets anything.
    /// # Errors
    /// When they cannot be looked for.
    pub(super) fn keys(self: &Arc<Self>, host: &str, tls: bool) -> Result<Keys, Refusal> {
        let is_own = |entry: &Entry| {
            entry.hosts.iter().any(|named| covers(named, host) && (tls || *named == Host::Loopback {}))
        };
        let own: Vec<bool> = self.entries.iter().map(is_own).collect();
        let entries: Vec<usize> =
            own.iter().enumerate().filter(|(_, own)| **own).map(|(place, _)| place).collect();
        let words =
            entries.iter().filter_map(|place| self.entries.get(*place)).map(|entry| entry.secret.as_slice());
        let secrets =
            Needles::new(words).map_err(|_| Refusal::new(502, "internal", "too many credentials"))?;
        Ok(Keys { vault: self.clone(), own, secrets: (!secrets.is_empty()).then_some(secrets), entries })
    }
}

/// Whether a host of a credential is this one.
fn covers(named: &Host, host: &str) -> bool {
    match named {
        Host::Name { name } => name == host,
        Host::Below { name } => host.strip_suffix(name.as_str()).is_some_and(|rest| rest.ends_with('.')),
        Host::Network { address, bits } => match (address.parse(), host.parse()) {
            (Ok(network), Ok(host)) => is_within(network, *bits, host),
            _ => false,
        },
        Host::Loopback {} => host == "localhost",
    }
}

fn is_within(network: IpAddr, bits: u8, host: IpAddr) -> bool {
    let wide = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let ((network, width), (host, same)) = (wide(network), wide(host));
    let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
    width == same && bits <= width && network & mask == host & mask
}

/// What stands in a placeholder's place.
#[derive(Debug)]
pub(super) enum Swap {
    /// The secret goes out.
    Secret(Hidden),
    /// The placeholder does: it is this host's, but not looked for there.
    Stays,
}

/// Bytes of a secret, which show nothing of themselves.
#[derive(Default)]
pub(super) struct Hidden(pub Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Hidden")
    }
}

impl Keys {
    /// Whether answers of this host may show a secret.
    pub(super) fn any(&self) -> bool {
        self.secrets.is_some()
    }

    /// The placeholders of those of these credentials that this host gets.
    pub(super) fn placeholders_of(&self, names: &[String]) -> Vec<&[u8]> {
        let own = self.entries.iter().filter_map(|place| self.vault.entries.get(*place));
        own.filter(|entry| names.contains(&entry.name)).map(|entry| entry.placeholder.as_slice()).collect()
    }

    /// Whether a body to this host may get a secret.
    pub(super) fn swaps_bodies(&self) -> bool {
        let entries = self.entries.iter().filter_map(|place| self.vault.entries.get(*place));
        entries.into_iter().any(|entry| entry.places.contains(&Place::Body))
    }

    /// The search for placeholders, when there are any in this session.
    pub(super) fn placeholders(&self) -> Option<&Needles> {
        self.vault.placeholders.as_ref()
    }

    /// What becomes of a placeholder that was found.
    /// # Errors
    /// 403 `placeholder`, an alert, when it is another host's.
    pub(super) fn judge(&self, found: Found, place: Place) -> Result<Swap, Refusal> {
        let entry = self.vault.entries.get(found.word).filter(|_| self.own.get(found.word) == Some(&true));
        let Some(entry) = entry else { return Err(foreign()) };
        let swaps = matches!(found.form, Form::Plain | Form::Percent | Form::PercentLower | Form::Json);
        if swaps && entry.places.contains(&place) {
            return Ok(Swap::Secret(Hidden(write(&entry.secret, found.form))));
        }
        Ok(Swap::Stays)
    }

    /// Swaps placeholders in the query and in header values. Values with a secret are never indexed by HTTP/2.
    /// # Errors
    /// As [`Keys::judge`]; 400 when the result is no header or target.
    pub(super) fn swap_head(
        &self,
        target: &mut PathAndQuery,
        headers: &mut HeaderMap,
    ) -> Result<bool, Refusal> {
        if self.placeholders().is_none() {
            return Ok(false);
        }
        let mut swapped = self.swap_target(target)?;
        for (name, value) in headers.iter_mut() {
            let old = value.as_bytes();
            let new = match basic(old) {
                Some(plain) => self.swap(&plain, Place::Header)?.map(|new| {
                    Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(&*new)).into_bytes())
                }),
                None => self.swap(old, Place::Header)?,
            };
            let Some(new) = new else { continue };
            let mut value_with_secret = HeaderValue::from_bytes(&new).map_err(|_| {
                Refusal::new(400, "credential", format!("the credential cannot stand in {name}"))
            })?;
            value_with_secret.set_sensitive(true);
            *value = value_with_secret;
            swapped = true;
        }
        Ok(swapped)
    }

    fn swap_target(&self, target: &mut PathAndQuery) -> Result<bool, Refusal> {
        for spelled in [target.as_str().as_bytes().to_vec(), unescape(target.as_str().as_bytes())] {
            self.swap(&spelled, Place::Query)?;
        }
        let Some(query) = target.query() else { return Ok(false) };
        let mut changed = false;
        let mut parts: Vec<Zeroizing<Vec<u8>>> = Vec::new();
        for part in query.split('&') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            match self.swap(&unescape(value.as_bytes()), Place::Query)? {
                Some(new) => {
                    let with = [name.as_bytes(), b"=", &Zeroizing::new(percent(&new))].concat();
                    parts.push(Zeroizing::new(with));
                    changed = true;
                }
                None => parts.push(Zeroizing::new(part.as_bytes().to_vec())),
            }
        }
        if changed {
            let joined =
                Zeroizing::new(parts.iter().map(|part| part.as_slice()).collect::<Vec<_>>().join(&b'&'));
            let whole = Zeroizing::new([target.path().as_bytes(), b"?", &joined].concat());
            *target = PathAndQuery::try_from(whole.as_slice())
                .map_err(|_| Refusal::new(400, "credential", "the credential cannot stand in the query"))?;
        }
        Ok(changed)
    }

    /// The text with secrets, when there was a placeholder for one.
    fn swap(&self, text: &[u8], place: Place) -> Result<Option<Zeroizing<Vec<u8>>>, Refusal> {
        let Some(needles) = self.placeholders() else { return Ok(None) };
        let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
        let mut result = Ok(false);
        needles.feed(&mut Finder::default(), text, true, |piece| match piece {
            Piece::Plain(bytes) => out.extend_from_slice(bytes),
            Piece::Word(found, bytes) => match self.judge(found, place) {
                Ok(Swap::Secret(secret)) => {
                    out.extend_from_slice(&secret.0);
                    result = result.clone().map(|_| true);
                }
                Ok(Swap::Stays) => out.extend_from_slice(bytes),
                Err(refusal) => result = Err(refusal),
            },
        });
        Ok(result?.then_some(out))
    }

    /// A copy of the same length without this host's placeholders, for those who look for secrets.
    pub(super) fn mask(&self, text: &[u8]) -> Vec<u8> {
        let Some(needles) = self.placeholders() else { return text.to_vec() };
        let mut out = Vec::with_capacity(text.len());
        needles.feed(&mut Finder::default(), text, true, |piece| match piece {
            Piece::Plain(bytes) => out.extend_from_slice(bytes),
            Piece::Word(_, bytes) => out.resize(out.len() + bytes.len(), b'x'),
        });
        out
    }

    /// A part of an answer, with placeholders where it shows secrets.
    pub(super) fn scrub(&self, finder: &mut Finder, bytes: &[u8], last: bool) -> Vec<u8> {
        let Some(secrets) = &self.secrets else { return bytes.to_vec() };
        let mut out = Vec::with_capacity(bytes.len());
        secrets.feed(finder, bytes, last, |piece| match piece {
            Piece::Plain(bytes) => out.extend_from_slice(bytes),
            Piece::Word(found, _) => out.extend_from_slice(&self.in_its_place(found)),
        });
        out
    }

    fn in_its_place(&self, found: Found) -> Zeroizing<Vec<u8>> {
        let entry = self.entries.get(found.word).and_then(|place| self.vault.entries.get(*place));
        entry.map(|entry| write(&entry.placeholder, found.form)).unwrap_or_default()
    }

    /// Header values of an answer, with placeholders where they show secrets.
    pub(super) fn scrub_headers(&self, headers: &mut HeaderMap) {
        let Some(secrets) = &self.secrets else { return };
        for value in headers.values_mut() {
            let shown = basic(value.as_bytes()).unwrap_or_else(|| value.as_bytes().to_vec());
            if secrets.find(value.as_bytes()).is_none() && secrets.find(&shown).is_none() {
                continue;
            }
            let clean = self.scrub(&mut Finder::default(), value.as_bytes(), true);
            *value = HeaderValue::from_bytes(&clean).unwrap_or(HeaderValue::from_static(""));
        }
    }

    /// Whether every echo is as long as what stands in its place: then lengths that were announced stay true.
    pub(super) fn keeps_length(&self) -> bool {
        let entries = self.entries.iter().filter_map(|place| self.vault.entries.get(*place));
        entries.into_iter().all(|entry| {
            let shapes =
                |word: &[u8]| super::encode::forms(word).map(|(_, text)| text.len()).collect::<Vec<_>>();
            shapes(&entry.secret) == shapes(&entry.placeholder)
        })
    }
}

fn foreign() -> Refusal {
    Refusal::new(403, "placeholder", "a placeholder of a credential is not for this host").alarming()
}

/// What stands behind `Basic`, decoded.
fn basic(value: &[u8]) -> Option<Vec<u8>> {
    let (scheme, text) = value.split_at_checked(6)?;
    scheme.eq_ignore_ascii_case(b"basic ").then(|| BASE64_STANDARD.decode(text.trim_ascii()).ok())?
}

/// One round of percent decoding; what is no escape stays.
pub(super) fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        let digit = |place: usize| after.get(place).and_then(|byte| char::from(*byte).to_digit(16));
        match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high << 4 | low).unwrap_or(0));
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(*byte);
                rest = after;
            }
        }
    }
    out
}

#[cfg(test)]
#[path = "credential_tests.rs"]
mod tests;
