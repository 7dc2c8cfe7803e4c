//! Places that ask, by the real binary: what the tool says of them, and what is left where they cannot ask.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod inject;
mod support;

use inject::Rule;
use serde_json::Value;
use support::run::Output;
use support::{Home, for_each_user};

const PROFILE: &str = "version: 1
extends: [cowork]
filesystem:
  - { path: $PWD/asked, access: ask, actions: [read], lease: 1h }
  - { path: $PWD/log, access: ask, actions: [append] }
";

/// The profile, with what it names.
fn furnish(home: &Home) -> String {
    home.write("work/asked/note", "real\n");
    home.write("work/log", "begun\n");
    home.write("ask.yaml", PROFILE).to_str().unwrap().to_owned()
}

/// What a kernel before Linux 6.5 says.
fn no_beneath() -> [Rule; 1] {
    const MOVE_MOUNT_BENEATH: i64 = 0x200;
    [Rule::on(libc::SYS_move_mount).having(4, MOVE_MOUNT_BENEATH).fails(libc::EINVAL)]
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&output.stdout()).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn explain_and_why_say_what_may_be_asked_for() {
    for_each_user(|home| {
        let profile = furnish(&home);
        let text = home.aisandbox(&["explain", "--profile", &profile, "--", "true"]).output().expect_code(0);
        for part in [
            "asks at its first touch",
            "may be asked for",
            "then mounted",
            "then served call by call",
            "ask.yaml:4",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let plan =
            json(&home.aisandbox(&["explain", "--json", "--profile", &profile, "--", "true"]).output());
        assert_eq!(plan["asks"][0]["actions"], serde_json::json!(["read"]));
        assert_eq!((&plan["asks"][0]["mounted"], &plan["asks"][1]["mounted"]), (&true.into(), &true.into()));
        assert!(plan["asks"][0]["served"].is_null() && plan["asks"][1]["served"].is_object(), "{plan}");
        let why = home.aisandbox(&["why", "--profile", &profile, "asked/note"]).output();
        let text = why.expect_code(1);
        assert!(
            text.contains("until a person says yes") && text.contains("may be asked for: read of"),
            "{text}"
        );
    });
}

#[test]
fn doctor_tries_a_place_that_asks() {
    for_each_user(|home| {
        let layer = |said: Value| {
            let layers = said["layers"].as_array().unwrap().clone();
            layers.into_iter().find(|layer| layer["name"] == "ask-mounts").unwrap()
        };
        let doctor = || home.aisandbox(&["doctor", "--json"]);
        let here = layer(json(&doctor().output()));
        assert_eq!((&here["state"], &here["required"]), (&"enforced".into(), &false.into()), "{here}");
        let older = layer(json(&inject::under(doctor(), &no_beneath()).output()));
        assert_eq!(older["state"], "missing");
        assert!(older["fix"].as_str().unwrap().contains("Linux 6.5"), "{older}");
        let closed =
            Rule::on(libc::SYS_openat).with(2, i64::from(libc::O_RDWR | libc::O_CLOEXEC)).fails(libc::EACCES);
        let closed = layer(json(&inject::under(doctor(), &[closed]).output()));
        assert!(closed["fix"].as_str().unwrap().contains("/dev/fuse"), "{closed}");
    });
}

#[test]
fn where_a_place_cannot_ask_the_launch_stops_unless_that_is_accepted_and_then_it_is_masked() {
    for_each_user(|home| {
        let profile = furnish(&home);
        let run = |flags: &[&str], script: &str| {
            let flags = [&["--profile", profile.as_str()], flags].concat();
            inject::under(home.sandboxed(&flags, script), &no_beneath()).output()
        };
        let ran = run(&[], "echo ran");
        assert_eq!(ran.expect_code(125), "");
        ran.expect_said("layer ask-mounts is required");
        ran.expect_said("--allow-degraded ask-mounts");
        let script =
            "ls asked; cat log; echo x > asked/new || echo closed; echo x >> log || echo closed; echo ran";
        let ran = run(&["--allow-degraded", "ask-mounts"], script);
        assert_eq!(ran.expect_code(0), "closed\nclosed\nran\n");
        ran.expect_said("layer ask-mounts is degraded");
        let record = home.records().pop().unwrap();
        assert!(record.contains("\"layer\":\"ask-mounts\""), "{record}");
    });
}

#[test]
fn a_profile_without_such_a_place_does_not_need_the_layer() {
    for_each_user(|home| {
        let ran = inject::under(home.sandboxed(&[], "echo ran"), &no_beneath()).output();
        assert_eq!(ran.expect_code(0), "ran\n");
    });
}
