//! Samples of what happens beside requests.

use super::{digest, some, text, who};
use crate::audit::beside::{ClockStep, PolicyLoaded, Repeat};
use crate::audit::event::Event;

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
    vec![
        ("policy_loaded", Event::PolicyLoaded(loaded)),
        ("clock_step", Event::ClockStep(ClockStep { delta_ns: -3_600_000_000_000 })),
        ("repeat", repeat("denial", "read", "file /home/alice/.ssh/a", "file /home/alice/.ssh/z")),
        ("repeat.network", repeat("network", "connect", "host a.example:443", "host z.example:443")),
    ]
}
