//! Packs the log of a run that ended: its segments then take a fifth of the room, and are read as before.
//!
//! Never touches a log that goes on, or that is not sealed: what was changed, torn or cut off is evidence, and stays byte
//! for byte. Never removes a segment before its packed form is on the disk and was seen to unpack to the same bytes.

use super::reader::{State, verify};
use super::segment::{name, openings_name};
use super::stored::{Stored, packed_name};
use crate::audit::AuditError;
use crate::base::zstd;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// What became of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packed {
    /// It is packed, and has as many bytes as there were and are.
    Done {
        /// Bytes of its plain segments and openings.
        before: u64,
        /// Bytes of their packed form.
        after: u64,
    },
    /// It was packed before.
    Already,
    /// It is not sealed, and stays as it is.
    Not(State),
    /// Somebody else packs it now.
    Busy,
}

/// Packs the log in a folder.
/// # Errors
/// When it cannot be read, or the packed form cannot be written; the log is then whole, in part packed.
pub fn pack(folder: &Path) -> Result<Packed, AuditError> {
    let failed = |error: std::io::Error| AuditError::io("pack the log", folder, &error);
    let lock = File::open(folder).map_err(failed)?;
    if lock.try_lock().is_err() {
        return Ok(Packed::Busy);
    }
    let state = verify(folder)?.state;
    if state != State::Sealed {
        return Ok(Packed::Not(state));
    }
    let (mut before, mut after, mut bytes) = (0, 0, Vec::new());
    for number in 0.. {
        let Some(segment) = Stored::open(folder, number)? else { break };
        let files =
            [(name(number), Some(segment)), (openings_name(number), Stored::openings(folder, number)?)];
        for (name, stored) in files {
            let Some(stored) = stored.filter(|stored| !stored.is_packed) else { continue };
            stored.rest(0, &mut bytes)?;
            after += replace(folder, &lock, &name, &bytes).map_err(failed)?;
            before += bytes.len() as u64;
        }
    }
    Ok(if before == 0 { Packed::Already } else { Packed::Done { before, after } })
}

/// Puts the packed form in the place of one file; gives its length.
fn replace(folder: &Path, held: &File, name: &str, bytes: &[u8]) -> std::io::Result<u64> {
    let packed = zstd::pack(bytes);
    let unfinished = folder.join(packed_name(name) + ".new");
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {} // of a process that was killed
    }
    let new = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished);
    let written = new().and_then(|mut file| {
        file.write_all(&packed)?;
        file.sync_all()?;
        std::fs::rename(&unfinished, folder.join(packed_name(name)))
    });
    if let Err(error) = written {
        if let Err(error) = std::fs::remove_file(&unfinished) {
            tracing::debug!("an unfinished packed file stays: {error}");
        }
        return Err(error);
    }
    held.sync_all()?;
    if !is_same(folder, name, bytes) {
        std::fs::remove_file(folder.join(packed_name(name)))?;
        return Err(std::io::Error::from_raw_os_error(libc::EIO));
    }
    super::withhold::forget(&folder.join(name))?;
    held.sync_all()?;
    Ok(packed.len() as u64)
}

/// Whether the packed form that is there unpacks to these bytes.
fn is_same(folder: &Path, name: &str, bytes: &[u8]) -> bool {
    let mut again = Vec::new();
    let Ok(Some(packed)) = Stored::packed(folder, name) else { return false };
    packed.rest(0, &mut again).unwrap_or(false) && again == bytes
}
