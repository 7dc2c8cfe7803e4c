//! Role `egress` and role `dlp`, which reads what would leave and has neither files nor network.
//!
//! Two kinds of datagrams go to the role: messages ([`ToDlp`], JSON, whose first byte is never zero) and content
//! ([`content`], whose first byte is).

use super::codec;
use serde::{Deserialize, Serialize};

/// Bytes before the content of a datagram: a zero, flags, six bytes of nothing, the stream.
pub const HEAD: usize = 16;
/// The most bytes of content in one datagram.
pub const MOST_CONTENT: usize = codec::MOST_BYTES - HEAD;

/// What becomes of a finding, the strictest last.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Nothing, and it is not told.
    Allow,
    /// It is sent and recorded.
    Log,
    /// A keyed hash is sent in its place.
    Hash,
    /// A token is sent in its place, which the answer is turned back from.
    Tokenize,
    /// A mark is sent in its place.
    Redact,
    /// A person is asked.
    Ask,
    /// Nothing is sent.
    Block,
}

impl Act {
    /// Every one.
    pub const ALL: [Self; 7] =
        [Self::Allow, Self::Log, Self::Hash, Self::Tokenize, Self::Redact, Self::Ask, Self::Block];

    /// As it is written in rules and profiles.
    pub fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Log => "log",
            Self::Redact => "redact",
            Self::Hash => "hash",
            Self::Tokenize => "tokenize",
            Self::Ask => "ask",
            Self::Block => "block",
        }
    }

    /// The one of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.word() == word)
    }
}

/// To role `dlp`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ToDlp {
    /// Rules beside the shipped ones, as a file that the message carries. Before `Start` only.
    Rules {
        /// Its path, for messages.
        name: String,
    },
    /// What becomes of findings of a kind; `*` for every kind not named. Before `Start` only.
    Action {
        /// A kind, such as `credential`, `card`, `email`, or one rule's id.
        kind: String,
        /// What becomes of it.
        act: Act,
    },
    /// A secret that is known. Before `Start` only.
    Known {
        /// Its name.
        label: String,
        /// The secret itself.
        secret: String,
        /// A decoy: it going out is critical.
        canary: bool,
    },
    /// Decoys: all that follow from a key are known. Before `Start` only.
    Decoys {
        /// The key, in hex.
        key_hex: String,
    },
    /// A file that must not leave. Before `Start`: its content as a file that the message carries. By the socket of
    /// `Teacher`: its content follows as datagrams of content, whose stream is of no matter.
    File {
        /// Its label.
        label: String,
    },
    /// The message carries a socket by which `File` and `Taught` come while streams are served. Before `Start` only.
    Teacher {},
    /// Nothing more of this lesson comes; answered by `Learned`, by the same socket.
    Taught {
        /// Which lesson.
        lesson: u64,
        /// Files that were left out of it.
        left_out: u32,
    },
    /// Answers come from here on; answered by `Ready`.
    Start {},
    /// The beginning of a stream.
    Open {
        /// Names it; never used again.
        stream: u64,
        /// The host it goes to.
        host: String,
        /// The media type that was said, empty for none.
        media: String,
        /// What its rule would have blocked or asked about is redacted.
        redact: bool,
    },
    /// The stream is over, whole or not; not answered.
    Close {
        /// Which.
        stream: u64,
    },
}

impl std::fmt::Debug for ToDlp {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Known { label, canary, .. } => write!(out, "Known {{ {label:?}, canary: {canary} }}"),
            Self::Rules { name } => write!(out, "Rules {{ {name:?} }}"),
            Self::Action { kind, act } => write!(out, "Action {{ {kind:?}, {act:?} }}"),
            Self::Decoys { .. } => write!(out, "Decoys"),
            Self::File { label } => write!(out, "File {{ {label:?} }}"),
            Self::Teacher {} => write!(out, "Teacher"),
            Self::Taught { lesson, .. } => write!(out, "Taught {{ {lesson} }}"),
            Self::Start {} => write!(out, "Start"),
            Self::Open { stream, .. } => write!(out, "Open {{ {stream} }}"),
            Self::Close { stream } => write!(out, "Close {{ {stream} }}"),
        }
    }
}

/// From role `dlp`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum FromDlp {
    /// Rules and secrets are in use.
    Ready {},
    /// They are not; the launch stops.
    Refused {
        /// Why, for people.
        why: String,
    },
    /// What became of a lesson: from here on its files are known.
    Learned {
        /// Which.
        lesson: u64,
        /// Files that are known now.
        files: u32,
        /// Files that are not: too large, too many, or not to be read.
        left_out: u32,
    },
    /// The answer to one datagram of content.
    Step {
        /// Which stream.
        stream: u64,
        /// Bytes before this offset of the stream may go out, once edited.
        release_to: u64,
        /// Edits of bytes before `release_to`, in order, without overlap; each is told once.
        edits: Vec<Edit>,
        /// What was found, each once.
        findings: Vec<Finding>,
        /// It could not be read, and why: a stable word such as `too-deep`, `too-large`, `too-slow`, `broken`.
        unscannable: Option<String>,
    },
}

/// Bytes that are replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// The first byte, counted from the stream's beginning.
    pub start: u64,
    /// Behind the last.
    pub end: u64,
    /// What comes in their place: plain ASCII without quotes or backslashes, so JSON stays JSON.
    pub with: String,
    /// In answers of the host it is turned back.
    pub token: bool,
}

/// What was found. Never the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Its kind.
    pub kind: String,
    /// The rule.
    pub rule: String,
    /// A keyed hash of the value.
    pub value_hash: String,
    /// The first byte in the stream, of what it was decoded from when it was encoded.
    pub start: u64,
    /// Behind the last.
    pub end: u64,
    /// How it was encoded, outermost first.
    pub decoded_from: Vec<String>,
    /// What becomes of it.
    pub act: Act,
    /// A known secret or a canary: an alert.
    pub critical: bool,
}

/// A datagram of content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content<'a> {
    /// Which stream.
    pub stream: u64,
    /// Nothing comes after it.
    pub last: bool,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// The head of a datagram of content; the bytes follow it.
pub fn head(stream: u64, last: bool) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    let [_, flags, _, _, _, _, _, _, number @ ..] = &mut head;
    *flags = u8::from(last);
    *number = stream.to_le_bytes();
    head
}

/// The content of a datagram; `None` when it is none, or malformed.
pub fn content(datagram: &[u8]) -> Option<Content<'_>> {
    let (head, bytes) = datagram.split_first_chunk::<HEAD>()?;
    let [0, flags @ (0 | 1), 0, 0, 0, 0, 0, 0, number @ ..] = head else { return None };
    let stream = u64::from_le_bytes(*number);
    (bytes.len() <= MOST_CONTENT).then_some(Content { stream, last: *flags == 1, bytes })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn content_comes_back_and_what_is_malformed_does_not() {
        let mut datagram = head(0x0102_0304_0506_0708, true).to_vec();
        datagram.extend_from_slice(b"abc");
        let found = content(&datagram).unwrap();
        assert_eq!(found, Content { stream: 0x0102_0304_0506_0708, last: true, bytes: b"abc" });
        for (at, byte) in [(0, b'{'), (1, 2), (2, 1), (7, 1)] {
            let mut broken = datagram.clone();
            *broken.get_mut(at).unwrap() = byte;
            assert_eq!(content(&broken), None, "byte {at}");
        }
        assert_eq!(content(&datagram[..HEAD - 1]), None);
        assert!(content(&[&head(1, false)[..], &vec![0; MOST_CONTENT]].concat()).is_some());
        assert!(content(&[&head(1, false)[..], &vec![0; MOST_CONTENT + 1]].concat()).is_none());
    }
}
