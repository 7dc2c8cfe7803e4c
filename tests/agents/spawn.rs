//! Agents that agents start, with the real Guardian.

use crate::support::run::{Output, PATIENCE, comes_true};
use crate::support::{Home, for_each_user};
use serde_json::Value;
use std::time::Duration;

/// Our program, as a guarded sandbox shows it.
const OURS: &str = "/run/aisandbox/aisandbox";

fn profile(home: &Home, agents: &str) -> String {
    home.write("own.yaml", &format!("version: 1\nextends: [cowork]\nagents: {agents}\n"));
    home.join("own.yaml").to_str().unwrap().to_owned()
}

fn run(home: &Home, agents: &str, script: &str) -> Output {
    home.exec(&["--profile", &profile(home, agents)], &format!("X={OURS}; {script}"))
}

#[test]
fn an_agent_starts_another_beside_itself_with_less() {
    for_each_user(|home| {
        let home = home.with("work/secret/key", "key\n").with("work/doc", "doc\n");
        let child = "cat doc secret/key 2>/dev/null; touch new 2>/dev/null || echo closed; cat; exit 7";
        let script = format!(
            "echo typed | $X exec --hide secret --read-only . -- sh -c '{child}'; echo $?; cat secret/key; touch mine && echo open"
        );
        let output = run(&home, "{ most: 2, depth: 1 }", &script);
        assert_eq!(output.expect_code(0), "doc\nclosed\ntyped\n7\nkey\nopen\n", "{output:?}");
        let whole =
            run(&home, "{ most: 2, depth: 1 }", &format!("$X exec -- sh -c '{child}' </dev/null; echo $?"));
        assert_eq!(whole.expect_code(0), "doc\nkey\n7\n", "{whole:?}"); // the control
    });
}

#[test]
fn what_is_more_cannot_even_be_said() {
    for_each_user(|home| {
        for flags in ["--rw /etc", "--net host", "--profile base", "--env A=1", "--allow-degraded seccomp"] {
            let output = run(&home, "{ most: 1, depth: 1 }", &format!("$X exec {flags} -- echo ran"));
            assert_eq!(output.expect_code(125), "", "{flags}");
            output.expect_said("never with more");
        }
    });
}

#[test]
fn levels_and_numbers_of_agents_have_an_end() {
    for_each_user(|home| {
        let deep = run(&home, "{ most: 2, depth: 1 }", "$X exec -- sh -c \"echo one; $X exec -- echo two\"");
        assert_eq!(deep.stdout(), "one\n", "{deep:?}");
        let deeper =
            run(&home, "{ most: 2, depth: 2 }", "$X exec -- sh -c \"echo one; $X exec -- echo two\"");
        assert_eq!(deeper.expect_code(0), "one\ntwo\n", "{deeper:?}");
        let two = "mkfifo f; $X exec -- sh -c 'echo up > f; cat f' & cat f; $X exec -- echo second; echo end > f; wait";
        let both = run(&home, "{ most: 2, depth: 1 }", two);
        assert_eq!(both.expect_code(0), "up\nsecond\nend\n", "{both:?}"); // the control
        let full =
            "mkfifo f; $X exec -- sh -c 'echo up > f; sleep 600' & cat f; $X exec -- echo second; kill $!";
        let refused = run(&home, "{ most: 1, depth: 1 }", full);
        assert_eq!(refused.stdout(), "up\n", "{refused:?}");
        refused.expect_said("rate-limit");
    });
}

#[test]
fn without_the_key_no_agent_is_started() {
    for_each_user(|home| {
        home.write("own.yaml", "version: 1\nextends: [cowork]\nguardian: true\n");
        let path = home.join("own.yaml");
        let output = home.exec(&["--profile", path.to_str().unwrap()], &format!("{OURS} exec -- echo ran"));
        assert_eq!(output.expect_code(125), "");
        output.expect_said("unavailable");
    });
}

#[test]
fn an_agent_ends_with_the_exec_that_asked_for_it() {
    for_each_user(|home| {
        let script = "$X exec -- sh -c 'echo up > up; while :; do date +%N > beat; sleep 0.05; done' & \
                      while ! [ -e beat ]; do sleep 0.05; done; kill -9 $!; for n in $(seq 60); do \
                      a=$(cat beat); sleep 2; b=$(cat beat); [ \"$a\" = \"$b\" ] && break; done; [ \"$a\" = \"$b\" ] && echo ended";
        let output = run(&home, "{ most: 1, depth: 1 }", script);
        assert_eq!(output.expect_code(0), "ended\n", "{output:?}");
    });
}

#[test]
fn the_tokens_of_an_agent_go_back_to_the_one_it_was_asked_for_under() {
    if !crate::support::has_program("python3") {
        return;
    }
    for_each_user(|home| {
        let home = home.with("work/client.py", include_str!("../broker_client.py"));
        // Two channels, and the token of each.
        let tokens = "import client; [print(client.Broker().token) for _ in (1, 2)]";
        home.write(
            "work/both.sh",
            &format!("python3 -Bc '{tokens}' | while read t; do {OURS} token --json $t; done"),
        );
        let script = "sh both.sh; $X exec -- sh both.sh";
        let output = run(&home, "{ most: 1, depth: 2 }", script).expect_code(0);
        let said: Vec<Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [one, two, below, beside] = said.as_slice() else { panic!("{output}") };
        assert!(one["root"] == one["id"] && two["root"] == two["id"] && one["id"] != two["id"], "{output}"); // the control
        assert!(below["root"] != below["id"] && below["root"] == beside["root"], "{output}");
        assert_eq!((&one["depth"], &below["depth"], &beside["depth"]), (&0.into(), &1.into(), &1.into()));
    });
}

#[test]
fn an_agent_is_in_the_trace_of_the_one_that_started_it_and_below_the_record_of_that() {
    for_each_user(|home| {
        run(&home, "{ most: 1, depth: 2 }", "$X exec -- true").expect_code(0);
        let records: Vec<Value> = home
            .records()
            .iter()
            .flat_map(|log| {
                log.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
            })
            .collect();
        let of = |name: &str| records.iter().filter(|record| record["event"] == name).collect::<Vec<_>>();
        let (starts, started) = (of("run_start"), of("agent_start"));
        let [started] = started.as_slice() else { panic!("{started:?}") };
        let is_below = |start: &&&Value| start["run"] == started["data"]["run"];
        let below = starts.iter().find(is_below).unwrap();
        let above = starts.iter().find(|start| start["run"] == started["run"]).unwrap();
        assert_eq!(below["data"]["trace"]["id"], above["data"]["trace"]["id"]);
        assert_eq!(below["data"]["trace"]["from"], "run");
        assert_eq!(below["data"]["trace"]["parent"], started["span"], "{started}");
        assert_eq!(started["data"]["token"].as_str().unwrap().len(), 32);
    });
}

#[test]
fn every_agent_is_gone_when_the_first_launcher_is_killed() {
    for_each_user(|home| {
        let beat = "while :; do date +%N > beat; sleep 0.05; done";
        let script = format!("X={OURS}; $X exec -- sh -c '$0 exec -- sh -c \"{beat}\"' $X");
        let path = profile(&home, "{ most: 1, depth: 2 }");
        let mut launcher = home.sandboxed(&["--profile", &path], &script).command.spawn().unwrap();
        let beat = home.join("work/beat");
        assert!(comes_true(PATIENCE, || beat.exists()), "the agent of the agent never ran");
        launcher.kill().unwrap();
        launcher.wait().unwrap();
        let is_still = || {
            let last = std::fs::read(&beat).unwrap();
            std::thread::sleep(Duration::from_secs(1));
            std::fs::read(&beat).unwrap() == last
        };
        assert!(comes_true(PATIENCE, is_still), "it still runs");
    });
}
