//! The log of a run and of the device: what a change of it shows, what a crash and a full disk do, and what is proven.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod attacks;
mod commands;
mod damage;
mod device;
mod epochs;
mod export;
mod faults;
mod independent;
#[path = "../inject/mod.rs"]
mod inject;
mod openings;
mod packed;
mod page;
mod proof;
mod redactions;
#[path = "../support/mod.rs"]
mod support;
mod threads;
mod whole;

use aisandbox::audit::event::{EndReason, Event, Exit, LaunchFailure, RunEnd};
use aisandbox::audit::log::{Log, State, Verdict, read, verify};
use aisandbox::audit::new_run_id;
use aisandbox::base::RunId;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use support::segment::blocks;

/// A private folder of one test, removed at its end.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("aisandbox-log-{}", new_run_id().unwrap()));
        fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
        Self(path)
    }

    fn runs(&self) -> PathBuf {
        self.0.join("runs")
    }

    fn folder(&self, run: RunId) -> PathBuf {
        self.runs().join(run.to_string())
    }

    /// The one folder of a device's log that is there.
    fn device(&self) -> PathBuf {
        let mut all = self.devices();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    fn devices(&self) -> Vec<PathBuf> {
        fs::read_dir(self.0.join("device")).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    fn begin(&self) -> (RunId, Log) {
        let run = new_run_id().unwrap();
        (run, Log::create(&self.runs(), run).unwrap())
    }

    /// A log with as many events, one block each; sealed or as a killed launcher leaves it.
    fn log(&self, events: usize, sealed: bool) -> (RunId, PathBuf) {
        let (run, mut log) = self.begin();
        (0..events).for_each(|number| log.append(&event(&format!("event {number}"))).unwrap());
        if sealed {
            log.seal().unwrap();
        }
        (run, self.folder(run))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn event(message: &str) -> Event {
    Event::LaunchFailure(LaunchFailure { stage: "plan".into(), message: message.into(), errno: None })
}

fn end() -> Event {
    let denied = [("protected".to_owned(), 2)].into();
    Event::RunEnd(RunEnd { exit: Exit::Code(3), reason: EndReason::Exited, duration_ms: 12, denied })
}

/// Every one of many places with `AISANDBOX_SLOW=1`, as in CI; else one of `few`.
fn step(few: usize) -> usize {
    if std::env::var_os("AISANDBOX_SLOW").is_some_and(|value| value == "1") { 1 } else { few }
}

fn segment(folder: &Path) -> PathBuf {
    folder.join("00000000.seg")
}

fn state(folder: &Path) -> State {
    verify(folder).unwrap().state
}

/// The messages of all events that hold, and the verdict.
fn messages(folder: &Path) -> (Vec<String>, Verdict) {
    let mut found = Vec::new();
    let verdict = read(folder, &mut |each| {
        if let Some(Event::LaunchFailure(failure)) = each.leaf().unwrap().own() {
            found.push(failure.message);
        }
    });
    (found, verdict.unwrap())
}
