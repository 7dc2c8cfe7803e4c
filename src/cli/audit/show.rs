//! `audit show`: the record of a run as it is, or one event of it.

use super::ask::proven;
use super::{Report, event_of, print, shown_code, text};
use crate::audit::log::{self, Found, Own, State, Verdict};
use crate::audit::{AuditError, Record, event, find, json};
use crate::base::Escaped;
use serde::Serialize;
use std::io::Write;
use std::path::Path;

/// `audit show RUN|DIR`: the verdict first, then every event up to where the log holds.
/// # Errors
/// When no such log can be read, or `out` not be written.
pub fn show(dir: &Path, asked: &str, as_json: bool, out: &mut dyn Write) -> Result<u8, AuditError> {
    run(dir, asked, (0, false, as_json), out)
}

pub(super) fn run(
    dir: &Path,
    asked: &str,
    (limit, prove, as_json): (usize, bool, bool),
    out: &mut dyn Write,
) -> Result<u8, AuditError> {
    if let Some(event) = event_of(asked) {
        return one(dir, event, (prove, as_json), out);
    }
    let path = find(dir, asked)?;
    let (verdict, read) = read_all(&path, limit)?;
    let name = path.as_os_str().as_encoded_bytes();
    if as_json {
        let report = Report {
            log: event::text(name),
            verdict: &verdict,
            ended: Some(read.ended),
            records: Some(&read.records),
            left_out: read.left_out,
            redactions: None,
        };
        print(out, &json(&report)?)?;
        return Ok(shown_code(&verdict));
    }
    print(out, &format!("{}: {}", Escaped(name), text::verdict(&verdict)))?;
    for record in read.records.iter().filter(|record| !matches!(record.own(), Some(Own::Key(_)))) {
        print(out, &text::record(record))?;
    }
    if read.left_out > 0 {
        print(out, &format!("{} later events are left out (--limit)", read.left_out))?;
    }
    if !read.ended && verdict.state == State::Open {
        print(out, "no end record: still running, or killed with its launcher, or the end was cut off")?;
    }
    Ok(shown_code(&verdict))
}

/// What `--json` prints of one event.
#[derive(Serialize)]
struct One<'a> {
    log: String,
    #[serde(flatten)]
    verdict: &'a Verdict,
    record: &'a Record,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<proven::Proof>,
}

fn one(
    dir: &Path,
    (run, index): (&str, u64),
    (prove, as_json): (bool, bool),
    out: &mut dyn Write,
) -> Result<u8, AuditError> {
    let path = find(dir, run)?;
    let name = run_of(&path);
    let (mut found, mut leaf) = (None, String::new());
    let verdict = log::read(&path, &mut |each: Found<'_>| {
        if each.index == index {
            found = Some(Record::of(&name, &each));
            leaf = String::from_utf8_lossy(each.bytes).into_owned();
        }
    })?;
    let none = || AuditError::NoSuchRun {
        asked: format!("{run}:{index}"),
        why: format!("its log holds {} events", verdict.leaves),
    };
    let record = found.ok_or_else(none)?;
    let proof = prove.then(|| proven::of(path.parent().unwrap_or(dir), &name, index, None));
    let failed = proof.as_ref().is_some_and(|proof| !proof.proven);
    let code = if failed { 1 } else { shown_code(&verdict) };
    if as_json {
        let log = event::text(path.as_os_str().as_encoded_bytes());
        print(out, &json(&One { log, verdict: &verdict, record: &record, proof })?)?;
        return Ok(code);
    }
    let path = path.as_os_str().as_encoded_bytes();
    print(out, &format!("{}: {}", Escaped(path), text::verdict(&verdict)))?;
    print(out, &text::record(&record))?;
    print(out, &format!("    leaf {index}: {}", Escaped(leaf.as_bytes())))?;
    if let Some(proof) = proof {
        print(out, &format!("    {}", proven::line(&proof)))?;
        print(out, proof.text.as_deref().unwrap_or_default().trim_end())?;
    }
    Ok(code)
}

/// The run of a log, which its folder is named as.
fn run_of(folder: &Path) -> String {
    folder.file_name().map_or_else(String::new, |name| event::text(name.as_encoded_bytes()))
}

struct Read {
    records: Vec<Record>,
    left_out: u64,
    ended: bool,
}

fn read_all(path: &Path, limit: usize) -> Result<(Verdict, Read), AuditError> {
    let mut read = Read { records: Vec::new(), left_out: 0, ended: false };
    let run = run_of(path);
    let verdict = log::read(path, &mut |found: Found<'_>| {
        let record = Record::of(&run, &found);
        read.ended |= matches!(record.event.as_str(), "run_end" | "launch_failure");
        if limit == 0 || read.records.len() < limit {
            read.records.push(record);
        } else {
            read.left_out += 1;
        }
    })?;
    Ok((verdict, read))
}
