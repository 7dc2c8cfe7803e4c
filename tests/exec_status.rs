//! Exit codes of `exec`, what is said when nothing ran, and that nothing is left behind then.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod support;

use support::{for_each_user, has_program};

#[test]
fn the_exit_code_is_the_commands_own() {
    for_each_user(|home| {
        for code in [0, 1, 42, 124, 125, 126, 127, 255] {
            assert_eq!(home.exec(&[], &format!("exit {code}")).code, code);
        }
    });
}

#[test]
fn a_signal_that_ends_the_command_comes_back_as_128_and_its_number() {
    for_each_user(|home| {
        for (name, number) in [("TERM", 15), ("KILL", 9), ("SEGV", 11), ("INT", 2), ("PIPE", 13)] {
            assert_eq!(home.exec(&[], &format!("kill -{name} $$; sleep 5")).code, 128 + number, "{name}");
        }
    });
}

#[test]
fn a_command_that_is_nowhere_gives_127_and_says_which() {
    for_each_user(|home| {
        for name in ["no-such-program", "/usr/bin/no-such-program", "./none"] {
            let output = home.aisandbox(&["exec", "--", name]).output();
            assert_eq!(output.expect_code(127), "");
            output.expect_said(name);
            assert!(
                !output.stderr().contains("hint: this program exists on the host"),
                "{}",
                output.stderr()
            );
        }
    });
}

#[test]
fn a_command_that_only_the_host_has_gives_127_with_a_way_out() {
    for_each_user(|home| {
        let program = home.write_program("tools/only-here", "#!/bin/sh\necho ran\n");
        let path = program.to_str().unwrap();
        assert_eq!(home.outside(path).expect_code(0), "ran\n");
        let output = home.aisandbox(&["exec", "--", path]).output();
        assert_eq!(output.expect_code(127), "");
        output.expect_said("only-here");
        output.expect_said("hint: ");
        output.expect_said("--ro");
        let folder = home.join("tools");
        let shown = home.aisandbox(&["exec", "--ro", folder.to_str().unwrap(), "--", path]).output();
        assert_eq!(shown.expect_code(0), "ran\n"); // the way out works
    });
}

#[test]
fn a_program_on_path_that_only_the_host_has_gives_127_with_the_same_way_out() {
    for_each_user(|home| {
        home.write_program("tools/only-here", "#!/bin/sh\necho ran\n");
        let path = format!("{}:{}", home.join("tools").display(), support::PATH);
        let output = home.aisandbox(&["exec", "--", "only-here"]).env("PATH", path).output();
        assert_eq!(output.expect_code(127), "");
        output.expect_said("hint: ");
        output.expect_said("tools");
    });
}

#[test]
fn a_command_that_cannot_be_executed_gives_126() {
    for_each_user(|home| {
        home.write("work/data", "text\n");
        home.make_folder("work/folder");
        for name in ["./data", "./folder", "/usr"] {
            let output = home.aisandbox(&["exec", "--", name]).output();
            assert_eq!(output.expect_code(126), "", "{name}");
            output.expect_said(name.trim_start_matches("./"));
        }
    });
}

#[test]
fn a_script_with_a_missing_interpreter_gives_127_and_a_hint() {
    for_each_user(|home| {
        home.write_program("work/script", "#!/no/such/interpreter\n");
        let output = home.aisandbox(&["exec", "--", "./script"]).output();
        output.expect_code(127);
        output.expect_said("hint: ");
    });
}

#[test]
fn a_script_without_a_first_line_runs_in_a_shell_as_it_does_from_one() {
    for_each_user(|home| {
        home.write_program("work/script", "echo shell $1\n");
        assert_eq!(home.outside("./script x").expect_code(0), "shell x\n");
        assert_eq!(home.aisandbox(&["exec", "--", "./script", "x"]).output().expect_code(0), "shell x\n");
    });
}

#[test]
fn every_error_of_a_profile_is_told_at_once_with_its_line() {
    for_each_user(|home| {
        let profile = "version: 1\nextends: [base]\nfilesystem:\n  - { path: $PWD, acces: rw }\n  \
                       - { path: relative, access: ro }\nnetwork: { mode: wide }\nlimits: { memory: lots }\n";
        let file = home.write("work/bad.yaml", profile);
        let before = home.listing();
        let output = home.exec(&["--profile", file.to_str().unwrap()], "touch started");
        assert_eq!(output.expect_code(125), "");
        for line in ["bad.yaml:4", "bad.yaml:5", "bad.yaml:6", "bad.yaml:7"] {
            output.expect_said(line);
        }
        output.expect_said("`access`"); // the nearest known key
        assert_eq!(home.listing(), before);
    });
}

#[test]
fn a_mistake_on_the_command_line_gives_125_and_runs_nothing() {
    for_each_user(|home| {
        let long = "a".repeat(65);
        let wrong: [&[&str]; 11] = [
            &["--pids", "0"],
            &["--open-files", "0"],
            &["--hostname", &long],
            &["--hostname", ""],
            &["--env", "=x"],
            &["--env", "A*"],
            &["--no-such-flag"],
            &["--net", "sideways"],
            &["--memory", "many"],
            &["--timeout", "soon"],
            &["--profile", "no-such-profile"],
        ];
        for flags in wrong {
            let output = home.exec(flags, "echo ran");
            assert_eq!(output.expect_code(125), "", "{flags:?}");
            assert!(!output.stderr.is_empty());
        }
        home.aisandbox(&["exec"]).output().expect_code(125);
        assert_eq!(home.exec(&[], "echo ran").expect_code(0), "ran\n");
    });
}

#[test]
fn a_missing_path_is_told_with_its_line_and_the_way_to_make_it_optional() {
    for_each_user(|home| {
        let entry = "{ path: ~/absent, access: ro }";
        let file =
            home.write("work/p.yaml", &format!("version: 1\nextends: [cowork]\nfilesystem:\n  - {entry}\n"));
        let before = home.listing();
        let output = home.exec(&["-p", file.to_str().unwrap()], "echo ran");
        assert_eq!(output.expect_code(125), "");
        output.expect_said("p.yaml:4");
        output.expect_said("absent");
        output.expect_said("optional");
        assert_eq!(home.listing(), before); // nothing was created for it
        let optional = entry.replace(" }", ", optional: true }");
        let text = format!("version: 1\nextends: [cowork]\nfilesystem:\n  - {optional}\n");
        home.write("work/p.yaml", &text);
        assert_eq!(home.exec(&["-p", file.to_str().unwrap()], "echo ran").expect_code(0), "ran\n");
    });
}

#[test]
fn a_missing_path_of_a_flag_is_told_with_what_a_flag_can_do() {
    for_each_user(|home| {
        let output = home.exec(&["--ro", "/no/such/path"], "echo ran");
        assert_eq!(output.expect_code(125), "");
        output.expect_said("leave the flag out");
        assert!(!output.stderr().contains("optional"), "{}", output.stderr());
        let lost = home.aisandbox(&["exec", "--", "./lost"]).output();
        lost.expect_code(127);
        assert!(!lost.stderr().contains("PATH"), "{}", lost.stderr()); // it was not looked for there
    });
}

#[test]
fn two_dashes_end_the_options_and_everything_after_the_command_is_its_own() {
    for_each_user(|home| {
        let say = "printf '[%s]' \"$@\"";
        let with =
            home.aisandbox(&["exec", "--", "sh", "-c", say, "x", "--ro", "/", "--", "--help"]).output();
        assert_eq!(with.expect_code(0), "[--ro][/][--][--help]");
        let without = home.aisandbox(&["exec", "sh", "-c", say, "x", "--version", "-q"]).output();
        assert_eq!(without.expect_code(0), "[--version][-q]");
        home.write_program("work/--net", "#!/bin/sh\necho odd name\n");
        let path = format!("{}:{}", home.work().display(), support::PATH);
        let odd = home.aisandbox(&["exec", "--", "--net"]).env("PATH", path).output();
        assert_eq!(odd.expect_code(0), "odd name\n");
    });
}

#[test]
fn arguments_arrive_byte_for_byte() {
    use std::os::unix::ffi::OsStrExt;
    if !has_program("od") {
        return;
    }
    for_each_user(|home| {
        let odd = std::ffi::OsStr::from_bytes(b"\xff\xfe \n\t'\"$\\ \xc3\xa9");
        let run =
            home.sandboxed(&[], "printf %s \"$1\" | od -An -tx1 | tr -d ' \\n'").args(&["x"]).args(&[odd]);
        assert_eq!(run.output().expect_code(0), "fffe200a092722245c20c3a9");
        let empty = home.sandboxed(&[], "echo $# \"[$2]\"").args(&["x", "a", "", "c"]).output();
        assert_eq!(empty.expect_code(0), "3 []\n");
    });
}

#[test]
fn nothing_is_left_behind_when_nothing_ran() {
    for_each_user(|home| {
        let before = home.listing();
        for command in ["no-such-program", "/usr"] {
            home.aisandbox(&["exec", "--", command]).output();
        }
        home.exec(&["--ro", "/no/such/path"], "true").expect_code(125);
        home.exec(&["--bind", "/no/such/path", "/elsewhere"], "true").expect_code(125);
        home.exec(&["--chdir", "/no/such/folder"], "true").expect_code(125);
        home.exec(&["--hostname", &"x".repeat(100)], "true").expect_code(125);
        assert_eq!(home.listing(), before);
        let lacking = home.records().into_iter().filter(|text| !text.contains("launch_failure")).count();
        assert_eq!(lacking, 0, "{:?}", home.records()); // what began and failed is on record
    });
}
