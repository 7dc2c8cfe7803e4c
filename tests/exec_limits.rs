//! Limits: of one process and of the whole sandbox, and what a caller's own limits do to a start.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod support;

use nix::sys::resource::Resource;
use support::run::Run;
use support::{for_each_user, has_program};

#[test]
fn open_files_are_limited() {
    for_each_user(|home| {
        let script = "ulimit -Hn; ulimit -n 100000 2>/dev/null || echo fixed";
        assert_eq!(home.exec(&["--open-files", "64"], script).expect_code(0), "64\nfixed\n");
    });
}

#[test]
fn a_file_cannot_grow_past_its_limit() {
    for_each_user(|home| {
        let script = "trap '' XFSZ; head -c 3000000 /dev/zero > big; stat -c %s big";
        assert_eq!(home.outside(script).expect_code(0), "3000000\n");
        assert_eq!(home.exec(&["--file-size", "1M"], script).expect_code(0), "1048576\n");
    });
}

#[test]
fn no_core_is_dumped() {
    for_each_user(|home| {
        assert_eq!(home.exec(&[], "ulimit -Hc").expect_code(0), "0\n");
    });
}

#[test]
fn a_fork_bomb_ends_at_the_limit() {
    for_each_user(|home| {
        let loop_of =
            |count| format!("n=0; while [ $n -lt {count} ]; do sleep 600 & n=$((n+1)); done; echo all");
        let free = home.exec(&["--pids", "1000"], &loop_of(80));
        assert_eq!(free.expect_code(0), "all\n"); // the control: the same loop under a wide limit
        let bound = home.exec(&["--pids", "40", "-v"], &loop_of(80));
        if home.user.is_root() && bound.stderr().contains("root's processes are not counted") {
            return; // without a cgroup the kernel exempts root, and the launcher says so
        }
        assert!(!bound.stdout().contains("all"), "{bound:?}");
        assert!(bound.code != 0 && bound.code != 125, "{bound:?}");
    });
}

#[test]
fn memory_is_limited() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        let script = "python3 -c 'b = bytearray(400_000_000); print(len(b))'";
        assert_eq!(home.exec(&["--memory", "2G"], script).expect_code(0), "400000000\n");
        let bound = home.exec(&["--memory", "200M"], script);
        assert!(bound.code != 0 && bound.code != 125, "{bound:?}");
        assert_eq!(bound.stdout(), "");
    });
}

#[test]
fn a_variable_that_no_kernel_takes_is_told_and_nothing_runs() {
    for_each_user(|home| {
        // 128 KiB is the most for one string (execve(2)); the profile asks for a longer one than a caller could pass.
        let profile = |length| {
            let value = "z".repeat(length);
            format!("version: 1\nextends: [cowork]\nenvironment:\n  set:\n    LONG: \"{value}\"\n")
        };
        let file = home.write("long.yaml", &profile(131_073));
        let output = home.exec(&["--profile", file.to_str().unwrap()], "echo ran");
        assert_eq!(output.stdout(), "");
        assert!([125, 126].contains(&output.code), "{output:?}");
        output.expect_said("E2BIG");
        home.write("long.yaml", &profile(131_000));
        assert_eq!(home.exec(&["--profile", file.to_str().unwrap()], "echo ran").expect_code(0), "ran\n");
    });
}

#[test]
fn thousands_of_arguments_pass() {
    for_each_user(|home| {
        let many: Vec<String> = (0..20_000).map(|n| format!("argument-{n}")).collect();
        let output = home.sandboxed(&[], "echo $# ${20000}").args(&["x"]).args(&many).output();
        assert_eq!(output.expect_code(0), "20000 argument-19999\n");
    });
}

#[test]
fn too_much_environment_is_told_and_nothing_runs() {
    for_each_user(|home| {
        // A quarter of the stack's limit is the most for all strings: 2 MiB here. Outside and profile have half each.
        let mut profile =
            "version: 1\nextends: [cowork]\nenvironment:\n  keep: [\"OUTER*\"]\n  set:\n".to_owned();
        for number in 0..9 {
            profile.push_str(&format!("    V{number}: \"{}\"\n", "z".repeat(100_000)));
        }
        let file = home.write("much.yaml", &profile);
        let with = |count| {
            let run = home.sandboxed(&["--profile", file.to_str().unwrap()], "echo ran");
            let mut run = run.limit(Resource::RLIMIT_STACK, 8 << 20);
            for number in 0..count {
                run = run.env(&format!("OUTER{number}"), "y".repeat(100_000));
            }
            run.output()
        };
        let output = with(13);
        assert_eq!(output.stdout(), "");
        assert!([125, 126].contains(&output.code), "{output:?}");
        output.expect_said("E2BIG");
        assert_eq!(with(4).expect_code(0), "ran\n");
    });
}

#[test]
fn a_caller_with_few_descriptors_gets_a_run_or_a_clear_refusal() {
    for_each_user(|home| {
        for most in [6, 12, 20, 40, 80, 256] {
            let output = home.sandboxed(&[], "echo ran").limit(Resource::RLIMIT_NOFILE, most).output();
            match output.code {
                0 => assert_eq!(output.stdout(), "ran\n"),
                125 => {
                    assert_eq!(output.stdout(), "", "at {most}");
                    let said = output.stderr();
                    assert!(
                        said.contains("EMFILE") || said.contains("Too many open files"),
                        "at {most}: {said}"
                    );
                }
                _ => panic!("{most} descriptors: {output:?}"),
            }
        }
        let enough = home.sandboxed(&[], "echo ran").limit(Resource::RLIMIT_NOFILE, 1024).output();
        assert_eq!(enough.expect_code(0), "ran\n");
    });
}

#[test]
fn without_room_for_the_record_nothing_runs() {
    for_each_user(|home| {
        // A file may not grow at all: as a full disk, and to be had without one.
        let run = |most| home.sandboxed(&[], "echo ran >&2").limit(Resource::RLIMIT_FSIZE, most).output();
        let output = run(0);
        assert_eq!(output.code, 125, "{output:?}");
        assert!(!output.stderr().contains("ran"), "{output:?}");
        output.expect_said("no record, no run");
        assert!(run(1 << 20).stderr().contains("ran")); // the control
    });
}

#[test]
fn without_a_place_for_the_record_nothing_runs() {
    for_each_user(|home| {
        home.write("work/file", "");
        let state = home.work().join("file");
        let run: Run = home.sandboxed(&[], "echo ran").env("XDG_STATE_HOME", state);
        let output = run.output();
        assert_eq!(output.expect_code(125), "");
        output.expect_said("file");
    });
}

#[test]
fn a_full_disk_under_the_record_stops_the_launch() {
    if !nix::unistd::getuid().is_root() || !has_program("unshare") {
        support::skip("only root can mount a full disk");
        return;
    }
    for_each_user(|home| {
        if !home.user.is_root() {
            return; // the mount is made by root alone; the user's case is the one above, by RLIMIT_FSIZE
        }
        let state = home.make_folder("state");
        let script = "mount -t tmpfs -o size=16k,nr_inodes=100 none \"$1\" && \
                      { head -c 100000 /dev/zero > \"$1/fill\"; \"$2\" exec -- sh -c 'echo ran'; }";
        let run = Run::new(std::path::Path::new("/usr/bin/unshare"), &home);
        let run = run.args(&["-m", "sh", "-c", script, "x"]).args(&[state.as_path(), support::binary()]);
        let output = run.env("XDG_STATE_HOME", &state).output();
        assert_eq!(output.expect_code(125), "");
        output.expect_said("ENOSPC");
    });
}
