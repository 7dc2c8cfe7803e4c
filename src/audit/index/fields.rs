//! Fields of a record by name, and how text is kept in the dictionary.
//!
//! Never keeps text without a bound.

use super::facts::Kind;
use crate::crypto::sha256;
use serde_json::Value;

/// The most bytes of one text in the dictionary.
const MOST_TEXT: usize = 4096;

/// A text within the bound; one that is cut ends in its digest, so that two are never taken for one.
pub(in crate::audit) fn kept(text: &str) -> String {
    if text.len() <= MOST_TEXT {
        return text.to_owned();
    }
    let end = (0..=MOST_TEXT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    let digest = sha256(text.as_bytes()).to_string();
    format!("{}… [sha256 {digest}]", text.get(..end).unwrap_or_default())
}

/// A resource in words: what it is, and its name.
pub(super) fn named(resource: &str) -> (Kind, &str) {
    let (word, name) = resource.split_once(' ').unwrap_or_default();
    let name = name.strip_prefix("to ").filter(|_| word == "upload").unwrap_or(name);
    let kind = match word {
        "host" | "upload" => Kind::Host,
        "program" => Kind::Program,
        "device" => Kind::Device,
        _ => Kind::File,
    };
    (kind, name)
}

pub(super) struct Fields<'a>(pub(super) &'a Value);

impl<'a> Fields<'a> {
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.0.pointer(name)?.as_str()
    }

    pub(super) fn kept(&self, name: &str) -> String {
        self.text(name).map(kept).unwrap_or_default()
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.0.pointer(name)?.as_u64()
    }

    pub(super) fn is(&self, name: &str, word: &str) -> bool {
        self.text(name) == Some(word)
    }

    pub(super) fn list(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.pointer(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    pub(super) fn object(&self, kind: Kind, name: &str) -> Option<(Kind, String)> {
        self.text(name).filter(|text| !text.is_empty()).map(|text| (kind, kept(text)))
    }
}
