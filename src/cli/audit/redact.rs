//! `aisandbox audit redact`, `retain` and `hold`: what may be gone, what must be, and what must not.
//!
//! Exit codes: 0; 1 when nothing was meant, or when something that was meant stays as it is.

use super::{event_of, print};
use crate::audit::index::Pattern;
use crate::audit::log::{Custody, Why};
use crate::audit::withhold::{Became, Chosen, Done, Windows, redact, retain};
use crate::audit::{AuditError, find, runs, settings};
use crate::base::{Escaped, WallTime, escape};
use crate::cli::args::{Hold, Redact, Retain};
use crate::profile::parse_duration;
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where an administrator says how long records are kept.
const SYSTEM: &str = "/etc/aisandbox/retention.conf";
/// The most bytes of a file that says so.
const MOST_BYTES: u64 = 64 << 10;

fn uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

fn state(dir: &Path) -> &Path {
    dir.parent().unwrap_or(dir)
}

fn wrong(why: String) -> AuditError {
    AuditError::Question { why }
}

pub(super) fn redact_runs(dir: &Path, wish: &Redact, out: &mut dyn Write) -> Result<u8, AuditError> {
    let (folders, index) = meant(dir, wish)?;
    let chosen = chosen(wish, index)?;
    let why = Why { reason: wish.reason.clone(), by: "redact".to_owned(), uid: uid() };
    let done = redact(state(dir), &folders, &chosen, (&why, wish.dry_run))?;
    tell(&done, wish.dry_run, wish.json, out)?;
    let some = done.iter().any(|done| done.became == Became::Redacted);
    let stays = done.iter().any(|done| !matches!(done.became, Became::Redacted | Became::Nothing));
    Ok(u8::from(!some || stays))
}

/// The runs that are meant, and the one event where one is.
fn meant(dir: &Path, wish: &Redact) -> Result<(Vec<PathBuf>, Option<u64>), AuditError> {
    if wish.all {
        return Ok((runs(dir)?.iter().map(|run| dir.join(run.to_string())).collect(), None));
    }
    if let [one] = wish.runs.as_slice()
        && let Some((run, index)) = event_of(one)
    {
        return Ok((vec![own(dir, run)?], Some(index)));
    }
    wish.runs.iter().map(|run| own(dir, run)).collect::<Result<_, _>>().map(|folders| (folders, None))
}

/// Only logs of this place have a device that can note what is done to them.
fn own(dir: &Path, asked: &str) -> Result<PathBuf, AuditError> {
    let folder = find(dir, asked)?;
    let own = folder.parent().is_some_and(|above| above == dir);
    if own {
        Ok(folder)
    } else {
        Err(wrong(format!("{}: no record of this place; name the run", escape(asked.as_bytes()))))
    }
}

fn chosen(wish: &Redact, index: Option<u64>) -> Result<Chosen, AuditError> {
    if wish.class != "personal" {
        let class = escape(wish.class.as_bytes());
        return Err(wrong(format!(
            "{class}: only fields of class personal can be withheld; no other lies beside the log"
        )));
    }
    let here = std::env::current_dir().unwrap_or_default();
    let (here, home) = (here.to_string_lossy(), std::env::var("HOME").ok());
    let pattern = |glob: &Option<String>| {
        glob.as_deref().map(|glob| Pattern::of(glob, &here, home.as_deref()).map_err(wrong)).transpose()
    };
    let before = wish.older_than.as_deref().map(age).transpose()?;
    let before = before.map(|age| WallTime::now().0 - i128::try_from(age.as_nanos()).unwrap_or(i128::MAX));
    Ok(Chosen { index, path: pattern(&wish.path)?, host: pattern(&wish.host)?, before })
}

fn age(text: &str) -> Result<Duration, AuditError> {
    parse_duration(text)
        .ok_or_else(|| wrong(format!("{}: no time such as 30d or 1h30m", escape(text.as_bytes()))))
}

fn tell(done: &[Done], dry: bool, as_json: bool, out: &mut dyn Write) -> Result<(), AuditError> {
    if as_json {
        return print(out, &format!("{:#}", json!({ "dry_run": dry, "runs": done })));
    }
    for one in done {
        print(out, &format!("{}: {}", Escaped(one.run.as_bytes()), words(one, dry)))?;
    }
    if done.is_empty() {
        print(out, "nothing is meant")?;
    }
    Ok(())
}

fn words(done: &Done, dry: bool) -> String {
    let (leaves, would) = (done.leaves, if dry { "would be " } else { "" });
    match done.became {
        Became::Redacted => format!("personal fields of {leaves} events {would}withheld; commitments intact"),
        Became::Pruned => format!("{would}removed, {leaves} leaves; the device's log keeps its head"),
        Became::Nothing => "nothing of it is meant".to_owned(),
        Became::Held => {
            format!("stays as it is: held ({})", escape(done.held.as_deref().unwrap_or_default().as_bytes()))
        }
        Became::GoesOn => "stays as it is: its run goes on".to_owned(),
        Became::Tampered => "stays as it is: it was TAMPERED with, and is evidence".to_owned(),
        Became::Busy => "stays as it is: another process is at it".to_owned(),
    }
}

pub(super) fn retain_runs(dir: &Path, wish: &Retain, out: &mut dyn Write) -> Result<u8, AuditError> {
    let windows = windows(wish.config.as_deref())?;
    let now = match wish.now.as_deref() {
        None => WallTime::now(),
        Some(_) if !wish.dry_run => return Err(wrong("--now is for a dry run".to_owned())),
        Some(text) => text.parse().map_err(|_| wrong(format!("{}: no moment", escape(text.as_bytes()))))?,
    };
    let folders: Vec<PathBuf> = runs(dir)?.iter().map(|run| dir.join(run.to_string())).collect();
    let done = retain(state(dir), &folders, &windows, (now, uid(), wish.dry_run))?;
    tell(&done, wish.dry_run, wish.json, out)?;
    Ok(u8::from(done.iter().any(|done| matches!(done.became, Became::Tampered | Became::Busy))))
}

/// What an administrator says counts; else what the user says; else what is usual.
fn windows(named: Option<&Path>) -> Result<Windows, AuditError> {
    let places = named.map_or_else(
        || [PathBuf::from(SYSTEM)].into_iter().chain(settings("retention.conf").ok()).collect(),
        |path| vec![path.to_owned()],
    );
    for path in places {
        match read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => {}
            Err(error) => return Err(AuditError::io("read", &path, &error)),
            Ok(text) => return windows_of(&text, &path),
        }
    }
    Ok(Windows::default())
}

fn read(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?.take(MOST_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// Lines of `personal = 30d` and `runs = 400d`; `never` for no end.
fn windows_of(text: &str, path: &Path) -> Result<Windows, AuditError> {
    let mut windows = Windows::default();
    for (number, line) in (1..).zip(text.lines()) {
        let said = line.split('#').next().unwrap_or_default().trim();
        if said.is_empty() {
            continue;
        }
        let failed = |why: &str| {
            wrong(format!(
                "{}:{number}: {why}: {}",
                Escaped(path.as_os_str().as_encoded_bytes()),
                escape(said.as_bytes())
            ))
        };
        let (name, value) = said.split_once('=').ok_or_else(|| failed("no NAME = TIME"))?;
        let window = match value.trim() {
            "never" => None,
            value => Some(parse_duration(value).ok_or_else(|| failed("no time such as 30d"))?),
        };
        match name.trim() {
            "personal" => windows.personal = window,
            "runs" => windows.runs = window,
            _ => return Err(failed("only `personal` and `runs` can be said")),
        }
    }
    Ok(windows)
}

pub(super) fn hold_run(dir: &Path, wish: &Hold, out: &mut dyn Write) -> Result<u8, AuditError> {
    let folder = own(dir, &wish.run)?;
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let run = name.parse().map_err(|_| wrong(format!("{}: no run", escape(name.as_bytes()))))?;
    let mut custody = Custody::open(state(dir))?;
    let held = custody.held(run).map(|why| why.reason.clone());
    let reason = wish.reason.clone().unwrap_or_default();
    let why = Why { reason, by: "hold".to_owned(), uid: uid() };
    let (code, words) = match (wish.release, held) {
        (false, Some(before)) => (1, format!("is held already ({})", escape(before.as_bytes()))),
        (true, None) => (1, "is not held".to_owned()),
        (false, None) => {
            custody.hold(run, &why)?;
            (0, "held: nothing of it is withheld or removed until it is released".to_owned())
        }
        (true, Some(_)) => {
            custody.release(run, &why)?;
            (0, "released".to_owned())
        }
    };
    if wish.json {
        let held = custody.held(run).map(|why| why.reason.clone());
        print(out, &format!("{:#}", json!({ "run": name, "held": held, "changed": code == 0 })))?;
    } else {
        print(out, &format!("{name}: {words}"))?;
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_lines_of_a_name_and_a_time_and_a_wrong_line_is_named() {
        let path = Path::new("/etc/aisandbox/retention.conf");
        let day = |days: u64| Some(Duration::from_secs(days * 86_400));
        let read = windows_of("# ours\npersonal = 7d # a week\n\nruns=never\n", path).unwrap();
        assert_eq!(read, Windows { personal: day(7), runs: None });
        assert_eq!(windows_of("", path).unwrap(), Windows { personal: day(30), runs: day(400) });
        for text in ["personal", "personal = soon", "\npersonal 7d", "fields = 7d"] {
            let error = windows_of(text, path).unwrap_err().to_string();
            let line = if text.starts_with('\n') { 2 } else { 1 };
            assert!(error.starts_with(&format!("/etc/aisandbox/retention.conf:{line}: ")), "{error}");
        }
    }
}
