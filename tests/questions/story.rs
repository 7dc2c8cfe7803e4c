//! Runs that are made up, with all that can happen in one.

use aisandbox::audit::access::{
    AgentStart, Decision, Denial, Grant, GuardianEnd, GuardianStart, KnownFiles, Request, Revoke, Seen,
    Transfer, What, Who,
};
use aisandbox::audit::event::{
    Asked, Command, EndReason, Enforced, Event, Exit, FileFacts, KernelFacts, LayerState, ProfileFacts,
    ProtectedDenied, RunEnd, RunStart,
};
use aisandbox::audit::log::Log;
use aisandbox::audit::network::{Network, NetworkStart};
use aisandbox::audit::new_run_id;
use aisandbox::base::RunId;
use std::path::Path;

/// Writes a log of these events; sealed, or as a killed launcher leaves it.
pub(crate) fn log(runs: &Path, events: &[Event], sealed: bool) -> RunId {
    let run = new_run_id().unwrap();
    let mut log = Log::create(runs, run).unwrap();
    events.iter().for_each(|event| log.append(event).unwrap());
    if sealed {
        log.seal().unwrap();
    }
    run
}

pub(crate) fn start(argv: &[&str]) -> Event {
    let layer = |name: &str| LayerState {
        layer: name.into(),
        asked: Asked::Required,
        state: Enforced::Enforced,
        detail: String::new(),
    };
    Event::RunStart(Box::new(RunStart {
        aisandbox_version: "0.1.0".into(),
        binary: FileFacts { path: "/usr/bin/aisandbox".into(), sha256: None },
        program: FileFacts { path: "/usr/bin/agent".into(), sha256: None },
        command: Command::of(argv),
        profile: ProfileFacts { name: "cowork".into(), origins: Vec::new() },
        kernel: KernelFacts { release: "6.12".into(), machine: "x86_64".into(), landlock_abi: 6, lsms: None },
        uid: 0,
        gid: 0,
        cwd: "/home/u/work".into(),
        layers: vec![layer("seccomp"), layer("landlock-filesystem")],
        chain: Vec::new(),
        trace: None,
        coverage: None,
    }))
}

fn seen(pid: i32, program: &str) -> Seen {
    Seen { pid, program: program.into(), sha256: None }
}

pub(crate) fn who(pid: i32, program: &str) -> Who {
    let parents = vec![seen(40, "/usr/bin/bash"), seen(21, "/usr/bin/agent")];
    Who { process: seen(pid, program), parents }
}

pub(crate) fn what(resource: &str, label: &str, actions: &[&str]) -> What {
    let actions = actions.iter().map(|action| (*action).to_owned()).collect();
    What { actions, resource: resource.into(), path: None, label: label.into(), upload: None }
}

pub(crate) fn network(what: &str, host: &str, flow: u64, sent: u64) -> Network {
    Network {
        what: what.into(),
        flow,
        host: host.into(),
        port: 443,
        protocol: "tls".into(),
        process: Some(seen(52, "/usr/bin/curl")),
        sent,
        received: sent / 2,
        ..Network::default()
    }
}

pub(crate) fn denial(id: &str, path: &str, count: u64) -> Event {
    Event::Denial(Box::new(Denial {
        denial: id.into(),
        request: None,
        who: who(51, "/usr/bin/cat"),
        what: what(&format!("file {path}"), "", &["read"]),
        reason: "ceiling".into(),
        detail: String::new(),
        by: None,
        shown_ms: None,
        count,
    }))
}

pub(crate) fn end() -> Event {
    let denied = [("protected".to_owned(), 1)].into();
    Event::RunEnd(RunEnd { exit: Exit::Code(0), reason: EndReason::Exited, duration_ms: 61_000, denied })
}

fn went(network: Network) -> Event {
    Event::Network(Box::new(network))
}

/// A request, what the policy said, the person's yes, what went through the lease, and its end.
fn lease() -> Vec<Event> {
    let keys = || what("file /home/u/.gnupg", "keys", &["read"]);
    vec![
        Event::Request(Box::new(Request {
            request: "8F3K-1".into(),
            who: who(50, "/usr/bin/gpg"),
            what: keys(),
            why: Some("to sign the release".into()),
            by: "broker".into(),
            token: Some("7f".repeat(16)),
            claimed: None,
        })),
        Event::Decision(Decision {
            request: "8F3K-1".into(),
            decision_id: "d-77".into(),
            outcome: "prompt".into(),
            policy: "readonly-docs".into(),
            reason: "a person decides about keys".into(),
            ttl_s: Some(600),
            bundles: vec!["site@3".into()],
            took_ns: 52_000,
            error: None,
        }),
        Event::Grant(Box::new(Grant {
            grant: "8F3K-g1".into(),
            request: Some("8F3K-1".into()),
            who: who(50, "/usr/bin/gpg"),
            what: keys(),
            how: "served".into(),
            approved_by: "terminal".into(),
            scope: "for".into(),
            shown_ms: Some(3200),
            lease_s: Some(600),
            uses: None,
            bytes: None,
            decision_id: Some("d-77".into()),
            token: Some("7f".repeat(16)),
        })),
        Event::KnownFiles(KnownFiles {
            grant: "8F3K-g1".into(),
            place: None,
            label: "keys".into(),
            files: 3,
            left_out: 0,
            request: None,
            token: None,
        }),
        Event::Transfer(Transfer {
            grant: "8F3K-g1".into(),
            path: Some("/home/u/.gnupg/ring".into()),
            action: "read".into(),
            read: 0,
            written: 0,
            redacted: 0,
            request: Some("8F3K-1".into()),
            token: Some("7f".repeat(16)),
        }),
        Event::Transfer(Transfer {
            grant: "8F3K-g1".into(),
            path: None,
            action: "read".into(),
            read: 4096,
            written: 0,
            redacted: 1,
            request: Some("8F3K-1".into()),
            token: Some("7f".repeat(16)),
        }),
    ]
}

/// Everything that can happen in a run.
pub(crate) fn whole() -> Vec<Event> {
    let mut events = vec![
        start(&["agent", "--fast", "two words"]),
        Event::GuardianStart(GuardianStart {
            roles: vec!["files".into(), "egress".into()],
            ceiling: vec!["read /home/u/.gnupg".into()],
            channels: vec!["terminal".into()],
            chain: Vec::new(),
            public_key: None,
        }),
        Event::NetworkStart(NetworkStart { way: "redirect".into(), ..NetworkStart::default() }),
    ];
    events.extend(lease());
    events.extend([
        went(Network { rule: Some("cowork.yaml:60".into()), ..network("open", "api.example.com", 1, 0) }),
        went(Network {
            request: Some("POST /v1/x".into()),
            ..network("request", "api.example.com", 1, 1_000_000)
        }),
        went(Network {
            findings: vec![("known-file".into(), 1), ("card".into(), 2)],
            reason: Some("dlp".into()),
            ..network("alert", "api.example.com", 1, 1_000_000)
        }),
        went(network("close", "api.example.com", 1, 1_800_000)),
        went(Network { reason: Some("not-listed".into()), ..network("denied", "paste.example.net", 2, 0) }),
        denial("8F3K-d1", "/home/u/.ssh/id_ed25519", 4),
        Event::ProtectedDenied(ProtectedDenied {
            path: "/home/u/work/.envrc".into(),
            call: "openat".into(),
            count: 1,
        }),
        Event::AgentStart(Box::new(AgentStart {
            run: "01KB000000000000000000000A".into(),
            command: Command::of(&["helper", "--less"]),
            transition: None,
            who: who(60, "/usr/bin/aisandbox"),
            token: None,
        })),
        Event::Revoke(Revoke {
            grant: "8F3K-g1".into(),
            why: "expired".into(),
            left: Vec::new(),
            holders: "leave".into(),
            request: Some("8F3K-1".into()),
            token: None,
        }),
        Event::GuardianEnd(GuardianEnd {
            requests: 1,
            grants: 1,
            denials: 2,
            rejected: 0,
            left_out: 0,
            ended_the_run: None,
        }),
        end(),
    ]);
    events
}
