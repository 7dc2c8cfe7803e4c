//! A name, a separator, a value: `password = "…"`, `"token": "…"`, `--api-key …`, `<secret>…</secret>`.
//!
//! Written by hand: an expression for the same takes most of the time of all rules together.

use super::context::name_start;
use super::letters::{ALNUM, END, URL, is, run_most};

/// The most bytes of a value.
const VALUE_BYTES: usize = 256;
/// Ends of names that hold no secret, though they start with a word for one.
const NO_SECRET: [&str; 41] = [
    "file",
    "path",
    "dir",
    "url",
    "uri",
    "name",
    "type",
    "length",
    "len",
    "size",
    "min",
    "max",
    "policy",
    "field",
    "label",
    "count",
    "id",
    "ids",
    "expiry",
    "expires",
    "ttl",
    "hint",
    "regex",
    "pattern",
    "prompt",
    "placeholder",
    "error",
    "required",
    "enabled",
    "class",
    "format",
    "manager",
    "provider",
    "service",
    "store",
    "arn",
    "version",
    "hash",
    "public",
    "index",
    "kind",
];

/// A value, and how it stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    /// Where the name starts.
    pub(super) name: usize,
    pub(super) start: usize,
    pub(super) end: usize,
    /// It stands between quotes, or between tags.
    pub(super) quoted: bool,
    /// Only white space separates the two.
    pub(super) loose: bool,
}

/// The value behind the name that has a word in it.
pub(super) fn value_behind(text: &[u8], word_start: usize, word_end: usize) -> Option<Pair> {
    let name = name_start(text, word_start);
    let name_end = word_end + run_most(text, word_end, ALNUM | URL, 40);
    if is_no_secret(text.get(word_end..name_end)?) {
        return None;
    }
    let behind = skip_quote(text, name_end);
    let (value, loose) = behind_separator(text, name, behind, behind > name_end)?;
    let mut pair = value_at(text, value)?;
    pair.name = name;
    pair.loose = loose;
    Some(pair)
}

/// The value behind a word: as [`value_behind`], or behind the next separator of its line.
pub(super) fn value_near(text: &[u8], word_start: usize, word_end: usize) -> Option<Pair> {
    if let Some(pair) = value_behind(text, word_start, word_end) {
        return Some(pair);
    }
    let ahead = text.get(word_end..(word_end + 48).min(text.len()))?;
    let stop = ahead.iter().position(|byte| matches!(byte, b'=' | b':' | b'\n'))?;
    let sign = word_end + stop;
    if text.get(sign) == Some(&b'\n') || text.get(sign + 1) == Some(&b':') {
        return None;
    }
    value_at(text, skip_space(text, sign + 1, 24))
}

/// The last part of a name says that it is about a secret and not one.
fn is_no_secret(tail: &[u8]) -> bool {
    let boundary = tail.iter().rposition(|byte| !byte.is_ascii_alphanumeric()).map(|at| at + 1);
    let capital = tail.iter().rposition(u8::is_ascii_uppercase);
    let all_capital = !tail.iter().any(u8::is_ascii_lowercase);
    let from = if all_capital { boundary } else { boundary.max(capital) }.unwrap_or(0);
    let last = tail.get(from..).unwrap_or_default();
    NO_SECRET.iter().any(|word| last.eq_ignore_ascii_case(word.as_bytes()))
}

/// Behind a quote that ends the name, also an escaped one, and behind a bracket.
fn skip_quote(text: &[u8], at: usize) -> usize {
    match text.get(at..).unwrap_or_default() {
        [b'\\', b'"' | b'\'', ..] => at + 2,
        [b'"' | b'\'', b']', ..] => at + 2,
        [b'"' | b'\'' | b'`', ..] => at + 1,
        _ => at,
    }
}

fn skip_space(text: &[u8], at: usize, most: usize) -> usize {
    let space = |byte: &&u8| matches!(**byte, b' ' | b'\t');
    at + text.get(at..).unwrap_or_default().iter().take(most).take_while(space).count()
}

/// Where the value may start, and whether only space came before it.
fn behind_separator(text: &[u8], name: usize, at: usize, quoted_name: bool) -> Option<(usize, bool)> {
    let sign = skip_space(text, at, 24);
    let rest = text.get(sign..)?;
    let behind = match rest {
        [b':', b':', ..] => return None,
        [b'=' | b':' | b'!', b'=', b'=', ..] => sign + 3,
        [b'=', b'>' | b'=' | b'~', ..] | [b':' | b'?' | b'|', b'=', ..] | [b'-', b'>', ..] => sign + 2,
        [b':', ..] => behind_type(text, sign + 1),
        [b'=' | b'>' | b'(', ..] => sign + 1,
        [b',', ..] if quoted_name => sign + 1,
        [b'i', b's', b' ', ..] if sign > at => sign + 3,
        _ if sign > at && !quoted_name && is_flag_or_line(text, name) => return Some((sign, true)),
        _ => return None,
    };
    Some((skip_space(text, behind, 24), false))
}

/// `name: Type = value`: behind the `=`, if there is one before the line, the string or the list goes on.
fn behind_type(text: &[u8], at: usize) -> usize {
    let ahead = text.get(at..(at + 40).min(text.len())).unwrap_or_default();
    let stop =
        ahead.iter().position(|byte| matches!(byte, b'=' | b'"' | b'\'' | b'\n' | b',' | b';' | b'{' | b'}'));
    match stop {
        Some(sign) if ahead.get(sign) == Some(&b'=') && ahead.get(sign + 1) == Some(&b' ') && sign > 1 => {
            at + sign + 1
        }
        _ => at,
    }
}

/// `--password x`, or a line that starts with the name, as in .netrc.
fn is_flag_or_line(text: &[u8], name: usize) -> bool {
    let before = text.get(..name).unwrap_or_default();
    text.get(name) == Some(&b'-') || matches!(before, [.., b'\n' | b' ' | b'\t'] | [])
}

fn value_at(text: &[u8], at: usize) -> Option<Pair> {
    let mut start = at;
    // Letters that tell how a string is written: b"…", r'…', f"…", @"…".
    let rest = text.get(at..)?;
    if let [b'b' | b'r' | b'u' | b'f' | b'B' | b'R' | b'U' | b'F' | b'@' | b'L', b'"' | b'\'', ..] = rest {
        start += 1;
    }
    let rest = text.get(start..)?;
    let (quote, opening) = match rest {
        [b'"', b'"', b'"', ..] => (b'"', 3),
        [b'\\', quote @ (b'"' | b'\''), ..] => (*quote, 2),
        [quote @ (b'"' | b'\'' | b'`'), ..] => (*quote, 1),
        [b'&', b'q', b'u', b'o', b't', b';', ..] => (b'&', 6),
        _ => (0, 0),
    };
    start = behind_scheme(text, start + opening);
    let rest = text.get(start..)?;
    let rest = rest.get(..rest.len().min(VALUE_BYTES + 1))?;
    let end = match quote {
        0 => rest.iter().position(|byte| is(*byte, END)),
        quote => memchr::memchr3(quote, b'\n', b'\r', rest),
    };
    let mut length = end.unwrap_or(rest.len());
    if length > VALUE_BYTES {
        return None;
    }
    let closed = quote != 0 && rest.get(length) == Some(&quote);
    if quote != 0 && !closed {
        return None;
    }
    if opening == 2 && rest.get(..length)?.ends_with(b"\\") {
        length -= 1;
    }
    let tag = quote == 0
        && at.checked_sub(1).and_then(|at| text.get(at)) == Some(&b'>')
        && rest.get(length) == Some(&b'<');
    if quote == 0 {
        // The end of a sentence, and brackets of what is around it.
        let value = rest.get(..length)?;
        length -= value.iter().rev().take_while(|byte| matches!(byte, b'.' | b']' | b'\\' | b':')).count();
    }
    (length > 0).then_some(Pair {
        name: 0,
        start,
        end: start + length,
        quoted: quote != 0 || tag,
        loose: false,
    })
}

/// Behind `Bearer` and the like.
fn behind_scheme(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    for scheme in ["bearer ", "basic ", "token ", "apikey ", "key ", "splunk "] {
        if rest.get(..scheme.len()).is_some_and(|there| there.eq_ignore_ascii_case(scheme.as_bytes())) {
            return at + scheme.len();
        }
    }
    at
}

/// Says whether a value without quotes is a piece of a program and not a value: a call, a path of names, a word.
pub(super) fn is_code(text: &[u8], pair: &Pair) -> bool {
    let value = text.get(pair.start..pair.end).unwrap_or_default();
    let behind = text.get(pair.end).copied().unwrap_or(b' ');
    let name = value
        .iter()
        .all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'.' | b':' | b'-' | b'/'));
    let starts = value.first().is_some_and(|byte| b"&*$(@[!/".contains(byte));
    let call = value.iter().any(|byte| matches!(byte, b'(' | b'[' | b'{')) || matches!(behind, b'(' | b'{');
    !pair.quoted && (name || starts || call) || value.windows(2).any(|two| two == b"::" || two == b"->")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, word: &str) -> Option<String> {
        let start = text.find(word)?;
        let pair = value_behind(text.as_bytes(), start, start + word.len())?;
        Some(text[pair.start..pair.end].to_owned())
    }

    #[test]
    fn a_value_is_found_however_it_is_written() {
        for text in [
            "password = \"s3cr3t\"",
            "password: s3cr3t",
            "\"password\": \"s3cr3t\"",
            "{\\\"password\\\":\\\"s3cr3t\\\"}",
            "db_password='s3cr3t'",
            "PASSWORD=s3cr3t",
            "password := `s3cr3t`",
            "set_password(\"s3cr3t\")",
            "<password>s3cr3t</password>",
            "curl --password s3cr3t",
            "let password: &str = \"s3cr3t\";",
            "password is s3cr3t.",
            "config[\"password\"] = \"s3cr3t\"",
            "?password=s3cr3t&x=1",
            "password => b's3cr3t'",
            "password=Bearer s3cr3t",
            "('password', 's3cr3t')",
        ] {
            let word = if text.contains("PASS") { "PASSWORD" } else { "password" };
            assert_eq!(value(text, word).as_deref(), Some("s3cr3t"), "{text}");
        }
    }

    #[test]
    fn a_name_about_a_secret_and_a_path_have_no_value() {
        for text in [
            "password_file = \"/etc/x\"",
            "passwordLength: 12",
            "password::new(\"x\")",
            "password",
            "password = \"open",
            "PASSWORD_MIN=8",
        ] {
            let word = if text.contains("PASS") { "PASSWORD" } else { "password" };
            assert_eq!(value(text, word), None, "{text}");
        }
    }
}
