//! What a profile can ask for besides a plain mount, and answers given before anybody asks.

use crate::support::for_each_user;
use crate::{Guarded, WAITS, event, events, kill_role, profile};

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
        for (word, letter) in [("kill", ""), ("stop", "T"), ("leave", "S")] {
            home.write("work/docs/note", "real\n");
            let entry = format!("  - {{ path: $PWD/docs, access: ask, actions: [read], on_revoke: {word} }}");
            let profile = profile(&home, &entry, WAITS);
            let script = "sh -c 'exec 3<docs/note; touch held; exec sleep 60' & p=$!; until [ -e go ]; do sleep 0.1; done; \
                          sleep 0.3; if [ -e /proc/$p/stat ]; then read a b state c </proc/$p/stat; [ $state = Z ] || echo $state; fi; \
                          kill -KILL $p 2>/dev/null; rm -f go held";
            let guarded = Guarded::start(&home, &profile, script);
            let id = guarded.asked();
            guarded.person(&["approve", &id]).expect_code(0);
            guarded.reaches("work/held");
            let grants = guarded.json(&["grants", "--json"]);
            guarded.person(&["revoke", grants[0]["id"].as_str().unwrap()]).expect_code(0);
            home.write("work/go", "");
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
            "consent: {{ channels: [ui], timeout: 20s, templates: [{{ name: notes, actions: [read], path: {docs}, lease: 1s, uses: 2 }}] }}\n"
        );
        let head = text.split("consent:").next().unwrap();
        home.write("guarded.yaml", &format!("{head}{template}"));
        let script = "for n in 1 2 3; do cat docs/note || echo no; sleep 3; done";
        let guarded = Guarded::start(&home, &path, script);
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
        let script = "touch ready; until [ -e go ]; do sleep 0.1; done; sleep 3; cat docs/note";
        let guarded = Guarded::start(&home, &path, script);
        guarded.reaches("work/ready");
        let run = guarded.json(&["ps", "--json"])[0]["run"].as_str().unwrap().to_owned();
        let docs = home.join("work/docs").display().to_string();
        guarded.person(&["grant", &run, &docs, "--read", "--for", "3s"]).expect_code(0);
        let grants = guarded.json(&["grants", "--json"]);
        guarded.person(&["extend", grants[0]["id"].as_str().unwrap(), "--for", "1h"]).expect_code(0);
        let more = guarded.person(&["grant", &run, "/etc/shadow", "--read"]);
        assert_eq!(more.code, 1, "{more:?}");
        more.expect_said("ceiling");
        home.write("work/go", "");
        assert_eq!(guarded.end().stdout(), "real\n", "nobody had to be asked, and it outlived its first end");
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
            let begun = std::time::Instant::now();
            let output = guarded.end();
            assert_eq!(output.stdout(), "error\n", "{name}: {output:?}");
            assert!(begun.elapsed().as_secs() < 15, "{name}: {output:?}");
        }
    });
}
