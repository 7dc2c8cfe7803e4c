//! Which bytes belong together: tables of one bit for each sort of byte.

pub(super) const LOWER: u8 = 1;
pub(super) const UPPER: u8 = 2;
pub(super) const DIGIT: u8 = 4;
/// `+` and `/`.
pub(super) const STANDARD: u8 = 8;
/// `-` and `_`.
pub(super) const URL: u8 = 16;
/// What ends a value that stands without quotes: white space, quotes and `,;)<>|&{}`.
pub(super) const END: u8 = 128;
/// `a` to `f`, of both cases, and digits.
pub(super) const HEX: u8 = 32;
/// What else a word in a URL or an escaped string is made of: `% \ . ~ = & @ : ; ? # ! $ *` and bytes from 0x80 on.
pub(super) const OTHER: u8 = 64;

pub(super) const ALNUM: u8 = LOWER | UPPER | DIGIT;
pub(super) const BASE64: u8 = ALNUM | STANDARD | URL;
/// Bytes that one encoded word is made of.
pub(super) const WORD: u8 = BASE64 | OTHER;

static SORTS: [u8; 256] = sorts();

const fn sorts() -> [u8; 256] {
    let mut table = [0u8; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::indexing_slicing, reason = "below 256; `get` is not for constants")]
        let place = &mut table[byte];
        *place = match byte as u8 {
            b'a'..=b'f' => LOWER | HEX,
            b'g'..=b'z' => LOWER,
            b'A'..=b'F' => UPPER | HEX,
            b'G'..=b'Z' => UPPER,
            b'0'..=b'9' => DIGIT | HEX,
            b'+' | b'/' => STANDARD,
            b'-' | b'_' => URL,
            b'%' | b'\\' | b'.' | b'~' | b'=' | b'@' | b':' | b'?' | b'#' | b'!' | b'$' | b'*' | 0x80.. => {
                OTHER
            }
            b'&' => OTHER | END,
            // As `u8::is_ascii_whitespace`.
            b' ' | b'\t' | b'\n' | b'\r' | 0x0c => END,
            b'"' | b'\'' | b'`' | b',' | b';' | b')' | b'<' | b'>' | b'|' | b'{' | b'}' => END,
            _ => 0,
        };
        byte += 1;
    }
    table
}

/// The sorts of a byte.
pub(super) fn sort(byte: u8) -> u8 {
    SORTS.get(usize::from(byte)).copied().unwrap_or(0)
}

pub(super) fn is(byte: u8, sorts: u8) -> bool {
    sort(byte) & sorts != 0
}

/// Says whether the byte at a place is a letter, a digit or `_`; there is none outside.
pub(super) fn is_word_at(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// From here on, how many bytes are of these sorts.
pub(super) fn run(text: &[u8], from: usize, sorts: u8) -> usize {
    text.get(from..).unwrap_or_default().iter().take_while(|byte| is(**byte, sorts)).count()
}

/// From here on, how many bytes are of these sorts, and at most so many.
pub(super) fn run_most(text: &[u8], from: usize, sorts: u8, most: usize) -> usize {
    text.get(from..).unwrap_or_default().iter().take(most).take_while(|byte| is(**byte, sorts)).count()
}

/// Before here, how many bytes are of these sorts, and at most so many.
pub(super) fn run_before(text: &[u8], at: usize, sorts: u8, most: usize) -> usize {
    text.get(..at).unwrap_or_default().iter().rev().take(most).take_while(|byte| is(**byte, sorts)).count()
}

/// The share of bytes that a text is made of: printable ASCII, white space, and whole characters of UTF-8.
pub(super) fn text_share(bytes: &[u8]) -> f32 {
    let mut good = 0usize;
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().bytes().filter(|byte| matches!(byte, 9 | 10 | 13 | 32..=126 | 0x80..)).count();
    }
    good as f32 / bytes.len().max(1) as f32
}

/// Bits of entropy a byte, of the bytes themselves.
pub(super) fn entropy(bytes: &[u8]) -> f32 {
    let mut counts = [0u32; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let all = bytes.len().max(1) as f32;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| *count as f32 / all)
        .map(|share| -share * share.log2())
        .sum()
}
