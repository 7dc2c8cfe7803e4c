//! Report: what one pass over the log of a run gives beside the three answers: a timeline, processes, and flows.
//!
//! Pure but for reading the log. Everything has a bound, whatever an agent did, and what is left out is counted. Never
//! claims more than a record says: a flow is what a record names, and near in time is left to the index.

mod flow;
mod keep;
mod process;

pub use flow::{End, Flow, Flows, Strength};
pub use keep::{Keep, Weight};
pub use process::{Process, Processes};

use super::AuditError;
use super::Record;
use super::index::{Facts, Said};
use super::log::{Found, Judge, Judged, Verdict};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The most names of events that are counted one by one.
const MOST_NAMES: usize = 128;

/// What a report is made of beside the three answers.
#[derive(Debug)]
pub struct Evidence<T> {
    /// The verdict on the log as it was read.
    pub verdict: Verdict,
    /// The device's own log is here and has the run.
    pub known: bool,
    /// Events, those of the log itself included, by name.
    pub counts: BTreeMap<String, u64>,
    /// The events of the timeline, in order.
    pub timeline: Vec<T>,
    /// Those that are not in it, by name.
    pub left_out: BTreeMap<String, u64>,
    /// Processes that asked for something or reached out.
    pub processes: Processes,
    /// What went from where to where.
    pub flows: Flows,
}

/// What the log itself notes of its keys: no event of the run.
fn is_key(record: &Record) -> bool {
    record.event == "log.key"
}

/// Reads the log in a folder once; the timeline has about twice `most` events, each as `of` makes it.
/// # Errors
/// When it cannot be read.
pub fn gather<T>(
    dir: &Path,
    folder: &Path,
    most: usize,
    of: &dyn Fn(Record) -> T,
) -> Result<Evidence<T>, AuditError> {
    let run = folder.file_name().map_or_else(String::new, |name| super::event::text(name.as_encoded_bytes()));
    let (mut keep, mut counts) = (Keep::new(most), BTreeMap::new());
    let (mut processes, mut flows) = (Processes::default(), Flows::default());
    let mut take = |found: Found<'_>| {
        let record = Record::of(&run, &found);
        count(&mut counts, &record.event);
        if is_key(&record) {
            return;
        }
        let facts = Facts::of(&record);
        processes.take(&record, facts.said == Said::Denied);
        flows.take(&record, &facts);
        let weight = weight(&record, facts.said);
        let name = record.event.clone();
        keep.take(weight, &name, (record.seq, of(record)));
    };
    let judge = &mut Judge::new(folder.parent().unwrap_or(dir), None);
    let Judged { verdict, known, .. } = judge.read(folder, &mut take)?;
    let (mut timeline, left_out) = keep.finish();
    timeline.sort_by_key(|(seq, _)| *seq);
    let timeline = timeline.into_iter().map(|(_, one)| one).collect();
    Ok(Evidence { verdict, known, counts, timeline, left_out, processes, flows })
}

/// How much it matters that an event is in a report.
pub fn weight(record: &Record, said: Said) -> Weight {
    match record.event.as_str() {
        "run_start" | "run_end" | "launch_failure" | "guardian_start" | "guardian_end" | "network_start"
        | "log.start" | "log.end" | "log.suspended" => Weight::Frame,
        "agent_start" | "revoke" | "degraded" | "program_check" => Weight::Decision,
        _ if matches!(said, Said::Granted | Said::Denied) => Weight::Decision,
        _ => Weight::Other,
    }
}

fn count(counts: &mut BTreeMap<String, u64>, name: &str) {
    let name = if counts.len() < MOST_NAMES || counts.contains_key(name) { name } else { "…" };
    *counts.entry(name.to_owned()).or_default() += 1;
}

/// A part of a list, and how much there is in all.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Part<'a, T> {
    /// All there are, as far as they were counted.
    pub all: u64,
    /// Those that are told.
    pub told: &'a [T],
}
