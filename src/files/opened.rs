//! What is open: read, written and listed by handle, counted, and gone with a withdrawal.
//!
//! Never writes anywhere but at the end of a file unless overwriting was granted.

use super::call::Kind;
use super::held::Held;
use super::served::Served;
use crate::sys::listing::Listed;
use crate::sys::{Errno, Sys};
use crate::wire::subject::Action;
use nix::sys::stat::{FileStat, fstat};
use nix::sys::uio::{pread, pwrite};
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// An open file or folder.
pub(super) struct Opened {
    pub(super) path: Vec<u8>,
    what: What,
}

enum What {
    File { fd: OwnedFd, flags: i32, only_append: bool },
    Held(Arc<Held>),
    Folder(Vec<Name>),
}

/// A name of a listing.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) inode: u64,
    pub(super) kind: Kind,
    pub(super) name: OsString,
}

/// A write, as the kernel gives it.
#[derive(Debug)]
pub(super) struct Write<'a> {
    pub(super) handle: u64,
    pub(super) offset: u64,
    pub(super) data: &'a [u8],
    /// From a shared mapping, not from write(2).
    pub(super) mapped: bool,
    /// The writer's descriptor has O_APPEND now.
    pub(super) at_end: bool,
    pub(super) pid: u32,
}

impl Opened {
    pub(super) fn file(path: Vec<u8>, fd: OwnedFd, flags: i32, only_append: bool) -> Self {
        Self { path, what: What::File { fd, flags, only_append } }
    }

    pub(super) fn held(path: Vec<u8>, held: Arc<Held>) -> Self {
        Self { path, what: What::Held(held) }
    }

    pub(super) fn folder(node: u64, path: Vec<u8>, names: &[Listed]) -> Self {
        let own = [(".", node), ("..", node)].map(|(name, inode)| Name {
            inode,
            kind: Kind::Folder,
            name: name.into(),
        });
        let shown = names.iter().filter_map(|one| {
            let kind = match one.kind {
                libc::DT_DIR => Kind::Folder,
                libc::DT_LNK => Kind::Link,
                libc::DT_REG | libc::DT_UNKNOWN => Kind::File,
                _ => return None,
            };
            Some(Name { inode: one.inode, kind, name: one.name.clone() })
        });
        let names = own.into_iter().chain(shown).collect();
        Self { path, what: What::Folder(names) }
    }

    /// The attributes by the open file itself, whatever its name means by now.
    pub(super) fn stat(&self) -> Option<Sys<FileStat>> {
        self.written().map(fstat)
    }

    /// The descriptor beneath, where there is one.
    pub(super) fn written(&self) -> Option<BorrowedFd<'_>> {
        match &self.what {
            What::File { fd, .. } => Some(fd.as_fd()),
            What::Held(_) | What::Folder(_) => None,
        }
    }

    fn read(&self, offset: u64, size: usize) -> Result<Vec<u8>, Errno> {
        match &self.what {
            What::File { fd, flags, .. } if flags & libc::O_ACCMODE != libc::O_WRONLY => {
                read_at(fd.as_fd(), offset, size)
            }
            What::Held(held) => {
                let length = held.content.len();
                let from = usize::try_from(offset).unwrap_or(usize::MAX).min(length);
                let upto = from.saturating_add(size).min(length);
                Ok(held.content.get(from..upto).unwrap_or_default().to_vec())
            }
            _ => Err(Errno::EBADF),
        }
    }
}

fn read_at(fd: BorrowedFd<'_>, offset: u64, size: usize) -> Result<Vec<u8>, Errno> {
    let mut data = vec![0; size];
    let mut filled = 0;
    while let Some(rest) = data.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let at = i64::try_from(offset.saturating_add(filled as u64)).map_err(|_| Errno::EINVAL)?;
        match pread(fd, rest, at) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(Errno::EINTR) => {}
            Err(errno) if filled == 0 => return Err(errno),
            Err(_) => break,
        }
    }
    data.truncate(filled);
    Ok(data)
}

impl Served {
    /// Reads from what is open, as much as the limit leaves.
    /// # Errors
    /// `EDQUOT` once the limit is reached, `EIO` after a withdrawal, what pread(2) gives.
    pub(super) fn read(&self, handle: u64, offset: u64, size: u32, pid: u32) -> Result<Vec<u8>, Errno> {
        let opened = self.opened(handle)?;
        let mut data = opened.read(offset, usize::try_from(size).unwrap_or(0))?;
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let taken = self.budget.take(length);
        if length > 0 && taken == 0 {
            return Err(self.refuse(pid, Action::Read, &opened.path, true));
        }
        data.truncate(usize::try_from(taken).unwrap_or(0));
        if taken > 0 {
            self.report.moved(self.number(), taken, 0, 0);
        }
        Ok(data)
    }

    /// Writes to what is open, as much as the limit leaves; gives how much.
    /// # Errors
    /// `EACCES` for a write that is not at the end where only appending was granted; otherwise as [`Self::read`].
    pub(super) fn write(&self, write: &Write<'_>) -> Result<usize, Errno> {
        let opened = self.opened(write.handle)?;
        let What::File { fd, flags, only_append } = &opened.what else { return Err(Errno::EBADF) };
        if flags & libc::O_ACCMODE == libc::O_RDONLY {
            return Err(Errno::EBADF);
        }
        let offset = i64::try_from(write.offset).map_err(|_| Errno::EFBIG)?;
        if *only_append && !is_at_end(fd.as_fd(), write)? {
            return Err(self.refuse(write.pid, Action::Overwrite, &opened.path, false));
        }
        let wished = u64::try_from(write.data.len()).unwrap_or(u64::MAX);
        let taken = self.budget.take(wished);
        if wished > 0 && taken == 0 {
            let action = if *only_append { Action::Append } else { Action::Overwrite };
            return Err(self.refuse(write.pid, action, &opened.path, true));
        }
        let data = write.data.get(..usize::try_from(taken).unwrap_or(0)).unwrap_or_default();
        let wrote = put(fd.as_fd(), data, offset);
        let count = u64::try_from(*wrote.as_ref().unwrap_or(&0)).unwrap_or(0);
        self.budget.give_back(taken.saturating_sub(count));
        self.report.moved(self.number(), 0, count, 0);
        wrote
    }

    /// Writes what the kernel holds for an open file to its disk.
    /// # Errors
    /// `EIO` after a withdrawal, what fsync(2) gives.
    pub(super) fn sync(&self, handle: u64, data_only: bool) -> Result<(), Errno> {
        let opened = self.opened(handle)?;
        match opened.written() {
            Some(fd) if data_only => nix::unistd::fdatasync(fd),
            Some(fd) => nix::unistd::fsync(fd),
            None => Ok(()),
        }
    }

    /// Gives names of an open folder from one place on, until `add` says it is full.
    /// # Errors
    /// `EIO` after a withdrawal, `ENOTDIR` for a file.
    pub(super) fn list(
        &self,
        handle: u64,
        from: u64,
        mut add: impl FnMut(u64, &Name) -> bool,
    ) -> Result<(), Errno> {
        let opened = self.opened(handle)?;
        let What::Folder(names) = &opened.what else { return Err(Errno::ENOTDIR) };
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        for (place, name) in names.iter().enumerate().skip(from) {
            if add(u64::try_from(place).unwrap_or(0).saturating_add(1), name) {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn holds(&self, handle: u64) -> bool {
        self.opened(handle).is_ok()
    }
}

/// A write of a descriptor with O_APPEND goes to the end whatever place the kernel thought that was. Any other must name
/// it. The file beneath has O_APPEND itself: what grows between this look and the write is not overwritten either.
fn is_at_end(fd: BorrowedFd<'_>, write: &Write<'_>) -> Result<bool, Errno> {
    if write.mapped {
        return Ok(false);
    }
    let end = u64::try_from(fstat(fd)?.st_size).unwrap_or(0);
    Ok(write.at_end || write.offset == end)
}

fn put(fd: BorrowedFd<'_>, data: &[u8], offset: i64) -> Result<usize, Errno> {
    loop {
        match pwrite(fd, data, offset) {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}
