//! `grant`, `revoke`, `extend`, `resume`: what a person does without being asked.

use super::words::{actions, left};
use super::{Failure, carry_out, find};
use crate::base::WallTime;
use crate::cli::args::Grant;
use crate::cli::shape;
use crate::consent::plain;
use crate::consent::text::resource;
use crate::guardian::session::Listed;
use crate::profile::Context;
use crate::wire::session::{Command, GrantState, Reply};
use std::fmt::Write as _;

/// `grant`.
pub(super) fn grant(listed: &Listed, wish: &Grant) -> Result<String, Failure> {
    let context = Context::of_process().map_err(|error| Failure::error(error.message))?;
    let path = shape::inner(&wish.path, &context).map_err(Failure::error)?;
    let path =
        path.as_path().to_str().ok_or_else(|| Failure::error(format!("{path} is not UTF-8")))?.to_owned();
    let run = find::run(listed, &wish.run)?;
    let command = Command::Grant { path: path.clone(), actions: wish.actions(), seconds: wish.seconds };
    let (reply, line) = carry_out(run, &command, &command, wish.json)?;
    if wish.json {
        return Ok(line);
    }
    Ok(match lease_of(&reply) {
        Some(grant) => told("granted", grant),
        None => format!("granted: {} {}\n", actions(&wish.actions()), plain(&path)),
    })
}

/// `revoke`.
pub(super) fn revoke(listed: &Listed, what: &str, all: bool, json: bool) -> Result<String, Failure> {
    if all {
        let run = find::run(listed, what)?;
        let (reply, line) =
            carry_out(run, &Command::Revoke { id: "all".to_owned() }, &run.state.grants, json)?;
        let text = format!("revoked all of run {}: {} grants\n", run.id, run.state.grants.len());
        return Ok(if json { line } else { text + &held(&reply) });
    }
    let (run, grant) = find::grant(listed, what).map_err(|failure| match find::run(listed, what) {
        Ok(_) => Failure { hint: Some("a run is meant? `--all` takes all of it back".to_owned()), ..failure },
        Err(_) => failure,
    })?;
    let (reply, line) = carry_out(run, &Command::Revoke { id: grant.id.clone() }, grant, json)?;
    let text =
        format!("revoked {}: {} {}\n", plain(&grant.id), actions(&grant.actions), resource(&grant.resource));
    Ok(if json { line } else { text + &held(&reply) })
}

/// `resume`.
pub(super) fn resume(listed: &Listed, what: &str, json: bool) -> Result<String, Failure> {
    let run = find::run(listed, what)?;
    let (_, line) = carry_out(run, &Command::Resume {}, &run.state.alerts, json)?;
    Ok(if json { line } else { format!("run {} goes on\n", run.id) })
}

/// `extend`.
pub(super) fn extend(listed: &Listed, id: &str, seconds: u64, json: bool) -> Result<String, Failure> {
    let (run, grant) = find::grant(listed, id)?;
    let command = Command::Extend { id: grant.id.clone(), seconds };
    let (reply, line) = carry_out(run, &command, grant, json)?;
    Ok(if json { line } else { told("extended", lease_of(&reply).unwrap_or(grant)) })
}

/// `token --export`: a statement of a grant, signed by its run.
pub(super) fn export(listed: &Listed, id: &str, audience: &str, json: bool) -> Result<String, Failure> {
    let (run, grant) = find::grant(listed, id)?;
    let command = Command::Sign { id: grant.id.clone(), audience: audience.to_owned() };
    let (reply, line) = carry_out(run, &command, grant, json)?;
    match reply {
        _ if json => Ok(line),
        Reply::Signed { token, .. } => Ok(format!("{}\n", &*token)),
        _ => Err(Failure::error(format!("run {}: it answered something else", run.id))),
    }
}

fn lease_of(reply: &Reply) -> Option<&GrantState> {
    match reply {
        Reply::Done { grant, .. } => grant.as_deref(),
        _ => None,
    }
}

fn told(verb: &str, grant: &GrantState) -> String {
    let (id, what) = (plain(&grant.id), actions(&grant.actions));
    format!(
        "{verb} {id}: {what} {}, holds for {}\n",
        resource(&grant.resource),
        left(grant.until, WallTime::now().unix_seconds())
    )
}

/// What could not be taken back.
fn held(reply: &Reply) -> String {
    let Reply::Done { left, .. } = reply else { return String::new() };
    let mut text = String::new();
    for what in left {
        writeln!(text, "still held: {}", plain(what)).unwrap_or_default();
    }
    text
}
