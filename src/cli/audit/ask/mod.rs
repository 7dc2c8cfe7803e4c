//! `audit last`, `touched`, `who-approved`, `moved`, `explain`, `tail`, `stats`, `report`: questions to the records of all runs.
//!
//! Answers come from the index; what is shown in words of the record is read from it, and so is all with `--prove`. Nothing
//! of a record is printed unescaped, and every list has an end and says what is behind it.

mod approved;
mod coverage;
mod decided;
mod explain;
pub(in crate::cli) mod last;
mod moved;
pub(super) mod proven;
mod stats;
mod tail;
mod touched;
pub(in crate::cli) mod words;

use super::{print, shown_code};
use crate::audit::index::answer::{Leaf, RunRow};
use crate::audit::index::{self, Fault, Index};
use crate::audit::log::{self, Found, Verdict};
use crate::audit::{AuditError, Record, find, json};
use crate::cli::args::{Question, Since};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

/// Answers; gives the exit code: 0 for an answer, 1 for none (or one that is not proven), as `show` where one run is meant.
pub(super) fn run(dir: &Path, question: &Question, out: &mut dyn Write) -> Result<u8, AuditError> {
    match question {
        Question::Last { run, how } => last::run(dir, run, how, out),
        Question::Touched { glob, since, checked, how } => {
            touched::run(dir, glob, (since_of(since)?, checked.prove, how), out)
        }
        Question::WhoApproved { id, checked, how } => approved::run(dir, id, (checked.prove, how), out),
        Question::Moved { what, since, checked, how } => {
            moved::run(dir, what.as_deref(), (since_of(since)?, checked.prove, how), out)
        }
        Question::Explain { what, how } => explain::run(dir, what, how, out),
        Question::Tail { run, follow, lines, json } => tail::run(dir, run, (*follow, *lines, *json), out),
        Question::Stats { since, how } => stats::run(dir, since_of(since)?, how, out),
        Question::Report { run, html, limit, json } => {
            super::report::run(dir, run, (html.as_deref(), *limit, *json), out)
        }
    }
}

/// The records at these leaves, read from their logs: by run, with what the log is found to be. Leaves that do not hold are
/// not there.
pub(in crate::cli) fn records_of(
    dir: &Path,
    leaves: &[Leaf],
) -> Result<BTreeMap<String, (Verdict, Vec<Record>)>, AuditError> {
    let mut wanted: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for leaf in leaves {
        wanted.entry(&leaf.run).or_default().insert(leaf.index);
    }
    let mut found = BTreeMap::new();
    for (run, indexes) in wanted {
        let mut records = Vec::new();
        let verdict = log::read(&dir.join(run), &mut |leaf: Found<'_>| {
            if indexes.contains(&leaf.index) {
                records.push(Record::of(run, &leaf));
            }
        })?;
        found.insert(run.to_owned(), (verdict, records));
    }
    Ok(found)
}

/// Puts a question to the index; what takes long is told on stderr.
pub(in crate::cli) fn ask<T>(
    dir: &Path,
    question: &mut dyn FnMut(&Index) -> Result<T, Fault>,
) -> Result<T, AuditError> {
    let mut tell = |what: &str| crate::cli::output::complain(what, None);
    index::ask(dir, &mut tell, question)
}

/// A question about the run that a person means: from the index of all, or of a folder elsewhere from its log.
pub(in crate::cli) fn ask_of<T>(
    dir: &Path,
    asked: &str,
    question: &mut dyn FnMut(&Index, RunRow) -> Result<T, Fault>,
) -> Result<T, AuditError> {
    let folder = find(dir, asked)?;
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    let none = || AuditError::NoSuchRun { asked: asked.to_owned(), why: "it has no record here".to_owned() };
    let mut of_run = |index: &Index| match index.run(&name)? {
        Some(row) => question(index, row),
        None => Err(none().into()),
    };
    if asked.contains('/') { index::ask_of_folder(&folder, &mut of_run) } else { ask(dir, &mut of_run) }
}

/// The moment of `--since`.
pub(in crate::cli) fn since_of(since: &Since) -> Result<Option<i64>, AuditError> {
    let wrong = |why: String| AuditError::Question { why };
    since.since.as_deref().map(|text| words::since(text).map_err(wrong)).transpose()
}

/// The states of the runs that an answer names.
fn states(index: &Index, names: impl Iterator<Item = String>) -> Result<BTreeMap<String, RunRow>, Fault> {
    let mut rows = BTreeMap::new();
    for name in names {
        if !rows.contains_key(&name)
            && let Some(row) = index.run(&name)?
        {
            rows.insert(name, row);
        }
    }
    Ok(rows)
}

/// The state of a run in one word.
fn state_of(row: &RunRow) -> &'static str {
    words::state(row.verdict.as_ref().map(|verdict| verdict.state), row.alive)
}

/// A row with the state of its run and, where it was asked for, the check of its event.
#[derive(Serialize)]
struct Row<T> {
    #[serde(flatten)]
    row: T,
    state: Option<crate::audit::log::State>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<proven::Proof>,
}

/// What `show`, `last` and `report` end with.
pub(super) fn code_of(verdict: Option<&Verdict>) -> u8 {
    verdict.map_or(125, shown_code)
}

/// Prints an answer as JSON on one line.
pub(super) fn print_json(out: &mut dyn Write, answer: &impl Serialize) -> Result<(), AuditError> {
    print(out, &json(answer)?)
}

/// A list that ends: what is behind it is said.
fn print_rest(out: &mut dyn Write, all: u64, told: usize) -> Result<(), AuditError> {
    let more = all.saturating_sub(told as u64);
    if more > 0 { print(out, &format!("and {more} more (--limit)")) } else { Ok(()) }
}
