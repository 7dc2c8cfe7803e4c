//! YAML text to a tree of values that know their lines. The only file that names the YAML package.
//!
//! Never gives a value a meaning: that is the decoder's work, which can then report every error at once. What a
//! hostile file could make expensive is bounded here: bytes, depth, nodes, and what aliases may repeat.

use super::error::ProfileError;
use crate::base::Source;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::{Spanned, options::DuplicateKeyPolicy, options::MergeKeyPolicy};
use std::fmt;

/// The most bytes a file may have.
pub(super) const MAX_BYTES: usize = 1 << 20;
/// The most collections inside each other. Formats here need five.
const MAX_DEPTH: usize = 16;
/// The most values, aliases followed.
const MAX_NODES: usize = 100_000;

/// A value and the line it starts on, counted from 1.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Where it is.
    pub(crate) line: u32,
    /// What it is.
    pub(crate) value: Value,
}

/// A name in a mapping, and its line. A name written as a number or a truth value is its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// Where it is.
    pub(crate) line: u32,
    /// The text.
    pub(crate) name: String,
}

/// What YAML's core schema makes of the text. `0755` and `1_000` stay text, as do `yes` and `on`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number that fits.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Str(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in the order written; a name may come twice, which the decoder refuses.
    Map(Vec<(Key, Node)>),
}

impl Value {
    /// What it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a truth value",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Str(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// Reads one YAML document; `name` is what errors call the file.
/// # Errors
/// The first place where the text is no YAML, or one of the bounds it breaks.
pub(crate) fn parse(name: &str, text: &str) -> Result<Node, Vec<ProfileError>> {
    if text.len() > MAX_BYTES {
        let error =
            ProfileError::new(Source::line(name, 1), format!("has {} bytes, more than 1 MiB", text.len()));
        return Err(vec![error]);
    }
    serde_yaml::from_str_with_options::<Spanned<Value>>(text, options()).map(node).map_err(|error| {
        let line = error.location().map_or(1, line_of);
        let asked = Source::line(name, line);
        vec![ProfileError::new(asked, first_line(&error.without_snippet().to_string()))]
    })
}

fn options() -> serde_yaml::Options {
    serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_events: 4 * MAX_NODES,
            max_aliases: 1000,
            max_anchors: 1000,
            max_recorded_anchor_events: MAX_NODES,
            max_recorded_anchor_bytes: 4 * MAX_BYTES,
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_documents: 1,
            max_nodes: MAX_NODES,
            max_total_scalar_bytes: 4 * MAX_BYTES,
        },
        alias_limits: serde_yaml::alias_limits! {
            max_total_replayed_events: MAX_NODES,
            max_replay_stack_depth: MAX_DEPTH,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::AsOrdinary,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

fn node(spanned: Spanned<Value>) -> Node {
    Node { line: line_of(spanned.referenced), value: spanned.value }
}

fn line_of(location: serde_yaml::Location) -> u32 {
    u32::try_from(location.line()).unwrap_or(u32::MAX).max(1)
}

/// The package's messages say the place again after the words; the place is ours to say.
fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or("not YAML");
    let words = line.find(" at line ").map_or(line, |end| line.get(..end).unwrap_or(line));
    words.to_owned()
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or_else(|_| Value::Str(value.to_string()), Value::Int))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Str(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Value, E> {
        Ok(Value::Str(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Str(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Str(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<Value>>()? {
            list.push(node(item));
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some((key, value)) = entries.next_entry::<Spanned<Value>, Spanned<Value>>()? {
            let line = line_of(key.referenced);
            let name = match key.value {
                Value::Str(text) => text,
                Value::Int(number) => number.to_string(),
                Value::Bool(truth) => truth.to_string(),
                other => {
                    let message = format!("a name must be text, not {}", other.kind());
                    return Err(serde::de::Error::custom(message));
                }
            };
            map.push((Key { line, name }, node(value)));
        }
        Ok(Value::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> ProfileError {
        parse("x.yaml", text).unwrap_err().remove(0)
    }

    #[test]
    fn values_know_their_lines() {
        let Value::Map(map) = parse("x.yaml", "a: 1\nb:\n  - {c: x,\n     d: ~}\n").unwrap().value else {
            panic!()
        };
        assert_eq!((map[0].0.line, map[0].1.line, &map[0].1.value), (1, 1, &Value::Int(1)));
        assert_eq!((map[1].0.line, map[1].1.line), (2, 3));
        let Value::List(list) = &map[1].1.value else { panic!() };
        let Value::Map(inner) = &list[0].value else { panic!() };
        assert_eq!((inner[1].0.line, &inner[1].1.value), (4, &Value::Null));
    }

    #[test]
    fn a_word_that_older_yaml_took_for_something_else_stays_text() {
        for word in ["yes", "no", "on", "0755", "1_000", "1777x"] {
            assert_eq!(parse("x", word).unwrap().value, Value::Str(word.into()), "{word}");
        }
        assert_eq!(parse("x", "true").unwrap().value, Value::Bool(true));
        assert_eq!(parse("x", "1.5").unwrap().value, Value::Float(1.5));
    }

    #[test]
    fn a_name_that_comes_twice_reaches_the_decoder_twice() {
        let Value::Map(map) = parse("x", "a: 1\na: 2\n").unwrap().value else { panic!() };
        assert_eq!(map.len(), 2);
    }

    #[test]
    fn an_error_names_the_line() {
        assert!(
            first("a: 1\nb: [1, 2\nc: 3\n").to_string().starts_with("x.yaml:3: "),
            "{}",
            first("a: 1\nb: [1, 2\nc: 3\n")
        );
        assert!(first("a: 1\n---\nb: 2\n").message.to_lowercase().contains("document"));
    }

    #[test]
    fn depth_is_bounded() {
        assert!(parse("x", &"[".repeat(10)).is_err());
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse("x", &nested(8)).is_ok());
        assert!(parse("x", &nested(100)).is_err());
        assert!(parse("x", &nested(100_000)).is_err());
    }

    #[test]
    fn what_aliases_repeat_is_bounded() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let inner = format!("*a{}", level - 1);
            text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![inner; 10].join(", ")));
        }
        assert!(parse("x", &text).is_err());
        assert!(parse("x", "a: &one [1]\nb: *one\n").is_ok());
    }

    #[test]
    fn size_is_bounded() {
        assert!(parse("x", &format!("# {}\n", "y".repeat(MAX_BYTES))).is_err());
    }
}
