//! Where user namespaces are refused: the launch stops, or goes on without them where that is accepted, and says what
//! is lost. Each case runs in a user namespace that allows no other, as a container does.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod ends;
#[path = "../inject/mod.rs"]
mod inject;
#[path = "../support/mod.rs"]
mod support;

use aisandbox::host::facts::Facts;
use inject::Rule;
use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::os::unix::process::CommandExt;
use std::path::Path;
use support::pty::Terminal;
use support::run::{Output, Run};
use support::{Home, for_each_user, has_program};

const ACCEPTED: [&str; 2] = ["--allow-degraded", "namespaces"];

/// The run, where no further user namespace can be made.
fn refused(home: &Home, mut run: Run) -> Run {
    let map = CString::new(format!("{0} {0} 1", home.user.uid)).unwrap();
    let enter = move || {
        nix::sys::prctl::set_dumpable(true)?; // who changed ids does not own its own /proc files
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER)?;
        put(c"/proc/self/setgroups", c"deny")?;
        put(c"/proc/self/uid_map", &map)?;
        put(c"/proc/self/gid_map", &map)?;
        put(c"/proc/sys/user/max_user_namespaces", c"0")
    };
    // SAFETY: the closure makes system calls only; it takes no lock and does not allocate.
    unsafe { run.command.pre_exec(enter) };
    run
}

fn put(path: &CStr, text: &CStr) -> io::Result<()> {
    let file = nix::fcntl::open(path, nix::fcntl::OFlag::O_WRONLY, nix::sys::stat::Mode::empty())?;
    nix::unistd::write(&file, text.to_bytes())?;
    Ok(())
}

/// A script under `cowork`, without namespaces.
fn bare(home: &Home, flags: &[&str], script: &str) -> Run {
    refused(home, home.sandboxed(&[&ACCEPTED[..], flags].concat(), script))
}

/// The control: the same script at the same place without a sandbox.
fn outside(home: &Home, script: &str) -> Output {
    refused(home, Run::new(Path::new("/bin/sh"), home).args(&["-c", script])).output()
}

fn landlock_abi() -> u32 {
    Facts::for_launch().landlock.abi
}

#[test]
fn a_place_that_asks_is_closed_and_a_writable_folder_around_it_is_named() {
    for_each_user(|home| {
        home.write("asked/note", "real\n");
        home.write("work/asked/note", "inside\n");
        let profile = "version: 1\nextends: [cowork]\nallow_degraded: [ask-mounts]\nfilesystem:\n  \
             - { path: ~/asked, access: ask, actions: [read] }\n  - { path: $PWD/asked, access: ask, actions: [read] }\n";
        let profile = home.write("ask.yaml", profile).to_str().unwrap().to_owned();
        let note = home.join("asked/note").display().to_string();
        assert_eq!(outside(&home, &format!("cat {note}")).expect_code(0), "real\n"); // the control
        let ran = bare(&home, &["--profile", &profile], &format!("cat {note} || echo closed")).output();
        assert_eq!(ran.expect_code(0), "closed\n");
        let place = home.work().join("asked").display().to_string();
        ran.expect_said("more open than the profile says");
        ran.expect_said(&place);
    });
}

#[test]
fn a_launch_that_does_not_accept_it_stops_and_names_the_way_out() {
    for_each_user(|home| {
        assert_eq!(home.exec(&[], "echo ran").expect_code(0), "ran\n"); // the control: namespaces can be had
        let ran = refused(&home, home.sandboxed(&[], "echo ran")).output();
        assert_eq!(ran.expect_code(125), "");
        ran.expect_said("make namespaces");
        ran.expect_said("`--allow-degraded namespaces` goes without");
    });
}

#[test]
fn a_launch_that_accepts_it_runs_says_so_and_records_it() {
    for_each_user(|home| {
        let ran = bare(&home, &[], "echo ran; exit 7").output();
        assert_eq!(ran.expect_code(7), "ran\n");
        ran.expect_said("no namespaces here");
        ran.expect_said("lost: ");
        let quiet = bare(&home, &["-q"], "kill -9 $$").output();
        assert_eq!(quiet.expect_code(137), "");
        quiet.expect_said("no namespaces here");
        assert!(!quiet.stderr().contains("lost: "));
        for record in home.records() {
            let degraded = record.lines().find(|line| line.contains("\"event\":\"degraded\""));
            let line = degraded.expect("an event about the namespaces");
            assert!(line.contains("lost: ") && line.contains("--allow-degraded"), "{line}");
        }
        assert_eq!(home.records().len(), 2);
        let profile = "version: 1\ndescription: x\nextends: [cowork]\nallow_degraded: [namespaces]\n";
        let profile = home.write("bare.yaml", profile);
        let flags = ["--profile", profile.to_str().unwrap()];
        assert_eq!(refused(&home, home.sandboxed(&flags, "echo ran")).output().expect_code(0), "ran\n");
    });
}

#[test]
fn where_namespaces_can_be_had_they_are_used_although_their_lack_is_accepted() {
    for_each_user(|home| {
        let ran = home.exec(&ACCEPTED, "echo $PPID; test ! -e /etc/shadow && echo hidden");
        assert_eq!(ran.expect_code(0), "1\nhidden\n");
        assert!(!ran.stderr().contains("no namespaces here"));
    });
}

#[test]
fn nothing_outside_the_view_can_be_read_or_written() {
    let script = "echo ran; cat ../.ssh/key; echo x > ../made; echo x >> ../.ssh/key; mv ../.ssh ../moved; \
                  ln ../.ssh/key here; cat here; truncate -s 0 ../.ssh/key; echo x > work-made; cat work-made";
    for_each_user(|home| {
        home.write(".ssh/key", "secret\n");
        let ran = bare(&home, &[], script).output();
        assert_eq!(ran.expect_code(0), "ran\nx\n");
        assert_eq!(std::fs::read_to_string(home.join(".ssh/key")).unwrap(), "secret\n");
        assert!(!home.join("made").exists() && !home.join("moved").exists());
        assert!(!home.join("work/here").exists());
        let free = outside(&home, script); // the control: nothing else forbids it
        assert!(free.stdout().starts_with("ran\nsecret\n"), "{free:?}");
        assert!(home.join("made").exists() && home.join("moved").exists());
    });
}

const REACH: &str = r#"
import socket, sys
def tried(name, act):
    try: act(); print(name)
    except OSError as error: print("no", name, error.errno)
path, journal, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
tried("local", lambda: socket.socket(socket.AF_UNIX).connect(path))
pair = lambda kind: socket.socketpair(socket.AF_UNIX, kind)
tried("datagram", lambda: pair(socket.SOCK_DGRAM)[0].sendto(b"x", journal))
tried("tcp", lambda: socket.socket().connect(("127.0.0.1", port)))
tried("pair", lambda: pair(socket.SOCK_STREAM))
"#;

#[test]
fn no_socket_of_the_host_can_be_reached() {
    if !has_program("python3") {
        return;
    }
    for_each_user(|home| {
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (stream, datagram) = (home.work().join("stream"), home.work().join("datagram"));
        let _local = UnixListener::bind(&stream).unwrap();
        let _datagram = UnixDatagram::bind(&datagram).unwrap();
        for path in [&stream, &datagram] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
        }
        home.write("work/reach.py", REACH);
        let port = tcp.local_addr().unwrap().port();
        let script = format!("python3 reach.py {} {} {port}", stream.display(), datagram.display());
        assert_eq!(outside(&home, &script).expect_code(0), "local\ndatagram\ntcp\npair\n");
        let ran = bare(&home, &[], &script).output();
        assert_eq!(ran.expect_code(0), "no local 13\nno datagram 13\nno tcp 13\npair\n");
        let ran = bare(&home, &["--net", "host"], &script).output();
        assert_eq!(ran.expect_code(0), "no local 13\nno datagram 13\ntcp\npair\n");
    });
}

#[test]
fn a_protected_name_that_does_not_exist_cannot_come_into_being_by_any_way() {
    let script = "echo ran; mkdir -p .git/hooks; echo x > .bashrc; mkdir other other/hooks; mv .git moved; \
                  mv other .git; mkdir .git; mkdir .git/hooks; ln -s moved .git; mkdir moved/hooks; mv moved .git; \
                  mkdir -p .vscode; echo end";
    for_each_user(|home| {
        home.make_folder("work/.git");
        let ran = bare(&home, &[], script).output();
        assert_eq!(ran.expect_code(0), "ran\nend\n");
        for name in [".git/hooks", ".bashrc", ".vscode"] {
            assert!(!home.work().join(name).exists(), "{name}: {}", ran.stderr());
        }
        let denied = home.records().concat().matches("protected").count();
        assert!(denied > 0, "no refusal was recorded");
        outside(&home, "rm -rf moved other; mkdir -p .git/hooks .vscode; echo x > .bashrc").expect_code(0);
        assert!(home.work().join(".git/hooks").exists()); // the control
    });
}

#[test]
fn a_protected_folder_below_a_writable_one_cannot_be_replaced_by_one_without_protection() {
    let script = "echo ran; mv a/sub a/gone; mkdir a/sub; mkdir a/sub/.git; mv a b; mkdir -p a/sub; \
                  echo x > a/sub/.gitmodules; mkdir -p c/sub; echo x > c/sub/.gitmodules; rm -r a; mv c a; echo end";
    for_each_user(|home| {
        home.make_folder("work/a/sub");
        let profile = "version: 1\nextends: [base]\nfilesystem:\n  - { path: $PWD, access: rw }\n  \
                       - { path: $PWD/a/sub, access: rw, protect: [git] }\n";
        let profile = home.write("nested.yaml", profile);
        let ran = bare(&home, &["--profile", profile.to_str().unwrap()], script).output();
        assert_eq!(ran.expect_code(0), "ran\nend\n");
        assert!(home.join("work/c/sub/.gitmodules").exists()); // the control: other names are free
        assert!(!home.join("work/a/sub/.gitmodules").exists() && !home.join("work/a/sub/.git").exists());
    });
}

#[test]
fn protected_places_that_exist_are_named_as_open() {
    for_each_user(|home| {
        home.write("work/.git/config", "[core]\n");
        let ran = bare(&home, &[], "echo ran; echo x >> .git/config").output();
        assert_eq!(ran.expect_code(0), "ran\n");
        ran.expect_said(&format!("can be changed: {}/.git/config", home.work().display()));
        assert_eq!(std::fs::read_to_string(home.work().join(".git/config")).unwrap(), "[core]\nx\n");
    });
}

#[test]
fn what_a_rule_cannot_take_out_again_is_named() {
    for_each_user(|home| {
        let below = home.make_folder("work/below");
        let below = below.to_str().unwrap();
        for flag in ["--ro", "--mask"] {
            bare(&home, &[flag, below], "true").output().expect_said(&format!("says: {below}\n"));
        }
        let beside = home.make_folder("beside");
        let ran = bare(&home, &["--ro", beside.to_str().unwrap()], "true").output();
        assert!(!ran.stderr().contains("more open"), "{}", ran.stderr()); // the control
    });
}

#[test]
fn a_host_path_elsewhere_is_refused() {
    for_each_user(|home| {
        let flags = ["--ro-bind", "/usr/share", "/elsewhere"];
        assert_eq!(home.exec(&flags, "ls -d /elsewhere/doc").expect_code(0), "/elsewhere/doc\n"); // the control
        let ran = bare(&home, &flags, "echo ran").output();
        assert_eq!(ran.expect_code(125), "");
        ran.expect_said("without namespaces /usr/share cannot appear at another path");
    });
}

/// Under a kernel that claims this Landlock ABI. The listener of the test takes the place of the guard's.
fn with_abi(home: &Home, abi: i64, script: &str) -> Output {
    const VERSION: i64 = 1;
    let rules = [Rule::on(libc::SYS_landlock_create_ruleset).with(2, VERSION).asks()];
    let run = bare(home, &["--allow-degraded", "protect-new"], script);
    inject::answered(run, &rules, move |_| Some(Ok(abi))).output()
}

#[test]
fn before_abi_3_no_file_outside_can_be_emptied_by_its_path() {
    if !has_program("python3") {
        return;
    }
    let script = "echo ran; python3 -c 'import os; os.truncate(\"../kept\", 0)'";
    for_each_user(|home| {
        let kept = home.write("kept", "all of it");
        let ran = with_abi(&home, 2, script);
        assert_eq!(ran.expect_code(1), "ran\n");
        ran.expect_said("PermissionError");
        assert_eq!(std::fs::read_to_string(&kept).unwrap(), "all of it");
        outside(&home, script).expect_code(0);
        assert_eq!(std::fs::read_to_string(&kept).unwrap(), ""); // the control
    });
}

/// Private folders of this home's user under the runtime folder of its runs.
fn private_folders(home: &Home) -> Vec<std::path::PathBuf> {
    let runs: Vec<String> = std::fs::read_dir(home.join(".local/state/aisandbox/runs"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let place = |run: String| Path::new("/tmp").join(format!("aisandbox-{run}"));
    runs.into_iter().map(place).filter(|folder| folder.exists()).collect()
}

#[test]
fn the_private_folder_is_home_and_temporary_and_goes_with_the_run() {
    let script = "test \"$HOME\" = \"$TMPDIR\" && stat -c '%a %u' \"$HOME\"; mktemp >/dev/null && echo made; \
                  mkdir -p \"$HOME/a/b\"; touch \"$HOME/a/b/c\"; chmod 0 \"$HOME/a/b\" \"$HOME/a\"; echo $HOME";
    for_each_user(|home| {
        let ran = bare(&home, &[], script).output();
        let text = ran.expect_code(0);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..2], [format!("700 {}", home.user.uid), "made".to_owned()]);
        assert!(lines[2].starts_with("/tmp/aisandbox-") && !Path::new(lines[2]).exists(), "{text}");
        assert!(private_folders(&home).is_empty());
        let failed = bare(&home, &[], "true").env("PATH", "/nowhere").output(); // and after a launch that failed
        failed.expect_code(127);
        assert!(private_folders(&home).is_empty());
    });
}

#[test]
fn a_program_is_looked_for_in_shown_folders_alone() {
    for_each_user(|home| {
        let hidden = home.write_program("hidden/tool", "#!/bin/sh\n");
        let shown = home.write_program("work/bin/tool", "#!/bin/sh\n");
        let folders = [&hidden, &shown].map(|tool| tool.parent().unwrap().display().to_string());
        let path = format!("{}:{}", folders.join(":"), support::PATH);
        let free = refused(&home, Run::new(Path::new("/bin/sh"), &home).args(&["-c", "command -v tool"]));
        assert_eq!(free.env("PATH", &path).output().expect_code(0), format!("{}\n", hidden.display()));
        let ran = bare(&home, &[], "command -v tool").env("PATH", &path).output();
        assert_eq!(ran.expect_code(0), format!("{}\n", shown.display()));
    });
}

#[test]
fn a_terminal_is_the_commands_own_and_the_others_stay_closed() {
    for_each_user(|home| {
        let other = nix::pty::openpty(None, None).unwrap();
        let other = nix::unistd::ttyname(&other.slave).unwrap();
        std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o666)).unwrap();
        let script = format!(
            "(echo through > /dev/tty) && (echo opened > $(tty)); (echo x > {}) || echo kept; echo end",
            other.display()
        );
        let mut terminal = Terminal::start(bare(&home, &["-q"], &script));
        let seen = terminal.wait_for("end");
        assert!(seen.contains("through") && seen.contains("opened") && seen.contains("kept"), "{seen}");
        assert_eq!(terminal.finish(), 0);
        outside(&home, &format!("echo x > {}", other.display())).expect_code(0); // the control
    });
}

#[test]
fn neither_namespaces_nor_landlock_is_refused_whatever_is_accepted() {
    for_each_user(|home| {
        let rules = [Rule::on(libc::SYS_landlock_create_ruleset).fails(libc::ENOSYS)];
        let flags = ["--allow-degraded", "landlock-filesystem"];
        let ran = inject::under(bare(&home, &flags, "echo ran"), &rules).output();
        assert_eq!(ran.expect_code(125), "");
        ran.expect_said("nothing would confine the command");
        let ran = inject::under(home.sandboxed(&flags, "echo ran"), &rules).output(); // the control
        assert_eq!(ran.expect_code(0), "ran\n");
    });
}

#[test]
fn it_works_where_clone3_is_hidden_as_in_containers() {
    for_each_user(|home| {
        let rules = [Rule::on(libc::SYS_clone3).fails(libc::ENOSYS)];
        assert_eq!(inject::under(bare(&home, &[], "echo ran"), &rules).output().expect_code(0), "ran\n");
    });
}

#[test]
fn explain_and_why_tell_of_a_view_without_namespaces() {
    for_each_user(|home| {
        let ask = |args: &[&str]| refused(&home, home.aisandbox(args)).output();
        let text = ask(&["explain", "--allow-degraded", "namespaces"]).expect_code(0);
        assert!(text.contains("lost without namespaces: ") && !text.contains("leave the old root"), "{text}");
        let plain = ask(&["explain"]).expect_code(0);
        assert!(!plain.contains("lost without") && plain.contains("leave the old root")); // the control
        let key = home.write(".ssh/key", "secret");
        let why = |path: &Path| ask(&["why", "--allow-degraded", "namespaces", path.to_str().unwrap()]).code;
        assert_eq!((why(&key), why(&home.work())), (1, 0));
    });
}

#[test]
fn no_capability_is_left_and_none_can_be_gained() {
    let script = "grep -E '^(Cap(Inh|Prm|Eff|Amb)|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\t\\n'";
    for_each_user(|home| {
        let zeros = "0".repeat(16);
        let none = format!("CapInh:{zeros}CapPrm:{zeros}CapEff:{zeros}");
        let ran = bare(&home, &[], script).output().expect_code(0);
        assert_eq!(ran, format!("{none}CapAmb:{zeros}NoNewPrivs:1Seccomp:2"));
        let free = outside(&home, script).expect_code(0);
        assert!(free.contains("NoNewPrivs:0"), "{free}"); // the control
        assert_eq!(free.contains(&none), !home.user.is_root());
    });
}
