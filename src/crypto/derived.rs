//! Letters that follow from a key and a text: the same each time, and nobody's guess without the key.

use super::provider::{MAC_BYTES, mac};
use super::secret::Secret;

/// Letters by HMAC, block after block.
#[derive(Debug)]
pub struct Derived<'a> {
    key: &'a Secret,
    about: [u8; MAC_BYTES],
    block: u32,
    left: Vec<u8>,
}

impl<'a> Derived<'a> {
    /// Those for the parts put together; the caller's format must hold the parts apart.
    pub fn new(key: &'a Secret, about: &[&[u8]]) -> Self {
        Self { key, about: mac(key, about), block: 0, left: Vec::new() }
    }

    /// One of these, each as likely; 0 where there are none, or more than 256.
    pub fn one_of(&mut self, letters: &[u8]) -> u8 {
        if !(1..=256).contains(&letters.len()) {
            return 0;
        }
        // Bytes past the last whole multiple would make some letters likelier.
        let fair = 256 - 256 % letters.len();
        loop {
            let byte = usize::from(self.byte());
            if byte < fair {
                return letters.get(byte % letters.len()).copied().unwrap_or(0);
            }
        }
    }

    /// An ASCII digit for one, a letter of the same case for a letter; everything else stays.
    pub fn like(&mut self, letter: u8) -> u8 {
        match letter {
            b'0'..=b'9' => self.one_of(b"0123456789"),
            b'a'..=b'z' => self.one_of(b"abcdefghijklmnopqrstuvwxyz"),
            b'A'..=b'Z' => self.one_of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
            other => other,
        }
    }

    fn byte(&mut self) -> u8 {
        loop {
            if let Some(byte) = self.left.pop() {
                return byte;
            }
            self.left = mac(self.key, &[b"derived", &self.about, &self.block.to_le_bytes()]).to_vec();
            self.block = self.block.wrapping_add(1);
        }
    }
}
