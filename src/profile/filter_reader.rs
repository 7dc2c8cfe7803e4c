//! Reading a filter file's tree node by node, and gathering what is wrong with it.
//!
//! Never stops at the first mistake: a person gets all of them at once.

use super::ProfileError;
use super::nearest::suggestion;
use super::parse::{Node, Value};
use crate::base::Source;
use std::collections::BTreeMap;

/// Knows the file's name, and keeps the errors.
pub(super) struct Reader<'a> {
    pub(super) name: &'a str,
    pub(super) errors: Vec<ProfileError>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(name: &'a str) -> Self {
        Self { name, errors: Vec::new() }
    }

    /// The entries of a mapping. Unknown and repeated names are errors.
    pub(super) fn fields<'n>(
        &mut self,
        node: &'n Node,
        known: &[&str],
    ) -> Option<BTreeMap<&'n str, &'n Node>> {
        let Value::Map(entries) = &node.value else {
            self.fail(
                node.line,
                format!("a mapping is wanted here, not {}", node.value.kind()),
                format!("known here: {}", known.join(", ")),
            );
            return None;
        };
        let mut fields = BTreeMap::new();
        for (key, value) in entries {
            if !known.contains(&key.name.as_str()) {
                self.fail(key.line, format!("unknown key `{}`", key.name), suggestion(&key.name, known));
            } else if fields.insert(key.name.as_str(), value).is_some() {
                self.error(key.line, format!("`{}` stands twice", key.name));
            }
        }
        Some(fields)
    }

    pub(super) fn required<'n>(
        &mut self,
        fields: &BTreeMap<&str, &'n Node>,
        node: &Node,
        key: &str,
    ) -> Option<&'n Node> {
        let found = fields.get(key).copied();
        if found.is_none() {
            self.error(node.line, format!("`{key}` is missing"));
        }
        found
    }

    pub(super) fn list<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        let Value::List(items) = &node.value else {
            self.error(node.line, format!("{what} must be a list, not {}", node.value.kind()));
            return None;
        };
        Some(items)
    }

    /// Text that is not empty.
    pub(super) fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        match &node.value {
            Value::Str(text) if !text.trim().is_empty() => Some(text.clone()),
            other => {
                self.error(node.line, format!("{what} must be text, not {}", other.kind()));
                None
            }
        }
    }

    pub(super) fn error(&mut self, line: u32, message: impl Into<String>) {
        self.errors.push(ProfileError::new(Source::line(self.name, line), message));
    }

    pub(super) fn fail(&mut self, line: u32, message: impl Into<String>, hint: impl Into<String>) {
        self.errors.push(ProfileError::new(Source::line(self.name, line), message).hint(hint));
    }
}
