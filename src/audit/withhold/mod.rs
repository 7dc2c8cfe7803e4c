//! What may be gone after a while, or because somebody asks: personal fields, then whole logs.
//!
//! Decides which; `audit/log/` does it, and says so in the device's log. Never touches what is held, what goes on, or what was
//! changed.

mod chosen;
mod windows;

pub use chosen::Chosen;
pub use windows::{Age, Windows};

use super::AuditError;
use super::event;
use super::index;
use super::log::{Custody, Found, NotNow, State, Withholding, devices_of, goes_on, held_by, matching};
use super::log::{Leaf, Why, read};
use crate::base::{RunId, WallTime};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Became {
    /// Fields of it were withheld; with a dry run: they would be.
    Redacted,
    /// Its log was removed; with a dry run: it would be.
    Pruned,
    /// Nothing of it is meant.
    Nothing,
    /// It is held.
    Held,
    /// Its run goes on.
    GoesOn,
    /// It was changed, and stays as it is.
    Tampered,
    /// Another process is at it.
    Busy,
}

/// What was done to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Done {
    /// The run.
    pub run: String,
    /// What became of it.
    pub became: Became,
    /// Leaves whose personal fields were withheld, or that were removed.
    pub leaves: u64,
    /// Why it is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
}

/// Withholds what was chosen of these runs. With `dry`, only says what would be.
/// # Errors
/// When something cannot be read or written; what was done until then stays done, and is noted.
pub fn redact(
    state: &Path,
    folders: &[PathBuf],
    chosen: &Chosen,
    (why, dry): (&Why, bool),
) -> Result<Vec<Done>, AuditError> {
    let mut all = Vec::new();
    for folder in folders {
        all.push(of_run(state, folder, chosen, (why, dry))?);
    }
    Ok(all)
}

fn of_run(
    state: &Path,
    folder: &Path,
    chosen: &Chosen,
    (why, dry): (&Why, bool),
) -> Result<Done, AuditError> {
    let (run, name) = named(folder)?;
    let done = |became, leaves| Done { run: name.clone(), became, leaves, held: None };
    if let Some(held) = held_by(&devices_of(state)?, run) {
        return Ok(Done { held: Some(held.reason.clone()), ..done(Became::Held, 0) });
    }
    let mut which = |found: &Found<'_>| chosen.means(found);
    if dry {
        if goes_on(folder) {
            return Ok(done(Became::GoesOn, 0));
        }
        let (verdict, indexes) = matching(folder, &mut which)?;
        let leaves = indexes.len() as u64;
        return Ok(match (verdict.state, leaves) {
            (State::Tampered, _) => done(Became::Tampered, 0),
            (_, 0) => done(Became::Nothing, 0),
            _ => done(Became::Redacted, leaves),
        });
    }
    let ready = match Withholding::prepare(folder, &mut which)? {
        Ok(ready) => ready,
        Err(NotNow::GoesOn) => return Ok(done(Became::GoesOn, 0)),
        Err(NotNow::Tampered) => return Ok(done(Became::Tampered, 0)),
        Err(NotNow::Busy) => return Ok(done(Became::Busy, 0)),
    };
    let leaves = ready.indexes().len() as u64;
    if leaves == 0 {
        return Ok(done(Became::Nothing, 0));
    }
    // From here on no question is answered from what the index had of it.
    let runs = folder.parent().unwrap_or(folder);
    let taken = index::without(runs, &name, || Custody::open(state)?.withhold(run, ready, why))?;
    Ok(if taken { done(Became::Redacted, leaves) } else { done(Became::Held, 0) })
}

fn named(folder: &Path) -> Result<(RunId, String), AuditError> {
    let name = folder.file_name().map_or_else(String::new, |name| event::text(name.as_encoded_bytes()));
    let wrong =
        || AuditError::NoSuchRun { asked: name.clone(), why: "it is no run of this place".to_owned() };
    name.parse().map(|run| (run, name.clone())).map_err(|_| wrong())
}

/// Withholds what is older than the one window, and removes what is older than the other. With `dry`, only says what
/// would be.
/// # Errors
/// As [`redact`].
pub fn retain(
    state: &Path,
    folders: &[PathBuf],
    windows: &Windows,
    (now, uid, dry): (WallTime, u32, bool),
) -> Result<Vec<Done>, AuditError> {
    let mut all = Vec::new();
    for folder in folders {
        let (run, name) = named(folder)?;
        if !dry {
            Withholding::clean(folder)?;
        }
        // A run is never older than its beginning says.
        let began = i128::from(run.unix_millis()) * 1_000_000;
        let (Age::Redact | Age::Prune) = windows.of(now.0 - began) else { continue };
        let age = ended(folder)?.map_or(Age::Keep, |ended| windows.of(now.0 - ended));
        let why = |reason: String| Why { reason, by: "retain".to_owned(), uid };
        all.extend(match age {
            Age::Keep => None,
            Age::Redact => {
                let why = why(format!("older than {}", windows.personal_words()));
                Some(of_run(state, folder, &Chosen::everything(), (&why, dry))?)
            }
            Age::Prune => {
                let why = why(format!("older than {}", windows.runs_words()));
                Some(prune(state, folder, (run, &name), (&why, dry))?)
            }
        });
    }
    all.retain(|done| done.became != Became::Nothing);
    Ok(all)
}

/// When the last event of a log was; `None` while its run goes on.
fn ended(folder: &Path) -> Result<Option<i128>, AuditError> {
    if goes_on(folder) {
        return Ok(None);
    }
    let mut last = None;
    read(folder, &mut |found| last = Leaf::parse(found.bytes).map(|leaf| i128::from(leaf.ts)).or(last))?;
    Ok(last)
}

fn prune(
    state: &Path,
    folder: &Path,
    (run, name): (RunId, &str),
    (why, dry): (&Why, bool),
) -> Result<Done, AuditError> {
    let leaves = super::log::verify(folder)?.leaves;
    let done = |became, leaves| Done { run: name.to_owned(), became, leaves, held: None };
    if let Some(held) = held_by(&devices_of(state)?, run) {
        return Ok(Done { held: Some(held.reason.clone()), ..done(Became::Held, 0) });
    }
    if dry {
        return Ok(done(Became::Pruned, leaves));
    }
    let runs = folder.parent().unwrap_or(folder);
    let gone = index::without(runs, name, || Custody::open(state)?.prune(run, why))?;
    Ok(if gone { done(Became::Pruned, leaves) } else { done(Became::Held, 0) })
}
