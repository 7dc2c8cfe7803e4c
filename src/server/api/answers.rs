//! What is answered: from the index, and from the logs themselves where events are handed out.
//!
//! Never looks for a run outside the folder of the logs, and never hands out what does not hold.

use super::roles::{self, Role};
use super::routes::Route;
use super::{Failed, Words};
use crate::audit::export::{Context, Format, Item, line};
use crate::audit::index::answer::Leaf;
use crate::audit::index::{self, Fault, Index, Pattern};
use crate::audit::log::{self, Cosigned, Found, Judge, checkpoint, cosigned_path};
use crate::audit::proven::{self, Proof};
use crate::audit::{AuditError, Record, find, runs};
use crate::base::{RunId, WallTime};
use crate::profile::parse_duration;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The most rows of an answer, and how many there are without a wish.
const MOST_ROWS: usize = 1000;
const ROWS: usize = 100;
/// The most bytes of events of one export; the next one goes on behind them.
const MOST_EXPORT: usize = 8 << 20;
/// The most bytes of a page.
const MOST_PAGE: usize = 64 << 20;
/// The most events whose proof comes with one answer.
const MOST_PROOFS: usize = 100;

/// What goes out.
#[derive(Debug)]
pub(super) enum Reply {
    Json(Value),
    Text(String),
    /// Lines, and the event to go on behind.
    Lines(String, Option<String>),
}

/// An answer, and whose records are in it.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) reply: Reply,
    pub(super) runs: Vec<String>,
}

/// The logs, and what is known of who asks.
#[derive(Debug)]
pub(super) struct Books<'a> {
    pub(super) dir: &'a Path,
    pub(super) home: Option<&'a str>,
    pub(super) words: &'a Words,
    pub(super) role: Role,
}

/// What was asked, by name.
pub(super) type Named = BTreeMap<String, String>;

impl Books<'_> {
    /// Puts a question to the index.
    pub(super) fn ask<T>(
        &self,
        question: &mut dyn FnMut(&Index) -> Result<T, Fault>,
    ) -> Result<T, AuditError> {
        index::ask(self.dir, &mut |_| {}, question)
    }

    /// Answers; the names are those of the route.
    pub(super) fn answer(&self, route: Route, named: &Named) -> Result<Told, Failed> {
        match route {
            Route::Page => self.page(named),
            Route::Sessions => self.sessions(named),
            Route::Session => self.session(named),
            Route::Checkpoint => self.checkpoint(named),
            Route::Query => self.query(named),
            Route::Proof => self.proof(named),
            Route::Export => self.export(named),
            Route::OpenApi | Route::Health => Err(Failed::None("it is answered without records")),
        }
    }

    /// The folder of the run that a word means. A word is a run id, the start of one, or `last`: never a path.
    fn run(&self, word: &str) -> Result<(PathBuf, String), Failed> {
        let plain =
            !word.is_empty() && word.len() <= 26 && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let found = if plain { find(self.dir, word).ok() } else { None };
        let named = found.and_then(|folder| Some((folder.clone(), folder.file_name()?.to_str()?.to_owned())));
        named.ok_or(Failed::None("no run, or more than one, begins so"))
    }

    /// Rows of the index, as the role may read them.
    fn rows(&self, mut value: Value, runs: Vec<String>) -> Told {
        let withheld = if self.role.reads_personal() { 0 } else { roles::project(&mut value) };
        if let Some(fields) = value.as_object_mut() {
            fields.insert("withheld".to_owned(), withheld.into());
        }
        Told { reply: Reply::Json(value), runs }
    }

    fn sessions(&self, named: &Named) -> Result<Told, Failed> {
        let (since, limit) = (since(named)?, limit(named)?);
        let before = named
            .get("before")
            .map(|text| text.parse::<RunId>().map_err(|_| Failed::Bad("before is a run id")));
        let before = before.transpose()?.map(|run| run.to_string());
        let mut rows = self.ask(&mut |index| index.runs(since))?;
        rows.retain(|row| before.as_ref().is_none_or(|before| row.run < *before));
        let all = rows.len();
        let told: Vec<_> = rows.into_iter().rev().take(limit).collect();
        let runs = told.iter().map(|row| row.run.clone()).collect();
        Ok(self.rows(json!({ "all": all, "rows": told }), runs))
    }

    fn session(&self, named: &Named) -> Result<Told, Failed> {
        let (_, run) = self.run(named.get("run").map_or("", String::as_str))?;
        let answer = (self.words.session)(self.dir, &run, limit(named)?)?;
        Ok(self.rows(answer, vec![run]))
    }

    fn page(&self, named: &Named) -> Result<Told, Failed> {
        let (_, run) = self.run(named.get("run").map_or("last", String::as_str))?;
        let page = (self.words.page)(self.dir, &run)?;
        if page.len() > MOST_PAGE {
            return Err(Failed::None("the page is too large"));
        }
        Ok(Told { reply: Reply::Text(page), runs: vec![run] })
    }

    fn checkpoint(&self, named: &Named) -> Result<Told, Failed> {
        let (folder, run) = self.run(named.get("run").map_or("", String::as_str))?;
        let note = checkpoint(&folder)?.ok_or(Failed::None("its stable key has signed no head yet"))?;
        Ok(Told { reply: Reply::Text(note), runs: vec![run] })
    }

    fn query(&self, named: &Named) -> Result<Told, Failed> {
        let what = ["touched", "approved_by", "host"].map(|name| named.get(name));
        let prove = match named.get("prove").map(String::as_str) {
            None | Some("0") => false,
            Some("1") => true,
            Some(_) => return Err(Failed::Bad("prove is 0 or 1")),
        };
        match what {
            [Some(_), None, None] | [None, None, Some(_)] if !self.role.reads_personal() => {
                Err(Failed::Role("names of files and hosts are personal"))
            }
            [Some(glob), None, None] => self.touched(glob, since(named)?, limit(named)?, prove),
            [None, Some(id), None] => self.approved(id, limit(named)?, prove),
            [None, None, Some(host)] => self.moved(host, since(named)?, limit(named)?, prove),
            _ => Err(Failed::Bad("ask for just one of touched, approved_by and host")),
        }
    }

    fn touched(&self, glob: &str, since: Option<i64>, limit: usize, prove: bool) -> Result<Told, Failed> {
        let pattern = Pattern::of(glob, "/", self.home).map_err(|_| Failed::Bad("touched is no pattern"))?;
        let touched = self.ask(&mut |index| index.touched(&pattern, since, limit))?;
        let runs = touched.rows.told.iter().map(|row| row.run.clone()).collect();
        let rows = touched.rows.told.iter().enumerate().map(|(place, row)| {
            let about = Some((row.run.as_str(), row.leaves.0, row.name.as_str()));
            self.with_proof(json!(row), about.filter(|_| prove && place < MOST_PROOFS))
        });
        let rows: Vec<Value> = rows.collect();
        let (all, objects) = (touched.rows.all, touched.objects);
        Ok(self.rows(json!({ "all": all, "objects": objects, "runs": touched.runs, "rows": rows }), runs))
    }

    fn moved(&self, host: &str, since: Option<i64>, limit: usize, prove: bool) -> Result<Told, Failed> {
        let moved = self.ask(&mut |index| index.moved_to(host, since, limit))?;
        let runs = moved.rows.told.iter().filter_map(|row| row.run.clone()).collect();
        let rows = moved.rows.told.iter().enumerate().map(|(place, row)| {
            let about =
                row.run.as_deref().zip(row.leaves).map(|(run, (_, last))| (run, last, row.host.as_str()));
            self.with_proof(json!(row), about.filter(|_| prove && place < MOST_PROOFS))
        });
        let rows: Vec<Value> = rows.collect();
        let (sent, received) = (moved.sent, moved.received);
        Ok(self
            .rows(json!({ "all": moved.rows.all, "sent": sent, "received": received, "rows": rows }), runs))
    }

    fn with_proof(&self, mut row: Value, about: Option<(&str, u64, &str)>) -> Value {
        if let (Some((run, index, name)), Some(fields)) = (about, row.as_object_mut()) {
            fields.insert("proof".to_owned(), json!(proven::of(self.dir, run, index, Some(name))));
        }
        row
    }

    fn approved(&self, id: &str, limit: usize, prove: bool) -> Result<Told, Failed> {
        let event =
            id.rsplit_once(':').and_then(|(run, index)| Some((self.run(run).ok()?.1, index.parse().ok()?)));
        let leaf = event.map(|(run, index)| Leaf { run, index });
        let leaves = self.ask(&mut |index| match &leaf {
            Some(leaf) => index.leaves_with(leaf),
            None => index.leaves_of(id),
        })?;
        let mut wanted: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
        for leaf in leaves.iter().take(limit) {
            wanted.entry(&leaf.run).or_default().insert(leaf.index);
        }
        let (mut rows, mut withheld) = (Vec::new(), 0);
        let names = wanted.keys().map(|run| (*run).to_owned()).collect();
        for (run, indexes) in wanted {
            let mut records = Vec::new();
            let mut take = |found: Found<'_>| {
                if indexes.contains(&found.index) {
                    records.push(Record::of(run, &found));
                }
            };
            let verdict = log::read(&self.dir.join(run), &mut take)?;
            for (place, record) in records.into_iter().enumerate() {
                let proof = (prove && place < MOST_PROOFS).then(|| self.proof_of(&record));
                let (record, gone) = self.record(record);
                withheld += gone;
                rows.push(json!({ "state": verdict.state, "record": record, "proof": proof.flatten() }));
            }
        }
        let reply = json!({ "all": leaves.len(), "rows": rows, "withheld": withheld });
        Ok(Told { reply: Reply::Json(reply), runs: names })
    }

    /// A record as the role may read it, and how many of its values it may not.
    fn record(&self, mut record: Record) -> (Record, u64) {
        let most = self.role.most();
        let mut gone = roles::withhold(&record.event, &mut record.data, most);
        if !self.role.reads_personal() {
            // A digest over what is withheld would tell who guesses it.
            gone += u64::from(record.cut.take().is_some());
        }
        (record, gone)
    }

    /// The proof of a record, which holds it whole; `None` where the role may not read all of it.
    fn proof_of(&self, record: &Record) -> Option<Proof> {
        let (_, gone) = self.record(record.clone());
        (gone == 0).then(|| proven::of(self.dir, &record.run, record.seq, None))
    }

    fn proof(&self, named: &Named) -> Result<Told, Failed> {
        let (folder, run) = self.run(named.get("run").map_or("", String::as_str))?;
        let index: u64 =
            named.get("index").and_then(|text| text.parse().ok()).ok_or(Failed::Bad("index is a number"))?;
        let mut found = None;
        let verdict = log::read(&folder, &mut |each: Found<'_>| {
            if each.index == index {
                found = Some(Record::of(&run, &each));
            }
        })?;
        let record = found.ok_or(Failed::None("the log holds no such event"))?;
        let proof = self
            .proof_of(&record)
            .ok_or(Failed::Role("the event has personal values, and a proof holds it whole"))?;
        let seen = cosigned_path(self.dir.parent().unwrap_or(self.dir), &run);
        let cosigned = Cosigned::read(&seen).map(|seen| seen.text().to_owned());
        let reply = json!({ "state": verdict.state, "record": record, "proof": proof, "cosigned": cosigned });
        Ok(Told { reply: Reply::Json(reply), runs: vec![run] })
    }

    fn export(&self, named: &Named) -> Result<Told, Failed> {
        let format = named.get("format").map_or("jsonl", String::as_str);
        let format: Format = format.parse().map_err(|_| Failed::Bad("no such format"))?;
        if !self.role.reads_personal() && !matches!(format, Format::Jsonl | Format::Cef) {
            return Err(Failed::Role("this format holds each event whole; there are jsonl and cef"));
        }
        let after = named.get("after").map(|text| place(text).ok_or(Failed::Bad("after is RUN:NUMBER")));
        let (after, limit) = (after.transpose()?, limit_of(named, 10 * MOST_ROWS, MOST_ROWS)?);
        let folders: Vec<String> = match named.get("run") {
            Some(word) => vec![self.run(word)?.1],
            None => runs(self.dir)?.iter().map(RunId::to_string).collect(),
        };
        let (mut out, mut names, mut next) =
            (Lines { text: String::new(), count: 0, limit }, Vec::new(), None);
        let mut judge = Judge::new(self.dir, None);
        for run in folders {
            let behind = match &after {
                Some((first, _)) if run < *first => continue,
                Some((first, index)) if run == *first => Some(*index),
                _ => None,
            };
            if out.is_full() {
                break;
            }
            let last = self.export_run(&mut judge, (&run, format, behind), &mut out)?;
            next = last.map(|index| format!("{run}:{index}")).or(next);
            names.push(run);
        }
        Ok(Told { reply: Reply::Lines(out.text, next), runs: names })
    }

    /// Adds events of one run while there is room; gives the last of them.
    fn export_run(
        &self,
        judge: &mut Judge,
        (run, format, behind): (&str, Format, Option<u64>),
        out: &mut Lines,
    ) -> Result<Option<u64>, Failed> {
        let (mut context, mut last, mut failed) = (Context::new(run), None, None);
        let mut take = |found: Found<'_>| {
            if out.is_full() || failed.is_some() {
                return;
            }
            let mut item = Item::of(run, &found);
            (item.record, _) = self.record(item.record);
            context.learn(&item.record);
            if behind.is_some_and(|behind| found.index <= behind) {
                return;
            }
            match line(format, &item, &context) {
                Ok(line) => {
                    out.add(&line);
                    last = Some(found.index);
                }
                Err(error) => failed = Some(error),
            }
        };
        judge.read(&self.dir.join(run), &mut take)?;
        failed.map_or(Ok(last), |error| Err(error.into()))
    }
}

/// Lines of an export, up to an end.
struct Lines {
    text: String,
    count: usize,
    limit: usize,
}

impl Lines {
    fn is_full(&self) -> bool {
        self.count >= self.limit || self.text.len() >= MOST_EXPORT
    }

    fn add(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        self.count += 1;
    }
}

/// `RUN:NUMBER`, with the whole id of the run.
fn place(text: &str) -> Option<(String, u64)> {
    let (run, index) = text.rsplit_once(':')?;
    Some((run.parse::<RunId>().ok()?.to_string(), index.parse().ok()?))
}

fn limit(named: &Named) -> Result<usize, Failed> {
    limit_of(named, MOST_ROWS, ROWS)
}

fn limit_of(named: &Named, most: usize, usual: usize) -> Result<usize, Failed> {
    match named.get("limit").map(|text| text.parse::<usize>()) {
        None => Ok(usual),
        Some(Ok(limit)) if (1..=most).contains(&limit) => Ok(limit),
        Some(_) => Err(Failed::Bad("limit is a number from 1 on, and has an end")),
    }
}

/// The moment that `since` means, in microseconds since 1970.
fn since(named: &Named) -> Result<Option<i64>, Failed> {
    let Some(text) = named.get("since") else { return Ok(None) };
    let now = WallTime::now().0;
    let ago = parse_duration(text).map(|ago| now - i128::try_from(ago.as_nanos()).unwrap_or(i128::MAX));
    let moment = ago.or_else(|| text.parse::<WallTime>().ok().map(|moment| moment.0));
    let wrong = Failed::Bad("since is a time that passed, such as 2d or 1h30m, or a day or moment");
    moment.map(|nanos| Some(i64::try_from(nanos / 1000).unwrap_or(0))).ok_or(wrong)
}
