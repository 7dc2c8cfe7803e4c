//! Heads of requests to one host, read as one text: a secret of which a query has the first half, and a header or the next
//! request the second.
//!
//! Looks at what is new alone: what each request repeats says nothing, and would stand between the halves; and at no login,
//! which is a secret in its place. Never takes for known what was refused.

use super::credential::{Hidden, unescape};
use super::head_scan::PLAIN;
use super::judge::Judge;
use super::login::LOGINS;
use super::refuse::Refusal;
use super::splice::across;
use http::HeaderMap;
use http::uri::PathAndQuery;
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::Ordering;
use zeroize::Zeroizing;

/// Parts that are remembered as known.
const MOST_SEEN: usize = 1024;
/// A shorter part is never taken for known: a secret can come letter by letter.
const LEAST_KNOWN: usize = 2;
/// Bytes of what heads said that are looked at again.
const BEFORE: usize = 1 << 10;

/// What heads of requests to one host said.
#[derive(Debug, Default)]
pub(super) struct Heads {
    hash: RandomState,
    seen: VecDeque<u64>,
    tail: Hidden,
}

impl Heads {
    /// The last of it.
    pub(super) fn tail(&self) -> Zeroizing<Vec<u8>> {
        self.tail.0.clone()
    }

    fn of(&self, place: &str, bytes: &[u8]) -> u64 {
        self.hash.hash_one((place, bytes))
    }

    fn is_known(&self, place: &str, bytes: &[u8]) -> bool {
        bytes.len() >= LEAST_KNOWN && self.seen.contains(&self.of(place, bytes))
    }

    fn keep(&mut self, parts: &[Part]) {
        // The target last: what the next target goes on with stands beside it, and not behind all headers of the first.
        let is_header = |(place, _): &&Part| !place.starts_with(['/', '?']);
        let (headers, target): (Vec<&Part>, Vec<&Part>) = parts.iter().partition(is_header);
        for (place, bytes) in headers.into_iter().chain(target) {
            if self.seen.len() >= MOST_SEEN {
                self.seen.pop_front();
            }
            self.seen.push_back(self.of(place, bytes));
            self.tail.0.extend_from_slice(bytes);
        }
        let over = self.tail.0.len().saturating_sub(BEFORE);
        self.tail.0.drain(..over);
    }
}

/// Where it stands, and what it says, without placeholders.
type Part = (String, Zeroizing<Vec<u8>>);

/// Lets role `dlp` read what is new in a head together with what came before it.
/// # Errors
/// 403 `dlp` or `dlp-unscannable`.
pub(super) async fn read(judge: &Judge, target: &PathAndQuery, headers: &HeaderMap) -> Result<(), Refusal> {
    // Held while it is read: of two requests at one time the second knows the first.
    let mut heads = judge.tokens.heads().await;
    let mut fresh = parts(judge, target, headers);
    fresh.retain(|(place, bytes)| !heads.is_known(place, bytes));
    if fresh.is_empty() {
        return Ok(());
    }
    let before = heads.tail();
    let bytes = fresh.iter().map(|(_, bytes)| bytes.as_slice());
    let all: Vec<&[u8]> = [before.as_slice()].into_iter().chain(bytes).collect();
    if all.iter().filter(|part| !part.is_empty()).count() > 1 {
        across(judge, "text/plain", &all, false).await?;
    }
    heads.keep(&fresh);
    judge.fresh.store(true, Ordering::Relaxed);
    Ok(())
}

/// What an agent can say in a head: parts of the path, values of the query and of headers.
fn parts(judge: &Judge, target: &PathAndQuery, headers: &HeaderMap) -> Vec<Part> {
    let path = target.path().split('/').map(|part| ("/".to_owned(), unescape(part.as_bytes())));
    let query = target.query().unwrap_or_default().split(['&', ';']).map(|part| {
        let (name, value) = part.split_once('=').unwrap_or(("", part));
        (format!("?{name}"), unescape(value.as_bytes()))
    });
    let said = |name: &str| !PLAIN.contains(&name) && !LOGINS.contains(&name);
    let headers = headers.iter().filter(|(name, _)| said(name.as_str()));
    let headers = headers.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
    let all = path.chain(query).chain(headers).filter(|(_, bytes)| !bytes.is_empty());
    all.map(|(place, bytes)| (place, Zeroizing::new(judge.keys.mask(&bytes)))).collect()
}
