//! Levels of observation, by the real binary: what each records of real programs, what it is silent about, and that nothing
//! passes by it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod levels;
mod limits;
#[path = "../support/mod.rs"]
mod support;
mod work;

use serde_json::Value;
use support::Home;
use support::run::Output;

/// Runs a script at a level, in a writable folder.
pub(crate) fn run(home: &Home, level: &str, script: &str) -> Output {
    run_with(home, level, "", script)
}

/// The same with more in its profile.
pub(crate) fn run_with(home: &Home, level: &str, more: &str, script: &str) -> Output {
    let profile = format!(
        "version: 1\nextends: [offline]\naudit: {{ observe: {level} }}\n{more}filesystem:\n  - {{ path: $PWD, access: rw, \
         protect: [git, shell] }}\n"
    );
    let path = home.write("observed.yaml", &profile);
    home.aisandbox(&["exec", "--profile", path.to_str().unwrap(), "--", "sh", "-c", script]).output()
}

/// Every event of the last run.
pub(crate) fn events(home: &Home) -> Vec<(String, Value)> {
    let records = home.records();
    let lines = records.last().unwrap().lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| (line["event"].as_str().unwrap().to_owned(), line["data"].clone())).collect()
}

/// What was observed: action and path below the working folder, with how it ended and by which program.
pub(crate) struct Seen {
    pub(crate) action: String,
    pub(crate) path: String,
    pub(crate) program: String,
    pub(crate) data: Value,
}

pub(crate) fn seen(home: &Home) -> Vec<Seen> {
    let work = format!("{}/", home.work().display());
    let accesses = events(home).into_iter().filter(|(event, _)| event == "access");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    accesses
        .map(|(_, data)| Seen {
            action: text(&data["action"]),
            path: text(&data["path"]).replace(&work, ""),
            program: text(&data["process"]["program"]),
            data,
        })
        .collect()
}

/// Whether this was observed of a path.
pub(crate) fn has(seen: &[Seen], action: &str, path: &str) -> bool {
    seen.iter().any(|one| one.action == action && one.path == path && one.data["outcome"] == "observed")
}
