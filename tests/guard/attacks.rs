//! Attacks on what the guard judges: races on memory and links, and init's own entries in /proc.

use crate::harness::{Folder, c, close, guarded, guarded_as_is, said};
use std::fmt::Write;
use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;

const NAMES: &[&str] = &["forbidden", "way/forbidden"];

pub(crate) fn create(path: &str) -> i32 {
    openat(libc::AT_FDCWD, path, libc::O_CREAT | libc::O_RDWR)
}

pub(crate) fn openat(dirfd: i32, path: &str, flags: i32) -> i32 {
    // SAFETY: a NUL-terminated path and integers.
    unsafe { libc::openat(dirfd, c(path).as_ptr(), flags, 0o644) }
}

fn o_path(path: &str) -> File {
    OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path).unwrap()
}

/// Every spelling by which init could be led to an entry of its own: all must fail or give the agent its own.
fn reach_for_init() -> String {
    // SAFETY: takes nothing.
    let init = unsafe { libc::getppid() };
    let own = o_path("/dev/null");
    let same = fs::symlink_metadata("/dev/null").unwrap().rdev();
    let mut out = String::new();
    for who in ["self".into(), "thread-self".into(), init.to_string(), format!("{init}/task/{init}")] {
        for file in
            ["mem", "environ", "maps", "clear_refs", "attr/current", "comm/", "uid_map", "syscall", "ns/user"]
        {
            let path = format!("/proc/{who}/{file}");
            drop(fs::remove_file("link"));
            std::os::unix::fs::symlink(&path, "link").unwrap();
            let folder = File::open("/proc").unwrap();
            let results = [
                create(&path),
                create("link"),
                create("/proc/self/cwd/link"),
                openat(folder.as_raw_fd(), &path[6..], libc::O_CREAT | libc::O_RDWR),
                openat(folder.as_raw_fd(), &path[6..], libc::O_CREAT | libc::O_RDONLY),
            ];
            for raw in results.into_iter().filter(|raw| *raw >= 0) {
                writeln!(out, "{path} was opened").unwrap();
                close(raw);
            }
        }
        for (number, tail) in (0..40).flat_map(|number| [(number, ""), (number, "/x")]) {
            // Beneath a folder of its own an agent may make what it likes.
            let beneath_its_own = !tail.is_empty() && !who.starts_with(char::is_numeric);
            if beneath_its_own {
                continue;
            }
            let raw = create(&format!("/proc/{who}/fd/{number}{tail}"));
            if raw < 0 {
                continue;
            }
            let got = fs::metadata(format!("/proc/self/fd/{raw}")).unwrap();
            let mine = fs::metadata(format!("/proc/self/fd/{number}"));
            if !mine
                .is_ok_and(|mine| (mine.dev(), mine.ino(), mine.rdev()) == (got.dev(), got.ino(), got.rdev()))
            {
                writeln!(out, "fd {number}{tail} of {who} was opened").unwrap();
            }
            close(raw);
        }
        for magic in ["cwd/new", "root/new", "fd/3/new", "map_files/x"] {
            if who.starts_with(char::is_numeric) && create(&format!("/proc/{who}/{magic}")) >= 0 {
                writeln!(out, "{who}/{magic} was made").unwrap();
            }
        }
    }
    through_descriptors(init, &mut out);
    let raw = create(&format!("/proc/self/fd/{}", own.as_raw_fd()));
    let got = fs::metadata(format!("/proc/self/fd/{raw}")).unwrap().rdev();
    writeln!(out, "control {}", got == same).unwrap();
    out
}

/// An agent may hold what it may not open: by O_PATH, or as its working folder.
fn through_descriptors(init: i32, out: &mut String) {
    for file in ["mem", "environ", "maps", "auxv", "oom_score_adj", "comm", "clear_refs"] {
        let held = o_path(&format!("/proc/{init}/{file}"));
        let raw = create(&format!("/proc/self/fd/{}", held.as_raw_fd()));
        // SAFETY: two NUL-terminated paths.
        let linked = unsafe {
            libc::linkat(
                held.as_raw_fd(),
                c"".as_ptr(),
                libc::AT_FDCWD,
                c"taken".as_ptr(),
                libc::AT_EMPTY_PATH,
            )
        };
        if raw >= 0 || linked == 0 {
            writeln!(out, "{file} of init was reached through a held descriptor").unwrap();
        }
        let folder = o_path(&format!("/proc/{init}"));
        let raw = openat(folder.as_raw_fd(), file, libc::O_CREAT | libc::O_WRONLY);
        let own = ["oom_score_adj", "comm"].contains(&file);
        if raw >= 0 && !own {
            writeln!(out, "{file} of init was reached beneath a held folder").unwrap();
        }
        if raw >= 0 && own {
            let name = fs::read_link(format!("/proc/self/fd/{raw}")).unwrap();
            if name.starts_with(format!("/proc/{init}")) {
                writeln!(out, "{} was opened", name.display()).unwrap();
            }
        }
        close(raw);
    }
}

#[test]
fn nothing_of_init_in_proc_can_be_reached() {
    let held = Folder::new("proc");
    let ran = guarded(&held, &held.plan(NAMES), reach_for_init);
    assert_eq!(ran.output, "control true\n");
}

#[test]
fn nothing_of_init_in_proc_can_be_reached_by_root_either() {
    let held = Folder::new("procroot");
    let ran = guarded_as_is(&held, &held.plan(NAMES), reach_for_init);
    assert_eq!(ran.output, "control true\n");
}

#[test]
fn a_path_that_changes_in_memory_does_not_reach_a_forbidden_name() {
    let held = Folder::new("memory");
    let ran = guarded(&held, &held.plan(NAMES), || {
        let path: Vec<AtomicU8> = b"./free____\0".iter().map(|byte| AtomicU8::new(*byte)).collect();
        let stop = AtomicBool::new(false);
        let mut made = 0;
        thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    for name in [b"./forbidden", b"./free_____"] {
                        path.iter().zip(name).for_each(|(at, byte)| at.store(*byte, Ordering::Relaxed));
                    }
                }
            });
            for _ in 0..3000 {
                // SAFETY: NUL-terminated at every moment; that its bytes change is what is tried.
                let raw = unsafe { libc::open(path.as_ptr().cast(), libc::O_CREAT | libc::O_RDWR, 0o644) };
                made += i32::from(raw >= 0);
                close(raw);
            }
            stop.store(true, Ordering::Relaxed);
        });
        format!("{} {}", made > 0, Path::new("forbidden").exists())
    });
    assert_eq!(ran.output, "true false", "{} denied", ran.denied.len());
}

#[test]
fn a_link_that_changes_does_not_lead_to_a_forbidden_name() {
    let held = Folder::new("swap");
    let ran = guarded(&held, &held.plan(NAMES), || {
        fs::create_dir("free").unwrap();
        fs::create_dir("way").unwrap();
        let stop = AtomicBool::new(false);
        let mut made = 0;
        thread::scope(|scope| {
            scope.spawn(|| {
                for turn in (0..).take_while(|_| !stop.load(Ordering::Relaxed)) {
                    let (folder, file) = [("free", "free/x"), ("way", "way/forbidden")][turn % 2];
                    drop(fs::remove_file("parent"));
                    drop(fs::remove_file("file"));
                    drop(std::os::unix::fs::symlink(folder, "parent"));
                    drop(std::os::unix::fs::symlink(file, "file"));
                    drop(fs::rename("free", "freed").and_then(|()| fs::rename("freed", "free")));
                }
            });
            for turn in 0..2000 {
                let raw = create(["file", "parent/forbidden"][turn % 2]);
                made += i32::from(raw >= 0);
                close(raw);
                drop(fs::rename("free/x", "parent/forbidden"));
                drop(fs::hard_link("file", "parent/forbidden"));
                drop(fs::create_dir("parent/forbidden"));
            }
            stop.store(true, Ordering::Relaxed);
        });
        format!("{} {}", made > 0, Path::new("way/forbidden").symlink_metadata().is_ok())
    });
    assert_eq!(ran.output, "true false", "{} denied", ran.denied.len());
}

#[test]
fn a_held_folder_of_a_dead_process_shows_nothing() {
    use aisandbox::sys::name::exists;
    use std::os::fd::AsFd;
    let mut child = std::process::Command::new("sleep").arg("9").spawn().unwrap();
    let held = o_path(&format!("/proc/{}", child.id()));
    assert!(exists(held.as_fd(), c"cwd"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!exists(held.as_fd(), c"cwd"));
}

#[test]
fn init_and_its_workers_cannot_be_traced() {
    let held = Folder::new("trace");
    let ran = guarded(&held, &held.plan(NAMES), || {
        // SAFETY: takes nothing.
        let init = unsafe { libc::getppid() };
        let mut byte = [0u8; 1];
        let local = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
        let remote = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
        // SAFETY: one byte of our own; the remote address is never followed here.
        let read = unsafe { libc::process_vm_readv(init, &raw const local, 1, &raw const remote, 1, 0) };
        format!("{} {}", said(read as i32), File::open(format!("/proc/{init}/mem")).is_err())
    });
    assert_eq!(ran.output, "EPERM: Operation not permitted true");
}
