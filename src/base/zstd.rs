//! Zstandard (RFC 8878): packs bytes, and unpacks one frame. The only file that names `ruzstd`.
//!
//! Never judges how much comes out of a frame: who reads bounds it.

use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use std::io::Read;

/// One frame with these bytes in it.
pub fn pack(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

/// Reads what is packed in the frame that `source` begins with, and leaves there what follows the frame. `None` when no
/// frame begins there, or one that asks for more than 100 MB of memory.
pub fn unpacker<'a, 's>(source: &'s mut &'a [u8]) -> Option<impl Read + use<'a, 's>> {
    StreamingDecoder::new(source).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_comes_out_and_what_follows_is_left() {
        let bytes: Vec<u8> = (0..100_000u32).flat_map(|number| (number / 7).to_le_bytes()).collect();
        let packed = pack(&bytes);
        assert!(packed.len() < bytes.len() / 2, "{}", packed.len());
        let joined = [&packed[..], b"more"].concat();
        let (mut source, mut out) = (&joined[..], Vec::new());
        unpacker(&mut source).unwrap().read_to_end(&mut out).unwrap();
        assert!(out == bytes);
        assert_eq!(source, b"more");
        assert!(unpacker(&mut &b"not a frame"[..]).is_none());
        let mut cut = packed.get(..packed.len() - 1).unwrap();
        assert!(unpacker(&mut cut).unwrap().read_to_end(&mut Vec::new()).is_err());
    }
}
