//! One line for each object of a run: how often it was asked for, given, touched and refused, and what went through it.
//!
//! Summed in memory while a log is read, and added to what is there when it is put away.

use super::facts::{Facts, Said};
use rusqlite::{Connection, params};
use std::collections::HashMap;

/// A leaf, as far as every line of it is the same.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaf {
    pub(super) index: i64,
    pub(super) ts: i64,
}

#[derive(Debug, Default)]
struct Line {
    leaves: i64,
    counts: [i64; 5],
    refused: Option<i64>,
    granted: i64,
    seen: i64,
    denied: i64,
    sent: i64,
    received: i64,
    label: Option<i64>,
    found: i64,
    first: i64,
    last: i64,
    since: i64,
    until: i64,
}

/// The lines of one run that are not put away yet.
#[derive(Debug, Default)]
pub(super) struct Rolls(HashMap<i64, Line>);

impl Rolls {
    /// Adds an event to the line of an object.
    pub(super) fn add(&mut self, object: i64, leaf: Leaf, facts: &Facts, label: Option<i64>) {
        let fresh = || Line { first: leaf.index, since: leaf.ts, ..Line::default() };
        let line = self.0.entry(object).or_insert_with(fresh);
        line.leaves += 1;
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        if let Some(count) = line.counts.get_mut(facts.said as usize) {
            *count = count.saturating_add(number(facts.count));
        }
        match facts.said {
            Said::Granted => line.granted |= facts.acts.0,
            Said::Seen => line.seen |= facts.acts.0,
            Said::Denied => {
                line.denied |= facts.acts.0;
                line.refused.get_or_insert(leaf.index);
            }
            Said::Asked | Said::Other => {}
        }
        line.sent = line.sent.saturating_add(number(facts.sent));
        line.received = line.received.saturating_add(number(facts.received));
        line.label = label.or(line.label);
        line.found |= facts.evidence();
        (line.last, line.until) = (leaf.index, line.until.max(leaf.ts));
    }

    /// How many lines wait.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Puts all of them away.
    pub(super) fn put(&mut self, db: &Connection, run: i64) -> rusqlite::Result<()> {
        let mut insert = db.prepare(
            "INSERT INTO roll VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20) \
             ON CONFLICT(run, obj) DO UPDATE SET leaves = leaves + excluded.leaves, asked = asked + excluded.asked, \
             granted = granted + excluded.granted, seen = seen + excluded.seen, \
             denied = denied + excluded.denied, other = other + excluded.other, \
             acts_granted = acts_granted | excluded.acts_granted, acts_seen = acts_seen | excluded.acts_seen, \
             acts_denied = acts_denied | excluded.acts_denied, sent = sent + excluded.sent, \
             received = received + excluded.received, label = coalesce(excluded.label, label), \
             found = found | excluded.found, last = excluded.last, refused = coalesce(refused, excluded.refused), until = max(until, excluded.until)",
        )?;
        let mut lines: Vec<(i64, Line)> = self.0.drain().collect();
        lines.sort_unstable_by_key(|(object, _)| *object);
        for (object, line) in lines {
            let [other, asked, granted, seen, denied] = line.counts;
            insert.execute(params![
                run,
                object,
                line.leaves,
                asked,
                granted,
                seen,
                denied,
                other,
                line.granted,
                line.seen,
                line.denied,
                line.sent,
                line.received,
                line.label,
                line.found,
                line.first,
                line.last,
                line.refused,
                line.since,
                line.until
            ])?;
        }
        Ok(())
    }
}
