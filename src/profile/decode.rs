//! From a tree of YAML values to typed keys, collecting every error on the way.
//!
//! Never stops at the first error, and never takes a key it does not know. [`mapping!`](super::decode::mapping) makes
//! a type, its decoder and its JSON Schema from one list of keys, so the three cannot drift apart.

use super::error::ProfileError;
use super::nearest::suggestion;
use super::parse::{Key, Node, Value};
use crate::base::Source;
use std::sync::Arc;

/// One file being decoded, and what was wrong with it so far.
pub(crate) struct Decoder {
    file: Arc<str>,
    errors: Vec<ProfileError>,
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct At<T> {
    /// The value.
    pub(crate) value: T,
    /// Where.
    pub(crate) asked: Source,
}

/// What can be made of a YAML value. `None` means that the decoder has been told why not.
pub(crate) trait Decode: Sized {
    /// Takes the value, or reports what is wrong with it.
    fn decode(node: Node, decoder: &mut Decoder) -> Option<Self>;
}

impl Decoder {
    /// For the file that errors call `file`.
    pub(crate) fn new(file: &str) -> Self {
        Self { file: Arc::from(file), errors: Vec::new() }
    }

    /// All that was wrong.
    pub(crate) fn into_errors(self) -> Vec<ProfileError> {
        self.errors
    }

    /// A line of this file.
    pub(crate) fn source(&self, line: u32) -> Source {
        Source::line(Arc::clone(&self.file), line)
    }

    /// Reports an error.
    pub(crate) fn refuse<T>(
        &mut self,
        line: u32,
        message: impl Into<String>,
        hint: Option<String>,
    ) -> Option<T> {
        let error = ProfileError::new(self.source(line), message);
        self.errors.push(ProfileError { hint, ..error });
        None
    }

    /// The entries of a mapping whose keys are in `known`. Others are reported, as is a key that comes twice, and
    /// one of `required` that does not come.
    pub(crate) fn entries(
        &mut self,
        node: Node,
        known: &'static [&'static str],
        required: &[&str],
    ) -> Option<Vec<(&'static str, Node)>> {
        let line = node.line;
        let map = self.map(node)?;
        let mut seen: Vec<(&'static str, u32)> = Vec::new();
        let mut entries = Vec::with_capacity(map.len());
        for (key, node) in map {
            let Some(name) = known.iter().find(|name| **name == key.name) else {
                let hint = suggestion(&key.name, known);
                self.refuse::<()>(key.line, format!("unknown key `{}`", key.name), Some(hint));
                continue;
            };
            if let Some((_, first)) = seen.iter().find(|(other, _)| other == name) {
                let message = format!("`{name}` comes twice, first on line {first}");
                self.refuse::<()>(key.line, message, Some("keep one".into()));
                continue;
            }
            seen.push((name, key.line));
            entries.push((*name, node));
        }
        for name in required {
            if !seen.iter().any(|(other, _)| other == name) {
                self.refuse::<()>(line, format!("`{name}` is missing"), None);
            }
        }
        Some(entries)
    }

    /// A mapping with names that the author chooses.
    pub(crate) fn map(&mut self, node: Node) -> Option<Vec<(Key, Node)>> {
        match node.value {
            Value::Map(map) => Some(map),
            other => self.refuse(node.line, format!("must be a mapping, not {}", other.kind()), None),
        }
    }

    /// The entries of a mapping whose keys are names of the person's own, of lower-case letters, digits and hyphens or
    /// `also`. Others are reported in the words of `wrong`, and one that comes twice.
    pub(crate) fn by_name<T: Decode>(
        &mut self,
        node: Node,
        also: &[&str],
        wrong: (&str, Option<&str>),
    ) -> Option<Vec<(At<String>, T)>> {
        let fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let mut found: Vec<(At<String>, T)> = Vec::new();
        for (Key { name, line }, node) in self.map(node)? {
            if !also.contains(&&*name) && (name.is_empty() || !name.bytes().all(fit)) {
                self.refuse::<()>(line, format!("not {}: `{name}`", wrong.0), wrong.1.map(str::to_owned));
            } else if found.iter().any(|(known, _)| known.value == name) {
                self.refuse::<()>(line, format!("`{name}` comes twice"), Some("keep one".into()));
            } else if let Some(value) = T::decode(node, self) {
                found.push((At { value: name, asked: self.source(line) }, value));
            }
        }
        Some(found)
    }

    /// Text; numbers and truth values are not taken for it.
    pub(crate) fn text(&mut self, node: Node) -> Option<At<String>> {
        let asked = self.source(node.line);
        match node.value {
            Value::Str(value) => Some(At { value, asked }),
            Value::Int(_) | Value::Float(_) | Value::Bool(_) => self.refuse(
                node.line,
                format!("must be text, not {}", node.value.kind()),
                Some("put it in quotes".into()),
            ),
            other => {
                // In YAML a lone tilde is the null value, and everybody means the home.
                let hint =
                    matches!(other, Value::Null).then(|| "a lone `~` is nothing in YAML: write $HOME".into());
                self.refuse(node.line, format!("must be text, not {}", other.kind()), hint)
            }
        }
    }

    /// One of a few words, by its text.
    pub(crate) fn word<T: Clone>(
        &mut self,
        node: Node,
        what: &str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let line = node.line;
        let text = self.text(node)?.value;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(value.clone());
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        self.refuse(line, format!("unknown {what} `{text}`"), Some(suggestion(&text, &known)))
    }
}

impl<T: Decode> Decode for At<T> {
    fn decode(node: Node, decoder: &mut Decoder) -> Option<Self> {
        let asked = decoder.source(node.line);
        T::decode(node, decoder).map(|value| Self { value, asked })
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(node: Node, decoder: &mut Decoder) -> Option<Self> {
        match node.value {
            Value::List(list) => Some(list.into_iter().filter_map(|item| T::decode(item, decoder)).collect()),
            other => {
                let hint = matches!(other, Value::Str(_) | Value::Int(_))
                    .then(|| "write it in brackets: [ … ]".into());
                decoder.refuse(node.line, format!("must be a list, not {}", other.kind()), hint)
            }
        }
    }
}

impl Decode for String {
    fn decode(node: Node, decoder: &mut Decoder) -> Option<Self> {
        decoder.text(node).map(|text| text.value)
    }
}

impl Decode for bool {
    fn decode(node: Node, decoder: &mut Decoder) -> Option<Self> {
        match node.value {
            Value::Bool(value) => Some(value),
            other => {
                let message = format!("must be true or false, not {}", other.kind());
                decoder.refuse(node.line, message, Some("write true or false".into()))
            }
        }
    }
}

impl Decode for u16 {
    fn decode(node: Node, decoder: &mut Decoder) -> Option<Self> {
        match node.value {
            Value::Int(value) if Self::try_from(value).is_ok() => Self::try_from(value).ok(),
            other => decoder.refuse(
                node.line,
                format!("must be a port from 0 to 65535, not {}", shown(&other)),
                None,
            ),
        }
    }
}

/// A value as a message shows it.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Str(text) => format!("`{text}`"),
        other => other.kind().to_owned(),
    }
}

impl<T: schemars::JsonSchema> schemars::JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}

/// The schema of a mapping with these keys and no others.
pub(crate) fn object_schema(
    description: &str,
    properties: Vec<(&'static str, schemars::Schema, String)>,
    required: &[&str],
) -> schemars::Schema {
    let mut keys = serde_json::Map::new();
    for (name, mut schema, about) in properties {
        if !about.is_empty() {
            schema.insert("description".into(), about.into());
        }
        keys.insert(name.into(), schema.to_value());
    }
    let mut schema =
        schemars::json_schema!({ "type": "object", "properties": keys, "additionalProperties": false });
    schema.insert("description".into(), description.trim().into());
    if !required.is_empty() {
        schema.insert("required".into(), required.into());
    }
    schema
}

/// A type for a mapping: every key an `Option`, decoded by [`Decode`], described by its own schema. Keys named in
/// `required` must come.
macro_rules! mapping {
    ($(#[doc = $about:literal])* $name:ident, required [$($required:literal),*] {
        $($(#[doc = $doc:literal])* $field:ident: $type:ty,)*
    }) => {
        $(#[doc = $about])*
        #[derive(Debug, Default)]
        pub(crate) struct $name {
            $($(#[doc = $doc])* pub(crate) $field: Option<$type>,)*
        }

        impl $crate::profile::decode::Decode for $name {
            fn decode(
                node: $crate::profile::parse::Node,
                decoder: &mut $crate::profile::decode::Decoder,
            ) -> Option<Self> {
                let mut found = Self::default();
                for (key, node) in decoder.entries(node, &[$(stringify!($field)),*], &[$($required),*])? {
                    $(if key == stringify!($field) {
                        found.$field = $crate::profile::decode::Decode::decode(node, decoder);
                        continue;
                    })*
                }
                Some(found)
            }
        }

        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let properties = vec![$((
                    stringify!($field),
                    <$type as schemars::JsonSchema>::json_schema(generator),
                    [$($doc),*].concat().trim().to_owned(),
                )),*];
                $crate::profile::decode::object_schema(concat!($($about),*), properties, &[$($required),*])
            }
        }
    };
}
pub(crate) use mapping;

/// A type whose values are words: the decoder and the schema from one list.
macro_rules! words {
    ($(#[doc = $about:literal])* $name:ident, $what:literal { $($(#[doc = $doc:literal])* $word:literal => $variant:ident,)* }) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name {
            $($(#[doc = $doc])* $variant,)*
        }

        impl $name {
            /// Every value with its word.
            pub(crate) const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$variant)),*];
        }

        impl $crate::profile::decode::Decode for $name {
            fn decode(
                node: $crate::profile::parse::Node,
                decoder: &mut $crate::profile::decode::Decoder,
            ) -> Option<Self> {
                decoder.word(node, $what, Self::WORDS)
            }
        }

        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "enum": [$($word),*] })
            }
        }
    };
}
pub(crate) use words;
/// Types whose schema is a few words.
macro_rules! schema {
    ($name:ty, $schema:tt) => {
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    };
}

pub(crate) use schema;
