//! Words with escapes in them, as plain words: `%67`, `\u0067`, `\x67`, `\/`, `&#103;`, `=67`, characters without width, wide
//! letters, and letters of other alphabets that look alike.

use super::letters::{WORD, run, run_before};
use super::map::Map;
use super::work::{self, Work};

/// A word with escapes: where it stands, what it says, and which escapes it had first.
#[derive(Debug)]
pub(super) struct Plain {
    pub(super) bytes: Vec<u8>,
    pub(super) map: Map,
    pub(super) name: &'static str,
}

/// Backslashes in a row that are read as one.
const MOST_SLASHES: usize = 64;

/// An escape: how many bytes it takes, what it stands for, its name.
struct Escape {
    takes: usize,
    letter: Option<char>,
    byte: Option<u8>,
    /// Empty for one that programs are full of: it is read where another one stands, and alone makes no word.
    name: &'static str,
}

/// Calls back with each word that has an escape. It says how far it has read, and it is not called for words before that.
pub(super) fn find(text: &[u8], work: &Work, mut found: impl FnMut(Plain)) {
    let mut done = 0;
    let ascii = memchr::memchr3_iter(b'%', b'\\', 0xe2, text);
    for at in ascii {
        if !work.take(work::ESCAPE) {
            return;
        }
        visit(text, at, &mut done, work, &mut found);
    }
    // The rarer ones have passes of their own, and do not come where the first pass was.
    rare(text, memchr::memchr2_iter(0xc2, 0xef, text), work, &mut found);
    rare(text, memchr::memchr2_iter(b'&', b'=', text), work, &mut found);
    if !text.is_ascii() {
        rare(text, memchr::memchr2_iter(0xd0, 0xd1, text), work, &mut found);
        rare(text, memchr::memchr2_iter(0xce, 0xcf, text), work, &mut found);
        rare(text, memchr::memchr2_iter(0xd2, 0xd4, text), work, &mut found);
    }
}

/// Words with escapes at these places, but those that the first pass has read. Each word is looked at once: one without an
/// end would cost its length for each of its letters.
fn rare(text: &[u8], places: impl Iterator<Item = usize>, work: &Work, found: &mut impl FnMut(Plain)) {
    let mut done = 0;
    for at in places {
        if !work.take(work::ESCAPE) {
            return;
        }
        if at < done || !may_be_escape(text, at) {
            continue;
        }
        if escape(text, at).is_none_or(|escape| escape.name.is_empty()) {
            continue;
        }
        let (start, end) = word(text, at, done);
        if !work.take(work::ESCAPED + 2 * (end - start)) {
            return;
        }
        let word = text.get(start..end).unwrap_or_default();
        let common = memchr::memchr3_iter(b'%', b'\\', 0xe2, word)
            .any(|place| escape(text, start + place).is_some_and(|escape| !escape.name.is_empty()));
        done = end;
        if !common && let Some(plain) = plain(text, start, end) {
            found(plain);
        }
    }
}

fn visit(text: &[u8], at: usize, done: &mut usize, work: &Work, found: &mut impl FnMut(Plain)) {
    if at < *done || !may_be_escape(text, at) {
        return;
    }
    if escape(text, at).is_none_or(|escape| escape.name.is_empty()) {
        return;
    }
    let (start, end) = word(text, at, *done);
    *done = end;
    if work.take(work::ESCAPED + 2 * (end - start))
        && let Some(plain) = plain(text, start, end)
    {
        found(plain);
    }
}

/// Says fast that a sign which programs are full of starts no escape with a name here.
#[inline(always)]
fn may_be_escape(text: &[u8], at: usize) -> bool {
    match text.get(at..at + 2) {
        Some([b'&', next]) => *next == b'#',
        Some([b'=', next]) => matches!(next, b'\r' | b'\n' | b'0'..=b'9' | b'A'..=b'F'),
        Some([b'\\', next]) => matches!(next, b'x' | b'u' | b'/' | b'\\'),
        _ => true,
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
        let soft = end.checked_sub(1).and_then(|at| soft_break(text, at)).map(|takes| end - 1 + takes);
        if escaped && matches!(text.get(end), Some(b'"' | b'\'')) {
            end += 1;
        } else if let Some(behind) = soft {
            end = behind;
        } else if text.get(end) == Some(&b';') && ends_in_entity(text, end) {
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
            b'%' | b'\\' | b'&' | b'=' | 0xe2 | 0xc2 | 0xef | 0xce..=0xd2 | 0xd4 => escape(text_end, at),
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
    // Text that was escaped several times has several backslashes, which are one.
    let slashes = rest.iter().take(MOST_SLASHES).take_while(|byte| **byte == b'\\').count();
    let more = slashes.saturating_sub(1);
    let rest = rest.get(more..)?;
    let make = |takes, name| Escape { takes: takes + more, letter: None, byte: None, name };
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
        [b'&', b'#', ..] => {
            let (letter, takes) = entity(text, at)?;
            Some(Escape { letter: narrow(letter), ..make(takes, "html") })
        }
        [b'=', ..] => match soft_break(text, at) {
            Some(takes) => Some(make(takes, "quoted")),
            None => {
                let (byte, alone) = quoted(text, at)?;
                Some(Escape { byte: Some(byte), ..make(3, if alone { "quoted" } else { "" }) })
            }
        },
        [0xce..=0xd2 | 0xd4, ..] => {
            let (byte, mixed) = alike(text, at)?;
            Some(Escape { byte: Some(byte), ..make(2, if mixed { "alike" } else { "" }) })
        }
        [0xc2, 0xad, ..] => Some(make(2, "zero_width")),
        // Wide forms of ASCII: U+FF01 to U+FF5E.
        [0xef, 0xbc, low @ 0x81..=0xbf, ..] => Some(Escape { byte: Some(low - 0x60), ..make(3, "wide") }),
        [0xef, 0xbd, low @ 0x80..=0x9e, ..] => Some(Escape { byte: Some(low - 0x20), ..make(3, "wide") }),
        _ => None,
    }
}

/// A line break of quoted-printable (RFC 2045): bytes of `=` and the break, between two letters or digits.
fn soft_break(text: &[u8], at: usize) -> Option<usize> {
    let takes = match text.get(at..)? {
        [b'=', b'\r', b'\n', ..] => 3,
        [b'=', b'\n', ..] => 2,
        _ => return None,
    };
    let around = [at.checked_sub(1)?, at + takes];
    around.iter().all(|at| text.get(*at).is_some_and(u8::is_ascii_alphanumeric)).then_some(takes)
}

/// `=41` of quoted-printable. One alone is more often a number in an address, but for an equals sign.
fn quoted(text: &[u8], at: usize) -> Option<(u8, bool)> {
    let digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'A'..=b'F').then(|| hex(*byte))?;
    let [b'=', one, two, rest @ ..] = text.get(at..)? else { return None };
    let byte = digit(one)? << 4 | digit(two)?;
    Some((byte, byte == b'=' || rest.first() == Some(&b'=') && byte >= b' '))
}

/// `&#103;` and `&#x67;` of HTML: the letter and the bytes it takes.
fn entity(text: &[u8], at: usize) -> Option<(char, usize)> {
    let rest = text.get(at..(at + 12).min(text.len()))?;
    let end = rest.iter().position(|byte| *byte == b';')?;
    let code = match rest.get(..end)? {
        [b'&', b'#', b'x' | b'X', digits @ ..] => number(digits, 16)?,
        [b'&', b'#', digits @ ..] => number(digits, 10)?,
        _ => return None,
    };
    char::from_u32(code).map(|letter| (letter, end + 1))
}

/// Whether an entity ends here, but for its last sign.
fn ends_in_entity(text: &[u8], end: usize) -> bool {
    let near = text.get(end.saturating_sub(10)..end).unwrap_or_default();
    let start = memchr::memrchr(b'&', near).and_then(|at| near.get(at..));
    start.is_some_and(|start| start.len() > 2 && start.starts_with(b"&#"))
}

fn number(digits: &[u8], base: u32) -> Option<u32> {
    let step = |all: u32, byte: &u8| all.checked_mul(base)?.checked_add(char::from(*byte).to_digit(base)?);
    (!digits.is_empty()).then(|| digits.iter().try_fold(0, step))?
}

/// Letters of Cyrillic and Greek that look like those of ASCII. They count in a word that has letters of ASCII too.
const ALIKE: [(char, u8); 43] = [
    ('\u{430}', b'a'),
    ('\u{435}', b'e'),
    ('\u{43e}', b'o'),
    ('\u{440}', b'p'),
    ('\u{441}', b'c'),
    ('\u{443}', b'y'),
    ('\u{445}', b'x'),
    ('\u{455}', b's'),
    ('\u{456}', b'i'),
    ('\u{458}', b'j'),
    ('\u{4bb}', b'h'),
    ('\u{501}', b'd'),
    ('\u{51b}', b'q'),
    ('\u{410}', b'A'),
    ('\u{412}', b'B'),
    ('\u{415}', b'E'),
    ('\u{41a}', b'K'),
    ('\u{41c}', b'M'),
    ('\u{41d}', b'H'),
    ('\u{41e}', b'O'),
    ('\u{420}', b'P'),
    ('\u{421}', b'C'),
    ('\u{422}', b'T'),
    ('\u{425}', b'X'),
    ('\u{405}', b'S'),
    ('\u{406}', b'I'),
    ('\u{408}', b'J'),
    ('\u{391}', b'A'),
    ('\u{392}', b'B'),
    ('\u{395}', b'E'),
    ('\u{396}', b'Z'),
    ('\u{397}', b'H'),
    ('\u{399}', b'I'),
    ('\u{39a}', b'K'),
    ('\u{39c}', b'M'),
    ('\u{39d}', b'N'),
    ('\u{39f}', b'O'),
    ('\u{3a1}', b'P'),
    ('\u{3a4}', b'T'),
    ('\u{3a7}', b'X'),
    ('\u{3bf}', b'o'),
    ('\u{3c1}', b'p'),
    ('\u{3bd}', b'v'),
];

/// The letter of ASCII that the one here looks like, and whether one of ASCII stands beside it.
fn alike(text: &[u8], at: usize) -> Option<(u8, bool)> {
    let letter = std::str::from_utf8(text.get(at..at + 2)?).ok()?.chars().next()?;
    let (_, plain) = ALIKE.iter().find(|(known, _)| *known == letter)?;
    let mark = |at: usize| text.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    Some((*plain, mark(at + 2) || at.checked_sub(1).is_some_and(mark)))
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

    fn plenty() -> Work {
        Work::new(u64::MAX, 0)
    }

    fn all(text: &str) -> Vec<(String, &'static str)> {
        let mut words = Vec::new();
        find(text.as_bytes(), &plenty(), |plain| {
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
            (r"g\\\\\\\u0068p_x", "ghp_x", "escape"),
            ("gh\u{200b}p_x", "ghp_x", "zero_width"),
            ("gh\u{ad}p_x", "ghp_x", "zero_width"),
            ("\u{ff47}hp_x", "ghp_x", "wide"),
            ("gh\u{440}_x", "ghp_x", "alike"),
            ("\u{3a4}OKEN", "TOKEN", "alike"),
            ("g&#104;&#x70;_x", "ghp_x", "html"),
            ("ghp=5F=78", "ghp_x", "quoted"),
            ("gh=\r\np_x", "ghp_x", "quoted"),
        ] {
            let found = all(text);
            assert_eq!(found.len(), 1, "{text} {found:?}");
            assert!(
                found[0].0.trim_matches('\\') == plain.trim_matches('\\') && found[0].1 == name,
                "{text} {found:?}"
            );
        }
        assert_eq!(all(r#"\u0061\":\"b"#), [(r#"a":"b"#.to_owned(), "escape")]);
        assert!(all("\u{43f}\u{440}\u{438}\u{432}\u{435}\u{442} a=41&b=42 x =\n y").is_empty());
        assert!(all("100% sure \\\"  \\n \u{2014} caf\u{e9} %zz").is_empty());
    }

    #[test]
    fn a_word_without_an_end_is_read_once() {
        for letters in
            ["\u{ff47}", "\u{ff47}%41", "a\u{440}", "&#103;", "=41", "a=\n", "\u{200b}", "\u{ff47}="]
        {
            let text = letters.repeat((1 << 20) / letters.len());
            let mut bytes = 0;
            find(text.as_bytes(), &plenty(), |plain| bytes += plain.bytes.len());
            assert!(bytes <= 2 * text.len(), "{letters}");
        }
    }

    #[test]
    fn a_place_in_the_plain_word_leads_back_to_its_escape() {
        let mut places = Vec::new();
        find(b"x=%67hp%5fabc", &plenty(), |plain| {
            places.push((plain.map.outer(2, 6), plain.map.outer(2, 9)))
        });
        assert_eq!(places, [((2, 10), (2, 13))]);
    }
}
