//! Which events are meant: by their place, what they name, and how old they are.

use crate::audit::index::Pattern;
use crate::audit::log::{Found, Leaf, Opening};
use serde_json::Value;

/// What must be so of an event. Without anything, every event is meant.
#[derive(Debug, Default)]
pub struct Chosen {
    /// Only this one.
    pub index: Option<u64>,
    /// Only one that names such a path.
    pub path: Option<Pattern>,
    /// Only one that names such a host.
    pub host: Option<Pattern>,
    /// Only one that was before, in nanoseconds since 1970.
    pub before: Option<i128>,
}

impl Chosen {
    /// Every event.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Whether it means this event.
    pub(super) fn means(&self, found: &Found<'_>) -> bool {
        let at = self.index.is_none_or(|index| index == found.index);
        at && self.is_old(found) && self.names(found)
    }

    fn is_old(&self, found: &Found<'_>) -> bool {
        let Some(before) = self.before else { return true };
        Leaf::parse(found.bytes).is_some_and(|leaf| i128::from(leaf.ts) < before)
    }

    /// What an event names may stand in any of its personal fields.
    fn names(&self, found: &Found<'_>) -> bool {
        if self.path.is_none() && self.host.is_none() {
            return true;
        }
        let Opening::Open(salted) = found.opening else { return false };
        let hidden: Value = serde_json::from_slice(salted.value).unwrap_or_default();
        let mut texts = Vec::new();
        collect(&hidden, &mut texts);
        let any = |pattern: &Option<Pattern>, of: fn(&str) -> &str| {
            pattern.as_ref().is_none_or(|pattern| texts.iter().any(|text| pattern.means(of(text))))
        };
        any(&self.path, path_of) && any(&self.host, host_of)
    }
}

fn collect<'v>(value: &'v Value, texts: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(fields) => {
            for (name, field) in fields {
                texts.push(name);
                collect(field, texts);
            }
        }
        _ => {}
    }
}

/// A resource is a word and a name.
fn path_of(text: &str) -> &str {
    text.split_once(' ').map_or(text, |(_, name)| if name.starts_with('/') { name } else { text })
}

/// Without what it is and without its port.
fn host_of(text: &str) -> &str {
    let name = text.rsplit(' ').next().unwrap_or(text);
    match name.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && port.bytes().all(|digit| digit.is_ascii_digit()) => host,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_in_a_resource_is_found() {
        assert_eq!(path_of("file /home/u/a b"), "/home/u/a b");
        assert_eq!(path_of("/home/u/a b"), "/home/u/a b");
        assert_eq!(host_of("host api.example.com:443"), "api.example.com");
        assert_eq!(host_of("upload to api.example.com"), "api.example.com");
        assert_eq!(host_of("::1"), "::1");
        assert_eq!(host_of("192.0.2.1"), "192.0.2.1");
    }
}
