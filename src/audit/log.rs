//! The log of one run: a file that only grows, a line for each event.
//!
//! Never writes again after a write that failed or was cut short, and never opens a file that exists.

use super::AuditError;
use super::chain::Tip;
use super::event::Event;
use super::private::open_private;
use crate::base::RunId;
use crate::sys::Errno;
use crate::sys::file::openat;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// A log being written. It may move to another thread, and one thread may sync it while another waits.
#[derive(Debug)]
pub struct Log {
    file: File,
    dir: File,
    path: PathBuf,
    tip: Tip,
    usable: bool,
    name_is_durable: AtomicBool,
}

impl Log {
    /// Makes `RUN.jsonl` (mode 0600) in `dir`, and `dir` itself (0700) where missing.
    /// # Errors
    /// When the folder is not the caller's own or others may write to it, when the log exists, or as open(2).
    pub fn create(dir: &Path, run: RunId) -> Result<Self, AuditError> {
        let folder = open_private(dir)?;
        let (name, path) = (format!("{run}.jsonl"), dir.join(format!("{run}.jsonl")));
        let failed = |errno| AuditError::Io { what: "create the log", path: path.clone(), errno };
        let name = CString::new(name).map_err(|_| failed(Errno::EINVAL))?;
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_APPEND | libc::O_NOFOLLOW;
        let file = openat(folder.as_fd(), &name, flags, 0o600).map(File::from).map_err(failed)?;
        let name_is_durable = AtomicBool::new(false);
        Ok(Self { file, dir: folder, path, tip: Tip::new(run), usable: true, name_is_durable })
    }

    /// Writes one event, as one line in one write(2).
    /// # Errors
    /// When the kernel took less than the line or refused it (ENOSPC, EFBIG, EIO). The log then ends there: every
    /// later call fails too, and the caller must let nothing happen that needs a record.
    pub fn append(&mut self, event: &Event) -> Result<(), AuditError> {
        if !self.usable {
            return Err(AuditError::Closed { path: self.path.clone() });
        }
        let next = self.tip.line(event).map_err(|error| AuditError::Encode { why: error.to_string() })?;
        self.usable = false;
        let wrote = crate::sys::fd::write(self.file.as_fd(), &next.bytes)
            .map_err(|errno| self.failed("write to the log", errno))?;
        if wrote != next.bytes.len() {
            return Err(AuditError::Short { path: self.path.clone(), wrote, of: next.bytes.len() });
        }
        (self.usable, self.tip) = (true, next.tip);
        Ok(())
    }

    /// Waits until every line is on the disk (fdatasync(2)); the first time, the file's name too.
    /// # Errors
    /// EIO and the rest of fsync(2). The kernel reports such an error once; a later call proves nothing.
    pub fn sync(&self) -> Result<(), AuditError> {
        self.file.sync_data().map_err(|error| AuditError::io("sync the log", &self.path, &error))?;
        if !self.name_is_durable.load(Ordering::Acquire) {
            self.dir
                .sync_all()
                .map_err(|error| AuditError::io("sync the folder of the log", &self.path, &error))?;
            self.name_is_durable.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// The file's path, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn failed(&self, what: &'static str, errno: Errno) -> AuditError {
        AuditError::Io { what, path: self.path.clone(), errno }
    }
}

impl AsFd for Log {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
