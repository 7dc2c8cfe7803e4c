//! A run that a rule froze: nothing in it runs, until a person lets it go on or ends it.

use crate::detection::{UNTIL_GO, WAITS, alert, of, profile, rule};
use crate::support::for_each_user;
use crate::support::run::{PATIENCE, comes_true, processes_with};
use crate::{Guarded, events};
use nix::sys::signal::Signal;
use serde_json::Value;

/// Whether the shells of a run whose script has this text are all stopped.
fn all_stopped(text: &str) -> bool {
    let is_shell =
        |pid: &i32| std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "sh\n");
    let pids: Vec<i32> = processes_with(text).into_iter().filter(is_shell).collect();
    let stopped = |pid: &i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T'))
    };
    !pids.is_empty() && pids.iter().all(stopped)
}

#[test]
fn a_frozen_run_does_nothing_until_a_person_lets_it_go_on() {
    for_each_user(|home| {
        let path = profile(&home, &rule("asked", "request"), "actions: { asked: freeze }", WAITS);
        let mark = format!("61{}", std::process::id());
        let script =
            format!("(until [ -e go ]; do sleep 0.{mark}; date +%s%N > tick; done) & cat docs/a; wait");
        let guarded = Guarded::start(&home, &path, &script);
        alert(&home, "asked");
        assert!(comes_true(PATIENCE, || !of(&home, "freeze").is_empty()), "{:?}", events(&home));
        assert_eq!(of(&home, "freeze")[0]["what"], "frozen");
        // A cgroup's freezer stops them without such a state.
        let by_signals = of(&home, "freeze")[0]["how"] == "signals";
        assert!(!by_signals || comes_true(PATIENCE, || all_stopped(&mark)));
        let run = guarded.json(&["ps", "--json"])[0].clone();
        assert!(run["frozen"].is_string(), "{run}");
        let tick = || std::fs::read(home.join("work/tick")).unwrap_or_default();
        let before = tick();
        home.write("work/go", "");
        // It cannot end by itself: the state is asked again, and it is as it was.
        assert!(guarded.json(&["ps", "--json"])[0]["frozen"].is_string());
        assert_eq!(tick(), before);
        guarded.person(&["resume", run["run"].as_str().unwrap()]).expect_code(0);
        let output = guarded.end();
        assert_eq!(output.stdout(), "", "what was asked was refused");
        let told: Vec<Value> = of(&home, "freeze").into_iter().map(|freeze| freeze["what"].clone()).collect();
        assert_eq!(told, ["frozen", "resumed"]);
    });
}

/// A script that asks, and so is frozen; a part of it is `mark`.
fn asks(mark: &str) -> String {
    format!("(while true; do sleep 0.{mark}; date +%s%N > tick; done) & cat docs/a; wait")
}

#[test]
fn who_wants_a_frozen_run_to_end_has_it_ended() {
    for_each_user(|home| {
        let path = profile(&home, &rule("asked", "request"), "actions: { asked: freeze }", WAITS);
        let guarded = Guarded::start(&home, &path, &asks(&format!("62{}", std::process::id())));
        assert!(comes_true(PATIENCE, || !of(&home, "freeze").is_empty()), "{:?}", events(&home));
        guarded.run.signal(Signal::SIGTERM as i32);
        guarded.end().expect_code(128 + Signal::SIGTERM as i32);
    });
}

/// Has the kernel continue this process ten times a second, and writes down when it runs.
const CONTINUED: &str = r#"
import ctypes, signal, struct, time
signal.signal(signal.SIGCONT, lambda *_: None)  # one that is ignored does not come again
libc = ctypes.CDLL(None, use_errno=True)
event = ctypes.create_string_buffer(struct.pack("qii", 0, 18, 0).ljust(64, b"\0"), 64)
timer = ctypes.c_void_p()
assert libc.timer_create(1, event, ctypes.byref(timer)) == 0, ctypes.get_errno()
often = ctypes.create_string_buffer(struct.pack("qqqq", 0, 100_000_000, 0, 100_000_000))
assert libc.timer_settime(timer, 0, often, None) == 0, ctypes.get_errno()
open("armed", "w").close()
while True:
    time.sleep(0.01)
"#;

#[test]
fn a_frozen_run_that_has_itself_continued_is_ended() {
    for_each_user(|home| {
        let path = profile(&home, &rule("asked", "request"), "actions: { asked: freeze }", WAITS);
        home.write("work/continued.py", CONTINUED);
        let script = "python3 continued.py & until [ -e armed ]; do sleep 0.1; done; cat docs/a; wait";
        let output = Guarded::start(&home, &path, script).end();
        let all = of(&home, "freeze");
        if all[0]["how"] == "signals" {
            output.expect_said("something in it");
            assert_eq!(all.last().unwrap()["what"], "failed", "{all:?}");
        }
    });
}

#[test]
fn agents_of_a_frozen_run_are_frozen_with_it_and_go_on_with_it() {
    for_each_user(|home| {
        let path = profile(
            &home,
            &rule("asked", "request"),
            "actions: { asked: freeze }",
            &format!("{WAITS}\nagents: {{ most: 2, depth: 1 }}"),
        );
        let below = format!("touch below; {UNTIL_GO}; touch ended");
        let script = format!(
            "/run/aisandbox/aisandbox exec -- sh -c '{below}' & until [ -e below ]; do sleep 0.1; done; cat docs/a; wait"
        );
        let guarded = Guarded::start(&home, &path, &script);
        let all = || guarded.json(&["ps", "--json"]).as_array().cloned().unwrap_or_default();
        let frozen = || all().iter().filter(|run| run["frozen"].is_string()).count() == 2;
        assert!(comes_true(PATIENCE, frozen), "{:?}", all());
        home.write("work/go", "");
        assert!(frozen() && !home.join("work/ended").exists());
        let top = all().into_iter().find(|run| run["parent"].is_null()).unwrap();
        guarded.person(&["resume", top["run"].as_str().unwrap()]).expect_code(0);
        guarded.reaches("work/ended");
        guarded.end();
    });
}
