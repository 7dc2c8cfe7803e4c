//! Calls that would make the guard wait, run out of something, or answer twice; and callers that die in the middle.

use crate::attacks::{create, openat};
use crate::harness::{Folder, close, guarded, said, shell};
use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::{Duration, Instant};

/// A guard that waits with a caller does so until somebody comes, or for the 45 s of /proc/sys/fs/lease-break-time.
const HELD_UP: Duration = Duration::from_secs(20);

const NAMES: &[&str] = &["forbidden", "way/forbidden"];

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
        // Four are told at once that too many wait: then sixteen do.
        while writers.iter().filter(|writer| writer.is_finished()).count() < 4 {
            thread::sleep(Duration::from_millis(10));
        }
        let start = Instant::now();
        let free = create("free");
        let waited = start.elapsed() > HELD_UP;
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
             i=$((i+1)); [ $((i%10)) = 0 ] && sleep 0.5; done; \
             (for n in $(seq 300); do echo through > a && break; sleep 0.2; done) & timeout 120 cat a",
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
        while !writer.is_finished() {
            thread::sleep(Duration::from_millis(200));
            kill_workers();
        }
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
        let waited = start.elapsed() > HELD_UP;
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
