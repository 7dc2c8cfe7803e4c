//! The files of one log: segments that only grow, with their openings beside them, and a reserve for the last word when
//! the disk is full.
//!
//! Never opens a segment that exists, and never writes to one that is not what it was after the last write. What opens a
//! leaf is written, and on the disk, before its block is.

use crate::audit::AuditError;
use crate::audit::private::open_private;
use crate::base::RunId;
use crate::sys::file::{begin_writeback, commits_together, mkdirat, openat, unlinkat, write_out};
use crate::sys::{Errno, fd};
use nix::fcntl::{AtFlags, FallocateFlags, fallocate};
use nix::sys::stat::fstatat;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A segment that has as many bytes gets no further block.
pub(super) const MOST_BYTES: u64 = 64 << 20;
/// More than a block has beside its leaves: head, note, and the leaf that names a key.
const BESIDE_LEAVES: u64 = 4 << 10;
/// Bytes that are held free for a last word.
const RESERVE_BYTES: u64 = 64 << 10;
const RESERVE: &str = "reserve";

/// The name of a segment.
pub(super) fn name(number: u32) -> String {
    format!("{number:08}.seg")
}

/// The name of the file of openings beside a segment.
pub(super) fn openings_name(number: u32) -> String {
    format!("{number:08}.openings")
}

/// A file that only we write to.
#[derive(Debug)]
struct Own {
    file: File,
    name: String,
    length: u64,
    identity: (u64, u64),
}

impl Own {
    fn create(folder: BorrowedFd<'_>, name: String) -> Result<Self, Errno> {
        let file = create(folder, &name)?;
        let identity = identity(&file)?;
        Ok(Self { file, name, length: 0, identity })
    }

    /// Whether the name leads to the file as the last write left it.
    fn is_itself(&self, folder: &File) -> bool {
        let there = fstatat(folder, self.name.as_str(), AtFlags::AT_SYMLINK_NOFOLLOW);
        there.is_ok_and(|there| {
            (there.st_dev, there.st_ino) == self.identity && u64::try_from(there.st_size) == Ok(self.length)
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        fd::write_all(self.file.as_fd(), bytes)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Takes away what is behind `length`.
    fn cut(&mut self, length: u64) {
        match self.file.set_len(length) {
            Ok(()) => self.length = length,
            Err(error) => tracing::debug!("what was cut short stays in {}: {error}", self.name),
        }
    }
}

/// The files of a log that is being written.
#[derive(Debug)]
pub(super) struct Segments {
    /// The folder above, until the name of this one is on the disk.
    above: Option<File>,
    folder: File,
    path: PathBuf,
    /// The first segment is held locked while the log is written: who can lock it knows that nobody writes. It stands
    /// here once another is written.
    first: Option<File>,
    segment: Own,
    openings: Own,
    /// Bytes of the openings that are on the disk.
    synced: u64,
    number: u32,
    names_are_durable: bool,
    /// What was written before a sync of the segment is kept by it.
    together: bool,
}

impl Segments {
    /// Makes the folder of a run (0700) in `runs`, the first segment (0600), and the reserve.
    /// # Errors
    /// When the folder exists, when `runs` is not the caller's alone, or the disk is full.
    pub(super) fn create(runs: &Path, run: RunId) -> Result<Self, AuditError> {
        let above = open_private(runs)?;
        let (name, path) = (run.to_string(), runs.join(run.to_string()));
        let failed = |errno| AuditError::Io { what: "create the log", path: path.clone(), errno };
        let name = CString::new(name).map_err(|_| failed(Errno::EINVAL))?;
        mkdirat(above.as_fd(), &name, 0o700).map_err(failed)?;
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW;
        let folder = openat(above.as_fd(), &name, flags, 0).map(File::from).map_err(failed)?;
        let segment = Own::create(folder.as_fd(), self::name(0)).map_err(failed)?;
        // Readers look whether a writer lives, by a lock of their own.
        fd::lock_soon(&segment.file).map_err(failed)?;
        let openings = Own::create(folder.as_fd(), openings_name(0)).map_err(failed)?;
        reserve(folder.as_fd()).map_err(failed)?;
        let (above, names_are_durable) = (Some(above), false);
        let together = commits_together(segment.file.as_fd());
        Ok(Self {
            above,
            folder,
            path,
            first: None,
            segment,
            openings,
            synced: 0,
            number: 0,
            names_are_durable,
            together,
        })
    }

    /// The path of the first segment, for messages and for probes.
    pub(super) fn first(&self) -> PathBuf {
        self.path.join(name(0))
    }

    fn failed(&self, what: &'static str, errno: Errno) -> AuditError {
        AuditError::Io { what, path: self.path.join(&self.segment.name), errno }
    }

    /// Whether a block with as many bytes of leaves and openings may be the segment's last: an epoch does not go on in
    /// the next.
    pub(super) fn ends(&self, bytes: usize) -> bool {
        self.length() + bytes as u64 + BESIDE_LEAVES >= MOST_BYTES
    }

    fn length(&self) -> u64 {
        self.segment.length.max(self.openings.length)
    }

    /// Writes a block and before it what opens its leaves. After an error both files end where they ended before, as far
    /// as that can be.
    /// # Errors
    /// As write(2); [`AuditError::Replaced`] when one is another file by now, or has another length.
    pub(super) fn write(&mut self, block: &[u8], openings: &[u8]) -> Result<(), AuditError> {
        if self.length() >= MOST_BYTES {
            self.sync()?;
            self.next()?;
        }
        if let Some(other) =
            [&self.segment, &self.openings].into_iter().find(|own| !own.is_itself(&self.folder))
        {
            return Err(AuditError::Replaced { path: self.path.join(&other.name) });
        }
        let before = (self.segment.length, self.openings.length);
        let opened = if openings.is_empty() { Ok(()) } else { self.openings.write(openings) };
        if let Err(errno) = opened.and_then(|()| self.segment.write(block)) {
            self.segment.cut(before.0);
            self.openings.cut(before.1);
            return Err(self.failed("write to the log", errno));
        }
        Ok(())
    }

    /// Goes on in a new segment.
    /// # Errors
    /// As open(2).
    pub(super) fn next(&mut self) -> Result<(), AuditError> {
        let number = self.number + 1;
        let make = |name| {
            Own::create(self.folder.as_fd(), name).map_err(|errno| self.failed("go on after the log", errno))
        };
        let (segment, openings) = (make(name(number))?, make(openings_name(number))?);
        let before = std::mem::replace(&mut self.segment, segment);
        self.first.get_or_insert(before.file);
        (self.openings, self.synced, self.number) = (openings, 0, number);
        self.names_are_durable = false;
        Ok(())
    }

    /// Waits until every block is on the disk (fdatasync(2)), its openings first; the first time, the names too.
    /// # Errors
    /// EIO and the rest of fsync(2). The kernel reports such an error once; a later call proves nothing.
    pub(super) fn sync(&mut self) -> Result<(), AuditError> {
        let failed = |error: std::io::Error| {
            AuditError::io("sync the log", &self.path.join(&self.segment.name), &error)
        };
        if self.synced != self.openings.length {
            // The block is on its way meanwhile, so that the file system commits both at once.
            begin_writeback(self.segment.file.as_fd());
            let openings = &self.openings.file;
            if !(self.together && write_out(openings.as_fd()).is_ok()) {
                openings.sync_data().map_err(failed)?;
            }
            self.synced = self.openings.length;
        }
        self.segment.file.sync_data().map_err(failed)?;
        if !self.names_are_durable {
            let above = self.above.take();
            let synced = self.folder.sync_all().and_then(|()| above.as_ref().map_or(Ok(()), File::sync_all));
            synced.map_err(failed)?;
            self.names_are_durable = true;
        }
        Ok(())
    }

    /// Frees the reserve.
    pub(super) fn free_reserve(&self) {
        if let Err(errno) = unlinkat(self.folder.as_fd(), c"reserve", false) {
            tracing::debug!("the reserve of the log stays: {errno}");
        }
    }
}

fn create(folder: BorrowedFd<'_>, name: &str) -> Result<File, Errno> {
    let name = CString::new(name).map_err(|_| Errno::EINVAL)?;
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_APPEND | libc::O_NOFOLLOW;
    openat(folder, &name, flags, 0o600).map(File::from)
}

fn identity(file: &File) -> Result<(u64, u64), Errno> {
    let facts = file.metadata().map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))?;
    Ok((facts.dev(), facts.ino()))
}

/// Where fallocate(2) is not offered, zeros take the room.
fn reserve(folder: BorrowedFd<'_>) -> Result<(), Errno> {
    let file = create(folder, RESERVE)?;
    let length = i64::try_from(RESERVE_BYTES).unwrap_or(i64::MAX);
    match fallocate(file.as_fd(), FallocateFlags::empty(), 0, length) {
        Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => {
            crate::sys::fd::write_all(file.as_fd(), &vec![0; usize::try_from(RESERVE_BYTES).unwrap_or(0)])
        }
        other => other,
    }
}
