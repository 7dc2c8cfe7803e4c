//! Who touched a path: over all runs, what was done, given and refused there.

use super::{Index, Part, runs::time};
use crate::audit::index::facts::Acts;
use crate::audit::index::{Fault, Kind, Pattern};
use rusqlite::params;
use serde::Serialize;

/// An object of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TouchedRow {
    /// The run.
    pub run: String,
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What was seen to be done, and how often.
    pub seen: Acts,
    /// How often.
    pub seen_times: u64,
    /// What was given.
    pub granted: Acts,
    /// How often.
    pub granted_times: u64,
    /// What was refused.
    pub denied: Acts,
    /// How often.
    pub denied_times: u64,
    /// How sensitive it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The first and the last leaf that name it.
    pub leaves: (u64, u64),
    /// When the first and the last of them were written.
    pub times: (String, String),
}

/// What was touched of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Touched {
    /// Objects of runs; the newest first.
    #[serde(flatten)]
    pub rows: Part<TouchedRow>,
    /// Objects that the pattern means.
    pub objects: u64,
    /// Runs that named one of them.
    pub runs: u64,
}

impl Index {
    /// Files, programs and devices that a pattern means, in every run that touched, was given or was refused one; since
    /// this moment, microseconds since 1970.
    /// # Errors
    /// As [`ask`](crate::audit::index::ask).
    pub fn touched(&self, pattern: &Pattern, since: Option<i64>, limit: usize) -> Result<Touched, Fault> {
        let objects = self.objects(pattern)?;
        let mut query = self.db.prepare(
            "SELECT run, until FROM roll WHERE obj = ?1 AND until >= ?2 AND seen + granted + denied + asked > 0",
        )?;
        let mut places: Vec<(i64, i64, i64)> = Vec::new();
        for object in &objects {
            let mut rows = query.query(params![object, since.unwrap_or(i64::MIN)])?;
            while let Some(row) = rows.next()? {
                places.push((row.get(1)?, row.get(0)?, *object));
            }
        }
        let mut runs: Vec<i64> = places.iter().map(|(_, run, _)| *run).collect();
        runs.sort_unstable();
        runs.dedup();
        places.sort_unstable_by(|one, other| other.cmp(one));
        let all = places.len() as u64;
        let told = places.iter().take(limit).map(|(_, run, object)| self.touched_row(*run, *object));
        let rows = Part { all, told: told.collect::<Result<_, _>>()? };
        Ok(Touched { rows, objects: objects.len() as u64, runs: runs.len() as u64 })
    }

    /// The dictionary's entries that a pattern means.
    fn objects(&self, pattern: &Pattern) -> Result<Vec<i64>, Fault> {
        let (from, to) = pattern.range();
        let mut found = Vec::new();
        let mut query = self.db.prepare(
            "SELECT id, text FROM obj WHERE kind = ?1 AND text >= ?2 AND (?3 IS NULL OR text < ?3)",
        )?;
        for kind in [Kind::File, Kind::Program, Kind::Device] {
            let mut rows = query.query(params![kind as i64, from, to])?;
            while let Some(row) = rows.next()? {
                if pattern.means(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?) {
                    found.push(row.get(0)?);
                }
            }
        }
        Ok(found)
    }

    fn touched_row(&self, run: i64, object: i64) -> Result<TouchedRow, Fault> {
        let row = self.db.query_row(
            "SELECT run.name, obj.kind, obj.text, acts_seen, seen, acts_granted, granted, acts_denied, denied, \
             label.text, first, last, since, until FROM roll JOIN run ON run.id = roll.run \
             JOIN obj ON obj.id = roll.obj LEFT JOIN obj label ON label.id = roll.label \
             WHERE roll.run = ?1 AND roll.obj = ?2",
            [run, object],
            |row| {
                let number = |at| row.get::<_, i64>(at).map(i64::cast_unsigned);
                Ok(TouchedRow {
                    run: row.get(0)?,
                    kind: Kind::of(row.get(1)?).unwrap_or(Kind::File),
                    name: row.get(2)?,
                    seen: Acts(row.get(3)?),
                    seen_times: number(4)?,
                    granted: Acts(row.get(5)?),
                    granted_times: number(6)?,
                    denied: Acts(row.get(7)?),
                    denied_times: number(8)?,
                    label: row.get(9)?,
                    leaves: (number(10)?, number(11)?),
                    times: (time(row.get(12)?), time(row.get(13)?)),
                })
            },
        )?;
        Ok(row)
    }
}
