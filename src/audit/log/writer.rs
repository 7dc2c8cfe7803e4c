//! The log of one run: takes leaves, and makes signed blocks of them.
//!
//! Never writes again after a write that failed, except one last word that says so, and never keeps a key after the
//! epoch it signed. What a caller was told to be written is in a block that is whole.

use super::batch::Batch;
use super::block;
use super::device::Cert;
use super::epoch::Epoch;
use super::hex::Hex;
use super::leaf::{Own, Start, encode, encode_event};
use super::ledger::{Ending, Ledger};
use super::merkle::Edge;
use super::note::{Head, signature_line};
use super::segment::Segments;
use super::watch::{Watcher, each_open};
use crate::audit::AuditError;
use crate::audit::event::Event;
use crate::base::{BootInstant, RunId};
use crate::crypto::{PUBLIC_BYTES, Secret, public_key, sign};
use crate::sys::Errno;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long heads go without a signature of the stable key.
const STABLE_EVERY: Duration = Duration::from_secs(1);

/// What heads of a run's log are called.
pub(super) fn origin(run: &str) -> String {
    format!("aisandbox.run/{run}")
}

/// When the key that signs a block goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// With this block.
    Now,
    /// With this block if it signed for a quarter of a second, or if the segment is full; else with a later one.
    InTime,
}

/// A log being written. It may move to another thread.
#[derive(Debug)]
pub struct Log {
    segments: Segments,
    edge: Edge,
    epoch: Epoch,
    stable: Secret,
    stable_public: [u8; PUBLIC_BYTES],
    /// When the stable key signed last.
    signed: Option<BootInstant>,
    run: RunId,
    /// The folder above `runs`, where the device's keys and log are.
    state: PathBuf,
    begun: Batch,
    ended: bool,
    watcher: Option<Watcher>,
}

impl Log {
    /// Makes the folder of the run in `runs`, and lets the device sign its first keys. Nothing is written to the log
    /// before the first event.
    /// # Errors
    /// When the folder is not the caller's own or others may write to it, when the log exists, or as open(2).
    pub fn create(runs: &Path, run: RunId) -> Result<Self, AuditError> {
        let segments = Segments::create(runs, run)?;
        let secret = |errno| AuditError::Keys { errno };
        let (epoch, stable) = (Epoch::new().map_err(secret)?, Secret::random().map_err(secret)?);
        let stable_public = public_key(&stable).map_err(|_| secret(Errno::EINVAL))?;
        let state = runs.parent().unwrap_or(runs).to_owned();
        let cert = Ledger::open(&state)?.begin(run, &epoch.key(), &Hex(stable_public))?;
        let mut log = Self {
            segments,
            edge: Edge::default(),
            epoch,
            stable,
            stable_public,
            signed: None,
            run,
            state,
            begun: Batch::new(),
            ended: false,
            watcher: None,
        };
        log.start(cert)?;
        Ok(log)
    }

    fn start(&mut self, cert: Cert) -> Result<(), AuditError> {
        let (key, stable) = (self.epoch.key(), Hex(self.stable_public));
        let start = Start { run: self.run.to_string(), key, stable, cert };
        self.begun.push(&encode(&Own::Start(Box::new(start)))?);
        Ok(())
    }

    /// Writes one event; it is in the kernel when this returns.
    /// # Errors
    /// When the kernel refused it (ENOSPC, EFBIG, EIO) or the file is not ours any more. The log then ends with a last
    /// word: every later call fails too, and the caller must let nothing happen that needs a record.
    pub fn append(&mut self, event: &Event) -> Result<(), AuditError> {
        let mut batch = Batch::new();
        batch.push_event(&encode_event(event)?);
        self.commit(&mut batch, Turn::Now)
    }

    /// Writes all leaves of a batch as one block, and empties it. An empty one writes a block only where the key has to go
    /// that signed others.
    /// # Errors
    /// As [`Log::append`].
    pub fn commit(&mut self, batch: &mut Batch, turn: Turn) -> Result<(), AuditError> {
        self.check_open()?;
        if !self.begun.is_empty() {
            let mut begun = std::mem::take(&mut self.begun);
            begun.take_all(batch);
            std::mem::swap(&mut begun, batch);
        }
        let rest = self.epoch.rest();
        let last =
            turn == Turn::Now || rest.is_some_and(|rest| rest.is_zero()) || self.segments.ends(batch.bytes());
        if batch.is_empty() && !(last && rest.is_some()) {
            return Ok(());
        }
        let events = batch.len();
        let written = self.finish_epoch(batch, last).and_then(|()| self.write(batch, last, false));
        batch.clear();
        written.inspect_err(|error| self.suspend(error, events))
    }

    fn finish_epoch(&mut self, batch: &mut Batch, last: bool) -> Result<(), AuditError> {
        if last {
            let next = self.epoch.next().map_err(|errno| AuditError::Keys { errno })?;
            batch.push(&encode(&Own::Key(next))?);
        }
        Ok(())
    }

    /// How long the key of blocks that are written may go on; `None` when it signed none.
    pub fn rest_of_epoch(&self) -> Option<Duration> {
        self.epoch.rest()
    }

    fn check_open(&self) -> Result<(), AuditError> {
        if self.ended { Err(AuditError::Closed { path: self.path() }) } else { Ok(()) }
    }

    /// `last` of its epoch; at the `end` of the log, the stable key signs too.
    fn write(&mut self, batch: &mut Batch, last: bool, end: bool) -> Result<(), AuditError> {
        let edge = self.edge.with(batch.leaves());
        let head = Head::at(origin(&self.run.to_string()), &edge);
        let note = self.note(&head, end).map_err(|errno| AuditError::Keys { errno })?;
        let whole = batch.finish(self.edge.size(), note.as_bytes());
        let (block, openings) =
            whole.ok_or_else(|| AuditError::Encode { why: "the block is too large".to_owned() })?;
        self.segments.write(block, openings)?;
        if let (Some(watcher), Ok(written)) = (&mut self.watcher, block::parse(block)) {
            each_open(&written, openings, &mut watcher.0);
        }
        self.edge = edge;
        self.epoch.wrote(note.as_bytes(), last);
        Ok(())
    }

    fn note(&mut self, head: &Head, end: bool) -> Result<String, Errno> {
        let text = head.text();
        let mut note = format!("{text}\n{}", self.epoch.sign(head)?);
        if end || self.signed.is_none_or(|since| since.elapsed() >= STABLE_EVERY) {
            let signature = sign(&self.stable, text.as_bytes()).map_err(|_| Errno::EINVAL)?;
            note += &signature_line(&head.origin, &self.stable_public, &signature);
            self.signed = Some(BootInstant::now());
        }
        Ok(note)
    }

    /// The last word of a log that cannot go on: in its own segment if that can be, else in the next.
    fn suspend(&mut self, why: &AuditError, lost: usize) {
        self.ended = true;
        self.segments.free_reserve();
        let reason = match why {
            AuditError::Io { what, errno, .. } => format!("{what}: {errno:?}"),
            AuditError::Replaced { .. } => "the file of the log is another, or was changed".to_owned(),
            other => other.to_string(),
        };
        let word = Own::Suspended { reason, lost: lost as u64, notes: self.epoch.notes() };
        let said = encode(&word).and_then(|leaf| {
            let mut batch = Batch::new();
            batch.push(&leaf);
            self.write(&mut batch, true, true).or_else(|_| {
                self.segments.next()?;
                batch.unfinish();
                self.write(&mut batch, true, true)
            })
        });
        let told =
            said.and_then(|()| self.segments.sync()).and_then(|()| self.tell_device(Ending::Suspended));
        if let Err(error) = told {
            tracing::warn!("the log ends without its last word: {error}");
        }
    }

    /// Waits until everything written is on the disk.
    /// # Errors
    /// As fsync(2); then nothing that was written may be taken for kept.
    pub fn sync(&mut self) -> Result<(), AuditError> {
        let synced = self.segments.sync();
        if let Err(error) = &synced
            && !self.ended
        {
            self.suspend(error, 0);
        }
        synced
    }

    /// Ends the log: nothing can follow, and the device's log keeps its head.
    /// # Errors
    /// As [`Log::append`].
    pub fn seal(&mut self) -> Result<(), AuditError> {
        self.check_open()?;
        let mut batch = std::mem::take(&mut self.begun);
        batch.push(&encode(&Own::End { notes: self.epoch.notes() })?);
        let written = self.write(&mut batch, true, true);
        if let Err(error) = written {
            self.suspend(&error, 0);
            return Err(error);
        }
        self.ended = true;
        self.segments.free_reserve();
        self.tell_device(Ending::Sealed)
    }

    fn tell_device(&self, how: Ending) -> Result<(), AuditError> {
        Ledger::open(&self.state)?.end(self.run, self.edge.size(), &self.edge.root(), how)
    }

    #[cfg(test)]
    pub(super) fn keys_left(&self) -> &super::keys::Ratchet {
        self.epoch.keys()
    }

    /// Hears of every leaf that is written from now on; gives how many there are before.
    pub(super) fn watch(&mut self, watcher: Watcher) -> u64 {
        self.watcher = Some(watcher);
        self.edge.size()
    }

    /// The path of the first segment, for messages.
    pub fn path(&self) -> PathBuf {
        self.segments.first()
    }
}
