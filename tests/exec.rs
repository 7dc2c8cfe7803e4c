//! `exec`: what a command gets and what comes back, seen from a shell.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod support;

use std::fs::File;
use std::io::Read;
use support::for_each_user;

#[test]
fn an_agent_cannot_read_a_key_outside_its_binds() {
    for_each_user(|home| {
        let home = home.with(".ssh/id_work", "secret"); // id_ed25519 is a decoy inside
        let (outside, inside) = home.run_both("cowork", "echo ran; cat ~/.ssh/id_work");
        assert_eq!(outside.expect_code(0), "ran\nsecret"); // the control: nothing else forbids it
        assert_eq!(inside.expect_code(1), "ran\n"); // it did run, and read nothing
    });
}

#[test]
fn the_ids_inside_are_the_callers_and_no_group_comes_along() {
    for_each_user(|home| {
        let uid = home.user.uid;
        let gid = nix::unistd::getgid().as_raw();
        let gid = if home.user.become_it { uid } else { gid };
        let inside = home
            .exec(&[], "id -u; id -g; grep -E '^(CapEff|CapPrm|CapBnd|CapAmb|NoNewPrivs)' /proc/self/status");
        let none = "0000000000000000";
        let expected = format!(
            "{uid}\n{gid}\nCapPrm:\t{none}\nCapEff:\t{none}\nCapBnd:\t{none}\nCapAmb:\t{none}\nNoNewPrivs:\t1\n"
        );
        assert_eq!(inside.expect_code(0), expected);
    });
}

#[test]
fn stdin_reaches_the_command_from_a_pipe_and_ends() {
    for_each_user(|home| {
        let text = "line\n".repeat(50_000);
        let count = home.sandboxed(&[], "wc -c").input(text.as_bytes()).output();
        assert_eq!(count.expect_code(0).trim(), "250000");
    });
}

#[test]
fn a_closed_standard_descriptor_is_harmless() {
    for_each_user(|home| {
        let script = "cat; echo out; echo err >&2; exit 7";
        assert_eq!(home.sandboxed(&[], script).closed(&[0]).output().code, 7);
        let no_output = home.sandboxed(&[], script).closed(&[1]).output();
        assert!(no_output.code == 7 && no_output.stderr().contains("err"), "{no_output:?}");
        assert_eq!(home.sandboxed(&[], script).closed(&[2]).output().expect_code(7), "out\n");
        assert_eq!(home.sandboxed(&[], script).closed(&[0, 1, 2]).output().code, 7);
        // Nothing of ours may have slipped into the free numbers, where an agent would talk to it.
        let open = home
            .sandboxed(&[], "exec 3>&1; readlink /proc/$$/fd/0 /proc/$$/fd/3 >&2")
            .closed(&[0, 1])
            .output();
        assert!(["/dev/null\n/dev/null\n", ""].contains(&open.stderr().as_str()), "{open:?}");
    });
}

#[test]
fn the_two_output_streams_stay_apart() {
    for_each_user(|home| {
        let output = home.exec(&[], "echo out; echo err >&2");
        assert_eq!((output.stdout(), output.stderr()), ("out\n".into(), "err\n".into()));
    });
}

#[test]
fn only_named_variables_pass() {
    for_each_user(|home| {
        let caller = |flags: &[&str]| {
            // With a filtered network there are more, which name the session's authority.
            let flags: Vec<&str> = ["--net", "loopback"].iter().chain(flags).copied().collect();
            let run = home.sandboxed(&flags, "env | cut -d= -f1 | sort | tr '\\n' ' '");
            let run =
                run.env("AWS_SECRET_ACCESS_KEY", "k").env("SSH_AUTH_SOCK", "/run/s").env("LD_PRELOAD", "");
            run.env("LC_TIME", "C").env("MINE", "1").output().expect_code(0)
        };
        let common = "AISANDBOX_RUN GOMODCACHE GOPROXY HOME LANG LC_TIME LOGNAME ";
        assert_eq!(caller(&[]), format!("{common}PATH PWD TERM TMPDIR USER "));
        assert_eq!(caller(&["--env", "MINE"]), format!("{common}MINE PATH PWD TERM TMPDIR USER "));
        assert_eq!(caller(&["--unset-env", "TERM"]), format!("{common}PATH PWD TMPDIR USER "));
        // What a shell adds by itself (PWD) is there in any case.
        let bare = caller(&["--clear-env", "--env", "A=1", "--env", "PATH=/usr/bin:/bin"]);
        assert_eq!(bare, "A AISANDBOX_RUN HOME PATH PWD ");
    });
}

#[test]
fn a_variable_of_the_command_line_wins_and_may_hold_anything() {
    for_each_user(|home| {
        let flags = ["--env", "TERM=a=b c", "--env", "EMPTY=", "--env", "MINE", "--env", "ABSENT"];
        let script = "echo \"$TERM/$EMPTY/$MINE/${ABSENT-unset}\"";
        let output = home.sandboxed(&flags, script).env("MINE", "from outside").output();
        assert_eq!(output.expect_code(0), "a=b c//from outside/unset\n");
        let home_too = home.exec(&["--clear-env", "--env", "HOME=/tmp"], "echo $HOME");
        assert_eq!(home_too.expect_code(0), "/tmp\n");
    });
}

#[test]
fn the_command_starts_in_the_callers_folder_or_where_it_is_told_to() {
    for_each_user(|home| {
        home.make_folder("work/below");
        let work = home.work();
        assert_eq!(home.exec(&[], "pwd").expect_code(0), format!("{}\n", work.display()));
        assert_eq!(home.exec(&["--chdir", "/usr"], "pwd").expect_code(0), "/usr\n");
        let below = home.exec(&["-C", "below"], "pwd; echo $PWD").expect_code(0);
        assert_eq!(below, format!("{0}\n{0}\n", work.join("below").display()));
    });
}

#[test]
fn the_umask_stays_the_callers() {
    for_each_user(|home| {
        for mask in [0o022, 0o077, 0o000] {
            let name = format!("made-{mask:o}");
            home.sandboxed(&[], &format!("umask; mkdir {name}")).umask(mask).output().expect_code(0);
            let mode = std::fs::metadata(home.work().join(name)).unwrap();
            assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o777 & !mask);
        }
    });
}

#[test]
fn the_host_name_is_the_profiles_or_the_flags() {
    for_each_user(|home| {
        assert_eq!(home.exec(&[], "uname -n").expect_code(0), "aisandbox\n");
        assert_eq!(home.exec(&["--hostname", "elsewhere"], "uname -n").expect_code(0), "elsewhere\n");
    });
}

#[test]
fn inherited_descriptors_end_at_the_launcher_unless_they_are_passed() {
    for_each_user(|home| {
        let file = home.write("notes", "from outside");
        let open = || File::open(&file).unwrap().into();
        let script = "ls /proc/self/fd | tr '\\n' ' '; cat <&9";
        // A guarded run has one more: its door.
        let leaked = home.sandboxed(&["--net", "loopback"], script).descriptor(9, open()).output();
        assert_eq!(leaked.stdout(), "0 1 2 3 "); // 3 is the folder that ls reads
        assert_ne!(leaked.code, 0);
        let passed = home.sandboxed(&["--pass-fd", "9"], "cat <&9").descriptor(9, open()).output();
        assert_eq!(passed.expect_code(0), "from outside");
        let absent = home.exec(&["--pass-fd", "9"], "echo ran");
        assert_eq!(absent.expect_code(125), "");
        absent.expect_said("9");
    });
}

#[test]
fn status_and_info_are_written_as_bubblewrap_writes_them() {
    for_each_user(|home| {
        let (mut status, status_in) = std::io::pipe().unwrap();
        let (mut info, info_in) = std::io::pipe().unwrap();
        let flags = ["--json-status-fd", "7", "--info-fd", "8"];
        let run = home.sandboxed(&flags, "cd /proc/self/ns && readlink cgroup ipc mnt net pid uts; exit 9");
        let output = run.descriptor(7, status_in.into()).descriptor(8, info_in.into()).output();
        let inside = output.expect_code(9);
        let (mut lines, mut about) = (String::new(), String::new());
        status.read_to_string(&mut lines).unwrap();
        info.read_to_string(&mut about).unwrap();
        let lines: Vec<serde_json::Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0]["child-pid"].as_i64().unwrap() > 0);
        assert_eq!(lines[1], serde_json::json!({ "exit-code": 9 }));
        let about: serde_json::Value = serde_json::from_str(&about).unwrap();
        assert_eq!(about["child-pid"], lines[0]["child-pid"]);
        let names = ["cgroup", "ipc", "mnt", "net", "pid", "uts"];
        let expected =
            names.map(|name| format!("{name}:[{}]\n", about[format!("{name}-namespace")])).concat();
        assert_eq!(inside, expected);
    });
}

#[test]
fn one_descriptor_for_status_and_info_is_refused() {
    for_each_user(|home| {
        let open = || File::create("/dev/null").unwrap().into();
        let flags = ["--json-status-fd", "7", "--info-fd", "7"];
        let both = home.sandboxed(&flags, "echo ran").descriptor(7, open()).output();
        assert_eq!(both.expect_code(125), "");
        both.expect_said("--info-fd");
        let one = home.sandboxed(&["--info-fd", "7"], "echo ran").descriptor(7, open()).output();
        assert_eq!(one.expect_code(0), "ran\n");
    });
}

#[test]
fn a_status_descriptor_says_nothing_of_a_command_that_never_ran() {
    for_each_user(|home| {
        let (mut status, status_in) = std::io::pipe().unwrap();
        let run = home.aisandbox(&["exec", "--json-status-fd", "7", "--ro", "/no/such/path", "--", "true"]);
        run.descriptor(7, status_in.into()).output().expect_code(125);
        let mut lines = String::new();
        status.read_to_string(&mut lines).unwrap();
        assert_eq!(lines, "");
    });
}

#[test]
fn explain_on_the_command_line_starts_nothing() {
    for_each_user(|home| {
        let before = home.listing();
        let output = home.exec(&["--explain"], "touch started");
        assert!(output.expect_code(0).contains("/usr"));
        assert_eq!(home.listing(), before);
    });
}
