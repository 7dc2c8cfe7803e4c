//! `aisandbox audit detect` over stored records.

use crate::source;
use crate::support::{Home, for_each_user, logs};
use aisandbox::audit::log::Log;
use aisandbox::audit::{Event, new_run_id};
use serde_json::Value;
use std::os::unix::fs::{DirBuilderExt, FileExt, chown};
use std::path::{Path, PathBuf};

fn runs(home: &Home) -> PathBuf {
    home.join(".local/state/aisandbox/runs")
}

/// The records of a file of tests/detect.
pub(crate) fn lines(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(source("tests/detect").join(file)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Their events.
pub(crate) fn events(file: &str) -> Vec<Event> {
    let event = |record: Value| {
        serde_json::from_value(serde_json::json!({ "event": record["event"], "data": record["data"] }))
            .unwrap()
    };
    lines(file).into_iter().map(event).collect()
}

/// A sealed record of these events; gives its run.
fn record(home: &Home, events: &[Event]) -> String {
    let runs = runs(home);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(runs.parent().unwrap()).unwrap();
    if home.user.become_it {
        give(&home.join(".local"), 0);
    }
    let run = new_run_id().unwrap();
    let mut log = Log::create(&runs, run).unwrap();
    events.iter().for_each(|event| log.append(event).unwrap());
    log.seal().unwrap();
    if home.user.become_it {
        give(&home.join(".local"), home.user.uid);
    }
    run.to_string()
}

fn give(path: &Path, uid: u32) {
    chown(path, Some(uid), Some(uid)).unwrap();
    if path.is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path(), uid));
    }
}

#[test]
fn what_the_shipped_rules_find_is_told_with_its_events() {
    for_each_user(|home| {
        let run = record(&home, &events("decoy-taken.positive.jsonl"));
        let text = home.aisandbox(&["audit", "detect", &run]).output().expect_code(4);
        // The log's own first leaf is number 0.
        assert!(text.contains("critical      decoy-taken: A decoy was on its way out"), "{text}");
        assert!(
            text.contains(&format!("{run}:1\n")) && text.contains("data.findings: canary-github"),
            "{text}"
        );
        assert!(text.contains("1 findings in ") && text.contains(" of 1 runs"), "{text}");
        let quiet = record(&home, &events("decoy-taken.negative.jsonl"));
        home.aisandbox(&["audit", "detect", &quiet]).output().expect_code(0);
    });
}

#[test]
fn what_is_personal_is_looked_at_and_what_was_withheld_is_told_as_not_looked_at() {
    for_each_user(|home| {
        let run = record(&home, &events("file-then-egress.positive.jsonl"));
        let text = home.aisandbox(&["audit", "detect", &run]).output().expect_code(4);
        assert!(!text.contains("withheld"), "{text}");
        home.aisandbox(&["audit", "redact", &run, "--reason", "x"]).output().expect_code(0);
        let text = home.aisandbox(&["audit", "detect", &run]).output().stdout();
        assert!(text.contains("events are withheld: what they hold was not looked at"), "{text}");
    });
}

#[test]
fn a_rule_over_several_runs_sees_them_with_all() {
    for_each_user(|home| {
        let both = events("agent-binary-changed.positive.jsonl");
        let first = record(&home, &both[..1]);
        home.aisandbox(&["audit", "detect", "--all"]).output().expect_code(0);
        let second = record(&home, &both[1..]);
        let text = home.aisandbox(&["audit", "detect", "--all", "--json"]).output().expect_code(4);
        let report: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(report["findings"].as_array().unwrap().len(), 1, "{report}");
        let found = &report["findings"][0];
        assert_eq!(found["rule"], "agent-binary-changed");
        assert_eq!(
            (&found["first"], &found["last"]),
            (&format!("{first}:1").into(), &format!("{second}:1").into())
        );
        assert_eq!(report["runs"].as_array().unwrap().len(), 2);
    });
}

#[test]
fn rules_of_a_folder_are_taken_instead_and_a_wrong_one_is_refused_with_its_line() {
    for_each_user(|home| {
        let run = record(&home, &events("decoy-taken.positive.jsonl"));
        let rule = "title: Mine\nid: 6f1c2b1e-0000-4000-8000-000000000001\nname: mine\nlevel: low\n\
                    logsource: { product: aisandbox }\ndetection: { a: { event: network }, condition: a }\n";
        home.write("rules/mine.yml", rule);
        let rules = home.join("rules");
        let ask = || home.aisandbox(&["audit", "detect", &run, "--rules", rules.to_str().unwrap()]).output();
        let text = ask().expect_code(4);
        assert!(text.contains("low           mine: Mine") && !text.contains("decoy"), "{text}");
        home.write("rules/mine.yml", &rule.replace("level: low", "level: low\nfilter: x"));
        let refused = ask();
        refused.expect_code(125);
        refused.expect_said("mine.yml:5: `filter` is no key of a rule here");
        home.write("rules/mine.yml", "");
        ask().expect_code(125);
    });
}

#[test]
fn of_a_record_that_was_changed_only_what_holds_is_looked_at() {
    for_each_user(|home| {
        let run = record(&home, &events("decoy-taken.positive.jsonl"));
        home.aisandbox(&["audit", "detect", &run]).output().expect_code(4);
        let log = logs(&runs(&home)).remove(0);
        let segment = log.join("00000000.seg");
        let bytes = std::fs::read(&segment).unwrap();
        let at = bytes.windows(13).position(|part| part == b"canary-github").unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(&segment).unwrap();
        file.write_all_at(b"harmless-text", at as u64).unwrap();
        let output = home.aisandbox(&["audit", "detect", &run]).output();
        let text = output.expect_code(1);
        assert!(text.contains("0 findings"), "{text}");
        output.expect_said("TAMPERED");
    });
}
