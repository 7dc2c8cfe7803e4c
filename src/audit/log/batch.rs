//! Leaves on their way into one block: their bytes where the block will be, and their hashes.
//!
//! Never copies a leaf twice: the block is finished in place.

use super::block::{self, HEAD};
use super::merkle::{Hash, leaf_hash};

/// Leaves that wait for their block.
#[derive(Debug)]
pub struct Batch {
    bytes: Vec<u8>,
    hashes: Vec<Hash>,
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl Batch {
    /// No leaf.
    pub fn new() -> Self {
        Self { bytes: vec![0; HEAD], hashes: Vec::new() }
    }

    /// How many leaves there are.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Bytes of the leaves.
    pub fn bytes(&self) -> usize {
        self.bytes.len() - HEAD
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: &[u8]) {
        self.push_hashed(leaf, leaf_hash(leaf));
    }

    /// Adds a leaf whose hash is known.
    pub(super) fn push_hashed(&mut self, leaf: &[u8], hash: Hash) {
        // `leaf` is never longer than a leaf may be: `encode` sees to it.
        if block::add_leaf(&mut self.bytes, leaf) {
            self.hashes.push(hash);
        }
    }

    /// Adds all leaves of another, and empties that.
    pub(super) fn take_all(&mut self, other: &mut Self) {
        self.bytes.extend(other.bytes.get(HEAD..).unwrap_or_default());
        self.hashes.append(&mut other.hashes);
        other.clear();
    }

    /// The hashes of the leaves.
    pub(super) fn leaves(&self) -> &[Hash] {
        &self.hashes
    }

    /// The block of these leaves.
    pub(super) fn finish(&mut self, first: u64, note: &[u8]) -> Option<&[u8]> {
        block::finish(&mut self.bytes, first, u32::try_from(self.hashes.len()).ok()?, note)?;
        Some(&self.bytes)
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
    }
}
