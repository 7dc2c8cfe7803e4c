//! Puts leaves and what opens them together, as a log is read, and counts what it found.
//!
//! Never hands over a value that does not fit the commitment in its leaf. Takes every byte for hostile.

use super::openings::{Body, RedactionId, parse};
use super::sd::{Salted, committed};
use super::segment::openings_name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What there is of the personal fields of a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening<'a> {
    /// It has none.
    None,
    /// They are these: they fit the commitment.
    Open(Salted<'a>),
    /// A redaction took them.
    Withheld(RedactionId),
    /// Nobody knows where they are.
    Missing,
}

impl<'a> Opening<'a> {
    /// The values, as JSON; empty where there are none.
    pub fn value(&self) -> &'a [u8] {
        if let Self::Open(salted) = self { salted.value } else { &[] }
    }

    /// Bytes of the values.
    pub(super) fn length(&self) -> usize {
        self.value().len()
    }
}

/// How many leaves of a log have which.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Openings {
    /// Personal fields are there, and are those that were committed to.
    pub open: u64,
    /// They were withheld by a redaction. The commitment is intact.
    pub withheld: u64,
    /// They are not there, and no redaction says that it took them.
    pub missing: u64,
}

impl Openings {
    /// None of the leaves has personal fields.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// The most redactions of one log whose leaves are told apart.
const MOST_REDACTIONS: usize = 10_000;

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Joined {
    pub(super) counts: Openings,
    /// The indexes that each redaction took, in order.
    pub(super) withheld: BTreeMap<RedactionId, Vec<u64>>,
    /// The first byte of openings that is not what was written, and why.
    pub(super) wrong: Option<((String, u64), String)>,
}

/// The openings of one segment, on their way.
#[derive(Debug)]
pub(super) struct Join<'a> {
    pub(super) joined: &'a mut Joined,
    number: u32,
    /// Bytes of the file before these.
    before: u64,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Join<'a> {
    /// Of the file beside this segment, from a byte on.
    pub(super) fn new(joined: &'a mut Joined, number: u32, before: u64, bytes: &'a [u8]) -> Self {
        Self { joined, number, before, bytes, at: 0 }
    }

    /// Bytes of the file that were taken.
    pub(super) fn held(&self) -> u64 {
        self.before + self.at as u64
    }

    /// Passes over what opens leaves before this one: they were handed over before.
    pub(super) fn pass_over(&mut self, next: u64) {
        while let Some(record) = parse(self.rest()).filter(|record| record.index < next) {
            self.at += record.length;
        }
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn wrong(&mut self, why: &str) {
        let at = (openings_name(self.number), self.held());
        self.joined.wrong.get_or_insert_with(|| (at, why.to_owned()));
    }

    /// What opens this leaf. Every leaf comes here, in order.
    pub(super) fn of(&mut self, index: u64, leaf: &[u8]) -> Opening<'a> {
        let Some(commitment) = committed(leaf) else { return Opening::None };
        let mut record = parse(self.rest());
        while let Some(other) = record.filter(|record| record.index < index) {
            self.wrong("it opens no leaf");
            self.at += other.length;
            record = parse(self.rest());
        }
        let Some(record) = record.filter(|record| record.index == index) else {
            self.joined.counts.missing += 1;
            return Opening::Missing;
        };
        let opening = match record.body {
            Body::Open(salted) if salted.commitment() == *commitment => Opening::Open(salted),
            Body::Open(_) => {
                self.wrong("it does not fit the commitment of its leaf");
                Opening::Missing
            }
            Body::Withheld(id) => Opening::Withheld(id),
        };
        self.at += record.length;
        match opening {
            Opening::Open(_) => self.joined.counts.open += 1,
            Opening::Withheld(id) => self.withheld(id, index),
            Opening::None | Opening::Missing => self.joined.counts.missing += 1,
        }
        opening
    }

    fn withheld(&mut self, id: RedactionId, index: u64) {
        self.joined.counts.withheld += 1;
        let known = &mut self.joined.withheld;
        if known.len() < MOST_REDACTIONS || known.contains_key(&id) {
            known.entry(id).or_default().push(index);
        }
    }

    /// No leaf of this segment follows.
    pub(super) fn end(&mut self) {
        if !self.rest().is_empty() {
            self.wrong("it opens no leaf");
        }
    }
}
