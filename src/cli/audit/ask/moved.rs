//! `audit moved`: where data went, and what was in it as far as anybody saw.

use super::words::{bytes, many, moment, name};
use super::{Row, ask, ask_of, print, print_json, print_rest, proven, states};
use crate::audit::index::answer::{Moved, MovedRow, RunRow};
use crate::audit::{AuditError, find};
use crate::cli::args::Told;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

#[derive(Serialize)]
struct Answer {
    of: String,
    sent: u64,
    received: u64,
    all: u64,
    rows: Vec<Row<MovedRow>>,
}

pub(super) fn run(
    dir: &Path,
    what: Option<&str>,
    (since, prove, how): (Option<i64>, bool, &Told),
    out: &mut dyn Write,
) -> Result<u8, AuditError> {
    let (moved, runs) = match what {
        None => (ask(dir, &mut |index| index.moved_in_all(since, how.limit))?, BTreeMap::new()),
        Some(asked) if find(dir, asked).is_ok() => ask_of(dir, asked, &mut |index, row| {
            Ok((index.moved_of_run(&row.run, how.limit)?, BTreeMap::from([(row.run.clone(), row)])))
        })?,
        Some(host) => ask(dir, &mut |index| {
            let moved = index.moved_to(host, since, how.limit)?;
            let runs = states(index, moved.rows.told.iter().filter_map(|row| row.run.clone()))?;
            Ok((moved, runs))
        })?,
    };
    let of = what.unwrap_or("all runs").to_owned();
    let Moved { rows, sent, received } = moved;
    let told: Vec<_> = rows.told.into_iter().map(|row| checked(dir, row, &runs, prove)).collect();
    let failed = told.iter().any(|row| row.proof.as_ref().is_some_and(|proof| !proof.proven));
    let code = u8::from(told.is_empty() || failed);
    let answer = Answer { of, sent, received, all: rows.all, rows: told };
    if how.json {
        print_json(out, &answer)?;
        return Ok(code);
    }
    if answer.rows.is_empty() {
        print(out, &format!("{}: no data moved, as far as records say", name(&answer.of)))?;
        return Ok(code);
    }
    print(out, &format!("{}: {} out, {} in", name(&answer.of), bytes(sent), bytes(received)))?;
    for row in &answer.rows {
        let run = row.row.run.as_deref().filter(|_| runs.len() > 1 || what.is_none());
        let run = run.map_or_else(String::new, |run| format!("run {run}: "));
        for (place, line) in lines(&row.row).iter().enumerate() {
            let run = if place == 0 { run.as_str() } else { "" };
            print(out, &format!("    {run}{line}"))?;
        }
        if let Some(proof) = &row.proof {
            print(out, &format!("      {}", proven::line(proof)))?;
        }
    }
    print_rest(out, answer.all, answer.rows.len())?;
    Ok(code)
}

fn checked(dir: &Path, row: MovedRow, runs: &BTreeMap<String, RunRow>, prove: bool) -> Row<MovedRow> {
    let run = row.run.as_deref().and_then(|run| runs.get(run));
    let state = run.and_then(|run| run.verdict.as_ref()).map(|verdict| verdict.state);
    let proof = match (prove, row.run.as_deref(), row.leaves) {
        (true, Some(run), Some((_, last))) => Some(proven::of(dir, run, last, Some(&row.host))),
        _ => None,
    };
    Row { row, state, proof }
}

/// A host: bytes and refusals, then what was found and what was open, a line each.
pub(super) fn lines(row: &MovedRow) -> Vec<String> {
    let refused = if row.denied > 0 { format!(", {} REFUSED", row.denied) } else { String::new() };
    let until = moment(&row.times.1);
    let mut lines = vec![format!(
        "{}: {} out, {} in{refused}, until {until}",
        name(&row.host),
        bytes(row.sent),
        bytes(row.received)
    )];
    if !row.found.is_empty() {
        let found: Vec<String> =
            row.found.iter().map(|what| format!("{} × {}", what.count, name(&what.name))).collect();
        lines.push(format!("    found in it: {}", found.join(", ")));
    }
    if row.by_content {
        lines.push("    the content of something known was in it".to_owned());
    }
    for near in &row.near {
        let when = match near.seconds {
            0 => "while it was open".to_owned(),
            seconds => format!("{} after it was open", many(seconds, "second", "seconds")),
        };
        lines.push(format!("    near in time: {} [{}], {when}", name(&near.name), name(&near.label)));
    }
    lines
}
