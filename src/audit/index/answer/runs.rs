//! Runs as a list, and one of them.

use super::Index;
use crate::audit::index::{About, Fault};
use crate::audit::log::{Verdict, goes_on};
use crate::base::WallTime;
use rusqlite::Row;
use serde::Serialize;

/// A run as the index has it.
#[derive(Debug, Clone, Serialize)]
pub struct RunRow {
    /// Its id.
    pub run: String,
    /// The verdict when its log was read; `None` when it could not be.
    #[serde(flatten)]
    pub verdict: Option<Verdict>,
    /// When it was read. Its files are the same since.
    pub checked: Option<String>,
    /// It goes on.
    pub alive: bool,
    /// When it began.
    pub began: Option<String>,
    /// When it ended, as it says itself.
    pub ended: Option<String>,
    /// What is known of it.
    #[serde(flatten)]
    pub about: About,
    #[serde(skip)]
    pub(super) id: i64,
}

const COLUMNS: &str = "id, name, verdict, checked, began, ended, about";

/// A moment as the index keeps it, in words.
pub(super) fn time(micros: i64) -> String {
    WallTime(i128::from(micros) * 1000).to_string()
}

impl Index {
    /// Every run that began at or after this moment (microseconds since 1970), oldest first.
    /// # Errors
    /// As [`ask`](crate::audit::index::ask).
    pub fn runs(&self, since: Option<i64>) -> Result<Vec<RunRow>, Fault> {
        let mut query = self.db.prepare(&format!(
            "SELECT {COLUMNS} FROM run WHERE ?1 IS NULL OR coalesce(began, checked) >= ?1 ORDER BY name"
        ))?;
        let mut rows = query.query([since])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(self.run_of(row)?);
        }
        Ok(all)
    }

    /// How many runs and leaves there are, and when a log was read last, microseconds since 1970: with any change of a log,
    /// this changes.
    /// # Errors
    /// As [`ask`](crate::audit::index::ask).
    pub fn size(&self) -> Result<[u64; 3], Fault> {
        let sums = "SELECT count(*), coalesce(sum(leaves), 0), coalesce(max(checked), 0) FROM run";
        let row = self.db.query_row(sums, [], |row| Ok([row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?]))?;
        Ok(row.map(i64::cast_unsigned))
    }

    /// The run of this id.
    /// # Errors
    /// As [`ask`](crate::audit::index::ask).
    pub fn run(&self, name: &str) -> Result<Option<RunRow>, Fault> {
        let mut query = self.db.prepare(&format!("SELECT {COLUMNS} FROM run WHERE name = ?1"))?;
        let mut rows = query.query([name])?;
        rows.next()?.map(|row| self.run_of(row)).transpose()
    }

    pub(super) fn run_of(&self, row: &Row<'_>) -> Result<RunRow, Fault> {
        let run: String = row.get(1)?;
        let broken = |error: serde_json::Error| Fault::Broken(error.to_string());
        let verdict: Option<String> = row.get(2)?;
        let verdict: Option<Verdict> =
            verdict.map(|text| serde_json::from_str(&text).map_err(broken)).transpose()?;
        let about: About = serde_json::from_str(&row.get::<_, String>(6)?).map_err(broken)?;
        let moment = |at| row.get::<_, Option<i64>>(at).map(|micros| micros.map(time));
        let unended = verdict.as_ref().is_some_and(|verdict| verdict.state == crate::audit::log::State::Open);
        let alive = unended && goes_on(&self.dir.join(&run));
        Ok(RunRow {
            id: row.get(0)?,
            verdict,
            checked: moment(3)?,
            alive,
            began: moment(4)?,
            ended: moment(5)?,
            about,
            run,
        })
    }
}
