//! Counts over many runs.

use super::{Index, Named, most};
use crate::audit::index::{Fault, Kind};
use rusqlite::params;
use serde::Serialize;

/// How many runs are in which state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Runs.
    pub runs: u64,
    /// Whole and ended.
    pub sealed: u64,
    /// Without an end.
    pub open: u64,
    /// Their end is missing or damaged.
    pub truncated: u64,
    /// Not what was written.
    pub tampered: u64,
    /// Their logs could not be read.
    pub unreadable: u64,
}

/// Counts over runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Runs by state.
    #[serde(flatten)]
    pub tally: Tally,
    /// Leaves in all.
    pub leaves: u64,
    /// When the first began.
    pub since: Option<String>,
    /// Events by name.
    pub events: Vec<Named>,
    /// Refusals by reason.
    pub reasons: Vec<Named>,
    /// Yeses by who or what said it.
    pub approvers: Vec<Named>,
    /// Refusals by object.
    pub refused: Vec<Named>,
    /// What was found in what left.
    pub found: Vec<Named>,
}

impl Index {
    /// Counts over the runs that began since this moment, microseconds since 1970; each list has at most `limit`.
    /// # Errors
    /// As [`ask`](crate::audit::index::ask).
    pub fn stats(&self, since: Option<i64>, limit: usize) -> Result<Stats, Fault> {
        use crate::audit::log::State;
        let mut stats = Stats::default();
        for run in self.runs(since)? {
            stats.tally.runs += 1;
            stats.leaves += run.verdict.as_ref().map_or(0, |verdict| verdict.leaves);
            stats.since = stats.since.or(run.began);
            *match run.verdict.map(|verdict| verdict.state) {
                Some(State::Sealed) => &mut stats.tally.sealed,
                Some(State::Open) => &mut stats.tally.open,
                Some(State::Truncated) => &mut stats.tally.truncated,
                Some(State::Tampered) => &mut stats.tally.tampered,
                None => &mut stats.tally.unreadable,
            } += 1;
        }
        stats.events = self.most_often(&[Kind::Event], "roll.leaves", since, limit)?;
        stats.events.retain(|named| !named.name.starts_with("log."));
        stats.reasons = self.most_often(&[Kind::Reason], "denied", since, limit)?;
        stats.approvers = self.most_often(&[Kind::By], "granted", since, limit)?;
        let objects = [Kind::File, Kind::Host, Kind::Program, Kind::Device];
        stats.refused = self.most_often(&objects, "denied", since, limit)?;
        stats.found = self.most_often(&[Kind::Finding], "roll.leaves", since, limit)?;
        Ok(stats)
    }

    /// The texts of these kinds with the greatest sums of `what`, which is an expression of ours.
    fn most_often(
        &self,
        kinds: &[Kind],
        what: &str,
        since: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Named>, Fault> {
        let kinds: Vec<String> = kinds.iter().map(|kind| (*kind as i64).to_string()).collect();
        let mut query = self.db.prepare(&format!(
            "SELECT obj.kind, obj.text, CAST(total({what}) AS INTEGER) FROM obj JOIN roll ON roll.obj = obj.id \
             JOIN run ON run.id = roll.run WHERE obj.kind IN ({}) \
             AND (?1 IS NULL OR coalesce(run.began, run.checked) >= ?1) GROUP BY obj.id HAVING total({what}) > 0 \
             ORDER BY 3 DESC, obj.text LIMIT ?2",
            kinds.join(", ")
        ))?;
        let row = |row: &rusqlite::Row<'_>| {
            Ok(Named { kind: Kind::of(row.get(0)?), name: row.get(1)?, count: row.get(2)? })
        };
        Ok(query.query_map(params![since, most(limit)], row)?.collect::<Result<_, _>>()?)
    }
}
