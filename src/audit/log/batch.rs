//! Leaves on their way into one block: their bytes where the block will be, and their hashes.
//!
//! Never copies a leaf twice: the block is finished in place.

use super::block::{self, HEAD};
use super::leaf::Encoded;
use super::merkle::{Hash, leaf_hash};
use super::openings;

/// Leaves that wait for their block.
#[derive(Debug)]
pub struct Batch {
    bytes: Vec<u8>,
    hashes: Vec<Hash>,
    /// What opens them, by their places in the batch.
    openings: Vec<u8>,
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl Batch {
    /// No leaf.
    pub fn new() -> Self {
        Self { bytes: vec![0; HEAD], hashes: Vec::new(), openings: Vec::new() }
    }

    /// How many leaves there are.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Bytes of the leaves and of what opens them.
    pub fn bytes(&self) -> usize {
        self.bytes.len() - HEAD + self.openings.len()
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: &[u8]) {
        self.add(leaf, leaf_hash(leaf));
    }

    /// Adds an event, with what opens it.
    pub fn push_event(&mut self, event: &Encoded) {
        self.push_hashed(event, leaf_hash(&event.leaf));
    }

    /// Adds an event whose hash is known.
    pub(super) fn push_hashed(&mut self, event: &Encoded, hash: Hash) {
        if !event.opening.is_empty() {
            openings::add_open(&mut self.openings, self.hashes.len() as u64, &event.opening);
        }
        self.add(&event.leaf, hash);
    }

    fn add(&mut self, leaf: &[u8], hash: Hash) {
        // `leaf` is never longer than a leaf may be: `encode` sees to it.
        if block::add_leaf(&mut self.bytes, leaf) {
            self.hashes.push(hash);
        }
    }

    /// Adds all leaves of another, and empties that.
    pub(super) fn take_all(&mut self, other: &mut Self) {
        openings::shift(&mut other.openings, self.hashes.len() as u64);
        self.openings.append(&mut other.openings);
        self.bytes.extend(other.bytes.get(HEAD..).unwrap_or_default());
        self.hashes.append(&mut other.hashes);
        other.clear();
    }

    /// The hashes of the leaves.
    pub(super) fn leaves(&self) -> &[Hash] {
        &self.hashes
    }

    /// The block of these leaves, and what opens them. The places of the openings are those of the log from here on.
    pub(super) fn finish(&mut self, first: u64, note: &[u8]) -> Option<(&[u8], &[u8])> {
        block::finish(&mut self.bytes, first, u32::try_from(self.hashes.len()).ok()?, note)?;
        openings::shift(&mut self.openings, first);
        Some((&self.bytes, &self.openings))
    }

    /// Takes the note away again, so that the same leaves can have another.
    pub(super) fn unfinish(&mut self) {
        if let Ok(found) = block::parse(&self.bytes) {
            let end = found.length - found.note.len();
            self.bytes.truncate(end);
        }
    }

    /// Empties it and keeps its room.
    pub(super) fn clear(&mut self) {
        self.bytes.truncate(HEAD);
        self.hashes.clear();
        self.openings.clear();
    }
}
