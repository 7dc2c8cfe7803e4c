//! The commands that answer questions, by the real binary: `explain`, `doctor`, `profile`, `audit`, `completion`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod support;

use serde_json::Value;
use support::run::Output;
use support::{Home, for_each_user};

fn json(output: &Output) -> Value {
    serde_json::from_str(&output.stdout()).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn ask(home: &Home, words: &[&str]) -> Output {
    home.aisandbox(words).output()
}

#[test]
fn explain_tells_the_plan_in_words_and_as_json_and_starts_nothing() {
    for_each_user(|home| {
        let before = home.listing();
        let words = ask(&home, &["explain", "--", "sh", "-c", "echo ran > made"]);
        let text = words.expect_code(0);
        for part in
            ["profile cowork", "/usr/bin/sh", "landlock-filesystem", "cowork.yaml:", "must stay absent"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        let plan = json(&ask(&home, &["explain", "--json", "--", "true"]));
        assert_eq!(plan["profile"], "cowork");
        assert_eq!(plan["chdir"], home.work().to_str().unwrap());
        let filter = ask(&home, &["explain", "--filter"]).expect_code(0);
        assert!(filter.contains("return ENOSYS") && filter.contains("(openat)"), "{filter}");
        assert_eq!(home.listing(), before);
        assert!(home.records().is_empty());
    });
}

#[test]
fn doctor_agrees_with_the_record_of_a_run() {
    for_each_user(|home| {
        let said = json(&ask(&home, &["doctor", "--json"]));
        home.exec(&[], "true").expect_code(0);
        let record = home.records().pop().unwrap();
        let start: Value = serde_json::from_str(record.lines().next().unwrap()).unwrap();
        let ran = start.to_string();
        assert_eq!(said["ok"], true, "a run was started, and doctor: {said}");
        for layer in said["layers"].as_array().unwrap() {
            let name = layer["name"].as_str().unwrap();
            assert!(ran.contains(&format!("\"layer\":\"{name}\"")), "{name}: {ran}");
            assert!(layer["state"] == "enforced" || layer["fix"].is_string(), "no way out: {layer}");
        }
        let text = ask(&home, &["doctor"]).expect_code(0);
        assert!(text.contains("every required layer holds"), "{text}");
    });
}

#[test]
fn a_profile_is_listed_shown_checked_and_compared() {
    for_each_user(|home| {
        home.write(
            ".config/aisandbox/profiles/mine.yaml",
            "version: 1\ndescription: Mine\nextends: [cowork]\nlimits: { memory: 1G }\n",
        );
        let list = ask(&home, &["profile", "list"]).expect_code(0);
        assert!(list.contains("cowork") && list.contains("Mine"), "{list}");
        let shown = ask(&home, &["profile", "show", "mine"]).expect_code(0);
        assert!(
            shown.contains("profiles/mine.yaml\n")
                && shown.contains("# cowork.yaml:")
                && shown.contains("memory: 1G"),
            "{shown}"
        );
        let again = home.write("work/again.yaml", &shown);
        ask(&home, &["profile", "validate", again.to_str().unwrap(), "mine"]).expect_code(0);
        assert_eq!(ask(&home, &["profile", "diff", "mine", "mine"]).expect_code(0), "");
        let differs = ask(&home, &["profile", "diff", "cowork", "mine"]).expect_code(1);
        assert!(differs.contains("+ limits memory: \"1G\""), "{differs}");
        home.write("work/bad.yaml", "version: 1\nnetwrk: {}\nextends: [no-such]\n");
        let bad = ask(&home, &["profile", "validate", "./bad.yaml"]);
        assert_eq!(bad.expect_code(1), "");
        for part in ["bad.yaml:2", "`network`", "bad.yaml:3", "no-such"] {
            bad.expect_said(part);
        }
        assert_eq!(json(&ask(&home, &["profile", "schema"]))["type"], "object");
    });
}

#[test]
fn a_record_is_listed_shown_and_found_whole_changed_or_torn() {
    for_each_user(|home| {
        ask(&home, &["audit", "show", "last"]).expect_code(125);
        home.exec(&[], "touch .envrc; exit 3").expect_code(3);
        assert!(ask(&home, &["audit", "list"]).expect_code(0).contains("exit 3"));
        let shown = ask(&home, &["audit", "show", "last"]).expect_code(0);
        for part in ["profile: cowork", "exit 3", ".envrc"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        ask(&home, &["audit", "verify", "last"]).expect_code(0);
        let run = support::logs(&home.join(".local/state/aisandbox/runs")).pop().unwrap();
        let bytes = std::fs::read(run.join("00000000.seg")).unwrap();
        let put = |name: &str, bytes: &[u8]| {
            let folder = home.join("work").join(name);
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("00000000.seg"), bytes).unwrap();
            let opens = std::fs::read(run.join("00000000.openings")).unwrap();
            std::fs::write(folder.join("00000000.openings"), opens).unwrap();
            folder
        };
        let mut changed = bytes.clone();
        changed[300] ^= 1;
        let changed = put("changed", &changed);
        ask(&home, &["audit", "verify", changed.to_str().unwrap()]).expect_code(1);
        let torn = put("torn", &bytes[..bytes.len() - 9]);
        ask(&home, &["audit", "verify", torn.to_str().unwrap()]).expect_code(2);
    });
}

#[test]
fn every_shell_gets_a_script_that_knows_the_commands() {
    for_each_user(|home| {
        for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
            let script = ask(&home, &["completion", shell]).expect_code(0);
            assert!(script.contains("doctor") && script.contains("allow-degraded"), "{shell}");
            let file = home.write("work/script", &script);
            if shell == "bash" {
                let read = home.outside(&format!("bash -n {}", file.display()));
                assert_eq!(read.expect_code(0), "", "{read:?}");
            }
        }
        ask(&home, &["completion", "tcsh"]).expect_code(125);
    });
}
