//! `audit explain`: why something was decided as it was, and what would change it.

use super::approved::{self, Answer};
use super::coverage::observed;
use super::decided::{self, Decided};
use super::{ask_of, print, print_json, records_of};
use crate::audit::index::answer::Leaf;
use crate::audit::{AuditError, Record, find};
use crate::cli::args::Told;
use serde::Serialize;
use std::io::Write;
use std::path::Path;

/// One kind of refusal of a run.
#[derive(Serialize)]
struct Refused {
    event: String,
    count: u64,
    #[serde(flatten)]
    decided: Option<Decided>,
}

pub(super) fn run(dir: &Path, asked: &str, how: &Told, out: &mut dyn Write) -> Result<u8, AuditError> {
    let one = approved::event(dir, asked);
    if one.is_none() && find(dir, asked).is_ok() {
        return of_run(dir, asked, how, out);
    }
    let answers = approved::answers(dir, asked, 0)?;
    approved::tell(asked, &answers, how.json, out, &mut |answer, out| tell(answer, one.as_ref(), how, out))
}

/// The event itself first, then what led to it and what followed.
fn tell(answer: &Answer, one: Option<&Leaf>, how: &Told, out: &mut dyn Write) -> Result<(), AuditError> {
    let is_it = |record: &&Record| one.is_some_and(|leaf| leaf.index == record.seq);
    let first = answer.records.iter().find(is_it);
    if let Some(record) = first {
        print(out, &crate::cli::audit::text::record(record))?;
        match decided::by(record) {
            Some(decided) => tell_one(&decided, out)?,
            None => print(out, "it is a fact, and no decision")?,
        }
    }
    let others = answer.records.iter().filter(|record| !is_it(record));
    for record in others.take(how.limit) {
        match decided::by(record) {
            Some(decided) => tell_one(&decided, out)?,
            None => print(out, &format!("{:>5}  {}", record.seq, crate::cli::audit::text::short(record)))?,
        }
    }
    Ok(())
}

fn tell_one(decided: &Decided, out: &mut dyn Write) -> Result<(), AuditError> {
    print(out, &decided.words)?;
    decided.because.iter().try_for_each(|why| print(out, &format!("    {why}")))?;
    decided.hint.as_deref().map_or(Ok(()), |hint| print(out, &format!("    to change it: {hint}")))
}

fn of_run(dir: &Path, asked: &str, how: &Told, out: &mut dyn Write) -> Result<u8, AuditError> {
    let (run, denied, seen) = ask_of(dir, asked, &mut |index, row| {
        let (name, seen) = (row.run.clone(), observed(&row.about));
        Ok((name, index.summary(row, how.limit)?.denied, seen))
    })?;
    let leaves: Vec<Leaf> =
        denied.told.iter().map(|one| Leaf { run: run.clone(), index: one.first }).collect();
    let folder = find(dir, asked)?;
    let mut records = records_of(folder.parent().unwrap_or(dir), &leaves)?;
    let (_, records) = records.remove(&run).unzip();
    let records: Vec<Record> = records.unwrap_or_default();
    let refused: Vec<Refused> = denied
        .told
        .iter()
        .map(|one| Refused {
            event: format!("{run}:{}", one.first),
            count: one.count,
            decided: records.iter().find(|record| record.seq == one.first).and_then(decided::by),
        })
        .collect();
    if how.json {
        print_json(out, &refused)?;
        return Ok(0);
    }
    if refused.is_empty() {
        print(out, &format!("run {run}: nothing was refused"))?;
    }
    for one in &refused {
        print(out, &format!("{} × {}", one.count, one.event))?;
        match &one.decided {
            Some(decided) => tell_one(decided, out)?,
            None => print(out, "    the record says no more")?,
        }
    }
    super::print_rest(out, denied.all, refused.len())?;
    if !seen.unseen.is_empty() {
        print(out, "what nobody saw, and no record can say:")?;
    }
    seen.unseen.iter().try_for_each(|line| print(out, &format!("    {line}")))?;
    Ok(0)
}
