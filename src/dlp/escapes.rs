//! Words with escapes in them, as plain words: `%67`, `\u0067`, `\x67`, `\/`, characters without width, wide letters.

use super::letters::{WORD, run, run_before};
use super::map::Map;

/// A word with escapes: where it stands, what it says, and which escapes it had first.
#[derive(Debug)]
pub(super) struct Plain {
    pub(super) bytes: Vec<u8>,
    pub(super) map: Map,
    pub(super) name: &'static str,
}

/// An escape: how many bytes it takes, what it stands for, its name.
struct Escape {
    takes: usize,
    letter: Option<char>,
    byte: Option<u8>,
    /// Empty for one that programs are full of: it is read where another one stands, and alone makes no word.
    name: &'static str,
}

/// Calls back with each word that has an escape. It says how far it has read, and it is not called for words before that.
pub(super) fn find(text: &[u8], mut found: impl FnMut(Plain)) {
    let mut done = 0;
    let ascii = memchr::memchr3_iter(b'%', b'\\', 0xe2, text);
    for at in ascii {
        visit(text, at, &mut done, &mut found);
    }
    // The two rarer ones have a pass of their own, and do not come where the first pass was.
    let mut done_too = 0;
    for at in memchr::memchr2_iter(0xc2, 0xef, text) {
        let inside = has_common(text, at);
        if !inside {
            visit(text, at, &mut done_too, &mut found);
        }
    }
}

/// The word at a place has an escape that the first pass looks for.
fn has_common(text: &[u8], at: usize) -> bool {
    if escape(text, at).is_none() {
        return true;
    }
    let (start, end) = word(text, at, 0);
    let word = text.get(start..end).unwrap_or_default();
    memchr::memchr3_iter(b'%', b'\\', 0xe2, word)
        .any(|place| escape(text, start + place).is_some_and(|escape| !escape.name.is_empty()))
}

fn visit(text: &[u8], at: usize, done: &mut usize, found: &mut impl FnMut(Plain)) {
    if at < *done || escape(text, at).is_none_or(|escape| escape.name.is_empty()) {
        return;
    }
    let (start, end) = word(text, at, *done);
    *done = end;
    if let Some(plain) = plain(text, start, end) {
        found(plain);
    }
}

/// The most bytes that a word goes to the left of its first escape.
const LEFT: usize = 4096;

/// The word around a place. Quotes that are escaped belong to it, so that a string of JSON in a string stays one.
fn word(text: &[u8], at: usize, floor: usize) -> (usize, usize) {
    let mut start = at - run_before(text, at, WORD, LEFT);
    start = start.max(floor);
    let mut end = at;
    loop {
        end += run(text, end, WORD);
        let escaped = end.checked_sub(1).and_then(|before| text.get(before)) == Some(&b'\\');
        if escaped && matches!(text.get(end), Some(b'"' | b'\'')) {
            end += 1;
        } else {
            return (start, end);
        }
    }
}

fn plain(text: &[u8], start: usize, end: usize) -> Option<Plain> {
    let text_end = text.get(..end)?;
    let mut bytes = Vec::with_capacity(end - start);
    let mut points = vec![(0, start)];
    let mut name = None;
    let mut at = start;
    while let Some(byte) = text_end.get(at) {
        let escape = match byte {
            b'%' | b'\\' | 0xe2 | 0xc2 | 0xef => escape(text_end, at),
            _ => None,
        };
        let Some(escape) = escape else {
            bytes.push(*byte);
            at += 1;
            continue;
        };
        if !escape.name.is_empty() {
            name.get_or_insert(escape.name);
        }
        points.push((bytes.len(), at));
        bytes.extend(escape.byte);
        if let Some(letter) = escape.letter {
            let mut buffer = [0; 4];
            bytes.extend(letter.encode_utf8(&mut buffer).as_bytes());
        }
        at += escape.takes;
        points.push((bytes.len(), at));
    }
    Some(Plain { bytes, map: Map::Points(points, end), name: name? })
}

fn escape(text: &[u8], at: usize) -> Option<Escape> {
    let rest = text.get(at..)?;
    let make = |takes, name| Escape { takes, letter: None, byte: None, name };
    match rest {
        [b'%', one, two, ..] => {
            Some(Escape { byte: Some(hex(*one)? << 4 | hex(*two)?), ..make(3, "percent") })
        }
        [b'\\', b'x', one, two, ..] => {
            Some(Escape { byte: Some(hex(*one)? << 4 | hex(*two)?), ..make(4, "escape") })
        }
        [b'\\', b'u', one, two, three, four, ..] => {
            let digits = [hex(*one)?, hex(*two)?, hex(*three)?, hex(*four)?];
            let code = digits.iter().fold(0u32, |code, digit| code << 4 | u32::from(*digit));
            Some(Escape { letter: char::from_u32(code).and_then(narrow), ..make(6, "escape") })
        }
        [b'\\', b'/', ..] => Some(Escape { byte: Some(b'/'), ..make(2, "escape") }),
        [b'\\', quote @ (b'"' | b'\''), ..] => Some(Escape { byte: Some(*quote), ..make(2, "") }),
        [0xe2, 0x80, 0x8b..=0x8f | 0xaa..=0xae, ..]
        | [0xe2, 0x81, 0xa0..=0xa4, ..]
        | [0xef, 0xbb, 0xbf, ..] => Some(make(3, "zero_width")),
        [0xc2, 0xad, ..] => Some(make(2, "zero_width")),
        // Wide forms of ASCII: U+FF01 to U+FF5E.
        [0xef, 0xbc, low @ 0x81..=0xbf, ..] => Some(Escape { byte: Some(low - 0x60), ..make(3, "wide") }),
        [0xef, 0xbd, low @ 0x80..=0x9e, ..] => Some(Escape { byte: Some(low - 0x20), ..make(3, "wide") }),
        _ => None,
    }
}

/// Wide letters are plain ones, and a character without width is none.
fn narrow(letter: char) -> Option<char> {
    match letter {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(letter) - 0xff01 + 0x21),
        '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{ad}' => None,
        letter => Some(letter),
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<(String, &'static str)> {
        let mut words = Vec::new();
        find(text.as_bytes(), |plain| {
            words.push((String::from_utf8_lossy(&plain.bytes).into_owned(), plain.name))
        });
        words
    }

    #[test]
    fn each_way_to_hide_a_letter_is_seen_through() {
        for (text, plain, name) in [
            ("a %67hp_x b", "ghp_x", "percent"),
            (r#""g\u0068p_x""#, "ghp_x", "escape"),
            (r"'\x67hp_x'", "ghp_x", "escape"),
            ("gh\u{200b}p_x", "ghp_x", "zero_width"),
            ("gh\u{ad}p_x", "ghp_x", "zero_width"),
            ("\u{ff47}hp_x", "ghp_x", "wide"),
        ] {
            let found = all(text);
            assert_eq!(found.len(), 1, "{text} {found:?}");
            assert!(
                found[0].0.trim_matches('\\') == plain.trim_matches('\\') && found[0].1 == name,
                "{text} {found:?}"
            );
        }
        assert_eq!(all(r#"\u0061\":\"b"#), [(r#"a":"b"#.to_owned(), "escape")]);
        assert!(all("100% sure \\\"  \\n \u{2014} caf\u{e9} %zz").is_empty());
    }

    #[test]
    fn a_place_in_the_plain_word_leads_back_to_its_escape() {
        let mut places = Vec::new();
        find(b"x=%67hp%5fabc", |plain| places.push((plain.map.outer(2, 6), plain.map.outer(2, 9))));
        assert_eq!(places, [((2, 10), (2, 13))]);
    }
}
