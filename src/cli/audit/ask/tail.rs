//! `audit tail`: the last events of a run, and those that come.
//!
//! Tells an event only when its block holds.

use super::code_of;
use crate::audit::log::{Follow, Found, Own, State};
use crate::audit::{AuditError, Record, find, json};
use crate::cli::audit::{print, text};
use crate::cli::output;
use std::collections::VecDeque;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// How often a run that goes on is looked at.
const EVERY: Duration = Duration::from_millis(200);

pub(super) fn run(
    dir: &Path,
    asked: &str,
    (follow, lines, as_json): (bool, usize, bool),
    out: &mut dyn Write,
) -> Result<u8, AuditError> {
    let folder = find(dir, asked)?;
    let run = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut log = Follow::open(&folder)?;
    let mut last: VecDeque<Record> = VecDeque::new();
    let mut verdict = log.more(&mut |found: Found<'_>| {
        let record = Record::of(&run, &found);
        if lines > 0 && is_told(&record) {
            last.drain(..last.len().saturating_sub(lines - 1));
            last.push_back(record);
        }
    })?;
    last.iter().try_for_each(|record| print(out, &line(record, as_json)?))?;
    let mut ends = false;
    while follow && verdict.state == State::Open && !ends {
        // Looked at before the reading: what was written until the run ended is then told for sure.
        ends = !log.goes_on();
        if !ends {
            std::thread::sleep(EVERY);
        }
        let mut new = Vec::new();
        verdict = log.more(&mut |found: Found<'_>| new.push(Record::of(&run, &found)))?;
        for record in new.iter().filter(|record| is_told(record)) {
            print(out, &line(record, as_json)?)?;
        }
    }
    if !as_json {
        output::complain(&format!("run {run}: {}", text::verdict(&verdict)), None);
    }
    Ok(code_of(Some(&verdict)))
}

fn is_told(record: &Record) -> bool {
    !matches!(record.own(), Some(Own::Key(_)))
}

fn line(record: &Record, as_json: bool) -> Result<String, AuditError> {
    if as_json { json(record) } else { Ok(format!("{:>5}  {}", record.seq, text::short(record))) }
}
