//! The launcher, and with it the Guardian, is killed at any moment: nothing of the run is left.

use crate::support::run::{PATIENCE, comes_true};
use crate::support::{Home, for_each_user};
use crate::{DOCS, Guarded, WAITS, profile};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Moments that are tried; many more with AISANDBOX_SLOW=1.
fn rounds() -> u64 {
    if std::env::var_os("AISANDBOX_SLOW").is_some() { 200 } else { 10 }
}

/// A process and all below it, as /proc shows them now.
fn tree(root: i32) -> BTreeSet<i32> {
    let mut found = BTreeSet::from([root]);
    let mut next = vec![root];
    while let Some(pid) = next.pop() {
        for task in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
                if found.insert(child) {
                    next.push(child);
                }
            }
        }
    }
    found
}

fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).is_some_and(|state| state != "Z")
}

/// What was left to see of a run whose launcher was killed.
struct Killed {
    /// Its processes.
    all: BTreeSet<i32>,
    /// What it printed.
    said: String,
}

/// Kills it after a time; without one, when the agent has what it touched.
fn kill_after(home: &Home, profile: &str, moment: Option<Duration>) -> Killed {
    let mut guarded = Guarded::start(home, profile, "cat docs/note & cat docs/note; sleep 60");
    let mut said = String::new();
    match moment {
        Some(moment) => std::thread::sleep(moment),
        None => said = guarded.run.read_line(),
    }
    let all = tree(guarded.run.pid());
    guarded.run.signal(libc::SIGKILL);
    Killed { all, said: said + &guarded.run.finish().stdout() }
}

/// How long a run takes here in which one thing is touched and given.
fn whole_run(home: &Home, profile: &str) -> Duration {
    let begun = Instant::now();
    assert_eq!(Guarded::start(home, profile, "cat docs/note").end().stdout(), "real\n");
    begun.elapsed()
}

/// Nobody is asked: what is touched is given at once.
fn approved_before(home: &Home) -> String {
    let text = std::fs::read_to_string(profile(home, DOCS, WAITS)).unwrap();
    let template = "templates: [{ name: docs, actions: [read], path: $PWD/docs }], timeout: 5m";
    home.write("approved.yaml", &text.replace("timeout: 5m", template)).to_str().unwrap().to_owned()
}

/// Mounts outside that are of this home.
fn mounts(home: &Home) -> usize {
    let all = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    all.lines().filter(|line| line.contains(home.path().to_str().unwrap())).count()
}

fn is_recorded(home: &Home) -> bool {
    let records = home.records();
    let mut lines =
        records.last().unwrap().lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.any(|line| line["event"] == "grant")
}

#[test]
fn a_launcher_killed_at_any_moment_leaves_nothing() {
    for_each_user(|home| {
        home.write("work/docs/note", "real\n");
        let profiles = [approved_before(&home), profile(&home, DOCS, WAITS)];
        let (mut most, mut given) = (0, 0);
        let whole = whole_run(&home, &profiles[0]);
        for round in 0..=rounds() {
            let part = u32::try_from(round * 7919 % 600).unwrap();
            let moment = (round < rounds()).then(|| whole * part / 400);
            let Killed { all, said } = kill_after(&home, &profiles[(round % 2) as usize], moment);
            most = most.max(all.len());
            let gone = comes_true(PATIENCE, || all.iter().all(|pid| !alive(*pid)));
            let left: Vec<i32> = all.iter().copied().filter(|pid| alive(*pid)).collect();
            assert!(gone, "after {moment:?}: {left:?} of {all:?}");
            if said.contains("real") {
                given += 1;
                assert!(is_recorded(&home), "after {moment:?}: given without a record");
            }
        }
        assert_eq!(mounts(&home), 0);
        // No log was damaged but at its end, and the device's log has every run and lacks no entry.
        let verified = home.aisandbox(&["audit", "verify", "--all"]).output();
        assert!(
            !verified.stdout().contains("TAMPERED") && !verified.stdout().contains("GONE"),
            "{verified:?}"
        );
        assert!(verified.stdout().contains("device's log, whole"), "{verified:?}");
        assert_eq!(home.aisandbox(&["ps", "--json"]).output().stdout().trim(), "[]");
        let sessions = std::fs::read_dir(home.join(".local/state/aisandbox/sessions"));
        let folders = sessions.map(Iterator::count).unwrap_or_default();
        assert!(folders <= 1, "one is kept for the next run; here are {folders}");
        assert!(most >= 4, "a launcher, two roles and init were there at least once: {most}");
        assert!(given > 0, "the control: a run was given what it touched");
    });
}
