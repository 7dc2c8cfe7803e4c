//! The table, of what happens beside requests.

use super::Class::{Personal, Public};
use super::Durability::{Async, Sync};
use super::rows::Part::{In, Of};
use super::rows::{COMMAND, Row, SEEN};

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "policy_loaded",
        version: 1,
        meaning: "Something that decides was loaded: a file of the profile, a filter, a policy, rules.",
        durability: Sync,
        ocsf: &[300_410],
        cef: ("Policy loaded", 2, 2),
        ecs: ("configuration", &["change"]),
        parts: &[
            Of(Public, &["kind"]),
            Of(Personal, &["name"]),
            Of(Public, &["sha256", "level", "revision"]),
        ],
    },
    Row {
        name: "clock_step",
        version: 1,
        meaning: "The clock of the machine was set while the run went on.",
        durability: Async,
        ocsf: &[100_899],
        cef: ("Clock set", 5, 5),
        ecs: ("configuration", &["change"]),
        parts: &[Of(Public, &["delta_ns"])],
    },
    Row {
        name: "repeat",
        version: 1,
        meaning: "Refusals of one kind that came faster than they are told one by one.",
        durability: Async,
        ocsf: super::access::BY_RESOURCE,
        cef: ("Refusals repeated", 6, 6),
        ecs: ("intrusion_detection", &["denied"]),
        parts: &[
            Of(Public, &["of", "reason", "actions[]"]),
            Of(Personal, &["first", "last"]),
            Of(Public, &["count", "within_ms"]),
            In("process", SEEN),
        ],
    },
    Row {
        name: "access",
        version: 1,
        meaning: "A file was opened or changed, or a program executed, as it was observed.",
        durability: Async,
        ocsf: &[100_114, 100_101, 100_102, 100_103, 100_104, 100_106, 100_701],
        cef: ("Observed access", 1, 5),
        ecs: ("file", &["access"]),
        parts: &[
            In("process", SEEN),
            Of(Public, &["action", "call"]),
            Of(Personal, &["path", "other"]),
            Of(Public, &["outcome", "error", "src", "count", "within_ms"]),
            In("command", COMMAND),
        ],
    },
    Row {
        name: "alert",
        version: 1,
        meaning: "A rule found something in the events of the run, or rules cannot be asked any more.",
        durability: Sync,
        ocsf: &[200_401],
        cef: ("Detection", 7, 7),
        ecs: ("intrusion_detection", &["info"]),
        parts: &[
            Of(Public, &["alert", "rule", "rule_id", "title", "level", "action"]),
            Of(Personal, &["about[][]"]),
            Of(Public, &["first", "last", "count"]),
        ],
    },
    Row {
        name: "freeze",
        version: 1,
        meaning: "All that runs in the sandbox was frozen, or goes on.",
        durability: Sync,
        ocsf: &[600_299],
        cef: ("Sandbox frozen", 6, 9),
        ecs: ("process", &["change"]),
        parts: &[Of(Public, &["what", "how", "by", "processes"])],
    },
];
