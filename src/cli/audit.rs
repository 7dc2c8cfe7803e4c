//! `aisandbox audit …`: reads records and tells a person, or a program, what they say and whether they hold.
//!
//! Never writes a record, but that some were handed out, withheld, held or removed; `pack` gives a sealed one another form. Prints nothing of one
//! unescaped. Exit codes: 0 sealed, 1 tampered with, 2 truncated, 3 open;
//! an error is the caller's 125.

mod access;
pub(super) mod ask;
mod bundle;
mod check;
mod detect;
mod export;
mod forward;
mod list;
mod network;
mod pack;
pub(super) mod reading;
mod redact;
pub(super) mod report;
mod schema;
mod show;
pub(super) mod text;

pub use check::{verify, verify_all};
pub use export::{Wish as ExportWish, export};
pub use list::list;
pub use show::show;

use super::args::{Audit, Question};
use super::output;
use crate::audit::log::{Dated, Redaction, State, Verdict, prove};
use crate::audit::{AuditError, Record, find, runs_dir};
use serde::Serialize;
use std::io::Write;
use std::path::Path;

/// Runs `audit …` and gives the exit code.
pub fn run(wish: &Audit) -> u8 {
    match wish {
        Audit::Export(wish) => return export::to_place(wish),
        Audit::Serve(wish) => return super::serve::run(wish),
        Audit::Mirror(wish) => return super::collector::mirror(wish),
        Audit::Forward(wish) => return forward::run(wish),
        _ => {}
    }
    let mut text = Vec::new();
    let done = runs_dir().and_then(|dir| match wish {
        Audit::List { since, limit, json } => list::run(&dir, (since, *limit), *json, &mut text),
        Audit::Show { run, limit, prove, json } => show::run(&dir, run, (*limit, *prove, *json), &mut text),
        Audit::Question(question) => {
            // What is told while it happens cannot wait for the end.
            let mut direct = std::io::stdout();
            let follows = matches!(question, Question::Tail { .. });
            ask::run(&dir, question, if follows { &mut direct } else { &mut text })
        }
        Audit::Verify { run, all, proof, cosigned, root, json } => {
            let asked = (run.as_deref(), *all, proof.as_deref(), cosigned.as_deref());
            check::run(&dir, asked, root.as_deref(), *json, &mut text)
        }
        Audit::Prove { event } => prove_one(&dir, event, &mut text),
        Audit::Schema { json: true, leaf, .. } => schema::json_schema(*leaf, &mut text),
        Audit::Schema { event, .. } => schema::table(event.as_deref(), &mut text),
        Audit::Detect(wish) => detect::run(&dir, wish, &mut text),
        Audit::Export(_) | Audit::Forward(_) | Audit::Serve(_) | Audit::Mirror(_) => Ok(0),
        Audit::Pack { runs, all, json } => pack::run(&dir, runs, *all, *json, &mut text),
        Audit::Redact(wish) => redact::redact_runs(&dir, wish, &mut text),
        Audit::Retain(wish) => redact::retain_runs(&dir, wish, &mut text),
        Audit::Hold(wish) => redact::hold_run(&dir, wish, &mut text),
        Audit::Bundle { run, out } => {
            let log = find(&dir, run)?;
            let mut tell = |told: &str| output::complain(told, None);
            reading::note(&dir, ("bundle", "segments"), std::slice::from_ref(&log), &mut tell);
            bundle::write(&log, out, &mut text).map(|()| 0)
        }
    });
    match (output::print(&String::from_utf8_lossy(&text)), done) {
        (0, Ok(code)) => code,
        (failed, Ok(_)) => failed,
        // Who read the answer went away (`| head`).
        (_, Err(AuditError::Io { errno: crate::sys::Errno::EPIPE, .. })) => 0,
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
    #[serde(skip_serializing_if = "is_none")]
    left_out: u64,
    /// What the device's log says was withheld, and whether it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    redactions: Option<Vec<Told<'a>>>,
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    redaction: &'a Dated<Redaction>,
    carried_out: bool,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

/// An event as a person names it, `RUN:NUMBER`: the word for the run, and the index of the leaf.
fn event_of(asked: &str) -> Option<(&str, u64)> {
    let (run, index) = asked.rsplit_once(':')?;
    Some((run, index.parse().ok()?))
}

/// `audit prove RUN:NUMBER`.
fn prove_one(dir: &Path, asked: &str, out: &mut dyn Write) -> Result<u8, AuditError> {
    let none = || AuditError::NoSuchRun { asked: asked.to_owned(), why: "an event is RUN:NUMBER".to_owned() };
    let (run, index) = event_of(asked).ok_or_else(none)?;
    let proof = prove(&find(dir, run)?, index)?;
    print(out, proof.trim_end())?;
    Ok(0)
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
    writeln!(out, "{line}").map_err(|error| AuditError::io("print to", Path::new("standard output"), &error))
}
