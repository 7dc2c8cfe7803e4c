//! What the Guardian is told: touches at once, everything else in batches.
//!
//! Never waits for the Guardian: a message it has no room for is not sent, and a touch that could not be sent is
//! answered with no.

use crate::base::escape;
use crate::sys::{Errno, Sys, socket};
use crate::wire::codec;
use crate::wire::files::FromFiles;
use crate::wire::subject::Action;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Time from the first thing noted to the batch that tells it.
const BATCH: Duration = Duration::from_millis(200);
/// The most refusals of one batch; more are dropped, the first ones are the interesting ones.
const MOST_REFUSED: usize = 16;
/// The most bytes of a name that are told.
const MOST_NAME: usize = 1024;

/// A refusal, as it is told. Equal ones are told once in a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) entry: u16,
    pub(super) action: Action,
    pub(super) name: Vec<u8>,
    pub(super) spent: bool,
    pub(super) pid: u32,
}

#[derive(Debug, Default, Clone, Copy)]
struct Moved {
    read: u64,
    written: u64,
    redacted: u64,
}

#[derive(Debug, Default)]
struct Pending {
    moved: BTreeMap<u16, Moved>,
    refused: Vec<Refusal>,
}

/// The way to the Guardian.
#[derive(Debug)]
pub(super) struct Report {
    socket: OwnedFd,
    pending: Mutex<Pending>,
    noted: Condvar,
}

impl Report {
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self { socket, pending: Mutex::default(), noted: Condvar::new() }
    }

    /// The socket, to be read by one.
    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Tells of a touch that waits.
    /// # Errors
    /// `EAGAIN` when the Guardian does not read, `EPIPE` when it is gone.
    pub(super) fn touched(&self, entry: u16, touch: u64, action: Action, name: &[u8], pid: u32) -> Sys<()> {
        self.send(&FromFiles::Touched { entry, touch, action, name: shown(name), pid })
    }

    /// Tells that an entry is not served any more.
    /// # Errors
    /// As [`Self::touched`].
    pub(super) fn lost(&self, entry: u16) -> Sys<()> {
        self.send(&FromFiles::Lost { entry })
    }

    /// Notes bytes that went through.
    pub(super) fn moved(&self, entry: u16, read: u64, written: u64, redacted: u64) {
        let mut pending = self.pending();
        let sum = pending.moved.entry(entry).or_default();
        sum.read = sum.read.saturating_add(read);
        sum.written = sum.written.saturating_add(written);
        sum.redacted = sum.redacted.saturating_add(redacted);
        self.noted.notify_one();
    }

    /// Notes a call that was refused.
    pub(super) fn refused(&self, refusal: Refusal) {
        let mut pending = self.pending();
        if pending.refused.len() < MOST_REFUSED && !pending.refused.contains(&refusal) {
            pending.refused.push(refusal);
            self.noted.notify_one();
        }
    }

    /// Tells what was noted, batch after batch, for the life of the process. The Guardian's end being gone is the
    /// reader's to notice.
    pub(super) fn run(&self) {
        loop {
            let mut pending = self.pending();
            while pending.moved.is_empty() && pending.refused.is_empty() {
                pending = self.noted.wait(pending).unwrap_or_else(PoisonError::into_inner);
            }
            drop(pending);
            std::thread::sleep(BATCH);
            self.flush();
        }
    }

    /// Tells what was noted until now. What finds no room waits for the next batch.
    pub(super) fn flush(&self) {
        let Pending { moved, refused } = std::mem::take(&mut *self.pending());
        for (entry, Moved { read, written, redacted }) in moved {
            if self.send(&FromFiles::Moved { entry, read, written, redacted }).is_err() {
                self.moved(entry, read, written, redacted);
            }
        }
        for refusal in refused {
            let Refusal { entry, action, ref name, spent, pid } = refusal;
            let message = FromFiles::Refused { entry, action, name: shown(name), spent, pid };
            if self.send(&message).is_err() {
                self.refused(refusal);
            }
        }
    }

    fn send(&self, message: &FromFiles) -> Sys<()> {
        let bytes = codec::encode(message).map_err(|_| Errno::EMSGSIZE)?;
        socket::send(self.socket.as_fd(), &bytes, None, false)
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shown(name: &[u8]) -> String {
    escape(name.get(..MOST_NAME).unwrap_or(name))
}
