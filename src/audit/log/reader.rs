//! Reads the log of a run from its files, whole or on where it stopped as it grows, and gives a verdict.
//!
//! Never writes, prints nothing, and never hands over a leaf of a block that does not hold.

use super::block::Block;
use super::hex::Hex;
use super::join::{Join, Joined, Opening};
use super::leaf::{Leaf, Start};
use super::segment::name;
use super::stored::Stored;
pub use super::verdict::{State, Verdict};
use super::verdict::{ended, stopped, with_openings};
use super::walk::{Stop, Walk};
use crate::audit::AuditError;
use crate::base::RunId;
use crate::sys::Errno;
use std::path::{Path, PathBuf};

/// How often a file of openings is opened again because another took its place meanwhile.
const MOST_TRIES: usize = 64;

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
    /// Bytes of the segment that hold.
    held: u64,
    openings: Beside,
    joined: Joined,
    damage: Option<Stop>,
}

/// How far the openings of a segment were taken.
#[derive(Debug, Default)]
struct Beside {
    taken: u64,
    /// The file they were taken from.
    file: Option<(u64, u64)>,
    /// The log has a file of openings, or lies where its device writes: so all of them should be there.
    expected: bool,
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
        let at_home = folder.parent().and_then(Path::parent).is_some_and(super::ledger::has_keys);
        let openings = Beside { expected: at_home, ..Beside::default() };
        Ok(Self { folder, walk, number: 0, segment, held: 0, openings, joined, damage: None })
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
                return Ok(with_openings(verdict, &self.joined, self.openings.expected));
            }
            let next = Stored::open(&self.folder, self.number + 1)?;
            let whole = self.segment.rest(self.held, &mut bytes)?;
            // What opens a leaf was written before its block, so it is there by now.
            let (opens, anew) = self.openings(&mut openings)?;
            let mut join = Join::new(&mut self.joined, self.number, self.openings.taken, &openings);
            if anew {
                join.pass_over(self.walk.size());
            }
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
            self.openings.taken = join.held();
            self.held += held as u64;
            if !opens {
                self.wrong_openings("it does not unpack whole");
            }
            match stop.or_else(|| (!whole).then(unpackable)) {
                // A block that is being written is read again the next time; the walk is where it was before it.
                Some(stop @ Stop::Torn(_)) => {
                    let verdict = stopped(&self.walk, (name(self.number), self.held), stop, alive);
                    return Ok(with_openings(verdict, &self.joined, self.openings.expected));
                }
                Some(stop) => self.damage = Some(stop),
                None => {
                    let is_closed = next.is_some() || self.walk.ended.is_some();
                    let identity = self.walk.identity.map(Hex);
                    segment(Whole { number: self.number, bytes: &bytes, is_closed, identity });
                    let Some(next) = next else {
                        return Ok(with_openings(
                            ended(&self.walk, alive),
                            &self.joined,
                            self.openings.expected,
                        ));
                    };
                    (self.number, self.segment) = (self.number + 1, next);
                    (self.held, self.openings.taken, self.openings.file) = (0, 0, None);
                }
            }
        }
    }

    /// The openings of this segment that were not taken yet. Whether they could be unpacked, and whether those that were
    /// taken are among them: another file took the place of the one they came from.
    fn openings(&mut self, bytes: &mut Vec<u8>) -> Result<(bool, bool), AuditError> {
        let mut anew = false;
        for _ in 0..MOST_TRIES {
            bytes.clear();
            let stored = match Stored::openings(&self.folder, self.number) {
                Ok(None) => return Ok((true, anew)),
                Ok(Some(stored)) => stored,
                Err(AuditError::Io { errno: Errno::ELOOP | Errno::EINVAL, .. }) => {
                    self.openings.expected = true;
                    self.wrong_openings("it is no regular file");
                    return Ok((true, anew));
                }
                Err(error) => return Err(error),
            };
            self.openings.expected = true;
            let file = stored.identity()?;
            if self.openings.file.replace(file).is_some_and(|before| before != file) {
                (self.openings.taken, anew) = (0, true);
            }
            let whole = stored.rest(self.openings.taken, bytes)?;
            // Before a file of openings is overwritten, its name leads to another one.
            if stored.is_there() {
                return Ok((whole, anew));
            }
        }
        Err(AuditError::Io { what: "read the openings of", path: self.folder.clone(), errno: Errno::EBUSY })
    }

    fn wrong_openings(&mut self, why: &str) {
        let at = (super::segment::openings_name(self.number), 0);
        self.joined.wrong.get_or_insert((at, why.to_owned()));
    }
}

fn unpackable() -> Stop {
    Stop::Tampered("the packed segment does not unpack whole".to_owned())
}
