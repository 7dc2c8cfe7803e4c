//! Signals and ends: nothing of a run without namespaces reaches a process outside, and nothing of it is left.

use super::support::run::{PATIENCE, Run, comes_true, processes_with};
use super::support::{Home, for_each_user, skip};
use super::{bare, landlock_abi, outside, private_folders, with_abi};
use std::path::Path;
use std::time::Duration;

#[test]
fn no_signal_reaches_init_or_a_process_outside() {
    if landlock_abi() < 6 {
        skip("Landlock has no signal scope here (ABI 6)");
        return;
    }
    for_each_user(|home| {
        let sleeper = Run::new(Path::new("/bin/sleep"), &home).args(&["600"]).start();
        let script = format!(
            "kill -0 {} && echo reached; kill -9 $PPID && echo killed; sleep 0.2; echo end",
            sleeper.pid()
        );
        let control = format!("kill -0 {} && echo reached", sleeper.pid());
        assert_eq!(outside(&home, &control).stdout(), "reached\n");
        assert_eq!(bare(&home, &[], &script).output().expect_code(0), "end\n");
    });
}

#[test]
fn before_abi_6_it_runs_and_says_that_signals_pass() {
    for_each_user(|home| {
        let sleeper = Run::new(Path::new("/bin/sleep"), &home).args(&["600"]).start();
        let script = format!("kill -0 {} && echo reached", sleeper.pid());
        let ran = with_abi(&home, 5, &script);
        assert_eq!(ran.expect_code(0), "reached\n");
        ran.expect_said("lost: signals reach every process of this user");
    });
}

/// A sleep that no other test starts, and the number by which its processes are found.
fn odd_sleep(home: &Home, number: u32) -> (String, String) {
    let time = format!("{}.{}{number}", 700 + number, home.user.uid + std::process::id());
    (format!("sleep {time}"), time)
}

#[test]
fn what_the_command_leaves_behind_ends_with_it() {
    for_each_user(|home| {
        let (sleep, mark) = odd_sleep(&home, 1);
        let leave = format!("{sleep} & setsid {sleep} & (setsid sh -c '{sleep} & {sleep}' &) ; sleep 0.3");
        outside(&home, &format!("({leave}) >/dev/null 2>&1")).expect_code(0);
        assert!(comes_true(PATIENCE, || processes_with(&mark).len() >= 4)); // the control
        let left = processes_with(&mark);
        for pid in left {
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL).unwrap();
        }
        assert!(comes_true(PATIENCE, || processes_with(&mark).is_empty()));
        bare(&home, &[], &leave).output().expect_code(0);
        assert_eq!(processes_with(&mark), [0; 0]);
    });
}

#[test]
fn a_process_that_hops_from_one_to_the_next_ends_too() {
    for_each_user(|home| {
        let (_, mark) = odd_sleep(&home, 4);
        home.write_program("work/hop", "#!/bin/sh\n\"$0\" \"$1\" &\n");
        let script = format!("./hop {mark} & echo ready; until [ -e go ]; do sleep 0.1; done");
        let mut started = bare(&home, &[], &script).start();
        assert_eq!(started.read_line(), "ready");
        let hops = |pid: &i32| *pid != started.pid();
        assert!(comes_true(PATIENCE, || processes_with(&mark).iter().filter(|pid| hops(pid)).count() > 0));
        home.write("work/go", "");
        started.finish().expect_code(0);
        assert!(!comes_true(Duration::from_millis(200), || !processes_with(&mark).is_empty()));
    });
}

#[test]
fn everything_ends_when_the_launcher_is_killed() {
    for_each_user(|home| {
        let (sleep, mark) = odd_sleep(&home, 2);
        let script = format!("{sleep} & (setsid sh -c '{sleep} & {sleep}' &) ; echo ready; {sleep}");
        let mut started = bare(&home, &[], &script).start();
        assert_eq!(started.read_line(), "ready");
        assert!(comes_true(PATIENCE, || processes_with(&mark).len() >= 4)); // the control
        started.signal(libc::SIGKILL);
        started.child.wait().unwrap();
        assert!(comes_true(PATIENCE, || processes_with(&mark).is_empty()), "{:?}", processes_with(&mark));
        for folder in private_folders(&home) {
            drop(std::fs::remove_dir_all(folder)); // nobody was left to do it
        }
    });
}

#[test]
fn wall_time_ends_what_ignores_the_request() {
    for_each_user(|home| {
        let (sleep, mark) = odd_sleep(&home, 3);
        let script = format!("trap '' TERM; setsid sh -c \"{sleep}; true\" & while :; do {sleep}; done");
        bare(&home, &["--timeout", "1s"], &script).output().expect_code(124);
        assert_eq!(processes_with(&mark), [0; 0]);
    });
}
