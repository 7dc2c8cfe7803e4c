//! One run in short: what was touched, who approved, what was refused.

use super::{Index, Named, Part, RunRow, most};
use crate::audit::index::facts::Acts;
use crate::audit::index::{Fault, Kind};
use crate::base::Action;
use rusqlite::params;
use serde::Serialize;

/// How many files something was done to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Opened for reading.
    pub read: u64,
    /// Changed: appended to, overwritten, created.
    pub changed: u64,
    /// Removed.
    pub deleted: u64,
    /// Of all of them, those at a place marked as sensitive.
    pub sensitive: u64,
}

/// Something that was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Given {
    /// What it is.
    pub kind: Option<Kind>,
    /// Its name.
    pub name: String,
    /// The actions, over all that was given of it in this run.
    pub acts: Acts,
    /// How often.
    pub count: u64,
}

/// What one way of saying yes gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Who or what said yes: a channel to a person, `always`, a template, a policy.
    pub by: String,
    /// A person, at that moment.
    pub person: bool,
    /// How often.
    pub count: u64,
    /// On what, the first few.
    pub objects: Vec<Given>,
}

/// Refusals of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Denied {
    /// What was refused.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The actions.
    pub acts: Acts,
    /// How often.
    pub count: u64,
    /// The first leaf that says so.
    pub first: u64,
}

/// A run in short.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The run.
    #[serde(flatten)]
    pub run: RunRow,
    /// Files that were seen to be touched.
    pub files: Count,
    /// Sensitive files and places among what was given or touched.
    pub sensitive: Part<Named>,
    /// Places and files that were given.
    pub given: Part<Named>,
    /// Programs that were started.
    pub programs: Part<Named>,
    /// Who said yes.
    pub approved: Vec<Group>,
    /// Grants in all.
    pub grants: u64,
    /// What was refused.
    pub denied: Part<Denied>,
    /// Refusals in all.
    pub denials: u64,
    /// Events in all.
    pub events: u64,
}

/// Whether this stands for a person who was asked: a channel, or a command of the person's own.
pub fn is_person(by: &str) -> bool {
    matches!(by, "terminal" | "notification" | "notify" | "ui" | "approve" | "deny" | "grant" | "person")
}

impl Index {
    /// A run in short; each list has at most `limit` entries.
    /// # Errors
    /// As [`ask`](crate::audit::index::ask).
    pub fn summary(&self, run: RunRow, limit: usize) -> Result<Summary, Fault> {
        let id = run.id;
        let denied = self.denied(id, limit)?;
        let count =
            |sql: &str| self.db.query_row(sql, [id], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned);
        Ok(Summary {
            files: self.files(id)?,
            sensitive: self.named(
                id,
                "roll.label IS NOT NULL AND seen + granted > 0 AND kind IN (1, 4)",
                limit,
            )?,
            given: self.named(id, "granted > 0 AND kind IN (1, 3, 4)", limit)?,
            programs: self.named(id, "seen > 0 AND kind = 3", limit)?,
            approved: self.approvers(id, limit)?,
            grants: count("SELECT count(*) FROM ev WHERE run = ?1 AND said = 2")?,
            denials: count(
                "SELECT CAST(total(denied) AS INTEGER) FROM roll JOIN obj ON obj.id = roll.obj \
                 WHERE run = ?1 AND kind = 6",
            )?,
            events: count("SELECT leaves FROM run WHERE id = ?1")?,
            denied,
            run,
        })
    }

    fn files(&self, run: i64) -> Result<Count, Fault> {
        let mask = |acts: &[Action]| Acts::of(acts.iter().map(|act| act.word())).0;
        let changes = [Action::Append, Action::Overwrite, Action::Create];
        let row = self.db.query_row(
            "SELECT count(*) FILTER (WHERE acts_seen & ?2), count(*) FILTER (WHERE acts_seen & ?3), \
             count(*) FILTER (WHERE acts_seen & ?4), count(*) FILTER (WHERE label IS NOT NULL) \
             FROM roll JOIN obj ON obj.id = roll.obj WHERE run = ?1 AND kind = 1 AND seen > 0",
            params![run, mask(&[Action::Read]), mask(&changes), mask(&[Action::Delete])],
            |row| Ok([row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?, row.get(3)?]),
        )?;
        let [read, changed, deleted, sensitive] = row.map(i64::cast_unsigned);
        Ok(Count { read, changed, deleted, sensitive })
    }

    /// Objects of a run for which `which` holds, which is no text of a log.
    fn named(&self, run: i64, which: &str, limit: usize) -> Result<Part<Named>, Fault> {
        let from = format!("FROM roll JOIN obj ON obj.id = roll.obj WHERE run = ?1 AND {which}");
        let all = self.db.query_row(&format!("SELECT count(*) {from}"), [run], |row| row.get::<_, i64>(0))?;
        let mut query = self.db.prepare(&format!(
            "SELECT kind, text, seen + granted {from} ORDER BY seen + granted DESC, first LIMIT ?2"
        ))?;
        let row = |row: &rusqlite::Row<'_>| {
            Ok(Named { kind: Kind::of(row.get(0)?), name: row.get(1)?, count: row.get(2)? })
        };
        let told = query.query_map(params![run, most(limit)], row)?.collect::<Result<_, _>>()?;
        Ok(Part { all: all.cast_unsigned(), told })
    }

    fn approvers(&self, run: i64, limit: usize) -> Result<Vec<Group>, Fault> {
        let mut query = self.db.prepare(
            "SELECT coalesce(who.text, ''), obj.kind, coalesce(obj.text, ''), count(*), coalesce(acts_granted, 0) \
             FROM ev LEFT JOIN obj who ON who.id = ev.by LEFT JOIN obj ON obj.id = ev.obj \
             LEFT JOIN roll ON roll.run = ev.run AND roll.obj = ev.obj \
             WHERE ev.run = ?1 AND ev.said = 2 GROUP BY ev.by, ev.obj ORDER BY who.text, count(*) DESC, min(idx)",
        )?;
        let mut groups: Vec<Group> = Vec::new();
        let mut rows = query.query([run])?;
        while let Some(row) = rows.next()? {
            let by: String = row.get(0)?;
            let count = row.get::<_, i64>(3)?.cast_unsigned();
            let kind = row.get::<_, Option<i64>>(1)?.and_then(Kind::of);
            let given = Given { kind, name: row.get(2)?, acts: Acts(row.get(4)?), count };
            match groups.last_mut().filter(|group| group.by == by) {
                Some(group) => {
                    group.count += count;
                    if group.objects.len() < limit {
                        group.objects.push(given);
                    }
                }
                None => groups.push(Group { person: is_person(&by), by, count, objects: vec![given] }),
            }
        }
        groups.sort_by_key(|group| (!group.person, std::cmp::Reverse(group.count)));
        Ok(groups)
    }

    fn denied(&self, run: i64, limit: usize) -> Result<Part<Denied>, Fault> {
        let from = "FROM roll JOIN obj ON obj.id = roll.obj WHERE run = ?1 AND denied > 0 AND kind <= 4";
        let all = self.db.query_row(&format!("SELECT count(*) {from}"), [run], |row| row.get::<_, i64>(0))?;
        let mut query = self.db.prepare(&format!(
            "SELECT kind, text, acts_denied, denied, coalesce(refused, first) {from} \
             ORDER BY denied DESC, first LIMIT ?2"
        ))?;
        let row = |row: &rusqlite::Row<'_>| {
            Ok(Denied {
                kind: Kind::of(row.get(0)?).unwrap_or(Kind::File),
                name: row.get(1)?,
                acts: Acts(row.get(2)?),
                count: row.get::<_, i64>(3)?.cast_unsigned(),
                first: row.get::<_, i64>(4)?.cast_unsigned(),
            })
        };
        let told = query.query_map(params![run, most(limit)], row)?.collect::<Result<_, _>>()?;
        Ok(Part { all: all.cast_unsigned(), told })
    }
}
