//! A segment as it lies in the folder of its log, and the openings beside it: plain, or packed (`audit/log/pack.rs`).
//!
//! Never writes, and never gives more of a packed segment than a plain one could have. A packed segment is one frame of
//! zstd and nothing else; what it holds is checked as if it were plain.

use super::block;
use super::segment::{MOST_BYTES, name, openings_name};
use crate::audit::AuditError;
use crate::base::zstd::unpacker;
use crate::sys::Errno;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What a segment is longest, and enough more to see that a file is longer.
const MOST: u64 = MOST_BYTES + 2 * block::MOST_BYTES as u64;

/// The name of the packed form of a file.
pub(super) fn packed_name(name: &str) -> String {
    format!("{name}.zst")
}

/// Whether a folder has the first segment, which every log has. One that cannot be looked at is told by whoever reads it.
pub(in crate::audit) fn is_there(folder: &Path) -> bool {
    let packed = packed_name(&name(0));
    [name(0), packed].iter().any(|name| folder.join(name).try_exists().unwrap_or(true))
}

/// An open segment, or openings.
#[derive(Debug)]
pub(super) struct Stored {
    file: File,
    path: PathBuf,
    pub(super) is_packed: bool,
}

impl Stored {
    /// The segment with this number; `None` when the folder has it in neither form. The plain one counts: a packed one
    /// beside it was not finished.
    /// # Errors
    /// When it cannot be opened, or is no regular file.
    pub(super) fn open(folder: &Path, number: u32) -> Result<Option<Self>, AuditError> {
        Self::either(folder, &name(number))
    }

    /// The openings beside this segment.
    /// # Errors
    /// As [`Self::open`].
    pub(super) fn openings(folder: &Path, number: u32) -> Result<Option<Self>, AuditError> {
        Self::either(folder, &openings_name(number))
    }

    fn either(folder: &Path, name: &str) -> Result<Option<Self>, AuditError> {
        match Self::open_form(folder.join(name), false)? {
            Some(plain) => Ok(Some(plain)),
            None => Self::packed(folder, name),
        }
    }

    /// The packed form of a file.
    /// # Errors
    /// As [`Self::open`].
    pub(super) fn packed(folder: &Path, name: &str) -> Result<Option<Self>, AuditError> {
        Self::open_form(folder.join(packed_name(name)), true)
    }

    fn open_form(path: PathBuf, is_packed: bool) -> Result<Option<Self>, AuditError> {
        // O_NONBLOCK: opening a FIFO must not wait for a writer.
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_NOFOLLOW;
        let opened = OpenOptions::new().read(true).custom_flags(flags).open(&path);
        let file = match opened {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|error| AuditError::io("open the log", &path, &error))?,
        };
        let facts = file.metadata().map_err(|error| AuditError::io("look at the log", &path, &error))?;
        if !facts.is_file() {
            let what = "read as a log (no regular file)";
            return Err(AuditError::Io { what, path, errno: Errno::EINVAL });
        }
        Ok(Some(Self { file, path, is_packed }))
    }

    /// The first segment, which every log has.
    /// # Errors
    /// As [`Self::open`]; `ENOENT` when it is not there.
    pub(super) fn first(folder: &Path) -> Result<Self, AuditError> {
        let missing =
            || AuditError::Io { what: "open the log", path: folder.join(name(0)), errno: Errno::ENOENT };
        Self::open(folder, 0)?.ok_or_else(missing)
    }

    /// Whether somebody writes the log whose first segment this is: who does holds it locked.
    pub(super) fn is_written(&self) -> bool {
        !self.is_packed && matches!(self.file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }

    /// Which file it is, whatever it is called.
    /// # Errors
    /// When it cannot be looked at.
    pub(super) fn identity(&self) -> Result<(u64, u64), AuditError> {
        let facts = self.file.metadata();
        facts
            .map(|facts| (facts.dev(), facts.ino()))
            .map_err(|error| AuditError::io("look at the log", &self.path, &error))
    }

    /// Whether its name still leads to it.
    pub(super) fn is_there(&self) -> bool {
        let named = std::fs::symlink_metadata(&self.path).map(|facts| (facts.dev(), facts.ino()));
        matches!((self.identity(), named), (Ok(open), Ok(named)) if open == named)
    }

    /// Puts into `bytes` what lies behind the first `held` bytes. Whether that is all of it: `false` when it is packed
    /// and does not come out whole.
    /// # Errors
    /// When it cannot be read.
    pub(super) fn rest(&self, held: u64, bytes: &mut Vec<u8>) -> Result<bool, AuditError> {
        if !self.is_packed {
            return self.read(held, bytes).map(|()| true);
        }
        let mut packed = Vec::new();
        self.read(0, &mut packed)?;
        let mut source = &packed[..];
        bytes.clear();
        let read = unpacker(&mut source).map(|frame| frame.take(MOST).read_to_end(bytes));
        bytes.drain(..bytes.len().min(usize::try_from(held).unwrap_or(usize::MAX)));
        Ok(matches!(read, Some(Ok(_))) && source.is_empty())
    }

    /// Of a file that is longer than a segment can be, enough to see that.
    fn read(&self, from: u64, bytes: &mut Vec<u8>) -> Result<(), AuditError> {
        let failed = |error: std::io::Error| AuditError::io("read the log", &self.path, &error);
        let length = self.file.metadata().map_or(0, |facts| facts.len()).min(MOST);
        bytes.clear();
        bytes.reserve_exact(usize::try_from(length.saturating_sub(from)).unwrap_or(0) + 32);
        (&self.file).seek(SeekFrom::Start(from)).map_err(failed)?;
        (&self.file).take(MOST.saturating_sub(from)).read_to_end(bytes).map(drop).map_err(failed)
    }
}

/// The length of a segment as if it were not packed, and what lies behind its first `at` bytes; `None` where there is no
/// such segment.
/// # Errors
/// When it cannot be read or unpacked.
pub fn segment_from(folder: &Path, number: u32, at: u64) -> Result<Option<(u64, Vec<u8>)>, AuditError> {
    let Some(stored) = Stored::open(folder, number)? else { return Ok(None) };
    let mut bytes = Vec::new();
    if !stored.is_packed {
        stored.rest(at, &mut bytes)?;
        let length = stored.file.metadata().map_or(0, |facts| facts.len());
        // It may have grown since.
        let read = at + bytes.len() as u64;
        return Ok(Some((if bytes.is_empty() { length } else { read }, bytes)));
    }
    if !stored.rest(0, &mut bytes)? {
        return Err(AuditError::Io { what: "unpack", path: stored.path, errno: Errno::EBADMSG });
    }
    let length = bytes.len() as u64;
    bytes.drain(..bytes.len().min(usize::try_from(at).unwrap_or(usize::MAX)));
    Ok(Some((length, bytes)))
}

/// Takes the plain name of a segment and its bytes.
type Each<'e> = &'e mut dyn FnMut(&str, &[u8]) -> Result<(), AuditError>;

/// Hands over the bytes of every segment of a log and of its openings, as if none were packed, in their order and with their
/// plain names.
/// # Errors
/// When one cannot be read or unpacked, and what `each` says.
pub fn segments(folder: &Path, each: Each<'_>) -> Result<(), AuditError> {
    let (mut stored, mut bytes) = (Stored::first(folder)?, Vec::new());
    for number in 0.. {
        if !stored.rest(0, &mut bytes)? {
            return Err(AuditError::Io { what: "unpack", path: stored.path, errno: Errno::EBADMSG });
        }
        each(&name(number), &bytes)?;
        if let Some(openings) = Stored::openings(folder, number)? {
            if !openings.rest(0, &mut bytes)? {
                return Err(AuditError::Io { what: "unpack", path: openings.path, errno: Errno::EBADMSG });
            }
            each(&openings_name(number), &bytes)?;
        }
        match Stored::open(folder, number + 1)? {
            Some(next) => stored = next,
            None => break,
        }
    }
    Ok(())
}
