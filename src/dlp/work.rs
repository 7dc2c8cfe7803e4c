//! How much may be done for one piece: work is counted in bytes looked at, so the end does not depend on the clock.

use super::finding::Unscannable;

/// What is left of the work for one piece.
#[derive(Debug)]
pub(super) struct Work {
    left: u64,
    /// Bytes that may still come out of decoders.
    output: u64,
    /// Why something was not looked into to its end: the first reason.
    pub(super) blocked: Option<Unscannable>,
}

impl Work {
    pub(super) fn new(left: u64, output: u64) -> Self {
        Self { left, output, blocked: None }
    }

    /// Counts work; says whether there was enough left.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let bytes = bytes as u64;
        if bytes > self.left {
            self.left = 0;
            self.block(Unscannable::TooMuchWork);
            return false;
        }
        self.left -= bytes;
        true
    }

    /// Counts bytes that came out of a decoder.
    pub(super) fn put_out(&mut self, bytes: usize) {
        self.output = self.output.saturating_sub(bytes as u64);
    }

    /// How many bytes a decoder may still give.
    pub(super) fn output(&self) -> usize {
        usize::try_from(self.output).unwrap_or(usize::MAX)
    }

    pub(super) fn block(&mut self, why: Unscannable) {
        self.blocked.get_or_insert(why);
    }
}
