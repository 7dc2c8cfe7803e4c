//! The file of openings beside a segment: salt and value of every commitment in its leaves, or a note that they were
//! withheld.
//!
//! Pure. Takes every byte for hostile. A record says little by itself: what it opens is in a leaf.
//!
//! ```text
//! index u64   kind u8: 1 open, 0 withheld   length u16   body     big-endian
//! open: 16 bytes of salt, then the value · withheld: the id of the redaction, 8 bytes
//! ```

use super::sd::Salted;

/// Bytes before the body.
const HEAD: usize = 11;
/// What a redaction is called.
pub type RedactionId = [u8; 8];

/// What stands beside a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body<'a> {
    /// What opens it.
    Open(Salted<'a>),
    /// A redaction took it.
    Withheld(RedactionId),
}

/// A record of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) index: u64,
    pub(super) body: Body<'a>,
    /// Bytes of all of it.
    pub(super) length: usize,
}

/// Adds what opens a leaf: salt and value.
pub(super) fn add_open(to: &mut Vec<u8>, index: u64, opening: &[u8]) {
    add(to, index, 1, opening);
}

/// Adds that a redaction took it.
pub(super) fn add_withheld(to: &mut Vec<u8>, index: u64, id: RedactionId) {
    add(to, index, 0, &id);
}

fn add(to: &mut Vec<u8>, index: u64, kind: u8, body: &[u8]) {
    // What an event hides is never longer than a leaf may be.
    let length = u16::try_from(body.len()).unwrap_or(u16::MAX);
    to.extend(index.to_be_bytes());
    to.push(kind);
    to.extend(length.to_be_bytes());
    to.extend(body);
}

/// Makes indexes that were counted from 0 such that are counted from `first`.
pub(super) fn shift(bytes: &mut [u8], first: u64) {
    let mut rest = bytes;
    while let Some((head, behind)) = rest.split_first_chunk_mut::<HEAD>() {
        let (index, length) = (index_of(head) + first, length_of(head));
        head[..8].copy_from_slice(&index.to_be_bytes());
        rest = behind.get_mut(length..).unwrap_or_default();
    }
}

fn index_of(head: &[u8; HEAD]) -> u64 {
    head.first_chunk().map_or(0, |index| u64::from_be_bytes(*index))
}

fn length_of(head: &[u8; HEAD]) -> usize {
    usize::from(u16::from_be_bytes([head[9], head[10]]))
}

/// The record at the beginning of these bytes; `None` where there is no whole one.
pub(super) fn parse(bytes: &[u8]) -> Option<Record<'_>> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
    let body = rest.get(..length_of(head))?;
    let length = HEAD + body.len();
    let body = match head[8] {
        0 => Body::Withheld(body.try_into().ok()?),
        1 => Body::Open(Salted::of(body)?),
        _ => return None,
    };
    Some(Record { index: index_of(head), body, length })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_and_their_indexes_can_be_moved() {
        let mut bytes = Vec::new();
        add_open(&mut bytes, 0, &[[3; 16].as_slice(), b"{}"].concat());
        add_withheld(&mut bytes, 2, [9; 8]);
        shift(&mut bytes, 40);
        let first = parse(&bytes).unwrap();
        assert_eq!((first.index, first.body), (40, Body::Open(Salted { salt: &[3; 16], value: b"{}" })));
        let second = parse(&bytes[first.length..]).unwrap();
        assert_eq!((second.index, second.body), (42, Body::Withheld([9; 8])));
        assert_eq!(first.length + second.length, bytes.len());
    }

    #[test]
    fn what_is_cut_or_of_another_kind_is_no_record() {
        let mut bytes = Vec::new();
        add_open(&mut bytes, 7, &[1; 20]);
        assert!((0..bytes.len()).all(|length| parse(&bytes[..length]).is_none()));
        bytes[8] = 0;
        assert_eq!(parse(&bytes), None);
        bytes[8] = 2;
        assert_eq!(parse(&bytes), None);
        let mut short = Vec::new();
        add_open(&mut short, 7, &[1; 15]);
        assert_eq!(parse(&short), None);
    }
}
