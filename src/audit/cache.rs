//! Remembers digests of files that have not changed, so that a start need not read them again.
//!
//! Never the truth by itself: a digest is taken from here only when the file's identity, size and times are those
//! it had when it was hashed, and nobody could have changed it without changing those (see [`settled`]). The cache
//! belongs to the user it serves: who may write to it (that user, root) may as well change this program. It lies
//! outside every sandbox.

use super::AuditError;
use super::private::open_private;
use crate::base::WallTime;
use crate::crypto::{Digest, sha256_file};
use crate::sys::Errno;
use crate::sys::file::openat;
use nix::sys::stat::{FileStat, fstat};
use nix::sys::statfs;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// The most entries; beyond it the oldest go.
const MAX_ENTRIES: usize = 512;
/// A file changed this recently may change again without its times changing: the clock of a file system ticks
/// slowly, up to two seconds on some.
const MIN_AGE_NANOS: i128 = 2_000_000_000;

/// A folder with one small file for each digest.
#[derive(Debug)]
pub struct DigestCache {
    dir: File,
    path: PathBuf,
}

impl DigestCache {
    /// Opens the cache in `dir` (mode 0700), making it where missing.
    /// # Errors
    /// When the folder is not the caller's own or others may write to it. Doing without a cache is then right:
    /// [`sha256_file`] gives the same digests.
    pub fn open(dir: &Path) -> Result<Self, AuditError> {
        Ok(Self { dir: open_private(dir)?, path: dir.to_owned() })
    }

    /// The digest of an open regular file, from the cache or from its bytes. `fd` must be open for reading only.
    /// # Errors
    /// As [`sha256_file`]. Trouble with the cache itself is no error: the file is read instead.
    pub fn digest_of(&self, fd: BorrowedFd<'_>) -> io::Result<Digest> {
        let before = fstat(fd)?;
        if !settled(fd, &before) {
            return sha256_file(fd);
        }
        let key = key_of(&before);
        if let Some(known) = self.look_up(&key) {
            return Ok(known);
        }
        let digest = sha256_file(fd)?;
        if fstat(fd).is_ok_and(|after| key_of(&after) == key) && self.insert(&key, digest).is_ok() {
            self.forget_oldest();
        }
        Ok(digest)
    }

    fn look_up(&self, key: &CStr) -> Option<Digest> {
        let file =
            openat(self.dir.as_fd(), key, libc::O_RDONLY | libc::O_NOFOLLOW | libc::O_NONBLOCK, 0).ok()?;
        let mut text = String::new();
        File::from(file).take(66).read_to_string(&mut text).ok()?;
        text.strip_suffix('\n')?.parse().ok()
    }

    /// Writes aside and renames: a reader sees a whole entry or none.
    fn insert(&self, key: &CStr, digest: Digest) -> Result<(), Errno> {
        let random = u64::from_le_bytes(crate::sys::random::random_bytes()?);
        let aside = CString::new(format!(".new-{random:016x}")).map_err(|_| Errno::EINVAL)?;
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
        let mut file = openat(self.dir.as_fd(), &aside, flags, 0o600).map(File::from)?;
        let wrote = file.write_all(format!("{digest}\n").as_bytes()).map_err(|_| Errno::EIO);
        let named = wrote.and_then(|()| nix::fcntl::renameat(&self.dir, aside.as_c_str(), &self.dir, key));
        if named.is_err() {
            crate::sys::file::unlinkat(self.dir.as_fd(), &aside, false)?;
        }
        named
    }

    /// Keeps the cache small. Trouble here is left alone: the next insertion tries again.
    fn forget_oldest(&self) {
        let Ok(entries) = std::fs::read_dir(&self.path) else { return };
        let names: Vec<_> = entries.flatten().collect();
        if names.len() <= MAX_ENTRIES {
            return;
        }
        let mut by_age: Vec<_> =
            names.iter().filter_map(|name| Some((name.metadata().ok()?.modified().ok()?, name))).collect();
        by_age.sort_unstable_by_key(|(modified, _)| *modified);
        for (_, entry) in by_age.iter().take(names.len() - MAX_ENTRIES * 3 / 4) {
            let Ok(name) = CString::new(entry.file_name().as_encoded_bytes()) else { continue };
            if crate::sys::file::unlinkat(self.dir.as_fd(), &name, false).is_err() {
                return;
            }
        }
    }
}

/// Device, inode, size and both times in nanoseconds. A user can set the modification time but not the change time.
fn key_of(stat: &FileStat) -> CString {
    let text = format!(
        "{:x}-{:x}-{:x}-{:x}.{:x}-{:x}.{:x}",
        stat.st_dev,
        stat.st_ino,
        stat.st_size,
        stat.st_mtime,
        stat.st_mtime_nsec,
        stat.st_ctime,
        stat.st_ctime_nsec
    );
    CString::new(text).unwrap_or_default()
}

/// Whether every later change of the file is bound to change its change time. Three ways around that are closed: a
/// change within one tick of the clock; a writer that has its page mapped already and stores without a system call;
/// a file system where a store through a mapping moves no time (tmpfs) or where someone makes up the times (FUSE).
fn settled(fd: BorrowedFd<'_>, stat: &FileStat) -> bool {
    let changed = i128::from(stat.st_ctime) * 1_000_000_000 + i128::from(stat.st_ctime_nsec);
    let old = WallTime::now().0 - changed > MIN_AGE_NANOS;
    old && stat.st_mode & libc::S_IFMT == libc::S_IFREG && has_honest_times(fd) && has_no_writer(fd, stat)
}

fn has_honest_times(fd: BorrowedFd<'_>) -> bool {
    let honest = [
        statfs::EXT4_SUPER_MAGIC,
        statfs::BTRFS_SUPER_MAGIC,
        statfs::F2FS_SUPER_MAGIC,
        statfs::XFS_SUPER_MAGIC,
    ];
    statfs::fstatfs(fd).is_ok_and(|facts| honest.contains(&facts.filesystem_type()))
}

/// A file that is not the caller's own cannot be asked for writers. If it is root's and nobody else may write to it,
/// then no agent of this user can be one.
fn has_no_writer(fd: BorrowedFd<'_>, stat: &FileStat) -> bool {
    match crate::sys::lease::has_writer(fd) {
        Ok(writer) => !writer,
        Err(Errno::EACCES) => stat.st_uid == 0 && stat.st_mode & 0o022 == 0,
        Err(_) => false,
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
