//! Unpacks what is compressed: gzip, zlib, zstd, brotli, and the members of zip archives; tells of xz, 7z, RAR and bzip2. A tar archive needs nothing: its
//! files lie in it as they are. The file that names `brotli_decompressor`.
//!
//! Never unpacks more than it is allowed, nor more than a hundred times what went in.

use super::finding::Unscannable;
use crate::base::zstd::unpacker;
use std::io::{ErrorKind, Read};

/// How many times its size a packed thing may have.
const RATIO: usize = 100;
/// What is always allowed, so that a short packed text of one letter is no bomb.
const SLACK: usize = 64 << 10;
/// Bytes read first: most of what only looks packed gives none.
const FIRST: usize = 1 << 10;
/// Bytes read at once.
const STEP: usize = 32 << 10;

/// The ways to pack that have a mark at their start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packed {
    Gzip,
    Zstd,
    ZipMember,
    Zlib,
    Brotli,
    /// Something that is not unpacked here.
    Foreign,
}

impl Packed {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::ZipMember => "zip",
            Self::Zlib => "zlib",
            Self::Brotli => "brotli",
            Self::Foreign => "foreign",
        }
    }
}

/// Marks that are looked for everywhere; zlib's is too short for that, and brotli has none.
pub(super) const MARKS: [(&[u8], Packed); 15] = [
    (b"\x1f\x8b\x08", Packed::Gzip),
    (b"\x28\xb5\x2f\xfd", Packed::Zstd),
    (b"PK\x03\x04", Packed::ZipMember),
    (b"\xfd7zXZ\0", Packed::Foreign),
    (b"7z\xbc\xaf\x27\x1c", Packed::Foreign),
    (b"Rar!\x1a\x07", Packed::Foreign),
    (b"BZh11AY&SY", Packed::Foreign),
    (b"BZh21AY&SY", Packed::Foreign),
    (b"BZh31AY&SY", Packed::Foreign),
    (b"BZh41AY&SY", Packed::Foreign),
    (b"BZh51AY&SY", Packed::Foreign),
    (b"BZh61AY&SY", Packed::Foreign),
    (b"BZh71AY&SY", Packed::Foreign),
    (b"BZh81AY&SY", Packed::Foreign),
    (b"BZh91AY&SY", Packed::Foreign),
];

/// What packed thing bytes start with.
pub(super) fn packed_at_start(bytes: &[u8]) -> Option<Packed> {
    let marked = MARKS.iter().find(|(mark, _)| bytes.starts_with(mark)).map(|(_, packed)| *packed);
    marked.or(match bytes {
        [0x78, flags @ (0x01 | 0x5e | 0x9c | 0xda), _, ..] if (0x7800 + u32::from(*flags)) % 31 == 0 => {
            Some(Packed::Zlib)
        }
        _ => None,
    })
}

pub(super) fn starts_packed(bytes: &[u8]) -> bool {
    packed_at_start(bytes).is_some()
}

/// The first byte of what the encoders of brotli make: windows of 18, 22 and 24 bits.
pub(super) fn may_be_brotli(first: u8) -> bool {
    matches!(first & 15, 0x3 | 0xb | 0xf)
}

/// What came of unpacking.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unpacked {
    pub(super) bytes: Vec<u8>,
    /// Bytes of the packed thing.
    pub(super) used: usize,
    pub(super) end: End,
}

/// How unpacking ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Whole,
    /// More of it is to come.
    Open,
    Failed(Unscannable),
    /// It is nothing packed after all, or its bytes lie there as they are.
    Nothing,
}

/// Unpacks what stands at the start, to at most so many bytes.
pub(super) fn unpack(packed: Packed, bytes: &[u8], most: usize) -> Unpacked {
    let mut left = bytes;
    let limit = most.min(bytes.len().saturating_mul(RATIO).saturating_add(SLACK));
    let (out, end) = match packed {
        Packed::Gzip if bytes.get(3).is_some_and(|flags| flags & 0xe0 != 0) => (Vec::new(), End::Nothing),
        Packed::Gzip => {
            let mut reader = flate2::bufread::GzDecoder::new(bytes);
            let done = read(&mut reader, limit);
            left = reader.into_inner();
            done
        }
        Packed::Zlib => {
            let mut reader = flate2::bufread::ZlibDecoder::new(bytes);
            let done = read(&mut reader, limit);
            left = reader.into_inner();
            done
        }
        Packed::Brotli => read(&mut brotli_decompressor::Decompressor::new(bytes, 4096), limit),
        Packed::Zstd => zstd(bytes, limit, &mut left),
        Packed::ZipMember => return member(bytes, most),
        Packed::Foreign => (Vec::new(), End::Failed(Unscannable::Undecodable)),
    };
    // A decoder that ran out of input may say that what it has is wrong.
    let end = if end == End::Failed(Unscannable::Undecodable) && left.is_empty() { End::Open } else { end };
    Unpacked { bytes: out, used: bytes.len() - left.len(), end }
}

fn read(from: &mut impl Read, limit: usize) -> (Vec<u8>, End) {
    let mut out = Vec::new();
    loop {
        let had = out.len();
        let step = if had == 0 { FIRST } else { STEP };
        let step = step.min(limit + 1 - had);
        out.resize(had + step, 0);
        match from.read(out.get_mut(had..).unwrap_or_default()) {
            Ok(count) => {
                out.truncate(had + count);
                if count == 0 {
                    return (out, End::Whole);
                }
            }
            Err(error) => {
                out.truncate(had);
                let open = error.kind() == ErrorKind::UnexpectedEof;
                return (out, if open { End::Open } else { End::Failed(Unscannable::Undecodable) });
            }
        }
        if out.len() > limit {
            out.truncate(limit);
            return (out, End::Failed(Unscannable::Bomb));
        }
    }
}

/// One frame of zstd (RFC 8878). The window it asks for is memory, so that is bounded before anything is unpacked.
fn zstd<'a>(bytes: &'a [u8], limit: usize, left: &mut &'a [u8]) -> (Vec<u8>, End) {
    let mut source = bytes;
    match zstd_window(bytes) {
        Some(window) if window > 8 << 20 => return (Vec::new(), End::Failed(Unscannable::Bomb)),
        Some(_) => {}
        None if bytes.len() < 18 => return (Vec::new(), End::Open),
        None => return (Vec::new(), End::Nothing),
    }
    let done = match unpacker(&mut source) {
        Some(mut reader) => read(&mut reader, limit),
        None => (Vec::new(), End::Failed(Unscannable::Undecodable)),
    };
    *left = source;
    done
}

/// The window that the head of a frame asks for.
fn zstd_window(bytes: &[u8]) -> Option<u64> {
    let descriptor = *bytes.get(4)?;
    if descriptor & 0x08 != 0 {
        return None;
    }
    if descriptor & 0x20 == 0 {
        let window = *bytes.get(5)?;
        let base = 1u64 << (10 + (window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    let dictionary = [0, 1, 2, 4].get(usize::from(descriptor & 3)).copied()?;
    let field = bytes.get(5 + dictionary..)?;
    let number = |count: usize| {
        field.get(..count).map(|part| part.iter().rev().fold(0u64, |all, byte| all << 8 | u64::from(*byte)))
    };
    match descriptor >> 6 {
        0 => number(1),
        1 => number(2).map(|size| size + 256),
        2 => number(4),
        _ => number(8),
    }
}

/// A member of a zip archive by its local head (APPNOTE 4.3.7).
fn member(bytes: &[u8], most: usize) -> Unpacked {
    let none = |end| Unpacked { bytes: Vec::new(), used: 4, end };
    let Some(head) = bytes.get(..30) else { return none(End::Open) };
    let short = |at: usize| {
        head.get(at..at + 2)
            .map_or(0, |two| two.iter().rev().fold(0, |all, byte| all << 8 | usize::from(*byte)))
    };
    let (version, flags, method, name, extra) = (short(4) & 0xff, short(6), short(8), short(26), short(28));
    let packed = short(18) | short(20) << 16;
    if version > 63 || name > 1024 {
        return none(End::Nothing);
    }
    if flags & 1 != 0 {
        return none(End::Failed(Unscannable::Encrypted));
    }
    let Some(data) = bytes.get(30 + name + extra..) else { return none(End::Open) };
    let known = flags & 8 == 0 && packed != 0xffff_ffff;
    let whole = !known || data.len() >= packed;
    let data = if known { data.get(..packed.min(data.len())).unwrap_or_default() } else { data };
    let start = 30 + name + extra;
    let limit = most.min(data.len().saturating_mul(RATIO).saturating_add(SLACK));
    let mut left = data;
    let (out, end) = match method {
        0 => return none(End::Nothing),
        8 => {
            let mut reader = flate2::bufread::DeflateDecoder::new(data);
            let done = read(&mut reader, limit);
            left = reader.into_inner();
            done
        }
        93 => zstd(data, limit, &mut left),
        _ => return none(End::Failed(Unscannable::Undecodable)),
    };
    let open = !whole || !known && left.is_empty();
    let end = if end == End::Failed(Unscannable::Undecodable) && open { End::Open } else { end };
    Unpacked { bytes: out, used: start + data.len() - left.len(), end }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    #[test]
    fn a_packed_text_comes_back_whole_cut_off_and_with_more_behind_it() {
        let text = b"the quick brown fox jumps over the lazy dog, and so on and on";
        let packed = gzip(text);
        let more = [&packed[..], b"behind"].concat();
        let all = unpack(Packed::Gzip, &more, 1 << 20);
        assert_eq!((all.bytes.as_slice(), all.used, all.end), (text.as_slice(), packed.len(), End::Whole));
        for cut in 4..packed.len() {
            assert_eq!(unpack(Packed::Gzip, &packed[..cut], 1 << 20).end, End::Open, "{cut}");
        }
    }

    #[test]
    fn a_bomb_ends_at_its_limit() {
        let bomb = gzip(&vec![0; 32 << 20]);
        let all = unpack(Packed::Gzip, &bomb, 16 << 20);
        assert_eq!(all.end, End::Failed(Unscannable::Bomb));
        assert!(all.bytes.len() <= bomb.len() * RATIO + SLACK);
    }

    #[test]
    fn a_member_of_a_zip_is_read_and_an_encrypted_one_is_told() {
        let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        deflate.write_all(b"hello hello hello").unwrap();
        let data = deflate.finish().unwrap();
        let mut zip = b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0\0\0\0\0".to_vec();
        zip.extend((data.len() as u32).to_le_bytes());
        zip.extend(17u32.to_le_bytes());
        zip.extend([1, 0, 0, 0, b'a']);
        zip.extend(&data);
        let all = unpack(Packed::ZipMember, &zip, 1 << 20);
        assert_eq!(
            (all.bytes.as_slice(), all.end, all.used),
            (b"hello hello hello".as_slice(), End::Whole, zip.len())
        );
        zip[6] = 1;
        assert_eq!(unpack(Packed::ZipMember, &zip, 1 << 20).end, End::Failed(Unscannable::Encrypted));
    }

    #[test]
    fn a_frame_of_zstd_is_read_and_one_with_a_huge_window_is_not() {
        // The text "aisandbox aisandbox aisandbox", in one raw block.
        let text = b"aisandbox aisandbox aisandbox";
        let block = (text.len() as u32) << 3 | 1;
        let mut frame = b"\x28\xb5\x2f\xfd\x20".to_vec();
        frame.push(text.len() as u8);
        frame.extend(&block.to_le_bytes()[..3]);
        frame.extend(text);
        let all = unpack(Packed::Zstd, &frame, 1 << 20);
        assert_eq!((all.bytes.as_slice(), all.end), (text.as_slice(), End::Whole));
        let huge = b"\x28\xb5\x2f\xfd\x00\xff\x01\x00\x00aaaaaaaaaaaa";
        assert_eq!(unpack(Packed::Zstd, huge, 1 << 20).end, End::Failed(Unscannable::Bomb));
    }
}
