//! Protected names in a working folder, by the real binary: what exists cannot change, what does not cannot appear.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod support;

use std::time::Duration;
use support::run::comes_true;
use support::{Home, for_each_user, has_program};

/// Protected names with kind, mode, inode and text.
fn state(home: &Home) -> String {
    let names = ".git .bashrc .envrc .mcp.json .vscode .claude/settings.json";
    let show = "-printf '%p %y %m %i %l\\n' -type f -exec cat {} \\;";
    let script = format!("for name in {names}; do find $name {show} 2>/dev/null; done");
    home.outside(&script).stdout()
}

/// Runs each attempt by itself, outside (it must work) and inside (it must not); both start from the same folder.
fn refused_inside(home: &Home, prepare: &str, attempts: &[&str]) {
    for attempt in attempts {
        let fresh = format!("rm -rf -- * .[!.]* && {{ {prepare}; }}");
        home.outside(&fresh).expect_code(0);
        let before = state(home);
        let outside = home.outside(attempt);
        assert_eq!(outside.code, 0, "the control of {attempt:?}: {}", outside.stderr());
        assert_ne!(state(home), before, "the control of {attempt:?} changed nothing");
        home.outside(&fresh).expect_code(0);
        let before = state(home);
        let inside = home.exec(&[], &format!("{attempt}; code=$?; echo ran; exit $code"));
        assert_eq!(inside.stdout(), "ran\n", "{attempt:?}: {}", inside.stderr());
        assert!(inside.code != 0 && inside.code < 125, "{attempt:?} was not refused: {inside:?}");
        assert_eq!(state(home), before, "{attempt:?} changed something");
    }
}

#[test]
fn what_exists_is_read_only_and_stays_where_it_is() {
    for_each_user(|home| {
        let prepare = "mkdir -p .git/hooks .vscode; echo old > .git/config; echo h > .git/hooks/h; \
                       echo old > .bashrc; echo t > .vscode/tasks.json; echo x > mine";
        let attempts = [
            "echo new > .git/config",
            "echo new >> .git/config",
            "rm .git/config",
            "mv .git/config away",
            "mv mine .git/config",
            "truncate -s 0 .bashrc",
            "chmod 777 .bashrc",
            "ln -f mine .bashrc",
            "echo x > .git/hooks/pre-commit",
            "rm .git/hooks/h",
            "rm -r .git/hooks",
            "mv .git away",
            "mv .git/hooks away",
            "ln .git/config other && echo new > other",
            "echo '{}' > .vscode/tasks.json",
            "mv .vscode away",
        ];
        refused_inside(&home, prepare, &attempts);
    });
}

#[test]
fn what_does_not_exist_cannot_be_made_in_any_way() {
    for_each_user(|home| {
        let prepare = "mkdir -p d/sub other; echo x > mine; echo y > d/config";
        let attempts = [
            "echo x > .bashrc",
            "cp mine .bashrc",
            "mv mine .bashrc",
            "ln mine .bashrc",
            "ln -s mine .bashrc",
            "mkdir .bashrc",
            "mkfifo .bashrc",
            "mkdir .git",
            "mkdir -p .git/hooks",
            "mv d .git",
            "ln -s d .git",
            "echo x > ./other/../.envrc",
            "mv other .vscode",
            "mkdir -p .vscode && echo x > .vscode/tasks.json",
            "mkdir -p .claude && echo x > .claude/settings.json",
            "echo x > .mcp.json",
            "cd other && echo x > ../.mcp.json",
        ];
        refused_inside(&home, prepare, &attempts);
    });
}

#[test]
fn a_link_does_not_lead_around_the_names() {
    for_each_user(|home| {
        let prepare = "mkdir -p sub; ln -s .. sub/up; ln -s . here; ln -s .mcp.json link; echo x > mine";
        let attempts =
            ["echo x > sub/up/.mcp.json", "echo x > here/.mcp.json", "echo x > link", "mv mine here/.bashrc"];
        refused_inside(&home, prepare, &attempts);
    });
}

#[test]
fn everything_else_in_the_folder_works_as_outside() {
    for_each_user(|home| {
        home.make_folder("work/.git/hooks");
        home.write("work/.git/config", "old");
        let script = "echo x > file; mv file moved; ln moved hard; ln -s moved soft; mkdir -p a/b/c; mkfifo pipe; \
                      mv a z; rm -r z; echo x > .gitignore; echo x > .git/index.lock; mv .git/index.lock .git/index; \
                      mkdir .git/refs; echo x > .bashrc.d; mkdir sub; rm pipe hard soft moved; ls -A . .git";
        let (outside, inside) = home.run_both("cowork", script);
        assert_eq!(inside.expect_code(0), outside.expect_code(0));
    });
}

#[test]
fn a_refusal_is_an_error_the_agent_can_read_and_is_on_record() {
    for_each_user(|home| {
        let script = "for n in 1 2 3 4 5; do echo x > .mcp.json; done; mkdir .git; echo ran";
        let inside = home.exec(&[], script);
        assert_eq!(inside.expect_code(0), "ran\n");
        assert_eq!(inside.stderr().matches("Permission denied").count(), 6, "{}", inside.stderr());
        let record = home.records().pop().unwrap();
        let events: Vec<serde_json::Value> =
            record.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of =
            |name: &str| events.iter().filter(|event| event["event"] == name).cloned().collect::<Vec<_>>();
        let denied = of("protected_denied");
        let path = home.work().join(".mcp.json");
        assert!(denied.iter().any(|event| event["data"]["path"] == path.to_str().unwrap()), "{record}");
        assert!(denied.iter().any(|event| event["data"]["call"] == "mkdir"), "{record}");
        let end = &of("run_end")[0]["data"]["denied"];
        assert_eq!(end[path.to_str().unwrap()], 5, "{record}");
    });
}

#[test]
fn nothing_appears_on_the_host_when_the_launcher_is_killed_in_the_middle() {
    for_each_user(|home| {
        home.write("work/mine", "x");
        let before = home.listing();
        let script = "echo ready; while :; do mkdir .git; mv mine .bashrc; ln mine .envrc; mkdir -p .vscode; done 2>/dev/null";
        for wait_ms in [0, 20, 60] {
            let mut run = home.sandboxed(&[], script).start();
            assert_eq!(run.read_line(), "ready");
            std::thread::sleep(Duration::from_millis(wait_ms));
            run.signal(libc::SIGKILL);
            run.finish();
            assert!(comes_true(support::run::PATIENCE, || home.listing() == before), "{:?}", home.listing());
        }
    });
}

#[test]
fn a_program_that_creates_in_parallel_is_served_and_still_refused() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        let text = "import os, threading\nbad = []\ndef work(n):\n    for i in range(100):\n        \
                    open(f'f-{n}-{i}', 'w').close()\n        try:\n            os.mkdir('.git'); bad.append(1)\n        \
                    except PermissionError:\n            pass\n\
                    ts = [threading.Thread(target=work, args=(n,)) for n in range(8)]\n[t.start() for t in ts]\n\
                    [t.join() for t in ts]\nprint(len([f for f in os.listdir() if f.startswith('f-')]), len(bad))\n";
        home.write("work/many.py", text);
        assert_eq!(home.exec(&[], "python3 many.py").expect_code(0), "800 0\n");
        assert!(!home.work().join(".git").exists());
    });
}

#[test]
fn a_folder_that_a_flag_makes_writable_has_the_protection_of_the_profile() {
    for_each_user(|home| {
        home.write("other/.git/config", "old");
        home.write("other/mine", "old");
        let other = home.work().parent().unwrap().join("other");
        let (other, script) = (
            other.to_str().unwrap(),
            format!("cd {}; echo x > mine && echo x >> .git/config; touch .envrc; echo ran", other.display()),
        );
        for flags in [["--rw", other].as_slice(), ["--bind", other, other].as_slice()] {
            let inside = home.exec(flags, &script);
            assert_eq!(inside.stdout(), "ran\n", "{}", inside.stderr());
            let read = |name: &str| std::fs::read_to_string(format!("{other}/{name}")).ok();
            assert_eq!(read("mine").as_deref(), Some("x\n"), "the control: it is writable");
            assert_eq!((read(".git/config").as_deref(), read(".envrc")), (Some("old"), None));
        }
    });
}
