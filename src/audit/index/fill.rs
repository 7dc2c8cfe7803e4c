//! Puts what one log says into the tables.
//!
//! Takes leaves from the reader alone, so only those of blocks that hold; every text of them is a bound parameter.

use super::about::About;
use super::database::Fault;
use super::facts::{Facts, Kind};
use super::roll::{Leaf, Rolls};
use crate::audit::Record;
use crate::audit::log::{Found, State, Verdict, read};
use crate::base::WallTime;
use crate::crypto::sha256;
use rusqlite::{Connection, OptionalExtension, Statement, params};
use std::collections::HashMap;
use std::path::Path;

/// Leaves after which what was read so far is kept, should the rest not be.
const STRIDE: i64 = 200_000;
/// Ids of the dictionary that are kept at hand.
const MOST_IDS: usize = 300_000;
/// Lines of the roll that are kept in memory.
const MOST_LINES: usize = 200_000;

/// What the index has of a run already.
#[derive(Debug, Default)]
pub(super) struct Before {
    pub(super) id: i64,
    pub(super) start: Option<Vec<u8>>,
    pub(super) leaves: i64,
    pub(super) about: String,
    pub(super) began: Option<i64>,
    pub(super) ended: Option<i64>,
}

/// The dictionary, with what was looked up.
#[derive(Debug, Default)]
pub(super) struct Words(HashMap<(Kind, String), i64>);

/// Reads the log of a run and puts in what is new of it. A transaction is open, and one is open afterwards.
pub(super) fn run(
    db: &Connection,
    words: &mut Words,
    (folder, name, stamp): (&Path, &str, &[u8]),
    before: Before,
) -> Result<(), Fault> {
    let run = before.id;
    let checked = WallTime::now();
    let mut filler = Filler::new(db, words, name, before)?;
    let read_once = |filler: &mut Filler<'_>| read(folder, &mut |found| filler.leaf(&found));
    let mut verdict = read_once(&mut filler);
    let short = |verdict: &Verdict, filler: &Filler<'_>| verdict.leaves.cast_signed() < filler.leaves;
    if verdict.as_ref().is_ok_and(|verdict| short(verdict, &filler)) {
        // What stood there is gone: nothing of it counts.
        filler.forget()?;
        verdict = read_once(&mut filler);
    }
    filler.check()?;
    let verdict = match verdict {
        Ok(verdict) => Some(verdict),
        Err(error) => {
            filler.forget()?;
            filler.about.unreadable = Some(error.to_string());
            None
        }
    };
    filler.keep(verdict.as_ref().is_none_or(|verdict| verdict.state == State::Sealed))?;
    let text = verdict.map(|verdict| serde_json::to_string(&verdict)).transpose();
    let text = text.map_err(|error| Fault::Failed(error.to_string()))?;
    let micros = i64::try_from(checked.0 / 1000).unwrap_or(0);
    db.execute(
        "UPDATE run SET stamp = ?2, verdict = ?3, checked = ?4 WHERE id = ?1",
        params![run, stamp, text, micros],
    )?;
    Ok(())
}

/// Removes all that the index has of a run, its words too where no other run has them.
pub(super) fn forget(db: &Connection, run: i64) -> Result<(), Fault> {
    let mut query = db.prepare("SELECT obj FROM roll WHERE run = ?1")?;
    let objects: Vec<i64> = query.query_map([run], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for table in ["ev", "roll", "ref", "found", "flow", "lease"] {
        db.execute(&format!("DELETE FROM {table} WHERE run = ?1"), [run])?;
    }
    let mut orphan =
        db.prepare("DELETE FROM obj WHERE id = ?1 AND NOT EXISTS(SELECT 1 FROM roll WHERE roll.obj = ?1)")?;
    objects.into_iter().try_for_each(|object| orphan.execute([object]).map(drop))?;
    Ok(())
}

struct Filler<'a> {
    db: &'a Connection,
    words: &'a mut Words,
    name: &'a str,
    run: i64,
    start: Option<Vec<u8>>,
    leaves: i64,
    kept: i64,
    about: About,
    rolls: Rolls,
    found: HashMap<(i64, i64), (i64, i64)>,
    flows: HashMap<u64, (u64, u64)>,
    leases: HashMap<String, (Option<i64>, Option<i64>)>,
    failed: Option<Fault>,
    find: Statement<'a>,
    add: Statement<'a>,
    event: Statement<'a>,
    id: Statement<'a>,
}

impl<'a> Filler<'a> {
    fn new(db: &'a Connection, words: &'a mut Words, name: &'a str, before: Before) -> Result<Self, Fault> {
        let mut about: About = serde_json::from_str(&before.about).unwrap_or_default();
        (about.began, about.ended, about.unreadable) = (before.began, before.ended, None);
        let mut filler = Self {
            db,
            words,
            name,
            run: before.id,
            start: before.start,
            leaves: before.leaves,
            kept: before.leaves,
            about,
            rolls: Rolls::default(),
            found: HashMap::new(),
            flows: HashMap::new(),
            leases: HashMap::new(),
            failed: None,
            find: db.prepare("SELECT id FROM obj WHERE kind = ?1 AND text = ?2")?,
            add: db.prepare("INSERT INTO obj(kind, text) VALUES(?1, ?2)")?,
            event: db
                .prepare("INSERT INTO ev VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16)")?,
            id: db.prepare("INSERT OR IGNORE INTO ref(id, run, idx) VALUES(?1, ?2, ?3)")?,
        };
        if filler.leaves > 0 {
            filler.load()?;
        }
        Ok(filler)
    }

    /// What was known of leases and connections when the log was read last.
    fn load(&mut self) -> Result<(), Fault> {
        let mut query = self.db.prepare("SELECT flow, sent, received FROM flow WHERE run = ?1")?;
        let mut rows = query.query([self.run])?;
        while let Some(row) = rows.next()? {
            let number = |at| row.get::<_, i64>(at).map(i64::cast_unsigned);
            self.flows.insert(number(0)?, (number(1)?, number(2)?));
        }
        let mut query = self.db.prepare("SELECT id, obj, label FROM lease WHERE run = ?1")?;
        let mut rows = query.query([self.run])?;
        while let Some(row) = rows.next()? {
            self.leases.insert(row.get(0)?, (row.get(1)?, row.get(2)?));
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), Fault> {
        self.failed.take().map_or(Ok(()), Err)
    }

    /// The reader takes no error: the first one is kept, and nothing is put in after it.
    fn leaf(&mut self, found: &Found<'_>) {
        if self.failed.is_none()
            && let Err(fault) = self.take(found)
        {
            self.failed = Some(fault);
        }
    }

    fn take(&mut self, found: &Found<'_>) -> Result<(), Fault> {
        let index = found.index.cast_signed();
        if index == 0 {
            // The first leaf has the first keys: where it is the same, so is all that they signed.
            let start = sha256(found.bytes).bytes().to_vec();
            if self.start.as_ref().is_some_and(|before| *before != start) {
                self.forget()?;
            }
            self.start = Some(start);
        }
        if index < self.leaves {
            return Ok(());
        }
        let record = Record::of(self.name, found);
        self.record(index, &record)?;
        self.leaves = index + 1;
        if self.leaves - self.kept >= STRIDE || self.rolls.len() > MOST_LINES {
            self.keep(false)?;
            self.db.execute_batch("COMMIT; BEGIN IMMEDIATE")?;
        }
        Ok(())
    }

    fn record(&mut self, index: i64, record: &Record) -> Result<(), Fault> {
        let ts = (record.ts / 1000).cast_signed();
        self.about.take(record, ts);
        let mut facts = Facts::of(record);
        self.since_last(&mut facts);
        let of_lease = facts.lease.as_ref().and_then(|id| self.leases.get(id)).copied().unwrap_or_default();
        let event = self.word(Kind::Event, &record.event)?;
        let object = match facts.object.take() {
            Some((kind, text)) => Some(self.word_owned(kind, text)?),
            None => of_lease.0,
        };
        let actor = self.maybe(Kind::Actor, &facts.actor)?;
        let reason = self.maybe(Kind::Reason, &facts.reason)?;
        let by = self.maybe(Kind::By, &facts.by)?;
        let label = self.maybe(Kind::Label, &facts.label)?.or(of_lease.1);
        if record.event == "grant"
            && let Some(id) = record.data.get("grant").and_then(serde_json::Value::as_str)
        {
            self.leases.insert(id.to_owned(), (object, label));
        }
        let leaf = Leaf { index, ts };
        for of in [Some(event), object, actor, reason, by, label].into_iter().flatten() {
            self.rolls.add(of, leaf, &facts, label.filter(|_| Some(of) == object));
        }
        for (what, count) in &facts.findings {
            let what = self.word(Kind::Finding, what)?;
            self.rolls.add(what, leaf, &facts, None);
            let known = self.found.entry((object.unwrap_or(0), what)).or_insert((0, index));
            known.0 = known.0.saturating_add(count.cast_signed());
        }
        for id in &facts.ids {
            self.id.execute(params![id, self.run, index])?;
        }
        self.event.execute(params![
            self.run,
            index,
            ts,
            event,
            facts.said as i64,
            facts.acts.0,
            object,
            actor,
            facts.pid,
            facts.count.cast_signed(),
            facts.sent.cast_signed(),
            facts.received.cast_signed(),
            reason,
            by,
            label,
            facts.evidence()
        ])?;
        Ok(())
    }

    /// A connection tells how many bytes it had so far: what came since it was last told is counted.
    fn since_last(&mut self, facts: &mut Facts) {
        let Some(flow) = facts.flow else { return };
        let so_far = self.flows.entry(flow).or_default();
        let (sent, received) = (facts.sent, facts.received);
        facts.sent = sent.saturating_sub(so_far.0);
        facts.received = received.saturating_sub(so_far.1);
        *so_far = (so_far.0.max(sent), so_far.1.max(received));
    }

    fn maybe(&mut self, kind: Kind, text: &str) -> Result<Option<i64>, Fault> {
        if text.is_empty() { Ok(None) } else { self.word(kind, text).map(Some) }
    }

    fn word(&mut self, kind: Kind, text: &str) -> Result<i64, Fault> {
        self.word_owned(kind, text.to_owned())
    }

    /// The number of a text in the dictionary.
    fn word_owned(&mut self, kind: Kind, text: String) -> Result<i64, Fault> {
        let key = (kind, text);
        if let Some(id) = self.words.0.get(&key) {
            return Ok(*id);
        }
        let found = self.find.query_row(params![kind as i64, key.1], |row| row.get(0)).optional()?;
        let id = match found {
            Some(id) => id,
            None => self.add.insert(params![kind as i64, key.1])?,
        };
        if self.words.0.len() >= MOST_IDS {
            self.words.0.clear();
        }
        self.words.0.insert(key, id);
        Ok(id)
    }

    fn forget(&mut self) -> Result<(), Fault> {
        forget(self.db, self.run)?;
        (self.leaves, self.kept, self.start) = (0, 0, None);
        (self.about, self.rolls) = (About::default(), Rolls::default());
        self.found.clear();
        self.flows.clear();
        self.leases.clear();
        self.words.0.clear();
        Ok(())
    }

    /// Puts away what was summed; of a log that is `over`, no connection and no lease goes on.
    fn keep(&mut self, over: bool) -> Result<(), Fault> {
        self.rolls.put(self.db, self.run)?;
        let mut insert = self.db.prepare(
            "INSERT INTO found VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET n = n + excluded.n",
        )?;
        for ((object, what), (count, first)) in self.found.drain() {
            insert.execute(params![self.run, object, what, count, first])?;
        }
        if over {
            self.flows.clear();
            self.leases.clear();
            self.db.execute("DELETE FROM flow WHERE run = ?1", [self.run])?;
            self.db.execute("DELETE FROM lease WHERE run = ?1", [self.run])?;
        }
        let mut insert = self.db.prepare("INSERT OR REPLACE INTO flow VALUES(?1, ?2, ?3, ?4)")?;
        for (flow, (sent, received)) in &self.flows {
            let number = |number: &u64| number.cast_signed();
            insert.execute(params![self.run, number(flow), number(sent), number(received)])?;
        }
        let mut insert = self.db.prepare("INSERT OR REPLACE INTO lease VALUES(?1, ?2, ?3, ?4)")?;
        for (id, (object, label)) in &self.leases {
            insert.execute(params![self.run, id, object, label])?;
        }
        let about = serde_json::to_string(&self.about).map_err(|error| Fault::Failed(error.to_string()))?;
        self.db.execute(
            "UPDATE run SET start = ?2, leaves = ?3, about = ?4, began = ?5, ended = ?6 WHERE id = ?1",
            params![self.run, self.start, self.leaves, about, self.about.began, self.about.ended],
        )?;
        self.kept = self.leaves;
        Ok(())
    }
}
