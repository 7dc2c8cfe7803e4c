//! Text of two bytes a letter (UTF-16) in other bytes.

use super::carve::Decoded;
use super::map::Map;
use super::work::{self, Work};

/// Text of two bytes a letter: `Some(true)` if the low byte is first.
pub(super) fn is_wide(bytes: &[u8]) -> Option<bool> {
    let (pairs, _) = bytes.as_chunks::<2>();
    let (mut little, mut big) = (0, 0);
    for pair in pairs {
        match pair {
            [low, 0] if is_plain(*low) => little += 1,
            [0, low] if is_plain(*low) => big += 1,
            _ => {}
        }
    }
    let enough = |count: usize| count >= 6 && count * 10 >= pairs.len() * 8;
    if enough(little) { Some(true) } else { enough(big).then_some(false) }
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, 9 | 10 | 13 | 32..=126)
}

/// Runs of text of two bytes a letter, as plain text.
pub(super) fn find(text: &[u8], work: &Work, mut found: impl FnMut(Decoded)) {
    let mut done = 0;
    for zero in memchr::memchr_iter(0, text) {
        if zero < done {
            continue;
        }
        // Neither of two zeros beside each other is half a letter.
        let beside = [zero.checked_sub(1), Some(zero + 1)].into_iter().flatten();
        if !beside.filter_map(|at| text.get(at)).any(|byte| is_plain(*byte)) {
            continue;
        }
        if !work.take(work::LOOK) {
            return;
        }
        done = zero + 1;
        // The letter is before the zero (low byte first), or behind it.
        for start in [zero.checked_sub(1), Some(zero)].into_iter().flatten() {
            let little = start != zero;
            let letter = |pair: &[u8; 2]| match (pair, little) {
                ([low, 0], true) | ([0, low], false) if is_plain(*low) => Some(*low),
                _ => None,
            };
            let (pairs, _) = text.get(start..).unwrap_or_default().as_chunks::<2>();
            let bytes: Vec<u8> = pairs.iter().map_while(letter).collect();
            if bytes.len() >= 8 {
                let end = start + 2 * bytes.len();
                done = end;
                let map = Map::Units { start, from: 1, to: 2, end };
                found(Decoded { bytes, map, name: "utf16" });
                break;
            }
        }
    }
}

/// Where text of two bytes a letter starts, if a place is in one.
pub(super) fn wide_start(text: &[u8], at: usize, floor: usize) -> usize {
    let zero = |at: usize| text.get(at) == Some(&0);
    let mut start = at;
    let odd = start.checked_sub(1).is_some_and(zero);
    if !odd && !zero(start) {
        return at;
    }
    let mut last = if odd { start - 1 } else { start };
    while last >= floor + 2 && zero(last - 2) {
        last -= 2;
    }
    start = start.min(last.saturating_sub(1).max(floor));
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_text_is_read_in_both_orders() {
        let plain = b"password=hunter22";
        let little: Vec<u8> = plain.iter().flat_map(|byte| [*byte, 0]).collect();
        let big: Vec<u8> = plain.iter().flat_map(|byte| [0, *byte]).collect();
        for text in [little, big] {
            let mut all = Vec::new();
            find(
                &[b"\x01\x02".as_slice(), &text, b"\x03\x04"].concat(),
                &Work::new(u64::MAX, 0),
                |decoded| all.push(decoded.bytes),
            );
            assert_eq!(all, [plain.to_vec()]);
        }
    }
}
