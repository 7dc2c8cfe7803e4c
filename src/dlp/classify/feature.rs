//! What the classifier sees of a candidate: which slots of the weights, and how strongly.
//!
//! Never allocates and never computes with more than whole numbers until a value is given, so that training and use see
//! the same on every machine. At most [`MOST_CANDIDATE`] bytes of a candidate and [`MOST_BEFORE`] before it are read.

use super::count::Counts;

/// Slots for pairs of letters, one each.
const PAIRS: usize = 64 * 64;
/// Slots that triples of letters are hashed into.
const TRIPLES: usize = 1 << 15;
/// Slots that words and joined features are hashed into.
const WORDS: usize = 1 << 14;
/// Slots of shape features: [`GROUP`] for each.
const SHAPES: usize = 32 * GROUP;
const GROUP: usize = 64;

/// How many weights there are.
pub const SLOTS: usize = PAIRS + TRIPLES + WORDS + SHAPES;

/// A longer candidate is judged by its first bytes.
const MOST_CANDIDATE: usize = 128;
/// Bytes before the candidate that are looked at.
const MOST_BEFORE: usize = 64;
/// Words before the candidate that are looked at.
const MOST_WORDS: usize = 10;

/// Gives every feature of the candidate, which stands after these bytes: a slot below [`SLOTS`], and a value.
pub fn features(candidate: &[u8], before: &[u8], mut put: impl FnMut(usize, f32)) {
    let length = candidate.len();
    let candidate = candidate.get(..MOST_CANDIDATE).unwrap_or(candidate);
    let before = before.get(before.len().saturating_sub(MOST_BEFORE)..).unwrap_or(before);
    letters(candidate, &mut put);
    shapes(&Counts::of(candidate), length, &mut put);
    inner_words(candidate, &mut put);
    outer_words(before, &mut put);
}

/// One of 64 classes: each letter, all digits, and kinds of signs.
const fn class(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => byte - b'a',
        b'A'..=b'Z' => byte - b'A' + 26,
        b'0'..=b'9' => 52,
        b'_' => 53,
        b'-' => 54,
        b'.' => 55,
        b'/' => 56,
        b'+' => 57,
        b'=' => 58,
        b' ' | b'\t' | b'\r' | b'\n' => 59,
        b'<' | b'>' | b'{' | b'}' | b'(' | b')' | b'[' | b']' | b'$' | b'%' => 60,
        b'"' | b'\'' | b'`' | b',' | b';' | b':' => 61,
        0..=127 => 62,
        _ => 63,
    }
}

fn letters(candidate: &[u8], put: &mut impl FnMut(usize, f32)) {
    let count = u16::try_from(candidate.len()).unwrap_or(u16::MAX).max(1);
    let each = 1.0 / f32::from(count).sqrt();
    let (mut last, mut before_last) = (None::<usize>, None::<usize>);
    for byte in candidate {
        let now = usize::from(class(*byte));
        if let Some(last) = last {
            put(last * 64 + now, each);
            if let Some(first) = before_last {
                let mixed = (first << 12 | last << 6 | now).wrapping_mul(0x9e37_79b1) as u32;
                put(PAIRS + (mixed >> 17) as usize, each);
            }
        }
        (before_last, last) = (last, Some(now));
    }
}

fn shapes(counts: &Counts, length: usize, put: &mut impl FnMut(usize, f32)) {
    let long = length_step(length);
    let kind = counts.kind();
    let share = |part: usize, steps: usize| part * steps / counts.length.max(1);
    let simple = [
        long,
        kind,
        counts.variety(),
        counts.distinct * 16 / counts.length.max(1),
        share(counts.digits, 10),
        share(counts.upper, 10),
        share(counts.changes, 16),
        counts.longest_run.min(31),
        counts.longest_lower.min(31),
        counts.vowels * 12 / (counts.upper + counts.lower).max(1),
        counts.separators.min(15),
        share(counts.steps, 12),
        counts.brackets.min(4),
        counts.spaces.min(6),
        counts.signs.min(8),
        counts.consonant_run.min(15),
        counts.digit_runs.min(15),
        usize::from(counts.is_uuid) + 2 * usize::from(counts.ends_padded),
        length % 4,
        counts.first_kind,
    ];
    for (group, value) in simple.into_iter().enumerate() {
        put(PAIRS + TRIPLES + WORDS + group * GROUP + value.min(GROUP - 1), 1.0);
    }
    let joined = [
        (1, kind, long),
        (2, counts.variety() / 2, long),
        (3, share(counts.digits, 8), share(counts.upper, 8)),
        (4, kind, share(counts.changes, 12)),
        (5, kind, counts.longest_lower.min(15)),
        (6, long, counts.separators.min(7)),
        (7, share(counts.digits, 8), counts.vowels * 10 / (counts.upper + counts.lower).max(1)),
        (8, kind, counts.digit_runs.min(15)),
        (9, long, share(counts.changes, 10)),
    ];
    for (salt, one, other) in joined {
        put(hashed(salt, &[one as u8, other as u8]), 1.0);
    }
}

/// The step of a length: every one up to 8, then coarser, with the usual lengths of digests and keys apart.
fn length_step(length: usize) -> usize {
    match length {
        0..=12 => length,
        13..=15 => 13,
        16 => 14,
        17..=19 => 15,
        20 => 16,
        21..=23 => 17,
        24 => 18,
        25..=31 => 19,
        32 => 20,
        33..=35 => 21,
        36 => 22,
        37..=39 => 23,
        40 => 24,
        41..=43 => 25,
        44 => 26,
        45..=55 => 27,
        56 => 28,
        57..=63 => 29,
        64 => 30,
        65..=87 => 31,
        88 => 32,
        89..=127 => 33,
        128 => 34,
        129..=199 => 35,
        200..=499 => 36,
        _ => 37,
    }
}

/// Words that the candidate is put together from, and how it begins.
fn inner_words(candidate: &[u8], put: &mut impl FnMut(usize, f32)) {
    for (salt, most) in [(20, 3), (21, 5)] {
        put(hashed(salt, candidate.get(..most).unwrap_or(candidate)), 1.0);
    }
    let mut words = 0;
    let mut rest = candidate;
    while let Some((word, after)) = first_word(rest).filter(|_| words < 2 * MOST_WORDS) {
        if word.len() >= 3 {
            put(hashed(22, word), 0.7);
        }
        words += 1;
        rest = after;
    }
    put(hashed(23, &[words as u8, length_step(candidate.len()) as u8]), 1.0);
}

/// What stands before: the signs between, then the words of the name beside them, then words farther left.
fn outer_words(before: &[u8], put: &mut impl FnMut(usize, f32)) {
    let signs =
        before.iter().rev().take_while(|byte| !byte.is_ascii_alphanumeric() && byte.is_ascii()).count();
    let (mut rest, glue) = before.split_at(before.len().saturating_sub(signs));
    let near = glue.get(glue.len().saturating_sub(3)..).unwrap_or(glue);
    put(hashed(30, near), 1.0);
    put(hashed(31, glue.get(glue.len().saturating_sub(1)..).unwrap_or(glue)), 1.0);
    let quoted = near.iter().any(|byte| matches!(byte, b'"' | b'\'' | b'`'));
    let assigned = glue.iter().any(|byte| matches!(byte, b'=' | b':'));
    put(hashed(32, &[u8::from(quoted), u8::from(assigned), u8::from(before.is_empty())]), 1.0);
    let line_break = glue.contains(&b'\n');
    let mut in_name = !line_break;
    for place in 0..MOST_WORDS {
        let Some((left, word, apart)) = last_word(rest) else { break };
        if place > 0 && apart {
            in_name = false;
        }
        match (in_name, place) {
            (true, 0) => {
                put(hashed(33, word), 1.0);
                put(hashed(34, word), 1.0);
            }
            (true, _) => put(hashed(34, word), 1.0),
            (false, _) => put(hashed(35, word), 0.5),
        }
        rest = left;
    }
}

/// The first word of the text and what follows it. A word ends before a sign or digit, and before an upper-case letter
/// that follows a lower-case one.
fn first_word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = text.iter().position(u8::is_ascii_alphabetic)?;
    let text = text.get(start..)?;
    let mut last_lower = false;
    let end = text.iter().position(|byte| {
        let ends = !byte.is_ascii_alphabetic() || (last_lower && byte.is_ascii_uppercase());
        last_lower = byte.is_ascii_lowercase();
        ends
    });
    text.split_at_checked(end.unwrap_or(text.len()))
}

/// The last word of the text, what is left of it, and whether more than a joining sign stands behind the word.
fn last_word(text: &[u8]) -> Option<(&[u8], &[u8], bool)> {
    let end = text.iter().rposition(u8::is_ascii_alphanumeric)? + 1;
    let (text, behind) = text.split_at_checked(end)?;
    let apart = behind.len() > 1 || behind.iter().any(|byte| !matches!(byte, b'_' | b'-' | b'.'));
    let mut next_upper = false;
    let start = text.iter().rposition(|byte| {
        let ends = !byte.is_ascii_alphanumeric() || (next_upper && byte.is_ascii_lowercase());
        next_upper = byte.is_ascii_uppercase();
        ends
    });
    let (left, word) = text.split_at_checked(start.map_or(0, |at| at + 1))?;
    Some((left, word, apart))
}

/// A slot for these bytes, letter case aside, among the words.
fn hashed(salt: u8, bytes: &[u8]) -> usize {
    let start = 0x811c_9dc5 ^ u32::from(salt).wrapping_mul(0x0100_0193).wrapping_mul(0x0100_0193);
    let hash = bytes
        .iter()
        .fold(start, |hash, byte| (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193));
    let mixed = (hash ^ hash >> 15).wrapping_mul(0x9e37_79b1);
    PAIRS + TRIPLES + (mixed >> 18) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_is_within_the_weights_and_the_last_ones_are_reached() {
        let mut most = 0;
        for length in 0..600 {
            let text: Vec<u8> = (0..length).map(|at| (at * 37 % 256) as u8).collect();
            features(&text, &text, |slot, value| {
                assert!(slot < SLOTS && value.is_finite() && value > 0.0, "{slot} {value}");
                most = most.max(slot);
            });
        }
        assert!(most >= SLOTS - SHAPES);
    }

    #[test]
    fn a_name_falls_into_its_words() {
        assert_eq!(last_word(b"let dbPassword"), Some((&b"let db"[..], &b"Password"[..], false)));
        assert_eq!(last_word(b"DB_PASSWORD"), Some((&b"DB_"[..], &b"PASSWORD"[..], false)));
        assert_eq!(last_word(b"api key "), Some((&b"api "[..], &b"key"[..], true)));
        assert_eq!(first_word(b"12 getToken"), Some((&b"get"[..], &b"Token"[..])));
        assert_eq!((first_word(b"12"), last_word(b"--")), (None, None));
    }
}
