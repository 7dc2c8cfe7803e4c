//! Where a wish was written: every error and every explanation names it.

use std::fmt;
use std::sync::Arc;

/// The place a setting comes from, such as `cowork.yaml:14` or `--ro on the command line`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Source {
    name: Arc<str>,
    line: Option<u32>,
}

impl Source {
    /// A line of a profile. `line` counts from 1.
    pub fn line(file: impl Into<Arc<str>>, line: u32) -> Self {
        Self { name: file.into(), line: Some(line) }
    }

    /// A flag of the command line, written with its dashes.
    pub fn flag(flag: &str) -> Self {
        Self { name: Arc::from(format!("{flag} on the command line")), line: None }
    }

    /// Something this program does by itself; `why` is shown to people.
    pub fn built_in(why: &str) -> Self {
        Self { name: Arc::from(format!("built in: {why}")), line: None }
    }

    /// Whether a line of a file said it, where keys can be added.
    pub fn is_line(&self) -> bool {
        self.line.is_some()
    }

    /// The line, counted from 1, where a line of a file said it.
    pub fn line_number(&self) -> Option<u32> {
        self.line
    }

    /// The file or flag, without the line.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(out, "{}:{line}", self.name.escape_debug()),
            None => write!(out, "{}", self.name.escape_debug()),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}
