//! The Guardian of a run by the real binary: what is asked, answered, given, taken back, recorded and refused.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod beside;
mod broker;
mod coverage;
mod cowork;
mod descend;
mod detection;
mod end;
mod exact;
mod frozen;
mod inside;
mod inspect;
mod kinds;
mod lesson;
mod network;
mod own;
mod packed;
mod person;
mod shipped;
mod terminal;
mod tokens;
mod trace;

use serde_json::Value;
use std::path::Path;
use support::Home;
use support::run::{Output, PATIENCE, Started, comes_true};

/// A run that goes on while a test acts as the person.
pub(crate) struct Guarded<'h> {
    pub(crate) home: &'h Home,
    pub(crate) run: Started,
}

/// Writes a profile that asks for these entries; gives its path. A question waits longer than a test does: one that
/// nobody answers fails the test.
pub(crate) fn profile(home: &Home, entries: &str, ways: &str) -> String {
    let text = format!(
        "version: 1\nextends: [cowork]\nguardian: true\nfilesystem:\n{entries}\nconsent: {{ channels: [{ways}], timeout: 5m }}\n"
    );
    home.write("guarded.yaml", &text).to_str().unwrap().to_owned()
}

impl<'h> Guarded<'h> {
    /// Starts a script in a guarded sandbox.
    pub(crate) fn start(home: &'h Home, profile: &str, script: &str) -> Self {
        let run = home.aisandbox(&["exec", "--profile", profile, "--", "sh", "-c", script]).start();
        Self { home, run }
    }

    /// What a command of the person prints as JSON.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let output = self.home.aisandbox(args).output();
        serde_json::from_str(&output.stdout()).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    /// Waits until somebody is asked; gives the request's id.
    pub(crate) fn asked(&self) -> String {
        let mut found = Value::Null;
        let there = comes_true(PATIENCE, || {
            found = self.json(&["requests", "--json"]);
            found[0]["id"].is_string()
        });
        assert!(there, "nobody was asked");
        found[0]["id"].as_str().unwrap().to_owned()
    }

    /// Waits until nothing is granted any more.
    pub(crate) fn nothing_granted(&self) {
        let none = || self.json(&["grants", "--json"]).as_array().is_some_and(Vec::is_empty);
        assert!(comes_true(PATIENCE, none), "a grant never ended");
    }

    /// A command of the person.
    pub(crate) fn person(&self, args: &[&str]) -> Output {
        self.home.aisandbox(args).output()
    }

    /// Waits for a file that the script makes.
    pub(crate) fn reaches(&self, name: &str) {
        let path = self.home.join(name);
        assert!(comes_true(PATIENCE, || path.exists()), "{name} never came");
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> Output {
        self.run.finish()
    }
}

/// The events of the newest record of a home, with their data.
pub(crate) fn events(home: &Home) -> Vec<(String, Value)> {
    let records = home.records();
    let lines = records.last().unwrap().lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| (line["event"].as_str().unwrap().to_owned(), line["data"].clone())).collect()
}

/// The first event of a name.
pub(crate) fn event(home: &Home, name: &str) -> Value {
    let all = events(home);
    let found = all.iter().find(|(event, _)| event == name).map(|(_, data)| data.clone());
    found.unwrap_or_else(|| panic!("no {name} in {all:?}"))
}

/// A copy of the client that was written from the manual page.
pub(crate) fn client(home: &Home) {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broker_client.py"));
    home.write("work/broker_client.py", &text.unwrap());
}

/// Reads what one call of the client gave, a line each.
pub(crate) fn lines(output: &Output) -> Vec<Value> {
    let text = output.stdout();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {output:?}")))
        .collect()
}

/// One entry that may be asked for.
pub(crate) const DOCS: &str = "  - { path: $PWD/docs, access: ask, actions: [read], lease: 1h }";

/// The way by which a question waits for `approve`.
pub(crate) const WAITS: &str = "ui";

/// Ends a role of a launcher, as a bug of it would.
pub(crate) fn kill_role(launcher: i32, name: &str) {
    signal_role(launcher, name, nix::sys::signal::Signal::SIGKILL);
}

/// Signals a role of a launcher. The agent may run before each role has its name.
pub(crate) fn signal_role(launcher: i32, name: &str, signal: nix::sys::signal::Signal) {
    let pid = nix::unistd::Pid::from_raw(role_pid(launcher, name));
    nix::sys::signal::kill(pid, signal).unwrap();
}

/// The process of a role.
pub(crate) fn role_pid(launcher: i32, name: &str) -> i32 {
    let is_role = |pid: &&str| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        words.get(1..3) == Some(&[b"__role".as_slice(), name.as_bytes()])
    };
    let mut pid = None;
    let begun = comes_true(PATIENCE, || {
        let children = std::fs::read_to_string(format!("/proc/{launcher}/task/{launcher}/children")).unwrap();
        pid = children.split_whitespace().find(is_role).map(|pid| pid.parse().unwrap());
        pid.is_some()
    });
    assert!(begun, "no role {name}");
    pid.unwrap()
}
