//! Floor: the least a launcher of this kind can do: one clone, ten mounts, pivot, exec. No program of its own is
//! loaded, nothing is parsed, and nothing confines the command but the namespaces.

use aisandbox::sys::mount::{self, attr};
use aisandbox::sys::process::{self, Ended, ExecStrings, Side};
use aisandbox::sys::{Sys, fd, file};
use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

/// Where `/usr` is mounted, ten times.
const BINDS: [&CStr; 10] = [c"usr", c"b1", c"b2", c"b3", c"b4", c"b5", c"b6", c"b7", c"b8", c"b9"];
/// Where programs look for their loader, on systems with a merged /usr.
const LINKS: [(&CStr, &CStr); 3] = [(c"bin", c"usr/bin"), (c"lib", c"usr/lib"), (c"lib64", c"usr/lib64")];

/// What is laid out before.
pub(crate) struct Floor {
    uid_map: String,
    gid_map: String,
    argv: ExecStrings,
    envp: ExecStrings,
}

impl Floor {
    pub(crate) fn new() -> Self {
        let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
        Self {
            uid_map: format!("{uid} {uid} 1\n"),
            gid_map: format!("{gid} {gid} 1\n"),
            argv: ExecStrings::new(vec![c"true".to_owned()]),
            envp: ExecStrings::new(Vec::new()),
        }
    }

    /// Starts `/bin/true` and waits for it.
    pub(crate) fn start(&self) {
        let flags = libc::CLONE_NEWUSER
            | libc::CLONE_NEWNS
            | libc::CLONE_NEWPID
            | libc::CLONE_NEWNET
            | libc::CLONE_NEWIPC
            | libc::CLONE_NEWUTS
            | libc::CLONE_NEWCGROUP;
        match process::clone_into_namespaces(flags as u64, None).expect("clone3") {
            Side::Child => process::exit_now(self.child().map_or_else(|errno| errno as i32, |()| 1)),
            Side::Parent(child) => {
                let ended = process::wait_for(child.pid).expect("wait");
                assert_eq!(ended, Ended::Exited(0), "the floor's child");
            }
        }
    }

    fn child(&self) -> Sys<()> {
        for (path, text) in [
            (c"/proc/self/setgroups", "deny"),
            (c"/proc/self/uid_map", &self.uid_map),
            (c"/proc/self/gid_map", &self.gid_map),
        ] {
            let map = file::open(path, libc::O_WRONLY)?;
            fd::write_all(map.as_fd(), text.as_bytes())?;
        }
        let old = file::open(c"/", libc::O_PATH | libc::O_DIRECTORY)?;
        mount::make_private(old.as_fd())?;
        let root = mount::new_filesystem(c"tmpfs", &[], attr::NOSUID | attr::NODEV)?;
        mount::attach(root.as_fd(), old.as_fd())?;
        for name in BINDS {
            bind(&root, &old, name)?;
        }
        for (name, target) in LINKS {
            file::symlinkat(target, root.as_fd(), name)?;
        }
        file::enter_folder(root.as_fd())?;
        mount::pivot_to_working_folder()?;
        mount::detach_working_folder()?;
        Err(process::execute(c"/usr/bin/true", &self.argv, &self.envp))
    }
}

fn bind(root: &OwnedFd, old: &OwnedFd, name: &CStr) -> Sys<()> {
    let tree = mount::clone_tree(old.as_fd(), c"usr", true)?;
    mount::set_attributes(tree.as_fd(), attr::RDONLY | attr::NOSUID | attr::NODEV, true)?;
    file::mkdirat(root.as_fd(), name, 0o755)?;
    let target = file::open_beneath(root.as_fd(), name)?;
    mount::attach(tree.as_fd(), target.as_fd())
}
