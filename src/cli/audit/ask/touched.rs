//! `audit touched GLOB`: who touched it, over all runs.

use super::words::{acts, moment, name};
use super::{Row, ask, print, print_json, print_rest, proven, state_of, states};
use crate::audit::AuditError;
use crate::audit::index::Pattern;
use crate::audit::index::answer::TouchedRow;
use crate::cli::args::Told;
use serde::Serialize;
use std::io::Write;
use std::path::Path;

#[derive(Serialize)]
struct Answer {
    glob: String,
    objects: u64,
    runs: u64,
    all: u64,
    rows: Vec<Row<TouchedRow>>,
}

pub(super) fn run(
    dir: &Path,
    glob: &str,
    (since, prove, how): (Option<i64>, bool, &Told),
    out: &mut dyn Write,
) -> Result<u8, AuditError> {
    let here = std::env::current_dir().ok().and_then(|here| here.to_str().map(str::to_owned));
    let home = std::env::var("HOME").ok().filter(|home| home.starts_with('/'));
    let pattern = Pattern::of(glob, here.as_deref().unwrap_or("/"), home.as_deref());
    let pattern = pattern.map_err(|why| AuditError::Question { why: format!("{}: {why}", name(glob)) })?;
    let (touched, runs) = ask(dir, &mut |index| {
        let touched = index.touched(&pattern, since, how.limit)?;
        let runs = states(index, touched.rows.told.iter().map(|row| row.run.clone()))?;
        Ok((touched, runs))
    })?;
    let row = |row: TouchedRow| {
        let state = runs.get(&row.run).and_then(|run| run.verdict.as_ref()).map(|verdict| verdict.state);
        let proof = prove.then(|| proven::of(dir, &row.run, row.leaves.0, Some(&row.name)));
        Row { row, state, proof }
    };
    let rows: Vec<_> = touched.rows.told.into_iter().map(row).collect();
    let failed = rows.iter().any(|row| row.proof.as_ref().is_some_and(|proof| !proof.proven));
    let code = u8::from(rows.is_empty() || failed);
    let answer = Answer {
        glob: glob.to_owned(),
        objects: touched.objects,
        runs: touched.runs,
        all: touched.rows.all,
        rows,
    };
    if how.json {
        print_json(out, &answer)?;
        return Ok(code);
    }
    if answer.rows.is_empty() {
        print(
            out,
            &format!("no run touched {}, was given it or was refused it, as far as records say", name(glob)),
        )?;
        return Ok(code);
    }
    print(out, &format!("{}: {} objects, {} runs", name(glob), answer.objects, answer.runs))?;
    let mut before = None;
    for row in &answer.rows {
        if before != Some(&row.row.run)
            && let Some(run) = runs.get(&row.row.run)
        {
            let command = crate::cli::audit::text::command(&run.about.command);
            print(out, &format!("run {}  {}  {command}", run.run, state_of(run)))?;
        }
        before = Some(&row.row.run);
        print(out, &line(&row.row))?;
        if let Some(proof) = &row.proof {
            print(out, &format!("      {}", proven::line(proof)))?;
        }
    }
    print_rest(out, answer.all, answer.rows.len())?;
    Ok(code)
}

fn line(row: &TouchedRow) -> String {
    let parts = [
        ("touched", row.seen, row.seen_times),
        ("given", row.granted, row.granted_times),
        ("REFUSED", row.denied, row.denied_times),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(_, _, times)| *times > 0)
        .map(|(word, what, times)| format!("{word} {times} × {}", acts(what)))
        .collect();
    let asked = if parts.is_empty() { "asked for".to_owned() } else { parts.join("; ") };
    let label = row.label.as_deref().map_or_else(String::new, |label| format!(" [{}]", name(label)));
    let (first, last) = row.leaves;
    let leaves = if first == last { first.to_string() } else { format!("{first} to {last}") };
    format!("    {}{label}: {asked}; {}, events {leaves}", name(&row.name), moment(&row.times.1))
}
