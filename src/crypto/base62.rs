//! The sum that tokens of GitHub and npm end in.

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Digits of the sum.
pub(super) const SUM_DIGITS: usize = 6;

/// The CRC-32 (IEEE 802.3) of bytes in six digits of base 62.
pub fn base62_crc(bytes: &[u8]) -> [u8; SUM_DIGITS] {
    let mut left = crc32(bytes);
    let mut text = [b'0'; SUM_DIGITS];
    for place in text.iter_mut().rev() {
        *place = BASE62.get((left % 62) as usize).copied().unwrap_or(b'0');
        left /= 62;
    }
    text
}

/// A token is short, so bit by bit will do.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| sum >> 1 ^ (0xedb8_8320 & (sum & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_the_crc_in_base_62() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(base62_crc(b"123456789").to_vec(), {
            // CRC-32 of these bytes is 0xcbf43926.
            let mut left = 0xcbf4_3926u32;
            let mut letters = vec![];
            for _ in 0..6 {
                letters.push(BASE62[(left % 62) as usize]);
                left /= 62;
            }
            letters.reverse();
            letters
        });
    }
}
