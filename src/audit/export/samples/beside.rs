//! Samples of what happens beside requests.

use super::{digest, some, text, who};
use crate::audit::beside::{Alert, ClockStep, Freeze, PolicyLoaded, Repeat};
use crate::audit::calls::Access;
use crate::audit::event::{Command, Event};

pub(super) fn all() -> Vec<(&'static str, Event)> {
    let loaded = PolicyLoaded {
        kind: text("policy"),
        name: text("/etc/aisandbox/policy/site.tar.gz"),
        sha256: digest("site"),
        level: some("administrator"),
        revision: some("42"),
    };
    let repeat = |of: &str, action: &str, first: &str, last: &str| {
        let process = who().process;
        Event::Repeat(Box::new(Repeat {
            of: text(of),
            reason: text("ceiling"),
            actions: vec![text(action)],
            first: text(first),
            last: text(last),
            count: 4_100,
            within_ms: 9_800,
            process,
        }))
    };
    let access = |action: &str, call: &str, path: &str| Access {
        process: who().process,
        action: text(action),
        call: text(call),
        path: text(path),
        outcome: text("observed"),
        src: text("guard"),
        count: 1,
        ..Access::default()
    };
    let event = |access| Event::Access(Box::new(access));
    let moved = Access { other: some("/work/a.txt"), ..access("create", "renameat2", "/work/b.txt") };
    let often = Access { count: 12, within_ms: Some(9_400), ..access("overwrite", "openat", "/work/log") };
    let denied = Access {
        outcome: text("denied"),
        error: some("EACCES"),
        ..access("read", "openat", "/home/alice/.ssh/id_ed25519")
    };
    let command = Command::of(&["git", "push"]);
    let executed =
        Access { src: text("notify"), command: Some(command), ..access("execute", "execve", "/usr/bin/git") };
    let alert = Alert {
        alert: text("8F3K-a1"),
        rule: text("decoy-taken"),
        rule_id: text("1d3f0f5e-2c55-5e0e-9a53-6a7f0f3e0a11"),
        title: text("A decoy was on its way out"),
        level: text("critical"),
        action: text("freeze"),
        about: vec![(text("data.host"), text("paste.example.net"))],
        first: 40,
        last: 41,
        count: 2,
    };
    let frozen = Freeze { what: text("frozen"), how: text("signals"), by: text("decoy-taken"), processes: 4 };
    let failed = Freeze { what: text("failed"), ..frozen.clone() };
    vec![
        ("access", event(access("read", "openat", "/work/report.txt"))),
        ("access.created", event(moved)),
        ("access.often", event(often)),
        ("access.denied", event(denied)),
        ("access.executed", event(executed)),
        (
            "access.failed",
            event(Access {
                outcome: text("failed"),
                error: some("ENOENT"),
                ..access("read", "openat", "/work/no")
            }),
        ),
        ("repeat.access", repeat("access", "read", "file /home/alice/a", "file /home/alice/z")),
        ("alert", Event::Alert(Box::new(alert))),
        ("freeze", Event::Freeze(frozen)),
        ("freeze.failed", Event::Freeze(failed)),
        ("policy_loaded", Event::PolicyLoaded(loaded)),
        ("clock_step", Event::ClockStep(ClockStep { delta_ns: -3_600_000_000_000 })),
        ("repeat", repeat("denial", "read", "file /home/alice/.ssh/a", "file /home/alice/.ssh/z")),
        ("repeat.network", repeat("network", "connect", "host a.example:443", "host z.example:443")),
    ]
}
