//! Attacks on the guard itself: races, init's own entries in /proc, and calls that would make it wait or end.

use crate::harness::{Folder, c, close, guarded, guarded_as_is, said, shell};
use std::fmt::Write;
use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const NAMES: &[&str] = &["forbidden", "way/forbidden"];

fn create(path: &str) -> i32 {
    openat(libc::AT_FDCWD, path, libc::O_CREAT | libc::O_RDWR)
}

fn openat(dirfd: i32, path: &str, flags: i32) -> i32 {
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
                create(&format!("/proc/self/cwd/link")),
                openat(folder.as_raw_fd(), &path[6..], libc::O_CREAT | libc::O_RDWR),
                openat(folder.as_raw_fd(), &path[6..], libc::O_CREAT | libc::O_RDONLY),
            ];
            for raw in results.into_iter().filter(|raw| *raw >= 0) {
                writeln!(out, "{path} was opened").unwrap();
                close(raw);
            }
        }
        for (number, tail) in (0..40).flat_map(|number| [(number, ""), (number, "/x")]) {
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
fn a_fifo_without_a_peer_does_not_hold_the_guard_up() {
    let held = Folder::new("fifo");
    let ran = guarded(&held, &held.plan(NAMES), || {
        shell("mkfifo a b")();
        let writers: Vec<_> = (0..20)
            .map(|turn| {
                let flags = libc::O_CREAT | if turn % 2 == 0 { libc::O_WRONLY } else { libc::O_RDONLY };
                thread::spawn(move || said(openat(libc::AT_FDCWD, ["a", "b"][turn % 2], flags)))
            })
            .collect();
        thread::sleep(Duration::from_millis(300));
        let start = Instant::now();
        let free = create("free");
        let waited = start.elapsed() > Duration::from_millis(200);
        let reader = File::open("a").unwrap();
        let writer = OpenOptions::new().write(true).open("b").unwrap();
        let mut said: Vec<String> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
        said.sort();
        drop((reader, writer));
        format!("{free} {waited} {} {}", said.iter().filter(|word| *word == "ok").count(), said[0])
    });
    let words: Vec<&str> = ran.output.split_whitespace().collect();
    assert_eq!(words[1..4], ["false", "16", "EAGAIN:"], "{ran:?}");
}

#[test]
fn a_caller_killed_while_it_waits_for_a_fifo_leaves_room_for_others() {
    let held = Folder::new("killed");
    let ran = guarded(&held, &held.plan(NAMES), || {
        shell(
            "mkfifo a; i=0; while [ $i -lt 40 ]; do (echo x > a) & p=$!; sleep 0.01; kill -9 $p; wait $p 2>/dev/null; \
             i=$((i+1)); [ $((i%10)) = 0 ] && sleep 0.5; done; (echo through > a) & cat a",
        )()
    });
    assert!(ran.output.contains("through"), "{ran:?}");
}

/// Kills every other child of init, which are its workers.
fn kill_workers() {
    // SAFETY: take nothing.
    let (init, own) = unsafe { (libc::getppid(), libc::getpid()) };
    let pids =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    for pid in pids.filter(|pid: &i32| *pid != own) {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse::<i32>().ok());
        if parent == Some(init) {
            // SAFETY: integers only.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
    }
}

#[test]
fn a_caller_whose_worker_is_killed_gets_an_answer() {
    let held = Folder::new("worker");
    let ran = guarded(&held, &held.plan(NAMES), || {
        shell("mkfifo a")();
        let writer = thread::spawn(|| said(openat(libc::AT_FDCWD, "a", libc::O_CREAT | libc::O_WRONLY)));
        thread::sleep(Duration::from_millis(200));
        kill_workers();
        writer.join().unwrap()
    });
    assert!(ran.output.starts_with("EINTR"), "{ran:?}");
}

#[test]
fn a_leased_file_does_not_hold_the_guard_up() {
    let held = Folder::new("lease");
    let ran = guarded(&held, &held.plan(NAMES), || {
        let file = File::create("leased").unwrap();
        // SAFETY: integers only; SIGIO, which asks for the lease back, is ignored.
        let lease = unsafe {
            libc::signal(libc::SIGIO, libc::SIG_IGN);
            libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_WRLCK)
        };
        let other = thread::spawn(|| said(create("leased")));
        thread::sleep(Duration::from_millis(200));
        let start = Instant::now();
        let free = said(create("free"));
        let waited = start.elapsed() > Duration::from_millis(200);
        drop(file);
        format!("{lease} {free} {waited} {}", other.join().unwrap())
    });
    assert_eq!(ran.output, "0 ok false ok");
}

/// Creates 2000 files with SIGALRM every 300 µs; says how many calls failed, how, and how many files there are.
fn create_in_a_storm(handler_flags: i32) -> String {
    extern "C" fn nothing(_signal: i32) {}
    // SAFETY: a handler that does nothing, and a timer of a filled struct.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(i32) as usize;
        action.sa_flags = handler_flags;
        libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut());
        let every = libc::timeval { tv_sec: 0, tv_usec: 300 };
        let timer = libc::itimerval { it_interval: every, it_value: every };
        libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut());
    }
    let (mut made, mut interrupted) = (0, 0);
    for turn in 0..2000 {
        let raw = openat(libc::AT_FDCWD, &format!("f{turn}"), libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY);
        match said(raw).as_str() {
            "ok" => made += 1,
            word => interrupted += i32::from(word.starts_with("EINTR")),
        }
        close(raw);
    }
    let there = i32::try_from(fs::read_dir(".").unwrap().count()).unwrap();
    format!("{} {} {}", made + interrupted, there == made, interrupted == 0)
}

#[test]
fn a_storm_of_signals_makes_no_file_twice_and_restarts_calls() {
    let held = Folder::new("signals");
    let ran = guarded(&held, &held.plan(NAMES), || create_in_a_storm(libc::SA_RESTART));
    assert_eq!(ran.output, "2000 true true");
}

#[test]
fn a_call_cut_short_by_a_signal_has_made_nothing() {
    let held = Folder::new("short");
    let ran = guarded(&held, &held.plan(NAMES), || create_in_a_storm(0));
    assert!(ran.output.starts_with("2000 true"), "{ran:?}");
}

#[test]
fn many_creators_at_once_get_all_their_files() {
    let held = Folder::new("many");
    let ran = guarded(&held, &held.plan(NAMES), || {
        let script = "for p in $(seq 50); do (mkdir d$p; for f in $(seq 200); do : > d$p/$f; done) & done; wait; \
                      find . -type f | wc -l";
        shell(script)()
    });
    assert_eq!(ran.output.trim(), "10000");
}

#[test]
fn killed_creators_leave_the_guard_working() {
    let held = Folder::new("kill");
    let ran = guarded(&held, &held.plan(NAMES), || {
        shell(
            "for p in $(seq 30); do (i=0; while :; do : > k$p-$i; i=$((i+1)); done) & \
             q=\"$q $!\"; done; sleep 0.3; kill -9 $q; wait 2>/dev/null; : > after; ls after",
        )()
    });
    assert!(ran.output.ends_with("after\n"), "{ran:?}");
}

#[test]
fn a_caller_that_may_have_no_more_descriptors_is_told_so() {
    let held = Folder::new("emfile");
    let ran = guarded(&held, &held.plan(NAMES), || {
        let limit = libc::rlimit { rlim_cur: 0, rlim_max: 64 };
        // SAFETY: reads one struct.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
        let full = said(create("new"));
        let limit = libc::rlimit { rlim_cur: 64, rlim_max: 64 };
        // SAFETY: as above.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
        format!("{full}, then {}", said(create("new")))
    });
    assert!(ran.output.starts_with("EMFILE") && ran.output.ends_with("then ok"), "{ran:?}");
}

#[test]
fn a_caller_that_hides_its_memory_is_refused_and_does_not_hang() {
    let held = Folder::new("hidden");
    let ran = guarded(&held, &held.plan(NAMES), || {
        // SAFETY: integers only.
        unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
        let hidden = create("new");
        // SAFETY: integers only.
        unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) };
        format!("{hidden} {}", said(create("new")))
    });
    assert_eq!(ran.output, "-1 ok");
}

#[test]
fn a_thread_with_a_folder_and_umask_of_its_own_keeps_them() {
    let held = Folder::new("threads");
    let ran = guarded(&held, &held.plan(NAMES), || {
        fs::create_dir("own").unwrap();
        thread::spawn(|| {
            // SAFETY: integers only; only this thread's folder and mask change.
            unsafe { libc::unshare(libc::CLONE_FS) };
            std::env::set_current_dir("own").unwrap();
            // SAFETY: an integer.
            unsafe { libc::umask(0o077) };
            close(create("inner"));
        })
        .join()
        .unwrap();
        close(create("outer"));
        let mode = |path: &str| fs::metadata(path).map_or(0, |meta| meta.mode() & 0o777);
        format!("{:o} {:o}", mode("own/inner"), mode("outer"))
    });
    assert_eq!(ran.output, "600 640");
}

#[test]
fn making_a_way_again_and_again_uses_nothing_up() {
    let held = Folder::new("again");
    let ran = guarded(&held, &held.plan(NAMES), || {
        for turn in 0..1500 {
            fs::create_dir("way").unwrap();
            fs::rename("way", format!("old{turn}")).unwrap();
        }
        fs::create_dir("way").unwrap();
        format!("{} {}", said(create("way/forbidden")), said(create("way/free")))
    });
    assert!(ran.output.starts_with("EACCES") && ran.output.ends_with("ok"), "{ran:?}");
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
