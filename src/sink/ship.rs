//! The way of a sink that takes segments: each when it is closed, whole and checked, and never twice under one name with two
//! contents.
//!
//! Runs that go on are looked at again; what they have in their last segment waits until it is closed.

use super::Trouble;
use super::config::Sink;
use super::cursor::{Cursor, Cursors, Done};
use super::status::{Standing, state_word};
use super::tries::{GaveUp, Tries};
use crate::audit::log::{Follow, Hex, Judge, State, Verdict, goes_on};
use crate::audit::{Alert, AuditError, Forwarded, runs, stamp};
use crate::base::{RunId, to_hex};
use crate::sys::Errno;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often it is looked for what is new.
const LOOK: Duration = Duration::from_secs(2);
/// How often the files of runs that are done are looked at.
const LOOK_BACK: Duration = Duration::from_secs(3600);

/// Where segments are put.
pub(super) trait Store: Send {
    /// Puts one there; that it is there already with the same content is as good.
    /// # Errors
    /// Why it is not there.
    fn put(&mut self, device: &str, run: &str, name: &str, bytes: &[u8]) -> Result<(), Trouble>;
}

/// The way.
pub(super) struct Ship<'a> {
    name: String,
    store: Box<dyn Store>,
    tries: Tries<'a>,
    cursors: Cursors,
    runs: &'a Path,
    /// Runs that are done, as long as nobody looks back.
    done: BTreeSet<RunId>,
    worst: Option<State>,
}

impl<'a> Ship<'a> {
    pub(super) fn new(
        sink: &Sink,
        store: Box<dyn Store>,
        tries: Tries<'a>,
        cursors: Cursors,
        runs: &'a Path,
    ) -> Self {
        Self { name: sink.name.clone(), store, tries, cursors, runs, done: BTreeSet::new(), worst: None }
    }

    pub(super) fn standing(&self) -> &Standing {
        &self.tries.report.standing
    }

    /// As that of a sink for events.
    /// # Errors
    /// Why it ended before.
    pub(super) fn run(&mut self) -> Result<Option<State>, GaveUp> {
        let mut looked_back: Option<Instant> = None;
        loop {
            if looked_back.is_none_or(|looked| looked.elapsed() > LOOK_BACK) {
                self.done.clear();
                looked_back = Some(Instant::now());
            }
            let ended = self.pass();
            self.tries.report.write();
            ended?;
            if self.tries.is_bounded() {
                return Ok(self.worst);
            }
            std::thread::sleep(LOOK);
        }
    }

    fn pass(&mut self) -> Result<(), GaveUp> {
        let found = match runs(self.runs) {
            Ok(found) => found,
            Err(error) => {
                self.tries.report.failed(&error.to_string());
                return Ok(());
            }
        };
        let (mut failed, waiting) = (None, found.into_iter().filter(|run| !self.done.contains(run)));
        for run in waiting.collect::<Vec<_>>() {
            match self.one(run)? {
                Ok(()) | Err(AuditError::Io { errno: Errno::ENOENT, .. }) => {}
                Err(error) => failed = Some(error),
            }
        }
        failed.into_iter().for_each(|error| self.tries.report.failed(&error.to_string()));
        Ok(())
    }

    /// Puts what one run has that is closed.
    fn one(&mut self, run: RunId) -> Result<Result<(), AuditError>, GaveUp> {
        let (folder, mut cursor) = (self.runs.join(run.to_string()), self.cursors.read(run));
        let now = match stamp(&folder) {
            Ok(now) => now,
            Err(error) => return Ok(Err(error)),
        };
        if cursor.done.as_ref().is_some_and(|done| done.stamp == now) {
            self.done.insert(run);
            return Ok(Ok(()));
        }
        let before = cursor.done.take();
        let alive = goes_on(&folder);
        if alive && segments_of(&folder) <= cursor.next + 1 {
            return Ok(Ok(()));
        }
        let quiet = !alive && super::tail::is_quiet(&folder);
        let verdict = match self.read(run, &folder, &mut cursor, quiet)? {
            Ok(verdict) => verdict,
            Err(error) => return Ok(Err(error)),
        };
        if alive && verdict.state != State::Tampered {
            return Ok(Ok(()));
        }
        if matches!(verdict.state, State::Open | State::Truncated) && !quiet {
            return Ok(Ok(()));
        }
        let verdict = match Judge::new(self.runs, None).run(&folder) {
            Ok(judged) => judged.verdict,
            Err(error) => return Ok(Err(error)),
        };
        let done = Done { state: state_word(verdict.state).to_owned(), leaves: verdict.leaves, stamp: now };
        if verdict.state != State::Sealed {
            self.alert(run, &verdict, before.as_ref())?;
        }
        cursor.done = Some(done);
        self.done.insert(run);
        self.save(run, &cursor).map(Ok)
    }

    fn read(
        &mut self,
        run: RunId,
        folder: &Path,
        cursor: &mut Cursor,
        quiet: bool,
    ) -> Result<Result<Verdict, AuditError>, GaveUp> {
        let mut follow = match Follow::open(folder) {
            Ok(follow) => follow,
            Err(error) => return Ok(Err(error)),
        };
        let name = run.to_string();
        let mut halted = None;
        let verdict = follow.segments(&mut |segment| {
            let number = u64::from(segment.number);
            let wanted = (segment.is_closed || quiet) && number == cursor.next;
            if halted.is_some() || !wanted {
                return;
            }
            let put = self.put(&device(segment.identity), &name, &segment.name(), segment.bytes);
            let done = put.and_then(|()| {
                cursor.next = number + 1;
                self.save(run, cursor)
            });
            halted = done.err();
        });
        halted.map_or(Ok(verdict), Err)
    }

    fn put(&mut self, device: &str, run: &str, name: &str, bytes: &[u8]) -> Result<(), GaveUp> {
        loop {
            match self.store.put(device, run, name, bytes) {
                Ok(()) => {
                    self.tries.report.standing.sent += 1;
                    self.tries.works();
                    return Ok(());
                }
                Err(Trouble::Later { why, after }) => self.tries.wait(&why, after)?,
                Err(Trouble::Refused { why }) => self.tries.wait(&why, None)?,
            }
        }
    }

    fn alert(&mut self, run: RunId, verdict: &Verdict, before: Option<&Done>) -> Result<(), GaveUp> {
        let (segment, byte) = verdict.at.clone().unzip();
        let state = state_word(verdict.state).to_owned();
        if verdict.state != State::Open || self.worst.is_none() {
            self.worst = Some(verdict.state);
        }
        if before.is_some_and(|before| (&before.state, before.leaves) == (&state, verdict.leaves)) {
            return Ok(());
        }
        let why = verdict.why.clone().unwrap_or_default();
        self.tries.report.tell(&format!("the log of run {run} is {state}: {why}"));
        let object = format!("alert-{state}-{}.json", verdict.leaves);
        let alert = Alert { sink: self.name.clone(), state, leaves: verdict.leaves, segment, byte, why };
        let leaf = match Forwarded::Alert(alert).leaf() {
            Ok(leaf) => leaf,
            Err(error) => return self.tries.wait(&error.to_string(), None),
        };
        let name = run.to_string();
        self.put(&device(verdict.identity), &name, &object, &leaf)?;
        self.tries.report.standing.alerts += 1;
        Ok(())
    }

    fn save(&mut self, run: RunId, cursor: &Cursor) -> Result<(), GaveUp> {
        while let Err(error) = self.cursors.write(run, cursor) {
            self.tries.wait(&format!("write the cursor: {error}"), None)?;
        }
        Ok(())
    }
}

fn segments_of(folder: &Path) -> u64 {
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = names.map(|entry| PathBuf::from(entry.file_name()));
    paths.filter(|path| path.extension().is_some_and(|end| end == "seg")).count() as u64
}

/// The folder of a device, by the identity that began a log.
fn device(identity: Option<Hex<32>>) -> String {
    identity.map_or_else(|| "unknown".to_owned(), |identity| to_hex(&identity.0))
}
