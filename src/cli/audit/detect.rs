//! `aisandbox audit detect`: rules over records, after they were checked.
//!
//! Never asks a rule about a leaf of a block that does not hold. Exit codes: 1 and 2 as `audit verify` for a record that
//! was changed or cut off, else 4 when something was found, else 0.

use super::{exit_code, print, text};
use crate::audit::log::{Judge, Opening, State};
use crate::audit::{AuditError, find, json, with_logs};
use crate::base::Escaped;
use crate::cli::args::Detect;
use crate::detect::{Engine, Finding, engine, folder, shipped};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The most findings that are told one by one; the others are counted.
const MOST_FINDINGS: usize = 10_000;
/// Something was found.
const FOUND: u8 = 4;

/// A finding as it is told.
#[derive(Debug, Serialize)]
struct Told<'a> {
    rule: &'a str,
    id: &'a str,
    title: &'a str,
    level: &'static str,
    first: String,
    last: String,
    about: Vec<(String, String)>,
}

#[derive(Serialize)]
struct Report<'a> {
    rules: usize,
    events: u64,
    unreadable: u64,
    withheld: u64,
    runs: Vec<Run>,
    findings: Vec<Told<'a>>,
    left_out: u64,
}

#[derive(Serialize)]
struct Run {
    run: String,
    state: State,
}

/// What the rules made of the records.
#[derive(Default)]
struct Looked {
    events: u64,
    unreadable: u64,
    /// Events whose personal fields are not there to be looked at.
    withheld: u64,
    left_out: u64,
    runs: Vec<Run>,
    found: Vec<Finding>,
    codes: Vec<u8>,
}

/// What is wrong with rules, and nothing else of it.
fn wrong(why: String) -> AuditError {
    AuditError::Question { why }
}

/// The rules of a folder, or the shipped ones.
fn rules(dir: Option<&Path>) -> Result<Engine, AuditError> {
    let files = dir.map_or_else(|| Ok(shipped()), folder).map_err(wrong)?;
    let told = |errors: Vec<crate::profile::ProfileError>| {
        wrong(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    };
    let engine = engine(&files).map_err(told)?;
    if engine.rules().is_empty() {
        return Err(wrong("there is no rule".to_owned()));
    }
    Ok(engine)
}

pub(super) fn run(dir: &Path, wish: &Detect, out: &mut dyn Write) -> Result<u8, AuditError> {
    let mut engine = rules(wish.rules.as_deref())?;
    let looked = look(dir, wish, &mut engine)?;
    let told: Vec<Told<'_>> = looked.found.iter().filter_map(|found| told(&engine, found)).collect();
    if wish.json {
        let (events, unreadable, left_out) = (looked.events, looked.unreadable, looked.left_out);
        let report = Report {
            rules: engine.rules().len(),
            events,
            unreadable,
            withheld: looked.withheld,
            runs: looked.runs,
            findings: told,
            left_out,
        };
        print(out, &json(&report)?)?;
    } else {
        told.iter().try_for_each(|finding| print(out, &line(finding)))?;
        let more = if looked.left_out > 0 {
            format!(", and {} that are left out", looked.left_out)
        } else {
            String::new()
        };
        let count = told.len();
        print(
            out,
            &format!("{count} findings{more} in {} events of {} runs", looked.events, looked.runs.len()),
        )?;
        if looked.withheld > 0 {
            let words = "are withheld: what they hold was not looked at";
            print(out, &format!("personal fields of {} events {words}", looked.withheld))?;
        }
        if looked.unreadable > 0 {
            print(
                out,
                &format!("{} events are of another version and were not looked at", looked.unreadable),
            )?;
        }
    }
    let bad = [1, 2].into_iter().find(|code| looked.codes.contains(code));
    Ok(bad.unwrap_or(if looked.found.is_empty() { 0 } else { FOUND }))
}

/// Runs are read oldest first, so that a rule over several sees them in order.
fn look(dir: &Path, wish: &Detect, engine: &mut Engine) -> Result<Looked, AuditError> {
    let mut folders: Vec<PathBuf> = if wish.all {
        with_logs(dir)?.iter().map(|run| dir.join(run.to_string())).collect()
    } else {
        wish.runs.iter().map(|run| find(dir, run)).collect::<Result<_, _>>()?
    };
    folders.sort_by(|one, other| one.file_name().cmp(&other.file_name()));
    folders.dedup();
    let mut tell = |told: &str| crate::cli::output::complain(told, None);
    super::reading::note(dir, ("detect", "findings"), &folders, &mut tell);
    let (mut looked, mut judges) = (Looked::default(), BTreeMap::new());
    for folder in folders {
        let place = folder.parent().unwrap_or(dir);
        let judge = judges.entry(place.to_owned()).or_insert_with(|| Judge::new(place, None));
        let name = Escaped(folder.file_name().unwrap_or(folder.as_os_str()).as_encoded_bytes()).to_string();
        let mut found = Vec::new();
        let judged = judge.read(&folder, &mut |leaf| {
            looked.events += 1;
            looked.withheld += u64::from(matches!(leaf.opening, Opening::Withheld(_) | Opening::Missing));
            let parts = (leaf.bytes, leaf.opening.value());
            looked.unreadable += u64::from(engine.take(&name, leaf.index, parts, &mut found).is_err());
            let room = MOST_FINDINGS.saturating_sub(looked.found.len());
            looked.left_out += found.len().saturating_sub(room) as u64;
            looked.found.extend(found.drain(..).take(room));
        })?;
        let state = judged.verdict.state;
        if matches!(state, State::Tampered | State::Truncated) {
            tell(&format!("{name}: {}", text::verdict(&judged.verdict)));
        }
        looked.codes.push(exit_code(state));
        looked.runs.push(Run { run: name, state });
    }
    Ok(looked)
}

fn told<'a>(engine: &'a Engine, found: &Finding) -> Option<Told<'a>> {
    let rule = engine.rules().get(found.rule)?;
    let place = |(run, seq): &(String, u64)| format!("{run}:{seq}");
    Some(Told {
        rule: &rule.name,
        id: &rule.id,
        title: &rule.title,
        level: rule.level.word(),
        first: place(&found.first),
        last: place(&found.last),
        about: found.about.clone(),
    })
}

fn line(finding: &Told<'_>) -> String {
    let events = if finding.first == finding.last {
        finding.last.clone()
    } else {
        format!("{} … {}", finding.first, finding.last)
    };
    let mut line =
        format!("{:<13} {}: {}\n              {events}", finding.level, finding.rule, finding.title);
    for (name, value) in &finding.about {
        line.push_str(&format!("\n              {name}: {}", Escaped(value.as_bytes())));
    }
    line
}
