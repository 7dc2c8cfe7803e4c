//! JSON that a terminal can show: what would mislead a reader is written as `\uXXXX`, which is the same string to every
//! parser.
//!
//! Pure: never prints, and never changes what a value says.

use super::AuditError;
use crate::base::misleads;
use serde::Serialize;
use std::io;

pub(super) fn write_json(value: &impl Serialize, to: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    value.serialize(&mut serde_json::Serializer::with_formatter(to, Harmless))
}

/// One line of JSON that a terminal can show: what would mislead a reader is written as `\uXXXX`.
/// # Errors
/// When the value has no form in JSON.
pub fn json(value: &impl Serialize) -> Result<String, AuditError> {
    let mut bytes = Vec::new();
    write_json(value, &mut bytes).map_err(|error| AuditError::Encode { why: error.to_string() })?;
    String::from_utf8(bytes).map_err(|error| AuditError::Encode { why: error.to_string() })
}

/// Writes JSON so.
pub(super) struct Harmless;

impl serde_json::ser::Formatter for Harmless {
    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, to: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.bytes().all(|byte| matches!(byte, 0x20..0x7f)) {
            return to.write_all(fragment.as_bytes());
        }
        let mut done = 0;
        for (at, letter) in fragment.char_indices().filter(|(_, letter)| misleads(*letter)) {
            to.write_all(fragment.get(done..at).unwrap_or_default().as_bytes())?;
            for unit in letter.encode_utf16(&mut [0; 2]) {
                write!(to, "\\u{unit:04x}")?;
            }
            done = at + letter.len_utf8();
        }
        to.write_all(fragment.get(done..).unwrap_or_default().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_text_is_one_printable_line_and_comes_back_exactly() {
        let text = "a\n\u{1b}]52;c;aGk=\u{7}\u{202e}\u{e0041}\u{9b}\u{200b}\"\\ caf\u{e9}";
        let shown = json(&text).unwrap();
        assert!(!shown.contains('\n') && !shown.chars().any(misleads), "{shown}");
        assert!(shown.contains("caf\u{e9}"));
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
    }
}
