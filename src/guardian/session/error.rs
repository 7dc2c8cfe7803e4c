//! Why a session folder cannot be made, found or believed.

use crate::base::escape;
use crate::sys::Errno;
use std::fmt;
use std::path::PathBuf;

/// What was tried, on what, and why it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionError {
    /// A system call failed.
    Sys {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// The kernel's reason.
        errno: Errno,
    },
    /// A folder or file that is not what it must be.
    Surprise {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// There is neither a runtime folder nor a home.
    NoPlace,
}

impl fmt::Display for SessionError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |path: &PathBuf| escape(path.as_os_str().as_encoded_bytes());
        match self {
            Self::Sys { what, path, errno } => {
                write!(out, "{what} {}: {errno:?}: {}", shown(path), errno.desc())
            }
            Self::Surprise { path, why } => write!(out, "the session folder {}: {why}", shown(path)),
            Self::NoPlace => out.write_str(
                "no place for session folders: neither XDG_RUNTIME_DIR nor a home folder is known",
            ),
        }
    }
}

impl std::error::Error for SessionError {}

impl SessionError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Sys { .. } => None,
            Self::Surprise { .. } => Some("find out who made it, then remove it; nothing was changed"),
            Self::NoPlace => Some("set XDG_RUNTIME_DIR to a folder of yours with mode 0700"),
        }
    }
}
