//! What the guard tells of calls, on a real kernel, and that it tells the truth of them.

use crate::harness::{Folder, Ran, c, close, native, observed, said, shell};
use aisandbox::profile::Observe;

fn run(name: &str, level: Observe, body: impl FnOnce() -> String) -> (Ran, Folder) {
    let folder = Folder::new(&format!("seen-{name}-{}", level.word()));
    std::fs::write(folder.join("there"), "content\n").unwrap();
    shell(&format!("chmod 666 {}", folder.join("there").display()))();
    let ran = observed(&folder, &folder.plan(&["forbidden"]), level, body);
    (ran, folder)
}

/// What was told of names in the folder, without its path.
fn told(ran: &Ran, folder: &Folder) -> Vec<String> {
    let inside = ran.seen.iter().filter(|line| line.contains(folder.0.to_str().unwrap()));
    inside.map(|line| line.replace(&format!("{}/", folder.0.display()), "")).collect()
}

#[test]
fn each_change_is_told_by_the_path_it_was_made_at() {
    for level in [Observe::Writes, Observe::All] {
        let script = "mkdir d; echo a > d/new; echo b >> d/new; ln -s new d/link; echo c > d/link; mv d/new d/moved; \
                      chmod 600 d/moved; ln d/moved d/two; truncate -s 1 d/two; rm d/two d/moved; rm -r d; echo x > forbidden";
        let (ran, folder) = run("changes", level, shell(script));
        let told = told(&ran, &folder);
        let wanted = [
            "Create d",
            "Create d/new",
            "Append d/new",
            "Create d/link (new)",
            "Overwrite d/new",
            "Rename d/new (d/moved)",
            "Mode d/moved",
            "Create d/two (d/moved)",
            "Overwrite d/two",
            "Delete d/two",
            "Delete d/moved",
            "Delete d/link",
            "Delete d",
        ];
        let kept: Vec<&str> = told
            .iter()
            .map(|line| line.split(" [").next().unwrap())
            .filter(|line| !line.starts_with("Read"))
            .collect();
        assert_eq!(kept, wanted, "{level:?} {ran:?}");
        assert_eq!(ran.denied, [0], "a protected name is told by itself");
    }
}

#[test]
fn reads_are_told_at_all_and_at_no_level_before_it() {
    for (level, reads) in [(Observe::Writes, false), (Observe::All, true)] {
        let (ran, folder) = run(
            "reads",
            level,
            shell("cat < there; ln -s there l; cat l; cat nothing-here; ls . >/dev/null"),
        );
        assert!(ran.output.contains("content\ncontent"), "{ran:?}");
        let told = told(&ran, &folder);
        let read = told.iter().filter(|line| *line == "Read there").count();
        assert_eq!((read == 2, read == 0), (reads, !reads), "{told:?}");
        let missing = told.iter().any(|line| line == "Read nothing-here: ENOENT");
        assert_eq!(missing, reads, "{told:?}");
        let listed = ran.seen.iter().any(|line| *line == format!("Read {}", folder.0.display()));
        assert_eq!(listed, reads, "{ran:?}");
    }
}

#[test]
fn a_refusal_is_told_with_its_error() {
    let (ran, folder) = run(
        "refused",
        Observe::Writes,
        shell(
            "mkdir no; chmod 0 no; echo x > no/x; echo a > own; chmod 444 own; echo y > own; echo z > /etc/new",
        ),
    );
    let told = told(&ran, &folder);
    assert!(told.iter().any(|line| line == "Overwrite own: EACCES"), "{ran:?}");
    assert!(told.iter().any(|line| line.ends_with("no/x: EACCES")), "{ran:?}");
    assert!(ran.seen.iter().any(|line| line == "Create /etc/new: EACCES"), "{ran:?}");
}

#[test]
fn a_program_is_told_with_its_arguments_and_runs() {
    let (ran, _) = run(
        "exec",
        Observe::Writes,
        shell("/bin/echo one 'two words'; cp /bin/true ./t && ./t && echo ran; ./nothing"),
    );
    assert!(ran.output.contains("one two words\nran\n"), "{ran:?}");
    let echo = ran.seen.iter().find(|line| line.starts_with("Execute ") && line.contains("one two words"));
    assert!(echo.is_some_and(|line| line.contains("bin/echo [/bin/echo one two words]")), "{ran:?}");
    assert!(
        ran.seen.iter().any(|line| line.starts_with("Execute ") && line.ends_with("/t [./t]")),
        "{ran:?}"
    );
    assert!(
        !ran.seen.iter().any(|line| line.starts_with("Execute ") && line.contains("nothing [")),
        "{ran:?}"
    );
}

#[test]
fn programs_by_descriptor_and_by_links_of_proc_are_told_as_what_they_are() {
    let body = || {
        let program = std::fs::File::open("/bin/true").unwrap();
        let raw = std::os::fd::AsRawFd::as_raw_fd(&program);
        let argv = [c("as-i-say"), c("x")];
        let argv = [argv[0].as_ptr(), argv[1].as_ptr(), std::ptr::null()];
        let envp = [std::ptr::null::<libc::c_char>()];
        let mut said = String::new();
        for way in 0..2 {
            // SAFETY: the child makes one call and ends.
            let pid = unsafe { libc::fork() };
            if pid == 0 {
                let link = c(format!("/proc/self/fd/{raw}"));
                // SAFETY: NUL-terminated texts and null-terminated lists of such.
                unsafe {
                    match way {
                        0 => libc::syscall(
                            libc::SYS_execveat,
                            raw,
                            c("").as_ptr(),
                            argv.as_ptr(),
                            envp.as_ptr(),
                            libc::AT_EMPTY_PATH,
                        ),
                        _ => libc::syscall(libc::SYS_execve, link.as_ptr(), argv.as_ptr(), envp.as_ptr()),
                    };
                    libc::_exit(9);
                }
            }
            said.push_str(&format!("{:?} ", aisandbox::sys::process::wait_for(pid).unwrap()));
        }
        said
    };
    let (ran, _) = run("fexec", Observe::All, body);
    assert_eq!(ran.output, "Exited(0) Exited(0) ");
    let told =
        ran.seen.iter().filter(|line| line.starts_with("Execute ") && line.ends_with("/true [as-i-say x]"));
    assert_eq!(told.count(), 2, "{ran:?}");
}

#[test]
fn a_caller_that_cannot_be_looked_into_is_refused_and_told() {
    let body = || {
        aisandbox::sys::process::set_dumpable(false).unwrap();
        let open = |flags| {
            // SAFETY: a NUL-terminated path and integers.
            let raw = unsafe { libc::open(c("there").as_ptr(), flags) };
            let said = said(raw);
            close(raw);
            said
        };
        let said = format!("{} | {}", open(libc::O_RDONLY), open(libc::O_WRONLY));
        aisandbox::sys::process::set_dumpable(true).unwrap();
        said
    };
    let (ran, _) = run("blind", Observe::All, body);
    assert_eq!(ran.output.matches("EPERM").count(), 2, "{ran:?}");
    for line in ["Read : EPERM", "Overwrite : EPERM"] {
        assert!(ran.seen.iter().any(|seen| seen == line), "{ran:?}");
    }
    let (ran, _) = run("blind", Observe::Writes, body);
    assert!(ran.output.starts_with("ok | EPERM"), "{ran:?}");
}

#[test]
fn what_passes_by_calls_is_not_there() {
    let body = || {
        let mut room = [0_u8; 256];
        let at = room.as_mut_ptr();
        let how = [0_u64; 3];
        // SAFETY: a kernel that has these calls writes at most into `room`.
        let said = unsafe {
            [
                libc::syscall(libc::SYS_io_uring_setup, 4, at),
                libc::syscall(libc::SYS_open_by_handle_at, libc::AT_FDCWD, at, libc::O_RDONLY),
                libc::syscall(libc::SYS_openat2, libc::AT_FDCWD, c("there").as_ptr(), how.as_ptr(), 24),
                libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0, 1),
            ]
            .map(|rc| if rc < 0 { said(-1) } else { "ok".to_owned() })
        };
        said.join("|")
    };
    for level in [Observe::Writes, Observe::All] {
        let (ran, _) = run("past", level, body);
        assert_eq!(ran.output.matches("ENOSYS").count(), 4, "{ran:?}");
    }
}

#[test]
fn what_is_told_is_what_was_opened_while_the_path_changes_in_memory() {
    let body = || {
        std::fs::write("other", "").unwrap();
        let path = Box::leak(Box::new(*b"there\0"));
        let at = path.as_mut_ptr() as usize;
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let stopped = std::sync::Arc::clone(&stop);
        let flips = std::thread::spawn(move || {
            while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
                for name in [b"other", b"there"] {
                    // RACE: this is the attack.
                    // SAFETY: five bytes of a buffer that is never freed.
                    unsafe { std::ptr::copy(name.as_ptr(), at as *mut u8, 5) };
                }
            }
        });
        let mut counts = [0_u32; 2];
        for _ in 0..3000 {
            // SAFETY: NUL-terminated at every moment.
            let raw = unsafe { libc::open(at as *const libc::c_char, libc::O_WRONLY) };
            let link = std::fs::read_link(format!("/proc/self/fd/{raw}"));
            counts[0] += u32::from(link.as_ref().is_ok_and(|link| link.ends_with("there")));
            counts[1] += u32::from(link.is_ok_and(|link| link.ends_with("other")));
            close(raw);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        flips.join().unwrap();
        format!("{counts:?}")
    };
    let (ran, folder) = run("flips", Observe::Writes, body);
    let told = told(&ran, &folder);
    let count = |name: &str| told.iter().filter(|line| **line == format!("Overwrite {name}")).count();
    assert_eq!(format!("[{}, {}]", count("there"), count("other")), ran.output);
    assert!(count("there") > 0 && count("other") > 0, "{}", ran.output);
}

#[test]
fn without_who_observes_a_call_is_not_there() {
    use aisandbox::sys::process::{Ended, enter_no_new_privs, wait_for};
    // SAFETY: the child makes a few calls and ends.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        enter_no_new_privs().unwrap();
        let trap = aisandbox::plan::trap_filter(aisandbox::profile::Arch::host(), Observe::All);
        drop(aisandbox::sys::seccomp::install_with_listener(&trap.instructions).unwrap());
        let program = c("/bin/true");
        // SAFETY: NUL-terminated paths; a list that is null-terminated.
        let done = unsafe {
            [
                i64::from(libc::open(program.as_ptr(), libc::O_RDONLY)),
                i64::from(libc::unlink(c("/nothing").as_ptr())),
                i64::from(libc::execv(program.as_ptr(), [program.as_ptr(), std::ptr::null()].as_ptr())),
            ]
        };
        let missing = aisandbox::sys::Errno::last() == aisandbox::sys::Errno::ENOSYS;
        aisandbox::sys::process::exit_now(i32::from(!(missing && done == [-1; 3])));
    }
    assert_eq!(wait_for(pid).unwrap(), Ended::Exited(0));
}

/// What /proc says of the reader itself.
const OWN: &str = "grep -c . /proc/self/maps >/dev/null && echo maps; \
    read -r _ < /proc/self/comm && echo comm; \
    p=$(sh -c 'echo $$; exec cat /proc/self/stat'); echo \"$p\" | { read -r pid; read -r first _; [ \"$pid\" = \"$first\" ] && echo itself; }; \
    tr '\\0' ' ' < /proc/self/cmdline; echo; \
    exec 7< there; cat /dev/fd/7; cat /proc/self/fd/7 | head -1; cat < /dev/stdin; \
    ls /proc/self/task | grep -c . ; ls /proc/self/fd | grep -cx 7; bash -c \"cat <(echo sub)\"; \
    head -c 4 /proc/self/exe | tail -c 3; echo; cat /proc/mounts | grep -c . >/dev/null && echo mounts; \
    cat /proc/self/cwd/there; cat /proc/thread-self/comm; cat /proc/cpuinfo | grep -c . >/dev/null && echo cpus; \
    cat /proc/sys/kernel/ostype; cat /proc/../proc/self/environ | grep -c . >/dev/null && echo environ; \
    ls /proc | grep -cx self; echo 5 > /proc/self/oom_score_adj && cat /proc/self/oom_score_adj";

#[test]
fn proc_says_of_a_caller_what_it_says_without_a_guard() {
    let free = Folder::new("seen-proc-free");
    std::fs::write(free.join("there"), "content\n").unwrap();
    let body = || shell(OWN)().replace("seen-proc-free", "F");
    let control = native(&free, body);
    let (ran, _) = run("proc", Observe::All, body);
    assert!(control.output.lines().count() > 15, "{control:?}");
    assert_eq!(control.output, ran.output);
}

#[test]
fn init_tells_nothing_of_itself() {
    let body = || {
        let init = std::os::unix::process::parent_id();
        shell(&format!(
            "echo {init}; cat /proc/{init}/environ | grep -c . >/dev/null; grep -c /cat /proc/{init}/maps >/dev/null; cat /proc/{init}/mem | \
             head -c 1; ls /proc/{init}/fd >/dev/null; cat /proc/{init}/exe | head -c 0; head -c 0 /proc/{init}/fd/3; \
             cut -d' ' -f1 /proc/{init}/stat; cut -d' ' -f1 /proc/{init}/../{init}/stat >/dev/null"
        ))()
    };
    let (ran, _) = run("init", Observe::All, body);
    let init = ran.output.lines().next().unwrap().to_owned();
    assert_eq!(
        ran.output.lines().filter(|line| **line == init).count(),
        2,
        "all may read its state: {ran:?}"
    );
    let of_init = format!("/proc/{init}/");
    let told: Vec<&String> = ran
        .seen
        .iter()
        .filter(|line| line.starts_with("Read") && line.contains(&of_init) && !line.contains(": E"))
        .collect();
    assert_eq!(told, [&format!("Read /proc/{init}/stat")], "{ran:?}");
    // What else names init is read as the caller, so what comes is the caller's own.
    for file in ["/environ", "/maps"] {
        assert!(
            ran.seen.iter().any(|line| line.starts_with("Read /proc/") && line.ends_with(file)),
            "{file} {ran:?}"
        );
    }
}
