//! Why a record could not be written or read.

use crate::base::Escaped;
use crate::sys::Errno;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What was tried, on what, and why it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditError {
    /// A system call failed.
    Io {
        /// What was tried, as the start of a sentence.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        errno: Errno,
    },
    /// A folder of ours is open to others.
    NotPrivate {
        /// The folder.
        path: PathBuf,
        /// How it is.
        why: String,
    },
    /// The file of the log is another by now, or was changed.
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// An event cannot be proven.
    NoProof {
        /// The log.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Keys could not be made or used.
    Keys {
        /// Why.
        errno: Errno,
    },
    /// An earlier write failed; the log ends there.
    Closed {
        /// The log.
        path: PathBuf,
    },
    /// An event could not be written as JSON.
    Encode {
        /// What the serializer said.
        why: String,
    },
    /// No place for records is known.
    NoHome {
        /// The variable that would name one.
        variable: &'static str,
    },
    /// The kernel gave no random bytes.
    Random {
        /// Why.
        errno: Errno,
    },
    /// The index could not answer.
    Index {
        /// Its file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The log of a device was changed, so nobody knows which runs are held.
    HoldsUnknown {
        /// Its folder.
        path: PathBuf,
    },
    /// A question makes no sense.
    Question {
        /// What is wrong with it.
        why: String,
    },
    /// No log, or more than one, is meant by a word of the caller.
    NoSuchRun {
        /// The word.
        asked: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is no such kind of event.
    NoSuchEvent {
        /// The word of the caller.
        asked: String,
    },
}

impl AuditError {
    /// Of a call of the standard library.
    pub(crate) fn io(what: &'static str, path: &Path, error: &io::Error) -> Self {
        let errno = error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
        Self::Io { what, path: path.to_owned(), errno }
    }
}

impl fmt::Display for AuditError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { what, path, errno } => write!(out, "{what} {}: {}", shown(path), described(*errno)),
            Self::NotPrivate { path, why } => write!(
                out,
                "keep records in {}: {why}\nhint: make it yours alone (chown, chmod 0700)",
                shown(path)
            ),
            Self::Replaced { path } => {
                write!(out, "write to the log {}: it was replaced or changed by somebody else", shown(path))
            }
            Self::NoProof { path, why } => {
                write!(out, "prove an event of {}: {}", shown(path), Escaped(why.as_bytes()))
            }
            Self::Keys { errno } => {
                write!(
                    out,
                    "make the keys of the log: {}\nhint: `ulimit -l` must leave a page to lock",
                    described(*errno)
                )
            }
            Self::Closed { path } => write!(out, "write to the log {}: an earlier write failed", shown(path)),
            Self::Encode { why } => write!(out, "write an event as JSON: {why}"),
            Self::NoHome { variable } => {
                write!(out, "find a place for records: no home folder is known\nhint: set {variable} or HOME")
            }
            Self::Random { errno } => write!(out, "make a run id: getrandom: {}", described(*errno)),
            Self::Index { path, why } => write!(
                out,
                "ask the index {}: {}\nhint: it can be removed; the next question makes it anew",
                shown(path),
                Escaped(why.as_bytes())
            ),
            Self::NoSuchEvent { asked } => write!(
                out,
                "find event {}: there is none of that name\nhint: `aisandbox audit schema` lists them",
                Escaped(asked.as_bytes())
            ),
            Self::HoldsUnknown { path } => write!(
                out,
                "find out which runs are held: the device's log in {} was changed, and nothing is withheld or removed\n\
                 hint: `aisandbox audit verify --all` says where; once that is understood, move the folder away",
                shown(path)
            ),
            Self::Question { why } => out.write_str(why),
            Self::NoSuchRun { asked, why } => {
                write!(
                    out,
                    "find run {}: {why}\nhint: `aisandbox audit list` shows the runs",
                    Escaped(asked.as_bytes())
                )
            }
        }
    }
}

impl std::error::Error for AuditError {}

fn shown(path: &Path) -> Escaped<'_> {
    Escaped(path.as_os_str().as_bytes())
}

fn described(errno: Errno) -> String {
    format!("{errno:?}: {}", errno.desc())
}
