//! What each level promises, and what it is silent about.

use crate::support::{Home, for_each_user, has_program};
use crate::{events, has, run, run_with, seen};

const SCRIPT: &str = "echo text > made; cat there; echo more >> made; mv made moved; mkdir d; rm moved; \
                      chmod 600 there; /bin/true; cat /nothing/there 2>/dev/null; touch .bashrc 2>/dev/null; true";

/// What the record says of its own level.
fn level(home: &Home) -> String {
    let all = events(home);
    let start = all.iter().find(|(event, _)| event == "run_start").unwrap();
    start.1["coverage"]["level"].as_str().unwrap().to_owned()
}

fn home_with(home: Home) -> Home {
    home.with("work/there", "there\n")
}

#[test]
fn deny_observes_no_call() {
    for_each_user(|home| {
        let home = home_with(home);
        assert_eq!(run(&home, "deny", SCRIPT).expect_code(0), "there\n");
        assert!(seen(&home).is_empty());
        let all = events(&home);
        assert!(all.iter().any(|(event, _)| event == "protected_denied"), "{all:?}");
        assert_eq!(level(&home), "deny");
    });
}

#[test]
fn writes_observes_every_change_and_every_program_but_no_read() {
    for_each_user(|home| {
        let home = home_with(home);
        assert_eq!(run(&home, "writes", SCRIPT).expect_code(0), "there\n");
        let seen = seen(&home);
        for (action, path) in [
            ("create", "made"),
            ("append", "made"),
            ("delete", "made"),
            ("create", "moved"),
            ("create", "d"),
            ("delete", "moved"),
            ("mode", "there"),
        ] {
            assert!(has(&seen, action, path), "{action} {path}: {}", list(&seen));
        }
        assert!(
            seen.iter().any(|one| one.action == "execute" && one.path.ends_with("/true")),
            "{}",
            list(&seen)
        );
        assert!(seen.iter().all(|one| one.action != "read"), "{}", list(&seen));
        let all = events(&home);
        let coverage = &all.iter().find(|(event, _)| event == "run_start").unwrap().1["coverage"];
        for (kind, word) in [
            ("level", "writes"),
            ("file_opens", "writes"),
            ("file_changes", "all"),
            ("exec", "attempts"),
            ("read_bytes", "none"),
            ("io_uring", "refused"),
        ] {
            assert_eq!(coverage[kind], word, "{kind}: {coverage}");
        }
        assert!(all.iter().any(|(event, _)| event == "protected_denied"), "{all:?}");
        let told = home.aisandbox(&["audit", "last"]).output().expect_code(0);
        assert!(told.contains("every file that was opened to be written"), "{told}");
        assert!(told.contains("opens that only read"), "{told}");
        let touched = home.aisandbox(&["audit", "touched", "**/there"]).output().expect_code(0);
        assert!(touched.contains("there"), "{touched}");
    });
}

#[test]
fn all_observes_reads_and_what_is_not_there() {
    for_each_user(|home| {
        let home = home_with(home);
        assert_eq!(run(&home, "all", SCRIPT).expect_code(0), "there\n");
        let seen = seen(&home);
        assert!(has(&seen, "read", "there") && has(&seen, "append", "made"), "{}", list(&seen));
        let missing = seen.iter().find(|one| one.path == "/nothing/there").unwrap();
        assert_eq!((&missing.data["outcome"], &missing.data["error"]), (&"failed".into(), &"ENOENT".into()));
        assert!(
            missing.program.ends_with("/cat") || missing.program.contains("coreutils"),
            "{}",
            missing.data
        );
        assert!(missing.data["process"]["pid"].as_i64().unwrap() > 0, "{}", missing.data);
        assert_eq!(missing.data["src"], "guard");
        // The loader and its libraries are files like others.
        assert!(
            seen.iter().any(|one| one.action == "read" && one.path.contains("libc.so")),
            "{}",
            list(&seen)
        );
    });
}

#[test]
fn strict_shows_no_sensitive_place_that_was_not_asked_for() {
    for_each_user(|home| {
        home.write(".ssh/id_ed25519", "key");
        let place = home.join(".ssh");
        let shown = format!(
            "version: 1\nextends: [offline]\naudit: {{ observe: strict }}\nfilesystem:\n  - {{ path: {}, access: ro }}\n",
            place.display()
        );
        let path = home.write("strict.yaml", &shown);
        let args = ["exec", "--profile", path.to_str().unwrap(), "--", "echo", "ran"];
        let refused = home.aisandbox(&args).output();
        assert_eq!(refused.code, 125, "{refused:?}");
        refused.expect_said("shown without asking");
        let asked = shown.replace("access: ro", "access: ask, actions: [read], lease: 1h")
            + "consent: { channels: [ui], timeout: 5m }\n";
        home.write("strict.yaml", &asked);
        assert_eq!(home.aisandbox(&args).output().expect_code(0), "ran\n");
        let all = events(&home);
        let start = all.iter().find(|(event, _)| event == "run_start").unwrap();
        assert_eq!(
            (&start.1["coverage"]["level"], &start.1["coverage"]["file_opens"]),
            (&"strict".into(), &"all".into())
        );
    });
}

#[test]
fn what_is_done_again_and_again_is_one_record_with_its_number() {
    for_each_user(|home| {
        run(&home, "writes", "for n in 1 2 3 4 5 6 7 8 9; do echo $n >> log; done").expect_code(0);
        let seen = seen(&home);
        let of_log: Vec<_> = seen.iter().filter(|one| one.path == "log").collect();
        let count: u64 = of_log.iter().map(|one| one.data["count"].as_u64().unwrap()).sum();
        assert_eq!(count, 9, "{}", list(&seen));
        assert!(of_log.len() < 9, "{}", list(&seen));
    });
}

#[test]
fn a_flood_of_names_that_are_not_there_is_counted_to_the_last() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        let script = "python3 -c '\nfor n in range(5000):\n  try: open(\"/nowhere/%d\" % n)\n  except OSError: pass\n'";
        run(&home, "all", script).expect_code(0);
        let single = seen(&home).iter().filter(|one| one.path.starts_with("/nowhere/")).count() as u64;
        let repeats = events(&home).into_iter().filter(|(event, data)| {
            event == "repeat"
                && data["of"] == "access"
                && data["last"].as_str().unwrap().contains("/nowhere/")
        });
        let together: u64 = repeats.map(|(_, data)| data["count"].as_u64().unwrap()).sum();
        assert!(together >= 5000 - single && single < 5000 && together > 1000, "{single} {together}");
    });
}

#[test]
fn without_a_listener_the_run_does_not_start_unless_that_is_accepted() {
    for_each_user(|home| {
        let home = home_with(home);
        let inner = "version: 1\nextends: [offline]\naudit: { observe: writes }\n";
        let path = home.write("inner.yaml", inner);
        let listening = |flags: &[&str]| {
            let args =
                [&["exec", "--profile", path.to_str().unwrap()], flags, &["--", "echo", "ran"]].concat();
            let mut run = home.aisandbox(&args);
            // SAFETY: the closure makes system calls only.
            unsafe { std::os::unix::process::CommandExt::pre_exec(&mut run.command, have_a_listener) };
            run.output()
        };
        let refused = listening(&[]);
        assert_eq!(refused.code, 125, "{refused:?}");
        refused.expect_said("observe");
        assert_eq!(
            listening(&["--allow-degraded", "protect-new", "--allow-degraded", "observe"]).expect_code(0),
            "ran\n"
        );
        assert_eq!(level(&home), "deny");
    });
}

/// Puts this process under a filter with a listener that nothing ever waits for: the kernel allows no second one.
fn have_a_listener() -> std::io::Result<()> {
    let pass = [aisandbox::sys::seccomp::Instruction { code: 6, jt: 0, jf: 0, k: 0x7fff_0000 }];
    aisandbox::sys::process::enter_no_new_privs()?;
    let listener = aisandbox::sys::seccomp::install_with_listener(&pass)?;
    // It must outlive exec: a filter whose listener is gone leaves room for another.
    let raw = std::os::fd::IntoRawFd::into_raw_fd(listener);
    aisandbox::sys::fd::mark_close_on_exec(raw, false)?;
    Ok(())
}

fn list(seen: &[crate::Seen]) -> String {
    seen.iter().map(|one| format!("\n{} {}", one.action, one.data)).collect()
}

#[test]
fn a_profile_says_its_level_and_a_child_may_say_another() {
    for_each_user(|home| {
        let home = home_with(home);
        run_with(&home, "all", "", "true").expect_code(0);
        let shown = home.join("observed.yaml");
        let text = home.aisandbox(&["profile", "show", shown.to_str().unwrap()]).output().expect_code(0);
        assert!(text.contains("observe: all"), "{text}");
    });
}
