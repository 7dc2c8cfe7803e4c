//! Follows a log block by block, and says where it stops being what was written.
//!
//! Pure: takes bytes, and takes every one of them for hostile. A small way of its own: it shares with the writer only
//! hashes, notes and the layout of a block.

use super::block::{self, Block, NoBlock};
use super::leaf::{Leaf, Own, Start};
use super::merkle::{Edge, Hash};
use super::note::Note;
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

/// A walk along one log.
#[derive(Debug, Default)]
pub(super) struct Walk {
    run: Option<RunId>,
    origin: String,
    edge: Edge,
    epoch: u64,
    key: [u8; PUBLIC_BYTES],
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
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            if self.ended.is_some() {
                return (at, Some(Stop::Tampered("something follows the end of the log".to_owned())));
            }
            let taken = match block::parse(rest) {
                Ok(block) => self.block(&block).map(|()| block).map_err(Stop::Tampered),
                Err(why) => Err(damage(rest, why, last)),
            };
            match taken {
                Ok(block) => {
                    each(&block);
                    at += block.length;
                }
                Err(stop) => return (at, Some(stop)),
            }
        }
        (at, None)
    }

    fn block(&mut self, block: &Block<'_>) -> Result<(), String> {
        if block.first != self.edge.size() {
            return Err(format!("the block begins with leaf {}, not {}", block.first, self.edge.size()));
        }
        let mut edge = self.edge.clone();
        let last = block.add_to(&mut edge).ok_or("the leaves of the block have impossible lengths")?;
        if edge.size() - block.first != u64::from(block.count) || block.count == 0 {
            return Err("the block has not as many leaves as it says".to_owned());
        }
        let note = Note::parse(block.note).ok_or("the block has no note that can be read")?;
        if block.first == 0 {
            self.begin(block)?;
        }
        if note.head.origin != self.origin || note.head.size != edge.size() {
            return Err("the note is of another log or another size".to_owned());
        }
        if note.head.root != edge.root() {
            return Err("the root that was signed is not that of the leaves".to_owned());
        }
        note.check(&self.key).map_err(|_| "the note is not signed by the key whose turn it is")?;
        if note.signatures() > 2 || (note.signatures() == 2 && note.check(&self.stable).is_err()) {
            return Err("the note has a signature that is not by the key of this log".to_owned());
        }
        self.turn(last)?;
        self.edge = edge;
        Ok(())
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

    /// The last leaf of a block names the next key, or ends the log.
    fn turn(&mut self, last: &[u8]) -> Result<(), String> {
        match Leaf::parse(last).and_then(|leaf| leaf.own()) {
            Some(Own::Key(next)) if next.epoch == self.epoch + 1 => {
                (self.epoch, self.key) = (next.epoch, next.key.0);
                Ok(())
            }
            Some(Own::Key(_)) => Err("a key is missing between two blocks".to_owned()),
            Some(Own::End {}) => {
                self.ended = Some(Ended::Sealed);
                Ok(())
            }
            Some(Own::Suspended { reason, .. }) => {
                self.ended = Some(Ended::Suspended(reason));
                Ok(())
            }
            _ => Err("the block names no key for the next".to_owned()),
        }
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
