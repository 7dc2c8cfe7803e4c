//! Pieces of a file's text as keyed hashes: 32 letters each, without signs and white space and in lower case, of which
//! the least of each sixteen neighbours is kept (winnowing: Schleimer, Wilkerson, Aiken 2003). Whoever takes 47 letters
//! in a row takes a piece along.
//!
//! Never keeps text. Never counts a piece twice in one search, and never one that has few different letters.

use super::{NotAdded, Sieve};
use std::collections::BTreeMap;

/// Letters of a piece.
const PIECE: usize = 32;
/// Of so many neighbours one is kept.
const NEIGHBOURS: usize = 16;
/// Pieces that a text must share with a file.
const LEAST_SHARED: usize = 8;
/// The most pieces of one file; of a larger one fewer are kept, evenly.
const MOST_OF_FILE: usize = 1 << 16;
/// The most pieces of all files.
const MOST_PIECES: usize = 1 << 20;
/// The most pieces that are told apart in one search for one file.
const MOST_SHARED: usize = 1 << 10;
/// A piece has at least so many different letters.
const LEAST_DISTINCT: usize = 5;
/// Pieces farther apart than so many bytes are two places.
const APART: usize = 512;
/// Bytes that are looked at together.
const BLOCK: usize = 4096;
/// The most places of one file in one search.
const MOST_PARTS: usize = 64;

/// The pieces of all files.
#[derive(Debug)]
pub(super) struct Shingles {
    /// A number for each byte; 0 for what is left out.
    numbers: Box<[u64; 256]>,
    /// Hash and label, sorted.
    pieces: Vec<(u64, u16)>,
    sieve: Sieve,
}

/// A place where parts of a file were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) label: u16,
    pub(super) shared: u32,
}

impl Shingles {
    pub(super) fn new(number: impl Fn(u8) -> u64) -> Self {
        let mut numbers = Box::new([0; 256]);
        for (byte, to) in (0..=u8::MAX).zip(numbers.iter_mut()) {
            *to = if byte.is_ascii_alphanumeric() || !byte.is_ascii() {
                number(byte.to_ascii_lowercase()) | 1
            } else {
                0
            };
        }
        Self { numbers, pieces: Vec::new(), sieve: Sieve::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(super) fn add(&mut self, label: u16, content: &[u8]) -> Result<(), NotAdded> {
        let mut kept = self.winnowed(content);
        kept.sort_unstable();
        kept.dedup();
        for bit in (0..32).rev().take_while(|_| kept.len() > MOST_OF_FILE).collect::<Vec<u32>>() {
            if kept.len() > MOST_OF_FILE {
                kept.retain(|hash| hash >> bit & 1 == 0);
            }
        }
        if self.pieces.len() + kept.len() > MOST_PIECES {
            return Err(NotAdded::Full);
        }
        self.pieces.extend(kept.into_iter().map(|hash| (hash, label)));
        self.pieces.sort();
        self.pieces.dedup();
        self.sieve = Sieve::of(self.pieces.iter().map(|(hash, _)| *hash), self.pieces.len());
        Ok(())
    }

    /// The least hash of each group of neighbours.
    fn winnowed(&self, content: &[u8]) -> Vec<u64> {
        let mut kept: Vec<u64> = Vec::new();
        let mut group = [(u64::MAX, 0usize); NEIGHBOURS];
        let mut seen = 0usize;
        let mut last = (u64::MAX, 0);
        self.each_piece(content, |hash, end| {
            if let Some(place) = group.get_mut(seen % NEIGHBOURS) {
                *place = (hash, end);
            }
            seen += 1;
            let least = group.iter().min().copied().unwrap_or_default();
            if seen >= NEIGHBOURS && least != last {
                last = least;
                kept.extend(self.is_varied(content, least.1).then_some(least.0));
            }
        });
        if seen < NEIGHBOURS {
            kept.extend(group.iter().filter(|(_, end)| self.is_varied(content, *end)).map(|(hash, _)| *hash));
        }
        kept
    }

    /// Calls with the hash of each piece and where it ends.
    fn each_piece(&self, text: &[u8], mut take: impl FnMut(u64, usize)) {
        let mut letters = Letters::default();
        let mut hash = 0u64;
        for (block, start) in text.chunks(BLOCK).zip((0..).step_by(BLOCK)) {
            let fresh = letters.fill(block, &self.numbers);
            let leaving = letters.held.iter();
            let entering = letters.held.iter().zip(&letters.places).skip(PIECE);
            for ((entering, place), leaving) in entering.zip(leaving).take(fresh) {
                // The number that leaves was turned by one bit with each that came after it: 32 in all.
                let (entering, leaving) = (self.number(*entering), self.number(*leaving));
                hash = hash.rotate_left(1) ^ entering ^ leaving.rotate_left(PIECE as u32);
                let mixed = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                letters.count += 1;
                if letters.count >= PIECE {
                    take(mixed ^ mixed >> 29, start + usize::from(*place) + 1);
                }
            }
            letters.keep_last(fresh);
        }
    }

    fn number(&self, byte: u8) -> u64 {
        self.numbers.get(usize::from(byte)).copied().unwrap_or(0)
    }

    /// Where pieces of files are; of a file with at least eight.
    pub(super) fn find(&self, text: &[u8], work: &impl Fn(usize) -> bool) -> Vec<Part> {
        if self.pieces.is_empty() {
            return Vec::new();
        }
        let mut files: BTreeMap<u16, Shared> = BTreeMap::new();
        self.each_piece(text, |hash, end| {
            if !self.sieve.may_have(hash) || !work(super::MEETING) {
                return;
            }
            let from = self.pieces.partition_point(|(known, _)| *known < hash);
            for (_, label) in self.pieces.iter().skip(from).take_while(|(known, _)| *known == hash) {
                files.entry(*label).or_default().take(hash, self.start_of(text, end), end);
            }
        });
        files.into_iter().flat_map(|(label, shared)| shared.parts(label)).collect()
    }

    /// Where the piece that ends here starts.
    fn start_of(&self, text: &[u8], end: usize) -> usize {
        let counts = |byte: &u8| self.numbers.get(usize::from(*byte)).is_some_and(|number| *number != 0);
        let before = text.get(..end).unwrap_or_default().iter().enumerate().rev();
        before.filter(|(_, byte)| counts(byte)).nth(PIECE - 1).map_or(0, |(at, _)| at)
    }

    fn is_varied(&self, text: &[u8], end: usize) -> bool {
        let piece = text.get(self.start_of(text, end)..end).unwrap_or_default();
        let mut letters = [0u64; 4];
        for byte in piece.iter().filter(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii()) {
            let byte = byte.to_ascii_lowercase();
            if let Some(word) = letters.get_mut(usize::from(byte >> 6)) {
                *word |= 1 << (byte & 63);
            }
        }
        letters.iter().map(|word| word.count_ones() as usize).sum::<usize>() >= LEAST_DISTINCT
    }
}

/// Letters of a block, behind the last ones of the block before it. What is left out is left out without a branch,
/// which no processor could foretell.
struct Letters {
    held: [u8; PIECE + BLOCK],
    /// Where each stands in its block.
    places: [u16; PIECE + BLOCK],
    /// Letters so far, in all blocks.
    count: usize,
}

impl Default for Letters {
    fn default() -> Self {
        Self { held: [0; PIECE + BLOCK], places: [0; PIECE + BLOCK], count: 0 }
    }
}

impl Letters {
    /// Takes the letters of a block, and says how many they are.
    fn fill(&mut self, block: &[u8], numbers: &[u64; 256]) -> usize {
        let mut end = PIECE;
        for (byte, at) in block.iter().zip(0u16..) {
            if let (Some(held), Some(place)) = (self.held.get_mut(end), self.places.get_mut(end)) {
                (*held, *place) = (*byte, at);
            }
            end += usize::from(numbers.get(usize::from(*byte)).is_some_and(|number| *number != 0));
        }
        end - PIECE
    }

    fn keep_last(&mut self, fresh: usize) {
        self.held.copy_within(fresh..fresh + PIECE, 0);
    }
}

/// What a text shares with one file.
#[derive(Debug, Default)]
struct Shared {
    /// Sorted.
    hashes: Vec<u64>,
    places: Vec<(usize, usize)>,
}

impl Shared {
    fn take(&mut self, hash: u64, start: usize, end: usize) {
        if let Err(place) = self.hashes.binary_search(&hash)
            && self.hashes.len() < MOST_SHARED
        {
            self.hashes.insert(place, hash);
        }
        let full = self.places.len() >= MOST_PARTS;
        match self.places.last_mut() {
            Some(last) if full || start <= last.1 + APART => last.1 = end,
            _ => self.places.push((start, end)),
        }
    }

    fn parts(self, label: u16) -> Vec<Part> {
        if self.hashes.len() < LEAST_SHARED {
            return Vec::new();
        }
        let shared = u32::try_from(self.hashes.len()).unwrap_or(u32::MAX);
        self.places.into_iter().map(|(start, end)| Part { start, end, label, shared }).collect()
    }
}
