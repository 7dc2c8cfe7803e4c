//! Sums and structure of tokens.

use super::Verdict;
use crate::crypto::base62_crc;
use crate::dlp::letters::{DIGIT, LOWER, UPPER, sort};

/// A token as GitHub and npm make them: a prefix to `_`, thirty characters, and six with the CRC-32 of those thirty.
/// One without the right sum may be real and changed by who sends it, so it is in doubt.
pub(super) fn crc(value: &[u8]) -> Verdict {
    let Some(body) = value.rsplit(|byte| *byte == b'_').next() else { return Verdict::Wrong };
    let Some((random, sum)) = body.split_last_chunk::<6>() else { return Verdict::Wrong };
    if base62_crc(random) == *sum {
        return Verdict::Right;
    }
    if super::token::random(random) { Verdict::Doubtful } else { Verdict::Wrong }
}

/// Three parts, of which the first is JSON that names an algorithm.
pub(super) fn jwt(value: &[u8]) -> bool {
    let Some(head) = value.split(|byte| *byte == b'.').next() else { return false };
    let Some(json) = std::str::from_utf8(head).ok().and_then(crate::crypto::base64url) else { return false };
    json.starts_with(b"{") && json.windows(5).any(|five| five == b"\"alg\"" || five == b"\"enc\"")
}

/// An id of an AWS key: four letters, then base32 in which the number of an account lies (0 to 999999999999).
pub(super) fn aws_id(value: &[u8]) -> Verdict {
    let Some(body) = value.get(4..14) else { return Verdict::Wrong };
    let digit = |byte: &u8| match byte {
        b'A'..=b'Z' => Some(u64::from(byte - b'A')),
        b'2'..=b'7' => Some(u64::from(byte - b'2' + 26)),
        _ => None,
    };
    let Some(number) = body.iter().try_fold(0u64, |all, byte| Some(all << 5 | digit(byte)?)) else {
        return Verdict::Wrong;
    };
    // After the first bit, 40 bits are the account.
    if number >> 9 & 0xff_ffff_ffff > 999_999_999_999 { Verdict::Doubtful } else { Verdict::Right }
}

/// Made by a machine: changes between sorts of letters as chance would, not as words do.
pub(super) fn random(value: &[u8]) -> bool {
    let sorts = value.iter().map(|byte| sort(*byte) & (LOWER | UPPER | DIGIT));
    let changes = sorts.clone().zip(sorts.skip(1)).filter(|(one, two)| one != two).count();
    let distinct = value.iter().fold([false; 256], |mut seen, byte| {
        if let Some(place) = seen.get_mut(usize::from(*byte)) {
            *place = true;
        }
        seen
    });
    let distinct = distinct.iter().filter(|seen| **seen).count();
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let enough = distinct >= 8.min(value.len() / 2);
    enough && digits > 0 && digits < value.len() && changes * 6 >= value.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_the_standard_text_is_known() {
        assert_eq!(&base62_crc(b"zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ"), b"0mLq17");
    }

    #[test]
    fn a_token_with_another_sum_is_doubtful_and_words_are_wrong() {
        let random = b"zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ";
        let whole = [b"ghp_".as_slice(), random, &base62_crc(random)].concat();
        assert_eq!(crc(&whole), Verdict::Right);
        assert_eq!(crc(b"ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18"), Verdict::Doubtful);
        assert_eq!(crc(b"ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), Verdict::Wrong);
    }

    #[test]
    fn the_head_of_a_jwt_is_json_with_an_algorithm() {
        assert!(jwt(b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig"));
        assert!(!jwt(b"eyJub25lIjoxfQ.x.y") && !jwt(b"eyJzdWIiOiIxIn0.a.b"));
    }
}
