//! What a profile can ask for besides a plain mount, and answers given before anybody asks.

use crate::support::for_each_user;
use crate::support::run::{PATIENCE, comes_true};
use crate::{Guarded, WAITS, event, events, kill_role, profile};
use std::time::Duration;

fn once(home: &crate::support::Home, entry: &str, script: &str) -> String {
    let profile = profile(home, entry, WAITS);
    let guarded = Guarded::start(home, &profile, script);
    let id = guarded.asked();
    guarded.person(&["approve", &id]).expect_code(0);
    guarded.end().stdout()
}

#[test]
fn a_file_to_append_to_grows_and_keeps_what_it_has() {
    for_each_user(|home| {
        home.write("work/log", "begun\n");
        let said = once(
            &home,
            "  - { path: $PWD/log, access: ask, actions: [append] }",
            "echo more >> log; echo x > log || echo kept; cat log || echo unread",
        );
        assert_eq!(said, "kept\nunread\n");
        assert_eq!(home.outside("cat log").stdout(), "begun\nmore\n");
    });
}

#[test]
fn what_a_rule_names_is_redacted_for_an_ordinary_program() {
    for_each_user(|home| {
        home.write("work/mail", "from anna\npin 4711\n");
        let entry = "  - { path: $PWD/mail, access: ask, actions: [read], transform: redact, rules: [\"pin [0-9]+\"] }";
        let said = once(&home, entry, "cat mail");
        assert!(said.starts_with("from anna\n") && !said.contains("4711"), "{said}");
        assert_eq!(home.outside("cat mail").stdout(), "from anna\npin 4711\n", "the control");
    });
}

#[test]
fn a_program_is_run_by_its_digest_alone() {
    for_each_user(|home| {
        let text = "#!/bin/sh\necho tool\n";
        home.write_program("work/tools/good", text);
        home.write_program("work/tools/bad", "#!/bin/sh\necho bad\n");
        let sum = home.outside("sha256sum tools/good").stdout();
        let digest = sum.split_whitespace().next().unwrap();
        let entry = format!(
            "  - {{ path: $PWD/tools, access: ask, actions: [read, execute], programs: [{digest}] }}"
        );
        let said = once(&home, &entry, "tools/good; tools/bad || echo no");
        assert_eq!(said, "tool\nno\n");
    });
}

#[test]
fn who_still_holds_what_is_taken_back_is_killed_or_stopped_as_the_profile_says() {
    for_each_user(|home| {
        for (word, letter) in [("kill", "Z"), ("stop", "T"), ("leave", "S")] {
            home.write("work/docs/note", "real\n");
            let entry = format!("  - {{ path: $PWD/docs, access: ask, actions: [read], on_revoke: {word} }}");
            let profile = profile(&home, &entry, WAITS);
            let script = "sh -c 'exec 3<docs/note; touch held; exec sleep 60' & p=$!; until [ -e go ]; do sleep 0.1; done; \
                          sleep 0.3; read want < go; for n in $(seq 300); do \
                          state=Z; [ ! -e /proc/$p/stat ] || read a b state c </proc/$p/stat; [ $state != $want ] || break; sleep 0.1; done; \
                          echo $state; kill -KILL $p 2>/dev/null; rm -f go held";
            let guarded = Guarded::start(&home, &profile, script);
            let id = guarded.asked();
            guarded.person(&["approve", &id]).expect_code(0);
            guarded.reaches("work/held");
            let grants = guarded.json(&["grants", "--json"]);
            guarded.person(&["revoke", grants[0]["id"].as_str().unwrap()]).expect_code(0);
            home.write("go", &format!("{letter}\n")); // whole at once
            std::fs::rename(home.join("go"), home.join("work/go")).unwrap();
            assert_eq!(guarded.end().stdout().trim(), letter, "{word}");
            assert_eq!(event(&home, "revoke")["holders"], word);
        }
    });
}

#[test]
fn a_template_says_yes_so_often_and_then_a_person_is_asked() {
    for_each_user(|home| {
        home.write("work/docs/note", "real\n");
        let docs = home.join("work/docs").display().to_string();
        let path = profile(&home, crate::DOCS, WAITS);
        let text = std::fs::read_to_string(&path).unwrap();
        let template = format!(
            "consent: {{ channels: [ui], timeout: 5m, templates: [{{ name: notes, actions: [read], path: {docs}, lease: 1h, uses: 2 }}] }}\n"
        );
        let head = text.split("consent:").next().unwrap();
        home.write("guarded.yaml", &format!("{head}{template}"));
        let script = "for n in 1 2 3; do cat docs/note || echo no; touch done$n; until [ -e go$n ]; do sleep 0.1; done; done";
        let guarded = Guarded::start(&home, &path, script);
        for turn in [1, 2] {
            guarded.reaches(&format!("work/done{turn}"));
            let grants = guarded.json(&["grants", "--json"]);
            guarded.person(&["revoke", grants[0]["id"].as_str().unwrap()]).expect_code(0);
            home.write(&format!("work/go{turn}"), "");
        }
        home.write("work/go3", "");
        let id = guarded.asked();
        guarded.person(&["deny", &id]).expect_code(0);
        assert_eq!(guarded.end().stdout(), "real\nreal\nno\n");
        let grants = events(&home).into_iter().filter(|(name, _)| name == "grant");
        let by: Vec<String> = grants.map(|(_, data)| data["approved_by"].as_str().unwrap().into()).collect();
        assert_eq!(by, ["template notes", "template notes"]);
    });
}

#[test]
fn a_person_grants_before_anybody_asks_and_extends() {
    for_each_user(|home| {
        home.write("work/docs/note", "real\n");
        let path = profile(&home, crate::DOCS, WAITS);
        let script = "touch ready; until [ -e go ]; do sleep 0.1; done; cat docs/note";
        let guarded = Guarded::start(&home, &path, script);
        guarded.reaches("work/ready");
        let run = guarded.json(&["ps", "--json"])[0]["run"].as_str().unwrap().to_owned();
        let docs = home.join("work/docs").display().to_string();
        let lease = || guarded.json(&["grants", "--json"])[0].clone();
        // A short lease, and a longer one where this machine takes longer than that to extend it.
        let extended = [3, 15, 75].into_iter().find_map(|seconds| {
            guarded.person(&["grant", &run, &docs, "--read", "--for", &format!("{seconds}s")]).expect_code(0);
            let first = lease();
            let more = guarded.person(&["extend", first["id"].as_str()?, "--for", "1h"]);
            (more.code == 0).then_some(first)
        });
        let (first, second) = (extended.expect("it can be extended"), lease());
        let end = first["until"].as_u64().unwrap();
        assert_eq!(second["id"], first["id"]);
        assert!(second["until"].as_u64().unwrap() > end + 1800, "from {first} to {second}");
        let over = std::time::UNIX_EPOCH + Duration::from_secs(end + 1);
        std::thread::sleep(over.duration_since(std::time::SystemTime::now()).unwrap_or_default());
        let more = guarded.person(&["grant", &run, "/etc/shadow", "--read"]);
        assert_eq!(more.code, 1, "{more:?}");
        more.expect_said("ceiling");
        home.write("work/go", "");
        assert_eq!(guarded.end().stdout(), "real\n", "nobody had to be asked, and it outlived its first end");
    });
}

#[test]
fn nobody_is_asked_any_longer_for_what_a_killed_role_would_have_given() {
    for_each_user(|home| {
        for name in ["files", "mounts"] {
            home.write("work/docs/note", "real\n");
            let path = profile(&home, crate::DOCS, WAITS);
            let script = "cat docs/note || echo error; until [ -e go ]; do sleep 0.1; done; rm go";
            let guarded = Guarded::start(&home, &path, script);
            guarded.asked();
            kill_role(guarded.run.pid(), name);
            let nobody = || guarded.json(&["requests", "--json"]).as_array().is_some_and(Vec::is_empty);
            assert!(comes_true(PATIENCE, nobody), "{name}");
            home.write("work/go", "");
            let output = guarded.end();
            assert_eq!(output.stdout(), "error\n", "{name}: {output:?}");
        }
    });
}

#[test]
fn a_role_that_is_killed_is_an_error_and_nobody_hangs() {
    for_each_user(|home| {
        for name in ["files", "mounts"] {
            home.write("work/docs/note", "real\n");
            let path = profile(&home, crate::DOCS, WAITS);
            let script =
                "touch ready; until [ -e go ]; do sleep 0.1; done; cat docs/note || echo error; rm ready go";
            let guarded = Guarded::start(&home, &path, script);
            guarded.reaches("work/ready");
            kill_role(guarded.run.pid(), name);
            home.write("work/go", "");
            let output = guarded.end();
            assert_eq!(output.stdout(), "error\n", "{name}: {output:?}");
        }
    });
}
