//! Every stage of a launch is made to fail in turn: no agent ran, the exit code is ours, the message and the record
//! name the stage, and nothing stays behind.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod inject;
mod support;

use aisandbox::launch::Stage;
use inject::Rule;
use nix::errno::Errno;
use support::run::{Output, Run, comes_true, processes_with};
use support::{Home, for_each_user};

const PR_CAPBSET_DROP: i64 = libc::PR_CAPBSET_DROP as i64;
const OPEN_TREE_CLONE: i64 = 1;
/// Size of the struct clone3(2) is given; a question whether the call is there gives 0.
const CLONE_ARGS: i64 = 88;

/// Stages that a filter above can make fail: the call, and what it is to fail with.
fn table() -> Vec<(Stage, Rule, Errno)> {
    let prctl = |option: i32| Rule::on(libc::SYS_prctl).with(0, i64::from(option));
    let open_for_writing = i64::from(libc::O_WRONLY | libc::O_CLOEXEC);
    let row = |stage, rule: Rule, errno: Errno| (stage, rule.fails(errno as i32), errno);
    vec![
        row(Stage::Clone, Rule::on(libc::SYS_clone3).with(1, CLONE_ARGS), Errno::EAGAIN),
        row(Stage::MapIds, prctl(libc::PR_SET_DUMPABLE).with(1, 1), Errno::EACCES),
        row(Stage::TieToParent, prctl(libc::PR_SET_PDEATHSIG), Errno::EINVAL),
        row(
            Stage::ForbidNamespaces,
            Rule::on(libc::SYS_openat).with(0, i64::from(libc::AT_FDCWD)).with(2, open_for_writing),
            Errno::EROFS,
        ),
        row(Stage::NewRoot, Rule::on(libc::SYS_fsopen), Errno::EPERM),
        row(Stage::Entry, Rule::on(libc::SYS_open_tree).having(2, OPEN_TREE_CLONE), Errno::EPERM),
        row(Stage::Pivot, Rule::on(libc::SYS_pivot_root), Errno::EINVAL),
        row(
            Stage::SealRoot,
            Rule::on(libc::SYS_mount_setattr).with(2, i64::from(libc::AT_EMPTY_PATH)),
            Errno::EPERM,
        ),
        row(Stage::Loopback, Rule::on(libc::SYS_ioctl).with(1, libc::SIOCSIFFLAGS as i64), Errno::EPERM),
        row(Stage::HostName, Rule::on(libc::SYS_sethostname), Errno::EPERM),
        row(Stage::Keyring, Rule::on(libc::SYS_keyctl), Errno::EDQUOT),
        row(Stage::Terminal, Rule::on(libc::SYS_setsid), Errno::EPERM),
        row(Stage::Limits, Rule::on(libc::SYS_prlimit64).with(1, libc::RLIMIT_CORE as i64), Errno::EPERM),
        row(Stage::InnerUser, Rule::on(libc::SYS_unshare), Errno::EUSERS),
        row(Stage::DropCaps, Rule::on(libc::SYS_prctl).with(0, PR_CAPBSET_DROP), Errno::EPERM),
        row(Stage::NoNewPrivs, prctl(libc::PR_SET_NO_NEW_PRIVS), Errno::EINVAL),
        row(Stage::Landlock, Rule::on(libc::SYS_landlock_restrict_self), Errno::E2BIG),
        row(Stage::Filter, Rule::on(libc::SYS_seccomp).with(0, 1).with(1, 0), Errno::EINVAL),
        row(Stage::Release, Rule::on(libc::SYS_sendmsg), Errno::ECONNRESET),
        row(Stage::Agent, Rule::on(libc::SYS_setpgid), Errno::EPERM),
        row(Stage::Guard, Rule::on(libc::SYS_close_range).with(1, -1).with(2, 0), Errno::EPERM),
        row(Stage::Chdir, Rule::on(libc::SYS_chdir), Errno::EACCES),
    ]
}

/// Stages with a test of their own below, and why no filter by numbers and arguments can make them fail.
const ALONE: [(Stage, &str); 4] = [
    (Stage::Egress, "only a filtered network has it, whose roles a filter for another stage would stop"),
    (Stage::Rules, "the launcher makes the same calls for the host's objects"),
    (Stage::Probe, "it fails when a call works that must not"),
    (Stage::Exec, "the launcher itself is started by execve"),
];

const SCRIPT: &str = "echo ran; echo ran > ran";

#[test]
fn every_stage_is_made_to_fail() {
    let tried: Vec<Stage> = table().into_iter().map(|row| row.0).chain(ALONE.map(|row| row.0)).collect();
    for stage in Stage::ALL {
        assert!(tried.contains(stage), "nothing here makes {stage:?} fail");
    }
}

#[test]
fn below_a_filter_that_refuses_nothing_the_agent_runs() {
    for_each_user(|home| {
        let ran = inject::under(exec(&home, &[], SCRIPT), &[]).output();
        assert_eq!(ran.expect_code(0), "ran\n");
        assert!(home.work().join("ran").exists());
    });
}

#[test]
fn a_stage_that_fails_stops_the_launch_and_leaves_nothing() {
    for_each_user(|home| {
        for (stage, rule, errno) in table() {
            eprintln!("  {stage:?}: {rule:?}");
            let ran = nothing_stays(&home, || inject::under(exec(&home, &[], SCRIPT), &[rule]).output());
            never_ran(&home, &ran, 125, stage, &format!("{errno:?}"));
        }
    });
}

/// Connections that wait at a listener of the way out; no other listener of ours has so many.
const BACKLOG: i64 = 4096;

#[test]
fn a_way_out_that_cannot_be_laid_stops_the_launch_and_says_where_to_look() {
    for_each_user(|home| {
        let filtered = |rules: &[Rule]| {
            inject::under(home.sandboxed(&["--profile", "cowork"], &script(&home)), rules).output()
        };
        assert_eq!(filtered(&[]).expect_code(0), "ran\n", "the control");
        std::fs::remove_file(home.work().join("ran")).unwrap();
        let listens = Rule::on(libc::SYS_listen).with(1, BACKLOG);
        for (errno, hint) in
            [(Errno::EPERM, "a filter above us"), (Errno::EADDRINUSE, "Address already in use")]
        {
            let ran = nothing_stays(&home, || filtered(&[listens.clone().fails(errno as i32)]));
            never_ran(&home, &ran, 125, Stage::Egress, &format!("{errno:?}"));
            ran.expect_said(hint);
        }
        // Each way in turn: without the packet filter the next is taken, and it is said.
        let netlink = Rule::on(libc::SYS_socket)
            .with(0, i64::from(libc::AF_NETLINK))
            .with(2, i64::from(libc::NETLINK_NETFILTER));
        let lower = filtered(&[netlink.fails(Errno::EPERM as i32)]);
        assert_eq!(lower.expect_code(0), "ran\n");
        lower.expect_said("egress by anyip");
    });
}

#[test]
fn a_rule_that_cannot_be_added_inside_stops_the_launch() {
    for_each_user(|home| {
        let rules = [Rule::on(libc::SYS_landlock_add_rule).asks()];
        let ran = nothing_stays(&home, || {
            let decide = |asked: inject::Asked| (!asked.first_caller).then_some(Err(Errno::EINVAL));
            inject::answered(exec(&home, UNGUARDED, SCRIPT), &rules, decide).output()
        });
        never_ran(&home, &ran, 125, Stage::Rules, "EINVAL");
    });
}

#[test]
fn a_host_file_that_is_found_from_inside_stops_the_launch() {
    let flags = i64::from(libc::O_PATH | libc::O_CLOEXEC);
    let rules = [Rule::on(libc::SYS_openat).with(0, i64::from(libc::AT_FDCWD)).with(2, flags).asks()];
    for_each_user(|home| {
        let ran = nothing_stays(&home, || {
            let decide = |asked: inject::Asked| (!asked.first_caller).then_some(Ok(0));
            inject::answered(exec(&home, UNGUARDED, SCRIPT), &rules, decide).output()
        });
        never_ran(&home, &ran, 125, Stage::Probe, "a host file must not be found by its path");
    });
}

#[test]
fn a_namespace_that_can_still_be_made_stops_the_launch() {
    let rules = [Rule::on(libc::SYS_unshare).asks()];
    for_each_user(|home| {
        let ran = nothing_stays(&home, || {
            let decide = |asked: inject::Asked| (asked.time == 2).then_some(Ok(0));
            inject::answered(exec(&home, UNGUARDED, SCRIPT), &rules, decide).output()
        });
        never_ran(&home, &ran, 125, Stage::ForbidNamespaces, "one could still be made");
    });
}

#[test]
fn with_a_listener_above_and_the_guard_given_up_the_agent_runs() {
    for_each_user(|home| {
        let rules = [Rule::on(libc::SYS_unshare).asks()];
        let ran = inject::answered(exec(&home, UNGUARDED, SCRIPT), &rules, |_| None).output();
        assert_eq!(ran.expect_code(0), "ran\n");
    });
}

#[test]
fn a_command_without_its_interpreter_is_127_and_one_that_may_not_run_is_126() {
    for_each_user(|home| {
        home.write_program("work/lost", "#!/no/such/interpreter\n");
        home.write_program("work/fits", "#!/bin/sh\necho ran\n");
        let run = |flags: &[&str], command: &str| {
            home.aisandbox(&["exec"]).args(flags).args(&["--", command]).output()
        };
        assert_eq!(run(&[], "./fits").expect_code(0), "ran\n");
        let lost = nothing_stays(&home, || run(&[], "./lost"));
        never_ran(&home, &lost, 127, Stage::Exec, "ENOENT");
        let profile =
            "version: 1\nextends: [cowork]\nfilesystem: [{ path: $PWD, access: rw, noexec: true }]\n";
        let profile = home.write("noexec.yaml", profile);
        let refused = nothing_stays(&home, || run(&["--profile", profile.to_str().unwrap()], "./fits"));
        never_ran(&home, &refused, 126, Stage::Exec, "EACCES");
    });
}

#[test]
fn neither_init_nor_the_agent_holds_a_capability_in_any_set() {
    for_each_user(|home| {
        let mut running = exec(&home, &[], "echo ran; sleep 600").start();
        assert_eq!(running.read_line(), "ran");
        assert_ne!(
            capabilities(running.pid()).1,
            (0, 0),
            "the control: the launcher's bounding set is whole"
        );
        let mut inside = processes_with(&home.work().display().to_string());
        inside.retain(|pid| *pid != running.pid());
        assert!(inside.len() >= 2, "init and the agent: {inside:?}");
        for pid in inside {
            assert_eq!(capabilities(pid), (0, (0, 0)), "process {pid}");
        }
    });
}

/// How many capabilities a process has in the three sets that capget(2) tells of, and its bounding and ambient sets.
fn capabilities(pid: i32) -> (usize, (u64, u64)) {
    use caps::CapSet::{Effective, Inheritable, Permitted};
    let sets = [Effective, Inheritable, Permitted].map(|set| caps::read(Some(pid), set).unwrap().len());
    let status = procfs::process::Process::new(pid).unwrap().status().unwrap();
    (sets.iter().sum(), (status.capbnd.unwrap(), status.capamb.unwrap()))
}

/// A listener of the test takes the place of the guard's.
const UNGUARDED: &[&str] = &["--allow-degraded", "protect-new"];

/// The sandbox with a word in its command line by which its processes are found. Its network is no filtered one: roles
/// would be under the same filter, and would stop the launch first.
fn exec(home: &Home, flags: &[&str], script: &str) -> Run {
    let flags: Vec<&str> = ["--net", "loopback"].iter().chain(flags).copied().collect();
    home.sandboxed(&flags, &format!("{script}; : {}", home.work().display()))
}

/// [`SCRIPT`], with that word.
fn script(home: &Home) -> String {
    format!("{SCRIPT}; : {}", home.work().display())
}

/// Runs and compares the host before and after.
fn nothing_stays(home: &Home, run: impl FnOnce() -> Output) -> Output {
    let before = home.listing();
    let output = run();
    assert_eq!(home.listing(), before, "something was left in the home");
    let word = home.work().display().to_string();
    let gone = || processes_with(&word).is_empty();
    assert!(comes_true(support::run::PATIENCE, gone), "left: {:?}", processes_with(&word));
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(&word), "a mount was left: {mounts}");
    output
}

/// No agent ran; the message and the record name the stage and say why.
fn never_ran(home: &Home, ran: &Output, code: i32, stage: Stage, why: &str) {
    assert_eq!(ran.expect_code(code), "", "{stage:?}");
    assert!(!home.work().join("ran").exists(), "{stage:?}: the agent ran");
    ran.expect_said(stage.text());
    ran.expect_said(why);
    let record = home.records().pop().unwrap();
    let last: serde_json::Value = serde_json::from_str(record.lines().last().unwrap()).unwrap();
    assert_eq!(last["event"], "launch_failure", "{record}");
    assert_eq!(last["data"]["stage"], stage.text(), "{record}");
}
