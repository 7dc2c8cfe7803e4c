//! What was found, and what could not be looked into.
//!
//! Never holds the value itself, unless it was asked for, which tests and a person at a terminal do.

use crate::wire::dlp::Act;
use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// Something that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What it is, such as `github-token` or `credit-card`.
    pub kind: Arc<str>,
    /// The rule that found it.
    pub rule: Arc<str>,
    /// HMAC-SHA256 of the value, the first 16 hex digits: the same value has the same hash under one key.
    pub value_hash: String,
    /// Where it starts, in bytes from the start of the stream. For an encoded value, where its encoded form starts.
    pub start: u64,
    /// The byte after it.
    pub end: u64,
    /// How the value was encoded, the outermost first.
    pub decoded_from: Vec<&'static str>,
    /// What is done about it.
    pub action: Act,
    /// Bytes of the value, decoded.
    pub length: usize,
    /// How sure this is, from 0 to 1.
    pub confidence: f32,
    /// The value, if values were asked for.
    pub value: Option<Vec<u8>>,
}

/// Why bytes could not be looked into to their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unscannable {
    /// Encodings inside each other, more than the limit.
    TooDeep,
    /// It unpacks to more than the limit, or to more than 100 times its size.
    Bomb,
    /// A packed thing longer than what may be held back.
    TooLarge,
    /// It says that it is packed, and cannot be unpacked.
    Undecodable,
    /// A member of an archive that needs a password.
    Encrypted,
    /// Looking into it takes more work than one piece may.
    TooMuchWork,
}

impl Unscannable {
    /// As it stands in a record.
    pub fn word(self) -> &'static str {
        match self {
            Self::TooDeep => "too_deep",
            Self::Bomb => "bomb",
            Self::TooLarge => "too_large",
            Self::Undecodable => "undecodable",
            Self::Encrypted => "encrypted",
            Self::TooMuchWork => "too_much_work",
        }
    }
}

impl fmt::Display for Unscannable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::TooDeep => "encodings inside each other, too many",
            Self::Bomb => "unpacks to too much",
            Self::TooLarge => "packed, and too long to be held back",
            Self::Undecodable => "packed in a way that cannot be unpacked",
            Self::Encrypted => "a member of an archive is encrypted",
            Self::TooMuchWork => "takes too much work to look into",
        })
    }
}
