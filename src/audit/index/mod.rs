//! Index: what the logs say, as tables, so that a question about years reads no logs.
//!
//! Never the truth, and never trusted: every row names its run and leaf, a log that changed is read again, and the file
//! may be removed at any time. What is told as proven is read from the log and checked. Holds what holds of a log, and of
//! one that was tampered with no leaf behind the damage. The only folder that names SQLite.

mod about;
pub mod answer;
mod database;
mod facts;
mod fields;
mod fill;
mod pattern;
mod roll;
mod schema;
pub(in crate::audit) mod stamp;
#[cfg(test)]
mod tests;
mod update;

pub use about::About;
pub use answer::is_person;
pub use database::Fault;
pub use facts::{Acts, Kind, Said, is_about};
pub(in crate::audit) use facts::{FOUND_CONTENT, Facts};
pub use pattern::Pattern;

use super::AuditError;
use database::Place;
use rusqlite::Connection;
use std::path::{Path, PathBuf};

/// The tables, up to date with the logs, for as long as one question takes.
#[derive(Debug)]
pub struct Index {
    db: Connection,
    dir: PathBuf,
}

/// The folder of the index of the logs in `runs`. Nothing else is in it: a process that may only read logs may write here.
pub fn folder_of(runs: &Path) -> PathBuf {
    runs.parent().unwrap_or(runs).join("index")
}

/// Puts a question to the index of the logs in `runs`, after it was brought up to date. `tell` hears what takes long.
/// Where no index can be kept, one is made in memory.
/// # Errors
/// When the logs or the index cannot be read, or the question itself fails.
pub fn ask<T>(
    runs: &Path,
    tell: &mut dyn FnMut(&str),
    question: &mut dyn FnMut(&Index) -> Result<T, Fault>,
) -> Result<T, AuditError> {
    let state = &folder_of(runs);
    let place =
        if runs.exists() { Place::open(state) } else { Err(AuditError::Closed { path: runs.into() }) };
    let Ok(place) = place else {
        return in_memory(runs, tell, question).map_err(|fault| told(state, fault));
    };
    match attempt(&place, runs, tell, question) {
        Err(Fault::Broken(why)) => {
            tell(&format!("the index is made anew: {why}"));
            place.lock_alone(&mut || ())?;
            place.discard()?;
            attempt(&place, runs, tell, question).map_err(|fault| told(state, fault))
        }
        Err(Fault::Unwritable(why)) => {
            tell(&format!("the index cannot be kept ({why}): every log is read"));
            in_memory(runs, tell, question).map_err(|fault| told(state, fault))
        }
        other => other.map_err(|fault| told(state, fault)),
    }
}

/// The same of one log, in whatever folder: nothing is kept.
/// # Errors
/// As [`ask`].
pub fn ask_of_folder<T>(
    folder: &Path,
    question: &mut dyn FnMut(&Index) -> Result<T, Fault>,
) -> Result<T, AuditError> {
    let answer = database::in_memory().and_then(|db| {
        update::read_one(&db, folder)?;
        question(&Index { db, dir: folder.parent().unwrap_or(folder).to_owned() })
    });
    answer.map_err(|fault| told(folder, fault))
}

/// Does something to the log of a run while nobody reads or writes the index, after all that it has of the run was taken out
/// of it and overwritten. Where that cannot be, the index is removed.
/// # Errors
/// What `work` says, or when the index cannot be locked or removed; then nothing was done.
pub fn without<T>(
    runs: &Path,
    run: &str,
    work: impl FnOnce() -> Result<T, AuditError>,
) -> Result<T, AuditError> {
    let place = Place::open(&folder_of(runs))?;
    place.lock_alone(&mut || ())?;
    let taken = match place.existing() {
        Ok(Some(db)) => update::take_out(&db, run),
        other => other.map(drop),
    };
    if taken.is_err() {
        place.discard()?;
    }
    work()
}

/// Removes the index of the logs in `runs`; the next question makes it anew. For who takes something out of the logs.
/// # Errors
/// When it cannot be removed.
pub fn discard(runs: &Path) -> Result<(), AuditError> {
    let place = Place::open(&folder_of(runs))?;
    place.lock_alone(&mut || ())?;
    place.discard()
}

fn attempt<T>(
    place: &Place,
    runs: &Path,
    tell: &mut dyn FnMut(&str),
    question: &mut dyn FnMut(&Index) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let dir = runs.to_owned();
    place.lock_shared()?;
    if let Some(db) = place.existing()?
        && update::work(&db, runs)?.is_none()
    {
        return question(&Index { db, dir });
    }
    place.lock_alone(&mut || tell("waiting: the index is in use"))?;
    let db = place.make()?;
    let work = update::work(&db, runs)?;
    tell_of(&work, tell);
    update::update(&db, work)?;
    question(&Index { db, dir })
}

fn in_memory<T>(
    runs: &Path,
    tell: &mut dyn FnMut(&str),
    question: &mut dyn FnMut(&Index) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let db = database::in_memory()?;
    let work = update::work(&db, runs)?;
    tell_of(&work, tell);
    update::update(&db, work)?;
    question(&Index { db, dir: runs.to_owned() })
}

fn tell_of(work: &update::Work, tell: &mut dyn FnMut(&str)) {
    if work.logs() > 100 {
        tell(&format!("reading {} logs into the index", work.logs()));
    }
}

fn told(state: &Path, fault: Fault) -> AuditError {
    match fault {
        Fault::Audit(error) => error,
        Fault::Broken(why) | Fault::Failed(why) | Fault::Unwritable(why) => {
            AuditError::Index { path: state.join("index.sqlite"), why }
        }
    }
}
