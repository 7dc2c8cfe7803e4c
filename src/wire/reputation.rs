//! Guardian or launcher and role `reputation`: who is to be asked, questions about programs, and answers.

use serde::{Deserialize, Serialize};

/// To the role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ToReputation {
    /// Who is asked. The first message, and no other is one of these.
    Begin {
        /// A command or an address.
        by: By,
        /// No answer after this many milliseconds means no.
        timeout_ms: u64,
    },
    /// A question. Answers come in the order of the questions.
    Ask {
        /// Names the answer.
        id: u64,
        /// Lower-case hex of the content's SHA-256.
        sha256: String,
        /// The canonical path on the host.
        path: String,
        /// Bytes of the content.
        size: u64,
    },
}

/// Who knows programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum By {
    /// A program by its absolute path, and its arguments.
    Command {
        /// Them.
        argv: Vec<String>,
    },
    /// An address.
    Url {
        /// `https://…`.
        url: String,
        /// The message carries a file of certificates to trust instead of the usual ones.
        ca: bool,
    },
}

/// From the role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum FromReputation {
    /// An answer.
    Answered {
        /// The question's id.
        id: u64,
        /// What is known.
        standing: Standing,
        /// Why, for people; its writer is a stranger.
        reason: String,
    },
}

/// What is known of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Known to be good.
    Good,
    /// Known to be bad.
    Bad,
    /// Not known.
    Unknown,
    /// There was no answer, or one that makes no sense.
    Failed,
}

impl Standing {
    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
        }
    }
}
