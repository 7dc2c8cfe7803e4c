//! Finds logs: all of them, or the one a person means.
//!
//! Never takes a name for a log that is no run id, so a word cannot lead out of the folder.

use super::{AuditError, log};
use crate::base::RunId;
use std::path::{Path, PathBuf};

/// Every run that has a folder in `dir`, oldest first. A folder that is not there has none.
/// # Errors
/// When the folder cannot be read.
pub fn runs(dir: &Path) -> Result<Vec<RunId>, AuditError> {
    let mut found: Vec<RunId> = names(dir)?.iter().filter_map(|name| name.parse().ok()).collect();
    found.sort_unstable();
    Ok(found)
}

/// Those of [`runs`] that have a log. A launcher that was killed before its first segment was there left a folder that has
/// none: the device knows nothing of that run either, and where it does, the log is gone.
/// # Errors
/// As [`runs`].
pub fn with_logs(dir: &Path) -> Result<Vec<RunId>, AuditError> {
    let mut found = runs(dir)?;
    found.retain(|run| log::is_there(&dir.join(run.to_string())));
    Ok(found)
}

/// How many logs of the first format there are: lines of JSON, written before the first release.
/// # Errors
/// As [`runs`].
pub fn first_format(dir: &Path) -> Result<usize, AuditError> {
    let is_one =
        |name: &&String| name.strip_suffix(".jsonl").is_some_and(|stem| stem.parse::<RunId>().is_ok());
    Ok(names(dir)?.iter().filter(is_one).count())
}

/// A digest of the names, sizes and times of a log's files: the same as long as nobody touched them.
/// # Errors
/// When the folder cannot be read.
pub fn stamp(folder: &Path) -> Result<String, AuditError> {
    let found = super::index::stamp::of(folder);
    found
        .map(|stamp| crate::base::to_hex(&stamp))
        .map_err(|error| AuditError::io("look at the log", folder, &error))
}

fn names(dir: &Path) -> Result<Vec<String>, AuditError> {
    let failed = |error: &std::io::Error| AuditError::io("read the folder", dir, error);
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|error| failed(&error))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        found.extend(entry.map_err(|error| failed(&error))?.file_name().into_string());
    }
    Ok(found)
}

/// The folder of the log a person means: `last`, a run id or the beginning of just one, or a path (with a `/`).
/// # Errors
/// When no run, or more than one, begins so; when it is a log of the first format.
pub fn find(dir: &Path, asked: &str) -> Result<PathBuf, AuditError> {
    let none = |why: String| AuditError::NoSuchRun { asked: asked.to_owned(), why };
    if asked.ends_with(".jsonl") {
        let why =
            "lines of JSON were the first format, which no release wrote and which is not checked any more";
        return Err(none(why.to_owned()));
    }
    if asked.contains('/') {
        return Ok(PathBuf::from(asked));
    }
    let runs = runs(dir)?;
    let log_of = |run: &RunId| dir.join(run.to_string());
    if asked == "last" {
        return runs.last().map(log_of).ok_or_else(|| none("there is none yet".to_owned()));
    }
    let beginning = asked.to_ascii_uppercase();
    let mut meant = runs.iter().filter(|run| !asked.is_empty() && run.to_string().starts_with(&beginning));
    match (meant.next(), meant.count()) {
        (None, _) => Err(none("no run begins so".to_owned())),
        (Some(run), 0) => Ok(log_of(run)),
        (Some(_), more) => Err(none(format!("{} runs begin so; write more of it", more + 1))),
    }
}
