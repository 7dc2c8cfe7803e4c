//! Real runs and their folders: found while they live, gone afterwards, and never seen from inside.

use crate::support::run::{Started, comes_true};
use crate::support::{Home, for_each_user, has_program};
use crate::{ask, json, runtime};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(20);

/// A run that lives until its stdin is closed, found by its state.
fn live(home: &Home, runtime: Option<&Path>) -> Started {
    // A run with a filtered network is guarded; this one is not.
    let mut run = home.sandboxed(&["--net", "loopback"], "echo begun; read wait; echo ended");
    if let Some(runtime) = runtime {
        run = run.env("XDG_RUNTIME_DIR", runtime);
    }
    run.command.stdin(std::process::Stdio::piped());
    let mut started = run.start();
    assert_eq!(started.read_line(), "begun");
    started
}

/// The folders in a place, without the empty one that is kept on a disk for the next run.
fn folders(place: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(place) else { return Vec::new() };
    let all = entries.map(|entry| entry.unwrap().path());
    all.filter(|path| !path.ends_with(".spare") || fs::read_dir(path).unwrap().count() > 0).collect()
}

fn shown(place: &Path) -> bool {
    comes_true(LONG, || folders(place).iter().any(|run| run.join("state.json").exists()))
}

#[test]
fn a_run_is_listed_while_it_lives_and_leaves_nothing() {
    for_each_user(|home| {
        let runtime = runtime(&home);
        let fallback = home.join(".local/state/aisandbox/sessions");
        for (place, given) in [(runtime.join("aisandbox"), Some(runtime.as_path())), (fallback, None)] {
            let mut run = live(&home, given);
            assert!(shown(&place));
            let ps = |words: &[&str]| {
                let ps = home.aisandbox(words);
                if let Some(given) = given { ps.env("XDG_RUNTIME_DIR", given).output() } else { ps.output() }
            };
            let listed = json(&ps(&["ps", "--json"]));
            let one = &listed.as_array().unwrap()[0];
            assert_eq!(one["profile"], "cowork");
            assert_eq!(one["command"][2], "echo begun; read wait; echo ended");
            assert_eq!(one["launcher"], run.pid());
            assert_eq!(one["guarded"], false);
            let id = one["run"].as_str().unwrap();
            assert!(ps(&["ps"]).expect_code(0).contains(id));
            let asked = ps(&["grant", id, "/etc/hosts", "--read"]);
            asked.expect_code(1);
            asked.expect_said("it has no Guardian");
            run.finish().expect_code(0);
            assert_eq!(folders(&place), Vec::<PathBuf>::new());
            assert_eq!(ps(&["ps"]).expect_code(0), "no run lives\n");
        }
    });
}

#[test]
fn a_run_that_failed_leaves_nothing_either() {
    for_each_user(|home| {
        let runtime = runtime(&home);
        for words in [
            &["exec", "--", "no-such-program"][..],
            &["exec", "--ro", "/no/such/place", "--", "true"],
            &["exec", "--", "/etc/hosts"],
        ] {
            let failed = ask(&home, words);
            assert!(matches!(failed.code, 125..=127), "{words:?}: {failed:?}");
            assert_eq!(folders(&runtime.join("aisandbox")), Vec::<PathBuf>::new(), "{words:?}");
        }
    });
}

#[test]
fn the_folder_of_a_killed_launcher_is_removed_by_the_next_ps_or_exec() {
    for_each_user(|home| {
        let runtime = runtime(&home);
        let place = runtime.join("aisandbox");
        for next in [&["ps"][..], &["exec", "--", "true"]] {
            let mut run = live(&home, Some(&runtime));
            assert!(shown(&place));
            let init = json(&ask(&home, &["ps", "--json"]))[0]["init"].as_i64().unwrap();
            run.child.kill().unwrap();
            run.child.wait().unwrap();
            // init ends with its launcher; what it held of it is then free.
            assert!(comes_true(LONG, || !Path::new(&format!("/proc/{init}")).exists()));
            assert_eq!(folders(&place).len(), 1, "it was left behind");
            ask(&home, next).expect_code(0);
            assert_eq!(folders(&place), Vec::<PathBuf>::new(), "{next:?}");
        }
    });
}

#[test]
fn nothing_inside_sees_the_folder_of_its_run() {
    for_each_user(|home| {
        let runtime = runtime(&home);
        home.write("runtime/bus", "not a socket");
        let shown = runtime.to_str().unwrap();
        let look = format!("ls -A {shown} {shown}/aisandbox; touch {shown}/aisandbox/new 2>&1; echo ran");
        let link = home.join("link");
        std::os::unix::fs::symlink(&runtime, &link).unwrap();
        for flags in [vec!["--ro", shown], vec!["--rw", shown], vec!["--ro", home.path().to_str().unwrap()]] {
            let run = home.sandboxed(&flags, &look).env("XDG_RUNTIME_DIR", &runtime).output();
            let said = run.stdout();
            assert!(said.contains("bus") && said.ends_with("ran\n"), "it did look: {run:?}");
            // A run's name is its time first, so it begins with 01; the place of this test may hold those digits too.
            assert!(!said.lines().any(|line| line.starts_with("01")), "{flags:?}: {said}");
        }
        let linked = ["--ro-bind", link.to_str().unwrap(), "/data"];
        let run = home.sandboxed(&linked, "ls -A /data /data/aisandbox").env("XDG_RUNTIME_DIR", &runtime);
        assert_eq!(run.output().expect_code(0), "/data:\naisandbox\nbus\n\n/data/aisandbox:\n");
        // The control: outside, the same folder shows a run.
        let mut other = live(&home, Some(&runtime));
        assert!(home.outside(&format!("ls -A {shown}/aisandbox")).stdout().starts_with("01"));
        other.finish().expect_code(0);
    });
}

#[test]
fn an_entry_that_is_such_a_folder_is_refused() {
    for_each_user(|home| {
        let runtime = runtime(&home);
        let mut run = live(&home, Some(&runtime));
        let place = runtime.join("aisandbox");
        let own = folders(&place)[0].clone();
        for path in [place, own.clone(), own.join("lock")] {
            let refused = ask(&home, &["exec", "--ro", path.to_str().unwrap(), "--", "true"]);
            refused.expect_code(125);
            refused.expect_said("by which this user's runs are controlled");
        }
        run.finish().expect_code(0);
    });
}

#[test]
fn the_fallback_place_in_a_shown_home_is_covered_too() {
    for_each_user(|home| {
        let mut other = live(&home, None);
        let place = ".local/state/aisandbox/sessions";
        assert!(shown(&home.join(place)), "the control");
        let whole = home.path();
        let flags = ["--ro", whole.to_str().unwrap()];
        let script = format!("cd; ls -A {place}; ls .local/state/aisandbox; echo ran");
        assert_eq!(home.exec(&flags, &script).expect_code(0), "device\nkeys\nruns\nsessions\nran\n");
        other.finish().expect_code(0);
    });
}

#[test]
fn a_place_that_is_not_ours_stops_the_launch_and_is_not_changed() {
    for_each_user(|home| {
        let runtime = runtime(&home);
        let place = runtime.join("aisandbox");
        let elsewhere = home.make_folder("elsewhere");
        std::os::unix::fs::symlink(&elsewhere, &place).unwrap();
        let refused = ask(&home, &["exec", "--", "true"]);
        refused.expect_code(125);
        refused.expect_said("is no folder, or a link to one");
        let told = ask(&home, &["ps"]);
        assert_eq!(told.expect_code(0), "no run lives\n");
        told.expect_said("is no folder, or a link to one");
        assert_eq!(folders(&elsewhere), Vec::<PathBuf>::new());
        fs::remove_file(&place).unwrap();
        home.make_folder("runtime/aisandbox"); // mode 0755
        let refused = ask(&home, &["exec", "--", "true"]);
        refused.expect_code(125);
        refused.expect_said("is open to others (mode 0755)");
    });
}

#[test]
fn a_runtime_folder_of_somebody_else_is_not_used() {
    for_each_user(|home| {
        let open = home.make_folder("open");
        fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        let run = home.sandboxed(&[], "echo ran").env("XDG_RUNTIME_DIR", &open).output();
        assert_eq!(run.expect_code(0), "ran\n");
        assert_eq!(folders(&open), Vec::<PathBuf>::new());
        assert!(home.join(".local/state/aisandbox/sessions").exists());
    });
}

#[test]
fn a_person_s_command_inside_a_sandbox_says_so() {
    for_each_user(|home| {
        let program = crate::support::binary().to_str().unwrap();
        let script = format!("{program} ps; echo $?; {program} approve X; echo $?");
        let run = home.sandboxed(&["--ro", program], &script).env("XDG_RUNTIME_DIR", runtime(&home)).output();
        assert_eq!(run.expect_code(0), "1\n1\n", "{}", run.stderr());
        run.expect_said("this is inside a sandbox, where only its agent speaks");
    });
}

#[test]
fn a_program_inside_a_sandbox_is_not_taken_for_the_person() {
    for_each_user(|home| {
        if !has_program("python3") {
            return;
        }
        let stand_in = crate::stand_in::StandIn::start(&home, crate::stand_in::Manner::Does, &[]);
        let connect = "python3 -c 'import socket\n\
                       s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n\
                       s.connect(\"also\"); s.recv(1); print(\"connected\")'";
        assert_eq!(home.outside(connect).expect_code(0), "connected\n");
        assert!(stand_in.said("the person"), "the control");
        assert_eq!(home.exec(&[], connect).expect_code(0), "connected\n");
        assert!(stand_in.said("the program that connected is inside a sandbox or container"));
    });
}
