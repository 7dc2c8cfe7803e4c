//! A mapping of a rule file, taken apart key by key.
//!
//! Never passes over a key it does not know: a rule that says more than is understood would mean less than it says.

use crate::base::Source;
use crate::profile::ProfileError;
use crate::profile::parse::{Key, Node, Value};

/// What was read, or the first thing that is wrong.
pub(super) type Read<T> = Result<T, ProfileError>;

/// Says what is wrong, and where.
pub(super) fn wrong<T>(file: &str, line: u32, message: impl Into<String>) -> Read<T> {
    Err(ProfileError::new(Source::line(file, line), message))
}

/// A mapping of which keys are taken.
pub(super) struct Map<'f> {
    pub(super) file: &'f str,
    pub(super) line: u32,
    entries: Vec<(Key, Node)>,
}

impl<'f> Map<'f> {
    /// The mapping of a node; no key comes twice.
    pub(super) fn of(file: &'f str, node: Node, what: &str) -> Read<Self> {
        let Value::Map(entries) = node.value else {
            return wrong(file, node.line, format!("{what} is a mapping, not {}", node.value.kind()));
        };
        for (index, (key, _)) in entries.iter().enumerate() {
            if entries.iter().take(index).any(|(other, _)| other.name == key.name) {
                return wrong(file, key.line, format!("`{}` comes twice", key.name));
            }
        }
        Ok(Self { file, line: node.line, entries })
    }

    /// Takes a key, where it is there.
    pub(super) fn take(&mut self, name: &str) -> Option<Node> {
        let at = self.entries.iter().position(|(key, _)| key.name == name)?;
        Some(self.entries.remove(at).1)
    }

    /// Takes a key that must be there.
    pub(super) fn need(&mut self, name: &str) -> Read<Node> {
        match self.take(name) {
            Some(node) => Ok(node),
            None => wrong(self.file, self.line, format!("`{name}` is missing")),
        }
    }

    /// Takes a text, where it is there.
    pub(super) fn text(&mut self, name: &str) -> Read<Option<String>> {
        self.take(name).map(|node| text(self.file, node, name)).transpose()
    }

    /// Takes a text that must be there.
    pub(super) fn needed_text(&mut self, name: &str) -> Read<String> {
        let node = self.need(name)?;
        text(self.file, node, name)
    }

    /// Takes a list of texts, or one text, where it is there.
    pub(super) fn texts(&mut self, name: &str) -> Read<Vec<String>> {
        let Some(node) = self.take(name) else { return Ok(Vec::new()) };
        listed(node).into_iter().map(|node| text(self.file, node, name)).collect()
    }

    /// All that is left, in order.
    pub(super) fn rest(&mut self) -> Vec<(Key, Node)> {
        std::mem::take(&mut self.entries)
    }

    /// Nothing may be left.
    pub(super) fn finish(self, what: &str) -> Read<()> {
        match self.entries.first() {
            Some((key, _)) => wrong(self.file, key.line, format!("`{}` is no key of {what} here", key.name)),
            None => Ok(()),
        }
    }
}

/// The elements of a list; of anything else, itself.
pub(super) fn listed(node: Node) -> Vec<Node> {
    match node.value {
        Value::List(nodes) => nodes,
        _ => vec![node],
    }
}

/// A text; a date or a number is its text.
pub(super) fn text(file: &str, node: Node, name: &str) -> Read<String> {
    match node.value {
        Value::Str(text) => Ok(text),
        Value::Int(number) => Ok(number.to_string()),
        other => wrong(file, node.line, format!("`{name}` is text, not {}", other.kind())),
    }
}

/// A whole number that is not negative.
pub(super) fn number(file: &str, node: &Node, name: &str) -> Read<u64> {
    match &node.value {
        Value::Int(number) if *number >= 0 => Ok(number.unsigned_abs()),
        other => wrong(file, node.line, format!("`{name}` is a number, not {}", other.kind())),
    }
}
