//! The person's commands to runs that live: `ps`, `requests`, `approve`, `deny`, `grants`, `grant`, `revoke`, `extend`,
//! `resume`, `ui`.
//!
//! Never decides and never changes a run: a run's own Guardian does, and says what came of it. Nothing of a run is printed
//! unescaped. Exit codes: 0 done, 1 not done (refused, not found, more than one meant, no Guardian, not from inside),
//! 125 an error of ours or an answer that did not come.

mod answer;
mod find;
mod lease;
mod show;
mod ui;
mod watch;
mod words;

use super::args::People;
use super::output::{self, complain};
use crate::audit;
use crate::consent::plain;
use crate::guardian::session::{self, AskError, Listed, Run};
use crate::wire::session::{Command, Reply};
use serde::Serialize;

/// Runs a command; gives the exit code.
pub(super) fn run(command: &People) -> u8 {
    let done = listed().and_then(|listed| match command {
        People::Ps { json } => show::runs(&listed, *json),
        People::Requests { json, watch: false } => show::requests(&listed, *json),
        People::Requests { json, watch: true } => watch::requests(*json),
        People::Ui => ui::run(),
        People::Approve(wish) => answer::approve(&listed, wish),
        People::Deny { id, always, json } => answer::deny(&listed, id, *always, *json),
        People::Grants { run, json } => show::grants(&listed, run.as_deref(), *json),
        People::Grant(wish) => lease::grant(&listed, wish),
        People::Revoke { what, all, json } => lease::revoke(&listed, what, *all, *json),
        People::Resume { run, json } => lease::resume(&listed, run, *json),
        People::Extend { id, seconds, json } => lease::extend(&listed, id, *seconds, *json),
    });
    match done {
        Ok(text) => output::print(&text),
        Err(failure) => failure.tell(),
    }
}

/// `token --export`; the exit code.
pub(super) fn export(grant: &str, audience: &str, json: bool) -> u8 {
    match listed().and_then(|listed| lease::export(&listed, grant, audience, json)) {
        Ok(text) => output::print(&text),
        Err(failure) => failure.tell(),
    }
}

/// Why a command was not carried out.
struct Failure {
    code: u8,
    message: String,
    hint: Option<String>,
    /// What `--json` prints all the same.
    json: Option<String>,
}

impl Failure {
    /// What was asked is not so, or was refused.
    fn not_done(message: String, hint: Option<&str>) -> Self {
        Self { code: 1, message, hint: hint.map(str::to_owned), json: None }
    }

    /// We could not do it, or do not know whether it was done.
    fn error(message: String) -> Self {
        Self { code: 125, message, hint: None, json: None }
    }

    fn tell(self) -> u8 {
        complain(&self.message, self.hint.as_deref());
        match self.json.map_or(0, |json| output::print(&json)) {
            0 => self.code,
            failed => failed,
        }
    }
}

/// The runs of this person. What cannot be believed is told, and the rest goes on.
fn listed() -> Result<Listed, Failure> {
    let listed = session::list();
    for odd in &listed.odd {
        complain(&odd.to_string(), odd.hint());
    }
    match std::env::var("AISANDBOX_RUN") {
        Ok(own) if !listed.runs.iter().any(|run| run.state.run == own) => Err(Failure::not_done(
            "this is inside a sandbox, where only its agent speaks".to_owned(),
            Some("`aisandbox request` asks; a person answers outside"),
        )),
        _ => Ok(listed),
    }
}

/// One line of JSON, in which a terminal finds nothing to obey.
fn json_line(value: &impl Serialize) -> Result<String, Failure> {
    audit::json(value).map(|line| line + "\n").map_err(|error| Failure::error(error.to_string()))
}

/// What `--json` prints of a command: what it was about, and the Guardian's answer.
#[derive(Serialize)]
struct Told<'a, T: Serialize> {
    run: &'a str,
    about: &'a T,
    reply: &'a Reply,
}

/// Asks the run's Guardian. `Ok` only when it was done; `about` is what it was about, for `--json`.
fn carry_out<T: Serialize>(
    run: &Run,
    command: &Command,
    about: &T,
    json: bool,
) -> Result<(Reply, String), Failure> {
    let reply =
        session::ask(run, command, session::ANSWER_WITHIN).map_err(|error| unanswered(run, &error))?;
    let told = Told { run: &run.state.run, about, reply: &reply };
    let line = if json { json_line(&told)? } else { String::new() };
    match &reply {
        Reply::Done { .. } | Reply::Signed { .. } => Ok((reply, line)),
        Reply::Refused { reason, detail } => {
            let detail = if detail.is_empty() { String::new() } else { format!(": {}", plain(detail)) };
            let message = format!("not done: {}{detail} ({})", reason.text(), reason.id());
            Err(Failure { json: json.then_some(line), ..Failure::not_done(message, None) })
        }
        Reply::State { .. } => Err(Failure::error(format!("run {}: it answered something else", run.id))),
    }
}

fn unanswered(run: &Run, error: &AskError) -> Failure {
    let message = format!("run {}: {error}", run.id);
    match error {
        AskError::NotGuarded => {
            Failure::not_done(message, Some("a profile with `guardian: true` or `ask` entries has one"))
        }
        AskError::Ended => Failure::not_done(message, None),
        _ => Failure::error(message),
    }
}
