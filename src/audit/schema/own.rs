//! The table, of what the log and the device say of themselves.

use super::Class::{Internal, Personal, Public};
use super::Durability::Meta;
use super::rows::Part::{self, In, Of};
use super::rows::Row;

const STEP: &[Part] = &[Of(Public, &["index", "key", "path[]", "signed"])];
const PLACE: &[Part] = &[Of(Public, &["number"]), In("steps[]", STEP), In("links[]", STEP)];
const ECS: (&str, &[&str]) = ("configuration", &["info"]);

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "log.start",
        version: 1,
        meaning: "Whose log this is, and its first keys.",
        durability: Meta,
        ocsf: &[100_806],
        cef: ("Audit log start", 2, 2),
        ecs: ECS,
        parts: &[
            Of(Public, &["run", "key", "stable"]),
            In("cert", &[In("place", PLACE), Of(Public, &["signature"])]),
        ],
    },
    Row {
        name: "log.key",
        version: 1,
        meaning: "The key that signs the next blocks.",
        durability: Meta,
        ocsf: &[100_805],
        cef: ("Audit log key", 2, 2),
        ecs: ECS,
        parts: &[Of(Public, &["epoch", "key", "notes"])],
    },
    Row {
        name: "log.end",
        version: 1,
        meaning: "Nothing follows.",
        durability: Meta,
        ocsf: &[100_807],
        cef: ("Audit log end", 2, 2),
        ecs: ECS,
        parts: &[Of(Public, &["notes"])],
    },
    Row {
        name: "log.suspended",
        version: 1,
        meaning: "The log could not go on.",
        durability: Meta,
        ocsf: &[100_810],
        cef: ("Audit log suspended", 9, 9),
        ecs: ECS,
        parts: &[Of(Internal, &["reason"]), Of(Public, &["lost", "notes"])],
    },
    Row {
        name: "device.begin",
        version: 1,
        meaning: "A run began, with these first keys.",
        durability: Meta,
        ocsf: &[100_806],
        cef: ("Audit log joined", 2, 2),
        ecs: ECS,
        parts: &[Of(Public, &["run", "key", "stable"]), In("place", PLACE)],
    },
    Row {
        name: "device.end",
        version: 1,
        meaning: "The log of a run ended, or was found without an end.",
        durability: Meta,
        ocsf: &[100_807],
        cef: ("Audit log ended", 2, 9),
        ecs: ECS,
        parts: &[Of(Public, &["run", "size", "root", "how", "how.recovered.cut"]), In("place", PLACE)],
    },
    Row {
        name: "device.read",
        version: 2,
        meaning: "Records were handed out: which, as what, by whom.",
        durability: Meta,
        ocsf: &[100_803],
        cef: ("Audit log read", 3, 3),
        ecs: ECS,
        parts: &[
            Of(Public, &["by"]),
            Of(Internal, &["uid"]),
            Of(Public, &["format", "runs[]", "all", "role"]),
            Of(Personal, &["client"]),
            In("place", PLACE),
        ],
    },
    Row {
        name: "device.enrolled",
        version: 1,
        meaning: "The device has a new identity, and why.",
        durability: Meta,
        ocsf: &[100_899],
        cef: ("Audit device enrolled", 3, 9),
        ecs: ECS,
        parts: &[Of(Public, &["identity", "why"])],
    },
    Row {
        name: "device.recovered",
        version: 1,
        meaning: "A torn end of the device's log was moved aside.",
        durability: Meta,
        ocsf: &[100_899],
        cef: ("Audit device recovered", 5, 5),
        ecs: ECS,
        parts: &[Of(Public, &["cut", "leaves"])],
    },
];
