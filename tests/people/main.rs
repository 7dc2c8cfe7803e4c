//! The person's commands by the real binary: runs that live are found, shown and asked, and nothing else is.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod commands;
mod folders;
mod stand_in;

use aisandbox::wire::consent::{Object, Question};
use aisandbox::wire::session::{Given, GrantState, RunState};
use aisandbox::wire::subject::{Action, Asker, Process, Resource};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use support::Home;
use support::run::Output;

/// Two runs that are none.
const RUNS: [&str; 2] = ["01KB000000000000000000AAAA", "01KB000000000000000000BBBB"];
/// What a terminal would obey, reorder or hide.
const HOSTILE: &str = "\x1b[2J\x1b]0;owned\x07\u{202e}gpj\u{200b}\nfake line";

/// Started by `stand_in::StandIn`, as the user of a home; by itself it has nothing to prove.
#[test]
#[ignore = "not a test: other tests start it"]
fn stand_in_for_a_guardian() {
    stand_in::serve();
}

/// The runtime folder of a home.
fn runtime(home: &Home) -> PathBuf {
    let folder = home.make_folder("runtime");
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
    folder
}

/// Our commands with the runtime folder of the home.
fn ask(home: &Home, words: &[&str]) -> Output {
    home.aisandbox(words).env("XDG_RUNTIME_DIR", runtime(home)).output()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_str(&output.stdout()).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// Two guarded runs with a request and a grant each; `text` stands wherever an agent's text can.
fn states(text: &str) -> Vec<RunState> {
    RUNS.iter().map(|run| state(run, &run[22..], text)).collect()
}

fn state(run: &str, short: &str, text: &str) -> RunState {
    RunState {
        version: 1,
        run: run.into(),
        parent: None,
        launcher: 10,
        init: 11,
        profile: "cowork".into(),
        command: vec!["agent".into(), text.into()],
        since: 1_700_000_000,
        guarded: true,
        public_key: None,
        requests: vec![question(run, short, text)],
        grants: vec![GrantState {
            id: format!("{short}-g1"),
            actions: vec![Action::Read, Action::Append],
            resource: Resource::File { path: format!("/home/u/{text}") },
            path: Some(format!("/home/u/{text}")),
            upload: None,
            by: Given::Descriptor,
            approved_by: text.into(),
            since: 1_700_000_000,
            until: Some(4_000_000_000),
            uses_left: Some(3),
            bytes_left: None,
            revocable: false,
        }],
        denials: Vec::new(),
        alerts: Vec::new(),
        frozen: None,
    }
}

fn question(run: &str, short: &str, text: &str) -> Question {
    Question {
        id: format!("{short}-2"),
        run: run.into(),
        profile: "cowork".into(),
        chain: Vec::new(),
        asker: Asker {
            process: Process { pid: 812, program: format!("/usr/bin/{text}"), sha256: None },
            parents: vec![Process { pid: 800, program: "/bin/sh".into(), sha256: None }],
        },
        actions: vec![Action::Read],
        resource: Resource::File { path: format!("/home/u/{text}") },
        object: Some(Object {
            path: format!("/home/u/{text}"),
            kind: "folder".into(),
            size: None,
            label: "mail".into(),
            sha256: None,
        }),
        why: Some(text.into()),
        upload: None,
        lease_s: Some(3600),
        asked_at: 1_700_000_000,
        until: 4_000_000_000,
        policy: None,
    }
}
