//! The shipped profiles and their policies, from the first touch to the record.

use crate::support::for_each_user;
use crate::{Guarded, WAITS, event, events, profile};

#[test]
fn readonly_docs_asks_for_documents_and_a_yes_lasts_as_its_policy_says() {
    for_each_user(|home| {
        home.write("Documents/note.txt", "real\n");
        let script = "cat ~/Documents/note.txt; echo x > ~/Documents/new || echo closed";
        let guarded = Guarded::start(&home, "readonly-docs", script);
        let id = guarded.asked();
        let shown = guarded.person(&["requests"]).expect_code(0);
        assert!(shown.contains("all in this folder would be read"), "the policy's reason: {shown}");
        guarded.person(&["approve", &id]).expect_code(0);
        assert_eq!(guarded.end().stdout(), "real\nclosed\n");
        let grant = event(&home, "grant");
        assert_eq!(grant["lease_s"], 900, "{grant}");
        let decision = event(&home, "decision");
        assert_eq!((&decision["outcome"], &decision["policy"]), (&"prompt".into(), &"readonly-docs".into()));
    });
}

#[test]
fn readonly_docs_starts_in_the_documents_too() {
    for_each_user(|home| {
        home.write("Documents/project/note.txt", "real\n");
        for folder in ["Documents/project", "Documents"] {
            let mut run = home.aisandbox(&["exec", "--profile", "readonly-docs", "--", "sh", "-c", "ls"]);
            run.command.current_dir(home.join(folder));
            let listed = run.output().expect_code(0);
            assert!(listed.contains("note.txt") || listed.contains("project"), "{folder}: {listed}");
        }
    });
}

#[test]
fn spreadsheet_write_writes_after_a_yes_and_removes_nothing() {
    for_each_user(|home| {
        home.make_folder("work/output");
        let script = "echo 1,2 > output/a.csv; echo 3,4 >> output/a.csv; cat output/a.csv; rm output/a.csv || echo kept";
        let guarded = Guarded::start(&home, "spreadsheet-write", script);
        let id = guarded.asked();
        guarded.person(&["approve", &id]).expect_code(0);
        assert_eq!(guarded.end().stdout(), "1,2\n3,4\nkept\n");
        assert_eq!(home.outside("cat output/a.csv").stdout(), "1,2\n3,4\n");
        assert_eq!(event(&home, "grant")["lease_s"], 900);
        let again = Guarded::start(&home, "spreadsheet-write", "cat output/a.csv || echo no");
        let id = again.asked();
        again.person(&["deny", &id]).expect_code(0);
        assert_eq!(again.end().stdout(), "no\n");
    });
}

/// A profile with one policy of the person's own, which says this about reading.
fn ruled(home: &crate::support::Home, verdict: &str) -> String {
    let rule = format!(
        "package aisandbox.policies.own\n\nverdict contains {verdict} if input.actions == [\"read\"]\n"
    );
    home.write("rules/own.rego", &rule);
    let rules = home.join("rules").display().to_string();
    let chmod = format!("chmod -R go-w {rules}");
    home.outside(&chmod).expect_code(0);
    let entry = "  - { path: $PWD/docs, access: ask, actions: [read], lease: 1h }";
    let path = profile(home, entry, WAITS);
    let text = std::fs::read_to_string(&path).unwrap() + &format!("policy: {{ bundles: [{rules}] }}\n");
    home.write("guarded.yaml", &text);
    path
}

#[test]
fn a_policy_says_yes_or_no_without_a_person() {
    for_each_user(|home| {
        home.write("work/docs/note", "real\n");
        let allow = r#"{"outcome": "allow", "reason": "harmless", "ttl_s": 60}"#;
        let profile = ruled(&home, allow);
        let output = Guarded::start(&home, &profile, "cat docs/note").end();
        assert_eq!(output.stdout(), "real\n", "{output:?}");
        let grant = event(&home, "grant");
        assert_eq!((&grant["approved_by"], &grant["lease_s"]), (&"policy own".into(), &60.into()));
        let profile = ruled(&home, r#"{"outcome": "deny", "reason": "not today"}"#);
        let output = Guarded::start(&home, &profile, "cat docs/note || echo no").end();
        assert_eq!(output.stdout(), "no\n", "{output:?}");
        let denial = event(&home, "denial");
        assert_eq!((&denial["reason"], &denial["detail"]), (&"policy".into(), &"own: not today".into()));
    });
}

#[test]
fn a_policy_does_not_overrule_what_a_person_refused_for_good() {
    for_each_user(|home| {
        home.write("work/docs/note", "real\n");
        let asks = ruled(&home, r#"{"outcome": "prompt", "reason": "look"}"#);
        let guarded = Guarded::start(&home, &asks, "cat docs/note || echo no");
        let id = guarded.asked();
        guarded.person(&["deny", &id, "--always"]).expect_code(0);
        assert_eq!(guarded.end().stdout(), "no\n");
        let allows = ruled(&home, r#"{"outcome": "allow", "reason": "harmless"}"#);
        let output = Guarded::start(&home, &allows, "cat docs/note || echo still no").end();
        assert_eq!(output.stdout(), "still no\n", "{output:?}");
        std::fs::remove_file(home.join(".config/aisandbox/answers.yaml")).unwrap();
        let output = Guarded::start(&home, &allows, "cat docs/note").end();
        assert_eq!(output.stdout(), "real\n", "the control: {output:?}");
    });
}

#[test]
fn a_policy_that_cannot_be_read_stops_the_launch_with_file_and_line() {
    for_each_user(|home| {
        home.write("work/docs/note", "real\n");
        let profile = ruled(&home, "{");
        let output = Guarded::start(&home, &profile, "echo ran").end();
        assert_eq!(output.expect_code(125), "");
        output.expect_said("own.rego:3:");
        let control = ruled(&home, r#"{"outcome": "prompt", "reason": "ask"}"#);
        assert_eq!(Guarded::start(&home, &control, "echo ran").end().stdout(), "ran\n");
    });
}

#[test]
fn the_answers_of_a_killed_policy_role_are_no() {
    for_each_user(|home| {
        home.write("work/docs/note", "real\n");
        let profile = ruled(&home, r#"{"outcome": "allow", "reason": "harmless"}"#);
        let script = "touch ready; until [ -e go ]; do sleep 0.1; done; cat docs/note || echo no";
        let guarded = Guarded::start(&home, &profile, script);
        guarded.reaches("work/ready");
        crate::kill_role(guarded.run.pid(), "policy");
        home.write("work/go", "");
        assert_eq!(guarded.end().stdout(), "no\n");
        assert_eq!(event(&home, "denial")["reason"], "policy");
        assert!(events(&home).iter().all(|(name, _)| name != "grant"));
    });
}
