//! Finds logs: all of them, or the one a person means.
//!
//! Never takes a name for a log that is no run id, so a word cannot lead out of the folder.

use super::AuditError;
use crate::base::RunId;
use std::path::{Path, PathBuf};

/// Every run that has a log in `dir`, oldest first. A folder that is not there has none.
/// # Errors
/// When the folder cannot be read.
pub fn runs(dir: &Path) -> Result<Vec<RunId>, AuditError> {
    let failed = |error: &std::io::Error| AuditError::io("read the folder", dir, error);
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|error| failed(&error))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| failed(&error))?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
        found.extend(stem.and_then(|stem| stem.parse::<RunId>().ok()));
    }
    found.sort_unstable();
    Ok(found)
}

/// The log a person means: `last`, a run id or the beginning of just one, or the path of a file (with a `/`, or
/// ending in `.jsonl`).
/// # Errors
/// When no run, or more than one, begins so.
pub fn find(dir: &Path, asked: &str) -> Result<PathBuf, AuditError> {
    if asked.contains('/') || asked.ends_with(".jsonl") {
        return Ok(PathBuf::from(asked));
    }
    let none = |why: String| AuditError::NoSuchRun { asked: asked.to_owned(), why };
    let runs = runs(dir)?;
    let log_of = |run: &RunId| dir.join(format!("{run}.jsonl"));
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
