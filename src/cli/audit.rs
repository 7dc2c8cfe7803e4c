//! `aisandbox audit verify|show|list`: reads records and tells a person, or a program, what they say.
//!
//! Never writes a record, and prints nothing of one unescaped. Exit codes: 0 the chain holds, 1 it is broken,
//! 2 its last line is torn; an error is the caller's 125.

mod access;
mod network;
mod text;

use super::args::Audit;
use super::output;
use crate::audit::{AuditError, Event, Record, Verdict, event, find, json, read, runs, runs_dir};
use crate::base::{Escaped, RunId};
use serde::Serialize;
use std::io::{self, Write};
use std::path::Path;

/// Runs `audit …` and gives the exit code.
pub fn run(wish: &Audit) -> u8 {
    let mut text = Vec::new();
    let done = runs_dir().and_then(|dir| match wish {
        Audit::List { json } => list(&dir, *json, &mut text),
        Audit::Show { run, json } => show(&dir, run, *json, &mut text),
        Audit::Verify { run } => verify(&dir, run, false, &mut text),
    });
    match (output::print(&String::from_utf8_lossy(&text)), done) {
        (0, Ok(code)) => code,
        (failed, Ok(_)) => failed,
        (_, Err(error)) => {
            output::complain(&error.to_string(), None);
            125
        }
    }
}

/// What `--json` of `verify` and `show` prints: one object.
#[derive(Serialize)]
struct Report<'a> {
    log: String,
    #[serde(flatten)]
    verdict: &'a Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<&'a [Record]>,
}

/// `audit verify RUN|FILE`.
/// # Errors
/// When no such log can be read, or `out` not be written.
pub fn verify(dir: &Path, asked: &str, as_json: bool, out: &mut dyn Write) -> Result<u8, AuditError> {
    let path = find(dir, asked)?;
    let verdict = crate::audit::verify(&path)?;
    if as_json {
        let report = Report {
            log: event::text(path.as_os_str().as_encoded_bytes()),
            verdict: &verdict,
            ended: None,
            records: None,
        };
        print(out, &json(&report)?)?;
    } else {
        let path = path.as_os_str().as_encoded_bytes();
        print(out, &format!("{}: {}", Escaped(path), text::verdict(&verdict)))?;
    }
    Ok(exit_code(&verdict))
}

/// `audit show RUN|FILE`: the verdict first, then every event up to where the chain breaks.
/// # Errors
/// As [`verify`].
pub fn show(dir: &Path, asked: &str, as_json: bool, out: &mut dyn Write) -> Result<u8, AuditError> {
    let path = find(dir, asked)?;
    let (verdict, records) = read_all(&path)?;
    let ended = records.last().is_some_and(is_an_end);
    let name = path.as_os_str().as_encoded_bytes();
    if as_json {
        let report =
            Report { log: event::text(name), verdict: &verdict, ended: Some(ended), records: Some(&records) };
        print(out, &json(&report)?)?;
        return Ok(exit_code(&verdict));
    }
    print(out, &format!("{}: {}", Escaped(name), text::verdict(&verdict)))?;
    for record in &records {
        print(out, &text::record(record))?;
    }
    if !ended && matches!(verdict, Verdict::Whole { .. }) {
        print(out, "no end record: still running, or killed with its launcher, or the end was cut off")?;
    }
    Ok(exit_code(&verdict))
}

/// One run in `audit list`.
#[derive(Serialize)]
struct Listed {
    run: String,
    #[serde(flatten)]
    verdict: Verdict,
    started: Option<String>,
    profile: Option<String>,
    command: Vec<String>,
    ended: bool,
    outcome: String,
}

/// `audit list`: every run, oldest first. The exit code is that of the worst log: broken before torn.
/// # Errors
/// When the folder cannot be read, or `out` not be written. A log that cannot be read is listed as broken.
pub fn list(dir: &Path, as_json: bool, out: &mut dyn Write) -> Result<u8, AuditError> {
    let mut all = Vec::new();
    for run in runs(dir)? {
        all.push(listed(dir, run));
    }
    if as_json {
        print(out, &json(&all)?)?;
    } else {
        for run in &all {
            print(out, &line_of(run))?;
        }
    }
    let codes: Vec<u8> = all.iter().map(|run| exit_code(&run.verdict)).filter(|code| *code != 0).collect();
    Ok(codes.into_iter().min().unwrap_or(0))
}

fn listed(dir: &Path, run: RunId) -> Listed {
    let (verdict, records) = read_all(&dir.join(format!("{run}.jsonl"))).unwrap_or_else(|error| {
        (Verdict::Broken { line: 1, why: format!("cannot be read: {error}") }, Vec::new())
    });
    let start = records.iter().find_map(|record| match record.known_event() {
        Some(Event::RunStart(start)) => Some(start),
        _ => None,
    });
    let last = records.last().filter(|record| is_an_end(record));
    let outcome = match (&verdict, last.and_then(Record::known_event)) {
        (Verdict::Whole { .. }, Some(Event::RunEnd(end))) => text::exit(end.exit),
        (Verdict::Whole { .. }, Some(Event::LaunchFailure(failure))) => {
            format!("not started: {}", failure.stage)
        }
        (Verdict::Whole { .. }, _) => "no end record".to_owned(),
        (other, _) => text::verdict(other),
    };
    let (profile, command) = start.map(|start| (start.profile.name, start.command.argv)).unzip();
    Listed {
        run: run.to_string(),
        verdict,
        started: records.first().map(|record| record.time.clone()),
        profile,
        command: command.unwrap_or_default(),
        ended: last.is_some(),
        outcome,
    }
}

fn line_of(run: &Listed) -> String {
    let started = Escaped(run.started.as_deref().unwrap_or("-").as_bytes());
    let profile = Escaped(run.profile.as_deref().unwrap_or("-").as_bytes());
    let outcome = Escaped(run.outcome.as_bytes());
    format!("{}  {started}  {profile}  {outcome}  {}", run.run, text::command(&run.command))
}

fn read_all(path: &Path) -> Result<(Verdict, Vec<Record>), AuditError> {
    let mut records = Vec::new();
    let verdict = read(path, &mut |record| records.push(record))?;
    Ok((verdict, records))
}

fn is_an_end(record: &Record) -> bool {
    matches!(record.event.as_str(), "run_end" | "launch_failure")
}

fn exit_code(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Whole { .. } => 0,
        Verdict::Broken { .. } => 1,
        Verdict::Torn { .. } => 2,
    }
}

fn print(out: &mut dyn Write, line: &str) -> Result<(), AuditError> {
    let failed = |error: io::Error| AuditError::Io {
        what: "print to",
        path: "standard output".into(),
        errno: crate::sys::Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)),
    };
    writeln!(out, "{line}").map_err(failed)
}
