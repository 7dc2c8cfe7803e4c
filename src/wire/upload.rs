//! An upload: one body or message that an agent is about to send, in the words of questions, policies and records.
//!
//! Never holds a value of what is sent: of what was found in it only the kinds and their numbers.

use serde::{Deserialize, Serialize};

/// The most bytes of the words for a request.
pub const MOST_REQUEST: usize = 256;
/// The most bytes of the word for a kind.
pub const MOST_KIND: usize = 64;
/// The most kinds of findings of one upload; more are told together.
pub const MOST_KINDS: usize = 16;
/// The kind that stands for those beyond the last.
pub const OTHER_KINDS: &str = "others";

/// How often something was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// The kind of a finding of role `dlp`.
    pub kind: String,
    /// How many of it.
    pub count: u64,
}

/// One upload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// Method and path without its query; a part of the path that is no plain word is `*`.
    pub request: String,
    /// Bytes that were announced; `None`: nobody said how many come.
    pub bytes: Option<u64>,
    /// It is asked about because it is larger than `ask_above`.
    pub large: bool,
    /// What was found in it that a person is asked about, each kind once, with the number so far.
    pub found: Vec<Found>,
}

impl Upload {
    /// Whether a yes to this one, said for longer than once, is a yes to that one to the same host as well: not larger,
    /// and nothing of another kind found in it.
    pub fn covers(&self, other: &Self) -> bool {
        let size = match (self.large, self.bytes, other.bytes) {
            (false, ..) => !other.large,
            (true, None, _) => true,
            (true, Some(most), Some(bytes)) => bytes <= most,
            (true, Some(_), None) => !other.large,
        };
        let kinds = |found: &Found| self.found.iter().any(|own| own.kind == found.kind);
        size && other.found.iter().all(kinds)
    }

    /// The same within the bounds of its texts.
    #[must_use]
    pub fn cut(mut self) -> Self {
        cut(&mut self.request, MOST_REQUEST);
        self.found.truncate(MOST_KINDS);
        self.found.iter_mut().for_each(|found| cut(&mut found.kind, MOST_KIND));
        self
    }
}

fn cut(text: &mut String, most: usize) {
    text.truncate(text.floor_char_boundary(most));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(bytes: Option<u64>, large: bool, kinds: &[&str]) -> Upload {
        let found = kinds.iter().map(|kind| Found { kind: (*kind).to_owned(), count: 1 }).collect();
        Upload { request: "POST /".to_owned(), bytes, large, found }
    }

    #[test]
    fn a_yes_covers_what_is_not_larger_and_has_no_other_kind() {
        for (said, other, covered) in [
            (upload(Some(100), true, &[]), upload(Some(100), true, &[]), true),
            (upload(Some(100), true, &[]), upload(Some(101), true, &[]), false),
            (upload(Some(100), true, &[]), upload(None, true, &[]), false),
            (upload(None, true, &[]), upload(Some(1 << 40), true, &[]), true),
            (upload(Some(5), false, &["email"]), upload(Some(900), false, &["email"]), true),
            (upload(Some(5), false, &["email"]), upload(Some(900), true, &["email"]), false),
            (upload(Some(5), false, &["email"]), upload(Some(5), false, &["email", "card"]), false),
            (upload(Some(9), true, &["email"]), upload(None, false, &["email"]), true),
            (upload(Some(9), true, &[]), upload(Some(9), true, &["email"]), false),
        ] {
            assert_eq!(said.covers(&other), covered, "{said:?} {other:?}");
        }
    }

    #[test]
    fn texts_have_an_end() {
        let long = Upload { request: "\u{e4}".repeat(500), ..upload(None, true, &["k"; 40]) }.cut();
        assert!(long.request.len() <= MOST_REQUEST && long.found.len() == MOST_KINDS);
    }
}
