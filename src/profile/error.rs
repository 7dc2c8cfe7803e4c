//! One thing that is wrong with a profile, with the place it was written.
//!
//! Never holds text that could reach a terminal raw: [`Display`](std::fmt::Display) escapes what a file said.

use crate::base::Source;
use std::fmt;

/// What is wrong, where, and what to write instead. A profile is judged whole: callers get all of them at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileError {
    /// The line, file or flag it comes from.
    pub asked: Source,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl ProfileError {
    /// An error without a hint. `message` may quote a file: it is escaped when shown.
    pub fn new(asked: Source, message: impl Into<String>) -> Self {
        Self { asked, message: message.into(), hint: None }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for ProfileError {
    /// `cowork.yaml:14: unknown key `acess`` and, where there is one, a line `hint: …`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.asked, Printable(&self.message))?;
        match &self.hint {
            Some(hint) => write!(out, "\nhint: {}", Printable(hint)),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ProfileError {}

/// Shows text with control characters (C0, C1, DEL, bidirectional overrides) as Rust escapes; quotes stay readable.
pub(super) struct Printable<'a>(pub(super) &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '"' | '\'' | '\\' => write!(out, "{letter}")?,
                other => write!(out, "{}", other.escape_debug())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_sequence_of_a_file_never_reaches_the_terminal() {
        let error =
            ProfileError::new(Source::line("x.yaml", 3), "unknown key `\u{1b}]52;c;aGk=\u{7}`").hint("a\nb");
        let shown = error.to_string();
        assert_eq!(shown, "x.yaml:3: unknown key `\\u{1b}]52;c;aGk=\\u{7}`\nhint: a\\nb");
        assert_eq!(shown.lines().count(), 2);
    }
}
