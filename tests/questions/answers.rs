//! Each question has its answer, in words and as JSON.

use crate::support::for_each_user;
use crate::support::run::{PATIENCE, comes_true};
use crate::{ask, json, runs, story, with_runs};

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[test]
fn the_last_run_is_told_with_its_three_answers() {
    for_each_user(|home| {
        let run = with_runs(&home, &[(&story::whole(), true)])[0];
        let text = ask(&home, &["audit", "last"]).expect_code(0);
        has(
            &text,
            &[
                &format!("run {run}  agent --fast 'two words'"),
                "profile cowork",
                "exit 0",
                "SEALED, ",
                "TOUCHED   2 files and places read, 0 changed, 0 deleted, 2 sensitive",
                "given: /home/u/.gnupg",
                "APPROVED  1 by a person (terminal): read /home/u/.gnupg",
                "MOVED     1.8 MB out, 900 kB in",
                "api.example.com:443: 1.8 MB out, 900 kB in, 1 REFUSED",
                "found in it: 2 × card, 1 × known-file",
                "the content of something known was in it",
                "near in time: /home/u/.gnupg [keys], while it was open",
                "every connection and every refusal, by name",
                "DENIED    7 refusals",
                "4 × read /home/u/.ssh/id_ed25519",
            ],
        );
        let told = json(&home, &["audit", "last", "--json"]);
        assert_eq!((&told["run"], &told["state"]), (&run.to_string().into(), &"sealed".into()));
        assert_eq!((told["files"]["read"].as_u64(), told["denials"].as_u64()), (Some(2), Some(7)));
        assert_eq!(told["approved"][0]["person"], true);
        assert!(told["coverage"].is_null() && told["seen"]["files"].is_string(), "{told}");
        assert_eq!(told["moved"]["told"][0]["near"][0]["label"], "keys");
        // The same of a copy somewhere else, which no index has.
        let copy = home.join("copy").join(run.to_string());
        let from = runs(&home).join(run.to_string());
        home.outside(&format!("mkdir ~/copy && cp -r {} {}", from.display(), copy.display())).expect_code(0);
        let other = ask(&home, &["audit", "last", copy.to_str().unwrap()]).expect_code(0);
        has(&other, &["MOVED     1.8 MB out"]);
    });
}

#[test]
fn who_touched_a_path_is_found_over_all_runs_and_proven() {
    for_each_user(|home| {
        let made = with_runs(
            &home,
            &[
                (&story::whole(), true),
                (
                    &[
                        story::start(&["other"]),
                        story::denial("A-d1", "/home/u/.ssh/config", 2),
                        story::end(),
                    ],
                    true,
                ),
            ],
        );
        let text = ask(&home, &["audit", "touched", "/home/u/.ssh", "--prove"]).expect_code(0);
        has(&text, &["2 objects, 2 runs", "REFUSED 4 × read", "REFUSED 2 × read", "proven, among "]);
        let told = json(&home, &["audit", "touched", ".gnupg", "--json", "--prove"]);
        assert_eq!((told["all"].as_u64(), told["runs"].as_u64()), (Some(2), Some(1)));
        for row in told["rows"].as_array().unwrap() {
            assert_eq!(
                (row["run"].as_str(), row["proof"]["proven"].as_bool()),
                (Some(&*made[0].to_string()), Some(true))
            );
            let proof = home.write("work/proof", row["proof"]["text"].as_str().unwrap());
            ask(&home, &["audit", "verify", "--proof", proof.to_str().unwrap()]).expect_code(0);
        }
        has(&ask(&home, &["audit", "touched", "/nothing"]).expect_code(1), &["no run touched"]);
        ask(&home, &["audit", "touched", "/home/u/.ssh", "--since", "2099-01-01"]).expect_code(1);
        ask(&home, &["audit", "touched", "/x[", "--json"]).expect_code(125);
        let rows = ask(&home, &["audit", "touched", "**", "--limit", "1"]).expect_code(0);
        has(&rows, &[" more (--limit)"]);
    });
}

#[test]
fn who_approved_is_told_by_every_id_with_the_whole_way() {
    for_each_user(|home| {
        let run = with_runs(&home, &[(&story::whole(), true)])[0].to_string();
        let event = json(&home, &["audit", "who-approved", "8f3k-g1", "--json"])[0]["records"]
            .as_array()
            .unwrap()
            .iter()
            .find(|record| record["event"] == "grant")
            .unwrap()["seq"]
            .clone();
        for id in ["8F3K-g1", "8f3k-1", "d-77", &format!("{run}:{event}")] {
            let text = ask(&home, &["audit", "who-approved", id]).expect_code(0);
            has(
                &text,
                &[
                    "APPROVED by a person (terminal): read on file /home/u/.gnupg [keys], for 600 seconds",
                    "the agent says: to sign the release",
                    "prompt by readonly-docs",
                    "4096 bytes read",
                    "8F3K-g1: expired",
                ],
            );
        }
        let told = json(&home, &["audit", "who-approved", "8F3K-1", "--json", "--prove"]);
        assert_eq!((&told[0]["state"], &told[0]["decisions"][1]["person"]), (&"sealed".into(), &true.into()));
        assert!(told[0]["proofs"].as_array().unwrap().iter().all(|proof| proof["proven"] == true), "{told}");
        has(&ask(&home, &["audit", "who-approved", "8F3K-9"]).expect_code(1), &["no record has this id"]);
    });
}

#[test]
fn where_data_went_is_told_of_a_run_of_a_host_and_of_all() {
    for_each_user(|home| {
        let other = [
            story::start(&["x"]),
            aisandbox::audit::Event::Network(Box::new(story::network(
                "close",
                "api.example.com",
                9,
                200_000,
            ))),
            story::end(),
        ];
        let made = with_runs(&home, &[(&story::whole(), true), (&other, true)]);
        let text = ask(&home, &["audit", "moved", "*.example.com"]).expect_code(0);
        has(
            &text,
            &["2.0 MB out", &made[0].to_string(), &made[1].to_string(), "api.example.com:443: 200 kB out"],
        );
        let text = ask(&home, &["audit", "moved", &made[0].to_string(), "--prove"]).expect_code(0);
        has(
            &text,
            &[
                "api.example.com:443: 1.8 MB out",
                "paste.example.net:443: 0 B out, 0 B in, 1 REFUSED",
                "proven, ",
            ],
        );
        let all = json(&home, &["audit", "moved", "--json"]);
        assert_eq!(
            (all["sent"].as_u64(), all["rows"][0]["host"].as_str()),
            (Some(2_000_000), Some("api.example.com:443"))
        );
        ask(&home, &["audit", "moved", "nowhere.example"]).expect_code(1);
    });
}

#[test]
fn a_decision_is_explained_with_its_reason_and_the_way_out() {
    for_each_user(|home| {
        let run = with_runs(&home, &[(&story::whole(), true)])[0].to_string();
        let text = ask(&home, &["audit", "explain", "last"]).expect_code(0);
        has(
            &text,
            &[
                "REFUSED (ceiling): read on file /home/u/.ssh/id_ed25519, 4 times",
                "`access: ask` for the place",
                "no rule of the profile allows this host and port",
                "the profile protects this name",
            ],
        );
        let text = ask(&home, &["audit", "explain", "8F3K-d1"]).expect_code(0);
        has(&text, &["the profile does not allow this, and nobody can be asked for it", "to change it:"]);
        let event =
            json(&home, &["audit", "explain", &run, "--json"])[0]["event"].as_str().unwrap().to_owned();
        has(&ask(&home, &["audit", "explain", &event]).expect_code(0), &["REFUSED"]);
        has(&ask(&home, &["audit", "explain", &format!("{run}:1")]).expect_code(0), &["no decision"]);
        ask(&home, &["audit", "explain", "nonsense"]).expect_code(1);
    });
}

#[test]
fn runs_are_listed_counted_and_one_event_is_shown() {
    for_each_user(|home| {
        let made = with_runs(&home, &[(&story::whole(), true), (&[story::start(&["open"])], false)]);
        let list = ask(&home, &["audit", "list"]).expect_code(0);
        has(&list, &["exit 0", "no end record", "agent --fast"]);
        let list = ask(&home, &["audit", "list", "--limit", "1"]).expect_code(0);
        has(&list, &["1 older runs are left out", &made[1].to_string()]);
        assert_eq!(ask(&home, &["audit", "list", "--since", "2099-01-01"]).expect_code(0), "");
        let listed = json(&home, &["audit", "list", "--json"]);
        assert_eq!(
            (&listed[0]["state"], &listed[0]["ended"], &listed[1]["ended"]),
            (&"sealed".into(), &true.into(), &false.into())
        );
        let stats = ask(&home, &["audit", "stats"]).expect_code(0);
        has(&stats, &["2 runs, ", "1 sealed, 1 open", "network", "ceiling", "terminal", "known-file"]);
        assert_eq!(json(&home, &["audit", "stats", "--json"])["sealed"], 1);
        let one = ask(&home, &["audit", "show", &format!("{}:1", made[0]), "--prove"]).expect_code(0);
        has(&one, &["run_start", "leaf 1: {\"v\":", "proven, among ", "c2sp.org/tlog-proof@v1"]);
        let told = json(&home, &["audit", "show", &format!("{}:1", made[0]), "--json"]);
        assert_eq!((&told["record"]["event"], &told["state"]), (&"run_start".into(), &"sealed".into()));
        ask(&home, &["audit", "show", &format!("{}:9999", made[0])]).expect_code(125);
        let cut = ask(&home, &["audit", "show", &made[0].to_string(), "--limit", "3"]).expect_code(0);
        has(&cut, &["later events are left out"]);
    });
}

#[test]
fn the_end_of_a_run_is_told_and_what_comes_while_it_goes_on() {
    for_each_user(|home| {
        let made = with_runs(&home, &[(&story::whole(), true)]);
        let text = ask(&home, &["audit", "tail", "-n", "3"]).expect_code(0);
        assert_eq!(text.lines().count(), 3, "{text}");
        has(&text, &["log.end", "run_end"]);
        let lines =
            ask(&home, &["audit", "tail", &made[0].to_string(), "-f", "--json", "-n", "100"]).expect_code(0);
        assert!(
            lines.lines().all(|line| line.starts_with("{\"v\":")) && lines.contains("\"event\":\"log.end\"")
        );
        let mut live = home.sandboxed(&[], "touch .envrc; sleep 2; touch .envrc; exit 0").start();
        let state = home.join(".local/state/aisandbox/runs");
        let told = || std::fs::read_dir(&state).unwrap().count() > 1;
        assert!(comes_true(PATIENCE, told), "a second run");
        let text = ask(&home, &["audit", "tail", "-f", "-n", "1000"]).expect_code(0);
        has(&text, &["run_start", "protected_denied", "run_end", "log.end"]);
        live.finish().expect_code(0);
    });
}
