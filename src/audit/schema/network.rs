//! The table, of the network: the way out as it began, and what was reached or refused on it.

use super::Class::{Internal, Personal, Public};
use super::Durability::Async;
use super::rows::Part::{In, Of};
use super::rows::{Row, SEEN};

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "network_start",
        version: 1,
        meaning: "The way out of a run whose network is filtered, as it began.",
        durability: Async,
        ocsf: &[300_410],
        cef: ("Network policy loaded", 2, 2),
        ecs: ("configuration", &["info"]),
        parts: &[
            Of(Public, &["way"]),
            Of(Internal, &["rules[]", "credentials[]"]),
            Of(Public, &["authority"]),
        ],
    },
    Row {
        name: "network",
        version: 2,
        meaning: "Something was reached, or refused, on the way out.",
        durability: Async,
        ocsf: &[
            400_101, 400_102, 400_104, 400_105, 400_106, 400_199, 400_201, 400_202, 400_203, 400_204,
            400_205, 400_206, 400_207, 400_208, 400_209, 400_299, 400_301, 200_601,
        ],
        cef: ("Egress", 3, 8),
        ecs: ("network", &["connection"]),
        parts: &[
            Of(Public, &["what", "flow"]),
            Of(Personal, &["host"]),
            Of(Public, &["port"]),
            Of(Personal, &["address"]),
            Of(Public, &["protocol"]),
            Of(Personal, &["sni"]),
            Of(Public, &["alpn[]", "ech"]),
            In("process", SEEN),
            Of(Internal, &["rule"]),
            Of(Public, &["grant", "approval", "token", "reason", "sent", "received", "requests"]),
            Of(Personal, &["request"]),
            Of(Public, &["status", "findings[][]", "delay_ms", "took_ms", "count"]),
        ],
    },
];
