//! Finds runs of base64, base32 and hex, and decodes them.
//!
//! A run has twenty letters or more, so looking at every twentieth byte finds each one. A run is decoded once in each of
//! its readings that gives text, so the work is bounded by a multiple of its length.

use super::letters::{BASE64, DIGIT, HEX, LOWER, UPPER, WORD, sort, text_share};
use super::map::Map;
use super::wide::{is_wide, wide_start};
use super::work::{READINGS, Work};

/// Letters of the shortest run.
pub(super) const SHORTEST: usize = 20;
/// From so many letters on, a run of base64 is decoded whatever comes out.
const LONG: usize = 256;
/// Letters of a line that goes on in the next one.
const LINE: usize = 40;
/// Letters of a sample.
const SAMPLE: usize = 32;

/// Something decoded.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) bytes: Vec<u8>,
    pub(super) map: Map,
    pub(super) name: &'static str,
}

/// A run: where it starts and ends, and where each of its lines does if it has several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Empty if there is one alone.
    lines: Vec<(usize, usize)>,
}

/// Calls back with each run, as long as that says to go on.
pub(super) fn runs(text: &[u8], mut found: impl FnMut(Run) -> bool) {
    let mut at = SHORTEST - 1;
    let mut floor = 0;
    while let Some(byte) = text.get(at) {
        if sort(*byte) & BASE64 == 0 {
            at += SHORTEST;
            continue;
        }
        // Of twenty letters around this one, eight stand beside each other on one side of it.
        let near = beside(text, at);
        if let Some(behind) = near {
            at += behind + SHORTEST;
            continue;
        }
        let left = super::letters::run_before(text, at, BASE64, at - floor);
        let start = at - left;
        let end = at + super::letters::run(text, at, BASE64);
        if end - start < SHORTEST {
            at = end + SHORTEST;
            continue;
        }
        let run = with_lines(text, start, end);
        floor = run.end;
        at = run.end + SHORTEST - 1;
        if !found(run) {
            return;
        }
    }
}

/// Where the run around a place is too short for sure: how many of its letters there are from the place on.
#[inline(always)]
fn beside(text: &[u8], at: usize) -> Option<usize> {
    let around: &[u8; 16] = text.get(at.checked_sub(8)?..at + 8)?.try_into().ok()?;
    let bits = (0..)
        .zip(around)
        .fold(0u16, |bits, (place, byte)| bits | u16::from(sort(*byte) & BASE64 != 0) << place);
    let (left, right) = ((bits as u8).leading_ones(), ((bits >> 8) as u8).trailing_ones());
    (left < 8 && right < 8).then_some(right as usize)
}

/// The run with the lines it goes on in.
fn with_lines(text: &[u8], start: usize, end: usize) -> Run {
    let mut run = Run { start, end, lines: Vec::new() };
    let mut length = end - start;
    while length >= LINE {
        let next = run.end + line_break(text, run.end);
        if next == run.end {
            break;
        }
        let end = next + super::letters::run(text, next, BASE64);
        // All lines are as long as the first, but the last.
        let ends =
            matches!(text.get(end), None | Some(b'\r' | b'\n' | b'=' | b'\\' | b'"' | b'\'' | b'<' | b')'));
        if end == next || end - next > length || !ends {
            break;
        }
        if run.lines.is_empty() {
            run.lines.push((start, run.end));
        }
        run.lines.push((next, end));
        run.end = end;
        if end - next < length {
            break;
        }
        length = end - next;
    }
    run
}

/// Bytes of a line break with the blanks behind it, also one written out as in JSON.
pub(super) fn line_break(text: &[u8], at: usize) -> usize {
    let bytes = match text.get(at..).unwrap_or_default() {
        [b'\r', b'\n', ..] => 2,
        [b'\n', ..] => 1,
        [b'\\', b'r', b'\\', b'n', ..] => 4,
        [b'\\', b'n', ..] => 2,
        _ => return 0,
    };
    let blank = |byte: &&u8| matches!(**byte, b' ' | b'\t');
    bytes + text.get(at + bytes..).unwrap_or_default().iter().take(16).take_while(blank).count()
}

/// What a run is made of.
struct Shape {
    sorts: u8,
    /// Every byte is a digit of hex.
    hex: bool,
    /// How often a letter is followed by one of another sort.
    changes: usize,
}

fn shape(text: &[u8]) -> Shape {
    let mut shape = Shape { sorts: 0, hex: true, changes: 0 };
    let mut last = 0;
    for byte in text {
        let sort = sort(*byte);
        shape.sorts |= sort & (BASE64);
        shape.hex &= sort & HEX != 0;
        let plain = sort & (LOWER | UPPER | DIGIT);
        shape.changes += usize::from(plain != last);
        last = plain;
    }
    shape
}

/// Every reading of a run that may be more than chance.
pub(super) fn decode(text: &[u8], run: &Run, work: &Work) -> Vec<Decoded> {
    let Some(first) = text.get(run.start..run.end) else { return Vec::new() };
    let head = first.get(..first.len().min(512)).unwrap_or_default();
    let Shape { sorts, hex, changes } = shape(head);
    let several = run.lines.len() > 1;
    if let (true, Some((start, end))) = (several, run.lines.first()) {
        // A line of hex with a word below it is a line of hex.
        let rest = run.lines.iter().skip(1).filter_map(|(start, end)| text.get(*start..*end)).flatten();
        if hex && !rest.copied().all(|byte| sort(byte) & HEX != 0) {
            return decode(text, &Run { start: *start, end: *end, lines: Vec::new() }, work);
        }
    }
    let mut found = Vec::new();
    let joined: Vec<u8>;
    let letters = if several {
        joined =
            run.lines.iter().filter_map(|(start, end)| text.get(*start..*end)).flatten().copied().collect();
        &joined
    } else {
        first
    };
    let make = |from: usize, bytes, units: (usize, usize), name| {
        let map = if several {
            Map::Whole(run.start, run.end)
        } else {
            Map::Units { start: run.start + from, from: units.0, to: units.1, end: run.end }
        };
        Decoded { bytes, map, name }
    };
    if hex
        && letters.iter().all(|byte| sort(*byte) & HEX != 0)
        && let Some(bytes) = hex_bytes(letters).filter(|bytes| is_sound(bytes))
    {
        found.push(make(0, bytes, (1, 2), "hex"));
        return found;
    }
    let upper = sorts & !(UPPER | DIGIT) == 0;
    if upper
        && letters.len() >= 24
        && let Some(bytes) = base32_bytes(letters).filter(|bytes| is_sound(bytes))
    {
        found.push(make(0, bytes, (5, 8), "base32"));
        return found;
    }
    let mixed = sorts & UPPER != 0 && sorts & LOWER != 0 && changes * 4 >= head.len();
    if !mixed && letters.len() < LONG || hex {
        return found;
    }
    if !work.take(READINGS + letters.len()) {
        return found;
    }
    for phase in 0..4usize {
        let Some(part) = letters.get(phase..) else { break };
        let whole = phase == 0 && letters.len() >= LONG && mixed;
        if whole || is_text_somewhere(part) || phase == 0 && has_magic(part) {
            found.push(make(phase, base64_bytes(part), (3, 4), "base64"));
        }
    }
    if found.is_empty() && mixed && letters.len() <= MOST_BACKWARDS {
        found.extend(backwards(letters).map(|bytes| {
            let map = Map::Whole(run.start, run.end);
            Decoded { bytes, map, name: "base64" }
        }));
    }
    found
}

/// The longest run that is also read from its end.
const MOST_BACKWARDS: usize = 4 << 10;

/// What a run says from its end, when that is text.
fn backwards(letters: &[u8]) -> Option<Vec<u8>> {
    let letters: Vec<u8> = letters.iter().rev().copied().collect();
    is_text_somewhere(&letters).then(|| base64_bytes(&letters))
}

/// At the start, in the middle or at the end, what comes out is text.
fn is_text_somewhere(letters: &[u8]) -> bool {
    let last = letters.len().saturating_sub(SAMPLE) / 4 * 4;
    let sample = |from: usize| {
        let part = letters.get(from..(from + SAMPLE).min(letters.len())).unwrap_or_default();
        let bytes = base64_bytes(part);
        bytes.len() >= 9 && text_share(&bytes) > 0.92
    };
    sample(0) || last > 0 && (sample(last) || last > 2 * SAMPLE && sample(last / 8 * 4))
}

/// What comes out is packed, or text of two bytes a letter.
fn has_magic(letters: &[u8]) -> bool {
    let head = base64_bytes(letters.get(..letters.len().min(24)).unwrap_or_default());
    let brotli =
        letters.len() >= 40 && head.first().is_some_and(|first| super::containers::may_be_brotli(*first));
    brotli || super::containers::starts_packed(&head) || is_wide(&head).is_some()
}

/// More than chance: text, or the start of something packed.
pub(super) fn is_sound(bytes: &[u8]) -> bool {
    let head = bytes.get(..bytes.len().min(64)).unwrap_or_default();
    text_share(head) > 0.92 || super::containers::starts_packed(head) || is_wide(head).is_some()
}

static SIX_BITS: [u8; 256] = six_bits();

const fn six_bits() -> [u8; 256] {
    let mut table = [0u8; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::indexing_slicing, reason = "below 256; `get` is not for constants")]
        let place = &mut table[byte];
        *place = match byte as u8 {
            letter @ b'A'..=b'Z' => letter - b'A',
            letter @ b'a'..=b'z' => letter - b'a' + 26,
            letter @ b'0'..=b'9' => letter - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => 0,
        };
        byte += 1;
    }
    table
}

fn six(byte: u8) -> u32 {
    u32::from(SIX_BITS.get(usize::from(byte)).copied().unwrap_or(0))
}

/// Both alphabets at once, and what is left at the end as far as it goes.
pub(super) fn base64_bytes(letters: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(letters.len() / 4 * 3 + 3);
    let (fours, rest) = letters.as_chunks::<4>();
    for [one, two, three, four] in fours {
        let all = six(*one) << 18 | six(*two) << 12 | six(*three) << 6 | six(*four);
        bytes.extend_from_slice(&[(all >> 16) as u8, (all >> 8) as u8, all as u8]);
    }
    match rest {
        [one, two] => bytes.push((six(*one) << 2 | six(*two) >> 4) as u8),
        [one, two, three] => {
            let all = six(*one) << 10 | six(*two) << 4 | six(*three) >> 2;
            bytes.extend_from_slice(&[(all >> 8) as u8, all as u8]);
        }
        _ => {}
    }
    bytes
}

fn hex_bytes(letters: &[u8]) -> Option<Vec<u8>> {
    let value = |byte: u8| char::from(byte).to_digit(16).map_or(0, |value| value as u8);
    let (pairs, rest) = letters.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| value(*high) << 4 | value(*low)).collect())
}

fn base32_bytes(letters: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(letters.len() / 8 * 5 + 5);
    let (mut held, mut bits) = (0u32, 0);
    for letter in letters {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'2'..=b'7' => letter - b'2' + 26,
            _ => return None,
        };
        held = (held << 5 | u32::from(value)) & 0xfff_ffff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    Some(bytes)
}

/// Where the word around a place starts that may be one encoded run, over its lines, not before a floor.
pub(super) fn word_start(text: &[u8], at: usize, floor: usize) -> usize {
    let mut start = wide_start(text, at, floor);
    loop {
        let line = super::letters::run_before(text, start, WORD, start - floor);
        let before = start - line;
        if before <= floor || line > 0 && line < LINE && start != at {
            return before.max(floor);
        }
        // The line above, if it is long and made of one word.
        let above = before - breaks_before(text, before);
        let length = super::letters::run_before(text, above, BASE64, above - floor);
        if above == before || above < floor || length < LINE {
            return before;
        }
        start = above;
    }
}

/// Bytes of the line break and the blanks before a place.
fn breaks_before(text: &[u8], at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    let blanks = before.iter().rev().take(16).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    match before.get(..at - blanks).unwrap_or_default() {
        [.., b'\r', b'\n'] => blanks + 2,
        [.., b'\n'] => blanks + 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(text: &[u8]) -> Vec<(String, &'static str)> {
        let mut all = Vec::new();
        runs(text, |run| {
            all.extend(decode(text, &run, &Work::new(u64::MAX, 0)));
            true
        });
        all.into_iter()
            .map(|decoded| (String::from_utf8_lossy(&decoded.bytes).into_owned(), decoded.name))
            .collect()
    }

    #[test]
    fn each_encoding_is_read_and_words_are_not() {
        for (text, name) in [
            ("x dGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcw== y", "base64"),
            ("(74686520717569636b2062726f776e20666f78206a756d7073)", "hex"),
            ("ORUGKIDROVUWG2ZAMJZG653OEBTG66BANJ2W24DT=", "base32"),
            ("path/to/dGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcw", "base64"),
        ] {
            let found = readings(text.as_bytes());
            assert!(
                found.iter().any(|(plain, by)| plain.ends_with("the quick brown fox jumps") && *by == name),
                "{text} {found:?}"
            );
        }
        let words = b"this_is_a_very_long_name_of_a_function AnotherVeryLongNameOfAClassInJava /usr/share/doc/packages/x \
            3f786850e387550fdab836ed7e6dc881de23001b SCREAMING_SNAKE_CASE_CONSTANT_NAME";
        assert_eq!(readings(words), []);
    }

    #[test]
    fn lines_of_one_length_are_one_run() {
        let text =
            b"dGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRo\n  ZSBsYXp5IGRvZyBhbmQgYWdhaW4gYW5kIGFnYWlu";
        assert_eq!(readings(text)[0].0, "the quick brown fox jumps over the lazy dog and again and again");
        assert_eq!(word_start(text, text.len(), 0), 0);
    }
}
