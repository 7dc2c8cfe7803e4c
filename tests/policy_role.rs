//! Role `policy` as its own process, confined: it answers, keeps the last good bundle, and ends rather than grow.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use aisandbox::policy::{archive, shipped};
use aisandbox::sys::process::ExecStrings;
use aisandbox::sys::{socket, spawn};
use aisandbox::wire::codec::{decode, encode};
use aisandbox::wire::policy::{FromPolicy, Input, Outcome, ToPolicy};
use aisandbox::wire::subject::{Action, Asker, Resource};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};

struct Role {
    socket: OwnedFd,
}

impl Role {
    fn start() -> Self {
        let (ours, theirs) = socket::message_pair().unwrap();
        let program = File::open(env!("CARGO_BIN_EXE_aisandbox")).unwrap();
        let argv = ExecStrings::new(vec![c"aisandbox".into(), c"__role".into(), c"policy".into()]);
        let started =
            spawn::start(program.as_fd(), &argv, &ExecStrings::new(Vec::new()), theirs.as_fd(), None);
        started.unwrap();
        Self { socket: ours }
    }

    fn ask(&self, message: &ToPolicy, file: Option<&File>) -> Option<FromPolicy> {
        let bytes = encode(message).unwrap();
        socket::send(self.socket.as_fd(), &bytes, file.map(AsFd::as_fd), true).ok()?;
        let mut buffer = vec![0; 65_536];
        match socket::receive(self.socket.as_fd(), &mut buffer, true) {
            Ok((0, _)) | Err(_) => None,
            Ok((length, _)) => Some(decode(&buffer[..length]).unwrap()),
        }
    }

    fn load(&self, name: &str, bytes: &[u8]) -> FromPolicy {
        let path = std::env::temp_dir().join(format!("aisandbox-policy-role-{}-{name}", std::process::id()));
        File::create(&path).unwrap().write_all(bytes).unwrap();
        let file = File::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let load =
            ToPolicy::Load { level: "project".into(), name: name.into(), signed: false, keys: Vec::new() };
        self.ask(&load, Some(&file)).unwrap()
    }

    fn outcome(&self, path: &str) -> Option<Outcome> {
        match self.ask(&ToPolicy::Decide { id: 7, input: Box::new(read(path)) }, None)? {
            FromPolicy::Decided { id: 7, decision } => Some(decision.outcome),
            other => panic!("{other:?}"),
        }
    }
}

fn read(path: &str) -> Input {
    Input {
        version: 1,
        actions: vec![Action::Read],
        resource: Resource::File { path: path.into() },
        path: Some(path.into()),
        label: String::new(),
        kind: Some("file".into()),
        upload: None,
        size: None,
        asker: Asker::default(),
        profile: "p".into(),
        run: "r".into(),
        depth: 0,
        uid: 1000,
        now: 1_700_000_000,
        grants: Vec::new(),
    }
}

fn docs() -> Vec<u8> {
    archive::pack(&shipped("readonly-docs").unwrap()).unwrap()
}

fn one(text: &str) -> Vec<u8> {
    archive::pack(&[archive::Member { name: "p.rego".into(), bytes: text.into() }]).unwrap()
}

#[test]
fn the_role_decides_by_the_bundles_it_was_given() {
    let role = Role::start();
    assert_eq!(role.outcome("/home/u/a.pdf"), Some(Outcome::Prompt), "without a bundle a person is asked");
    assert_eq!(role.load("docs", &docs()), FromPolicy::Loaded { revision: "1".into() });
    assert_eq!(role.outcome("/home/u/a.pdf"), Some(Outcome::Allow));
    assert_eq!(role.outcome("/home/u/key"), Some(Outcome::Prompt));
}

#[test]
fn a_bundle_that_is_wrong_leaves_the_last_good_one_in_force() {
    let role = Role::start();
    role.load("docs", &docs());
    for wrong in
        [b"no archive".to_vec(), one("package aisandbox.policies.p\nverdict contains x if {"), Vec::new()]
    {
        assert!(matches!(role.load("docs", &wrong), FromPolicy::NotLoaded { .. }));
        assert_eq!(role.outcome("/home/u/a.pdf"), Some(Outcome::Allow));
    }
    let no = "package aisandbox.policies.p\nverdict contains {\"outcome\": \"deny\", \"reason\": \"no\"} if input.uid > 0\n";
    assert!(matches!(role.load("docs", &one(no)), FromPolicy::Loaded { .. }));
    assert_eq!(role.outcome("/home/u/a.pdf"), Some(Outcome::Deny));
}

#[test]
fn a_rule_that_fills_memory_or_never_ends_gives_no_yes() {
    let role = Role::start();
    let hungry = "package aisandbox.policies.p\n\
        verdict contains {\"outcome\": \"allow\", \"reason\": \"r\"} if {\n\
        count({x: y | some x in numbers.range(1, 100000); y := numbers.range(1, 100000)}) > 0\n}\n";
    assert!(matches!(role.load("hungry", &one(hungry)), FromPolicy::Loaded { .. }));
    assert!(matches!(role.outcome("/a"), None | Some(Outcome::Deny)));
}

#[test]
fn what_is_no_message_ends_the_role() {
    let role = Role::start();
    socket::send(role.socket.as_fd(), b"{\"decide\":[7,{}]}", None, true).unwrap();
    let mut buffer = [0; 64];
    assert!(matches!(socket::receive(role.socket.as_fd(), &mut buffer, true), Ok((0, _)) | Err(_)));
}
