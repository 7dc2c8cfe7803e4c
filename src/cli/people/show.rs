//! `ps`, `requests`, `grants`: what runs show of themselves.

use super::words::{actions, duration, given, left};
use super::{Failure, find, json_line};
use crate::base::WallTime;
use crate::cli::table::{screen, table};
use crate::consent::text::resource;
use crate::consent::{self, plain};
use crate::guardian::session::{Listed, Run};
use crate::wire::consent::Question;
use crate::wire::session::{GrantState, RunState};
use serde::Serialize;
use std::fmt::Write as _;

/// Columns of a question where nothing says how wide the screen is.
const WIDE: usize = 100;

/// `ps`.
pub(super) fn runs(listed: &Listed, json: bool) -> Result<String, Failure> {
    let states: Vec<&RunState> = listed.runs.iter().map(|run| &run.state).collect();
    if json {
        return json_line(&states);
    }
    let now = WallTime::now().unix_seconds();
    let rows: Vec<Vec<String>> = states.iter().map(|state| run_row(state, now)).collect();
    let heads = ["RUN", "PROFILE", "FOR", "PID", "ASKS", "GRANTS", "ALERTS", "COMMAND"];
    Ok(if rows.is_empty() { "no run lives\n".to_owned() } else { table(&heads, &rows, 7) })
}

fn run_row(state: &RunState, now: u64) -> Vec<String> {
    let counted = |count: usize| if state.guarded { count.to_string() } else { "-".to_owned() };
    let command: Vec<String> = state.command.iter().map(|word| plain(word)).collect();
    vec![
        plain(&state.run),
        plain(&state.profile),
        duration(now.saturating_sub(state.since)),
        state.init.to_string(),
        counted(state.requests.len()),
        counted(state.grants.len()),
        if state.frozen.is_some() {
            format!("{}, frozen", state.alerts.len())
        } else {
            counted(state.alerts.len())
        },
        command.join(" "),
    ]
}

/// `requests`.
pub(super) fn requests(listed: &Listed, json: bool) -> Result<String, Failure> {
    let all: Vec<&Question> = listed.runs.iter().flat_map(|run| &run.state.requests).collect();
    questions(&all, json)
}

/// All questions that wait, for a program or for a person.
pub(super) fn questions(all: &[&Question], json: bool) -> Result<String, Failure> {
    if json {
        return json_line(&all);
    }
    let now = WallTime::now().unix_seconds();
    let texts: Vec<String> = all.iter().map(|question| question_text(question, now)).collect();
    Ok(if texts.is_empty() { "nobody asks for anything\n".to_owned() } else { texts.join("\n") })
}

fn question_text(question: &Question, now: u64) -> String {
    let width = screen().unwrap_or(WIDE);
    let mut text = String::new();
    for line in consent::text::lines(question, width, now) {
        writeln!(text, "{}", line.text).unwrap_or_default();
    }
    text
}

/// A lease with its run, as `grants --json` prints it.
#[derive(Serialize)]
struct Leased<'a> {
    run: &'a str,
    #[serde(flatten)]
    grant: &'a GrantState,
}

/// `grants`.
pub(super) fn grants(listed: &Listed, only: Option<&str>, json: bool) -> Result<String, Failure> {
    let runs: Vec<&Run> = match only {
        Some(asked) => vec![find::run(listed, asked)?],
        None => listed.runs.iter().collect(),
    };
    let of = |run: &&'_ Run| -> Vec<_> {
        run.state.grants.iter().map(|grant| (run.state.run.clone(), grant.clone())).collect()
    };
    let all: Vec<(String, GrantState)> = runs.iter().flat_map(of).collect();
    if json {
        let leased: Vec<Leased<'_>> = all.iter().map(|(run, grant)| Leased { run, grant }).collect();
        return json_line(&leased);
    }
    let now = WallTime::now().unix_seconds();
    let rows: Vec<Vec<String>> = all.iter().map(|(run, grant)| grant_row(run, grant, now)).collect();
    let heads = ["GRANT", "ACTIONS", "ON", "LEFT", "GIVEN", "BY", "RUN"];
    Ok(if rows.is_empty() { "nothing is granted\n".to_owned() } else { table(&heads, &rows, 2) })
}

fn grant_row(run: &str, grant: &GrantState, now: u64) -> Vec<String> {
    let mut lasts = left(grant.until, now);
    if let Some(uses) = grant.uses_left {
        write!(lasts, ", {uses} uses").unwrap_or_default();
    }
    if let Some(bytes) = grant.bytes_left {
        write!(lasts, ", {bytes} bytes").unwrap_or_default();
    }
    vec![
        plain(&grant.id),
        actions(&grant.actions),
        resource(&grant.resource),
        lasts,
        given(grant),
        plain(&grant.approved_by),
        plain(run),
    ]
}
