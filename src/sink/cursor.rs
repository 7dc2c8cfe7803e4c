//! How far a sink has each run: a small file for each, replaced whole.
//!
//! Never ahead of what was confirmed. One that is lost, old or damaged makes events come twice, with the same ids, and
//! never a gap.

use crate::audit::{open_private, replace};
use crate::base::RunId;
use crate::sys::Errno;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The place in one run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// Events below this index were confirmed; of a sink for segments, segments.
    pub(super) next: u64,
    /// The hash of the last leaf of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hash: Option<String>,
    /// Nothing is left to do, as long as the files stay as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) done: Option<Done>,
}

/// What the run was found to be when nothing was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Done {
    /// The verdict's word.
    pub(super) state: String,
    /// Leaves that hold.
    pub(super) leaves: u64,
    /// The stamp of its files.
    pub(super) stamp: String,
}

/// The cursors of one sink.
#[derive(Debug)]
pub(super) struct Cursors {
    folder: PathBuf,
}

impl Cursors {
    /// Those in this folder, which is made where it is missing.
    /// # Errors
    /// When it cannot be, or belongs to somebody else.
    pub(super) fn open(folder: &Path) -> Result<Self, crate::audit::AuditError> {
        open_private(folder)?;
        Ok(Self::at(folder))
    }

    /// For reading alone; a folder that is not there has none.
    pub(super) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Of a run; the start of it where there is none that can be read.
    pub(super) fn read(&self, run: RunId) -> Cursor {
        let bytes = fs::read(self.folder.join(run.to_string())).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Of every run.
    pub(super) fn all(&self) -> BTreeMap<RunId, Cursor> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let runs = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        runs.map(|run| (run, self.read(run))).collect()
    }

    /// Writes one; the old one stands until the new one is on the disk.
    /// # Errors
    /// As write(2) and fsync(2): `ENOSPC` when the disk is full.
    pub(super) fn write(&self, run: RunId, cursor: &Cursor) -> io::Result<()> {
        let text = serde_json::to_vec(cursor).map_err(io::Error::other)?;
        replace(&self.folder.join(run.to_string()), &text)
    }

    /// Forgets a run that is no more.
    pub(super) fn remove(&self, run: RunId) {
        if let Err(error) = fs::remove_file(self.folder.join(run.to_string())) {
            tracing::debug!("a cursor stays: {error}");
        }
    }
}

/// Holds the folder for this process alone.
/// # Errors
/// `EWOULDBLOCK` when another forwarder runs.
pub(super) fn lock(folder: &Path) -> Result<File, Errno> {
    let failed = |error: io::Error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
    let place = folder.join("lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(place);
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Errno::EWOULDBLOCK),
        Err(fs::TryLockError::Error(error)) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_and_a_damaged_one_is_the_start() {
        let folder = std::env::temp_dir().join(format!("aisandbox-cursor-{}", std::process::id()));
        let cursors = Cursors::open(&folder).unwrap();
        let run: RunId = "01K9V6Z4E8Q3R7T5W2Y1N0M4B6".parse().unwrap();
        assert_eq!(cursors.read(run), Cursor::default());
        let done = Some(Done { state: "sealed".into(), leaves: 7, stamp: "ab".into() });
        let cursor = Cursor { next: 7, hash: Some("cd".into()), done };
        cursors.write(run, &cursor).unwrap();
        assert_eq!(cursors.all(), BTreeMap::from([(run, cursor)]));
        fs::write(folder.join(run.to_string()), "{\"next\":").unwrap();
        assert_eq!(cursors.read(run), Cursor::default());
        let held = lock(&folder).unwrap();
        assert_eq!(lock(&folder).unwrap_err(), Errno::EWOULDBLOCK);
        drop(held);
        cursors.remove(run);
        assert!(cursors.all().is_empty());
        fs::remove_dir_all(folder).unwrap();
    }
}
