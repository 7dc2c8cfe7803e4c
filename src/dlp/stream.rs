//! A stream of bytes that leave: what may go on, and what was found in it.
//!
//! Never releases a byte before it and what stands behind it were looked at, and never a byte of a finding before the step
//! that tells the finding. What is found does not depend on how the bytes are cut into pieces.

use super::carve::word_start;
use super::edit::{Edit, edit};
use super::engine::Engine;
use super::exact::What;
use super::finding::{Finding, Unscannable};
use super::layer::{Hit, Layer};
use super::secrets::PEM_BYTES;
use super::work::Work;
use crate::wire::dlp::Act;

/// Bytes behind a place that what is found there may depend on.
const AHEAD: usize = 1024;
/// Bytes before a place that what is found there may depend on.
const BACK: usize = 1024;
/// Bytes looked at in one go.
const PIECE: usize = 128 << 10;

/// How much a stream may hold back and do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one word (a run of base64) that are held back until its end; a longer one is looked at in parts.
    pub word_bytes: usize,
    /// Bytes of a packed thing that are held back until its end; a longer one cannot be looked into.
    pub packed_bytes: usize,
    /// Bytes that may come out of decoders for one piece.
    pub output_bytes: u64,
    /// Bytes that may be looked at for one piece, over all layers.
    pub work_bytes: u64,
    /// What would be blocked or asked about is redacted, but for what is known beforehand.
    pub redact: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            word_bytes: 1 << 20,
            packed_bytes: 16 << 20,
            output_bytes: 16 << 20,
            work_bytes: 40 << 20,
            redact: false,
        }
    }
}

/// What one piece brought.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Step {
    /// Bytes before this place, from the start of the stream, were looked at. They may go out once the findings of this
    /// step were dealt with.
    pub release_to: u64,
    /// What was found, in order.
    pub findings: Vec<Finding>,
    /// What to replace in the bytes, in order; for findings whose action replaces.
    pub edits: Vec<Edit>,
    /// Something could not be looked into.
    pub blocked: Option<Unscannable>,
}

/// One stream, one direction.
#[derive(Debug)]
pub struct Stream<'a> {
    engine: &'a Engine,
    limits: Limits,
    buffer: Vec<u8>,
    /// Where in the stream the buffer starts.
    base: u64,
    /// In the buffer: everything before was looked at and told.
    told: usize,
    /// In the buffer: how far the last look reached.
    seen: usize,
    /// Bytes of the buffer from which on another look is worth it.
    next_look: usize,
    /// Where in the stream the last edit ends.
    edited: u64,
}

impl<'a> Stream<'a> {
    pub(super) fn new(engine: &'a Engine, limits: Limits) -> Self {
        Self { engine, limits, buffer: Vec::new(), base: 0, told: 0, seen: 0, next_look: 0, edited: 0 }
    }

    /// Takes the next bytes. After the last ones, everything is released.
    pub fn feed(&mut self, bytes: &[u8], last: bool) -> Step {
        let mut step = Step { release_to: self.base + self.told as u64, ..Step::default() };
        let mut pieces = bytes.chunks(PIECE).peekable();
        loop {
            let piece = pieces.next().unwrap_or_default();
            let end = pieces.peek().is_none();
            self.buffer.extend_from_slice(piece);
            self.advance(last && end, &mut step);
            if end {
                return step;
            }
        }
    }

    /// Looks at all that is there and releases it, though more may come: for a peer that waits for an answer before it
    /// sends the rest. What started before and ends later is still found, but a part of it is gone.
    pub fn flush(&mut self) -> Step {
        let mut step = Step::default();
        self.advance(true, &mut step);
        step
    }

    /// Bytes of memory that it takes.
    pub fn held(&self) -> usize {
        self.buffer.capacity()
    }

    fn advance(&mut self, last: bool, step: &mut Step) {
        let there = self.buffer.len();
        if !last && there < self.next_look {
            return;
        }
        let mut safe = if last { there } else { self.settled() };
        if !last && safe <= self.told {
            if there - self.told <= self.limits.word_bytes {
                self.next_look = there + ((there - self.told) / 4).clamp(1, PIECE);
                return;
            }
            // A word without an end is looked at in parts.
            safe = there - AHEAD;
        }
        let work = Work::new(self.limits.work_bytes, self.limits.output_bytes);
        let layer = Layer {
            text: &self.buffer,
            depth: 0,
            from: self.told,
            goes_on: !last,
            at_start: self.base == 0 && self.told == 0,
            guess: false,
            backwards: false,
            leaf: false,
        };
        let found = self.engine.look(&layer, &work);
        if let Some(open) = found.open.filter(|open| *open < safe) {
            if there - open <= self.limits.packed_bytes {
                safe = open;
                self.next_look = there + (there - open).max(PIECE);
            } else {
                work.block(Unscannable::TooLarge);
            }
        }
        // What goes on past the safe place is told whole, later.
        for hit in found.hits.iter().rev() {
            let cut =
                !last && hit.start < safe && hit.end > safe && there - hit.start <= self.limits.word_bytes;
            if cut {
                safe = hit.start.max(self.told);
            }
        }
        self.tell(found.hits, safe, step);
        step.blocked = step.blocked.or(work.blocked());
        self.seen = there;
        self.told = safe;
        step.release_to = self.base + self.told as u64;
        let gone = self.told.saturating_sub(BACK);
        self.buffer.drain(..gone);
        self.base += gone as u64;
        (self.told, self.seen) = (self.told - gone, self.seen - gone);
        self.next_look = self.next_look.saturating_sub(gone);
        if self.buffer.len() < self.buffer.capacity() / 4 {
            self.buffer.shrink_to((2 * self.buffer.len()).max(PIECE));
        }
    }

    /// The place up to which nothing depends on bytes that are to come.
    fn settled(&self) -> usize {
        let Some(safe) = self.buffer.len().checked_sub(AHEAD).filter(|safe| *safe > self.told) else {
            return self.told;
        };
        let safe = word_start(&self.buffer, safe, self.told);
        self.key_start(safe).max(self.told)
    }

    /// Before a key in PEM that has no end yet.
    fn key_start(&self, safe: usize) -> usize {
        let from = self.told.max(self.buffer.len().saturating_sub(PEM_BYTES));
        let tail = self.buffer.get(from..).unwrap_or_default();
        let Some(start) = memchr::memmem::rfind(tail, b"-----BEGIN ") else { return safe };
        let ended = memchr::memmem::find(tail.get(start..).unwrap_or_default(), b"-----END")
            .is_some_and(|at| at + 96 < tail.len() - start);
        if ended { safe } else { safe.min(from + start) }
    }

    fn tell(&mut self, hits: Vec<Hit>, safe: usize, step: &mut Step) {
        for hit in hits {
            let mine = hit.start >= self.told && hit.start < safe;
            let late = hit.start < self.told && hit.end > self.seen;
            if !mine && !late {
                continue;
            }
            let place = hit.start..hit.end;
            let Some(mut finding) = self.engine.finding(hit, self.base) else { continue };
            let stops = matches!(finding.action, Act::Ask | Act::Block);
            if self.limits.redact && stops && !What::is_kind(&finding.kind) {
                finding.action = Act::Redact;
            }
            let around =
                |from: usize, to: usize| self.buffer.get(from..to.min(self.buffer.len())).unwrap_or_default();
            let before = around(place.start.saturating_sub(16), place.start);
            let behind = around(place.end, place.end + 16);
            if let Some(edit) =
                edit(&self.engine.options.key, &finding, before, around(place.start, place.end), behind)
                && finding.start >= self.edited
            {
                self.edited = edit.end;
                step.edits.push(edit);
            }
            step.findings.push(finding);
        }
    }
}
