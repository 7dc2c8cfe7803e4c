//! Questions to records: what was touched, who approved it, how data moved, over one run and over many.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod answers;
mod browser;
mod hostile;
mod page;
mod report;
mod story;
#[path = "../support/mod.rs"]
mod support;
mod withheld;

use aisandbox::audit::Event;
use aisandbox::base::RunId;
use serde_json::Value;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::{Path, PathBuf};
use support::Home;
use support::run::Output;

/// The folder of logs of a home, as the program finds it.
pub(crate) fn runs(home: &Home) -> PathBuf {
    home.join(".local/state/aisandbox/runs")
}

/// Writes logs into a home: each list of events is one run.
pub(crate) fn with_runs(home: &Home, logs: &[(&[Event], bool)]) -> Vec<RunId> {
    let runs = runs(home);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(runs.parent().unwrap()).unwrap();
    let made = logs.iter().map(|(events, sealed)| story::log(&runs, events, *sealed)).collect();
    if home.user.become_it {
        give(&home.join(".local"), home.user.uid);
    }
    made
}

/// Gives a folder and all in it to a user.
fn give(path: &Path, uid: u32) {
    chown(path, Some(uid), Some(uid)).unwrap();
    if path.is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path(), uid));
    }
}

pub(crate) fn ask(home: &Home, words: &[&str]) -> Output {
    home.aisandbox(words).output()
}

pub(crate) fn json(home: &Home, words: &[&str]) -> Value {
    let output = ask(home, words);
    serde_json::from_str(&output.stdout()).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}
