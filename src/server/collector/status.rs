//! What a collector knows of its devices: what holds, what is missing, what is silent, and what was found wrong.
//!
//! Reads the store alone, checks every log anew, and asks nobody.

use super::find::{Finding, Findings};
use super::key;
use super::store::folder;
use crate::audit::log::{Cosigned, Ending, Hex, Judge, State, cosigned_path, read_device};
use crate::audit::{AuditError, runs};
use crate::base::RunId;
use serde::Serialize;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The most findings that are told.
const MOST_FINDINGS: usize = 1000;

/// All of it.
#[derive(Debug, Serialize)]
pub struct Status {
    /// What the witness is known by.
    pub witness: Option<String>,
    /// A short digest of that, to compare by eye.
    pub digest: Option<String>,
    /// Every device.
    pub devices: Vec<Device>,
    /// What was found wrong, the last ones.
    findings: Vec<Finding>,
}

/// A device.
#[derive(Debug, Serialize)]
pub struct Device {
    /// Its identity.
    pub identity: String,
    /// What its own log is found to be; nothing where it never came.
    pub state: Option<State>,
    /// Entries that are missing in it.
    pub missing: u64,
    /// Every run.
    pub runs: Vec<Run>,
    /// Runs that its own log has, and that never came.
    pub absent: Vec<String>,
}

/// A run.
#[derive(Debug, Serialize)]
pub struct Run {
    /// Its id.
    pub run: String,
    /// What its log is found to be.
    pub state: Option<State>,
    /// Why.
    pub why: Option<String>,
    /// Leaves that hold.
    pub leaves: u64,
    /// Leaves under the head that was cosigned last.
    pub cosigned: u64,
    /// Seconds since something of it came; only of one that has no end.
    pub silent: Option<u64>,
}

/// How bad it is: the exit code of `collector status`.
impl Status {
    /// 0 all is well, 1 something was tampered with, 2 something is missing, 3 somebody is silent.
    pub fn code(&self) -> u8 {
        let all = || self.devices.iter().flat_map(|device| &device.runs);
        let found = |kind: &str| self.findings.iter().any(|finding| finding.kind == kind);
        let is = |state: State| {
            all().any(|run| run.state == Some(state))
                || self.devices.iter().any(|one| one.state == Some(state))
        };
        if is(State::Tampered) || found("split") || found("refused") {
            1
        } else if is(State::Truncated)
            || found("older")
            || self.devices.iter().any(|one| !one.absent.is_empty())
        {
            2
        } else {
            u8::from(all().any(|run| run.silent.is_some())) * 3
        }
    }

    /// Findings as lines: when, whose, what.
    pub fn findings(&self) -> impl Iterator<Item = String> {
        self.findings
            .iter()
            .map(|one| format!("{} device {} run {}: {}", one.time, one.device, one.run, one.what))
    }
}

/// What the store in this folder has; a run without an end of which nothing came for so long is silent.
/// # Errors
/// When it cannot be read.
pub fn status(root: &Path, patience: Duration) -> Result<Status, AuditError> {
    let failed = |error: std::io::Error| AuditError::io("read the store", root, &error);
    let mut devices = Vec::new();
    let entries = match std::fs::read_dir(root.join("devices")) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        other => Some(other.map_err(failed)?),
    };
    let mut names: Vec<Hex<32>> = entries
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Hex::parse(entry.file_name().to_str()?))
        .collect();
    names.sort_unstable_by_key(|name| name.0);
    for identity in names {
        devices.push(device(root, &identity, patience)?);
    }
    let mut findings = Findings::of(root).all();
    findings.drain(..findings.len().saturating_sub(MOST_FINDINGS));
    let witness = key::open(root, None).ok().map(|own| own.witness().text());
    let digest = witness.as_deref().map(key::digest);
    Ok(Status { witness, digest, devices, findings })
}

fn device(root: &Path, identity: &Hex<32>, patience: Duration) -> Result<Device, AuditError> {
    let at = folder(root, identity);
    let dir = at.join("runs");
    let own = read_device(&at.join("device").join(identity.to_string().get(..16).unwrap_or_default())).ok();
    let mut judge = Judge::new(&dir, Some(*identity));
    let there = runs(&dir)?;
    let told = there.iter().map(|run| of_run(&mut judge, &at, *run, patience)).collect();
    let known = own.iter().flat_map(|log| &log.runs);
    let absent = known.filter(|(run, known)| {
        // What was removed by retention before it came is in the device's log, with its head.
        let is_fine = known.pruned.is_some() || matches!(known.end, Some((_, _, Ending::Missing)));
        !there.contains(run) && !is_fine
    });
    Ok(Device {
        identity: identity.to_string(),
        state: own.as_ref().map(|log| log.state),
        missing: own.as_ref().map_or(0, |log| log.missing),
        absent: absent.map(|(run, _)| run.to_string()).collect(),
        runs: told,
    })
}

fn of_run(judge: &mut Judge, device: &Path, run: RunId, patience: Duration) -> Run {
    let at = device.join("runs").join(run.to_string());
    let seen = cosigned_path(device, &run.to_string());
    let cosigned = Cosigned::read(&seen).map_or(0, |last| last.size());
    let name = run.to_string();
    let verdict = match judge.run(&at) {
        Ok(judged) => judged.verdict,
        Err(error) => {
            let why = Some(error.to_string());
            return Run { run: name, state: None, why, leaves: 0, cosigned, silent: None };
        }
    };
    let parts = std::fs::read_dir(&at).into_iter().flatten().flatten().map(|entry| entry.path());
    let age = parts.chain([seen]).filter_map(|path| age(&path)).min();
    let silent = age.filter(|age| verdict.state != State::Sealed && *age > patience).map(|age| age.as_secs());
    Run { run: name, state: Some(verdict.state), why: verdict.why, leaves: verdict.leaves, cosigned, silent }
}

fn age(path: &Path) -> Option<Duration> {
    let written = std::fs::metadata(path).and_then(|facts| facts.modified()).ok()?;
    SystemTime::now().duration_since(written).ok().or(Some(Duration::ZERO))
}
