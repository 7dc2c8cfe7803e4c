//! The table, of a run: how it began and ended, and what its sandbox was.

use super::Class::{Internal, Personal, Public};
use super::Durability::{Async, Sync};
use super::rows::Part::{self, In, Of};
use super::rows::{COMMAND, PROGRAM, Row};

const COVERAGE: &[Part] = &[Of(
    Public,
    &[
        "level",
        "requests",
        "file_opens",
        "read_bytes",
        "writes",
        "file_changes",
        "protected_names",
        "exec",
        "network",
        "tls_bodies",
        "landlock_denials",
        "seccomp_denials",
        "inherited_descriptors",
        "io_uring",
    ],
)];

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "run_start",
        version: 3,
        meaning: "A sandbox is planned and about to be made: who, what, by which profile, on which kernel.",
        durability: Sync,
        ocsf: &[600_203],
        cef: ("Session start", 2, 2),
        ecs: ("session", &["start"]),
        parts: &[
            Of(Public, &["aisandbox_version"]),
            In("binary", PROGRAM),
            In("program", PROGRAM),
            In("command", COMMAND),
            In(
                "profile",
                &[
                    Of(Internal, &["name"]),
                    Of(Personal, &["origins[].name"]),
                    Of(Public, &["origins[].sha256", "origins[].embedded"]),
                ],
            ),
            In("kernel", &[Of(Internal, &["release", "machine", "landlock_abi", "lsms[]"])]),
            Of(Internal, &["uid", "gid"]),
            Of(Personal, &["cwd"]),
            Of(Public, &["layers[].layer", "layers[].asked", "layers[].state"]),
            Of(Personal, &["layers[].detail"]),
            Of(Public, &["chain[]", "trace.id", "trace.parent", "trace.from"]),
            In("coverage", COVERAGE),
        ],
    },
    Row {
        name: "run_end",
        version: 1,
        meaning: "The command ended: how, after how long, and what was refused how often.",
        durability: Async,
        ocsf: &[600_204],
        cef: ("Session end", 2, 4),
        ecs: ("session", &["end"]),
        parts: &[
            Of(Public, &["exit.code", "exit.signal", "reason", "duration_ms"]),
            Of(Personal, &["denied.*"]),
        ],
    },
    Row {
        name: "launch_failure",
        version: 1,
        meaning: "The sandbox could not be made; no command ran.",
        durability: Async,
        ocsf: &[600_203],
        cef: ("Session not started", 5, 5),
        ecs: ("session", &["start"]),
        parts: &[Of(Public, &["stage"]), Of(Personal, &["message"]), Of(Public, &["errno"])],
    },
    Row {
        name: "protected_denied",
        version: 1,
        meaning: "A protected name was not created.",
        durability: Async,
        ocsf: &[100_101, 100_105],
        cef: ("Protected name refused", 6, 6),
        ecs: ("file", &["creation"]),
        parts: &[Of(Personal, &["path"]), Of(Public, &["call", "count"])],
    },
    Row {
        name: "degraded",
        version: 1,
        meaning: "A layer is missing or weaker than asked, and somebody accepted that.",
        durability: Sync,
        ocsf: &[600_207],
        cef: ("Layer degraded", 6, 6),
        ecs: ("configuration", &["info"]),
        parts: &[Of(Public, &["layer"]), Of(Personal, &["why", "accepted_by"])],
    },
];
