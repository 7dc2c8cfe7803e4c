//! Rules over a run while it goes on: what is found is recorded, told, and answered as the profile says.

use crate::network::{Service, say};
use crate::support::run::{PATIENCE, comes_true};
use crate::support::{Home, for_each_user};
use crate::{Guarded, events, kill_role, role_pid, signal_role};
use nix::sys::signal::Signal;
use serde_json::Value;

/// Goes on until the test says so.
pub(crate) const UNTIL_GO: &str = "until [ -e go ]; do sleep 0.1; done";

/// A rule that holds for one event of this name.
pub(crate) fn rule(name: &str, event: &str) -> String {
    format!(
        "title: Made up\nid: 6f1c2b1e-0000-4000-8000-000000000001\nname: {name}\nlevel: high\n\
         logsource: {{ product: aisandbox }}\ndetection:\n  a: {{ event: {event} }}\n  condition: a\n"
    )
}

/// A profile with rules of its own, and what is done.
pub(crate) fn profile(home: &Home, rules: &str, actions: &str, more: &str) -> String {
    home.write("rules/own.yml", rules);
    let folder = home.join("rules");
    home.make_folder("work/docs");
    home.write("work/docs/a", "content\n");
    let text = format!(
        "version: 1\nextends: [offline]\nfilesystem:\n  - {{ path: $PWD/docs, access: ask, actions: [read], lease: 1h }}\n\
         detection: {{ rules: [{}], {actions} }}\n{more}\n",
        folder.display()
    );
    home.write("detected.yaml", &text).to_str().unwrap().to_owned()
}

pub(crate) const WAITS: &str = "consent: { channels: [ui], timeout: 5m }";
const APPROVED: &str =
    "consent: { channels: [ui], timeout: 5m, templates: [{ name: all, actions: [read], path: $PWD/docs }] }";

pub(crate) fn of(home: &Home, name: &str) -> Vec<Value> {
    if home.records().is_empty() {
        return Vec::new();
    }
    events(home).into_iter().filter(|(event, _)| event == name).map(|(_, data)| data).collect()
}

/// Waits for an alert of a rule.
pub(crate) fn alert(home: &Home, rule: &str) -> Value {
    let mut found = None;
    let there = comes_true(PATIENCE, || {
        found = of(home, "alert").into_iter().find(|alert| alert["rule"] == rule);
        found.is_some()
    });
    assert!(there, "no alert of {rule}: {:?}", events(home));
    found.unwrap()
}

#[test]
fn a_secret_that_is_granted_before_a_host_is_contacted_is_an_alert() {
    for_each_user(|home| {
        let service = Service::start();
        home.make_folder(".ssh");
        home.write(".ssh/config", "Host x\n");
        let text = format!(
            "version: 1\nextends: [offline]\nfilesystem:\n  - {{ path: ~/.ssh, access: ask, actions: [read], lease: 1h }}\n\
             network: {{ mode: filtered, allow: [{{ host: localhost, port: {} }}] }}\n\
             detection: {{ rules: [shipped], actions: {{ high: alert }} }}\n{WAITS}\n",
            service.port
        );
        let path = home.write("secret.yaml", &text).to_str().unwrap().to_owned();
        let script = format!(
            "{}; cat ~/.ssh/config; touch read; {}; {UNTIL_GO}",
            say("localhost", service.port),
            say("localhost", service.port)
        );
        let guarded = Guarded::start(&home, &path, &script);
        let id = guarded.asked();
        let found = of(&home, "alert").iter().any(|alert| alert["rule"] == "file-then-egress");
        assert!(!found, "a host alone is nothing");
        guarded.person(&["approve", &id]).expect_code(0);
        let alert = alert(&home, "file-then-egress");
        assert_eq!((&alert["level"], &alert["action"]), (&"high".into(), &"alert".into()));
        let all = events(&home);
        // The log's own first leaf is no event here; indexes count it.
        let records = home.records();
        let at = |index: &Value| {
            let lines =
                records.last().unwrap().lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            lines.into_iter().find(|line| line["seq"] == *index).unwrap()["event"].clone()
        };
        assert_eq!((at(&alert["first"]), at(&alert["last"])), ("grant".into(), "network".into()), "{all:?}");
        let ps = guarded.json(&["ps", "--json"]);
        assert_eq!(ps[0]["alerts"][0]["rule"], "file-then-egress");
        let table = guarded.person(&["ps"]).expect_code(0);
        assert!(table.lines().next().unwrap().contains("ALERTS"), "{table}");
        home.write("work/go", "");
        let output = guarded.end();
        assert_eq!(output.expect_code(0), "hello\nHost x\nhello\n");
        let loaded: Vec<Value> =
            of(&home, "policy_loaded").into_iter().filter(|data| data["kind"] == "detection-rules").collect();
        let all: String = aisandbox::detect::shipped().into_iter().map(|file| file.text).collect();
        let digest = aisandbox::crypto::sha256(all.as_bytes()).to_string();
        assert!(loaded.len() == 1 && loaded[0]["sha256"] == *digest, "{loaded:?}");
    });
}

#[test]
fn a_rule_that_says_stop_ends_the_run_before_anything_is_given() {
    for_each_user(|home| {
        let rules = rule("asked", "request");
        let harmless = profile(&home, &rules, "actions: { asked: log }", APPROVED);
        let control = Guarded::start(&home, &harmless, "cat docs/a; echo done").end();
        assert_eq!(control.expect_code(0), "content\ndone\n", "the control: it is only in the record");
        let path = profile(&home, &rules, "actions: { asked: stop }", WAITS);
        let output = Guarded::start(&home, &path, &format!("cat docs/a; {UNTIL_GO}")).end();
        output.expect_said("the Guardian ended the run: rule asked found something");
        assert_eq!(output.stdout(), "");
        assert_eq!(alert(&home, "asked")["action"], "stop");
        assert_eq!(of(&home, "grant"), [Value::Null; 0]);
        assert_eq!(of(&home, "denial")[0]["reason"], "detection");
    });
}

#[test]
fn what_happens_at_the_very_end_is_looked_at() {
    for_each_user(|home| {
        let path = profile(&home, &rule("given", "grant"), "actions: { given: alert }", APPROVED);
        let output = Guarded::start(&home, &path, "exec cat docs/a").end();
        assert_eq!(output.expect_code(0), "content\n");
        assert_eq!(alert(&home, "given")["count"], 1);
    });
}

#[test]
fn a_run_that_nothing_stopped_has_nothing_to_resume() {
    for_each_user(|home| {
        let path = profile(&home, &rule("asked", "request"), "actions: { asked: log }", WAITS);
        let guarded = Guarded::start(&home, &path, UNTIL_GO);
        let run = || guarded.json(&["ps", "--json"])[0]["run"].as_str().map(str::to_owned);
        assert!(comes_true(PATIENCE, || run().is_some()));
        guarded.person(&["resume", &run().unwrap()]).expect_code(1);
        home.write("work/go", "");
        guarded.end().expect_code(0);
    });
}

#[test]
fn a_rule_that_says_ask_sends_the_next_request_to_a_person() {
    for_each_user(|home| {
        let script = format!(
            "/run/aisandbox/aisandbox request read /etc/hosts --why x; touch tried; {UNTIL_GO}; cat docs/a"
        );
        for (actions, asks) in [("denied: log", false), ("denied: ask", true)] {
            let path =
                profile(&home, &rule("denied", "denial"), &format!("actions: {{ {actions} }}"), APPROVED);
            let guarded = Guarded::start(&home, &path, &script);
            guarded.reaches("work/tried");
            alert(&home, "denied");
            home.write("work/go", "");
            if asks {
                let id = guarded.asked();
                guarded.person(&["approve", &id]).expect_code(0);
            }
            assert_eq!(guarded.end().expect_code(0).lines().last(), Some("content"), "{actions}");
            let by = of(&home, "grant")[0]["approved_by"].as_str().unwrap().to_owned();
            assert_eq!(by.starts_with("template"), !asks, "{by}");
            for name in ["go", "tried"] {
                std::fs::remove_file(home.join(&format!("work/{name}"))).unwrap();
            }
        }
    });
}

#[test]
fn a_rule_that_says_tighten_ends_leases_and_refuses_until_a_person_resumes() {
    for_each_user(|home| {
        let path = profile(&home, &rule("denied", "denial"), "actions: { denied: tighten }", APPROVED);
        let script = format!(
            "cat docs/a; touch read; until [ -e on ]; do sleep 0.1; done; /run/aisandbox/aisandbox request read /etc/hosts --why x; \
             touch denied; until [ -e again ]; do sleep 0.1; done; cat docs/a || echo no; touch refused; {UNTIL_GO}; until cat docs/a; do sleep 0.1; done"
        );
        let guarded = Guarded::start(&home, &path, &script);
        guarded.reaches("work/read");
        home.write("work/on", "");
        alert(&home, "denied");
        assert!(comes_true(PATIENCE, || of(&home, "revoke")
            .iter()
            .any(|revoke| revoke["why"] == "detection")));
        guarded.nothing_granted();
        home.write("work/again", "");
        guarded.reaches("work/refused");
        let run = guarded.json(&["ps", "--json"])[0]["run"].as_str().unwrap().to_owned();
        guarded.person(&["resume", &run]).expect_code(0);
        home.write("work/go", "");
        let output = guarded.end();
        let lines: Vec<String> = output.stdout().lines().map(str::to_owned).collect();
        assert!(lines.contains(&"no".to_owned()), "{output:?}");
        assert_eq!((lines.first(), lines.last()), (Some(&"content".to_owned()), Some(&"content".to_owned())));
    });
}

#[test]
fn a_role_that_is_killed_is_an_alert_or_the_end_as_the_profile_says() {
    for_each_user(|home| {
        for (lost, ends) in [("", false), (", lost: stop", true)] {
            let actions = format!("actions: {{ asked: log }}{lost}");
            let path = profile(&home, &rule("asked", "request"), &actions, WAITS);
            let guarded = Guarded::start(&home, &path, &format!("touch begun; {UNTIL_GO}; echo on"));
            guarded.reaches("work/begun");
            kill_role(guarded.run.pid(), "detect");
            let alert = alert(&home, "detection-lost");
            assert_eq!(alert["action"], if ends { "stop" } else { "alert" });
            home.write("work/go", "");
            let output = guarded.end();
            assert_eq!(output.stdout() == "on\n", !ends, "{output:?}");
            for name in ["go", "begun"] {
                std::fs::remove_file(home.join(&format!("work/{name}"))).unwrap();
            }
        }
    });
}

#[test]
fn a_storm_of_findings_is_one_alert_and_a_number() {
    for_each_user(|home| {
        let path = profile(&home, &rule("denied", "denial"), "actions: { denied: alert }", WAITS);
        let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do /run/aisandbox/aisandbox request read /etc/hosts --why x; done; true";
        Guarded::start(&home, &path, script).end().expect_code(0);
        let alerts: Vec<Value> =
            of(&home, "alert").into_iter().filter(|alert| alert["rule"] == "denied").collect();
        assert!(alerts.iter().any(|alert| alert["count"].as_u64() > Some(1)), "{alerts:?}");
        let denials = of(&home, "denial").len();
        assert!(denials >= 5 && (1..=2).contains(&alerts.len()), "{denials}: {alerts:?}");
    });
}

#[test]
fn a_role_that_stands_still_holds_nothing_up() {
    for_each_user(|home| {
        let path = profile(&home, &rule("asked", "request"), "actions: { asked: stop }", APPROVED);
        let guarded = Guarded::start(&home, &path, &format!("touch begun; {UNTIL_GO}; cat docs/a"));
        guarded.reaches("work/begun");
        signal_role(guarded.run.pid(), "detect", Signal::SIGSTOP);
        home.write("work/go", "");
        let output = guarded.end();
        assert_eq!(output.expect_code(0), "content\n");
        output.expect_said("events were not looked at");
        assert_eq!(alert(&home, "detection-lost")["action"], "alert");
    });
}

#[test]
fn the_role_is_confined_and_its_memory_has_a_limit() {
    for_each_user(|home| {
        let path = profile(&home, &rule("asked", "request"), "", WAITS);
        let guarded = Guarded::start(&home, &path, &format!("touch begun; {UNTIL_GO}"));
        guarded.reaches("work/begun");
        let pid = role_pid(guarded.run.pid(), "detect");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        for line in ["Seccomp:\t2", "NoNewPrivs:\t1", "CapEff:\t0000000000000000", "Threads:\t1"] {
            assert!(status.contains(line), "{line} in {status}");
        }
        // Of another user's undumpable process root alone may read the limits.
        if nix::unistd::geteuid().is_root() {
            let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
            let line = limits.lines().find(|line| line.starts_with("Max data size")).unwrap();
            assert_eq!(line.split_whitespace().filter(|word| *word == "134217728").count(), 2, "{line}");
        }
        home.write("work/go", "");
        guarded.end().expect_code(0);
    });
}

/// A rule over bytes that the agent chooses.
const BY_REASON: &str = "title: Made up\nid: 6f1c2b1e-0000-4000-8000-000000000002\nname: by-reason\nlevel: high\n\
    logsource: { product: aisandbox }\nfields: [data.reason, data.detail]\ndetection:\n  a: { event: denial }\n  condition: a\n";

#[test]
fn bytes_of_an_agent_reach_no_terminal_by_an_alert() {
    for_each_user(|home| {
        let path = profile(&home, BY_REASON, "actions: { by-reason: alert }", WAITS);
        let script =
            "/run/aisandbox/aisandbox request read \"/etc/$(printf '\\033[2J\\033]0;x\\007')\" --why x; true";
        let output = Guarded::start(&home, &path, script).end();
        output.expect_code(0);
        alert(&home, "by-reason");
        let shown = home.aisandbox(&["audit", "show", "last"]).output();
        let detected = home.aisandbox(&["audit", "detect", "--all"]).output();
        for bytes in [output.stderr(), shown.stdout(), shown.stderr(), detected.stdout()] {
            assert!(!bytes.contains('\x1b') && !bytes.contains('\x07'), "{bytes:?}");
        }
        assert!(shown.stdout().contains("by-reason"), "{}", shown.stdout());
    });
}

#[test]
fn rules_that_are_wrong_or_actions_for_no_rule_stop_the_start_with_their_line() {
    for_each_user(|home| {
        let path = profile(&home, &rule("asked", "request"), "actions: { nobody: stop }", WAITS);
        let output = Guarded::start(&home, &path, "true").end();
        output.expect_code(125);
        output.expect_said("no rule and no level is called nobody");
        let path =
            profile(&home, &rule("asked", "request").replace("level: high", "level: grave"), "", WAITS);
        let output = Guarded::start(&home, &path, "true").end();
        output.expect_code(125);
        output.expect_said("own.yml:1: no level is called `grave`");
    });
}
