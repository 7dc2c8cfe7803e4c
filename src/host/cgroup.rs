//! Cgroup: one leaf of the unified hierarchy for one run, where somebody delegated one to us.
//!
//! Never ends a process outside its own leaf, and moves none into it: the child is born there (CLONE_INTO_CGROUP). Where nothing is delegated, the caller uses rlimits and says so.

use super::delegation::Place;
use super::facts::Root;
use crate::base::RunId;
use crate::sys::file;
use std::ffi::CString;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the leaf limits. `None` leaves that to the cgroups above.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Memory of all processes together, swap included.
    pub memory_bytes: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u64>,
    /// Thousandths of one core.
    pub cpu_millis: Option<u64>,
}

impl Limits {
    /// The controllers that these limits need.
    fn controllers(self) -> Vec<&'static str> {
        let wanted = [
            (self.memory_bytes.is_some(), "memory"),
            (self.processes.is_some(), "pids"),
            (self.cpu_millis.is_some(), "cpu"),
        ];
        wanted.into_iter().filter(|(wanted, _)| *wanted).map(|(_, name)| name).collect()
    }

    /// Files of the leaf and what goes in (Documentation/admin-guide/cgroup-v2.rst).
    fn files(self) -> Vec<(&'static str, String)> {
        let mut files = Vec::new();
        if let Some(bytes) = self.memory_bytes {
            files.push(("memory.max", bytes.to_string()));
            files.push(("memory.oom.group", "1".to_owned()));
        }
        if let Some(count) = self.processes {
            files.push(("pids.max", count.to_string()));
        }
        if let Some(millis) = self.cpu_millis {
            files.push(("cpu.max", format!("{} {CPU_PERIOD_MICROS}", millis.saturating_mul(100))));
        }
        files
    }
}

/// Microseconds; with it, a thousandth of a core is 100 of them.
const CPU_PERIOD_MICROS: u64 = 100_000;

/// Why there is no leaf.
#[derive(Debug)]
pub enum CgroupError {
    /// No cgroup was delegated to us; the text says what was found instead.
    NotDelegated {
        /// For people.
        why: String,
    },
    /// A cgroup was delegated, and a step in it failed.
    Failed {
        /// What was tried.
        tried: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the kernel said.
        error: io::Error,
    },
}

impl fmt::Display for CgroupError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDelegated { why } => write!(out, "no cgroup is delegated to us: {why}"),
            Self::Failed { tried, path, error } => {
                write!(out, "{tried} {}: {error}", path.to_string_lossy().escape_debug())
            }
        }
    }
}

impl std::error::Error for CgroupError {}

/// The leaf of one run. Dropping it ends what is still in it and removes it.
#[derive(Debug)]
pub struct Cgroup {
    folder: PathBuf,
    descriptor: OwnedFd,
}

impl Cgroup {
    /// Makes the leaf and sets its limits; nothing is in it yet.
    /// # Errors
    /// [`CgroupError`]; nothing is left behind.
    pub fn create(run: RunId, limits: &Limits) -> Result<Self, CgroupError> {
        Self::create_at(&Place::find(&Root::real())?, run, limits)
    }

    fn create_at(place: &Place, run: RunId, limits: &Limits) -> Result<Self, CgroupError> {
        let parent = place.parent_for(&limits.controllers())?;
        let folder = parent.join(format!("{PREFIX}{}-{run}", std::process::id()));
        std::fs::create_dir(&folder).map_err(failed("make the cgroup", &folder))?;
        let descriptor = open_folder(&folder).inspect_err(|_| drop_folder(&folder));
        let leaf = Self { descriptor: descriptor.map_err(failed("open the cgroup", &folder))?, folder };
        leaf.set(limits)?;
        Ok(leaf)
    }

    fn set(&self, limits: &Limits) -> Result<(), CgroupError> {
        for (name, value) in limits.files() {
            let path = self.folder.join(name);
            std::fs::write(&path, value).map_err(failed("set the limit", &path))?;
        }
        // Without this, swap would add to the memory limit. Kernels without swap accounting have no such file.
        let swap = self.folder.join("memory.swap.max");
        if limits.memory_bytes.is_some() && swap.exists() {
            std::fs::write(&swap, "0").map_err(failed("set the limit", &swap))?;
        }
        Ok(())
    }

    /// For CLONE_INTO_CGROUP.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// The file that freezes all in it when a 1 is written, and lets it go on with a 0 (Linux 5.2).
    /// # Errors
    /// As open(2).
    pub fn freezer(&self) -> io::Result<OwnedFd> {
        let file = std::fs::OpenOptions::new().write(true).open(self.folder.join("cgroup.freeze"))?;
        Ok(file.into())
    }

    /// How often the kernel ended the sandbox for want of memory (`oom_kill` of memory.events).
    pub fn memory_kills(&self) -> u64 {
        let text = std::fs::read_to_string(self.folder.join("memory.events")).unwrap_or_default();
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok()).unwrap_or(0)
    }

    /// Ends what is still in the leaf, removes it, and removes leaves that dead launchers left beside it.
    /// # Errors
    /// `EBUSY` when its processes do not go within a second.
    pub fn remove(self) -> io::Result<()> {
        let removed = end_and_remove(&self.folder);
        if let Some(parent) = self.folder.parent() {
            sweep(parent);
        }
        removed
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        drop_folder(&self.folder);
    }
}

/// Leaves begin with it; the launcher's pid and the run follow.
const PREFIX: &str = "aisandbox-";

fn failed(tried: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CgroupError {
    move |error| CgroupError::Failed { tried, path: path.to_path_buf(), error }
}

fn open_folder(folder: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(folder.as_os_str().as_bytes())?;
    Ok(file::open(&path, libc::O_PATH | libc::O_DIRECTORY)?)
}

fn drop_folder(folder: &Path) {
    if let Err(error) = end_and_remove(folder) {
        tracing::warn!("cgroup {:?} stays: {error}", folder);
    }
}

/// A process that ended stays in its cgroup until it is waited for, so rmdir(2) may say `EBUSY` for a moment.
fn end_and_remove(folder: &Path) -> io::Result<()> {
    const WAITS_MILLIS: [u64; 9] = [0, 1, 2, 5, 10, 50, 100, 300, 500];
    for wait in WAITS_MILLIS {
        std::thread::sleep(Duration::from_millis(wait));
        match std::fs::remove_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => end_all(folder),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => return Ok(()),
        }
    }
    Err(io::Error::from_raw_os_error(libc::EBUSY))
}

/// SIGKILL to all in it at once (`cgroup.kill`, Linux 5.14). Before that, they die with their pid 1.
fn end_all(folder: &Path) {
    let kill = folder.join("cgroup.kill");
    if kill.exists()
        && let Err(error) = std::fs::write(&kill, "1")
    {
        tracing::warn!("cannot end what is in cgroup {:?}: {error}", folder);
    }
}

/// Removes empty leaves whose launcher is gone: it was killed before it could. Only those older than a minute, so
/// that a launcher in another pid namespace, whose pid means nothing here, keeps the leaf it has just made.
///
/// RACE: a pid may be another process by now; then the leaf stays until that one has ended too.
fn sweep(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(pid) = launcher_of(&name.to_string_lossy()) else { continue };
        if Path::new("/proc").join(pid.to_string()).exists() || !is_old(&entry) {
            continue;
        }
        match std::fs::remove_dir(entry.path()) {
            Ok(()) => tracing::debug!("removed the cgroup {name:?} of a launcher that is gone"),
            Err(error) => tracing::debug!("cgroup {name:?} stays: {error}"),
        }
    }
}

fn launcher_of(name: &str) -> Option<u32> {
    let (pid, run) = name.strip_prefix(PREFIX)?.split_once('-')?;
    run.parse::<RunId>().ok()?;
    pid.parse().ok()
}

fn is_old(entry: &std::fs::DirEntry) -> bool {
    const MINUTE: Duration = Duration::from_secs(60);
    let made = entry.metadata().and_then(|data| data.modified());
    made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > MINUTE))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { memory_bytes: Some(4096), processes: Some(7), cpu_millis: Some(1500) };

    #[test]
    fn each_limit_needs_its_controller_and_writes_its_file() {
        assert_eq!(LIMITS.controllers(), ["memory", "pids", "cpu"]);
        assert!(Limits::default().controllers().is_empty());
        let files = LIMITS.files();
        assert!(files.contains(&("memory.max", "4096".to_owned())));
        assert!(files.contains(&("pids.max", "7".to_owned())));
        assert!(files.contains(&("cpu.max", "150000 100000".to_owned())));
    }

    #[test]
    fn only_names_of_ours_are_swept() {
        let run = RunId::from_parts(1, 2);
        assert_eq!(launcher_of(&format!("aisandbox-41-{run}")), Some(41));
        assert_eq!(launcher_of("aisandbox-41-mine"), None);
        assert_eq!(launcher_of("app.slice"), None);
    }

    #[test]
    fn the_sweep_takes_old_leaves_of_dead_launchers_only() {
        const NO_SUCH_PID: u32 = u32::MAX;
        let run = RunId::from_parts(1, 2);
        let folder = crate::host::fixture::Folder::with(&[]);
        let leaf = |pid: u32, age: Duration| {
            let path = folder.root().path(&format!("{PREFIX}{pid}-{run}"));
            std::fs::create_dir(&path).unwrap();
            let made = std::time::SystemTime::now() - age;
            std::fs::File::open(&path).unwrap().set_modified(made).unwrap();
            path
        };
        let hour = Duration::from_secs(3600);
        let (dead, alive) = (leaf(NO_SUCH_PID, hour), leaf(std::process::id(), hour));
        let fresh = leaf(NO_SUCH_PID - 1, Duration::ZERO);
        sweep(&folder.root().path(""));
        assert!(!dead.exists());
        assert!(alive.exists() && fresh.exists());
    }
}
