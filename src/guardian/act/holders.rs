//! Who still holds what was taken back: open files, working folders and mapped files of a mount that is gone.
//!
//! Found through /proc: a mount keeps its number while somebody holds a file of it. Never touches a process that is not
//! below our init.

use crate::base::{InnerPath, escape};
use crate::guardian::process::Processes;
use crate::profile::OnRevoke;
use crate::sys::{file, process};
use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

/// What is remembered of a mount before it is detached.
#[derive(Debug)]
pub(in crate::guardian) struct Watch {
    /// The numbers of the mounts at and below the place.
    mounts: Vec<u64>,
    /// Processes that had a file of the place mapped.
    mapped: Vec<i32>,
}

impl Watch {
    /// Looks while the mount is still there.
    pub(in crate::guardian) fn before(processes: &Processes, place: &InnerPath) -> Self {
        let all = processes.all();
        let mounts = all.iter().find_map(|pid| mounts_at(*pid, place)).unwrap_or_default();
        let mapped = all.into_iter().filter(|pid| maps(*pid, place)).collect();
        Self { mounts, mapped }
    }

    /// Looks again once it is gone; what still holds it is dealt with as the profile says, and told.
    pub(in crate::guardian) fn after(
        self,
        processes: &Processes,
        on_revoke: Option<OnRevoke>,
    ) -> Vec<String> {
        let mut left = Vec::new();
        for pid in processes.all() {
            let mut held = held(pid, &self.mounts);
            if self.mapped.contains(&pid) {
                held.push("a mapped file".to_owned());
            }
            if held.is_empty() {
                continue;
            }
            let done = deal(processes, pid, on_revoke);
            let program = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
            let program = escape(program.as_os_str().as_bytes());
            left.push(format!("pid {pid} ({program}) {done}: {}", held.join(", ")));
        }
        left
    }
}

fn deal(processes: &Processes, pid: i32, on_revoke: Option<OnRevoke>) -> &'static str {
    let (number, done) = match on_revoke {
        Some(OnRevoke::Stop) => (libc::SIGSTOP, "was stopped"),
        Some(OnRevoke::Kill) => (libc::SIGKILL, "was ended"),
        Some(OnRevoke::Leave) | None => return "holds",
    };
    let sent = processes.descriptor(pid).map(|pidfd| process::signal_pidfd(pidfd.as_fd(), number));
    if sent.is_some_and(|sent| sent.is_ok()) { done } else { "holds" }
}

/// The mounts that a process sees at a place and below it; `None` when it may not be looked into.
fn mounts_at(pid: i32, place: &InnerPath) -> Option<Vec<u64>> {
    // A thread that has ended has no mounts.
    let table = threads(pid).iter().find_map(|thread| std::fs::read(format!("{thread}/mountinfo")).ok())?;
    let numbered = table.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.split(|byte| *byte == b' ');
        let number = str::from_utf8(fields.next()?).ok()?.parse().ok()?;
        let point = InnerPath::new(std::ffi::OsStr::from_bytes(&unescaped(fields.nth(3)?))).ok()?;
        place.contains(&point).then_some(number)
    });
    Some(numbered.collect())
}

/// mountinfo writes blanks and backslashes as three octal digits (proc_pid_mountinfo(5)).
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.get(..3).and_then(|digits| str::from_utf8(digits).ok());
        let octal = digits.filter(|_| *first == b'\\').and_then(|digits| u8::from_str_radix(digits, 8).ok());
        plain.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { tail.get(3..).unwrap_or_default() } else { tail };
    }
    plain
}

/// The threads of a process, in /proc. Each may have descriptors and a working folder of its own (unshare(2)), and the
/// first may have ended while others go on.
fn threads(pid: i32) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks.filter_map(|task| task.path().to_str().map(str::to_owned)).collect()
}

fn maps(pid: i32, place: &InnerPath) -> bool {
    threads(pid).iter().any(|thread| thread_maps(thread, place))
}

fn thread_maps(thread: &str, place: &InnerPath) -> bool {
    let Ok(table) = std::fs::read(format!("{thread}/maps")) else { return false };
    table.split(|byte| *byte == b'\n').any(|line| {
        let at = line.iter().position(|byte| *byte == b'/').and_then(|start| line.get(start..));
        at.and_then(|path| InnerPath::new(std::ffi::OsStr::from_bytes(path)).ok())
            .is_some_and(|path| place.contains(&path))
    })
}

/// What a process holds of these mounts. Asks the kernel for a mount's number only, and no filesystem for anything.
fn held(pid: i32, mounts: &[u64]) -> Vec<String> {
    let found: BTreeSet<String> =
        threads(pid).iter().flat_map(|thread| held_by_thread(thread, mounts)).collect();
    found.into_iter().collect()
}

fn held_by_thread(thread: &str, mounts: &[u64]) -> Vec<String> {
    let is_there = |path: &str| file::mount_of(path).is_ok_and(|mount| mounts.contains(&mount));
    let links = [("cwd", "the working folder"), ("root", "the root")];
    let mut found: Vec<String> = links
        .into_iter()
        .filter(|(link, _)| is_there(&format!("{thread}/{link}")))
        .map(|(_, words)| words.to_owned())
        .collect();
    for entry in std::fs::read_dir(format!("{thread}/fd")).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.to_str().is_some_and(is_there) {
            let name = std::fs::read_link(&path).unwrap_or_default();
            found.push(escape(name.as_os_str().as_bytes()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_a_file_of_the_mount_is_found_and_one_without_is_not() {
        let me = std::process::id() as i32;
        let here = std::env::current_exe().unwrap();
        let file = std::fs::File::open(&here).unwrap();
        let mount = file::mount_of(here.to_str().unwrap()).unwrap();
        let shown = escape(here.as_os_str().as_bytes());
        assert!(held(me, &[mount]).contains(&shown), "{shown}");
        assert!(held(me, &[u64::MAX]).is_empty());
        drop(file);
        assert!(maps(me, &InnerPath::new(&here).unwrap()));
        assert!(!maps(me, &InnerPath::new("/no/such/place").unwrap()));
    }

    #[test]
    fn a_thread_with_descriptors_of_its_own_is_found() {
        let me = std::process::id() as i32;
        let folder = std::env::temp_dir().join(format!("aisandbox-holders-{me}"));
        std::fs::write(&folder, "").unwrap();
        let (say, hear) = std::sync::mpsc::channel();
        let (end, wait) = std::sync::mpsc::channel::<()>();
        let path = folder.clone();
        let thread = std::thread::spawn(move || {
            crate::sys::process::unshare(libc::CLONE_FILES).unwrap();
            let file = std::fs::File::open(&path).unwrap();
            say.send(()).unwrap();
            assert!(wait.recv().is_err());
            drop(file);
        });
        hear.recv().unwrap();
        let mount = file::mount_of(folder.to_str().unwrap()).unwrap();
        let shown = escape(folder.as_os_str().as_bytes());
        assert!(held(me, &[mount]).contains(&shown), "{shown}");
        drop(end);
        thread.join().unwrap();
        assert!(!held(me, &[mount]).contains(&shown), "the control: nobody has it open any more");
        std::fs::remove_file(&folder).unwrap();
    }

    #[test]
    fn the_mounts_below_a_place_are_found_by_component() {
        let me = std::process::id() as i32;
        let root = mounts_at(me, &InnerPath::new("/").unwrap()).unwrap();
        let proc = mounts_at(me, &InnerPath::new("/proc").unwrap()).unwrap();
        assert!(!proc.is_empty() && proc.len() < root.len());
        assert_eq!(mounts_at(me, &InnerPath::new("/pro").unwrap()).unwrap(), [0; 0]);
    }

    #[test]
    fn a_blank_in_the_table_is_a_blank() {
        assert_eq!(unescaped(b"/a\\040b\\134c\\"), b"/a b\\c\\");
    }
}
