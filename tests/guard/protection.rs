//! What the guard is for: protected names do not come into being, and all else works.

use crate::harness::{Folder, c, guarded, native, said, shell};
use std::fs;
use std::path::Path;

const NAMES: &[&str] = &[".git/hooks", ".git/config", ".bashrc", "a/b/c"];

/// Runs a script both ways in a folder of its own: the control without a guard, then with one.
fn both(name: &str, script: &str) -> (String, String, Vec<u16>) {
    let free = Folder::new(&format!("{name}-free"));
    let held = Folder::new(name);
    let control = native(&free, shell(script));
    let ran = guarded(&held, &held.plan(NAMES), shell(script));
    assert_eq!((control.code, ran.code), (0, 0), "{control:?} {ran:?}");
    (control.output, ran.output, ran.denied)
}

#[test]
fn a_forbidden_name_is_not_made_by_any_call() {
    let scripts = [
        ("redirect", "echo x > .bashrc; test -e .bashrc && echo made"),
        ("touch", "touch .bashrc; test -e .bashrc && echo made"),
        ("mkdir", "mkdir .bashrc; test -e .bashrc && echo made"),
        ("fifo", "mkfifo .bashrc; test -e .bashrc && echo made"),
        ("symlink", "ln -s x .bashrc; test -L .bashrc && echo made"),
        ("link", "touch x; ln x .bashrc; test -e .bashrc && echo made"),
        ("rename", "touch x; mv x .bashrc; test -e .bashrc && echo made"),
        ("exchange", "touch x; mv --exchange x .bashrc; mv x .bashrc; test -e .bashrc && echo made"),
        ("below", "mkdir .git; mkdir .git/hooks; test -e .git/hooks && echo made"),
        ("deep", "mkdir -p a/b/c; test -e a/b/c && echo made"),
        ("moved", "mkdir -p x/hooks; mv x .git; test -e .git/hooks && echo made"),
        ("wayfile", "touch .git; test -e .git && echo made"),
        ("waylink", "mkdir -p x/hooks; ln -s x .git; test -e .git/hooks && echo made"),
        ("dangling", "ln -s .bashrc l; echo x > l; test -e .bashrc && echo made"),
        ("case", "mkdir .git; mkdir .GIT; mkdir .git/Hooks; test -e .git/Hooks && echo made"),
        ("respelled", "mkdir .git; mkdir .GIT; mkdir .git/hooks; test -e .git/hooks && echo made"),
        ("dots", "mkdir y; echo x > y/.././/.bashrc; test -e .bashrc && echo made"),
    ];
    for (name, script) in scripts {
        let (control, ran, denied) = both(name, script);
        assert!(control.ends_with("made\n"), "the control of {name} made nothing: {control}");
        assert!(!ran.contains("made\n"), "{name} was made: {ran}");
        assert!(!denied.is_empty(), "{name}: nothing was denied: {ran}");
    }
}

#[test]
fn a_denial_says_permission_denied_and_counts_for_its_pattern() {
    let (_, ran, denied) = both("count", "touch .bashrc; mkdir .git; touch .git/config");
    assert_eq!(denied, [2, 1]);
    assert_eq!(ran.matches("Permission denied").count(), 2, "{ran}");
}

#[test]
fn names_nearby_are_made_as_ever() {
    let script = "mkdir -p .git/x a/b/d; touch .git/index a/b/c2 .bashrc2 x; mv x .git/HEAD; ln -s q .git/s; \
                  ln .git/HEAD y; find . | sort";
    let (control, ran, denied) = both("nearby", script);
    assert_eq!(control, ran);
    assert_eq!(denied, Vec::<u16>::new());
}

#[test]
fn a_way_that_was_moved_off_and_made_again_is_guarded_again() {
    let script = "mkdir .git; mv .git old; mkdir .git; mkdir .git/hooks; mkdir old/hooks; rmdir .git; mkdir .git; \
                  mkdir .git/hooks; mv old/hooks .git; test -e .git/hooks && echo made";
    let (control, ran, denied) = both("again", script);
    assert!(control.ends_with("made\n"));
    assert!(!ran.ends_with("made\n"));
    assert!(denied.len() >= 3, "{ran}");
}

#[test]
fn a_way_that_is_there_from_the_start_is_guarded() {
    let held = Folder::new("start");
    std::fs::create_dir_all(held.join(".git")).unwrap();
    std::os::unix::fs::chown(held.join(".git"), Some(4711), None).ok();
    let ran = guarded(
        &held,
        &held.plan(NAMES),
        shell("mkdir .git/hooks; mv .git g; mkdir -p .git/hooks; mkdir .git/ok; find . | sort"),
    );
    assert!(!ran.output.contains("/hooks\n."), "{ran:?}");
    assert!(ran.output.contains("./.git/ok"), "{ran:?}");
}

/// Exchanges two names, first named in one order, then in the other.
fn exchange_both_ways() -> String {
    fs::create_dir(".git").unwrap();
    fs::create_dir_all("x/hooks").unwrap();
    let mut out = String::new();
    for (from, to) in [("x", ".git"), (".git", "x"), ("x", "y"), ("y", "x")] {
        let cwd = libc::AT_FDCWD;
        drop(fs::create_dir("y"));
        // SAFETY: two NUL-terminated paths and integers.
        let rc = unsafe {
            libc::syscall(
                libc::SYS_renameat2,
                cwd,
                c(from).as_ptr(),
                cwd,
                c(to).as_ptr(),
                libc::RENAME_EXCHANGE,
            )
        };
        let said = said(i32::try_from(rc).unwrap());
        out += &format!("{} {} ", said.split(':').next().unwrap(), Path::new(".git/hooks").exists());
    }
    out
}

#[test]
fn an_exchange_is_denied_from_either_side() {
    let (free, held) = (Folder::new("exchange-free"), Folder::new("exchange-held"));
    let control = native(&free, exchange_both_ways);
    assert_eq!(control.output, "ok true ok false ok false ok false ");
    let ran = guarded(&held, &held.plan(NAMES), exchange_both_ways);
    assert_eq!(ran.output, "EACCES false EACCES false ok false ok false ");
}

#[test]
fn a_socket_is_bound_beside_a_forbidden_name_and_not_at_it() {
    let script = "python3 -c '
import socket, os
def at(name, pad=b\"\"):
    s = socket.socket(socket.AF_UNIX)
    try:
        s.bind(name)
        print(\"bound\", os.path.basename(name).strip())
        os.unlink(name)
    except OSError as error:
        print(\"refused\", os.path.basename(name).strip(), error.errno)
at(\".bashrc\"); at(\"./.bashrc\"); at(os.getcwd() + \"/.bashrc\"); at(\"free\"); at(\"no/such\")
s = socket.socket(socket.AF_UNIX); s.bind(\"\\0guard-test-%d\" % os.getpid()); print(\"abstract\")
s = socket.socket(); s.bind((\"127.0.0.1\", 0)); print(\"tcp\", s.getsockname()[1] > 0)
s = socket.socket(socket.AF_INET6); s.bind((\"::1\", 0)); print(\"tcp6\")
s = socket.socket(socket.AF_UNIX)
s.bind(\"echo\"); s.listen(); c = socket.socket(socket.AF_UNIX); c.connect(\"echo\"); print(\"connected\"); os.unlink(\"echo\")
'";
    let (control, ran, denied) = both("sockets", script);
    assert_eq!(control.matches("bound .bashrc").count(), 3, "{control}");
    assert_eq!(ran.matches("refused .bashrc 13").count(), 3, "{ran}");
    assert_eq!(denied.len(), 3);
    let rest = |text: &str| {
        let lines = text.lines().filter(|line| !line.contains(".bashrc"));
        lines.map(str::to_owned).collect::<Vec<String>>()
    };
    assert_eq!(rest(&control), rest(&ran));
    assert!(rest(&ran).contains(&"connected".to_owned()), "{ran}");
}
