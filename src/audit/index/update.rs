//! Brings the index up to what the logs are now: new runs, grown runs, changed ones, and those that are gone.

use super::database::Fault;
use super::fill::{self, Before, Words};
use super::stamp;
use crate::audit::find::runs;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is to do.
#[derive(Debug, Default)]
pub(super) struct Work {
    gone: Vec<i64>,
    read: Vec<(String, PathBuf, Vec<u8>)>,
}

impl Work {
    /// Whether there is nothing to do.
    pub(super) fn is_none(&self) -> bool {
        self.gone.is_empty() && self.read.is_empty()
    }

    /// How many logs are to be read.
    pub(super) fn logs(&self) -> usize {
        self.read.len()
    }
}

/// Compares the index with the files of every log in `runs`.
pub(super) fn work(db: &Connection, dir: &Path) -> Result<Work, Fault> {
    let mut known = BTreeMap::new();
    let mut query = db.prepare("SELECT name, id, stamp FROM run")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        known.insert(row.get::<_, String>(0)?, (row.get::<_, i64>(1)?, row.get::<_, Option<Vec<u8>>>(2)?));
    }
    let mut work = Work::default();
    for run in runs(dir)? {
        let (name, folder) = (run.to_string(), dir.join(run.to_string()));
        // A folder that cannot be read has no stamp but this; one that went meanwhile is gone the next time.
        let now = stamp::of(&folder).unwrap_or_default();
        let before = known.remove(&name);
        if before.is_none_or(|(_, before)| before.as_ref() != Some(&now)) {
            work.read.push((name, folder, now));
        }
    }
    work.gone = known.into_values().map(|(id, _)| id).collect();
    Ok(work)
}

/// Does it. What is done stays done when this is ended on the way.
pub(super) fn update(db: &Connection, work: Work) -> Result<(), Fault> {
    db.execute_batch("BEGIN IMMEDIATE")?;
    let done = act(db, work).and_then(|()| db.execute_batch("COMMIT").map_err(Fault::from));
    if done.is_err() && !db.is_autocommit() {
        db.execute_batch("ROLLBACK")?;
    }
    done
}

fn act(db: &Connection, work: Work) -> Result<(), Fault> {
    for run in work.gone {
        fill::forget(db, run)?;
        db.execute("DELETE FROM run WHERE id = ?1", [run])?;
    }
    let mut words = Words::default();
    for (name, folder, stamp) in work.read {
        let before = before(db, &name)?;
        fill::run(db, &mut words, (&folder, &name, &stamp), before)?;
        db.execute_batch("COMMIT; BEGIN IMMEDIATE")?;
    }
    Ok(())
}

/// Takes out all that is there of a run.
pub(super) fn take_out(db: &Connection, name: &str) -> Result<(), Fault> {
    let mut query = db.prepare("SELECT id FROM run WHERE name = ?1")?;
    let gone = query.query_map([name], |row| row.get(0))?.collect::<Result<_, _>>()?;
    drop(query);
    update(db, Work { gone, read: Vec::new() })
}

/// Reads one log, in whatever folder.
pub(super) fn read_one(db: &Connection, folder: &Path) -> Result<(), Fault> {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    update(db, Work { gone: Vec::new(), read: vec![(name, folder.to_owned(), Vec::new())] })
}

fn before(db: &Connection, name: &str) -> Result<Before, Fault> {
    db.execute("INSERT OR IGNORE INTO run(name) VALUES(?1)", [name])?;
    let row = db.query_row(
        "SELECT id, start, leaves, about, began, ended FROM run WHERE name = ?1",
        [name],
        |row| {
            Ok(Before {
                id: row.get(0)?,
                start: row.get(1)?,
                leaves: row.get(2)?,
                about: row.get(3)?,
                began: row.get(4)?,
                ended: row.get(5)?,
            })
        },
    )?;
    Ok(row)
}
