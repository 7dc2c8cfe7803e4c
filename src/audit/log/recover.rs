//! Looks after logs whose writer is gone: what of a last block is not whole is moved aside, never deleted.
//!
//! Never touches a log that somebody writes, and never repairs what was changed.

use super::ledger::{Ending, Ledger};
use super::reader::{self, State};
use super::stored::Stored;
use crate::audit::AuditError;
use crate::base::RunId;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The most runs that one start looks after; the next takes the rest.
const MOST_ORPHANS: usize = 8;

fn marks(device: &Path) -> PathBuf {
    device.join("open")
}

/// Notes for whoever comes that a run is open.
pub(super) fn mark(device: &Path, run: RunId) -> Result<(), AuditError> {
    let path = marks(device).join(run.to_string());
    let make = || {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(marks(device))?;
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path).map(drop)
    };
    make().map_err(|error| AuditError::io("note an open run", &path, &error))
}

/// The run has its end in the device's log.
pub(super) fn unmark(device: &Path, run: RunId) {
    let path = marks(device).join(run.to_string());
    if let Err(error) = std::fs::remove_file(&path) {
        tracing::debug!("the mark of an open run stays: {error}");
    }
}

/// Gives every marked run an end whose launcher is gone.
pub(super) fn orphans(
    ledger: &mut Ledger,
    state: &Path,
    device: &Path,
    own: RunId,
) -> Result<(), AuditError> {
    let Ok(entries) = std::fs::read_dir(marks(device)) else { return Ok(()) };
    let named = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<RunId>().ok());
    for run in named.filter(|run| *run != own).take(MOST_ORPHANS) {
        let folder = state.join("runs").join(run.to_string());
        match Stored::open(&folder, 0) {
            Ok(Some(first)) if first.is_written() => {}
            Ok(Some(_)) => {
                let (size, root, how) = recovered(&folder)?;
                ledger.end(run, size, &root, how)?;
            }
            Ok(None) => ledger.end(run, 0, &super::merkle::Edge::default().root(), Ending::Missing)?,
            Err(error) => tracing::warn!("the log of run {run}: {error}"),
        }
    }
    Ok(())
}

fn recovered(folder: &Path) -> Result<(u64, super::merkle::Hash, Ending), AuditError> {
    let verdict = reader::verify(folder)?;
    let how = match (verdict.state, &verdict.at) {
        (State::Tampered, _) => Ending::Tampered,
        (State::Sealed, _) => Ending::Sealed,
        (State::Truncated, Some((segment, at))) => {
            let path = folder.join(segment);
            let failed = |error: std::io::Error| AuditError::io("recover the log", &path, &error);
            let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOFOLLOW).open(&path);
            let file = file.map_err(failed)?;
            let mut bytes = vec![0; usize::try_from(file.metadata().map_err(failed)?.len()).unwrap_or(0)];
            file.read_exact_at(&mut bytes, 0).map_err(failed)?;
            Ending::Recovered { cut: cut(folder, &file, &bytes, *at)? }
        }
        _ => Ending::Recovered { cut: 0 },
    };
    Ok((verdict.leaves, verdict.root.0, how))
}

/// Moves what lies behind `held` of a file into `torn.quarantine` beside it; gives how many bytes.
pub(super) fn cut(folder: &Path, file: &File, bytes: &[u8], held: u64) -> Result<u64, AuditError> {
    let path = folder.join("torn.quarantine");
    let failed = |error: std::io::Error| AuditError::io("move aside what is torn", &path, &error);
    let tail = usize::try_from(held).ok().and_then(|held| bytes.get(held..)).unwrap_or_default();
    let aside =
        OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(&path);
    let mut aside = aside.map_err(failed)?;
    aside.write_all(tail).and_then(|()| aside.sync_data()).map_err(failed)?;
    file.set_len(held).map_err(failed)?;
    Ok(tail.len() as u64)
}
