//! What the kernel asks of a FUSE filesystem and what it is told, as our own types: no fuser, no I/O.
//!
//! Only calls that may have to wait for a person are a [`Call`]. Reading, writing and listing go through a handle that
//! was opened, and never wait.

use crate::sys::Errno;
use crate::wire::subject::Action;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::time::SystemTime;

/// The node of the entry itself.
pub(super) const ROOT: u64 = 1;

/// Set in the flags of an open by execve(2) (`__FMODE_EXEC` of the kernel; libc has no name for it).
pub(super) const OPEN_FOR_EXEC: i32 = 0x20;

/// One call on a name or node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    /// What stands under this name?
    Lookup { parent: u64, name: OsString },
    /// Its attributes, by a handle when there is one.
    Attributes { node: u64, handle: Option<u64> },
    /// New attributes.
    Change { node: u64, handle: Option<u64>, change: Change },
    /// The text of a symlink.
    ReadLink { node: u64 },
    /// A new file (mknod(2)).
    Make { parent: u64, name: OsString, mode: u32 },
    /// A new folder.
    MakeFolder { parent: u64, name: OsString, mode: u32 },
    /// A symlink, a hard link, a device, a FIFO or a socket: never made here.
    MakeOther { parent: u64, name: OsString },
    /// A name goes.
    Remove { parent: u64, name: OsString, folder: bool },
    /// A name moves.
    Rename { parent: u64, name: OsString, new_parent: u64, new_name: OsString, flags: u32 },
    /// A file is opened.
    Open { node: u64, flags: i32 },
    /// A folder is opened.
    OpenFolder { node: u64 },
    /// access(2), and chdir(2).
    Access { node: u64, mask: i32 },
    /// A new file, opened.
    Create { parent: u64, name: OsString, mode: u32, flags: i32 },
}

/// What setattr(2)'s relatives change; `None` stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// Permission bits.
    pub(super) mode: Option<u32>,
    /// Owner or group are to change.
    pub(super) owner: bool,
    /// Length, bytes.
    pub(super) size: Option<u64>,
    /// Last access; the inner `None` means now.
    pub(super) accessed: Option<Option<SystemTime>>,
    /// Last change of the content; the same.
    pub(super) modified: Option<Option<SystemTime>>,
}

/// What kind of thing a node is. Nothing else is ever shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A folder.
    Folder,
    /// A regular file.
    File,
    /// A symlink, which the agent's kernel may follow and we never do.
    Link,
}

/// What stat(2) shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) node: u64,
    pub(super) kind: Kind,
    pub(super) size: u64,
    /// Permission bits, without set-user-id, set-group-id and sticky.
    pub(super) mode: u16,
    pub(super) links: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) accessed: SystemTime,
    pub(super) modified: SystemTime,
    pub(super) changed: SystemTime,
}

/// The answer to a [`Call`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Fail(Errno),
    Done,
    Shown(Attributes),
    Opened(u64),
    Created(Attributes, u64),
    Text(Vec<u8>),
}

impl Call {
    /// The node it is on: of the thing, or of the folder its name is in.
    pub(super) fn node(&self) -> u64 {
        match self {
            Self::Lookup { parent, .. }
            | Self::Make { parent, .. }
            | Self::MakeFolder { parent, .. }
            | Self::MakeOther { parent, .. }
            | Self::Remove { parent, .. }
            | Self::Rename { parent, .. }
            | Self::Create { parent, .. } => *parent,
            Self::Attributes { node, .. }
            | Self::Change { node, .. }
            | Self::ReadLink { node }
            | Self::Open { node, .. }
            | Self::OpenFolder { node }
            | Self::Access { node, .. } => *node,
        }
    }

    /// The name in it, where the call has one.
    pub(super) fn name(&self) -> Option<&OsStr> {
        match self {
            Self::Lookup { name, .. }
            | Self::Make { name, .. }
            | Self::MakeFolder { name, .. }
            | Self::MakeOther { name, .. }
            | Self::Remove { name, .. }
            | Self::Rename { name, .. }
            | Self::Create { name, .. } => Some(name),
            _ => None,
        }
    }

    /// What it would do, as far as one call tells: making a file begins with a lookup, which is a read.
    pub(super) fn action(&self) -> Action {
        match self {
            Self::Lookup { .. }
            | Self::Attributes { .. }
            | Self::ReadLink { .. }
            | Self::OpenFolder { .. } => Action::Read,
            Self::Change { .. } => Action::Overwrite,
            Self::Make { .. } | Self::MakeFolder { .. } | Self::MakeOther { .. } | Self::Create { .. } => {
                Action::Create
            }
            Self::Remove { .. } | Self::Rename { .. } => Action::Delete,
            Self::Open { flags, .. } => action_of_open(*flags),
            Self::Access { mask, .. } if mask & libc::W_OK != 0 => Action::Overwrite,
            Self::Access { .. } => Action::Read,
        }
    }
}

/// What an open for these flags would do.
pub(super) fn action_of_open(flags: i32) -> Action {
    let writes = flags & libc::O_ACCMODE != libc::O_RDONLY;
    match (writes, flags & libc::O_APPEND != 0 && flags & libc::O_TRUNC == 0) {
        (true, true) => Action::Append,
        (true, false) => Action::Overwrite,
        _ if flags & OPEN_FOR_EXEC != 0 => Action::Execute,
        _ => Action::Read,
    }
}

/// A name the kernel may give: one component of at most 255 bytes, and neither `.` nor `..`.
/// # Errors
/// `EINVAL` or `ENAMETOOLONG` for any other.
pub(super) fn check_name(name: &OsStr) -> Result<(), Errno> {
    let bytes = name.as_bytes();
    match bytes {
        b"" | b"." | b".." => Err(Errno::EINVAL),
        _ if bytes.iter().any(|byte| matches!(byte, b'/' | 0)) => Err(Errno::EINVAL),
        _ if bytes.len() > 255 => Err(Errno::ENAMETOOLONG),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_component() {
        let long = "x".repeat(256);
        for bad in ["", ".", "..", "a/b", "a\0b", &long] {
            assert!(check_name(OsStr::new(bad)).is_err(), "{bad:?}");
        }
        for good in [&b"a"[..], b"...", b"a\nb", b"\xff\xfe", "y".repeat(255).as_bytes()] {
            assert_eq!(check_name(OsStr::from_bytes(good)), Ok(()));
        }
    }

    #[test]
    fn an_open_is_the_action_its_flags_ask_for() {
        for (flags, action) in [
            (libc::O_RDONLY, Action::Read),
            (libc::O_RDONLY | OPEN_FOR_EXEC, Action::Execute),
            (libc::O_WRONLY | libc::O_APPEND, Action::Append),
            (libc::O_RDWR | libc::O_APPEND | libc::O_TRUNC, Action::Overwrite),
            (libc::O_RDWR, Action::Overwrite),
        ] {
            assert_eq!(action_of_open(flags), action, "{flags:o}");
        }
    }
}
