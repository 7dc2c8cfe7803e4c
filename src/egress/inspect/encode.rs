//! A word as it stands in other texts: percent-encoded, in JSON, in base64 at any place, in hex.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// Shorter words are looked for as they are: their encoded cores are too short to mean anything.
const LEAST_ENCODED: usize = 8;

/// How a word is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is.
    Plain,
    /// With `%2F`.
    Percent,
    /// With `%2f`.
    PercentLower,
    /// With `\/`.
    Json,
    /// In base64, behind so many bytes of its group of three: what no neighbour has a share in.
    Base64 {
        /// 0, 1 or 2.
        shift: usize,
        /// With `-` and `_`.
        url: bool,
    },
    /// In hex.
    Hex {
        /// With capitals.
        upper: bool,
    },
}

const ALL: [Form; 12] = [
    Form::Plain,
    Form::Percent,
    Form::PercentLower,
    Form::Json,
    Form::Base64 { shift: 0, url: false },
    Form::Base64 { shift: 1, url: false },
    Form::Base64 { shift: 2, url: false },
    Form::Base64 { shift: 0, url: true },
    Form::Base64 { shift: 1, url: true },
    Form::Base64 { shift: 2, url: true },
    Form::Hex { upper: false },
    Form::Hex { upper: true },
];

/// The word in each form.
pub(super) fn forms(word: &[u8]) -> impl Iterator<Item = (Form, Zeroizing<Vec<u8>>)> {
    let some = if word.len() < LEAST_ENCODED { 1 } else { ALL.len() };
    ALL.into_iter().take(some).map(move |form| (form, write(word, form)))
}

/// The word in one form.
pub(super) fn write(word: &[u8], form: Form) -> Zeroizing<Vec<u8>> {
    let bytes = match form {
        Form::Plain => word.to_vec(),
        Form::Percent => percent(word),
        Form::PercentLower => lower_escapes(percent(word)),
        Form::Json => word.iter().flat_map(json).copied().collect(),
        Form::Base64 { shift, url } => core(word, shift, url),
        Form::Hex { upper: false } => {
            word.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
        }
        Form::Hex { upper: true } => {
            word.iter().flat_map(|byte| format!("{byte:02X}").into_bytes()).collect()
        }
    };
    Zeroizing::new(bytes)
}

/// Percent-encoded as in a query: letters, digits and `-._~` stay.
pub(super) fn percent(word: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    for byte in word {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(*byte),
            _ => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    out
}

fn lower_escapes(mut text: Vec<u8>) -> Vec<u8> {
    let mut left = 0;
    for byte in &mut text {
        left = if *byte == b'%' { 2 } else { i32::max(left - 1, -1) };
        if left >= 0 {
            byte.make_ascii_lowercase();
        }
    }
    text
}

fn json(byte: &u8) -> &[u8] {
    match byte {
        b'/' => b"\\/",
        b'"' => b"\\\"",
        b'\\' => b"\\\\",
        _ => std::slice::from_ref(byte),
    }
}

/// The letters that the word alone decides.
fn core(word: &[u8], shift: usize, url: bool) -> Vec<u8> {
    let engine = if url { BASE64_URL_SAFE_NO_PAD } else { BASE64_STANDARD_NO_PAD };
    let shifted = [b"xx".get(..shift).unwrap_or_default(), word].concat();
    let text = engine.encode(&shifted).into_bytes();
    // Letters that hold bits of what is before, and one that would hold bits of what is behind.
    let skip = [0, 2, 3].get(shift).copied().unwrap_or(0);
    let whole = shifted.len() * 8 / 6;
    text.get(skip..whole).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_one_length_have_forms_of_one_length_where_letters_need_no_escape() {
        for form in ALL {
            assert_eq!(write(b"abcdefghij", form).len(), write(b"0123456789", form).len(), "{form:?}");
        }
    }

    #[test]
    fn only_escapes_are_lowered() {
        assert_eq!(*write(b"A/B+C", Form::PercentLower), b"A%2fB%2bC");
        assert_eq!(*write(b"A/B+C", Form::Percent), b"A%2FB%2BC");
        assert_eq!(forms(b"short").count(), 1);
    }
}
