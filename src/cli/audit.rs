//! `aisandbox audit …`: reads records and tells a person, or a program, what they say and whether they hold.
//!
//! Never writes a record, and prints nothing of one unescaped. Exit codes: 0 sealed, 1 tampered with, 2 truncated, 3 open;
//! an error is the caller's 125.

mod access;
mod bundle;
mod check;
mod export;
mod network;
mod schema;
mod text;

pub use check::{verify, verify_all};
pub use export::{Wish as ExportWish, export};

use super::args::Audit;
use super::output;
use crate::audit::log::{Found, Own, State, Verdict, prove};
use crate::audit::{AuditError, Event, Record, event, find, first_format, json, runs, runs_dir};
use crate::base::{Escaped, RunId};
use serde::Serialize;
use std::io::{self, Write};
use std::path::Path;

/// Runs `audit …` and gives the exit code.
pub fn run(wish: &Audit) -> u8 {
    if let Audit::Export(wish) = wish {
        return export::to_place(wish);
    }
    let mut text = Vec::new();
    let done = runs_dir().and_then(|dir| match wish {
        Audit::List { json } => list(&dir, *json, &mut text),
        Audit::Show { run, json } => show(&dir, run, *json, &mut text),
        Audit::Verify { run, all, proof, root, json } => {
            check::run(&dir, (run.as_deref(), *all, proof.as_deref()), root.as_deref(), *json, &mut text)
        }
        Audit::Prove { event } => prove_one(&dir, event, &mut text),
        Audit::Schema { json: true, leaf, .. } => schema::json_schema(*leaf, &mut text),
        Audit::Schema { event, .. } => schema::table(event.as_deref(), &mut text),
        Audit::Export(_) => Ok(0),
        Audit::Bundle { run, out } => bundle::write(&find(&dir, run)?, out, &mut text).map(|()| 0),
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

/// `audit prove RUN:NUMBER`.
fn prove_one(dir: &Path, asked: &str, out: &mut dyn Write) -> Result<u8, AuditError> {
    let none = || AuditError::NoSuchRun { asked: asked.to_owned(), why: "an event is RUN:NUMBER".to_owned() };
    let (run, number) = asked.rsplit_once(':').ok_or_else(none)?;
    let proof = prove(&find(dir, run)?, number.parse().map_err(|_| none())?)?;
    print(out, proof.trim_end())?;
    Ok(0)
}

/// `audit show RUN|DIR`: the verdict first, then every event up to where the log holds.
/// # Errors
/// When no such log can be read, or `out` not be written.
pub fn show(dir: &Path, asked: &str, as_json: bool, out: &mut dyn Write) -> Result<u8, AuditError> {
    let path = find(dir, asked)?;
    let (verdict, records) = read_all(&path)?;
    let ended = records.iter().any(is_an_end);
    let name = path.as_os_str().as_encoded_bytes();
    if as_json {
        let report =
            Report { log: event::text(name), verdict: &verdict, ended: Some(ended), records: Some(&records) };
        print(out, &json(&report)?)?;
        return Ok(shown_code(&verdict));
    }
    print(out, &format!("{}: {}", Escaped(name), text::verdict(&verdict)))?;
    for record in records.iter().filter(|record| !matches!(record.own(), Some(Own::Key(_)))) {
        print(out, &text::record(record))?;
    }
    if !ended && verdict.state == State::Open {
        print(out, "no end record: still running, or killed with its launcher, or the end was cut off")?;
    }
    Ok(shown_code(&verdict))
}

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

/// `audit list`: every run, oldest first. The exit code is that of the worst log; a log without an end is no fault here.
/// # Errors
/// When the folder cannot be read, or `out` not be written. A log that cannot be read is listed as such.
pub fn list(dir: &Path, as_json: bool, out: &mut dyn Write) -> Result<u8, AuditError> {
    let mut all = Vec::new();
    let mut codes = Vec::new();
    for run in runs(dir)? {
        let (listed, code) = listed(dir, run);
        all.push(listed);
        codes.push(code);
    }
    if as_json {
        print(out, &json(&all)?)?;
    } else {
        for run in &all {
            print(out, &line_of(run))?;
        }
        match first_format(dir)? {
            0 => {}
            many => print(
                out,
                &format!("{many} logs of the first format (.jsonl), which no release wrote: not read"),
            )?,
        }
    }
    Ok(codes.into_iter().filter(|code| *code != 0).min().unwrap_or(0))
}

fn listed(dir: &Path, run: RunId) -> (Listed, u8) {
    let (verdict, records) = match read_all(&dir.join(run.to_string())) {
        Ok((verdict, records)) => (Ok(verdict), records),
        Err(error) => (Err(format!("cannot be read: {error}")), Vec::new()),
    };
    let start = records.iter().find_map(|record| match record.known_event() {
        Some(Event::RunStart(start)) => Some(start),
        _ => None,
    });
    let last = records.iter().rfind(|record| is_an_end(record));
    let outcome = match (&verdict, last.and_then(Record::known_event)) {
        (Err(why), _) => why.clone(),
        (Ok(Verdict { state: State::Tampered | State::Truncated, .. }), _) => {
            verdict.as_ref().map_or_else(Clone::clone, text::verdict)
        }
        (Ok(_), Some(Event::RunEnd(end))) => text::exit(end.exit),
        (Ok(_), Some(Event::LaunchFailure(failure))) => format!("not started: {}", failure.stage),
        (Ok(_), _) => "no end record".to_owned(),
    };
    let (profile, command) = start.map(|start| (start.profile.name, start.command.argv)).unzip();
    let listed = Listed {
        run: run.to_string(),
        state: verdict.as_ref().ok().map(|verdict| verdict.state),
        started: records.first().map(|record| record.time.clone()),
        profile,
        command: command.unwrap_or_default(),
        ended: last.is_some(),
        outcome,
    };
    (listed, verdict.as_ref().map_or(1, shown_code))
}

fn line_of(run: &Listed) -> String {
    let started = Escaped(run.started.as_deref().unwrap_or("-").as_bytes());
    let profile = Escaped(run.profile.as_deref().unwrap_or("-").as_bytes());
    let outcome = Escaped(run.outcome.as_bytes());
    format!("{}  {started}  {profile}  {outcome}  {}", run.run, text::command(&run.command))
}

fn read_all(path: &Path) -> Result<(Verdict, Vec<Record>), AuditError> {
    let mut records = Vec::new();
    let run = path.file_name().map_or_else(String::new, |name| event::text(name.as_encoded_bytes()));
    let verdict =
        crate::audit::log::read(path, &mut |found: Found<'_>| records.push(Record::of(&run, &found)))?;
    Ok((verdict, records))
}

fn is_an_end(record: &Record) -> bool {
    matches!(record.event.as_str(), "run_end" | "launch_failure")
}

/// What `verify` ends with.
fn exit_code(state: State) -> u8 {
    match state {
        State::Sealed => 0,
        State::Tampered => 1,
        State::Truncated => 2,
        State::Open => 3,
    }
}

/// What `show` and `list` end with: a run that goes on is nothing to complain of.
fn shown_code(verdict: &Verdict) -> u8 {
    if verdict.state == State::Open { 0 } else { exit_code(verdict.state) }
}

fn print(out: &mut dyn Write, line: &str) -> Result<(), AuditError> {
    let failed = |error: io::Error| AuditError::Io {
        what: "print to",
        path: "standard output".into(),
        errno: crate::sys::Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)),
    };
    writeln!(out, "{line}").map_err(failed)
}
