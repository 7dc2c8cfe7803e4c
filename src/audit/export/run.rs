//! All that holds of one log, line by line.
//!
//! What is given out was checked before: block by block, and nothing behind the first one that does not hold.

use super::{Context, Format, Item, line};
use crate::audit::log::{Found, Judge, Verdict};
use crate::audit::{AuditError, event};
use std::io;
use std::path::Path;

/// What became of an export of one run.
#[derive(Debug)]
pub struct Exported {
    /// The verdict on the log.
    pub verdict: Verdict,
    /// Lines that were written.
    pub lines: u64,
    /// What writing them came to.
    pub written: io::Result<()>,
}

/// Writes every leaf that holds, or those behind an index. The log is judged to its end, also when nobody takes more.
/// # Errors
/// When the log cannot be read, or a record has no form in JSON.
pub fn run(
    judge: &mut Judge,
    folder: &Path,
    format: Format,
    after: Option<u64>,
    out: &mut dyn io::Write,
) -> Result<Exported, AuditError> {
    let run = folder.file_name().map_or_else(String::new, |name| event::text(name.as_encoded_bytes()));
    let mut context = Context::new(&run);
    let (mut lines, mut written, mut failed) = (0, Ok(()), None);
    let mut each = |found: Found<'_>| {
        if written.is_err() || failed.is_some() {
            return;
        }
        let item = Item::of(&run, &found);
        context.learn(&item.record);
        if after.is_some_and(|after| found.index <= after) {
            return;
        }
        match line(format, &item, &context) {
            Ok(line) => {
                written = out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n"));
                lines += u64::from(written.is_ok());
            }
            Err(error) => failed = Some(error),
        }
    };
    let judged = judge.read(folder, &mut each)?;
    match failed {
        Some(error) => Err(error),
        None => Ok(Exported { verdict: judged.verdict, lines, written }),
    }
}
