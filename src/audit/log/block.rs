//! A block of a segment: what one write puts there and one signature covers.
//!
//! Pure. The sum in its head tells a write that was cut short from one that was finished; it is no proof of anything,
//! since whoever changes a block makes it anew.
//!
//! ```text
//! "ASB1"  first index u64  leaves u32  bytes of leaves u32  bytes of note u32  CRC-32 u32   big-endian
//! leaves, each its length as u16 and its bytes
//! note
//! ```

use super::leaf::MOST_BYTES as MOST_LEAF;
use super::merkle::{Edge, leaf_hash};

/// What a block begins with.
const MAGIC: [u8; 4] = *b"ASB1";
/// Bytes before the leaves.
pub(super) const HEAD: usize = 28;
/// Bytes of the head that the sum covers.
const SUMMED: usize = 24;
/// The most bytes of leaves: what a queue holds, and one leaf more.
pub(super) const MOST_LEAVES: usize = (8 << 20) + 4 * (MOST_LEAF + 2);

/// The most bytes of a block.
pub(super) const MOST_BYTES: usize = HEAD + MOST_LEAVES + super::note::MOST_BYTES;

/// Adds a leaf to leaves that are put together.
pub(super) fn add_leaf(to: &mut Vec<u8>, leaf: &[u8]) -> bool {
    let Ok(length) = u16::try_from(leaf.len()) else { return false };
    to.extend(length.to_be_bytes());
    to.extend(leaf);
    true
}

/// Finishes a block whose first [`HEAD`] bytes are still empty and whose leaves follow them.
pub(super) fn finish(bytes: &mut Vec<u8>, first: u64, count: u32, note: &[u8]) -> Option<()> {
    let leaves = u32::try_from(bytes.len().checked_sub(HEAD)?).ok()?;
    bytes.extend(note);
    let mut head = [0; HEAD];
    let (summed, sum) = head.split_at_mut(SUMMED);
    let fields = [&MAGIC[..], &first.to_be_bytes(), &count.to_be_bytes(), &leaves.to_be_bytes()].concat();
    let fields = [fields, u32::try_from(note.len()).ok()?.to_be_bytes().to_vec()].concat();
    summed.copy_from_slice(&fields);
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(summed);
    hasher.update(bytes.get(HEAD..)?);
    sum.copy_from_slice(&hasher.finalize().to_be_bytes());
    bytes.get_mut(..HEAD)?.copy_from_slice(&head);
    Some(())
}

/// A block as it lies in a segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block<'a> {
    /// The index of its first leaf.
    pub(super) first: u64,
    /// How many leaves it says it has.
    pub(super) count: u32,
    leaves: &'a [u8],
    /// The note's bytes.
    pub(super) note: &'a [u8],
    /// Bytes of all of it.
    pub(super) length: usize,
}

/// Why there is no block at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoBlock {
    /// The file ends before the block does.
    Short,
    /// The bytes are no block, or not the bytes that were written.
    Damaged(&'static str),
}

/// The block at the start of these bytes.
pub(super) fn parse(bytes: &[u8]) -> Result<Block<'_>, NoBlock> {
    let head: &[u8; HEAD] = bytes.first_chunk().ok_or(NoBlock::Short)?;
    let mut fields = Fields(head);
    if fields.take() != MAGIC {
        return Err(NoBlock::Damaged("no block begins here"));
    }
    let first = u64::from(fields.number()) << 32 | u64::from(fields.number());
    let (count, leaves, note, sum) = (fields.number(), fields.number(), fields.number(), fields.number());
    let (leaves, note) = (leaves as usize, note as usize);
    if leaves > MOST_LEAVES || note > super::note::MOST_BYTES || count as usize > leaves / 2 {
        return Err(NoBlock::Damaged("the lengths of the block are impossible"));
    }
    let rest = bytes.get(HEAD..HEAD + leaves + note).ok_or(NoBlock::Short)?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head.get(..SUMMED).unwrap_or_default());
    hasher.update(rest);
    if hasher.finalize() != sum {
        return Err(NoBlock::Damaged("the sum of the block is not that of its bytes"));
    }
    let (leaves, note) = rest.split_at(leaves);
    Ok(Block { first, count, leaves, note, length: HEAD + leaves.len() + note.len() })
}

/// The most places behind a damage at which a whole block is looked for.
const MOST_PLACES: usize = 4096;

/// Whether what begins here and is no block can be a last write that was cut short. A whole block further on says that
/// this one was whole as well, and then it was changed.
pub(super) fn is_torn(rest: &[u8]) -> bool {
    let mut places = memchr::memmem::find_iter(rest, &MAGIC).filter(|at| *at > 0);
    let whole = |at: usize| rest.get(at..).is_some_and(|tail| parse(tail).is_ok());
    rest.len() <= MOST_BYTES && !places.by_ref().take(MOST_PLACES).any(whole) && places.next().is_none()
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take(&mut self) -> [u8; 4] {
        let (field, rest) = self.0.split_first_chunk().unwrap_or((&[0; 4], &[]));
        self.0 = rest;
        *field
    }

    fn number(&mut self) -> u32 {
        u32::from_be_bytes(self.take())
    }
}

impl<'a> Block<'a> {
    /// Its leaves; an item of `None` ends them where the lengths do not fit.
    pub(super) fn leaves(&self) -> Leaves<'a> {
        Leaves(self.leaves)
    }

    /// Adds its leaves to an edge and gives the last; `None` where their lengths do not fit.
    pub(super) fn add_to(&self, edge: &mut Edge) -> Option<&'a [u8]> {
        let mut last = &[][..];
        for leaf in self.leaves() {
            last = leaf?;
            edge.push(leaf_hash(last));
        }
        Some(last)
    }
}

/// Goes through the leaves of a block.
pub(super) struct Leaves<'a>(&'a [u8]);

impl<'a> Iterator for Leaves<'a> {
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let cut = self
            .0
            .split_first_chunk::<2>()
            .and_then(|(length, rest)| rest.split_at_checked(usize::from(u16::from_be_bytes(*length))));
        let (leaf, rest) = cut.map_or((None, &[][..]), |(leaf, rest)| (Some(leaf), rest));
        self.0 = rest;
        Some(leaf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> Vec<u8> {
        let mut bytes = vec![0; HEAD];
        assert!(add_leaf(&mut bytes, b"one") && add_leaf(&mut bytes, b""));
        finish(&mut bytes, 1 << 33, 2, b"note").unwrap();
        bytes
    }

    #[test]
    fn a_block_comes_back() {
        let bytes = block();
        let found = parse(&bytes).unwrap();
        assert_eq!(
            (found.first, found.count, found.note, found.length),
            (1 << 33, 2, &b"note"[..], bytes.len())
        );
        assert_eq!(found.leaves().collect::<Vec<_>>(), [Some(&b"one"[..]), Some(b"")]);
    }

    #[test]
    fn every_changed_bit_and_every_cut_is_found() {
        let bytes = block();
        for at in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[at / 8] ^= 1 << (at % 8);
            assert!(parse(&changed).is_err(), "bit {at}");
        }
        for length in 0..bytes.len() {
            assert_eq!(parse(&bytes[..length]).unwrap_err(), NoBlock::Short);
        }
    }

    #[test]
    fn leaves_whose_lengths_do_not_fit_end_in_none() {
        let mut bytes = vec![0; HEAD];
        add_leaf(&mut bytes, b"one");
        bytes.extend([0, 9, 1]);
        finish(&mut bytes, 0, 2, b"n").unwrap();
        let found: Vec<_> = parse(&bytes).unwrap().leaves().collect();
        assert_eq!(found, [Some(&b"one"[..]), None]);
    }
}
