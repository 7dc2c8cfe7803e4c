//! Bytes that wait: added at the end, and passed on from the front.
//!
//! Never moves what waits for each part that goes: room in front is used up only when it is as much as what waits.

use std::ops::Deref;

/// Bytes that wait.
#[derive(Debug, Default)]
pub(super) struct Pending {
    bytes: Vec<u8>,
    /// How many at the front have gone.
    gone: usize,
}

impl Deref for Pending {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(self.gone..).unwrap_or_default()
    }
}

impl Pending {
    /// Adds these.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Adds so many that say nothing.
    pub(super) fn add_blank(&mut self, count: usize) {
        self.bytes.resize(self.bytes.len() + count, b'x');
    }

    /// So many at the front are gone.
    pub(super) fn pass(&mut self, count: usize) {
        self.gone = (self.gone + count).min(self.bytes.len());
        if 2 * self.gone >= self.bytes.len() {
            self.bytes.drain(..self.gone);
            self.gone = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_what_was_added_and_not_passed() {
        let mut pending = Pending::default();
        for number in 0..50_u8 {
            pending.add(&[number; 3]);
        }
        pending.add_blank(2);
        for left in (0..50).rev() {
            pending.pass(3);
            assert_eq!(pending.len(), 3 * left + 2);
            assert_eq!(pending.first(), Some(&if left == 0 { b'x' } else { 50 - left as u8 }));
        }
        assert_eq!(&*pending, b"xx");
        pending.pass(9);
        assert!(pending.is_empty() && pending.gone == 0);
    }
}
