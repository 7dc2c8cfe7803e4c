//! `audit who-approved ID`: a request from its beginning to its end, and who decided.

use super::decided::{self, Decided};
use super::{ask, print, print_json, proven, records_of};
use crate::audit::index::answer::Leaf;
use crate::audit::index::{Fault, Index};
use crate::audit::log::Verdict;
use crate::audit::{AuditError, Record, find};
use crate::base::escape;
use crate::cli::args::Told;
use crate::cli::audit::{event_of, text};
use serde::Serialize;
use std::io::Write;
use std::path::Path;

/// What one run has under an id.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    pub(super) run: String,
    #[serde(flatten)]
    pub(super) verdict: Verdict,
    pub(super) decisions: Vec<Decided>,
    pub(super) records: Vec<Record>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    proofs: Vec<proven::Proof>,
}

/// An event as a person names it: RUN:NUMBER. The run may be shortened.
pub(super) fn event(dir: &Path, asked: &str) -> Option<Leaf> {
    let (run, index) = event_of(asked)?;
    let folder = find(dir, run).ok().filter(|_| !run.contains('/'))?;
    Some(Leaf { run: folder.file_name()?.to_str()?.to_owned(), index })
}

/// The records behind an id or an event, read from their logs.
pub(super) fn answers(dir: &Path, asked: &str, most_proofs: usize) -> Result<Vec<Answer>, AuditError> {
    let one = event(dir, asked);
    let mut question = |index: &Index| -> Result<Vec<Leaf>, Fault> {
        match &one {
            Some(leaf) => index.leaves_with(leaf),
            None => index.leaves_of(asked),
        }
    };
    let leaves = ask(dir, &mut question)?;
    let mut answers = Vec::new();
    for (run, (verdict, records)) in records_of(dir, &leaves)? {
        let prove = |record: &Record| proven::of(dir, &run, record.seq, None);
        let proofs = records.iter().take(most_proofs).map(prove).collect();
        let decisions = records.iter().filter_map(decided::by).collect();
        answers.push(Answer { run, verdict, decisions, records, proofs });
    }
    Ok(answers)
}

pub(super) fn run(
    dir: &Path,
    asked: &str,
    (prove, how): (bool, &Told),
    out: &mut dyn Write,
) -> Result<u8, AuditError> {
    let answers = answers(dir, asked, if prove { how.limit } else { 0 })?;
    tell(asked, &answers, how.json, out, &mut |answer, out| tell_one(answer, how.limit, out))
}

/// Tells the answers, each under its run by `each`, and gives the exit code: 0 when something is told, 1 when not, or when
/// it is not proven.
pub(super) fn tell(
    asked: &str,
    answers: &[Answer],
    as_json: bool,
    out: &mut dyn Write,
    each: &mut dyn FnMut(&Answer, &mut dyn Write) -> Result<(), AuditError>,
) -> Result<u8, AuditError> {
    let failed = answers.iter().flat_map(|answer| &answer.proofs).any(|proof| !proof.proven);
    let code = u8::from(failed || answers.iter().all(|answer| answer.records.is_empty()));
    if as_json {
        print_json(out, &answers)?;
        return Ok(code);
    }
    if answers.is_empty() {
        print(out, &format!("{}: no record has this id", escape(asked.as_bytes())))?;
    }
    for answer in answers {
        print(out, &format!("run {}  {}", answer.run, text::verdict(&answer.verdict)))?;
        each(answer, out)?;
    }
    Ok(code)
}

fn tell_one(answer: &Answer, limit: usize, out: &mut dyn Write) -> Result<(), AuditError> {
    let ends: Vec<&Decided> = answer.decisions.iter().filter(|decided| decided.allowed.is_some()).collect();
    for decided in ends.iter().take(limit) {
        print(out, &decided.words)?;
    }
    if ends.is_empty() {
        print(out, "nobody decided, as far as the record says")?;
    }
    for (place, record) in answer.records.iter().enumerate().take(limit) {
        let text = text::record(record).replace('\n', "\n    ");
        print(out, &format!("  {:>5}  {text}", record.seq))?;
        if let Some(proof) = answer.proofs.get(place) {
            print(out, &format!("        {}", proven::line(proof)))?;
        }
    }
    super::print_rest(out, answer.records.len() as u64, limit.min(answer.records.len()))
}
