//! Runs a body twice alike: once as it is, once under the trap filter with a guard.
//!
//! The test forks "init", which is the guard, and init forks the agent. Both may become an ordinary user first.

use aisandbox::launch::guard::{Denied, Guard, GuardPlan, Missing};
use aisandbox::launch::observed::Observations;
use aisandbox::plan::trap_filter;
use aisandbox::profile::{Arch, Observe};
use aisandbox::sys::seccomp::install_with_listener;
use aisandbox::sys::{Errno, fd, file, process, signal, socket};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) output: String,
    pub(crate) denied: Vec<u16>,
    /// What was observed: act, path and other name, and the error, if there was one.
    pub(crate) seen: Vec<String>,
    pub(crate) code: i32,
}

/// A folder of its own that goes with the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("aisandbox-guard-{}-{name}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(&path, mode).unwrap();
        Self(path.canonicalize().unwrap())
    }

    pub(crate) fn plan(&self, below: &[&str]) -> GuardPlan {
        let folder = aisandbox::base::InnerPath::new(&self.0).unwrap();
        let missing = |(pattern, below): (usize, &&str)| Missing {
            folder: folder.clone(),
            below: PathBuf::from(below),
            pattern: u16::try_from(pattern).unwrap(),
        };
        GuardPlan::from_missing(&below.iter().enumerate().map(missing).collect::<Vec<_>>())
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// The user the agent is in a test that runs as root; others stay who they are.
pub(crate) const ORDINARY: u32 = 4711;

/// Runs a body in a process under no guard, as an ordinary user.
pub(crate) fn native(folder: &Folder, body: impl FnOnce() -> String) -> Ran {
    in_child(|report| {
        become_ordinary();
        std::env::set_current_dir(&folder.0).unwrap();
        agent(report, body)
    })
}

/// Runs a body under the guard, as an ordinary user.
pub(crate) fn guarded(folder: &Folder, plan: &GuardPlan, body: impl FnOnce() -> String) -> Ran {
    observed(folder, plan, Observe::Deny, body)
}

/// The same with calls observed.
pub(crate) fn observed(
    folder: &Folder,
    plan: &GuardPlan,
    level: Observe,
    body: impl FnOnce() -> String,
) -> Ran {
    in_child(|report| {
        become_ordinary();
        std::env::set_current_dir(&folder.0).unwrap();
        init(report, plan, level, body)
    })
}

/// The same without giving up root.
pub(crate) fn guarded_as_is(folder: &Folder, plan: &GuardPlan, body: impl FnOnce() -> String) -> Ran {
    in_child(|report| {
        std::env::set_current_dir(&folder.0).unwrap();
        init(report, plan, Observe::Deny, body)
    })
}

/// Runs a program under the guard and gives its output, both streams.
pub(crate) fn shell(script: &str) -> impl FnOnce() -> String {
    let script = script.to_owned();
    move || {
        let ran =
            std::process::Command::new("sh").args(["-c", &format!("exec 2>&1; {script}")]).output().unwrap();
        String::from_utf8_lossy(&ran.stdout).into_owned()
    }
}

/// Forks; the child gives an exit code and writes its report to the file it is given.
fn in_child(child: impl FnOnce(std::fs::File) -> i32) -> Ran {
    let (read, write) = std::io::pipe().unwrap();
    // SAFETY: libc's fork leaves its own locks usable in the child, which runs single-threaded and ends by _exit.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        drop(read);
        // SAFETY: an integer; the default action ends a run that hangs.
        unsafe { libc::alarm(600) };
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            child(std::fs::File::from(OwnedFd::from(write)))
        }));
        process::exit_now(result.unwrap_or(101));
    }
    drop(write);
    let mut bytes = Vec::new();
    std::fs::File::from(OwnedFd::from(read)).read_to_end(&mut bytes).unwrap();
    let code = match process::wait_for(pid).unwrap() {
        process::Ended::Exited(code) => code,
        process::Ended::Signaled(signal) | process::Ended::Stopped(signal) => 128 + signal,
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (output, told) = text.rsplit_once('\u{1}').unwrap_or((&text, ""));
    let (denied, seen) = told.split_once('\u{2}').unwrap_or((told, ""));
    let denied = denied.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let seen = seen.lines().map(str::to_owned).collect();
    Ran { output: output.to_owned(), denied, seen, code }
}

fn become_ordinary() {
    if nix::unistd::geteuid().is_root() {
        process::drop_groups().unwrap();
        nix::unistd::setgid(ORDINARY.into()).unwrap();
        nix::unistd::setuid(ORDINARY.into()).unwrap();
    }
}

fn agent(mut report: std::fs::File, body: impl FnOnce() -> String) -> i32 {
    process::set_umask(0o027);
    report.write_all(body().as_bytes()).unwrap();
    0
}

fn init(mut report: std::fs::File, plan: &GuardPlan, level: Observe, body: impl FnOnce() -> String) -> i32 {
    let (ours, theirs) = socket::message_pair().unwrap();
    process::set_dumpable(false).unwrap();
    // SAFETY: one thread; the child ends by _exit.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        process::die_with_parent(libc::SIGKILL).unwrap();
        process::set_dumpable(true).unwrap();
        process::enter_no_new_privs().unwrap();
        let listener = install_with_listener(&trap_filter(Arch::host(), level).instructions).unwrap();
        socket::send(theirs.as_fd(), b"l", Some(listener.as_fd()), true).unwrap();
        drop((listener, ours, theirs));
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| agent(report, body)));
        process::exit_now(result.unwrap_or(101));
    }
    drop(theirs);
    let (_, listener) = socket::receive(ours.as_fd(), &mut [0; 8], true).unwrap();
    let proc = file::open(c"/proc", libc::O_PATH | libc::O_DIRECTORY).unwrap();
    let mut guard = Guard::new(plan, proc, listener.unwrap()).unwrap();
    let (hears, tells) = socket::message_pair().unwrap();
    if level.calls() {
        guard.observe(level, tells, 0);
    }
    // The guard waits for a word when it meets a process, and here both are one: so the words are said before.
    (0..32).for_each(|_| socket::send(hears.as_fd(), &[1], None, true).unwrap());
    let mut heard = Heard { observations: Observations::new(hears), seen: Vec::new() };
    let (code, denied) = serve(guard, pid, &mut heard);
    let words: Vec<String> = denied.iter().map(|denied| denied.pattern.to_string()).collect();
    report.write_all(format!("\u{1}{}\u{2}{}", words.join(" "), heard.seen.join("\n")).as_bytes()).unwrap();
    code
}

struct Heard {
    observations: Observations,
    seen: Vec<String>,
}

impl Heard {
    /// Takes what is there: otherwise the guard would wait.
    fn drain(&mut self) {
        while let Ok(Some((told, process))) = self.observations.next(&mut Vec::new()) {
            if process.is_some() {
                self.observations.met().unwrap();
            }
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\n', "?");
            let mut line = format!("{:?} {}", told.act, text(&told.path));
            if !told.other.is_empty() {
                line.push_str(&format!(" ({})", text(&told.other)));
            }
            if !told.arguments.is_empty() {
                line.push_str(&format!(" [{}]", text(&told.arguments).replace('\0', " ").trim_end()));
            }
            line.extend(told.error.map(|errno| format!(": {errno:?}")));
            self.seen.push(line);
        }
    }
}

/// The poll loop of init, as far as the guard needs it.
fn serve(mut guard: Guard, agent: process::Pid, heard: &mut Heard) -> (i32, Vec<Denied>) {
    let children = signal::SignalSet::of(&[libc::SIGCHLD]);
    children.block().unwrap();
    let ends = children.descriptor().unwrap();
    let mut denied = Vec::new();
    let mut code = None;
    loop {
        let mut polled =
            [signal::wants_reading(Some(guard.listener())), signal::wants_reading(Some(ends.as_fd()))];
        signal::poll(&mut polled, 100).unwrap();
        if polled[0].revents & libc::POLLIN != 0 {
            denied.extend(guard.serve_one().unwrap());
        }
        heard.drain();
        signal::next(ends.as_fd()).unwrap();
        while let Ok(Some((pid, ended))) = process::wait_any() {
            denied.extend(guard.reap(pid, ended).unwrap());
            match ended {
                process::Ended::Exited(exit) if pid == agent => code = Some(exit),
                process::Ended::Signaled(signal) if pid == agent => code = Some(128 + signal),
                _ => {}
            }
        }
        if polled[0].revents & libc::POLLHUP != 0
            && let Some(code) = code
        {
            heard.drain();
            return (code, denied);
        }
    }
}

/// Says whether a test that needs this program can run; a skip is told, and is a failure where all must run.
pub(crate) fn has(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths).any(|folder| folder.join(program).exists());
    assert!(
        found || std::env::var_os("AISANDBOX_MUST_RUN").is_none_or(|value| value != "1"),
        "no {program} here"
    );
    if !found {
        eprintln!("skipped: no {program} here");
    }
    found
}

/// A path as C wants it.
pub(crate) fn c(path: impl AsRef<Path>) -> std::ffi::CString {
    std::ffi::CString::new(path.as_ref().as_os_str().as_encoded_bytes()).unwrap()
}

/// The result of a libc call as text: a non-negative value or the errno.
pub(crate) fn said(rc: i32) -> String {
    if rc < 0 { Errno::last().to_string() } else { "ok".into() }
}

/// Closes a descriptor a libc call gave.
pub(crate) fn close(raw: i32) {
    if raw >= 0 {
        fd::close_between(raw, raw.unsigned_abs()).unwrap();
    }
}
