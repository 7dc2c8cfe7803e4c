//! What is remembered of a rule's hosts: tokens that went out and what they stand for, since what a host answers with one is
//! turned back; and the last bytes that went there.
//!
//! Never turns a token back for another host than those of the rule it went out by. Never grows past its bounds: the
//! oldest token is forgotten, and stays as it is in what comes.

use super::credential::{Hidden, Keys};
use super::heads::Heads;
use super::needle::{Finder, Needles, Piece};
use super::splice::BEFORE;
use crate::wire::egress::Host;
use http::header::{HeaderMap, HeaderValue};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// Rules whose tokens are known.
const MOST_TABLES: usize = 256;
/// Tokens of one.
const MOST_TOKENS: usize = 256;
/// Bytes that one token stands for.
const MOST_BYTES: usize = 16 << 10;

/// Tokens of a session, by the hosts of rules.
#[derive(Debug, Default)]
pub(super) struct Tokens(Mutex<HashMap<Host, Arc<Table>>>);

/// Tokens of one rule's hosts, and what went there.
#[derive(Debug, Default)]
pub(super) struct Table(Mutex<Inside>, tokio::sync::Mutex<Heads>);

#[derive(Debug, Default)]
struct Inside {
    all: VecDeque<(String, Hidden)>,
    /// Changes with every token.
    version: u64,
    ready: Option<(u64, Arc<Search>)>,
    /// The last bytes that went out.
    tail: Hidden,
}

#[derive(Debug)]
struct Search {
    needles: Needles,
    words: Vec<Hidden>,
}

impl Tokens {
    /// Those of these hosts.
    pub(super) fn of(&self, host: &Host) -> Arc<Table> {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !tables.contains_key(host) && tables.len() >= MOST_TABLES {
            return Arc::default();
        }
        tables.entry(host.clone()).or_default().clone()
    }
}

impl Table {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What heads of requests said.
    pub(super) async fn heads(&self) -> tokio::sync::MutexGuard<'_, Heads> {
        self.1.lock().await
    }

    /// A token goes out for these bytes.
    pub(super) fn keep(&self, token: &str, stands_for: &[u8]) {
        if token.is_empty() || stands_for.len() > MOST_BYTES {
            return;
        }
        let mut inside = self.inside();
        if inside.all.iter().any(|(known, _)| known == token) {
            return;
        }
        if inside.all.len() >= MOST_TOKENS {
            inside.all.pop_front();
        }
        inside.all.push_back((token.to_owned(), Hidden(Zeroizing::new(stands_for.to_vec()))));
        inside.version += 1;
    }

    /// These bytes go out.
    pub(super) fn sent(&self, bytes: &[u8]) {
        let tail = &mut self.inside().tail.0;
        let more = bytes.get(bytes.len().saturating_sub(BEFORE)..).unwrap_or_default();
        let kept = tail.len().saturating_sub(BEFORE - more.len());
        tail.drain(..kept);
        tail.extend_from_slice(more);
    }

    /// The last bytes that went out.
    pub(super) fn tail(&self) -> Vec<u8> {
        self.inside().tail.0.to_vec()
    }

    /// Whether there is any token.
    pub(super) fn any(&self) -> bool {
        !self.inside().all.is_empty()
    }

    /// A search for all that are known, unless `version` is the one for them.
    fn search(&self, version: u64) -> Option<(u64, Arc<Search>)> {
        let mut inside = self.inside();
        if inside.version == version {
            return None;
        }
        let fresh = inside.ready.as_ref().is_some_and(|(of, _)| *of == inside.version);
        if !fresh {
            let needles = Needles::plain(inside.all.iter().map(|(token, _)| token.as_bytes())).ok()?;
            let words = inside.all.iter().map(|(_, word)| Hidden(word.0.clone())).collect();
            inside.ready = Some((inside.version, Arc::new(Search { needles, words })));
        }
        inside.ready.clone()
    }
}

/// What comes back from a host, with its values in place of tokens, and placeholders in place of secrets.
#[derive(Debug)]
pub(super) struct Back {
    keys: Arc<Keys>,
    table: Arc<Table>,
    version: u64,
    search: Option<Arc<Search>>,
    tokens: Finder,
    secrets: Finder,
}

impl Back {
    /// For one body or message.
    pub(super) fn new(keys: Arc<Keys>, table: Arc<Table>) -> Self {
        let (tokens, secrets) = (Finder::default(), Finder::default());
        Self { keys, table, version: 0, search: None, tokens, secrets }
    }

    /// Whether anything may be changed.
    pub(super) fn changes(&self) -> bool {
        self.keys.any() || self.table.any()
    }

    /// Whether something must not be seen by the agent.
    pub(super) fn hides(&self) -> bool {
        self.keys.any()
    }

    /// Whether what is changed may have another length.
    pub(super) fn changes_length(&self) -> bool {
        self.table.any() || self.keys.any() && !self.keys.keeps_length()
    }

    /// Whether bytes wait for those behind them.
    pub(super) fn is_holding(&self) -> bool {
        self.tokens.is_holding() || self.secrets.is_holding()
    }

    /// What goes to the agent for these bytes. Tokens that went out meanwhile are known.
    pub(super) fn feed(&mut self, bytes: &[u8], last: bool) -> Vec<u8> {
        if let Some((version, search)) = self.table.search(self.version) {
            (self.version, self.search) = (version, Some(search));
        }
        let Some(search) = &self.search else { return self.keys.scrub(&mut self.secrets, bytes, last) };
        let mut plain = Zeroizing::new(Vec::with_capacity(bytes.len()));
        search.needles.feed(&mut self.tokens, bytes, last, |piece| match piece {
            Piece::Plain(bytes) => plain.extend_from_slice(bytes),
            Piece::Word(found, token) => {
                let word = search.words.get(found.word).map_or(token, |word| word.0.as_slice());
                plain.extend_from_slice(word);
            }
        });
        self.keys.scrub(&mut self.secrets, &plain, last)
    }

    /// Header values, changed in the same way.
    pub(super) fn headers(&self, headers: &mut HeaderMap) {
        if self.table.any() {
            for value in headers.values_mut() {
                let mut back = Self::new(self.keys.clone(), self.table.clone());
                let whole = back.feed(value.as_bytes(), true);
                if whole != value.as_bytes()
                    && let Ok(whole) = HeaderValue::from_bytes(&whole)
                {
                    *value = whole;
                }
            }
        }
        self.keys.scrub_headers(headers);
    }
}

#[cfg(test)]
mod tests {
    use super::super::credential::Vault;
    use super::*;

    fn keys() -> Arc<Keys> {
        Arc::new(Arc::new(Vault::default()).keys("a.example", true).unwrap())
    }

    #[test]
    fn a_token_is_turned_back_however_the_answer_is_cut_and_for_its_hosts_alone() {
        let tokens = Tokens::default();
        let host = |name: &str| Host::Name { name: name.into() };
        tokens.of(&host("a.example")).keep("qwkzpvnmxyhtrbsl", b"4111 1111 1111 1111");
        let text = b"data: qwkzpvnmxyhtrbsl\n\nqwkzpvnmxyhtrbs!";
        for step in 1..text.len() {
            let mut back = Back::new(keys(), tokens.of(&host("a.example")));
            let mut out = Vec::new();
            text.chunks(step).for_each(|part| out.extend(back.feed(part, false)));
            out.extend(back.feed(b"", true));
            assert_eq!(out, b"data: 4111 1111 1111 1111\n\nqwkzpvnmxyhtrbs!", "{step}");
        }
        let mut other = Back::new(keys(), tokens.of(&host("b.example")));
        assert_eq!(other.feed(text, true), text);
    }

    #[test]
    fn a_token_that_goes_out_meanwhile_is_known_and_the_oldest_is_forgotten() {
        let table = Arc::new(Table::default());
        let mut back = Back::new(keys(), table.clone());
        assert_eq!(back.feed(b"token-0 tok", false), b"token-0 tok");
        for number in 0..=MOST_TOKENS {
            table.keep(&format!("<{number:06}>"), format!("v{number}").as_bytes());
        }
        assert_eq!(back.feed(b"<000000> <000001> <000256", false), b"<000000> v1 ");
        assert_eq!(back.feed(b">", true), b"v256");
        assert!(!format!("{table:?}").contains("v256"), "{table:?}");
    }
}
