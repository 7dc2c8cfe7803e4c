//! One event of each kind, and of kinds that become several things elsewhere one of each; every field has a value.

mod access;
mod beside;
mod network;

use crate::audit::access::*;
use crate::audit::event::*;
use crate::audit::log::{
    Before, Cert, Ending, Entry, Hex, NextKey, Own, Place, Reading, Redaction, Start, Step, Why,
};
use crate::audit::{Alert, Checkpoint, Coverage, Forwarded, Gap};
use crate::crypto::sha256;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The run of all samples.
pub(super) const RUN: &str = "01K9V6Z4E8Q3R7T5W2Y1N0M4B6";
const AT: u64 = 1_790_000_000_000_000_000;

/// A leaf of the event, as it is in a log.
pub(super) fn leaf(event: &impl Serialize) -> String {
    let said = serde_json::to_value(event).unwrap();
    format!("{{\"v\":2,\"ts\":{AT},\"mono\":86400000000000,{}", &said.to_string()[1..])
}

fn digest(text: &str) -> String {
    sha256(text.as_bytes()).to_string()
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn who() -> Who {
    let seen = |pid, program: &str| Seen { pid, program: text(program), sha256: Some(digest(program)) };
    Who {
        process: seen(4711, "/usr/bin/git"),
        parents: vec![seen(4700, "/usr/bin/claude"), seen(4690, "/usr/bin/bash")],
    }
}

fn command() -> Command {
    let argv = ["/usr/bin/claude", "--model=opus", "write the report"];
    Command { argv: argv.map(text).to_vec(), count: 3, cut: false, redacted: false, not_utf8: false }
}

fn run_start() -> Event {
    let facts = |path: &str| FileFacts { path: text(path), sha256: Some(sha256(path.as_bytes())) };
    Event::RunStart(Box::new(RunStart {
        aisandbox_version: text("0.1.0"),
        binary: facts("/usr/bin/aisandbox"),
        program: facts("/usr/bin/claude"),
        command: command(),
        profile: ProfileFacts {
            name: text("cowork"),
            origins: vec![Origin { name: text("cowork"), sha256: digest("cowork"), embedded: true }],
        },
        kernel: KernelFacts {
            release: text("6.12.0"),
            machine: text("x86_64"),
            landlock_abi: 6,
            lsms: Some(vec![text("landlock")]),
        },
        uid: 1000,
        gid: 1000,
        cwd: text("/home/alice/project"),
        layers: vec![LayerState {
            layer: text("seccomp"),
            asked: Asked::Required,
            state: Enforced::Enforced,
            detail: text("filter agent"),
        }],
        chain: vec![text("01K9V6Z4E8Q3R7T5W2Y1N0M4B5")],
        trace: Some(Trace {
            id: text("4bf92f3577b34da6a3ce929d0e0e4736"),
            parent: some("00f067aa0ba902b7"),
            from: text("environment"),
        }),
        coverage: Some(Coverage {
            level: text("writes"),
            file_changes: text("all"),
            requests: text("all"),
            file_opens: text("leases"),
            read_bytes: text("served"),
            writes: text("served"),
            protected_names: text("refusals"),
            exec: text("command"),
            network: text("all"),
            tls_bodies: text("inspected"),
            landlock_denials: text("none"),
            seccomp_denials: text("none"),
            inherited_descriptors: 3,
            io_uring: text("refused"),
        }),
    }))
}

fn of_run() -> Vec<(&'static str, Event)> {
    let denied = BTreeMap::from([(text("/home/alice/.bashrc"), 2)]);
    let (path, layer) = (text("/home/alice/project/.git/hooks"), text("landlock-network"));
    vec![
        ("run_start", run_start()),
        (
            "run_end",
            Event::RunEnd(RunEnd {
                exit: Exit::Code(0),
                reason: EndReason::Exited,
                duration_ms: 61_000,
                denied: denied.clone(),
            }),
        ),
        (
            "run_end.signal",
            Event::RunEnd(RunEnd {
                exit: Exit::Signal(9),
                reason: EndReason::Killed,
                duration_ms: 61_000,
                denied,
            }),
        ),
        (
            "launch_failure",
            Event::LaunchFailure(LaunchFailure {
                stage: text("map ids"),
                message: text("write uid_map: EPERM: operation not permitted"),
                errno: Some(1),
            }),
        ),
        (
            "protected_denied",
            Event::ProtectedDenied(ProtectedDenied { path, call: text("mkdirat"), count: 2 }),
        ),
        (
            "degraded",
            Event::Degraded(Degraded {
                layer,
                why: text("Landlock ABI 3 has no network rules"),
                accepted_by: text("/etc/aisandbox/cowork.yaml:14"),
            }),
        ),
        (
            "guardian_start",
            Event::GuardianStart(GuardianStart {
                roles: vec![text("files"), text("egress")],
                ceiling: vec![text("read /home/alice/finance")],
                channels: vec![text("terminal")],
                chain: vec![text("01K9V6Z4E8Q3R7T5W2Y1N0M4B5")],
                public_key: Some(digest("public")),
            }),
        ),
        (
            "guardian_end",
            Event::GuardianEnd(GuardianEnd {
                requests: 3,
                grants: 2,
                denials: 1,
                rejected: 0,
                left_out: 0,
                ended_the_run: None,
            }),
        ),
        (
            "guardian_end.failed",
            Event::GuardianEnd(GuardianEnd {
                requests: 3,
                grants: 2,
                denials: 1,
                rejected: 4,
                left_out: 7,
                ended_the_run: some("role egress ended"),
            }),
        ),
    ]
}

fn why(reason: &str) -> Why {
    Why { reason: text(reason), by: text("redact"), uid: 1000 }
}

fn place() -> Place {
    let step = |signed| Step { index: 3, key: Hex([3; 32]), path: vec![Hex([4; 32]); 4], signed };
    Place {
        number: 803,
        steps: vec![step(None), step(Some(Hex([5; 64])))],
        links: vec![step(Some(Hex([6; 64])))],
    }
}

fn forwarded() -> [(&'static str, String); 4] {
    let note = "aisandbox/log/01K9\n90\nCAgI\n\n\u{2014} aisandbox/log/01K9 BwcH\n";
    let alert = |state: &str, place: Option<(String, u64)>| {
        let (segment, byte) = place.unzip();
        let why = text("the root that was signed is not that of the leaves");
        leaf(&Forwarded::Alert(Alert {
            sink: text("siem"),
            state: text(state),
            leaves: 90,
            segment,
            byte,
            why,
        }))
    };
    let (sink, root) = (text("siem"), Some(Hex([8; 32])));
    let checkpoint = Checkpoint { sink: sink.clone(), size: 90, sent: 1000, note: text(note) };
    let gap = Gap { sink, from: 17, to: Some(90), root, why: text("spool: older than 30d") };
    [
        ("forward.checkpoint", leaf(&Forwarded::Checkpoint(checkpoint))),
        ("forward.gap", leaf(&Forwarded::Gap(gap))),
        ("forward.alert", alert("tampered", Some((text("00000000.seg"), 4711)))),
        ("forward.alert.open", alert("open", None)),
    ]
}

/// Each sample by the name of its file, as a leaf.
pub(super) fn all() -> Vec<(String, String)> {
    let run = text(RUN);
    let (key, stable) = (Hex([1; 32]), Hex([2; 32]));
    let cert = Cert { place: place(), signature: Hex([7; 64]) };
    let own = [
        ("log.start", leaf(&Own::Start(Box::new(Start { run: run.clone(), key, stable, cert })))),
        ("log.key", leaf(&Own::Key(NextKey { epoch: 1, key, notes: Some(Hex([10; 32])) }))),
        ("log.end", leaf(&Own::End { notes: Some(Hex([10; 32])) })),
        (
            "log.suspended",
            leaf(&Own::Suspended {
                reason: text("write to the log: ENOSPC"),
                lost: 3,
                notes: Some(Hex([10; 32])),
            }),
        ),
        ("device.begin", leaf(&Entry::Begin { run: run.clone(), key, stable, place: place() })),
        (
            "device.end",
            leaf(&Entry::End {
                run: run.clone(),
                size: 90,
                root: Hex([8; 32]),
                how: Ending::Recovered { cut: 17 },
                place: place(),
            }),
        ),
        (
            "device.read",
            leaf(&Entry::Read {
                reading: Reading {
                    by: text("export"),
                    uid: 1000,
                    format: text("ocsf"),
                    runs: vec![run.clone()],
                    all: 1,
                    role: Some(text("soc")),
                    client: Some(text("siem.example.com")),
                },
                place: place(),
            }),
        ),
        (
            "log.redacted",
            leaf(&Entry::Redacted {
                run: run.clone(),
                redaction: Redaction {
                    id: Hex([11; 8]),
                    fields: text("personal"),
                    first: 3,
                    last: 80,
                    count: 40,
                    digest: Hex([12; 32]),
                    why: why("a person asked for it"),
                },
                place: place(),
            }),
        ),
        ("log.held", leaf(&Entry::Held { run: run.clone(), why: why("case 17"), place: place() })),
        (
            "log.released",
            leaf(&Entry::Released { run: run.clone(), why: why("case 17 is closed"), place: place() }),
        ),
        (
            "log.pruned",
            leaf(&Entry::Pruned {
                run: run.clone(),
                size: 90,
                root: Hex([8; 32]),
                why: why("older than 400 days"),
                place: place(),
            }),
        ),
        ("device.enrolled", leaf(&Before::Enrolled { identity: Hex([9; 32]), why: "new" })),
        ("device.recovered", leaf(&Before::Recovered { cut: 40, leaves: 12 })),
    ];
    let own = own.into_iter().chain(forwarded());
    let events =
        [of_run(), beside::all(), access::asked(), access::answered(), network::all()].into_iter().flatten();
    let events = events.map(|(name, event)| (text(name), leaf(&event)));
    events.chain(own.map(|(name, leaf)| (text(name), leaf))).collect()
}

/// The value that a sample's leaf is.
pub(super) fn value(leaf: &str) -> Value {
    serde_json::from_str(leaf).unwrap()
}
