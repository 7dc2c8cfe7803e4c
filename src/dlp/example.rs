//! Examples in rule files: `<w36>` stands for 36 letters and digits, so that no file of ours holds what looks like a key.

use crate::crypto::base62_crc;

/// Sorts of letters by the word that stands for them.
const SORTS: [(char, &str); 10] = [
    ('w', "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"),
    ('u', "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"),
    ('l', "abcdefghijklmnopqrstuvwxyz0123456789"),
    ('a', "abcdefghijklmnopqrstuvwxyz"),
    ('A', "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ('d', "0123456789"),
    ('h', "0123456789abcdef"),
    ('H', "0123456789ABCDEF"),
    ('b', "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
    ('B', "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
];

/// The text with every `<…>` filled in. The same text gives the same letters each time. `<crc>` is the sum of the thirty
/// letters before it.
pub(super) fn fill(text: &str) -> String {
    let mut state = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut out = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('<') {
        out.push_str(before);
        let word =
            behind.split_once('>').and_then(|(word, after)| Some((filling(word, &out, &mut state)?, after)));
        match word {
            Some((filling, after)) => {
                out.push_str(&filling);
                rest = after;
            }
            None => {
                out.push('<');
                rest = behind;
            }
        }
    }
    out.push_str(rest);
    out
}

fn filling(word: &str, before: &str, state: &mut u64) -> Option<String> {
    if word == "crc" {
        let random = before.get(before.len().checked_sub(30)?..)?;
        return Some(base62_crc(random.as_bytes()).iter().map(|byte| char::from(*byte)).collect());
    }
    let mut letters = word.chars();
    let sort = letters.next()?;
    let count: usize = letters.as_str().parse().ok().filter(|count| *count <= 4096)?;
    let (_, from) = SORTS.iter().find(|(name, _)| *name == sort)?;
    let from = from.as_bytes();
    let mut next = || {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = (*state >> 33) as usize % from.len();
        from.get(at).copied().map_or('0', char::from)
    };
    Some((0..count).map(|_| next()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_filling_stays_and_the_rest_is_filled() {
        assert_eq!(fill("a <b> <x9> <w0>c<"), "a <b> <x9> c<");
        let filled = fill("t_<w30><crc>");
        assert_eq!((filled.len(), &filled), (38, &fill("t_<w30><crc>")));
        assert!(fill("<d12>").bytes().all(|byte| byte.is_ascii_digit()));
    }
}
