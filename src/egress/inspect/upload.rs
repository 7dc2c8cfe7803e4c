//! What an agent sends, on its way out: opened, read by role `dlp`, given its secrets, closed again, counted.
//!
//! Never gives a byte that was not released, and never a placeholder of another host.

use super::super::reason;
use super::asking::check_size;
use super::coding::{Coding, Deflate, Inflate};
use super::credential::{Hidden, Swap};
use super::judge::Judge;
use super::needle::{Finder, Piece};
use super::pending::Pending;
use super::refuse::Refusal;
use super::scan::{Scan, Step};
use super::splice::Splice;
use crate::wire::dlp::Edit;
use crate::wire::egress::Place;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use zeroize::Zeroizing;

/// The most bytes that wait for their release.
const MOST_HELD: usize = 16 << 20;
/// What is read again after a pause.
const MOST_TAIL: usize = 1 << 10;
/// Pieces that may be on their way to role `dlp` before the first has its answer: it reads one while the next comes.
const MOST_AHEAD: usize = 4;
/// Only for pieces of so many bytes: who sends less at a time waits for an answer more often than for the next piece.
const LARGE: usize = 8 << 10;

/// One body, or one message of a WebSocket.
#[derive(Debug)]
pub(super) struct Upload {
    judge: Judge,
    finder: Finder,
    inflate: Option<Inflate>,
    deflate: Option<Deflate>,
    /// Nothing can be changed in it.
    opaque: bool,
    scan: Option<Scan>,
    /// What was given to be read and is not released; placeholders of this host are masked in it.
    pending: Pending,
    /// The offset of the first byte of `pending`.
    base: u64,
    /// The offset of the first byte of the stream that is read; more than 0 once there was a pause.
    shift: u64,
    /// What was sent before a pause is read again.
    again: bool,
    /// What went out last, as it was given to be read.
    tail: Vec<u8>,
    splice: Splice,
    media: String,
    edits: Vec<Change>,
    taken: u64,
    /// It is signed: it goes out as it came, or not at all.
    stays: bool,
    /// What came of a packed one that stays, each with where its text ends.
    came: VecDeque<(u64, Vec<u8>)>,
}

#[derive(Debug)]
struct Change {
    start: u64,
    end: u64,
    with: Hidden,
    ours: bool,
}

impl Upload {
    /// A body of this coding and media type.
    /// # Errors
    /// 403 `dlp-unscannable`.
    pub(super) async fn new(judge: Judge, coding: Coding, media: &str) -> Result<Self, Refusal> {
        let mut scan = judge.open(media).await?;
        if coding == Coding::Unknown && scan.is_some() && judge.unreadable().await? {
            scan = None;
        }
        let splice = if scan.is_some() {
            let fresh = judge.fresh.load(Ordering::Relaxed);
            let head = if fresh { judge.tokens.heads().await.tail() } else { Zeroizing::default() };
            Splice::new(judge.tokens.tail(), head)
        } else {
            Splice::new(Vec::new(), Zeroizing::default())
        };
        let read = scan.is_some() || judge.keys.placeholders().is_some();
        let inflate = if read { Inflate::new(coding) } else { None };
        let deflate = inflate.as_ref().and_then(|_| Deflate::new(coding));
        Ok(Self {
            judge,
            finder: Finder::default(),
            inflate,
            deflate,
            opaque: coding.is_opaque(),
            scan,
            pending: Pending::default(),
            base: 0,
            shift: 0,
            again: false,
            tail: Vec::new(),
            splice,
            media: media.to_owned(),
            edits: Vec::new(),
            taken: 0,
            stays: false,
            came: VecDeque::new(),
        })
    }

    /// From here on nothing in it is changed: what would have to be stops it.
    pub(super) fn must_stay(&mut self) {
        (self.stays, self.deflate) = (true, None);
    }

    /// Whether bytes go out as they come, but for limits.
    pub(super) fn is_plain(&self) -> bool {
        self.scan.is_none() && (self.opaque || self.judge.keys.placeholders().is_none())
    }

    /// Whether what goes out may be of another length than what came.
    pub(super) fn changes_length(&self) -> bool {
        !self.stays && (self.scan.is_some() || self.deflate.is_some() || self.judge.keys.swaps_bodies())
    }

    /// Counts bytes of the body against its limits.
    /// # Errors
    /// 413 `limit-body`; 403 when a person does not allow more.
    pub(super) async fn count(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.taken = self.taken.saturating_add(bytes as u64);
        check_size(&self.judge, self.taken)?;
        self.judge.asking.settle(&self.judge).await
    }

    /// What may go out now that these bytes came.
    /// # Errors
    /// [`Refusal`]; then nothing more may go out.
    pub(super) async fn feed(&mut self, bytes: &[u8], last: bool) -> Result<Vec<u8>, Refusal> {
        let mut out = Vec::with_capacity(bytes.len());
        match self.inflate.take() {
            None => self.text(bytes, last, &mut out).await?,
            Some(mut inflate) => {
                let mut input = bytes;
                while !input.is_empty() {
                    let before = input;
                    let text = inflate.block(&mut input).map_err(|_| self.broken())?;
                    if self.stays && inflate.has_fields() {
                        return Err(self.broken());
                    }
                    if self.stays {
                        let raw = before.get(..before.len() - input.len()).unwrap_or_default().to_vec();
                        self.came.push_back((inflate.made(), raw));
                    }
                    self.text(&text, false, &mut out).await?;
                }
                if last {
                    let text = inflate.finish().map_err(|_| self.broken())?;
                    self.text(&text, true, &mut out).await?;
                }
                self.inflate = Some(inflate);
            }
        }
        self.packed(out, last)
    }

    /// What goes out for this text.
    fn packed(&mut self, text: Vec<u8>, last: bool) -> Result<Vec<u8>, Refusal> {
        if self.stays && self.inflate.is_some() {
            let ready = self.came.partition_point(|(end, _)| last || *end <= self.base);
            return Ok(self.came.drain(..ready).flat_map(|(_, came)| came).collect());
        }
        match &mut self.deflate {
            Some(deflate) if last || !text.is_empty() => deflate.feed(&text, last).map_err(|_| self.broken()),
            _ => Ok(text),
        }
    }

    /// Whether bytes wait for those behind them.
    pub(super) fn is_holding(&self) -> bool {
        self.finder.is_holding() || !self.pending.is_empty()
    }

    /// What may go out although nothing comes for a while: who waits for an answer sends no more. What was sent before
    /// is read again in front of what comes next, so that nothing hides in a pause.
    /// # Errors
    /// As [`Upload::feed`].
    pub(super) async fn pause(&mut self) -> Result<Vec<u8>, Refusal> {
        let mut out = Vec::new();
        self.text(b"", true, &mut out).await?;
        if self.scan.is_some() {
            self.scan = self.judge.open(&self.media).await?;
            self.shift = self.base.saturating_sub(self.tail.len() as u64);
            self.again = true;
            let tail = self.tail.clone();
            if !tail.is_empty() {
                self.read(&tail, false, &mut out).await?;
            }
        }
        self.packed(out, false)
    }

    fn broken(&self) -> Refusal {
        let why =
            "the compressed body is broken, swells too much, or is signed and has fields that nobody reads";
        Refusal::new(403, "dlp-unscannable", why).by(&self.judge.rule)
    }

    async fn text(&mut self, bytes: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let fresh = self.pending.len();
        if fresh > MOST_HELD {
            let why = "too much of the body waits to be read";
            return Err(Refusal::new(403, "dlp-unscannable", why).by(&self.judge.rule));
        }
        self.find(bytes, last)?;
        if self.scan.is_none() {
            return self.release(self.base + self.pending.len() as u64, out);
        }
        let masked = self.judge.keys.placeholders().is_some();
        let text: Cow<'_, [u8]> =
            if masked { self.pending.get(fresh..).unwrap_or_default().to_vec().into() } else { bytes.into() };
        self.splice.take(&self.judge, &self.media, &text, last).await?;
        let mut pieces = text.chunks(Scan::MOST).peekable();
        if last && pieces.peek().is_none() {
            return self.read(b"", true, out).await;
        }
        while let Some(piece) = pieces.next() {
            self.read(piece, last && pieces.peek().is_none(), out).await?;
        }
        Ok(())
    }

    /// Puts the text behind `pending`, placeholders masked, and remembers what comes in their place.
    fn find(&mut self, bytes: &[u8], last: bool) -> Result<(), Refusal> {
        let keys = self.judge.keys.clone();
        let Some(needles) = keys.placeholders().filter(|_| !self.opaque) else {
            self.pending.add(bytes);
            return Ok(());
        };
        let mut refused = None;
        let mut finder = std::mem::take(&mut self.finder);
        needles.feed(&mut finder, bytes, last, |piece| match piece {
            Piece::Plain(bytes) => self.pending.add(bytes),
            Piece::Word(found, bytes) => match keys.judge(found, Place::Body) {
                Err(refusal) => refused = Some(refusal),
                Ok(Swap::Secret(_)) if self.stays => {
                    let why = "the body is signed, so no credential can be put into it";
                    refused = Some(Refusal::new(400, "credential", why).by(&self.judge.rule));
                }
                Ok(with) => {
                    let start = self.base + self.pending.len() as u64;
                    let with = match with {
                        Swap::Stays => Hidden(Zeroizing::new(bytes.to_vec())),
                        Swap::Secret(secret) => secret,
                    };
                    self.edits.push(Change { start, end: start + bytes.len() as u64, with, ours: true });
                    self.pending.add_blank(bytes.len());
                }
            },
        });
        self.finder = finder;
        refused.map_or(Ok(()), Err)
    }

    async fn read(&mut self, piece: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let Some(scan) = &mut self.scan else {
            return self.release(self.base + self.pending.len() as u64, out);
        };
        scan.put(piece, last).await.map_err(|unread| self.judge.unread(unread))?;
        let ahead = if last || piece.len() < LARGE { 0 } else { MOST_AHEAD };
        while let Some(scan) = &mut self.scan {
            match scan.next(ahead).await.map_err(|unread| self.judge.unread(unread))? {
                Some(step) => self.answered(step, out).await?,
                None => break,
            }
        }
        Ok(())
    }

    async fn answered(&mut self, step: Step, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let step = self.at_offsets(step);
        if self.judge.judge(&step).await? {
            self.scan = None;
            return self.release(self.base + self.pending.len() as u64, out);
        }
        if self.stays && !step.edits.is_empty() {
            let why = "the body holds something that must not leave, and is signed";
            return Err(Refusal::new(403, reason::SIGNED, why).by(&self.judge.rule));
        }
        if self.opaque && !step.edits.is_empty() {
            let why = "what must not leave is inside compressed content, where it cannot be taken out";
            return Err(Refusal::new(403, "dlp", why).by(&self.judge.rule));
        }
        if step.edits.iter().any(|edit| edit.start < self.base) {
            let why = "a part of what must not leave was sent before a pause";
            return Err(Refusal::new(403, "dlp", why).by(&self.judge.rule));
        }
        for edit in step.edits {
            if edit.token {
                self.keep(&edit);
            }
            let with = Hidden(Zeroizing::new(edit.with.into_bytes()));
            self.edits.retain(|own| own.end <= edit.start || own.start >= edit.end);
            self.edits.push(Change { start: edit.start, end: edit.end, with, ours: false });
        }
        self.edits.sort_by_key(|change| (change.start, change.ours));
        self.release(step.release_to, out)
    }

    /// Remembers what a token stands for, unless a secret of this host is a part of it.
    fn keep(&self, edit: &Edit) {
        let place = |offset: u64| offset.checked_sub(self.base).and_then(|at| usize::try_from(at).ok());
        let (Some(start), Some(end)) = (place(edit.start), place(edit.end)) else { return };
        let own = self.edits.iter().any(|own| own.ours && own.end > edit.start && own.start < edit.end);
        if let Some(bytes) = self.pending.get(start..end).filter(|_| !own) {
            self.judge.tokens.keep(&edit.with, bytes);
        }
    }

    /// The answer with offsets of the whole upload, without what was judged before a pause.
    fn at_offsets(&self, mut step: Step) -> Step {
        if self.again {
            step.release_to = (step.release_to + self.shift).max(self.base);
            for edit in &mut step.edits {
                (edit.start, edit.end) = (edit.start + self.shift, edit.end + self.shift);
            }
            for finding in &mut step.findings {
                (finding.start, finding.end) = (finding.start + self.shift, finding.end + self.shift);
            }
            step.edits.retain(|edit| edit.end > self.base);
            step.findings.retain(|finding| finding.end > self.base);
        }
        step
    }

    /// Moves what is before `to` out, changed.
    fn release(&mut self, to: u64, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let odd = || Refusal::new(502, "internal", "a body could not be put together");
        let place = |offset: u64, base: u64| usize::try_from(offset.checked_sub(base)?).ok();
        let cut = self.edits.iter().find(|change| change.end > to).map_or(to, |change| change.start.min(to));
        let mut at = 0;
        let ready = self.edits.iter().take_while(|change| change.end <= cut).count();
        for change in self.edits.drain(..ready) {
            let (start, end) =
                (place(change.start, self.base).ok_or_else(odd)?, place(change.end, self.base));
            out.extend_from_slice(self.pending.get(at..start).ok_or_else(odd)?);
            out.extend_from_slice(&change.with.0);
            at = end.ok_or_else(odd)?;
        }
        let end = place(cut, self.base).ok_or_else(odd)?;
        out.extend_from_slice(self.pending.get(at..end).ok_or_else(odd)?);
        if self.scan.is_some() {
            let gone = self.pending.get(..end).unwrap_or_default();
            self.judge.tokens.sent(gone);
            self.tail.extend_from_slice(gone.get(gone.len().saturating_sub(MOST_TAIL)..).unwrap_or_default());
            self.tail.drain(..self.tail.len().saturating_sub(MOST_TAIL));
        }
        self.pending.pass(end);
        self.base = cut;
        Ok(())
    }
}
