//! `aisandbox audit verify`: a run, all of them, or a proof.
//!
//! Never writes anything, and never asks anybody: what it says follows from the files, and from the identity it is given.

use super::{Report, Told, exit_code, print, text};
use crate::audit::log::{DeviceLog, Ending, Hex, Judge, Judged, Known, State, Witness, check_proof};
use crate::audit::{AuditError, event, find, json, settings, with_logs};
use crate::base::{Escaped, RunId, escape};
use crate::sys::Errno;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// The most bytes of a proof that is read.
const MOST_PROOF_BYTES: u64 = 256 << 10;

/// What is checked: a run, all, or a proof; and a cosigned head of the run.
pub(super) type Asked<'a> = (Option<&'a str>, bool, Option<&'a Path>, Option<&'a Path>);

pub(super) fn run(
    dir: &Path,
    (run, all, proof, cosigned): Asked<'_>,
    root: Option<&str>,
    as_json: bool,
    out: &mut dyn Write,
) -> Result<u8, AuditError> {
    let wrong = |text: &str| AuditError::NoSuchRun {
        asked: text.to_owned(),
        why: "an identity has 64 hex digits".into(),
    };
    let root = root.map(|text| Hex::parse(text).ok_or_else(|| wrong(text))).transpose()?;
    match (run, all, proof) {
        (_, true, _) => verify_all(dir, root, as_json, out),
        (_, _, Some(file)) => verify_proof(file, root, as_json, out),
        (asked, ..) => {
            let path = find(dir, asked.unwrap_or("last"))?;
            let judge = Judge::new(path.parent().unwrap_or(dir), root);
            let mut judge = judge.with_witnesses(witnesses(), cosigned.map(Path::to_owned));
            one(&mut judge, &path, root.is_some(), as_json, out)
        }
    }
}

/// `audit verify RUN|DIR`.
/// # Errors
/// When no such log can be read, or `out` not be written.
pub fn verify(
    dir: &Path,
    asked: &str,
    root: Option<Hex<32>>,
    as_json: bool,
    out: &mut dyn Write,
) -> Result<u8, AuditError> {
    let path = find(dir, asked)?;
    one(&mut Judge::new(path.parent().unwrap_or(dir), root), &path, root.is_some(), as_json, out)
}

fn one(
    judge: &mut Judge,
    path: &Path,
    pinned: bool,
    as_json: bool,
    out: &mut dyn Write,
) -> Result<u8, AuditError> {
    let Judged { verdict, known, witnessed, redactions } = judge.run(path)?;
    let name = path.as_os_str().as_encoded_bytes();
    if as_json {
        let told = redactions.iter().map(|(redaction, done)| Told { redaction, carried_out: *done });
        let report = Report {
            log: event::text(name),
            verdict: &verdict,
            ended: None,
            records: None,
            left_out: 0,
            redactions: Some(told.collect()).filter(|told: &Vec<_>| !told.is_empty()),
        };
        let report = Witnessed { report, witnesses: &witnessed };
        print(out, &json(&report)?)?;
    } else {
        print(out, &format!("{}: {}", Escaped(name), text::verdict(&verdict)))?;
        if let Some(identity) = verdict.identity {
            print(out, &format!("  {}", text::vouched(&identity, known, pinned)))?;
        }
        for seen in &witnessed {
            print(out, &format!("  {}", text::witnessed(seen)))?;
        }
        if let Some(line) = text::openings(&verdict) {
            print(out, &format!("  {line}"))?;
        }
        for (redaction, done) in &redactions {
            print(out, &format!("  {}", text::redaction(redaction, *done)))?;
        }
    }
    Ok(exit_code(verdict.state))
}

/// What `--json` prints of a run: who cosigned a head of its log, with its leaves and the time, beside the rest.
#[derive(Serialize)]
struct Witnessed<'a> {
    #[serde(flatten)]
    report: Report<'a>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    witnesses: &'a [(String, u64, Option<u64>)],
}

/// The witnesses that this machine and this user know: lines of keys; what cannot be read is none.
fn witnesses() -> Vec<Witness> {
    let system = PathBuf::from("/etc/aisandbox/witnesses");
    let files = [system].into_iter().chain(settings("witnesses").ok());
    let texts = files.filter_map(|path| {
        let mut text = String::new();
        let file = std::fs::File::open(path).ok()?;
        file.take(MOST_PROOF_BYTES).read_to_string(&mut text).ok().map(|_| text)
    });
    texts
        .flat_map(|text| text.lines().filter_map(|line| Witness::parse(line.trim())).collect::<Vec<_>>())
        .collect()
}

/// `audit verify --all`: every run, then every device's log, and the runs that only a device knows.
/// # Errors
/// As [`verify`].
pub fn verify_all(
    dir: &Path,
    root: Option<Hex<32>>,
    as_json: bool,
    out: &mut dyn Write,
) -> Result<u8, AuditError> {
    let mut judge = Judge::new(dir, root).with_witnesses(witnesses(), None);
    let mut codes = BTreeSet::new();
    let there = with_logs(dir)?;
    for run in &there {
        codes.insert(one(&mut judge, &dir.join(run.to_string()), root.is_some(), as_json, out)?);
    }
    for (folder, device) in judge.devices()? {
        codes.insert(if device.state == State::Open { 0 } else { exit_code(device.state) });
        let not_here = device.runs.iter().filter(|(run, known)| {
            let never_there = matches!(known.end, Some((_, _, Ending::Missing)));
            !there.contains(run) && !never_there
        });
        let (pruned, gone): (Vec<_>, Vec<_>) = not_here.partition(|(_, known)| known.pruned.is_some());
        let names = |all: Vec<(&RunId, &Known)>| all.iter().map(|(run, _)| run.to_string()).collect();
        let away = Away { gone: names(gone), pruned: names(pruned) };
        codes.extend((!away.gone.is_empty()).then_some(1));
        tell_device(&folder, &device, &away, as_json, out)?;
    }
    Ok([1, 2, 3].into_iter().find(|code| codes.contains(code)).unwrap_or(0))
}

#[derive(Serialize)]
struct DeviceReport<'a> {
    device: String,
    #[serde(flatten)]
    log: &'a DeviceLog,
    #[serde(flatten)]
    away: &'a Away,
}

/// Runs that only the device knows.
#[derive(Serialize)]
struct Away {
    gone: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pruned: Vec<String>,
}

fn tell_device(
    folder: &Path,
    log: &DeviceLog,
    away: &Away,
    as_json: bool,
    out: &mut dyn Write,
) -> Result<(), AuditError> {
    let name = folder.as_os_str().as_encoded_bytes();
    if as_json {
        return print(out, &json(&DeviceReport { device: event::text(name), log, away })?);
    }
    print(out, &format!("{}: {}", Escaped(name), text::device(log)))?;
    let words = |run: &&String| {
        let pruned = run.parse().ok().and_then(|run: RunId| log.runs.get(&run)?.pruned.as_ref());
        pruned.map_or_else(String::new, |dated| {
            format!(", {}: {}", dated.time, escape(dated.what.reason.as_bytes()))
        })
    };
    for run in &away.pruned {
        print(out, &format!("  PRUNED: run {run}{}; its head is here", words(&run)))?;
    }
    away.gone
        .iter()
        .try_for_each(|run| print(out, &format!("  GONE: run {run} began here, and its log is not there")))
}

#[derive(Serialize)]
struct ProofReport<'a> {
    proven: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<Hex<32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leaf: Option<&'a crate::audit::log::Leaf>,
}

/// `audit verify --proof FILE`.
fn verify_proof(
    file: &Path,
    root: Option<Hex<32>>,
    as_json: bool,
    out: &mut dyn Write,
) -> Result<u8, AuditError> {
    let failed = |error: std::io::Error| AuditError::Io {
        what: "read the proof",
        path: file.to_owned(),
        errno: error.raw_os_error().map_or(Errno::EINVAL, Errno::from_raw),
    };
    let mut text = String::new();
    std::fs::File::open(file)
        .and_then(|file| file.take(MOST_PROOF_BYTES).read_to_string(&mut text))
        .map_err(failed)?;
    let proven = check_proof(&text).and_then(|proven| {
        let expected = root.is_none_or(|root| root == proven.identity);
        if expected { Ok(proven) } else { Err("it is of another device than the one that was named") }
    });
    let report = match &proven {
        Ok(proven) => ProofReport {
            proven: true,
            why: None,
            run: Some(&proven.run),
            index: Some(proven.index),
            identity: Some(proven.identity),
            leaf: Some(&proven.leaf),
        },
        Err(why) => {
            ProofReport { proven: false, why: Some(why), run: None, index: None, identity: None, leaf: None }
        }
    };
    if as_json {
        print(out, &json(&report)?)?;
    } else {
        print(out, &text::proof(file, &proven, root.is_some())?)?;
    }
    Ok(u8::from(proven.is_err()))
}
