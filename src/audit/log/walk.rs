//! Follows a log block by block, and says where it stops being what was written.
//!
//! Pure: takes bytes, and takes every one of them for hostile. A small way of its own: it shares with the writer only
//! hashes, notes and the layout of a block. The root of each block is computed anew. Of an epoch that was ended, one
//! signature is checked: its last block's, whose leaves have a digest over the notes before. Of one that was not, and of
//! one that does not hold, every block's.

use super::block::{self, Block, NoBlock};
use super::hex::Hex;
use super::leaf::{Leaf, NextKey, Own, Start};
use super::merkle::{Edge, Hash};
use super::note::{Note, digest};
use super::writer::origin;
use crate::base::RunId;
use crate::crypto::PUBLIC_BYTES;

/// How a log ended, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// It was sealed.
    Sealed,
    /// It could not go on, for this reason.
    Suspended(String),
}

/// What stops a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// The last block was not finished, or not all of it is there any more.
    Torn(String),
    /// These are not the bytes that were written.
    Tampered(String),
}

const UNSIGNED: &str = "the note is not signed by the key whose turn it is";

/// Blocks of an epoch that was not ended yet, and where each begins: their roots are right, their signatures not checked.
type Unsigned<'a> = Vec<(usize, Block<'a>)>;

/// What the last leaf of an epoch says.
enum Last {
    Key(NextKey),
    End(Ended),
}

/// A walk along one log.
#[derive(Debug, Default)]
pub(super) struct Walk {
    run: Option<RunId>,
    origin: String,
    /// As far as signatures were checked.
    edge: Edge,
    /// As far as roots were: in the epoch that goes on.
    ahead: Edge,
    epoch: u64,
    key: [u8; PUBLIC_BYTES],
    /// Over the notes of the epoch that goes on.
    notes: Option<Hash>,
    stable: [u8; PUBLIC_BYTES],
    pub(super) identity: Option<Hash>,
    pub(super) start: Option<Start>,
    pub(super) ended: Option<Ended>,
}

impl Walk {
    /// The log of this run; without one, of whatever run its first leaf names.
    pub(super) fn of(run: Option<RunId>) -> Self {
        Self { run, ..Self::default() }
    }

    /// How many leaves were seen.
    pub(super) fn size(&self) -> u64 {
        self.edge.size()
    }

    /// The root over them.
    pub(super) fn root(&self) -> Hash {
        self.edge.root()
    }

    /// Takes a whole segment; `last` when no other follows. `each` gets every block that holds, after it was checked.
    /// Gives how many bytes hold, and what stopped the walk.
    pub(super) fn segment(
        &mut self,
        bytes: &[u8],
        last: bool,
        each: &mut dyn FnMut(&Block<'_>),
    ) -> (usize, Option<Stop>) {
        let (mut at, mut unsigned, mut stop) = (0, Unsigned::new(), None);
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match self.block(rest, last) {
                Ok((block, ends_epoch)) => {
                    unsigned.push((at, block));
                    at += block.length;
                    if ends_epoch {
                        unsigned.drain(..).for_each(|(_, block)| each(&block));
                        self.edge.clone_from(&self.ahead);
                    }
                }
                Err(why) => {
                    stop = Some(why);
                    break;
                }
            }
        }
        let held = self.check_each(&unsigned, each);
        match unsigned.get(held) {
            Some((at, _)) => (*at, Some(Stop::Tampered(UNSIGNED.to_owned()))),
            None => (at, stop),
        }
    }

    /// Checks the signature of every block of an epoch that has no end, or none that holds; gives how many hold.
    fn check_each(&mut self, unsigned: &[(usize, Block<'_>)], each: &mut dyn FnMut(&Block<'_>)) -> usize {
        let mut blocks = unsigned.iter().map(|(_, block)| block);
        let held = blocks.by_ref().take_while(|block| self.signed(block).is_ok()).count();
        for (_, block) in unsigned.iter().take(held) {
            block.add_to(&mut self.edge);
            each(block);
        }
        self.ahead.clone_from(&self.edge);
        held
    }

    fn signed(&self, block: &Block<'_>) -> Result<(), String> {
        let signed = Note::parse(block.note).is_some_and(|note| note.check(&self.key).is_ok());
        if signed { Ok(()) } else { Err(UNSIGNED.to_owned()) }
    }

    /// The next block, if its leaves are those of its note, and whether it ends the epoch, by a right signature.
    fn block<'a>(&mut self, rest: &'a [u8], last: bool) -> Result<(Block<'a>, bool), Stop> {
        if self.ended.is_some() {
            return Err(Stop::Tampered("something follows the end of the log".to_owned()));
        }
        let block = block::parse(rest).map_err(|why| damage(rest, why, last))?;
        let ends_epoch = self.follow(&block).map_err(Stop::Tampered)?;
        Ok((block, ends_epoch))
    }

    fn follow(&mut self, block: &Block<'_>) -> Result<bool, String> {
        let size = self.ahead.size();
        if block.first != size {
            return Err(format!("the block begins with leaf {}, not {size}", block.first));
        }
        let last = block.add_to(&mut self.ahead).ok_or("the leaves of the block have impossible lengths")?;
        if self.ahead.size() - size != u64::from(block.count) || block.count == 0 {
            return Err("the block has not as many leaves as it says".to_owned());
        }
        let note = Note::parse(block.note).ok_or("the block has no note that can be read")?;
        if size == 0 {
            self.begin(block)?;
        }
        if note.head.origin != self.origin || note.head.size != self.ahead.size() {
            return Err("the note is of another log or another size".to_owned());
        }
        if note.head.root != self.ahead.root() {
            return Err("the root that was signed is not that of the leaves".to_owned());
        }
        if note.signatures() > 2 || (note.signatures() == 2 && note.check(&self.stable).is_err()) {
            return Err("the note has a signature that is not by the key of this log".to_owned());
        }
        self.turn(block, last)
    }

    /// The last leaf of an epoch names the next key, or ends the log.
    fn turn(&mut self, block: &Block<'_>, last: &[u8]) -> Result<bool, String> {
        let Some((last, notes)) = last_of_epoch(last) else {
            self.notes = Some(digest(self.notes, block.note));
            return Ok(false);
        };
        self.signed(block)?;
        if notes.map(|notes| notes.0) != self.notes {
            return Err("the notes of the epoch are not those that were signed at its end".to_owned());
        }
        match last {
            Last::Key(next) if next.epoch == self.epoch + 1 => {
                (self.epoch, self.key) = (next.epoch, next.key.0)
            }
            Last::Key(_) => return Err("a key is missing between two epochs".to_owned()),
            Last::End(ended) => self.ended = Some(ended),
        }
        self.notes = None;
        Ok(true)
    }

    /// The first leaf says whose log it is.
    fn begin(&mut self, block: &Block<'_>) -> Result<(), String> {
        let first = block.leaves().next().flatten().and_then(Leaf::parse).and_then(|leaf| leaf.own());
        let Some(Own::Start(start)) = first else {
            return Err("the log does not begin with its start".to_owned());
        };
        let run: RunId = start.run.parse().map_err(|_| "the log names no run")?;
        if self.run.is_some_and(|expected| expected != run) {
            return Err(format!("this is the log of run {run}"));
        }
        let identity = start.cert.identity(&start.run, &start.key, &start.stable);
        self.identity = Some(identity.map_err(|_| "no device signed the first key of the log")?);
        (self.origin, self.key, self.stable) = (origin(&start.run), start.key.0, start.stable.0);
        self.start = Some(*start);
        Ok(())
    }
}

/// What the last leaf of a block says, if it is the last of its epoch.
fn last_of_epoch(leaf: &[u8]) -> Option<(Last, Option<Hex<32>>)> {
    // So is every leaf of the log's own written; what another says there is quoted.
    memchr::memmem::find(leaf, br#""event":"log."#)?;
    match Leaf::parse(leaf)?.own()? {
        Own::Key(next) => Some((Last::Key(next.clone()), next.notes)),
        Own::End { notes } => Some((Last::End(Ended::Sealed), notes)),
        Own::Suspended { reason, notes, .. } => Some((Last::End(Ended::Suspended(reason)), notes)),
        Own::Start(_) => None,
    }
}

/// Only what is behind everything can be torn.
fn damage(rest: &[u8], why: NoBlock, last: bool) -> Stop {
    let words = match why {
        NoBlock::Short => "the file ends inside a block",
        NoBlock::Damaged(words) => words,
    };
    if last && block::is_torn(rest) { Stop::Torn(words.to_owned()) } else { Stop::Tampered(words.to_owned()) }
}
