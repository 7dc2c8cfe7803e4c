//! What stands around a value, and what shows that it is none: placeholders, templates, sums in lock files.
//!
//! Never says that something is a secret, only that it is none, or that words near it speak for it.

use super::letters::{is_word_at, run_before};
use aho_corasick::AhoCorasick;
use std::sync::LazyLock;

/// Parts of values that people write where a secret would stand.
const PLACEHOLDERS: [&str; 38] = [
    "example",
    "changeme",
    "change_me",
    "change-me",
    "placeholder",
    "your_",
    "your-",
    "yourpass",
    "yourkey",
    "yoursecret",
    "yourtoken",
    "xxxx",
    "redacted",
    "****",
    "....",
    "dummy",
    "fake",
    "sample",
    "insert",
    "replace",
    "todo",
    "notreal",
    "not_a_",
    "not-a-",
    "foobar",
    "lorem",
    "<your",
    "my_secret",
    "mysecret",
    "my-secret",
    "secret_key_here",
    "_here",
    "-here",
    "abcdefgh",
    "deadbeef",
    "01234567",
    "12345678",
    "undefined",
];

/// Words right before a value that make it a sum of something public.
const SUMS: [&str; 24] = [
    "sha512-",
    "sha384-",
    "sha256-",
    "sha1-",
    "sha512:",
    "sha256:",
    "sha1:",
    "md5:",
    "h1:",
    "integrity",
    "checksum",
    "digest",
    "shasum",
    "sha256",
    "sha512",
    "sha1",
    "md5",
    "commit",
    "revision",
    "etag",
    "ssh-rsa ",
    "ssh-ed25519 ",
    "fingerprint",
    "resolved",
];

/// Words that are looked for all at once, small or large letters. `None` never comes about: the words are few.
type Words = LazyLock<Option<AhoCorasick>>;

static PLACEHOLDER_WORDS: Words = LazyLock::new(|| all(&PLACEHOLDERS));
static SUM_WORDS: Words = LazyLock::new(|| all(&SUMS));

fn all(words: &[&str]) -> Option<AhoCorasick> {
    AhoCorasick::builder().ascii_case_insensitive(true).build(words).ok()
}

fn has_any(text: &[u8], words: &Words) -> bool {
    words.as_ref().is_some_and(|words| words.is_match(text))
}

/// Says whether a value is one that people write in examples, or a piece of a template.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    let sign = |two: &[u8; 2]| matches!(two, b"${" | b"{{" | b"#{" | b"%s");
    let template = matches!(value, [b'$', b'(', ..] | [b'<', ..] | [b'%', b'(' | b'{', ..])
        || value.array_windows().any(sign)
        || matches!(
            value,
            [b'{', .., b'}'] | [b'[', .., b']'] | [b'%', .., b'%'] | [b'_', b'_', .., b'_', b'_']
        );
    template || has_any(value, &PLACEHOLDER_WORDS) || is_one_letter(value)
}

/// Most of it is one letter, or two.
fn is_one_letter(value: &[u8]) -> bool {
    let repeated = value.windows(2).filter(|pair| pair.first() == pair.last()).count();
    value.len() >= 6 && repeated * 10 >= value.len() * 7
}

/// Says whether the value at a place is the sum of a file or another public thing, as lock files hold them.
pub(super) fn is_sum(text: &[u8], start: usize) -> bool {
    has_any(run_to_line_start(text, start, 48), &SUM_WORDS)
}

/// The bytes before a place, of its line and at most so many.
pub(super) fn run_to_line_start(text: &[u8], at: usize, most: usize) -> &[u8] {
    let before = text.get(at.saturating_sub(most)..at).unwrap_or_default();
    before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default()
}

/// Bytes before a place in which words are near, and behind it.
const BEFORE: usize = 64;
const BEHIND: usize = 32;

/// What stands near a place, in small letters.
pub(super) struct Near {
    text: [u8; BEFORE + 1 + BEHIND],
    length: usize,
    /// Where words begin: at a letter behind none.
    begins: [u8; 64],
    count: usize,
}

impl Near {
    /// Around a value.
    pub(super) fn of(text: &[u8], start: usize, end: usize) -> Self {
        let before = text.get(start.saturating_sub(BEFORE)..start).unwrap_or_default();
        let behind = text.get(end..(end + BEHIND).min(text.len())).unwrap_or_default();
        let length = before.len() + 1 + behind.len();
        let mut near = Self { text: [0; BEFORE + 1 + BEHIND], length, begins: [0; 64], count: 0 };
        let all = before.iter().chain(b"\n").chain(behind);
        let mut joined = false;
        for ((at, byte), place) in (0u8..).zip(all).zip(&mut near.text) {
            *place = byte.to_ascii_lowercase();
            let letter = byte.is_ascii_alphabetic();
            if letter
                && !joined
                && let Some(begin) = near.begins.get_mut(near.count)
            {
                *begin = at;
                near.count += 1;
            }
            joined = letter;
        }
        near
    }

    /// Says whether one of the words stands there, not as the part of a longer one to its left; `_` and `-` may join it.
    /// A short one must end there too. Words are in small letters, and begin with one of ASCII.
    pub(super) fn has(&self, words: &[&str]) -> bool {
        let text = self.text.get(..self.length).unwrap_or_default();
        let begin = self.begins.get(..self.count).unwrap_or_default();
        begin.iter().any(|at| {
            let rest = text.get(usize::from(*at)..).unwrap_or_default();
            words
                .iter()
                .any(|word| rest.first() == word.as_bytes().first() && begins_with(rest, word.as_bytes()))
        })
    }
}

fn begins_with(text: &[u8], word: &[u8]) -> bool {
    let short = word.len() <= 3 && text.get(word.len()).is_some_and(u8::is_ascii_alphabetic);
    text.starts_with(word) && !short
}

/// Says whether one of the words stands near a place: in so many bytes before it, or half as many behind.
pub(super) fn is_near(text: &[u8], start: usize, end: usize, words: &[&str]) -> bool {
    Near::of(text, start, end).has(words)
}

/// Says whether a value stands alone: no letter or digit before and behind it.
pub(super) fn stands_alone(text: &[u8], start: usize, end: usize) -> bool {
    let before = start.checked_sub(1).is_some_and(|at| is_word_at(text, at));
    !is_escape_letter(text, start) && !before && !is_word_at(text, end)
        || is_escape_letter(text, start) && !is_word_at(text, end)
}

/// The letter before a place is the end of `\n`, `\t`, `\r` or of `%0A` and the like: it belongs to an escape.
fn is_escape_letter(text: &[u8], start: usize) -> bool {
    let before = text.get(start.saturating_sub(3)..start).unwrap_or_default();
    matches!(before, [.., b'\\', b'n' | b't' | b'r'] | [b'%', b'0'..=b'9', b'0'..=b'9' | b'A'..=b'F' | b'a'..=b'f'])
}

pub(super) fn contains(text: &[u8], word: &[u8]) -> bool {
    memchr::memmem::find(text, word).is_some()
}

/// The bytes before a value that a classifier looks at.
pub(super) fn before(text: &[u8], start: usize) -> &[u8] {
    text.get(start.saturating_sub(64)..start).unwrap_or_default()
}

/// How far a name goes to the left.
pub(super) fn name_start(text: &[u8], at: usize) -> usize {
    at - run_before(text, at, super::letters::ALNUM | super::letters::URL, 40)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_templates_and_sums_are_known() {
        for value in [
            "your_api_key",
            "${TOKEN}",
            "{{ token }}",
            "AKIAIOSFODNN7EXAMPLE",
            "xxxxxxxxxxxx",
            "<token>",
            "aaaaaaaaaa",
        ] {
            assert!(is_placeholder(value.as_bytes()), "{value}");
        }
        for value in ["k3J9dLq02mXz", "correct horse battery", "S3cr3t!pass"] {
            assert!(!is_placeholder(value.as_bytes()), "{value}");
        }
        let line = b"integrity: sha512-abcdef";
        assert!(is_sum(line, 18) && !is_sum(b"token = abcdef", 8));
    }

    #[test]
    fn a_word_near_is_found_and_a_part_of_another_is_not() {
        assert!(is_near(b"my NHS number 943", 14, 17, &["nhs"]));
        assert!(is_near(b"user_ssn: 536", 10, 13, &["ssn"]));
        assert!(!is_near(b"classname 536", 10, 13, &["ssn"]) && !is_near(b"pinching 1", 9, 10, &["pin"]));
    }
}
