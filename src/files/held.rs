//! Files that are shown as a whole: redacted text, and programs of known digests.
//!
//! The content is read once into memory of this process, judged or changed there, and served from there. So what was
//! judged is what is read, whoever writes to the file meanwhile: no lease, no second look, no descriptor to protect.

use super::redact::Rules;
use crate::crypto::{Digest, sha256};
use crate::sys::Errno;
use crate::wire::files::Serve;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;

/// The largest file that is redacted. A larger one cannot be opened at all.
const MOST_TEXT: u64 = 64 << 20;
/// The largest program.
const MOST_PROGRAM: u64 = 512 << 20;

/// How an entry is served.
pub(super) enum Shape {
    /// Each call goes to the file itself.
    Plain,
    /// What is read goes through the rules.
    Redacted(Rules),
    /// Only these contents can be read or executed.
    Programs(BTreeSet<String>),
}

/// The content of one file.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) content: Vec<u8>,
    /// Matches that were replaced.
    pub(super) redacted: u64,
}

impl Held {
    /// Of a file that was just made.
    pub(super) fn empty() -> Self {
        Self { content: Vec::new(), redacted: 0 }
    }
}

impl Shape {
    /// The shape a profile asked for.
    /// # Errors
    /// `EINVAL` for a rule that is no regular expression, or a digest that is none.
    pub(super) fn of(serve: Option<&Serve>) -> Result<Self, Errno> {
        match serve {
            None | Some(Serve::Checked {}) => Ok(Self::Plain),
            Some(Serve::Redacted { rules }) => {
                Rules::new(rules).map(Self::Redacted).map_err(|_| Errno::EINVAL)
            }
            Some(Serve::Programs { sha256 }) => {
                if sha256.iter().any(|one| one.parse::<Digest>().is_err()) {
                    return Err(Errno::EINVAL);
                }
                Ok(Self::Programs(sha256.iter().cloned().collect()))
            }
        }
    }

    /// Whether files are shown as a whole.
    pub(super) fn holds(&self) -> bool {
        !matches!(self, Self::Plain)
    }

    /// Reads a file and makes of it what is shown.
    /// # Errors
    /// `EACCES` for what is too large, binary where text is wanted, or no listed program; what reading gives.
    pub(super) fn load(&self, file: OwnedFd) -> Result<Held, Errno> {
        match self {
            Self::Plain => Err(Errno::EACCES),
            Self::Redacted(rules) => {
                let raw = all_of(file, MOST_TEXT)?;
                // A NUL byte is in no text, and in every UTF-16 one: rules made for bytes would miss there.
                if raw.contains(&0) {
                    return Err(Errno::EACCES);
                }
                let (content, redacted) = rules.apply(raw);
                Ok(Held { content, redacted })
            }
            Self::Programs(known) => {
                let content = all_of(file, MOST_PROGRAM)?;
                let digest = sha256(&content).to_string();
                if known.contains(&digest) { Ok(Held { content, redacted: 0 }) } else { Err(Errno::EACCES) }
            }
        }
    }
}

fn all_of(file: OwnedFd, most: u64) -> Result<Vec<u8>, Errno> {
    let file = File::from(file);
    let length = file.metadata().map_err(errno_of)?.len();
    if length > most {
        return Err(Errno::EACCES);
    }
    let mut content = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(most + 1).read_to_end(&mut content).map_err(errno_of)?;
    let grown = u64::try_from(content.len()).unwrap_or(u64::MAX) > most;
    if grown { Err(Errno::EACCES) } else { Ok(content) }
}

fn errno_of(error: std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
