//! One run of a program as a user: arguments, input, descriptors, time; and what came of it.

use super::{Home, PATH, User};
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{PoisonError, RwLock, mpsc};
use std::time::{Duration, Instant};

/// What takes longer will never come, on the slowest machine. Nothing waits so long unless the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// Held shared from a fork to its exec, and alone while a file is written: a process forked in between would hold the
/// file open for writing, and nobody could execute it (ETXTBSY).
static FORKS: RwLock<()> = RwLock::new(());

/// Starts a program; it has been executed when this returns.
pub(crate) fn spawn(command: &mut Command) -> io::Result<Child> {
    let _forks = FORKS.read().unwrap_or_else(PoisonError::into_inner);
    command.spawn()
}

/// Does what opens a file for writing that may be executed later.
pub(crate) fn while_nobody_forks<T>(write: impl FnOnce() -> T) -> T {
    let _alone = FORKS.write().unwrap_or_else(PoisonError::into_inner);
    write()
}

/// A program that will run.
pub(crate) struct Run {
    pub(crate) command: Command,
    input: Option<Vec<u8>>,
    patience: Duration,
}

/// What a run gave. A signal that ended the program itself is `-n` in `code`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) code: i32,
}

impl Output {
    /// What went to stdout, as text.
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// What went to stderr, as text.
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Fails the test unless the exit code is this one; gives what went to stdout.
    #[track_caller]
    pub(crate) fn expect_code(&self, code: i32) -> String {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout(), self.stderr());
        self.stdout()
    }

    /// Fails the test unless stderr has this text.
    #[track_caller]
    pub(crate) fn expect_said(&self, text: &str) {
        assert!(self.stderr().contains(text), "stderr lacks {text:?}: {}", self.stderr());
    }
}

impl Run {
    /// A program in a home's working folder, with a small environment and /dev/null as stdin.
    pub(crate) fn new(program: &Path, home: &Home) -> Self {
        Self::within(&[], program, home)
    }

    /// The same in these namespaces, entered in this order before the program's user is.
    pub(crate) fn within(namespaces: &'static [OwnedFd], program: &Path, home: &Home) -> Self {
        let mut command = Command::new(program);
        let name = if home.user.is_root() { "root" } else { "tester" };
        command.env_clear().env("HOME", home.path()).env("PATH", PATH).env("LANG", "C.UTF-8");
        command.env("USER", name).env("TERM", "xterm").current_dir(home.work());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let user = home.user;
        let work = home.work();
        let enter = move || {
            for namespace in namespaces {
                nix::sched::setns(namespace, nix::sched::CloneFlags::empty())?;
            }
            if !namespaces.is_empty() {
                nix::unistd::chdir(&work)?; // another mount namespace begins at its root
            }
            become_user(user)
        };
        // SAFETY: the closure makes system calls only; it takes no lock, and a path this short is laid out on the stack.
        unsafe { command.pre_exec(enter) };
        Self { command, input: None, patience: PATIENCE }
    }

    /// More arguments.
    pub(crate) fn args(mut self, args: &[impl AsRef<OsStr>]) -> Self {
        self.command.args(args);
        self
    }

    /// A variable of the caller.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// The folder to start in.
    pub(crate) fn folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Bytes on stdin, through a pipe.
    pub(crate) fn input(mut self, bytes: &[u8]) -> Self {
        self.command.stdin(Stdio::piped());
        self.input = Some(bytes.to_vec());
        self
    }

    /// Starts with these descriptors closed (0, 1 or 2).
    pub(crate) fn closed(mut self, numbers: &'static [RawFd]) -> Self {
        let close = move || {
            numbers.iter().try_for_each(|number| {
                // SAFETY: an integer; the child is about to exec and nothing in it owns a standard descriptor.
                nix::errno::Errno::result(unsafe { libc::close(*number) })?;
                Ok(())
            })
        };
        // SAFETY: the closure makes system calls only; it takes no lock and does not allocate.
        unsafe { self.command.pre_exec(close) };
        self
    }

    /// Gives the program an open descriptor under a number below 100.
    pub(crate) fn descriptor(mut self, number: RawFd, fd: OwnedFd) -> Self {
        // Above all numbers that are asked for, so that no two of these overwrite each other.
        let high = nix::fcntl::fcntl(&fd, nix::fcntl::FcntlArg::F_DUPFD_CLOEXEC(100)).unwrap();
        // SAFETY: fcntl made this descriptor just now, and nothing else knows its number.
        let high = unsafe { OwnedFd::from_raw_fd(high) };
        let duplicate = move || {
            // SAFETY: two integers; the child is about to exec, so what `number` was before has no owner left.
            nix::errno::Errno::result(unsafe { libc::dup2(high.as_raw_fd(), number) })?;
            Ok(())
        };
        // SAFETY: the closure makes system calls only; it takes no lock and does not allocate.
        unsafe { self.command.pre_exec(duplicate) };
        self
    }

    /// A limit of the caller itself, such as RLIMIT_FSIZE.
    pub(crate) fn limit(mut self, resource: nix::sys::resource::Resource, most: u64) -> Self {
        let lower = move || Ok(nix::sys::resource::setrlimit(resource, most, most)?);
        // SAFETY: the closure makes one system call; it takes no lock and does not allocate.
        unsafe { self.command.pre_exec(lower) };
        self
    }

    /// A umask of the caller.
    pub(crate) fn umask(mut self, mask: u32) -> Self {
        let set = move || {
            nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(mask));
            Ok(())
        };
        // SAFETY: the closure makes one system call; it takes no lock and does not allocate.
        unsafe { self.command.pre_exec(set) };
        self
    }

    /// How long it may take.
    pub(crate) fn patience(mut self, most: Duration) -> Self {
        self.patience = most;
        self
    }

    /// Starts it and gives it to the test, which must see it end.
    pub(crate) fn start(mut self) -> Started {
        let child = spawn(&mut self.command).unwrap();
        Started { child }
    }

    /// Runs it to its end. What takes too long is ended by its pid, and the test fails.
    #[track_caller]
    pub(crate) fn output(mut self) -> Output {
        let mut child = spawn(&mut self.command).unwrap();
        drop(self.command); // and with it the descriptors it was to pass
        if let (Some(mut pipe), Some(bytes)) = (child.stdin.take(), self.input.take()) {
            std::thread::spawn(move || drop(pipe.write_all(&bytes))); // a program need not read its input
        }
        let stdout = collect(child.stdout.take());
        let stderr = collect(child.stderr.take());
        let end = Instant::now() + self.patience;
        let Some(status) = wait_until(&mut child, end) else {
            child.kill().unwrap();
            child.wait().unwrap();
            let rest = Duration::from_secs(2); // for the message of a failure only
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
            let said = [stdout, stderr].map(|all| text(all.recv_timeout(rest).unwrap_or_default()));
            panic!("still running after {:?}; it said {said:?}", self.patience);
        };
        Output { stdout: all_of(&stdout), stderr: all_of(&stderr), code: status }
    }
}

/// A program that runs. Dropped, it is ended by its pid.
pub(crate) struct Started {
    pub(crate) child: Child,
}

impl Started {
    /// Its pid.
    pub(crate) fn pid(&self) -> i32 {
        self.child.id().try_into().unwrap()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, number: i32) {
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(self.pid()),
            Some(nix::sys::signal::Signal::try_from(number).unwrap()),
        )
        .unwrap();
    }

    /// Reads one line of its stdout.
    pub(crate) fn read_line(&mut self) -> String {
        let mut line = Vec::new();
        let stdout = self.child.stdout.as_mut().unwrap();
        let mut byte = [0];
        while stdout.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        String::from_utf8_lossy(&line).into_owned()
    }

    /// Waits for its end and gives what it still had to say.
    #[track_caller]
    pub(crate) fn finish(&mut self) -> Output {
        drop(self.child.stdin.take());
        let stdout = collect(self.child.stdout.take());
        let stderr = collect(self.child.stderr.take());
        let code = wait_until(&mut self.child, Instant::now() + PATIENCE).expect("it should have ended");
        Output { stdout: all_of(&stdout), stderr: all_of(&stderr), code }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Waits for a condition; `false` when it did not come true in time.
pub(crate) fn comes_true(most: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + most;
    while !condition() {
        if Instant::now() > end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

/// Pids of processes of the host whose command line contains a text.
pub(crate) fn processes_with(text: &str) -> Vec<i32> {
    let numbers = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let shows = |pid: &i32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.windows(text.len()).any(|part| part == text.as_bytes())
    };
    numbers.filter(shows).collect()
}

/// For the child between fork and exec: becomes this user for good.
pub(crate) fn become_user(user: User) -> io::Result<()> {
    if user.become_it {
        nix::unistd::setgroups(&[])?;
        nix::unistd::setresgid(user.uid.into(), user.uid.into(), user.uid.into())?;
        nix::unistd::setresuid(user.uid.into(), user.uid.into(), user.uid.into())?;
    }
    Ok(())
}

fn collect(from: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (done, all) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            drop(from.read_to_end(&mut bytes)); // what was read before an error is what there is
        }
        drop(done.send(bytes)); // nobody waits any more when the test has failed
    });
    all
}

#[track_caller]
fn all_of(collected: &mpsc::Receiver<Vec<u8>>) -> Vec<u8> {
    collected.recv_timeout(PATIENCE).expect("the program ended, and something still holds its output open")
}

fn wait_until(child: &mut Child, end: Instant) -> Option<i32> {
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status.code().unwrap_or_else(|| -status.signal().unwrap()));
        }
        if Instant::now() > end {
            return None;
        }
        std::thread::sleep(Duration::from_millis(3));
    }
}
