//! The blocks of a segment, read by hand on purpose.

/// Where each block begins, and where the last ends.
pub(crate) fn blocks(bytes: &[u8]) -> Vec<usize> {
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let mut places = vec![0];
    while *places.last().unwrap() < bytes.len() {
        let at = *places.last().unwrap();
        assert_eq!(&bytes[at..at + 4], b"ASB1");
        places.push(at + 28 + number(at + 16) + number(at + 20));
    }
    places
}

/// Gives a block the sum of its bytes.
pub(crate) fn sum_anew(block: &mut [u8]) {
    let sum = crc(&[&block[..24], &block[28..]].concat());
    block[24..28].copy_from_slice(&sum.to_be_bytes());
}

/// The same for each block of a segment.
pub(crate) fn sums_anew(bytes: &mut [u8]) {
    let places = blocks(bytes);
    places.windows(2).for_each(|block| sum_anew(&mut bytes[block[0]..block[1]]));
}

fn crc(bytes: &[u8]) -> u32 {
    let step = |sum: u32| sum >> 1 ^ (0xedb8_8320 & (sum & 1).wrapping_neg());
    !bytes.iter().fold(!0, |sum: u32, byte| (0..8).fold(sum ^ u32::from(*byte), |sum, _| step(sum)))
}
