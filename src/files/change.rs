//! Calls that make, move and remove names, and change attributes.
//!
//! Never replaces what is there unless overwriting was granted, and never gives a file more than the nine permission
//! bits.

use super::call::{Attributes, Change, Kind, check_name};
use super::entry::Caller;
use super::held::Held;
use super::object::{identity_of, kind_of, reopen};
use super::opened::Opened;
use super::served::Served;
use crate::sys::{Errno, file, name};
use crate::wire::subject::Action;
use nix::sys::stat::{Mode, UtimensatFlags, fchmod};
use nix::sys::time::TimeSpec;
use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The permission bits a new file may have.
const PERMISSIONS: u32 = 0o777;

impl Served {
    /// A new file, opened. One that is there by now is looked up again by the kernel, or is the error it asked for.
    pub(super) fn create(
        &self,
        caller: Caller,
        parent: u64,
        name: &OsStr,
        mode: u32,
        flags: i32,
    ) -> Result<(Attributes, u64), Errno> {
        let path = self.path_for_new(caller, parent, name)?;
        let writes = flags & libc::O_ACCMODE != libc::O_RDONLY;
        self.check_open(caller, flags, &path)?;
        let beneath = self.flags_beneath(flags) | libc::O_CREAT | libc::O_EXCL;
        let (fd, stat) = match self.object.open(&path, beneath, mode & PERMISSIONS) {
            Err(Errno::EEXIST) if flags & libc::O_EXCL == 0 => return Err(Errno::ESTALE),
            other => other?,
        };
        let kind = kind_of(&stat).ok_or(Errno::EACCES)?;
        let node = self.tree().remember(parent, name, identity_of(&stat, self.shape.holds()))?;
        let shown = self.shown(node, &stat, kind, &path);
        let opened = if self.shape.holds() && !writes {
            Opened::held(path, Arc::new(Held::empty())) // later content must not be read unredacted
        } else {
            Opened::file(path, fd, flags, !self.may(Action::Overwrite))
        };
        Ok((shown, self.keep(opened)?))
    }

    /// A new file, not opened.
    pub(super) fn make(
        &self,
        caller: Caller,
        parent: u64,
        name: &OsStr,
        mode: u32,
    ) -> Result<Attributes, Errno> {
        let path = self.path_for_new(caller, parent, name)?;
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL;
        drop(self.object.open(&path, flags, mode & PERMISSIONS)?);
        self.lookup(parent, name)
    }

    pub(super) fn make_folder(
        &self,
        caller: Caller,
        parent: u64,
        name: &OsStr,
        mode: u32,
    ) -> Result<Attributes, Errno> {
        self.path_for_new(caller, parent, name)?;
        let (folder, name_in) = self.folder_and_name(parent, name)?;
        file::mkdirat(folder.as_fd(), &name_in, mode & PERMISSIONS)?;
        self.lookup(parent, name)
    }

    pub(super) fn remove(
        &self,
        caller: Caller,
        parent: u64,
        name: &OsStr,
        folder: bool,
    ) -> Result<(), Errno> {
        check_name(name)?;
        let (path, _) = self.tree().path_in(parent, name)?;
        self.need(caller, &[Action::Delete], &path)?;
        let (at, name) = self.folder_and_name(parent, name)?;
        file::unlinkat(at.as_fd(), &name, folder)
    }

    /// Moves a name. Replacing or exchanging what is there is overwriting.
    pub(super) fn rename(
        &self,
        caller: Caller,
        from: (u64, &OsStr),
        to: (u64, &OsStr),
        flags: u32,
    ) -> Result<(), Errno> {
        check_name(from.1)?;
        check_name(to.1)?;
        if flags & !(libc::RENAME_NOREPLACE | libc::RENAME_EXCHANGE) != 0 {
            return Err(Errno::EINVAL);
        }
        let (old_path, _) = self.tree().path_in(from.0, from.1)?;
        let (new_path, _) = self.tree().path_in(to.0, to.1)?;
        self.need(caller, &[Action::Delete], &old_path)?;
        self.need(caller, &[Action::Create], &new_path)?;
        let replaces = self.may(Action::Overwrite);
        if flags & libc::RENAME_EXCHANGE != 0 {
            self.need(caller, &[Action::Overwrite], &new_path)?;
        }
        let careful = if replaces { flags } else { flags | libc::RENAME_NOREPLACE };
        let (old, old_name) = self.folder_and_name(from.0, from.1)?;
        let (new, new_name) = self.folder_and_name(to.0, to.1)?;
        match name::rename(old.as_fd(), &old_name, new.as_fd(), &new_name, careful) {
            Err(Errno::EEXIST) if !replaces && flags & libc::RENAME_NOREPLACE == 0 => {
                return Err(self.refuse(caller.pid, Action::Overwrite, &new_path, false));
            }
            other => other?,
        }
        if flags & libc::RENAME_EXCHANGE == 0 {
            self.tree().moved(from, to);
        }
        Ok(())
    }

    /// New attributes.
    pub(super) fn change(
        &self,
        caller: Caller,
        node: u64,
        handle: Option<u64>,
        change: &Change,
    ) -> Result<Attributes, Errno> {
        let (path, found) = self.look(node)?;
        if change.owner || found.kind == Kind::Link {
            return Err(Errno::EPERM);
        }
        if let Some(size) = change.size.filter(|size| i64::try_from(*size) != Ok(found.stat.st_size)) {
            self.need(caller, &[Action::Overwrite], &path)?;
            self.resize(handle, found.fd.as_fd(), size)?;
        }
        if let Some(mode) = change.mode.filter(|mode| mode & 0o7777 != found.stat.st_mode & 0o7777) {
            self.need(caller, &[Action::Overwrite], &path)?;
            let fd = reopen(found.fd.as_fd(), libc::O_RDONLY | libc::O_NONBLOCK)?;
            fchmod(fd, Mode::from_bits_truncate(mode & PERMISSIONS))?;
        }
        if change.accessed.is_some() || change.modified.is_some() {
            let action = if self.may(Action::Append) { Action::Append } else { Action::Overwrite };
            self.need(caller, &[action], &path)?;
            set_times(found.fd.as_fd(), change)?;
        }
        self.attributes(node, handle)
    }

    /// Cutting or stretching redacted text would be at another place than the one that was meant.
    fn resize(&self, handle: Option<u64>, found: BorrowedFd<'_>, size: u64) -> Result<(), Errno> {
        if self.shape.holds() {
            return Err(Errno::EACCES);
        }
        let size = i64::try_from(size).map_err(|_| Errno::EFBIG)?;
        let opened = handle.and_then(|handle| self.opened(handle).ok());
        match opened.as_ref().and_then(|opened| opened.written()) {
            Some(fd) => nix::unistd::ftruncate(fd, size),
            None => nix::unistd::ftruncate(reopen(found, libc::O_WRONLY | libc::O_NONBLOCK)?, size),
        }
    }

    fn path_for_new(&self, caller: Caller, parent: u64, name: &OsStr) -> Result<Vec<u8>, Errno> {
        check_name(name)?;
        let (path, _) = self.tree().path_in(parent, name)?;
        self.need(caller, &[Action::Create], &path)?;
        Ok(path)
    }

    /// The folder of a node, and a name as the kernel takes it.
    fn folder_and_name(&self, parent: u64, name: &OsStr) -> Result<(OwnedFd, CString), Errno> {
        let (_, found) = self.look(parent)?;
        if found.kind != Kind::Folder {
            return Err(Errno::ENOTDIR);
        }
        Ok((found.fd, CString::new(name.as_bytes()).map_err(|_| Errno::EINVAL)?))
    }
}

/// By the descriptor's own name in /proc: it was opened with O_PATH.
fn set_times(fd: BorrowedFd<'_>, change: &Change) -> Result<(), Errno> {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let (accessed, modified) = (time_spec(change.accessed), time_spec(change.modified));
    let follow = UtimensatFlags::FollowSymlink;
    nix::sys::stat::utimensat(file::working_folder(), path.as_str(), &accessed, &modified, follow)
}

fn time_spec(time: Option<Option<SystemTime>>) -> TimeSpec {
    match time {
        None => TimeSpec::UTIME_OMIT,
        Some(None) => TimeSpec::UTIME_NOW,
        Some(Some(time)) => match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => TimeSpec::from(since),
            Err(before) => TimeSpec::new(seconds_before(before.duration()), 0),
        },
    }
}

/// Whole seconds before 1970, rounded down.
fn seconds_before(before: Duration) -> i64 {
    let whole = before.as_secs() + u64::from(before.subsec_nanos() > 0);
    i64::try_from(whole).map_or(i64::MIN, |whole| -whole)
}
