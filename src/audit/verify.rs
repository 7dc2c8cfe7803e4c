//! Reads a log back and says whether its chain holds.
//!
//! Never writes. Takes every byte of the file for hostile: lines and files have limits, and nothing here prints.

use super::AuditError;
use super::chain::{Follower, Record};
use crate::base::RunId;
use crate::sys::Errno;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The longest line that is read, in bytes. The longest our writer makes is below 2 MiB.
const MAX_LINE_BYTES: u64 = 4 << 20;

/// What reading a log to its end showed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Every line follows from the one before. That says nothing of lines cut off after the last one.
    Whole {
        /// How many there are.
        events: u64,
    },
    /// A line does not follow: something was changed, removed, added or moved.
    Broken {
        /// The first such line, from 1.
        line: u64,
        /// How it does not follow.
        why: String,
    },
    /// The last line has no end: its write was cut short, or the file was.
    Torn {
        /// That line, from 1.
        line: u64,
    },
}

/// Checks the log at `path`. A file named as a log is (`RUN.jsonl`) must be of that run.
/// # Errors
/// When the file cannot be read, or is no regular file.
pub fn verify(path: &Path) -> Result<Verdict, AuditError> {
    read(path, &mut |_| {})
}

/// As [`verify`], and hands each record over until the chain breaks.
/// # Errors
/// As [`verify`].
pub fn read(path: &Path, each: &mut dyn FnMut(Record)) -> Result<Verdict, AuditError> {
    let mut input = BufReader::new(open(path)?);
    let named: Option<RunId> =
        path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
    let mut chain = Follower::of(named);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let mut limited = input.by_ref().take(MAX_LINE_BYTES);
        limited.read_until(b'\n', &mut line).map_err(|error| AuditError::io("read the log", path, &error))?;
        let at_limit = limited.limit() == 0;
        match line.split_last() {
            None if number == 1 => {
                return Ok(Verdict::Broken { line: 1, why: "the log is empty".to_owned() });
            }
            None => return Ok(Verdict::Whole { events: number - 1 }),
            Some((b'\n', text)) => match chain.take(text) {
                Ok(record) => each(record),
                Err(why) => return Ok(Verdict::Broken { line: number, why }),
            },
            Some(_) if at_limit => {
                return Ok(Verdict::Broken {
                    line: number,
                    why: format!("longer than {MAX_LINE_BYTES} bytes"),
                });
            }
            Some(_) => return Ok(Verdict::Torn { line: number }),
        }
    }
    Ok(Verdict::Broken { line: u64::MAX, why: "too many lines".to_owned() })
}

fn open(path: &Path) -> Result<File, AuditError> {
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path);
    let file = opened.map_err(|error| AuditError::io("open the log", path, &error))?;
    let facts = file.metadata().map_err(|error| AuditError::io("look at the log", path, &error))?;
    if !facts.is_file() {
        return Err(AuditError::Io {
            what: "read as a log (no regular file)",
            path: path.to_owned(),
            errno: Errno::EINVAL,
        });
    }
    Ok(file)
}
