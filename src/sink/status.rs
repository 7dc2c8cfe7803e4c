//! How each sink stands, for people: a small file that the sink's thread writes, and what can be seen of its cursors.
//!
//! Never needed by the sink itself: what it goes on from are the cursors alone.

use super::config::{Config, Spool};
use super::cursor::Cursors;
use super::spool;
use crate::audit::AuditError;
use crate::audit::log::State;
use crate::base::{RunId, WallTime};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

/// What a sink says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// It waits for the next try, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// When that began, or ended.
    pub since: String,
    /// Messages that were confirmed, since its process began.
    pub sent: u64,
    /// Events that it refused for good.
    pub refused: u64,
    /// Runs that were left out because the spool was full.
    pub skipped: u64,
    /// Alerts that were sent.
    pub alerts: u64,
    /// Tries that failed.
    pub retries: u64,
}

/// A sink as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Its name.
    pub sink: String,
    /// What it says of itself; absent before its first start.
    #[serde(flatten)]
    pub standing: Option<Standing>,
    /// Runs that it does not have whole.
    pub runs_behind: usize,
    /// Bytes of their logs.
    pub bytes_behind: u64,
    /// The first of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<String>,
    /// How full the spool is, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spool_percent: Option<u64>,
}

/// The word for a verdict.
pub(super) fn state_word(state: State) -> &'static str {
    match state {
        State::Sealed => "sealed",
        State::Open => "open",
        State::Truncated => "truncated",
        State::Tampered => "tampered",
    }
}

/// What waits for a sink: the runs that are there and that its cursors do not call done.
fn waiting(runs: &Path, cursors: &Cursors) -> Result<BTreeMap<RunId, spool::Waiting>, AuditError> {
    let known = cursors.all();
    let behind = crate::audit::runs(runs)?.into_iter();
    let behind = behind.filter(|run| known.get(run).is_none_or(|cursor| cursor.done.is_none()));
    Ok(behind.map(|run| (run, spool::look(&runs.join(run.to_string())))).collect())
}

/// How every sink of the configuration stands.
/// # Errors
/// When the runs or the cursors cannot be read.
pub fn standing(config: &Config, folder: &Path, runs: &Path) -> Result<Vec<Told>, AuditError> {
    config.sinks.iter().map(|sink| told(&sink.name, &config.spool, folder, runs)).collect()
}

fn told(name: &str, bound: &Spool, folder: &Path, runs: &Path) -> Result<Told, AuditError> {
    let place = folder.join(name);
    let text = fs::read(place.join(FILE)).unwrap_or_default();
    let waiting = waiting(runs, &Cursors::at(&place))?;
    Ok(Told {
        sink: name.to_owned(),
        standing: serde_json::from_slice(&text).ok(),
        runs_behind: waiting.len(),
        bytes_behind: waiting.values().map(|one| one.bytes).sum(),
        oldest: waiting.keys().next().map(RunId::to_string),
        spool_percent: spool::fullness(bound, &waiting, SystemTime::now()),
    })
}

const FILE: &str = "status.json";
const NEW: &str = "status.new";

/// Keeps a sink's standing, and tells what changes.
pub(super) struct Report<'a> {
    pub(super) standing: Standing,
    name: String,
    place: PathBuf,
    tell: &'a (dyn Fn(&str) + Sync),
    written: Option<Instant>,
}

impl<'a> Report<'a> {
    pub(super) fn new(name: &str, place: &Path, tell: &'a (dyn Fn(&str) + Sync)) -> Self {
        let standing = Standing { since: WallTime::now().to_string(), ..Standing::default() };
        Self { standing, name: name.to_owned(), place: place.to_owned(), tell, written: None }
    }

    /// Says something of this sink.
    pub(super) fn tell(&self, what: &str) {
        (self.tell)(&format!("sink {}: {what}", self.name));
    }

    /// A try failed. The same reason is told once.
    pub(super) fn failed(&mut self, why: &str) {
        self.standing.retries += 1;
        if self.standing.trouble.as_deref() != Some(why) {
            self.tell(&format!("{why}; it is tried again"));
            self.standing.since = WallTime::now().to_string();
            self.standing.trouble = Some(why.to_owned());
        }
        self.write();
    }

    /// It works.
    pub(super) fn works(&mut self) {
        if self.standing.trouble.take().is_some() {
            self.tell("it goes on");
            self.standing.since = WallTime::now().to_string();
            self.write();
        } else if self.written.is_none_or(|written| written.elapsed().as_secs() >= 1) {
            self.write();
        }
    }

    /// Writes the file; what is missing of it is no harm.
    pub(super) fn write(&mut self) {
        self.written = Some(Instant::now());
        let (new, place) = (self.place.join(NEW), self.place.join(FILE));
        let text = serde_json::to_vec(&self.standing).unwrap_or_default();
        let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new);
        let written = file.and_then(|mut file| file.write_all(&text)).and_then(|()| fs::rename(&new, &place));
        if let Err(error) = written {
            tracing::debug!("the status of a sink is old: {error}");
        }
    }
}
