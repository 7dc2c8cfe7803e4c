//! Takes openings away from one log for good: its leaves stay, and what was committed to can never be shown again.
//!
//! Never touches a log that somebody writes, or that was changed. What is new is whole on the disk before the device's log
//! says what was withheld, and only then takes the place of what was there, which is overwritten.

use super::hex::Hex;
use super::join::Opening;
use super::openings::{RedactionId, add_withheld, parse};
use super::reader::{Found, State, Verdict, goes_on, read};
use super::segment::openings_name;
use super::stored::{Stored, packed_name};
use crate::audit::AuditError;
use crate::base::zstd;
use crate::crypto::sha256;
use crate::sys::Errno;
use crate::sys::file::{exchange, renameat, unlinkat};
use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Zeros that are written at once.
const ZEROS: usize = 1 << 16;

/// Why nothing of a log can be withheld now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotNow {
    /// Its run goes on.
    GoesOn,
    /// It was changed: it is evidence, and stays byte for byte.
    Tampered,
    /// Somebody else packs it or withholds something of it.
    Busy,
}

/// What is ready to be withheld; nothing of the log was changed yet.
#[derive(Debug)]
pub struct Withholding {
    folder: PathBuf,
    /// Keeps others from packing or withholding.
    lock: File,
    id: RedactionId,
    /// The leaves, in order.
    indexes: Vec<u64>,
    /// The files that have a new form beside them.
    files: Vec<String>,
    done: bool,
}

/// The leaves of a log that `which` means and whose personal fields are there; takes no file and changes none.
/// # Errors
/// When the log cannot be read.
pub fn matching(
    folder: &Path,
    which: &mut dyn FnMut(&Found<'_>) -> bool,
) -> Result<(Verdict, Vec<u64>), AuditError> {
    let mut indexes = Vec::new();
    let verdict = read(folder, &mut |found| {
        if matches!(found.opening, Opening::Open(_)) && which(&found) {
            indexes.push(found.index);
        }
    })?;
    Ok((verdict, indexes))
}

/// A digest over the leaves of one redaction.
pub(super) fn digest_of(indexes: &[u64]) -> Hex<32> {
    let bytes: Vec<u8> = indexes.iter().flat_map(|index| index.to_be_bytes()).collect();
    Hex(*sha256(&bytes).bytes())
}

impl Withholding {
    /// Makes the new files of openings, without those that `which` means.
    /// # Errors
    /// When the log cannot be read, or the disk is full; then nothing was changed.
    pub fn prepare(
        folder: &Path,
        which: &mut dyn FnMut(&Found<'_>) -> bool,
    ) -> Result<Result<Self, NotNow>, AuditError> {
        let failed = |error: std::io::Error| AuditError::io("withhold fields of", folder, &error);
        let lock = File::open(folder).map_err(failed)?;
        if lock.try_lock().is_err() {
            return Ok(Err(NotNow::Busy));
        }
        if goes_on(folder) {
            return Ok(Err(NotNow::GoesOn));
        }
        wipe_leftovers(folder, &lock).map_err(failed)?;
        let (verdict, indexes) = matching(folder, which)?;
        if verdict.state == State::Tampered {
            return Ok(Err(NotNow::Tampered));
        }
        let id = crate::sys::random::random_bytes().map_err(|errno| AuditError::Random { errno })?;
        let (folder, files) = (folder.to_owned(), Vec::new());
        let mut ready = Self { folder, lock, id, indexes, files, done: false };
        ready.make(verdict.leaves)?;
        Ok(Ok(ready))
    }

    /// Overwrites and removes what was left by a process that was killed while it withheld something of this log.
    /// # Errors
    /// When the folder cannot be read or a file not be overwritten.
    pub fn clean(folder: &Path) -> Result<(), AuditError> {
        let failed = |error: std::io::Error| AuditError::io("withhold fields of", folder, &error);
        let lock = File::open(folder).map_err(failed)?;
        if lock.try_lock().is_err() {
            // Whoever is at it cleans up.
            return Ok(());
        }
        wipe_leftovers(folder, &lock).map_err(failed)
    }

    /// Its id, by which the records that it leaves name it.
    pub fn id(&self) -> RedactionId {
        self.id
    }

    /// The leaves, in order.
    pub fn indexes(&self) -> &[u64] {
        &self.indexes
    }

    fn make(&mut self, leaves: u64) -> Result<(), AuditError> {
        if self.indexes.is_empty() {
            return Ok(());
        }
        let (indexes, mut bytes) = (self.indexes.clone(), Vec::new());
        let mut taken = indexes.as_slice();
        for number in 0.. {
            if Stored::open(&self.folder, number)?.is_none() {
                break;
            }
            let Some(stored) = Stored::openings(&self.folder, number)? else { continue };
            stored.rest(0, &mut bytes)?;
            let kept = without(&bytes, &mut taken, leaves, self.id);
            if kept != bytes {
                let name = openings_name(number);
                let (name, kept) =
                    if stored.is_packed { (packed_name(&name), zstd::pack(&kept)) } else { (name, kept) };
                self.write(&name, &kept).map_err(|error| {
                    AuditError::io("withhold fields of", &self.folder.join(&name), &error)
                })?;
            }
        }
        Ok(())
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.folder.join(new(name)))?;
        self.files.push(name.to_owned());
        file.write_all(bytes)?;
        file.sync_all()
    }

    /// Puts the new files in the place of the old ones, and overwrites those. What it is of is in the device's log by now.
    /// # Errors
    /// When a file could not be put in its place; those before it were.
    pub fn carry_out(mut self) -> Result<(), AuditError> {
        let failed = |name: &str| {
            let path = self.folder.join(name);
            move |errno: Errno| AuditError::Io { what: "withhold fields of", path, errno }
        };
        for name in &self.files {
            replace(&self.lock, name).map_err(failed(name))?;
        }
        self.done = true;
        Ok(())
    }
}

impl Drop for Withholding {
    /// What was made and not used goes.
    fn drop(&mut self) {
        if !self.done
            && let Err(error) = wipe_leftovers(&self.folder, &self.lock)
        {
            tracing::warn!("what was made to withhold fields stays: {error}");
        }
    }
}

fn new(name: &str) -> String {
    format!("{name}.new")
}

/// The openings without those of these leaves, which are taken off, and without what opens no leaf. Both are in order.
fn without(bytes: &[u8], taken: &mut &[u64], leaves: u64, id: RedactionId) -> Vec<u8> {
    let (mut kept, mut rest) = (Vec::with_capacity(bytes.len()), bytes);
    while let Some(record) = parse(rest) {
        let (whole, behind) = rest.split_at(record.length);
        if taken.first() == Some(&record.index) {
            *taken = taken.get(1..).unwrap_or_default();
            add_withheld(&mut kept, record.index, id);
        } else if record.index < leaves {
            kept.extend(whole);
        }
        rest = behind;
    }
    kept
}

/// Exchanges a file with its new form, so that a name leads to the old one until that is overwritten.
fn replace(folder: &File, name: &str) -> Result<(), Errno> {
    let text = |name: &str| CString::new(name).map_err(|_| Errno::EINVAL);
    let (old, made) = (text(name)?, text(&new(name))?);
    match exchange(folder.as_fd(), &old, &made) {
        Ok(()) => {
            folder.sync_all().map_err(errno)?;
            wipe(folder, &made)?;
        }
        // A file system that cannot exchange: the old one is overwritten when it has no name any more.
        Err(Errno::EINVAL | Errno::ENOSYS) => {
            let mut gone = open(folder, &old)?;
            renameat(folder.as_fd(), &made, &old)?;
            folder.sync_all().map_err(errno)?;
            overwrite(&mut gone).map_err(errno)?;
        }
        Err(other) => return Err(other),
    }
    folder.sync_all().map_err(errno)
}

fn errno(error: std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

fn open(folder: &File, name: &CString) -> Result<File, Errno> {
    crate::sys::file::openat(folder.as_fd(), name, libc::O_WRONLY | libc::O_NOFOLLOW | libc::O_NONBLOCK, 0)
        .map(File::from)
}

/// Overwrites a file and removes it.
fn wipe(folder: &File, name: &CString) -> Result<(), Errno> {
    overwrite(&mut open(folder, name)?).map_err(errno)?;
    unlinkat(folder.as_fd(), name, false)
}

fn overwrite(file: &mut File) -> std::io::Result<()> {
    let mut left = file.metadata()?.len();
    file.seek(SeekFrom::Start(0))?;
    let zeros = vec![0; ZEROS];
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(ZEROS).min(ZEROS);
        file.write_all(zeros.get(..part).unwrap_or_default())?;
        left -= part as u64;
    }
    file.sync_data()
}

/// Removes a file; one of openings is overwritten then: who reads it sees that its name leads elsewhere.
pub(super) fn forget(path: &Path) -> std::io::Result<()> {
    let is_openings = path.extension().is_some_and(|kind| kind == "openings");
    let open = || OpenOptions::new().write(true).custom_flags(libc::O_NOFOLLOW).open(path);
    let mut gone = is_openings.then(open).transpose()?;
    std::fs::remove_file(path)?;
    gone.as_mut().map_or(Ok(()), overwrite)
}

/// What a process left that was killed on the way: a form that was not used, or an old one that was not overwritten.
fn wipe_leftovers(folder: &Path, held: &File) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let Some(text) = name.to_str().filter(|name| name.contains(".openings") && name.ends_with(".new"))
        else {
            continue;
        };
        match wipe(held, &CString::new(text).unwrap_or_default()) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// Overwrites every file of openings of a log, before it is removed.
/// # Errors
/// When one cannot be written to.
pub(super) fn overwrite_openings(folder: &Path) -> Result<(), AuditError> {
    let failed = |error: std::io::Error| AuditError::io("overwrite the openings of", folder, &error);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_str().is_some_and(|name| name.contains(".openings")) {
            let opened = OpenOptions::new()
                .write(true)
                .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
                .open(entry.path());
            match opened {
                Ok(mut file) => overwrite(&mut file).map_err(failed)?,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }
    Ok(())
}
