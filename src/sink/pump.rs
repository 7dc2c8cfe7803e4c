//! The way of one sink: every run, oldest first, from where its cursor stands; again and again.
//!
//! Never moves a cursor before the other side confirmed, and never gives up but when it is told to.

use super::config::{Sink, Spool};
use super::cursor::{Cursor, Cursors};
use super::message::Message;
use super::push::Push;
use super::spool;
use super::status::{Standing, state_word};
use super::tail::{Place, Tail};
use super::tries::GaveUp;
use crate::audit::export::Context;
use crate::audit::log::{Found, Judge, State, Verdict};
use crate::audit::{Alert, AuditError, Checkpoint, Forwarded, Gap, runs, stamp};
use crate::base::RunId;
use crate::sys::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// How often it is looked for what is new.
const LOOK: Duration = Duration::from_millis(500);
/// How often the files of runs that are done are looked at.
const LOOK_BACK: Duration = Duration::from_secs(3600);
/// A cursor is not written more often, as long as there is more to send.
const SAVE: Duration = Duration::from_millis(200);

/// The way.
pub(super) struct Pump<'a> {
    name: String,
    push: Push<'a>,
    cursors: Cursors,
    spool: Spool,
    most_messages: usize,
    most_bytes: usize,
    runs: &'a Path,
    judge: Judge,
    tails: BTreeMap<RunId, Tail>,
    done: BTreeSet<RunId>,
    /// Runs that were met.
    seen: BTreeSet<RunId>,
    batch: Vec<Message>,
    batch_bytes: usize,
    saved: Instant,
    worst: Option<State>,
}

impl<'a> Pump<'a> {
    pub(super) fn new(sink: &Sink, push: Push<'a>, cursors: Cursors, runs: &'a Path, spool: Spool) -> Self {
        Self {
            name: sink.name.clone(),
            push,
            cursors,
            spool,
            most_messages: sink.most_messages,
            most_bytes: sink.most_bytes,
            runs,
            judge: Judge::new(runs, None),
            tails: BTreeMap::new(),
            done: BTreeSet::new(),
            seen: BTreeSet::new(),
            batch: Vec::new(),
            batch_bytes: 0,
            saved: Instant::now(),
            worst: None,
        }
    }

    /// Goes on until it is over; with a patience, until nothing is left. Gives the worst verdict that was met.
    /// # Errors
    /// Why it ended before.
    pub(super) fn run(&mut self) -> Result<Option<State>, GaveUp> {
        let mut looked_back: Option<Instant> = None;
        loop {
            if looked_back.is_none_or(|looked| looked.elapsed() > LOOK_BACK) {
                self.look_back();
                looked_back = Some(Instant::now());
            }
            let ended = self.pass();
            self.push.tries.report.write();
            ended?;
            if self.push.tries.is_bounded() {
                return Ok(self.worst);
            }
            std::thread::sleep(LOOK);
        }
    }

    pub(super) fn standing(&self) -> &Standing {
        &self.push.tries.report.standing
    }

    /// Runs that are done and whose files are what they were need no look.
    fn look_back(&mut self) {
        let is_as_it_was = |run: &RunId, cursor: &Cursor| {
            let now = stamp(&self.runs.join(run.to_string()));
            cursor.done.as_ref().zip(now.ok()).is_some_and(|(done, now)| done.stamp == now)
        };
        let all = self.cursors.all();
        self.seen.extend(all.keys());
        self.done =
            all.iter().filter(|(run, cursor)| is_as_it_was(run, cursor)).map(|(run, _)| *run).collect();
    }

    fn pass(&mut self) -> Result<(), GaveUp> {
        let found = match runs(self.runs) {
            Ok(found) => found,
            Err(error) => {
                self.push.tries.report.failed(&error.to_string());
                return Ok(());
            }
        };
        self.judge = Judge::new(self.runs, None);
        self.removed(&found)?;
        let waiting: Vec<RunId> = found.into_iter().filter(|run| !self.done.contains(run)).collect();
        let (beyond, mut failed) = (self.beyond(&waiting), None);
        for run in waiting {
            self.seen.insert(run);
            match self.one(run, beyond.get(&run).map(String::as_str))? {
                // It is just being made, or was never more than a folder.
                Ok(()) | Err(AuditError::Io { errno: Errno::ENOENT, .. }) => {}
                Err(error) => failed = Some(error),
            }
        }
        // Told last: what of other runs arrives is no reason to forget it.
        failed.into_iter().for_each(|error| self.push.tries.report.failed(&error.to_string()));
        Ok(())
    }

    fn beyond(&self, waiting: &[RunId]) -> BTreeMap<RunId, String> {
        if !self.spool.skip {
            return BTreeMap::new();
        }
        let look = |run: &RunId| (*run, spool::look(&self.runs.join(run.to_string())));
        spool::beyond(&self.spool, &waiting.iter().map(look).collect(), SystemTime::now())
    }

    /// A run that went before all of it was sent is a gap.
    fn removed(&mut self, found: &[RunId]) -> Result<(), GaveUp> {
        let is_gone = |run: &RunId| found.binary_search(run).is_err();
        let gone: Vec<RunId> = self.seen.iter().copied().filter(is_gone).collect();
        for run in gone {
            self.tails.remove(&run);
            self.done.remove(&run);
            let cursor = self.cursors.read(run);
            if cursor.done.is_none() {
                let why = "its log was removed before it was sent".to_owned();
                let gap = Gap { sink: self.name.clone(), from: cursor.next, to: None, root: None, why };
                let name = run.to_string();
                self.say(&name, &Forwarded::Gap(gap), &Context::new(&name))?;
            }
            self.cursors.remove(run);
            self.seen.remove(&run);
        }
        Ok(())
    }

    /// Sends what one run has. The inner error is of its log, and no reason to hold up the others.
    fn one(&mut self, run: RunId, skip: Option<&str>) -> Result<Result<(), AuditError>, GaveUp> {
        let mut tail = match self.tails.remove(&run) {
            Some(tail) => tail,
            None => match Tail::open(self.runs, run, self.cursors.read(run)) {
                Ok(tail) => tail,
                Err(error) => return Ok(Err(error)),
            },
        };
        let alive = tail.follow.goes_on();
        let skip = skip.filter(|_| !alive);
        let (mut halted, mut failed) = (None, None);
        let Tail { follow, at } = &mut tail;
        let verdict = follow.more_signed(&mut |signed| {
            for found in signed.leaves() {
                if halted.is_some() || failed.is_some() || at.differs {
                    return;
                }
                if found.index < at.queued || skip.is_some() {
                    at.pass_over(&found);
                } else if let Err(error) = self.event(at, &found, signed.note(), &mut halted) {
                    failed = Some(error);
                }
            }
        });
        if let Some(halt) = halted {
            return Err(halt);
        }
        let verdict = match (verdict, failed) {
            (Ok(verdict), None) => verdict,
            (Err(error), _) | (_, Some(error)) => {
                self.batch.clear();
                return Ok(Err(error));
            }
        };
        self.confirm(at)?;
        if let Some(why) = skip {
            self.skip(at, &verdict, why)?;
        }
        let is_done = self.judge(at, verdict, alive)?;
        self.save(at)?;
        if is_done {
            self.done.insert(run);
        } else {
            self.tails.insert(run, tail);
        }
        Ok(Ok(()))
    }

    fn event(
        &mut self,
        at: &mut Place,
        found: &Found<'_>,
        note: &str,
        halted: &mut Option<GaveUp>,
    ) -> Result<(), AuditError> {
        let form = self.push.form();
        let message = Message::of(&at.name, found, &mut at.context, form)?;
        self.batch_bytes += message.text.len();
        self.batch.push(message);
        at.queue(found);
        at.since_checkpoint += 1;
        if form.checkpoint.is_some_and(|every| at.since_checkpoint >= every) {
            at.since_checkpoint = 0;
            let sent = self.push.tries.report.standing.sent + self.batch.len() as u64;
            let (sink, size) = (self.name.clone(), at.queued);
            let said = Forwarded::Checkpoint(Checkpoint { sink, size, sent, note: note.to_owned() });
            self.batch.push(Message::own(&at.name, &said, &at.context, form)?);
        }
        if self.batch.len() >= self.most_messages || self.batch_bytes >= self.most_bytes {
            *halted = self.confirm(at).err();
        }
        Ok(())
    }

    /// Sends what is in the batch, all of this run, and moves its cursor.
    fn confirm(&mut self, at: &mut Place) -> Result<(), GaveUp> {
        self.flush()?;
        at.confirm();
        if self.saved.elapsed() >= SAVE { self.save(at) } else { Ok(()) }
    }

    fn save(&mut self, at: &mut Place) -> Result<(), GaveUp> {
        while at.unsaved {
            match self.cursors.write(at.run, &at.cursor) {
                Ok(()) => {
                    at.unsaved = false;
                    self.saved = Instant::now();
                }
                Err(error) => self.push.tries.wait(&format!("write the cursor: {error}"), None)?,
            }
        }
        Ok(())
    }

    /// Leaves the rest of a run out, and says so.
    fn skip(&mut self, at: &mut Place, verdict: &Verdict, why: &str) -> Result<(), GaveUp> {
        let from = at.cursor.next;
        if verdict.leaves <= from {
            return Ok(());
        }
        let (to, root) = (Some(verdict.leaves), Some(verdict.root));
        let gap = Gap { sink: self.name.clone(), from, to, root, why: why.to_owned() };
        self.say(&at.name, &Forwarded::Gap(gap), &at.context)?;
        self.push.tries.report.standing.skipped += 1;
        at.cursor = Cursor { next: verdict.leaves, ..Cursor::default() };
        Ok(())
    }

    /// What the log is as a whole, where that can be said; whether nothing is left to do.
    fn judge(&mut self, at: &mut Place, read: Verdict, alive: bool) -> Result<bool, GaveUp> {
        let mut verdict = read;
        let spoilt = at.differs || verdict.leaves < at.cursor.next || verdict.state == State::Tampered;
        if !spoilt {
            if alive || (verdict.state != State::Sealed && !at.is_quiet()) {
                return Ok(false);
            }
            let Some(judged) = self.known(at, &verdict) else { return Ok(false) };
            verdict = judged;
        }
        let alert = at.alert(&self.name, &verdict);
        let word = alert.as_ref().map_or(state_word(verdict.state), |alert| &alert.state).to_owned();
        let told =
            at.before.take().is_some_and(|before| (&before.state, before.leaves) == (&word, verdict.leaves));
        if let Some(alert) = alert {
            self.worst = worse(self.worst, &alert);
            if !told {
                self.push.tries.report.tell(&format!("the log of run {} is {word}: {}", at.name, alert.why));
                self.say(&at.name, &Forwarded::Alert(alert), &at.context)?;
                self.push.tries.report.standing.alerts += 1;
            }
        }
        at.done(&word, verdict.leaves);
        Ok(true)
    }

    /// The verdict with what the device knows of the run, which can make it worse. What was read of the device some time
    /// ago does not have runs that began since.
    fn known(&mut self, at: &Place, verdict: &Verdict) -> Option<Verdict> {
        let is_good = |state| matches!(state, State::Sealed | State::Open);
        let mut judged = self.judge.run(&at.folder).ok()?.verdict;
        if !is_good(judged.state) {
            self.judge = Judge::new(self.runs, None);
            judged = self.judge.run(&at.folder).ok()?.verdict;
        }
        (judged.leaves == verdict.leaves).then_some(judged)
    }

    /// Puts a word of our own into the batch, and sends it.
    fn say(&mut self, run: &str, said: &Forwarded, context: &Context) -> Result<(), GaveUp> {
        match Message::own(run, said, context, self.push.form()) {
            Ok(message) => self.batch.push(message),
            Err(error) => self.push.tries.wait(&error.to_string(), None)?,
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<(), GaveUp> {
        self.batch_bytes = 0;
        self.push.all(std::mem::take(&mut self.batch))
    }
}

fn worse(before: Option<State>, alert: &Alert) -> Option<State> {
    match (before, alert.state.as_str()) {
        (Some(State::Tampered), _) | (_, "tampered") => Some(State::Tampered),
        (Some(State::Truncated), _) | (_, "truncated") => Some(State::Truncated),
        _ => Some(State::Open),
    }
}
