//! How much may be done for one piece: work is counted in bytes of ordinary text, so the end does not depend on the clock.
//!
//! A step that takes longer than the bytes it reads has a price here, measured by the part `flood` of the bench `egress`. Never
//! gives work back.

use super::finding::Unscannable;
use std::cell::Cell;

/// A word of the prefilter that is looked at from its place.
pub(super) const WORD: usize = 24;
/// A name, and the value behind it.
pub(super) const PAIR: usize = 400;
/// An expression that is looked for in a window.
pub(super) const EXPRESSION: usize = 256;
/// A judgement of the classifier, or a check that reads JSON.
pub(super) const JUDGEMENT: usize = 4300;
/// The expressions of postal addresses.
pub(super) const ADDRESSES: usize = 2500;
/// The words of a wallet, and their sums.
pub(super) const WALLET: usize = 12_000;
/// A hit that is kept.
pub(super) const HIT: usize = 400;
/// A digit or an `@` from which something may start.
pub(super) const SIGN: usize = 12;
/// A number that is long enough to be checked.
pub(super) const NUMBER: usize = 400;
/// A place where bytes may be written one by one, or with two bytes each.
pub(super) const LOOK: usize = 40;
/// A byte that is read there.
pub(super) const READ: usize = 8;
/// What stands behind `://`.
pub(super) const AUTHORITY: usize = 80;
/// A sign from which an escape may start.
pub(super) const ESCAPE: usize = 6;
/// A word with escapes, beside twice its bytes.
pub(super) const ESCAPED: usize = 160;
/// A run of letters, beside a quarter of its bytes.
pub(super) const RUN: usize = 16;
/// A run that is decoded in each of its readings.
pub(super) const READINGS: usize = 400;
/// A decoder that is made ready.
pub(super) const DECODER: usize = 4096;

/// What is left of the work for one piece.
#[derive(Debug)]
pub(super) struct Work {
    left: Cell<u64>,
    /// Bytes that may still come out of decoders.
    output: Cell<u64>,
    /// Why something was not looked into to its end: the first reason.
    blocked: Cell<Option<Unscannable>>,
}

impl Work {
    pub(super) fn new(left: u64, output: u64) -> Self {
        Self { left: Cell::new(left), output: Cell::new(output), blocked: Cell::new(None) }
    }

    /// Counts work; says whether there was enough left.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let left = self.left.get().checked_sub(bytes as u64);
        self.left.set(left.unwrap_or(0));
        if left.is_none() {
            self.block(Unscannable::TooMuchWork);
        }
        left.is_some()
    }

    /// Nothing is left: what still comes is not looked at.
    pub(super) fn is_spent(&self) -> bool {
        self.left.get() == 0
    }

    /// Counts bytes that came out of a decoder.
    pub(super) fn put_out(&self, bytes: usize) {
        self.output.set(self.output.get().saturating_sub(bytes as u64));
    }

    /// How many bytes a decoder may still give.
    pub(super) fn output(&self) -> usize {
        usize::try_from(self.output.get()).unwrap_or(usize::MAX)
    }

    pub(super) fn block(&self, why: Unscannable) {
        self.blocked.set(self.blocked.get().or(Some(why)));
    }

    /// Why something was not looked into to its end.
    pub(super) fn blocked(&self) -> Option<Unscannable> {
        self.blocked.get()
    }
}
