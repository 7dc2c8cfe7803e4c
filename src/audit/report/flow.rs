//! Flows: what went from a place to a program, and from a program to a host or a place, as far as records say.
//!
//! Never joins two flows to one: that what a program read is what it sent is said only where its content was found.

use super::process::named;
use crate::audit::Record;
use crate::audit::index::{FOUND_CONTENT, Facts, Kind, Said};
use crate::base::Action;
use serde::Serialize;
use serde_json::Value;
use std::collections::HashMap;

/// The most flows, leases and connections that are kept.
const MOST: usize = 2_000;
const MOST_OPEN: usize = 20_000;
/// The most bytes of a name.
const MOST_NAME: usize = 1_024;

/// One end of a flow.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct End {
    /// `file`, `host`, `program`, `device`.
    pub kind: Kind,
    /// Its name.
    pub name: String,
}

/// How sure it is that something went there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// It was given; nobody sees whether it was used.
    Given,
    /// Bytes or accesses were seen.
    Seen,
    /// A rule found something in what went.
    Rule,
    /// The content of something known was found in it.
    Content,
}

/// What went from one end to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// From here.
    pub from: End,
    /// To there.
    pub to: End,
    /// Bytes, where they were seen.
    pub bytes: u64,
    /// Events.
    pub times: u64,
    /// How sure it is.
    pub strength: Strength,
    /// How sensitive the place is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// Some of it was stopped.
    pub stopped: u64,
    /// The first event.
    pub first: u64,
}

#[derive(Debug, Clone)]
struct Lease {
    place: End,
    program: End,
    label: String,
}

/// All flows of a run.
#[derive(Debug, Default)]
pub struct Flows {
    all: Vec<Flow>,
    known: HashMap<(End, End), usize>,
    leases: HashMap<String, Lease>,
    open: HashMap<u64, u64>,
    /// Events whose flow had no room.
    crowded: u64,
}

impl Flows {
    /// Takes what a record says.
    pub(super) fn take(&mut self, record: &Record, facts: &Facts) {
        match record.event.as_str() {
            "grant" => self.grant(record, facts),
            "transfer" => self.transfer(record, facts),
            "network" => self.network(record, facts),
            _ => {}
        }
    }

    fn grant(&mut self, record: &Record, facts: &Facts) {
        let Some((kind @ (Kind::File | Kind::Device), place)) = &facts.object else { return };
        let place = End { kind: *kind, name: name(place) };
        let lease = Lease { place: place.clone(), program: program(record), label: facts.label.clone() };
        if facts.acts.any(&[Action::Read, Action::Use]) {
            let flow = self.flow(record.seq, place, lease.program.clone());
            given(flow, Strength::Given, &facts.label);
        }
        let id = record.data.get("grant").and_then(Value::as_str);
        if let Some(id) = id.filter(|_| self.leases.len() < MOST_OPEN) {
            self.leases.insert(id.to_owned(), lease);
        }
    }

    fn transfer(&mut self, record: &Record, facts: &Facts) {
        let Some(lease) = facts.lease.as_ref().and_then(|id| self.leases.get(id)).cloned() else { return };
        if facts.received > 0 || facts.acts.any(&[Action::Read]) {
            let flow = self.flow(record.seq, lease.place.clone(), lease.program.clone());
            add(given(flow, Strength::Seen, &lease.label), facts.received);
        }
        if facts.sent > 0 || facts.acts.any(&[Action::Append, Action::Overwrite, Action::Create]) {
            let flow = self.flow(record.seq, lease.program, lease.place);
            add(given(flow, Strength::Seen, &lease.label), facts.sent);
        }
    }

    fn network(&mut self, record: &Record, facts: &Facts) {
        let Some((Kind::Host, host)) = &facts.object else { return };
        let so_far = facts.flow.map_or(0, |flow| self.open.get(&flow).copied().unwrap_or(0));
        let bytes = facts.sent.saturating_sub(so_far);
        if let Some(flow) =
            facts.flow.filter(|flow| self.open.len() < MOST_OPEN || self.open.contains_key(flow))
        {
            self.open.insert(flow, facts.sent.max(so_far));
        }
        let strength = match facts.evidence() {
            0 => Strength::Seen,
            found if found & FOUND_CONTENT != 0 => Strength::Content,
            _ => Strength::Rule,
        };
        let host = End { kind: Kind::Host, name: name(host) };
        let flow = given(self.flow(record.seq, program(record), host), strength, "");
        let stopped = u64::from(facts.said == Said::Denied);
        if let Some(flow) = add(flow, bytes) {
            flow.stopped += stopped;
        }
    }

    fn flow(&mut self, seq: u64, from: End, to: End) -> Option<&mut Flow> {
        let next = self.all.len();
        let key = (from, to);
        let place = match self.known.get(&key) {
            Some(place) => *place,
            None if next < MOST => {
                self.known.insert(key.clone(), next);
                let (from, to) = key;
                let (label, strength) = (String::new(), Strength::Given);
                self.all.push(Flow { from, to, bytes: 0, times: 0, strength, label, stopped: 0, first: seq });
                next
            }
            None => {
                self.crowded += 1;
                return None;
            }
        };
        self.all.get_mut(place)
    }

    /// Those with most bytes first, then those that are surest.
    pub fn ranked(&self) -> Vec<Flow> {
        let mut all = self.all.clone();
        all.sort_by_key(|flow| (std::cmp::Reverse((flow.bytes, flow.strength, flow.times)), flow.first));
        all
    }

    /// Events whose flow had no room.
    pub fn crowded(&self) -> u64 {
        self.crowded
    }
}

fn given<'a>(flow: Option<&'a mut Flow>, strength: Strength, label: &str) -> Option<&'a mut Flow> {
    let flow = flow?;
    flow.strength = flow.strength.max(strength);
    if flow.label.is_empty() {
        label.clone_into(&mut flow.label);
    }
    Some(flow)
}

fn add(flow: Option<&mut Flow>, bytes: u64) -> Option<&mut Flow> {
    let flow = flow?;
    flow.bytes = flow.bytes.saturating_add(bytes);
    flow.times += 1;
    Some(flow)
}

/// The program of the process that a record names.
fn program(record: &Record) -> End {
    let seen = named(&record.data).and_then(|(seen, _)| seen.get("program")).and_then(Value::as_str);
    End { kind: Kind::Program, name: name(seen.unwrap_or("a process that is not known")) }
}

/// A name within its bound.
pub(super) fn name(text: &str) -> String {
    if text.len() <= MOST_NAME {
        return text.to_owned();
    }
    let end = (0..=MOST_NAME).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or_default())
}
