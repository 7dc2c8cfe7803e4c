//! The table, of what a forwarder says for itself.

use super::Class::{Internal, Public};
use super::Durability::Meta;
use super::rows::Part::Of;
use super::rows::Row;

const ECS: (&str, &[&str]) = ("configuration", &["info"]);

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "forward.checkpoint",
        version: 1,
        meaning: "How much of a run was sent to a sink, with a signed head.",
        durability: Meta,
        ocsf: &[100_803],
        cef: ("Audit forward checkpoint", 1, 1),
        ecs: ECS,
        parts: &[Of(Internal, &["sink"]), Of(Public, &["size", "sent", "note"])],
    },
    Row {
        name: "forward.gap",
        version: 1,
        meaning: "Events of a run that a sink does not get, and why.",
        durability: Meta,
        ocsf: &[100_899],
        cef: ("Audit forward gap", 7, 7),
        ecs: ECS,
        parts: &[Of(Internal, &["sink"]), Of(Public, &["from", "to", "root"]), Of(Internal, &["why"])],
    },
    Row {
        name: "forward.alert",
        version: 1,
        meaning: "A log was changed, or has no end: what holds of it was sent.",
        durability: Meta,
        ocsf: &[100_899],
        cef: ("Audit log alert", 4, 10),
        ecs: ECS,
        parts: &[
            Of(Internal, &["sink"]),
            Of(Public, &["state", "leaves", "segment", "byte"]),
            Of(Internal, &["why"]),
        ],
    },
];
