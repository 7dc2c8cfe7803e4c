//! Shows bytes that someone else wrote: what a terminal would obey, hide or reorder appears as an escape.

/// Text for a terminal or a log: printable characters as they are, every other one as `\u{…}`, bytes that are no
/// UTF-8 as `\x…`, tab, carriage return and newline as `\t`, `\r`, `\n`, a backslash doubled. The result is one line,
/// and the bytes can be had back from it.
pub fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            push_letter(&mut out, letter);
        }
        for byte in chunk.invalid() {
            push_byte(&mut out, *byte);
        }
    }
    out
}

fn push_letter(out: &mut String, letter: char) {
    match letter {
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\0'..='\x7f' if letter.is_control() => push_byte(out, u8::try_from(letter).unwrap_or(b'?')),
        _ if misleads(letter) => out.extend(letter.escape_unicode()),
        _ => out.push(letter),
    }
}

fn push_byte(out: &mut String, byte: u8) {
    let digits = b"0123456789abcdef";
    for part in [b'\\', b'x', hex(digits, byte >> 4), hex(digits, byte & 15)] {
        out.push(char::from(part));
    }
}

fn hex(digits: &[u8; 16], value: u8) -> u8 {
    digits.get(usize::from(value)).copied().unwrap_or(b'?')
}

/// Says whether a character is better not printed: controls, characters that reorder text (bidi), that have no
/// width, that are no character at all, or that look like a space and are none.
pub fn misleads(letter: char) -> bool {
    if matches!(letter, ' '..='~') {
        return false;
    }
    if is_blank_letter(letter) {
        return true;
    }
    // The standard library escapes what Unicode calls control, format, separator, private or unassigned. It also
    // escapes a combining mark that stands first; behind a letter it is ordinary writing, so put one there.
    let mut text = String::from("x");
    text.push(letter);
    text.escape_debug().nth(1) != Some(letter)
}

/// Letters and marks that show nothing: fillers and variation selectors. They can carry hidden text.
fn is_blank_letter(letter: char) -> bool {
    matches!(
        letter,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}'
    )
}

/// Lets `write!` show text of others inside a longer line.
pub struct Escaped<'a>(pub &'a [u8]);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&escape(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_writing_stays_as_it_is() {
        for text in [
            "plain text",
            "na\u{ef}ve caf\u{e9}",
            "e\u{301}",
            "\u{43f}\u{440}\u{438}",
            "\u{4f60}\u{597d}",
            "it's \"so\"",
        ] {
            assert_eq!(escape(text.as_bytes()), text);
        }
    }

    #[test]
    fn a_terminal_sequence_and_a_newline_are_shown_and_not_sent() {
        assert_eq!(escape(b"\x1b]52;c;aGk=\x07\n\r\t\x7f"), "\\x1b]52;c;aGk=\\x07\\n\\r\\t\\x7f");
        assert_eq!(escape("\u{9b}31m".as_bytes()), "\\u{9b}31m");
    }

    #[test]
    fn what_reorders_or_hides_text_is_shown() {
        for hidden in [
            '\u{202e}',
            '\u{2066}',
            '\u{200b}',
            '\u{feff}',
            '\u{2028}',
            '\u{ad}',
            '\u{e0041}',
            '\u{fe0f}',
            '\u{3164}',
        ] {
            let shown = escape(hidden.to_string().as_bytes());
            assert_eq!(shown, hidden.escape_unicode().to_string());
        }
    }

    #[test]
    fn bytes_that_are_no_utf8_and_backslashes_can_be_had_back() {
        assert_eq!(escape(b"a\xff\\xff"), "a\\xff\\\\xff");
    }
}
