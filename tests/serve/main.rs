//! Records over sockets: who may ask, what each role reads, what is recorded of it, and what a hostile client can do.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod bounds;
mod collector;
mod local;
mod personal;
mod roles;
#[path = "../questions/story.rs"]
mod story;
#[path = "../support/mod.rs"]
mod support;
mod world;

use aisandbox::audit::Event;
use aisandbox::base::RunId;
use serde_json::Value;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::Home;
use support::run::{PATIENCE, Run, Started, comes_true};

/// The folder of logs of a home, as the program finds it.
pub(crate) fn runs(home: &Home) -> PathBuf {
    home.join(".local/state/aisandbox/runs")
}

/// Writes logs into a home: each list of events is one run.
pub(crate) fn with_runs(home: &Home, logs: &[(&[Event], bool)]) -> Vec<RunId> {
    let runs = runs(home);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(runs.parent().unwrap()).unwrap();
    take(home);
    let made = logs.iter().map(|(events, sealed)| story::log(&runs, events, *sealed)).collect();
    give_back(home);
    made
}

/// Makes the records of a home ours, who write them.
pub(crate) fn take(home: &Home) {
    if home.user.become_it {
        give(&home.join(".local"), nix::unistd::geteuid().as_raw());
    }
}

/// Gives them back to the home's user.
pub(crate) fn give_back(home: &Home) {
    if home.user.become_it {
        give(&home.join(".local"), home.user.uid);
    }
}

/// Gives a folder and all in it to a user.
pub(crate) fn give(path: &Path, uid: u32) {
    chown(path, Some(uid), Some(uid)).unwrap();
    if path.is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path(), uid));
    }
}

/// The program that serves, until this is dropped.
pub(crate) struct Server {
    pub(crate) started: Started,
    pub(crate) socket: PathBuf,
}

impl Server {
    /// Serves the records of this home at its local socket.
    pub(crate) fn start(home: &Home, more: &[&str]) -> Self {
        let socket = home.make_folder("run").join("audit.sock");
        let words = ["audit", "serve", "--socket", socket.to_str().unwrap()];
        let started = home.aisandbox(&words).args(more).start();
        let server = Self { started, socket };
        // The name is there a moment before it listens.
        let listens = || std::os::unix::net::UnixStream::connect(&server.socket).is_ok();
        assert!(comes_true(PATIENCE, listens), "it should listen");
        server
    }

    /// What curl gets at this path: the status, the headers in lower case, and the body.
    pub(crate) fn get(&self, home: &Home, path: &str, more: &[&str]) -> (u16, String, String) {
        let socket = self.socket.to_str().unwrap();
        let words = ["--unix-socket", socket, "--path-as-is"];
        curl(home, &[&words[..], more].concat(), &format!("http://localhost{path}"))
    }

    /// The JSON of a path that must answer.
    pub(crate) fn json(&self, home: &Home, path: &str) -> Value {
        let (status, _, body) = self.get(home, path, &[]);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }
}

/// What curl gets; status 0 where there is no answer.
pub(crate) fn curl(home: &Home, words: &[&str], url: &str) -> (u16, String, String) {
    let usual = ["-sS", "-i", "--globoff", "--http1.1", "--max-time", "120"];
    let output = Run::new(Path::new("/usr/bin/curl"), home).args(&usual).args(words).args(&[url]).output();
    let text = output.stdout();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return (0, String::new(), output.stderr()) };
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    (status, head.to_lowercase(), body.to_owned())
}

/// The value of a header.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// The readings that the device's log has, as JSON.
pub(crate) fn readings(home: &Home) -> Vec<Value> {
    let device =
        std::fs::read_dir(home.join(".local/state/aisandbox/device")).unwrap().next().unwrap().unwrap();
    let log = aisandbox::audit::log::read_device(&device.path()).unwrap();
    assert_eq!((log.missing, &log.damage), (0, &None));
    log.reads.iter().map(|read| serde_json::to_value(read).unwrap()).collect()
}

/// A moment that is long enough for what must not happen to happen.
pub(crate) const MOMENT: Duration = Duration::from_millis(300);
