//! Where `exec` is started from: odd folders, links, homes; several at once; one inside another.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod support;

use std::io::Read;
use std::os::unix::fs::symlink;
use support::{for_each_user, has_program};

#[test]
fn a_folder_with_an_odd_name_is_a_working_folder_like_any_other() {
    for_each_user(|home| {
        for name in ["a b", "quo'te\"s", "$HOME", "{x: y}", "é", "-dash", "#hash", "~"] {
            let folder = home.make_folder(&format!("work/{name}"));
            let run = home.sandboxed(&[], "pwd; echo x > made; echo x > .mcp.json").folder(&folder);
            let output = run.output();
            assert_eq!(output.stdout(), format!("{}\n", folder.display()));
            assert!(folder.join("made").exists() && !folder.join(".mcp.json").exists(), "{name}");
        }
    });
}

#[test]
fn a_link_to_the_working_folder_leads_to_the_real_one() {
    for_each_user(|home| {
        symlink(home.work(), home.beside("link")).unwrap();
        let run = home.sandboxed(&[], "pwd -P; echo x > made").folder(home.beside("link"));
        assert_eq!(run.output().expect_code(0), format!("{}\n", home.work().display()));
        assert!(home.work().join("made").exists());
    });
}

#[test]
fn a_path_of_the_command_line_may_climb_from_the_real_working_folder() {
    for_each_user(|home| {
        home.write("specs/text", "from beside\n");
        symlink(home.work(), home.beside("link")).unwrap();
        let shown = home.sandboxed(&["--ro", "../specs"], "cat ../specs/text").folder(home.beside("link"));
        assert_eq!(shown.output().expect_code(0), "from beside\n");
        assert_ne!(home.exec(&[], "cat ../specs/text").code, 0); // the control: nothing else shows it
        let behind = home.exec(&["--ro", "a/../../specs"], "echo ran");
        assert_eq!(behind.expect_code(125), "");
        behind.expect_said("`..`");
    });
}

#[test]
fn a_folder_that_would_open_everything_is_refused() {
    for_each_user(|home| {
        for folder in [home.path(), "/".into(), "/usr".into(), "/etc".into(), home.beside("")] {
            let output = home.sandboxed(&[], "echo ran").folder(&folder).output();
            assert_eq!(output.expect_code(125), "", "{folder:?}");
            output.expect_said("$PWD");
            output.expect_said("hint: ");
        }
    });
}

#[test]
fn a_folder_that_is_gone_is_told() {
    for_each_user(|home| {
        let script = "mkdir gone && cd gone && rmdir ../gone && \"$0\" exec -- echo ran";
        let run = support::run::Run::new(std::path::Path::new("/bin/sh"), &home);
        let output = run.args(&["-c", script]).args(&[support::binary()]).output();
        assert_eq!(output.expect_code(125), "");
        output.expect_said("working folder");
    });
}

#[test]
fn without_a_home_variable_there_is_still_a_private_home() {
    for_each_user(|home| {
        let mut run = home
            .sandboxed(&["--net", "loopback"], "ls -A \"$HOME\"; echo x > \"$HOME/file\" && echo private");
        run.command.env("HOME", home.beside("absent")).env("XDG_STATE_HOME", home.join("state"));
        assert_eq!(run.output().expect_code(0), "private\n");
        let mut run = home.sandboxed(&[], "echo ran");
        run.command.env_remove("HOME").env("XDG_STATE_HOME", home.join("state"));
        let output = run.output();
        assert!(output.stdout() == "ran\n" || output.code == 125, "{output:?}"); // by the password file, or told
    });
}

#[test]
fn a_reader_that_goes_away_ends_the_command_as_in_any_pipe() {
    for_each_user(|home| {
        let (mut read, write) = std::io::pipe().unwrap();
        let mut run = home.aisandbox(&["exec", "--", "yes"]).descriptor(1, write.into()).start();
        read.read_exact(&mut [0; 2]).unwrap();
        drop(read);
        run.finish().expect_code(128 + libc::SIGPIPE);
    });
}

#[test]
fn many_bytes_pass_both_ways_unchanged() {
    for_each_user(|home| {
        let bytes: Vec<u8> =
            (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        assert_eq!(home.sandboxed(&[], "cat").input(&bytes).output().stdout, bytes);
    });
}

#[test]
fn several_sandboxes_work_in_one_folder_at_once_and_each_has_its_record() {
    for_each_user(|home| {
        let script = "mktemp ./made-XXXXXX > name; sleep 0.2; uname -n; n=0; for p in /proc/[0-9]*; do n=$((n+1)); done; echo $n";
        let mut runs: Vec<_> = (0..12).map(|_| home.sandboxed(&[], script).start()).collect();
        for run in &mut runs {
            assert_eq!(run.finish().expect_code(0), "aisandbox\n2\n"); // init and sh, nobody else's
        }
        let records = home.records();
        assert_eq!(records.len(), 12);
        assert!(records.iter().all(|record| record.contains("run_end")), "{records:?}");
        let made = std::fs::read_dir(home.work())
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("made-"));
        assert_eq!(made.count(), 12);
    });
}

#[test]
fn a_sandbox_inside_a_sandbox_is_refused_with_a_reason() {
    for_each_user(|home| {
        let binary = support::binary().to_str().unwrap();
        let version = home.aisandbox(&["exec", "--ro", binary, "--", binary, "--version"]).output();
        version.expect_code(0); // it is there and runs
        let nested = home
            .aisandbox(&["exec", "--ro", binary, "--", binary, "exec", "-p", "base", "--", "true"])
            .output();
        nested.expect_code(125);
        nested.expect_said("hint: ");
    });
}

#[test]
fn a_protected_folder_says_busy_when_its_parent_is_to_be_renamed() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        home.write("work/.git/config", "old");
        let script = "/usr/bin/python3 -c 'import os\ntry:\n    os.rename(\".git\", \"away\")\n    print(\"renamed\")\nexcept OSError as e:\n    print(e.errno)'";
        assert_eq!(home.exec(&[], script).expect_code(0), format!("{}\n", libc::EBUSY));
        assert_eq!(home.outside(script).expect_code(0), "renamed\n");
    });
}
