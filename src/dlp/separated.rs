//! Bytes written one by one: `67 68 70`, `67:68:70`, `0x67, 0x68`, `[103, 104, 112]`.
//!
//! A run has enough bytes that a look at every sixteenth place meets it, and each run is read once.

use super::carve::{Decoded, is_sound};
use super::map::Map;
use super::work::{self, Work};

/// Bytes of the shortest run.
const SHORTEST: usize = 12;
/// Bytes that a look must read before the run is read as a whole.
const LOOK: usize = 5;
/// Between two looks; a run of the shortest has at least 23 bytes.
const STEP: usize = 10;
/// How far a run goes to the left of a look.
const LEFT: usize = 64 << 10;

/// How each byte is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Two digits of hex.
    Hex,
    /// The same behind `0x`.
    Marked,
    /// One to three digits of ten.
    Decimal,
}

/// Calls back with what each run says, where that is text or something packed.
pub(super) fn find(text: &[u8], work: &Work, mut found: impl FnMut(Decoded)) {
    let (mut at, mut done) = (0, 0);
    while let Some(window) = text.get(at..at + 12) {
        at += STEP;
        if !may_be_one(window) {
            continue;
        }
        let (style, read) = look(text, at - STEP);
        if !work.take(work::LOOK + work::READ * read) {
            return;
        }
        let Some(style) = style else { continue };
        let Some(run) = whole(text, at - STEP, done, style, work) else { continue };
        (done, at) = (run.end, run.end.max(at));
        if run.bytes.len() >= SHORTEST && is_sound(&run.bytes) {
            found(Decoded { bytes: run.bytes, map: Map::Whole(run.start, run.end), name: "separated" });
        }
    }
}

/// All of these bytes may stand in a run, and not all are space. Two of them say no for most text.
fn may_be_one(window: &[u8]) -> bool {
    let [first, _, _, _, _, _, _, middle, ..] = window else { return false };
    let stands = |byte: &u8| STANDS.get(usize::from(*byte)).copied().unwrap_or(0);
    if stands(first) & stands(middle) == 0 {
        return false;
    }
    let (all, any) =
        window.iter().fold((0xff, 0), |(all, any), byte| (all & stands(byte), any | stands(byte)));
    all != 0 && any & 2 != 0
}

/// What may stand in a run: 1, and 2 beside it for what is no space.
static STANDS: [u8; 256] = stands();

const fn stands() -> [u8; 256] {
    let mut table = [0u8; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::indexing_slicing, reason = "below 256; `get` is not for constants")]
        let place = &mut table[byte];
        *place = match byte as u8 {
            b' ' | b'\n' | b'\r' | b'\t' => 1,
            b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' | b',' | b':' | b'-' | b';' | b'x' | b'X' => 3,
            _ => 0,
        };
        byte += 1;
    }
    table
}

struct Run {
    start: usize,
    end: usize,
    bytes: Vec<u8>,
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

fn may_stand(byte: u8) -> bool {
    STANDS.get(usize::from(byte)).is_some_and(|stands| *stands != 0)
}

/// The style of a run at this place or a little behind it, and how many bytes were read for that.
fn look(text: &[u8], at: usize) -> (Option<Style>, usize) {
    let mut count = 0;
    for style in [Style::Marked, Style::Hex, Style::Decimal] {
        for start in at..at + 6 {
            let mut place = start;
            let read = (0..LOOK).all(|_| match one(text, place, style) {
                Some((_, next)) => {
                    place = next;
                    count += 1;
                    true
                }
                None => false,
            });
            if read {
                return (Some(style), count);
            }
        }
    }
    (None, count)
}

/// One byte with what separates it from the next, and where that is.
fn one(text: &[u8], at: usize, style: Style) -> Option<(u8, usize)> {
    let (value, end) = value(text, at, style)?;
    let mut next = end;
    next += usize::from(text.get(next).is_some_and(|byte| matches!(byte, b',' | b':' | b'-' | b';')));
    let most = if next == end { 1 } else { 24 };
    next += text.get(next..)?.iter().take(most).take_while(|byte| is_space(**byte)).count();
    (next > end).then_some((value, next))
}

fn value(text: &[u8], at: usize, style: Style) -> Option<(u8, usize)> {
    let rest = text.get(at..)?;
    let digit = |place: usize, base| rest.get(place).and_then(|byte| char::from(*byte).to_digit(base));
    let hex = |from: usize| {
        let byte = digit(from, 16)? << 4 | digit(from + 1, 16)?;
        let over = rest.get(from + 2).is_some_and(u8::is_ascii_alphanumeric);
        u8::try_from(byte).ok().filter(|_| !over).map(|byte| (byte, at + from + 2))
    };
    match style {
        Style::Hex => hex(0),
        Style::Marked if matches!(rest, [b'0', b'x' | b'X', ..]) => hex(2),
        Style::Marked => None,
        Style::Decimal => {
            let count = rest.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
            let number = (0..count).try_fold(0u32, |number, place| Some(number * 10 + digit(place, 10)?))?;
            let over = rest.get(count).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'.');
            let fits = (1..=3).contains(&count) && !over;
            u8::try_from(number).ok().filter(|_| fits).map(|byte| (byte, at + count))
        }
    }
}

/// The run around a place, read from its start; what breaks it ends one and starts another.
fn whole(text: &[u8], at: usize, floor: usize, style: Style, work: &Work) -> Option<Run> {
    let before = text.get(floor..at)?.iter().rev().take(LEFT).take_while(|byte| may_stand(**byte)).count();
    // It goes back as far as it may each time that nothing comes of it.
    if !work.take(4 * before) {
        return None;
    }
    let mut start = at - before;
    // A word that ends in such letters is no number.
    while start > floor && text.get(start - 1).is_some_and(u8::is_ascii_alphanumeric) {
        start += 1 + text.get(start..)?.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    }
    while start <= at + 6 {
        let mut run = Run { start, end: start, bytes: Vec::new() };
        let mut place = start;
        while let Some((byte, next)) = one(text, place, style) {
            run.bytes.push(byte);
            (run.end, place) = (next, next);
        }
        if let Some((byte, end)) = value(text, place, style) {
            run.bytes.push(byte);
            run.end = end;
        }
        if !work.take(work::READ * run.bytes.len()) {
            return None;
        }
        if run.bytes.len() >= LOOK && run.end > at {
            return Some(run);
        }
        let skipped = text.get(start..)?.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        start = run.end.max(start + skipped.max(1));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<String> {
        let mut all = Vec::new();
        find(text.as_bytes(), &Work::new(u64::MAX, 0), |one| {
            all.push(String::from_utf8_lossy(&one.bytes).into_owned())
        });
        all
    }

    #[test]
    fn each_way_to_write_bytes_is_read() {
        let plain = "ghp_and a little more of it";
        let joined =
            |between: &str, one: fn(u8) -> String| plain.bytes().map(one).collect::<Vec<_>>().join(between);
        let hex = |byte| format!("{byte:02x}");
        for text in [
            joined(" ", hex),
            joined(":", hex),
            joined("-", |byte| format!("{byte:02X}")),
            joined(", ", |byte| format!("0x{byte:02x}")),
            joined(",", |byte| byte.to_string()),
            joined(",\n    ", |byte| byte.to_string()),
        ] {
            for around in ["{}", "data = [{}]", "a fed b {} end", "{\"d\":[{}]}", "xx: {};"] {
                let text = around.replace("{}", &text);
                assert!(all(&text).iter().any(|one| one.ends_with(&plain[1..])), "{text} {:?}", all(&text));
            }
        }
    }

    #[test]
    fn tables_of_numbers_and_prose_are_none() {
        for text in [
            "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20",
            "12:34:56 01:02:03 2024-01-02 11:12:13",
            "be ad a fee or a bee, a cab, a dad and an added facade",
            "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00",
        ] {
            assert_eq!(all(text), Vec::<String>::new(), "{text}");
        }
    }
}
