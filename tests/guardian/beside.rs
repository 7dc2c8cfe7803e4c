//! What the record has beside requests: what was loaded, that the clock was set, that records were handed out.

use crate::support::run::{PATIENCE, comes_true};
use crate::support::{for_each_user, has_program, skip};
use crate::{DOCS, Guarded, WAITS, events, profile};
use serde_json::Value;
use std::process::Command;

#[test]
fn whatever_decides_is_in_the_record_by_the_digest_of_its_bytes_before_the_agent_runs() {
    for_each_user(|home| {
        home.make_folder("work/docs");
        let text = "version: 1\nextends: [offline]\nguardian: true\npolicy: { bundles: [readonly-docs] }\n";
        let path = home.write("decided.yaml", text);
        home.aisandbox(&["exec", "--profile", path.to_str().unwrap(), "--", "true"]).output().expect_code(0);
        let all = events(&home);
        let loaded: Vec<&Value> =
            all.iter().filter(|(name, _)| name == "policy_loaded").map(|(_, data)| data).collect();
        let of = |kind: &str| loaded.iter().filter(|data| data["kind"] == kind).collect::<Vec<_>>();
        let own =
            of("profile").into_iter().find(|data| data["name"].as_str().unwrap().ends_with("decided.yaml"));
        assert_eq!(own.unwrap()["sha256"], aisandbox::crypto::sha256(text.as_bytes()).to_string());
        assert!(of("profile").len() > 1 && of("filter").len() == 1, "{loaded:?}");
        let policy = of("policy").into_iter().find(|data| data["name"] == "readonly-docs").unwrap();
        assert_eq!((&policy["level"], policy["sha256"].as_str().unwrap().len()), (&"project".into(), 64));
        let place = |wanted: &str| all.iter().rposition(|(name, _)| name == wanted).unwrap();
        assert!(place("policy_loaded") < place("guardian_start"), "{all:?}");
    });
}

#[test]
fn a_clock_that_is_set_while_a_run_goes_on_is_in_its_record() {
    if !has_program("python3") {
        return;
    }
    // To what it is already: nobody else on this machine notices.
    let set = || {
        let text = "import time; time.clock_settime(time.CLOCK_REALTIME, time.time())";
        Command::new("python3").args(["-c", text]).output().unwrap().status.success()
    };
    if !set() {
        return skip("the clock may not be set here");
    }
    for_each_user(|home| {
        home.make_folder("work/docs");
        let guarded = Guarded::start(
            &home,
            &profile(&home, DOCS, WAITS),
            "touch begun; until [ -e go ]; do sleep 0.1; done",
        );
        guarded.reaches("work/begun");
        assert!(set());
        let steps = || events(&home).into_iter().filter(|(name, _)| name == "clock_step").collect::<Vec<_>>();
        assert!(comes_true(PATIENCE, || !steps().is_empty()), "the step never came");
        let delta = steps()[0].1["delta_ns"].as_i64().unwrap();
        assert!(delta.abs() < 1_000_000_000, "{delta}");
        home.write("work/go", "");
        guarded.end().expect_code(0);
    });
}

#[test]
fn that_records_were_handed_out_is_in_the_log_of_the_device_before_they_are() {
    for_each_user(|home| {
        home.aisandbox(&["exec", "--profile", "offline", "--", "true"]).output().expect_code(0);
        let verified = || home.aisandbox(&["audit", "verify", "--all", "--json"]).output().expect_code(0);
        let device = || -> Value {
            let lines = verified();
            let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            lines.into_iter().find(|line| line["device"].is_string()).unwrap()
        };
        assert!(device()["reads"].is_null(), "to look is not to hand out");
        home.aisandbox(&["audit", "export", "last", "--format", "ecs"]).output().expect_code(0);
        home.aisandbox(&["audit", "bundle", "last", "--out", "copy"]).output().expect_code(0);
        let device = device();
        let reads = device["reads"].as_array().unwrap();
        let of = |at: usize| (reads[at]["by"].as_str().unwrap(), reads[at]["format"].as_str().unwrap());
        assert_eq!((of(0), of(1), reads.len()), (("export", "ecs"), ("bundle", "segments"), 2));
        assert_eq!((reads[0]["all"].as_u64(), reads[0]["runs"][0].as_str().unwrap().len()), (Some(1), 26));
        let told = home.aisandbox(&["audit", "verify", "--all"]).output().expect_code(0);
        assert!(told.contains("read out 2 times, the last by bundle"), "{told}");
        // Of a copy elsewhere this device knows nothing.
        home.aisandbox(&["audit", "export", "./copy"]).output();
        assert_eq!(verified().matches("\"by\"").count(), 2);
    });
}
