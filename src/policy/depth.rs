//! How deep a module is nested, looked at before it is parsed.
//!
//! The interpreter calls itself for each bracket, each sign and each link of a chain (`1 + 1 + …`, `a.b.c…`), partly
//! without a limit of its own: a text made for it would end this process by its stack. Never says that a text is right.

/// The most brackets inside each other.
const MOST_BRACKETS: usize = 32;
/// The most operators, signs, dots and indices of one expression.
const MOST_LINKS: usize = 64;

/// The line where the text goes deeper than any policy does.
pub(super) fn too_deep(text: &str) -> Option<usize> {
    let (mut open, mut line, mut chain) = (0usize, 1usize, Chain::default());
    let mut letters = text.bytes().peekable();
    while let Some(byte) = letters.next() {
        match byte {
            b'\n' => line += 1,
            b'"' => skip_string(&mut letters),
            b'`' => {
                let raw = letters.by_ref().take_while(|byte| *byte != b'`');
                line += raw.filter(|byte| *byte == b'\n').count();
            }
            b'#' => {
                while letters.next_if(|byte| *byte != b'\n').is_some() {}
                continue;
            }
            b'[' | b'{' | b'(' => open += 1,
            b']' | b'}' | b')' => open = open.saturating_sub(1),
            _ => {}
        }
        chain.take(byte);
        if open > MOST_BRACKETS || chain.links > MOST_LINKS {
            return Some(line);
        }
    }
    None
}

/// The expression that is being read.
#[derive(Default)]
struct Chain {
    links: usize,
    /// The last byte that is no space joins what follows to what was before.
    joined: bool,
    /// A line ended behind something that could be whole.
    ended: bool,
}

impl Chain {
    fn take(&mut self, byte: u8) {
        let joins = matches!(byte, b'+' | b'-' | b'*' | b'/' | b'%' | b'&' | b'|' | b'.');
        match byte {
            b' ' | b'\t' | b'\r' => return,
            b'\n' => {
                self.ended |= !self.joined;
                return;
            }
            b',' | b';' | b'{' | b'}' | b':' | b'=' => self.links = 0,
            _ if self.ended && !joins => self.links = 0,
            _ => {}
        }
        self.ended = false;
        self.joined = joins;
        self.links += usize::from(joins || byte == b'[');
    }
}

/// Goes behind the closing quote. A string does not go over the end of a line.
fn skip_string(letters: &mut std::iter::Peekable<std::str::Bytes<'_>>) {
    while let Some(byte) = letters.next_if(|byte| *byte != b'\n') {
        match byte {
            b'"' => return,
            b'\\' => drop(letters.next_if(|byte| *byte != b'\n')),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_signs_are_counted_where_they_mean_something() {
        for nested in [
            "[", "{", "(", "f(", "-", "- ", "-\n", "-#\n", "[\"]\", ", "[`]`, ", "[#]\n", "1 +\n", "1\n+",
            "a.", "a[0]",
        ] {
            assert!(too_deep(&nested.repeat(70)).is_some(), "{nested:?}");
        }
        for flat in [
            "[], ",
            "\"[\"",
            "`[\n`",
            "# [\n",
            "\"\\\"[\"",
            "# -----------\n",
            "a - b, ",
            "[-1], ",
            "input.a.b\n",
            "x.a == 1\n",
            "x[1] in y\n",
        ] {
            assert_eq!(too_deep(&flat.repeat(400)), None, "{flat:?}");
        }
        assert_eq!(too_deep(&format!("\n\n{}", "[".repeat(33))), Some(3));
    }
}
