//! Reads the log of a run from its files, whole or on where it stopped as it grows, and gives a verdict.
//!
//! Never writes, prints nothing, and never hands over a leaf of a block that does not hold.

use super::block::Block;
use super::hex::Hex;
use super::join::{Join, Joined, Opening, Openings};
use super::leaf::{Leaf, Start};
use super::segment::name;
use super::stored::Stored;
use super::walk::{Ended, Stop, Walk};
use crate::audit::AuditError;
use crate::base::RunId;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What a log is found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Whole, and ended: nothing was changed, and nothing can have been cut off or added.
    Sealed,
    /// Whole as far as it goes, but without an end: its run goes on, or it was killed. What stood behind may be cut off.
    Open,
    /// Its end is missing or damaged.
    Truncated,
    /// It is not what was written.
    Tampered,
}

/// The verdict on a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// In one word.
    pub state: State,
    /// Leaves that hold: events, and what the log itself says.
    pub leaves: u64,
    /// What there is of their personal fields.
    #[serde(default, skip_serializing_if = "Openings::is_none")]
    pub openings: Openings,
    /// The root over them.
    pub root: Hex<32>,
    /// The identity of the device that signed its first key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Hex<32>>,
    /// The first segment and byte that do not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<(String, u64)>,
    /// Why, or why it ended early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A leaf with its place.
#[derive(Debug)]
pub struct Found<'a> {
    /// Its index.
    pub index: u64,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// What there is of its personal fields.
    pub opening: Opening<'a>,
}

impl Found<'_> {
    /// The leaf as it was before it was split: with its personal fields, where they are there.
    pub fn leaf(&self) -> Option<Leaf> {
        let mut leaf = Leaf::parse(self.bytes)?;
        if let Opening::Open(salted) = self.opening {
            leaf.join(salted.value);
        }
        Some(leaf)
    }
}

/// A block that holds: leaves, and the head that was signed over them and all before.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a>(&'a Held<'a>);

impl<'a> Signed<'a> {
    /// Its leaves.
    pub fn leaves(&self) -> impl Iterator<Item = Found<'a>> + use<'a> {
        self.0.leaves()
    }

    /// The head, a C2SP signed note.
    pub fn note(&self) -> &'a str {
        str::from_utf8(self.0.block.note).unwrap_or_default()
    }
}

/// A segment that holds whole.
#[derive(Debug, Clone, Copy)]
pub struct Whole<'a> {
    /// Its number.
    pub number: u32,
    /// Its bytes, as if it were not packed.
    pub bytes: &'a [u8],
    /// It gets no more: another follows, or the log ends with it.
    pub is_closed: bool,
    /// The identity of the device that began the log.
    pub identity: Option<Hex<32>>,
}

impl Whole<'_> {
    /// Its plain name.
    pub fn name(&self) -> String {
        name(self.number)
    }
}

/// Checks the log in a folder, which is named as its run.
/// # Errors
/// When it cannot be read.
pub fn verify(folder: &Path) -> Result<Verdict, AuditError> {
    read(folder, &mut |_| {})
}

/// As [`verify`], and hands over every leaf of a block that holds.
/// # Errors
/// As [`verify`].
pub fn read(folder: &Path, each: &mut dyn FnMut(Found<'_>)) -> Result<Verdict, AuditError> {
    read_blocks(folder, &mut |held| each_leaf(held, each)).map(|(verdict, ..)| verdict)
}

/// A block that holds, with what opens its leaves, one after the other.
#[derive(Debug)]
pub(super) struct Held<'a> {
    pub(super) block: &'a Block<'a>,
    pub(super) openings: Vec<Opening<'a>>,
}

impl<'a> Held<'a> {
    /// Its leaves.
    pub(super) fn leaves(&self) -> impl Iterator<Item = Found<'_>> {
        let leaves = (self.block.first..).zip(self.block.leaves().flatten());
        leaves.zip(&self.openings).map(|((index, bytes), opening)| Found { index, bytes, opening: *opening })
    }
}

/// Hands over the leaves of a block that holds.
pub(super) fn each_leaf(held: &Held<'_>, each: &mut dyn FnMut(Found<'_>)) {
    held.leaves().for_each(each);
}

/// The verdict on one segment that is all of a log.
pub fn verify_bytes(bytes: &[u8]) -> Verdict {
    let mut walk = Walk::of(None);
    match walk.segment(bytes, true, &mut |_| {}) {
        (held, Some(stop)) => stopped(&walk, (name(0), held as u64), stop, false),
        (_, None) => ended(&walk, false),
    }
}

/// Whether somebody writes to the log in a folder. Only a look: it may end meanwhile.
pub fn goes_on(folder: &Path) -> bool {
    Stored::first(folder).is_ok_and(|first| first.is_written())
}

/// The same by blocks; also what the log says of its beginning, and what redactions took.
pub(super) fn read_blocks(
    folder: &Path,
    each: &mut dyn FnMut(&Held<'_>),
) -> Result<(Verdict, Option<Start>, Joined), AuditError> {
    let mut log = Follow::open(folder)?;
    let alive = log.segment.is_written();
    let verdict = log.blocks(alive, each)?;
    Ok((verdict, log.walk.start, log.joined))
}

/// A log that is read as it grows: every block once, after it was checked.
#[derive(Debug)]
pub struct Follow {
    folder: PathBuf,
    walk: Walk,
    number: u32,
    segment: Stored,
    /// Bytes of the segment that hold, and of its openings that were taken.
    held: u64,
    opened: u64,
    joined: Joined,
    damage: Option<Stop>,
}

impl Follow {
    /// The log in a folder, which is named as its run; from its start.
    /// # Errors
    /// When it cannot be opened.
    pub fn open(folder: &Path) -> Result<Self, AuditError> {
        let run: Option<RunId> =
            folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        let (segment, walk) = (Stored::first(folder)?, Walk::of(run));
        let (folder, joined) = (folder.to_owned(), Joined::default());
        Ok(Self { folder, walk, number: 0, segment, held: 0, opened: 0, joined, damage: None })
    }

    /// Whether somebody writes to it.
    pub fn goes_on(&self) -> bool {
        goes_on(&self.folder)
    }

    /// The identity of the device and the log's stable key, once its first block held.
    pub fn keys(&self) -> Option<(Hex<32>, Hex<32>)> {
        let identity = self.walk.identity?;
        self.walk.start.as_ref().map(|start| (Hex(identity), start.stable))
    }

    /// The segment that was read last, and how many of its bytes hold.
    pub fn held(&self) -> (u32, u64) {
        (self.number, self.held)
    }

    /// Hands over the leaves of all blocks that came since, and gives the verdict so far.
    /// # Errors
    /// When it cannot be read.
    pub fn more(&mut self, each: &mut dyn FnMut(Found<'_>)) -> Result<Verdict, AuditError> {
        // Looked at first: what is written until it ends is then read for sure.
        let alive = self.goes_on();
        self.blocks(alive, &mut |held| each_leaf(held, each))
    }

    /// The same by blocks, with their heads.
    /// # Errors
    /// As [`Self::more`].
    pub fn more_signed(&mut self, each: &mut dyn FnMut(Signed<'_>)) -> Result<Verdict, AuditError> {
        let alive = self.goes_on();
        self.blocks(alive, &mut |held| each(Signed(held)))
    }

    /// Reads it once from its start, and hands over every segment that holds whole.
    /// # Errors
    /// As [`Self::more`].
    pub fn segments(&mut self, each: &mut dyn FnMut(Whole<'_>)) -> Result<Verdict, AuditError> {
        let alive = self.goes_on();
        self.walk(alive, &mut |_| {}, each)
    }

    fn blocks(&mut self, alive: bool, each: &mut dyn FnMut(&Held<'_>)) -> Result<Verdict, AuditError> {
        self.walk(alive, each, &mut |_| {})
    }

    fn walk(
        &mut self,
        alive: bool,
        each: &mut dyn FnMut(&Held<'_>),
        segment: &mut dyn FnMut(Whole<'_>),
    ) -> Result<Verdict, AuditError> {
        let (mut bytes, mut openings) = (Vec::new(), Vec::new());
        loop {
            if let Some(stop) = &self.damage {
                let verdict = stopped(&self.walk, (name(self.number), self.held), stop.clone(), alive);
                return Ok(self.with_openings(verdict));
            }
            let next = Stored::open(&self.folder, self.number + 1)?;
            let whole = self.segment.rest(self.held, &mut bytes)?;
            // What opens a leaf was written before its block, so it is there by now.
            let opens = self.openings(&mut openings)?;
            let mut join = Join::new(&mut self.joined, self.number, self.opened, &openings);
            let mut each = |block: &Block<'_>| {
                let leaves = (block.first..).zip(block.leaves().flatten());
                let openings = leaves.map(|(index, leaf)| join.of(index, leaf)).collect();
                each(&Held { block, openings });
            };
            // Nothing is packed but what was whole: no write of it can have been cut short.
            let last = next.is_none() && !self.segment.is_packed;
            let (held, stop) = self.walk.segment(&bytes, last, &mut each);
            if stop.is_none() && (next.is_some() || self.walk.ended.is_some()) {
                join.end();
            }
            self.opened = join.held();
            self.held += held as u64;
            if !opens {
                let at = (super::segment::openings_name(self.number), 0);
                self.joined.wrong.get_or_insert((at, "it does not unpack whole".to_owned()));
            }
            match stop.or_else(|| (!whole).then(unpackable)) {
                // A block that is being written is read again the next time; the walk is where it was before it.
                Some(stop @ Stop::Torn(_)) => {
                    let verdict = stopped(&self.walk, (name(self.number), self.held), stop, alive);
                    return Ok(self.with_openings(verdict));
                }
                Some(stop) => self.damage = Some(stop),
                None => {
                    let is_closed = next.is_some() || self.walk.ended.is_some();
                    let identity = self.walk.identity.map(Hex);
                    segment(Whole { number: self.number, bytes: &bytes, is_closed, identity });
                    let Some(next) = next else { return Ok(self.with_openings(ended(&self.walk, alive))) };
                    (self.number, self.segment) = (self.number + 1, next);
                    (self.held, self.opened) = (0, 0);
                }
            }
        }
    }

    /// The openings of this segment that were not taken yet, and whether they could be unpacked.
    fn openings(&self, bytes: &mut Vec<u8>) -> Result<bool, AuditError> {
        bytes.clear();
        Stored::openings(&self.folder, self.number)?
            .map_or(Ok(true), |stored| stored.rest(self.opened, bytes))
    }

    /// What was found beside the leaves can only make a verdict worse.
    fn with_openings(&self, mut verdict: Verdict) -> Verdict {
        let Joined { counts, wrong, .. } = &self.joined;
        verdict.openings = *counts;
        if let Some((at, why)) = wrong
            && verdict.state != State::Tampered
        {
            (verdict.state, verdict.at) = (State::Tampered, Some(at.clone()));
            verdict.why = Some(format!("of what opens its leaves: {why}"));
        } else if counts.missing > 0 && matches!(verdict.state, State::Sealed | State::Open) {
            verdict.state = State::Truncated;
            verdict.why = Some(format!(
                "what opens {} leaves is missing, and no redaction says that it took it",
                counts.missing
            ));
        }
        verdict
    }
}

fn unpackable() -> Stop {
    Stop::Tampered("the packed segment does not unpack whole".to_owned())
}

fn ended(walk: &Walk, alive: bool) -> Verdict {
    let state = if walk.ended.is_some() { State::Sealed } else { State::Open };
    let why = match &walk.ended {
        Some(Ended::Suspended(reason)) => Some(format!("could not go on: {reason}")),
        Some(Ended::Sealed) => None,
        None if alive => Some("its run goes on".to_owned()),
        None => Some("its run was killed, or its end was cut off".to_owned()),
    };
    Verdict { state, why, ..plain(walk) }
}

fn plain(walk: &Walk) -> Verdict {
    let identity = walk.identity.map(Hex);
    let (leaves, root, openings) = (walk.size(), Hex(walk.root()), Openings::default());
    Verdict { state: State::Open, leaves, openings, root, identity, at: None, why: None }
}

/// A block that is being written while we read is no damage.
fn stopped(walk: &Walk, at: (String, u64), stop: Stop, alive: bool) -> Verdict {
    match stop {
        Stop::Torn(_) if alive => Verdict { why: Some("its run goes on".to_owned()), ..plain(walk) },
        Stop::Torn(why) => Verdict { state: State::Truncated, at: Some(at), why: Some(why), ..plain(walk) },
        Stop::Tampered(why) => {
            Verdict { state: State::Tampered, at: Some(at), why: Some(why), ..plain(walk) }
        }
    }
}
