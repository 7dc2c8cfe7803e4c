//! The launcher, and with it the Guardian, is killed at any moment: nothing of the run is left.

use crate::support::run::comes_true;
use crate::support::{Home, for_each_user};
use crate::{DOCS, Guarded, WAITS, profile};
use std::collections::BTreeSet;
use std::time::Duration;

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

fn kill_after(home: &Home, profile: &str, moment: Duration) -> BTreeSet<i32> {
    let mut guarded = Guarded::start(home, profile, "cat docs/note & cat docs/note; sleep 60");
    std::thread::sleep(moment);
    let all = tree(guarded.run.pid());
    guarded.run.signal(libc::SIGKILL);
    guarded.run.finish();
    all
}

#[test]
fn a_launcher_killed_at_any_moment_leaves_nothing() {
    for_each_user(|home| {
        home.write("work/docs/note", "real\n");
        let profile = profile(&home, DOCS, WAITS);
        let mut most = 0;
        for round in 0..rounds() {
            let moment = Duration::from_millis(round * 7919 % 600);
            let all = kill_after(&home, &profile, moment);
            most = most.max(all.len());
            let gone = comes_true(Duration::from_secs(10), || all.iter().all(|pid| !alive(*pid)));
            let left: Vec<i32> = all.iter().copied().filter(|pid| alive(*pid)).collect();
            assert!(gone, "after {moment:?}: {left:?} of {all:?}");
        }
        assert!(most >= 4, "a launcher, two roles and init were there at least once: {most}");
    });
}
