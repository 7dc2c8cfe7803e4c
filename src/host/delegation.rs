//! Delegation: where in the unified hierarchy we are, and the nearest cgroup that may hold a leaf of ours.
//!
//! Never moves a process but our own, and that only from a cgroup that holds nobody else into one below it. It may hand
//! controllers down in a cgroup that is ours (cgroup.subtree_control).

use super::cgroup::CgroupError;
use super::facts::Root;
use crate::sys::probe;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The unified hierarchy and our place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Where it is mounted.
    mount: PathBuf,
    /// Our own cgroup, as a folder under `mount`.
    own: PathBuf,
}

impl Place {
    /// Finds both.
    /// # Errors
    /// [`CgroupError::NotDelegated`] when there is no unified hierarchy, or our cgroup is outside what we see of it.
    pub(super) fn find(root: &Root) -> Result<Self, CgroupError> {
        let mount = ["sys/fs/cgroup", "sys/fs/cgroup/unified"]
            .into_iter()
            .map(|below| root.path(below))
            .find(|folder| folder.join("cgroup.controllers").exists())
            .ok_or_else(|| not_delegated("cgroup v2 is not mounted at /sys/fs/cgroup"))?;
        let lines = root.word("proc/self/cgroup").unwrap_or_default();
        let own = lines
            .lines()
            .find_map(|line| line.strip_prefix("0::/"))
            .ok_or_else(|| not_delegated("/proc/self/cgroup has no line for cgroup v2"))?;
        if own.split('/').any(|part| part == "..") {
            return Err(not_delegated("our cgroup lies outside the tree that is mounted here"));
        }
        Ok(Self { own: mount.join(own), mount })
    }

    /// The nearest cgroup, ours or above, that may hold a leaf with these controllers.
    pub(super) fn parent_for(&self, controllers: &[&str]) -> Result<PathBuf, CgroupError> {
        let mut why = Vec::new();
        for folder in self.own.ancestors().take_while(|folder| folder.starts_with(&self.mount)) {
            match suitable(folder, controllers) {
                Ok(()) => return Ok(folder.to_path_buf()),
                Err(reason) => why.push(format!("{} {reason}", self.shown(folder))),
            }
        }
        if self.step_aside() && suitable(&self.own, controllers).is_ok() {
            return Ok(self.own.clone());
        }
        why.truncate(3);
        Err(not_delegated(&why.join("; ")))
    }

    /// A unit with `Delegate=yes` starts us in the very cgroup it delegates, which then cannot limit what is below it.
    /// When nobody else is there, we move into one below, as systemd asks of such a unit (systemd.resource-control(5)).
    fn step_aside(&self) -> bool {
        let alone = words(&self.own.join("cgroup.procs")) == [std::process::id().to_string()];
        if !alone || self.own == self.mount || !may_write(&self.own) {
            return false;
        }
        let below = self.own.join("aisandbox-launcher");
        let made = std::fs::create_dir(&below).or_else(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => Ok(()),
            _ => Err(error),
        });
        made.is_ok() && std::fs::write(below.join("cgroup.procs"), "0").is_ok()
    }

    /// The cgroup as /proc/self/cgroup writes it.
    fn shown(&self, folder: &Path) -> String {
        let below = folder.strip_prefix(&self.mount).unwrap_or(folder);
        format!("/{}", below.to_string_lossy().escape_debug())
    }
}

fn not_delegated(why: &str) -> CgroupError {
    CgroupError::NotDelegated { why: why.to_owned() }
}

/// A leaf may lie here when we may make it, may start processes in it (the kernel asks for the right to write
/// cgroup.procs of the common ancestor), and the controllers are handed down. Enables those where we may.
fn suitable(folder: &Path, controllers: &[&str]) -> Result<(), String> {
    if !may_write(folder) || !may_write(&folder.join("cgroup.procs")) {
        return Err("belongs to somebody else".to_owned());
    }
    let here = words(&folder.join("cgroup.controllers"));
    if let Some(lacking) = controllers.iter().find(|name| !here.iter().any(|word| word == *name)) {
        return Err(format!("has no {lacking} controller"));
    }
    let handed_down = words(&folder.join("cgroup.subtree_control"));
    let missing: Vec<String> = controllers
        .iter()
        .filter(|name| !handed_down.iter().any(|word| word == *name))
        .map(|name| format!("+{name}"))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    // A cgroup that has processes of its own answers EBUSY: then it is one above that must hold the leaf.
    std::fs::write(folder.join("cgroup.subtree_control"), missing.join(" ")).map_err(|error| {
        match error.raw_os_error() {
            Some(libc::EBUSY) => "has processes of its own, so it cannot limit a cgroup below it".to_owned(),
            _ => format!("does not hand its controllers down ({error})"),
        }
    })
}

fn may_write(path: &Path) -> bool {
    CString::new(path.as_os_str().as_bytes()).is_ok_and(|path| probe::may_write(&path))
}

fn words(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fixture::Folder;

    const SLICE: &str = "sys/fs/cgroup/user.slice/app.slice";

    fn machine(handed_down: &str) -> Folder {
        let in_slice = |name: &str| format!("{SLICE}/{name}");
        let in_scope = |name: &str| format!("{SLICE}/run-1.scope/{name}");
        Folder::with(&[
            ("proc/self/cgroup", "1:cpu:/\n0::/user.slice/app.slice/run-1.scope\n"),
            ("sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n"),
            (&in_slice("cgroup.controllers"), "memory pids\n"),
            (&in_slice("cgroup.subtree_control"), handed_down),
            (&in_slice("cgroup.procs"), ""),
            (&in_scope("cgroup.controllers"), "memory\n"),
            (&in_scope("cgroup.procs"), "1\n"),
        ])
    }

    #[test]
    fn the_nearest_cgroup_with_all_controllers_holds_the_leaf() {
        let folder = machine("memory pids\n");
        let place = Place::find(&folder.root()).unwrap();
        assert_eq!(place.parent_for(&["memory", "pids"]).unwrap(), folder.root().path(SLICE));
    }

    #[test]
    fn a_controller_is_handed_down_where_that_is_ours_to_do() {
        let folder = machine("");
        let place = Place::find(&folder.root()).unwrap();
        assert!(place.parent_for(&["pids"]).is_ok());
        assert_eq!(folder.root().word(&format!("{SLICE}/cgroup.subtree_control")).unwrap(), "+pids");
    }

    #[test]
    fn a_controller_that_is_nowhere_is_named() {
        let folder = machine("memory pids\n");
        let refused = Place::find(&folder.root()).unwrap().parent_for(&["cpu"]).unwrap_err().to_string();
        assert!(refused.contains("/user.slice/app.slice has no cpu controller"), "{refused}");
    }

    #[test]
    fn without_the_unified_hierarchy_nothing_is_delegated() {
        let folder =
            Folder::with(&[("sys/fs/cgroup/memory/cgroup.procs", ""), ("proc/self/cgroup", "1:memory:/\n")]);
        let refused = Place::find(&folder.root()).unwrap_err().to_string();
        assert!(refused.contains("cgroup v2 is not mounted"), "{refused}");
    }
}
