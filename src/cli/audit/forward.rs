//! `aisandbox audit forward`: carries records to the sinks that a file names, confined as far as that can be.
//!
//! Never writes to a log: the kernel holds it to that (Landlock). Exit codes: 0; with `--once` 1 when a record was changed
//! or is cut off, 2 when not all of it arrived.

use crate::audit::log::State;
use crate::audit::{forward_dir, open_private, runs_dir, settings};
use crate::cli::args::{Forward, ForwardStatus};
use crate::cli::confine;
use crate::cli::output::{complain, one_line, print};
use crate::sink::{Config, Ended, Told, load, open, standing};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file of the administrator; it stands for all users of the machine.
const SYSTEM_FILE: &str = "/etc/aisandbox/forward.yaml";

/// Runs the command and gives the exit code.
pub(super) fn run(wish: &Forward) -> u8 {
    let done = match &wish.command {
        Some(ForwardStatus::Status { config, json }) => status(config.as_deref(), *json),
        None => forward(wish),
    };
    done.unwrap_or_else(|why| {
        complain(&why, None);
        125
    })
}

fn file(named: Option<&Path>) -> PathBuf {
    let system = || Some(PathBuf::from(SYSTEM_FILE)).filter(|path| path.exists());
    let user = || settings("forward.yaml").ok();
    named.map(Path::to_owned).or_else(system).or_else(user).unwrap_or_else(|| PathBuf::from(SYSTEM_FILE))
}

fn config(named: Option<&Path>) -> Result<Config, String> {
    let path = file(named);
    load(&path).map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

fn places() -> Result<(PathBuf, PathBuf), String> {
    let failed = |error: crate::audit::AuditError| error.to_string();
    Ok((forward_dir().map_err(failed)?, runs_dir().map_err(failed)?))
}

fn forward(wish: &Forward) -> Result<u8, String> {
    let config = config(wish.config.as_deref())?;
    let (folder, runs) = places()?;
    if config.sinks.is_empty() {
        return Err("forward: the file names no sink".to_owned());
    }
    let work = open(&config, &folder, &runs)?;
    if wish.check {
        let names: Vec<&str> = config.sinks.iter().map(|sink| sink.name.as_str()).collect();
        return Ok(print(&format!("{} sinks can begin: {}\n", names.len(), names.join(" "))));
    }
    // What is not there when the process is confined could not be read later.
    let state = runs.parent().unwrap_or(&runs);
    let read = ["runs", "device"].map(|name| state.join(name));
    for folder in &read {
        open_private(folder).map_err(|error| error.to_string())?;
    }
    confine::enter_forward(&read, &folder, &config.ports())
        .map_err(|why| format!("forward: it cannot be confined: {why}"))?;
    let patience = wish.once.then(|| Duration::from_secs(wish.wait));
    let ended = work.run(patience, &|told| complain(told, None));
    let code = exit_code(&ended);
    let told = if wish.json { format!("{:#}\n", json!(ended)) } else { ended.iter().map(words).collect() };
    match print(&told) {
        0 => Ok(code),
        failed => Ok(failed),
    }
}

fn exit_code(ended: &[Ended]) -> u8 {
    let is_changed = |one: &Ended| matches!(one.worst, Some(State::Tampered | State::Truncated));
    match (ended.iter().all(|one| one.all), ended.iter().any(is_changed)) {
        (false, _) => 2,
        (true, true) => 1,
        (true, false) => 0,
    }
}

fn words(one: &Ended) -> String {
    let how = match (&one.trouble, one.worst) {
        (Some(why), _) => format!("not all of it arrived: {}", one_line(why)),
        (None, Some(State::Tampered)) => "a record was changed".to_owned(),
        (None, Some(State::Truncated)) => "a record is cut off".to_owned(),
        (None, _) => "it has all".to_owned(),
    };
    format!("{}: {} messages; {how}\n", one.sink, one.sent)
}

fn status(named: Option<&Path>, as_json: bool) -> Result<u8, String> {
    let config = config(named)?;
    let (folder, runs) = places()?;
    let told = standing(&config, &folder, &runs).map_err(|error| error.to_string())?;
    let is_well = |one: &Told| {
        one.runs_behind == 0 && one.standing.as_ref().is_none_or(|standing| standing.trouble.is_none())
    };
    let text = if as_json { format!("{:#}\n", json!(told)) } else { told.iter().map(shown).collect() };
    match print(&text) {
        0 => Ok(u8::from(!told.iter().all(is_well))),
        failed => Ok(failed),
    }
}

fn shown(one: &Told) -> String {
    let mut text = format!("{}: ", one.sink);
    match &one.standing {
        None => text.push_str("never started"),
        Some(standing) => {
            text += &match &standing.trouble {
                Some(why) => format!("waits since {}: {}", one_line(&standing.since), one_line(why)),
                None => format!("goes since {}", one_line(&standing.since)),
            };
            text += &format!("; {} messages sent", standing.sent);
            for (count, what) in [
                (standing.refused, "events refused"),
                (standing.skipped, "runs left out"),
                (standing.alerts, "alerts"),
                (standing.retries, "tries failed"),
            ] {
                if count > 0 {
                    text += &format!(", {count} {what}");
                }
            }
        }
    }
    text += &match &one.oldest {
        Some(run) => {
            format!("; {} runs behind, {} bytes, from {run} on", one.runs_behind, one.bytes_behind)
        }
        None => "; it has all".to_owned(),
    };
    if let Some(percent) = one.spool_percent.filter(|percent| *percent >= 80) {
        text += &format!("; the spool is {percent} % full");
    }
    text.push('\n');
    text
}
