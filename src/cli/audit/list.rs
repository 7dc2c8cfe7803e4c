//! `audit list`: every run, from the index.

use super::ask::{self, ask};
use super::{print, shown_code, text};
use crate::audit::index::answer::RunRow;
use crate::audit::log::{State, Verdict};
use crate::audit::{AuditError, first_format, json};
use crate::base::Escaped;
use crate::cli::args::Since;
use serde::Serialize;
use std::io::Write;
use std::path::Path;

/// One run in `audit list`.
#[derive(Serialize)]
struct Listed {
    run: String,
    state: Option<State>,
    started: Option<String>,
    profile: Option<String>,
    command: Vec<String>,
    ended: bool,
    outcome: String,
}

/// `audit list`: runs, oldest first. The exit code is that of the worst log; a log without an end is no fault here.
/// # Errors
/// When the folder cannot be read, or `out` not be written. A log that cannot be read is listed as such.
pub fn list(dir: &Path, as_json: bool, out: &mut dyn Write) -> Result<u8, AuditError> {
    run(dir, (&Since { since: None }, 0), as_json, out)
}

pub(super) fn run(
    dir: &Path,
    (since, limit): (&Since, usize),
    as_json: bool,
    out: &mut dyn Write,
) -> Result<u8, AuditError> {
    let since = ask::since_of(since)?;
    let mut rows = ask(dir, &mut |index| index.runs(since))?;
    let code = rows.iter().map(code_of).filter(|code| *code != 0).min().unwrap_or(0);
    let left_out = if limit == 0 { 0 } else { rows.len().saturating_sub(limit) };
    let all: Vec<Listed> = rows.drain(left_out..).map(listed).collect();
    if as_json {
        print(out, &json(&all)?)?;
        return Ok(code);
    }
    if left_out > 0 {
        print(out, &format!("{left_out} older runs are left out (--limit, --since)"))?;
    }
    for run in &all {
        print(out, &line_of(run))?;
    }
    match first_format(dir)? {
        0 => {}
        many => {
            print(
                out,
                &format!("{many} logs of the first format (.jsonl), which no release wrote: not read"),
            )?;
        }
    }
    Ok(code)
}

fn code_of(row: &RunRow) -> u8 {
    row.verdict.as_ref().map_or(1, shown_code)
}

fn listed(row: RunRow) -> Listed {
    let outcome = match (&row.verdict, &row.about.outcome) {
        (None, _) => format!("cannot be read: {}", row.about.unreadable.as_deref().unwrap_or_default()),
        (Some(verdict @ Verdict { state: State::Tampered | State::Truncated, .. }), _) => {
            text::verdict(verdict)
        }
        (Some(_), Some(outcome)) => outcome.clone(),
        (Some(_), None) if row.alive => "goes on".to_owned(),
        (Some(_), None) => "no end record".to_owned(),
    };
    Listed {
        run: row.run,
        state: row.verdict.map(|verdict| verdict.state),
        started: row.began,
        profile: row.about.profile,
        command: row.about.command,
        ended: row.ended.is_some(),
        outcome,
    }
}

fn line_of(run: &Listed) -> String {
    let started = Escaped(run.started.as_deref().unwrap_or("-").as_bytes());
    let profile = Escaped(run.profile.as_deref().unwrap_or("-").as_bytes());
    let outcome = Escaped(run.outcome.as_bytes());
    format!("{}  {started}  {profile}  {outcome}  {}", run.run, text::command(&run.command))
}
