//! Who asks: processes of the sandbox as /proc shows them: the program, its digest, the chain of parents up to init.
//!
//! Told and recorded; never the reason for a yes. A process whose chain does not end at our init is not inside.

use crate::audit::DigestCache;
use crate::base::escape;
use crate::crypto::sha256_file;
use crate::sys::asker;
use crate::wire::subject::{Asker, Process};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

/// The most parents that are told of.
const MOST_PARENTS: usize = 8;
/// The longest chain that is followed to find init.
const LONGEST_CHAIN: usize = 512;

/// The processes of one sandbox.
#[derive(Debug)]
pub struct Processes {
    init: i32,
    digests: Option<DigestCache>,
}

impl Processes {
    /// Those below this init.
    pub fn below(init: i32, digests: Option<DigestCache>) -> Self {
        Self { init, digests }
    }

    /// Whether the process behind a descriptor is inside, and its pid.
    pub fn pid_inside(&self, pidfd: BorrowedFd<'_>) -> Option<i32> {
        let pid = asker::pid_of(pidfd).ok()?;
        // RACE: the chain is read by number. The descriptor still naming the same pid afterwards says that the first
        // number was not used anew; of the parents it is only what /proc showed.
        self.is_inside(pid).then_some(pid).filter(|pid| asker::pid_of(pidfd) == Ok(*pid))
    }

    /// Whether this process descends from init.
    pub fn is_inside(&self, pid: i32) -> bool {
        pid == self.init || self.chain(pid).contains(&self.init)
    }

    /// The pids above a process, nearest first, up to init or where the chain breaks.
    fn chain(&self, pid: i32) -> Vec<i32> {
        let mut chain = Vec::new();
        let mut at = pid;
        while at != self.init && chain.len() < LONGEST_CHAIN {
            let Some(above) = parent(at).filter(|above| *above > 0) else { break };
            chain.push(above);
            at = above;
        }
        chain
    }

    /// What is told of a process that asks.
    pub fn asker(&self, pid: i32) -> Asker {
        let parents = self.chain(pid).into_iter().take_while(|above| *above != self.init).take(MOST_PARENTS);
        Asker { process: self.seen(pid), parents: parents.map(|above| self.seen(above)).collect() }
    }

    fn seen(&self, pid: i32) -> Process {
        let link = std::fs::read_link(format!("/proc/{pid}/exe"));
        let program = link.map(|path| escape(path.as_os_str().as_bytes())).unwrap_or_default();
        let file = File::open(format!("/proc/{pid}/exe")).ok();
        Process { pid, program, sha256: file.and_then(|file| self.digest(&file)) }
    }

    /// The digest of a program's file, from the cache where it has not changed.
    pub(super) fn digest(&self, file: &File) -> Option<String> {
        let digest = match &self.digests {
            Some(cache) => cache.digest_of(file.as_fd()),
            None => sha256_file(file.as_fd()),
        };
        digest.ok().map(|digest| digest.to_string())
    }

    /// Every process of the sandbox but init, as their pids are outside.
    pub fn all(&self) -> Vec<i32> {
        let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        for pid in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let number = pid.file_name().to_str().and_then(|name| name.parse().ok());
            let Some(pid) = number else { continue };
            let Some(above) = parent(pid) else { continue };
            children.entry(above).or_default().push(pid);
        }
        let (mut found, mut next) = (Vec::new(), vec![self.init]);
        while let Some(pid) = next.pop() {
            let below = children.remove(&pid).unwrap_or_default();
            found.extend(&below);
            next.extend(below);
        }
        found
    }

    /// The pid outside of a task that is numbered so inside; FUSE tells tasks, not processes.
    pub fn outer(&self, inner: u32) -> Option<i32> {
        let has = |task: &str| {
            let status = std::fs::read_to_string(format!("{task}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
            line.split_whitespace().last().and_then(|number| number.parse().ok()) == Some(inner)
        };
        let all = self.all();
        let process = all.iter().copied().find(|pid| has(&format!("/proc/{pid}")));
        process.or_else(|| {
            all.into_iter().find(|pid| {
                let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
                tasks.into_iter().any(|task| task.path().to_str().is_some_and(has))
            })
        })
    }

    /// The process inside that has the socket of this inode open; the first that is found, where several share it.
    pub fn holder_of_socket(&self, inode: u64) -> Option<i32> {
        let name = format!("socket:[{inode}]");
        self.all().into_iter().find(|pid| {
            let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            open.into_iter()
                .any(|entry| std::fs::read_link(entry.path()).is_ok_and(|link| link.as_os_str() == &*name))
        })
    }

    /// A descriptor of a process, when it is inside.
    pub fn descriptor(&self, pid: i32) -> Option<OwnedFd> {
        let pidfd = asker::descriptor_of(pid).ok()?;
        self.is_inside(pid).then_some(pidfd)
    }
}

/// The parent's pid; the name in front of it may hold anything, so the last `)` counts.
fn parent(pid: i32) -> Option<i32> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = str::from_utf8(stat.get(end + 1..)?).ok()?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_child_is_inside_and_a_stranger_is_not() {
        let mut child = Command::new("/bin/sleep").arg("60").spawn().unwrap();
        let pid = child.id() as i32;
        let me = std::process::id() as i32;
        let ours = Processes::below(me, None);
        let pidfd = asker::descriptor_of(pid).unwrap();
        assert_eq!(ours.pid_inside(pidfd.as_fd()), Some(pid));
        assert!(ours.all().contains(&pid) && !ours.is_inside(1));
        assert_eq!(Processes::below(pid, None).pid_inside(asker::descriptor_of(me).unwrap().as_fd()), None);
        let asker = ours.asker(pid);
        assert!(asker.process.program.ends_with("sleep") && asker.parents.is_empty(), "{asker:?}");
        assert_eq!(ours.outer(pid as u32), Some(pid), "here, inside and outside are the same");
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(ours.pid_inside(pidfd.as_fd()), None, "it has ended");
    }
}
