//! What the tests of the real binary stand on: users to run as, a home of its own for each test, and skips that say why.
//!
//! Never tests anything itself. Each file of tests includes it with `mod support;` and uses a part of it.
#![allow(dead_code, reason = "each file of tests uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends by panicking")]
#![allow(clippy::panic, clippy::indexing_slicing, reason = "the same")]

pub(crate) mod pages;
pub(crate) mod pty;
pub(crate) mod run;
pub(crate) mod segment;

use run::{Output, Run};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The programs of the machine, without anything of a person's home.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The ordinary user that root becomes for the second half of each test.
const NOBODY: u32 = 65534;

/// Who a test runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    /// We are root and become this user first.
    pub(crate) become_it: bool,
}

impl User {
    /// Whether this is uid 0.
    pub(crate) fn is_root(self) -> bool {
        self.uid == 0
    }
}

/// Root and an ordinary user when the tests run as root; otherwise the one who runs them. A user who may not make
/// namespaces here is left out, with the reason.
pub(crate) fn users() -> Vec<User> {
    binary(); // first: a process forked while it is being written could keep it busy (ETXTBSY)
    let me = nix::unistd::getuid().as_raw();
    let mut all = vec![User { uid: me, become_it: false }];
    if me == 0 {
        all.push(User { uid: NOBODY, become_it: true });
    }
    all.retain(|user| {
        let may = may_make_namespaces(*user);
        if !may {
            skip(&format!("uid {} may not make user namespaces here", user.uid));
        }
        may
    });
    all
}

/// Runs a body once for each user, each time with a new home.
pub(crate) fn for_each_user(mut body: impl FnMut(Home)) {
    for user in users() {
        eprintln!("as uid {}:", user.uid);
        body(Home::of(user));
    }
}

/// Says why something was not tested. Where everything must run, as in CI, that is a failure.
pub(crate) fn skip(reason: &str) {
    assert!(
        std::env::var_os("AISANDBOX_MUST_RUN").is_none_or(|value| value != "1"),
        "must run, but: {reason}"
    );
    eprintln!("skipped: {reason}");
}

/// Whether a program is on this machine; if not, the test is skipped with the reason.
pub(crate) fn has_program(name: &str) -> bool {
    let there = std::env::split_paths(PATH).any(|folder| folder.join(name).exists());
    if !there {
        skip(&format!("{name} is not on this machine"));
    }
    there
}

fn may_make_namespaces(user: User) -> bool {
    let mut probe = std::process::Command::new("/bin/true");
    // SAFETY: the closure makes system calls only; it takes no lock and does not allocate.
    unsafe {
        probe.pre_exec(move || {
            run::become_user(user)?;
            Ok(nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER)?)
        })
    };
    let ended = run::spawn(&mut probe).and_then(|mut probe| probe.wait());
    ended.is_ok_and(|status| status.success())
}

/// The binary under test, at a place that every user can execute. Root's copy goes when the tests end.
pub(crate) fn binary() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| {
        let built = PathBuf::from(env!("CARGO_BIN_EXE_aisandbox"));
        if !nix::unistd::getuid().is_root() {
            return built;
        }
        let copy = copy_folder();
        fs::DirBuilder::new().mode(0o755).create(&copy).unwrap();
        run::while_nobody_forks(|| fs::copy(built, copy.join("aisandbox"))).unwrap();
        // SAFETY: the function is a plain one of this program, which stays loaded until the process ends.
        unsafe { libc::atexit(remove_copy) };
        copy.join("aisandbox")
    })
}

fn copy_folder() -> PathBuf {
    std::env::temp_dir().join(format!("aisandbox-binary-{}", std::process::id()))
}

extern "C" fn remove_copy() {
    drop(fs::remove_dir_all(copy_folder()));
}

/// A home of one test, owned by its user, with a folder `work` to stand in. It goes with the test.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) user: User,
    base: PathBuf,
}

impl Home {
    /// An empty home for a user.
    pub(crate) fn of(user: User) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        binary();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("aisandbox-test-{}-{number}", std::process::id());
        let base = std::env::temp_dir().canonicalize().unwrap().join(name);
        fs::DirBuilder::new().mode(0o755).create(&base).unwrap();
        let home = Self { user, base };
        for folder in [home.path(), home.work()] {
            fs::DirBuilder::new().mode(0o755).create(&folder).unwrap();
            home.give(&folder);
        }
        home
    }

    /// The same with a file; `path` is below the home, and `work/…` below the working folder.
    pub(crate) fn with(self, path: &str, content: &str) -> Self {
        self.write(path, content);
        self
    }

    /// Writes a file below the home, with the folders above it.
    pub(crate) fn write(&self, path: &str, content: &str) -> PathBuf {
        let file = self.join(path);
        self.make_folder(Path::new(path).parent().unwrap().to_str().unwrap());
        run::while_nobody_forks(|| fs::write(&file, content)).unwrap();
        self.give(&file);
        file
    }

    /// Writes a program below the home.
    pub(crate) fn write_program(&self, path: &str, content: &str) -> PathBuf {
        let file = self.write(path, content);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        file
    }

    /// Makes a folder below the home, with the folders above it.
    pub(crate) fn make_folder(&self, path: &str) -> PathBuf {
        let mut folder = self.path();
        for part in Path::new(path) {
            folder.push(part);
            if !folder.exists() {
                fs::create_dir(&folder).unwrap();
                self.give(&folder);
            }
        }
        folder
    }

    fn give(&self, path: &Path) {
        if self.user.become_it {
            chown(path, Some(self.user.uid), Some(self.user.uid)).unwrap();
        }
    }

    /// The home folder.
    pub(crate) fn path(&self) -> PathBuf {
        self.base.join("home")
    }

    /// A path below the home.
    pub(crate) fn join(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    /// The folder commands start in.
    pub(crate) fn work(&self) -> PathBuf {
        self.join("work")
    }

    /// A path that only this test uses, outside the home: nothing of it is in the view of `cowork`.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.base.join(name)
    }

    /// The binary with these arguments, as this home's user.
    pub(crate) fn aisandbox(&self, args: &[&str]) -> Run {
        Run::new(binary(), self).args(args)
    }

    /// `aisandbox exec FLAGS -- sh -c SCRIPT`, to be changed before it runs.
    pub(crate) fn sandboxed(&self, flags: &[&str], script: &str) -> Run {
        self.aisandbox(&["exec"]).args(flags).args(&["--", "sh", "-c", script])
    }

    /// Runs `aisandbox exec FLAGS -- sh -c SCRIPT`.
    pub(crate) fn exec(&self, flags: &[&str], script: &str) -> Output {
        self.sandboxed(flags, script).output()
    }

    /// Runs a script as this user in the same folder, without a sandbox.
    pub(crate) fn outside(&self, script: &str) -> Output {
        Run::new(Path::new("/bin/sh"), self).args(&["-c", script]).output()
    }

    /// The control and the case: a script without a sandbox, then inside one.
    pub(crate) fn run_both(&self, profile: &str, script: &str) -> (Output, Output) {
        (self.outside(script), self.exec(&["--profile", profile], script))
    }

    /// Every path below the home except our own records, sorted: to compare before and after.
    pub(crate) fn listing(&self) -> Vec<String> {
        let mut found = Vec::new();
        walk(&self.path(), &mut found);
        found.retain(|path| !path.contains("/.local/state") && !path.contains("/.cache"));
        found.retain(|path| !path.ends_with("/.local"));
        found.sort();
        found
    }

    /// The texts of the records of all runs, oldest first: a line of JSON for each event.
    pub(crate) fn records(&self) -> Vec<String> {
        logs(&self.join(".local/state/aisandbox/runs")).iter().map(|log| log_text(log)).collect()
    }
}

/// The folders of all logs, oldest first.
pub(crate) fn logs(runs: &Path) -> Vec<PathBuf> {
    let all = aisandbox::audit::with_logs(runs).unwrap();
    all.into_iter().map(|run| runs.join(run.to_string())).collect()
}

/// The events of a log as far as they hold, a line of JSON each, without what the log says of itself. What a killed
/// launcher did not finish is no fault.
pub(crate) fn log_text(log: &Path) -> String {
    use aisandbox::audit::log::{State, read};
    let run = log.file_name().unwrap().to_str().unwrap();
    let mut text = String::new();
    let verdict = read(log, &mut |found| {
        let record = aisandbox::audit::Record::of(run, &found);
        if !record.event.starts_with("log.") {
            text += &(aisandbox::audit::json(&record).unwrap() + "\n");
        }
    });
    let verdict = verdict.unwrap();
    assert_ne!(verdict.state, State::Tampered, "{}: {verdict:?}", log.display());
    text
}

fn walk(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        found.push(entry.path().to_string_lossy().into_owned());
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), found);
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.base));
    }
}
