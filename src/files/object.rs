//! What a person approved, held by its descriptor, and everything below it.
//!
//! Never leaves it, never follows a symlink, and never opens anything but regular files and folders.

use super::call::Kind;
use super::tree::Identity;
use crate::sys::file::{self, RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS};
use crate::sys::{Errno, Sys};
use nix::sys::stat::{FileStat, fstat};
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, SystemTime};

/// How often a walk is tried that a rename elsewhere in the tree disturbed (openat2(2), EAGAIN).
const TRIES: u32 = 16;

/// The object.
#[derive(Debug)]
pub(super) struct Object {
    fd: OwnedFd,
    folder: bool,
}

/// A file or folder that was looked at, not opened.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) fd: OwnedFd,
    pub(super) stat: FileStat,
    pub(super) kind: Kind,
}

impl Object {
    pub(super) fn new(fd: OwnedFd, folder: bool) -> Self {
        Self { fd, folder }
    }

    /// Looks at what a path names; a symlink at its end is looked at itself.
    /// # Errors
    /// As openat2(2); `EACCES` for a device, a FIFO or a socket.
    pub(super) fn look(&self, path: &[u8]) -> Sys<Found> {
        let fd = if path.is_empty() {
            self.fd.try_clone().map_err(errno_of)?
        } else {
            self.walk(path, libc::O_PATH, 0)?
        };
        let stat = fstat(&fd)?;
        let kind = kind_of(&stat).ok_or(Errno::EACCES)?;
        Ok(Found { fd, stat, kind })
    }

    /// Opens a file or folder. The caller compares its identity.
    /// # Errors
    /// As openat2(2); `EACCES` for what is neither.
    pub(super) fn open(&self, path: &[u8], flags: i32, mode: u32) -> Sys<(OwnedFd, FileStat)> {
        let flags = flags | libc::O_NONBLOCK | libc::O_NOCTTY;
        let fd =
            if path.is_empty() && !self.folder { self.again(flags)? } else { self.walk(path, flags, mode)? };
        let stat = fstat(&fd)?;
        match kind_of(&stat) {
            Some(Kind::File | Kind::Folder) => Ok((fd, stat)),
            _ => Err(Errno::EACCES),
        }
    }

    /// The object itself is a file: opened anew through its own descriptor.
    fn again(&self, flags: i32) -> Sys<OwnedFd> {
        reopen(self.fd.as_fd(), flags)
    }

    fn walk(&self, path: &[u8], flags: i32, mode: u32) -> Sys<OwnedFd> {
        let path = if path.is_empty() { b"." } else { path };
        let path = CString::new(path).map_err(|_| Errno::EINVAL)?;
        let flags = flags | libc::O_CLOEXEC | libc::O_NOFOLLOW;
        let resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
        let mut result = Err(Errno::EAGAIN);
        for _ in 0..TRIES {
            result = file::openat2(self.fd.as_fd(), &path, flags, mode, resolve);
            if !matches!(result, Err(Errno::EAGAIN)) {
                break;
            }
        }
        result
    }
}

/// Opens what a descriptor names once more, with other flags.
/// # Errors
/// As open(2); `ENOENT` without /proc.
pub(super) fn reopen(fd: BorrowedFd<'_>, flags: i32) -> Sys<OwnedFd> {
    let path = CString::new(format!("/proc/self/fd/{}", fd.as_raw_fd())).map_err(|_| Errno::EINVAL)?;
    file::open(&path, flags)
}

/// The kind of what is shown; `None` for what is not.
pub(super) fn kind_of(stat: &FileStat) -> Option<Kind> {
    match stat.st_mode & libc::S_IFMT {
        libc::S_IFDIR => Some(Kind::Folder),
        libc::S_IFREG => Some(Kind::File),
        libc::S_IFLNK => Some(Kind::Link),
        _ => None,
    }
}

/// Which file this is.
pub(super) fn identity_of(stat: &FileStat, versioned: bool) -> Identity {
    let regular = stat.st_mode & libc::S_IFMT == libc::S_IFREG;
    let version = if versioned && regular { version_of(stat) } else { 0 };
    Identity { dev: stat.st_dev, ino: stat.st_ino, version }
}

/// The time of the last change of content or attributes, nanoseconds.
pub(super) fn version_of(stat: &FileStat) -> i128 {
    i128::from(stat.st_ctime) * 1_000_000_000 + i128::from(stat.st_ctime_nsec)
}

/// A time of stat(2).
pub(super) fn time(seconds: i64, nanoseconds: i64) -> SystemTime {
    let nanoseconds = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0));
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(whole)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(whole)
    };
    time.and_then(|time| time.checked_add(nanoseconds)).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn errno_of(error: std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
