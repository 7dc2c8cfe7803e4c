//! That records were handed out is itself recorded, in the device's log, before they are.
//!
//! Only records of this user's own runs are noted: what lies elsewhere is not under this device. That it cannot be noted is
//! told, and no reason to withhold from the owner what he can read without us.

use crate::audit::log::{Reading, note_read};
use std::path::{Path, PathBuf};

/// The most runs that are named.
const MOST_NAMED: usize = 64;

/// Notes that the records in these folders go out, `by` a command in a form.
pub(in crate::cli) fn note(
    dir: &Path,
    (by, format): (&str, &str),
    folders: &[PathBuf],
    tell: &mut dyn FnMut(&str),
) {
    let own = folders.iter().filter(|folder| folder.parent() == Some(dir));
    let names: Vec<String> =
        own.filter_map(|folder| Some(folder.file_name()?.to_str()?.to_owned())).collect();
    let (Some(state), false) = (dir.parent(), names.is_empty()) else { return };
    let reading = Reading {
        by: by.to_owned(),
        uid: nix::unistd::geteuid().as_raw(),
        format: format.to_owned(),
        all: u64::try_from(names.len()).unwrap_or(u64::MAX),
        runs: names.into_iter().take(MOST_NAMED).collect(),
        role: None,
        client: None,
    };
    if let Err(error) = note_read(state, &reading) {
        tell(&format!("that these records were read is not in the device's log: {error}"));
    }
}
