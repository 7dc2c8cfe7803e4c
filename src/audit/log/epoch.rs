//! The epoch that goes on: its key, its beginning, and what its last block will say of the blocks before.
//!
//! Never outlives [`LONGEST`] with a block in it, as long as somebody asks: what one key signed is what a thief of it can
//! make anew.

use super::hex::Hex;
use super::keys::Ratchet;
use super::leaf::NextKey;
use super::merkle::Hash;
use super::note::{Head, digest, signature_line};
use crate::base::BootInstant;
use crate::sys::Sys;
use std::time::Duration;

/// The longest time from an epoch's first block to its last.
pub(super) const LONGEST: Duration = Duration::from_millis(250);

/// What the blocks of one key have in common.
#[derive(Debug)]
pub(super) struct Epoch {
    keys: Ratchet,
    /// Its first block was written then.
    begun: Option<BootInstant>,
    /// Over the notes of its blocks.
    notes: Option<Hash>,
}

impl Epoch {
    /// The first of a new log.
    pub(super) fn new() -> Sys<Self> {
        Ok(Self { keys: Ratchet::new()?, begun: None, notes: None })
    }

    /// The key that signs it.
    pub(super) fn key(&self) -> Hex<32> {
        Hex(self.keys.public())
    }

    /// How long it may go on; `None` as long as it has no block.
    pub(super) fn rest(&self) -> Option<Duration> {
        self.begun.map(|begun| LONGEST.saturating_sub(begun.elapsed()))
    }

    /// What the last block says of those before.
    pub(super) fn notes(&self) -> Option<Hex<32>> {
        self.notes.map(Hex)
    }

    /// The last leaf of its last block.
    pub(super) fn next(&mut self) -> Sys<NextKey> {
        let key = Hex(self.keys.next_public()?);
        Ok(NextKey { epoch: self.keys.epoch() + 1, key, notes: self.notes() })
    }

    /// Its signature line under a head.
    pub(super) fn sign(&self, head: &Head) -> Sys<String> {
        let signature = self.keys.sign(head.text().as_bytes())?;
        Ok(signature_line(&head.origin, &self.keys.public(), &signature))
    }

    /// A block with this note was written. With `last` the next key takes over, if one was named.
    pub(super) fn wrote(&mut self, note: &[u8], last: bool) {
        if last {
            self.keys.advance();
            (self.begun, self.notes) = (None, None);
        } else {
            self.begun.get_or_insert_with(BootInstant::now);
            self.notes = Some(digest(self.notes, note));
        }
    }

    #[cfg(test)]
    pub(super) fn keys(&self) -> &Ratchet {
        &self.keys
    }
}
