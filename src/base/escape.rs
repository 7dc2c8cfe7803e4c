//! Escaping: bytes that an agent, a file or a stranger chose, made fit for a terminal and a log line.

/// The text with everything replaced that a terminal obeys or a reader cannot see: controls, bidirectional and
/// zero-width characters, line separators, and bytes that are no UTF-8 (as `\xNN`). Spaces and other letters stay.
pub fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\\' => out.push_str("\\\\"),
                letter if hidden(letter) => out.extend(letter.escape_default()),
                letter => out.push(letter),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

/// Controls, format characters (bidi, joiners, byte order mark), separators, tags and private use.
fn hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{00AD}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{180E}' | '\u{200B}'..='\u{200F}'
            | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
            | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{E000}'..='\u{F8FF}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_sequence_does_not_survive() {
        assert_eq!(escape(b"a\x1b]52;c;AA\x07b"), "a\\u{1b}]52;c;AA\\u{7}b");
    }

    #[test]
    fn text_cannot_run_backwards() {
        assert_eq!(escape("exe\u{202E}txt".as_bytes()), "exe\\u{202e}txt");
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_bytes() {
        assert_eq!(escape(b"\xff ok"), "\\xff ok");
    }

    #[test]
    fn plain_words_stay_as_they_are() {
        assert_eq!(escape("Übung 日本".as_bytes()), "Übung 日本");
    }
}
