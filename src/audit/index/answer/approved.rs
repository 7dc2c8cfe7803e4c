//! Which leaves belong to an id, and the newest yeses.

use super::{Index, most, runs::time, summary::is_person};
use crate::audit::index::facts::{Acts, UNDER};
use crate::audit::index::{Fault, Kind};
use rusqlite::params;
use serde::Serialize;
use std::collections::BTreeSet;

/// The most leaves that belong to one id.
const MOST_LEAVES: usize = 1000;
/// How often ids lead to leaves and those to further ids: a use to its lease, that to its request.
const MOST_STEPS: usize = 3;

/// A leaf by its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Leaf {
    /// The run.
    pub run: String,
    /// Its index there.
    pub index: u64,
}

/// A yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// The leaf that says so.
    #[serde(flatten)]
    pub leaf: Leaf,
    /// When.
    pub time: String,
    /// Who or what said yes.
    pub by: String,
    /// A person, at that moment.
    pub person: bool,
    /// The actions.
    pub acts: Acts,
    /// On what.
    pub kind: Option<Kind>,
    /// Its name.
    pub name: String,
    /// The program that asked.
    pub actor: Option<String>,
}

impl Index {
    /// Leaves that an id names, and those that these lead to, of each run that has such an id, in the order of the log.
    /// Capitals do not matter.
    /// # Errors
    /// As [`ask`](crate::audit::index::ask).
    pub fn leaves_of(&self, id: &str) -> Result<Vec<Leaf>, Fault> {
        let mut query = self.db.prepare("SELECT run, idx FROM ref WHERE id IN (?1, ?3 || ?1) LIMIT ?2")?;
        let pair = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let first: BTreeSet<(i64, i64)> =
            query.query_map(params![id, most(MOST_LEAVES), UNDER], pair)?.collect::<Result<_, _>>()?;
        self.connected(first)
    }

    /// The same for the ids that one leaf has, with that leaf.
    /// # Errors
    /// As [`ask`](crate::audit::index::ask).
    pub fn leaves_with(&self, leaf: &Leaf) -> Result<Vec<Leaf>, Fault> {
        let Some(run) = self.run(&leaf.run)? else { return Ok(Vec::new()) };
        self.connected(BTreeSet::from([(run.id, leaf.index.cast_signed())]))
    }

    fn connected(&self, first: BTreeSet<(i64, i64)>) -> Result<Vec<Leaf>, Fault> {
        let mut ids_of = self.db.prepare("SELECT id FROM ref WHERE run = ?1 AND idx = ?2")?;
        let mut leaves_of = self.db.prepare("SELECT idx FROM ref WHERE id = ?1 AND run = ?2 LIMIT ?3")?;
        let (mut all, mut new) = (first.clone(), first);
        for _ in 0..MOST_STEPS {
            let mut next = BTreeSet::new();
            for (run, index) in new {
                let ids: Vec<String> =
                    ids_of.query_map([run, index], |row| row.get(0))?.collect::<Result<_, _>>()?;
                for id in ids.into_iter().filter(|id| !id.starts_with(UNDER)) {
                    let found = leaves_of.query_map(params![id, run, most(MOST_LEAVES)], |row| row.get(0))?;
                    let found: Vec<i64> = found.collect::<Result<_, _>>()?;
                    next.extend(found.into_iter().map(|index| (run, index)).filter(|at| !all.contains(at)));
                }
                if all.len() + next.len() >= MOST_LEAVES {
                    break;
                }
            }
            all.extend(&next);
            new = next;
        }
        let mut name = self.db.prepare("SELECT name FROM run WHERE id = ?1")?;
        let mut leaves = Vec::new();
        for (run, index) in all.into_iter().take(MOST_LEAVES) {
            leaves.push(Leaf { run: name.query_row([run], |row| row.get(0))?, index: index.cast_unsigned() });
        }
        leaves.sort_unstable();
        Ok(leaves)
    }

    /// The newest yeses, or those of one run.
    /// # Errors
    /// As [`ask`](crate::audit::index::ask).
    pub fn approvals(&self, run: Option<&str>, limit: usize) -> Result<Vec<Approval>, Fault> {
        let mut query = self.db.prepare(
            "SELECT run.name, idx, ts, coalesce(who.text, ''), acts, obj.kind, coalesce(obj.text, ''), actor.text \
             FROM ev JOIN run ON run.id = ev.run LEFT JOIN obj who ON who.id = ev.by \
             LEFT JOIN obj ON obj.id = ev.obj LEFT JOIN obj actor ON actor.id = ev.actor \
             WHERE said = 2 AND (?1 IS NULL OR run.name = ?1) ORDER BY ts DESC, ev.run DESC, idx DESC LIMIT ?2",
        )?;
        let row = |row: &rusqlite::Row<'_>| {
            let by: String = row.get(3)?;
            Ok(Approval {
                leaf: Leaf { run: row.get(0)?, index: row.get::<_, i64>(1)?.cast_unsigned() },
                time: time(row.get(2)?),
                person: is_person(&by),
                by,
                acts: Acts(row.get(4)?),
                kind: row.get::<_, Option<i64>>(5)?.and_then(Kind::of),
                name: row.get(6)?,
                actor: row.get(7)?,
            })
        };
        Ok(query.query_map(params![run, most(limit)], row)?.collect::<Result<_, _>>()?)
    }
}
