//! One run on its way to one sink: its log, read as it grows, and how far the sink has it.
//!
//! Never hands over a leaf that was not checked. What was sent before is read again, so that it is known that the log is
//! still the one that it was sent of.

use super::cursor::{Cursor, Done};
use crate::audit::export::{Context, Item};
use crate::audit::log::{Follow, Found, State, Verdict};
use crate::audit::{Alert, AuditError, stamp};
use crate::base::RunId;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A log whose files did not change for so long, and that nobody writes, has ended.
const QUIET: Duration = Duration::from_secs(10);

/// A run.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) follow: Follow,
    pub(super) at: Place,
}

/// How far it is.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) run: RunId,
    pub(super) name: String,
    pub(super) folder: PathBuf,
    pub(super) context: Context,
    /// As far as it was confirmed.
    pub(super) cursor: Cursor,
    /// What it was found to be when it was read to its end before.
    pub(super) before: Option<Done>,
    /// The next event that is not on its way yet.
    pub(super) queued: u64,
    /// Messages since the last checkpoint.
    pub(super) since_checkpoint: u64,
    /// The last leaf that is on its way.
    last: Vec<u8>,
    /// An event is not the one that was sent.
    pub(super) differs: bool,
    /// The stamp of the files, from before they were read.
    stamp: String,
    /// The cursor is not written yet.
    pub(super) unsaved: bool,
}

impl Tail {
    /// From the start of the log; events below the cursor are only checked.
    /// # Errors
    /// When the log cannot be read.
    pub(super) fn open(runs: &Path, run: RunId, mut cursor: Cursor) -> Result<Self, AuditError> {
        let (name, folder) = (run.to_string(), runs.join(run.to_string()));
        let stamp = stamp(&folder)?;
        let at = Place {
            run,
            context: Context::new(&name),
            name,
            before: cursor.done.take(),
            queued: cursor.next,
            cursor,
            since_checkpoint: 0,
            last: Vec::new(),
            differs: false,
            stamp,
            unsaved: false,
            folder,
        };
        Ok(Self { follow: Follow::open(&at.folder)?, at })
    }
}

impl Place {
    /// An event that was sent before.
    pub(super) fn pass_over(&mut self, found: &Found<'_>) {
        // The few events that say whose run it is: a name is at the beginning of a leaf.
        let head = found.bytes.get(..found.bytes.len().min(128)).unwrap_or_default();
        if [&b"\"log.start\""[..], b"\"run_start\""]
            .iter()
            .any(|name| memchr::memmem::find(head, name).is_some())
        {
            self.context.learn(&Item::of(&self.name, found).record);
        }
        if found.index + 1 == self.cursor.next
            && let Some(hash) = &self.cursor.hash
        {
            self.differs = *hash != hash_of(found.bytes);
        }
    }

    /// An event is on its way.
    pub(super) fn queue(&mut self, found: &Found<'_>) {
        self.queued = found.index + 1;
        self.last.clear();
        self.last.extend_from_slice(found.bytes);
    }

    /// All that was on its way was confirmed.
    pub(super) fn confirm(&mut self) {
        if self.queued != self.cursor.next {
            self.cursor = Cursor { next: self.queued, hash: Some(hash_of(&self.last)), done: None };
            self.unsaved = true;
        }
    }

    /// What a log that was read to its end is, in the words of an alert; nothing for one that is as it should be.
    pub(super) fn alert(&self, sink: &str, verdict: &Verdict) -> Option<Alert> {
        let next = self.cursor.next;
        let (state, why) = if self.differs {
            ("tampered", format!("event {} is not the one that was sent", next.saturating_sub(1)))
        } else if verdict.leaves < next && verdict.state != State::Tampered {
            ("truncated", format!("{next} events were sent, and only {} are there", verdict.leaves))
        } else {
            let why = verdict.why.clone().unwrap_or_default();
            (super::status::state_word(verdict.state), why)
        };
        let (segment, byte) = verdict.at.clone().unzip();
        let sink = sink.to_owned();
        let alert = Alert { sink, state: state.to_owned(), leaves: verdict.leaves, segment, byte, why };
        (state != "sealed").then_some(alert)
    }

    /// Nothing is left to do with it.
    pub(super) fn done(&mut self, state: &str, leaves: u64) {
        self.cursor.done = Some(Done { state: state.to_owned(), leaves, stamp: self.stamp.clone() });
        self.unsaved = true;
    }

    /// Whether nobody touched its files for a while.
    pub(super) fn is_quiet(&self) -> bool {
        is_quiet(&self.folder)
    }
}

/// Whether nobody touched the files of a log for a while: one that was just made is not locked yet.
pub(super) fn is_quiet(folder: &Path) -> bool {
    // A time in the future is nobody's who writes now.
    SystemTime::now().duration_since(super::spool::look(folder).modified).is_ok_and(|age| age > QUIET)
}

fn hash_of(leaf: &[u8]) -> String {
    crate::base::to_hex(&crate::audit::export::leaf_hash(leaf))
}
