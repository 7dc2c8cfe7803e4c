//! `audit report`: all of a run at once, as text, as JSON, or as a page that checks the record by itself.
//!
//! Never tells of a leaf that does not hold, and writes over no file. What is left out is counted.

mod cards;
mod html;
mod pack;
mod text;

use super::ask::{code_of, last, print_json};
use super::print;
use crate::audit::index::answer::RunRow;
use crate::audit::report::{Evidence, Flow, Part, Process, gather};
use crate::audit::{AuditError, Record, find};
use crate::base::{Escaped, WallTime};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    /// The version of this form.
    report: u32,
    made: String,
    #[serde(flatten)]
    answer: &'a last::Answer,
    known: bool,
    counts: &'a BTreeMap<String, u64>,
    timeline: &'a [Record],
    left_out: &'a BTreeMap<String, u64>,
    processes: Part<'a, Process>,
    flows: Part<'a, Flow>,
}

pub(super) fn run(
    dir: &Path,
    asked: &str,
    (html, limit, as_json): (Option<&Path>, usize, bool),
    out: &mut dyn Write,
) -> Result<u8, AuditError> {
    let folder = find(dir, asked)?;
    if let Some(to) = html {
        return write_page(dir, asked, (&folder, to), out);
    }
    let evidence = gather(dir, &folder, limit, &|record| record)?;
    let answer = last::with(dir, asked, limit, Some(&evidence.verdict))?;
    let flows = evidence.flows.ranked();
    let told = flows.get(..limit.min(flows.len())).unwrap_or_default();
    let flows = Part { all: flows.len() as u64, told };
    if as_json {
        let all = evidence.processes.all();
        let told = all.get(..limit.min(all.len())).unwrap_or_default();
        print_json(
            out,
            &Report {
                report: 1,
                made: WallTime::now().to_string(),
                answer: &answer,
                known: evidence.known,
                counts: &evidence.counts,
                timeline: &evidence.timeline,
                left_out: &evidence.left_out,
                processes: Part { all: all.len() as u64, told },
                flows,
            },
        )?;
    } else {
        print(out, text::text(&answer, &evidence, flows, limit).trim_end())?;
    }
    Ok(code_of(row(&answer).verdict.as_ref()))
}

/// The page of a run, with the data of this moment.
/// # Errors
/// When its log cannot be read.
pub(in crate::cli) fn page(dir: &Path, asked: &str) -> Result<String, AuditError> {
    html::page(dir, asked, &find(dir, asked)?).map(|page| page.text)
}

fn write_page(
    dir: &Path,
    asked: &str,
    (folder, to): (&Path, &Path),
    out: &mut dyn Write,
) -> Result<u8, AuditError> {
    let page = html::page(dir, asked, folder)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    let written = file.as_mut().map_err(|error| AuditError::io("make the page", to, error));
    written?.write_all(page.text.as_bytes()).map_err(|error| {
        // Half a page says nothing; that it could not be removed either changes nothing of the error.
        drop(std::fs::remove_file(to));
        AuditError::io("write the page", to, &error)
    })?;
    let name = Escaped(to.as_os_str().as_encoded_bytes());
    let run = &row(&page.answer).run;
    print(
        out,
        &format!(
            "{name}: run {run}, {} of {} leaves; it checks them where it is opened",
            page.held, page.all
        ),
    )?;
    Ok(code_of(row(&page.answer).verdict.as_ref()))
}

fn row(answer: &last::Answer) -> &RunRow {
    &answer.summary.run
}

/// Events that are not told one by one.
fn left_out(evidence: &Evidence<Record>) -> u64 {
    evidence.left_out.values().sum()
}
