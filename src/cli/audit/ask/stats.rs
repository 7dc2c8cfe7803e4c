//! `audit stats`: counts over runs.

use super::words::{kind, name};
use super::{ask, print, print_json};
use crate::audit::AuditError;
use crate::audit::index::answer::Named;
use crate::cli::args::Told;
use std::io::Write;
use std::path::Path;

pub(super) fn run(dir: &Path, since: Option<i64>, how: &Told, out: &mut dyn Write) -> Result<u8, AuditError> {
    let stats = ask(dir, &mut |index| index.stats(since, how.limit))?;
    if how.json {
        print_json(out, &stats)?;
        return Ok(0);
    }
    let tally = &stats.tally;
    print(
        out,
        &format!(
            "{} runs, {} leaves: {} sealed, {} open, {} truncated, {} tampered with, {} unreadable",
            tally.runs,
            stats.leaves,
            tally.sealed,
            tally.open,
            tally.truncated,
            tally.tampered,
            tally.unreadable
        ),
    )?;
    let lists = [
        ("events", &stats.events),
        ("refused because", &stats.reasons),
        ("refused", &stats.refused),
        ("approved by", &stats.approvers),
        ("found in what left", &stats.found),
    ];
    for (title, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        print(out, title)?;
        list.iter().try_for_each(|named| print(out, &line(named)))?;
    }
    Ok(0)
}

fn line(named: &Named) -> String {
    let what = named.kind.map(kind).filter(|word| !word.is_empty());
    let what = what.map_or_else(String::new, |word| format!("{word} "));
    format!("{:>10}  {what}{}", named.count, name(&named.name))
}
