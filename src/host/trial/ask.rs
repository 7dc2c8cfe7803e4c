//! Places that ask, tried: a FUSE mount in a user namespace, and a mount beneath it.
//!
//! Never mounts anything outside its child's own mount namespace. Nobody serves the mount: it goes with the child.

use super::{State, Verdict, told};
use crate::host::userns::map_ids_to;
use crate::sys::probe::{self, StepFailure, Trial};
use crate::sys::{Errno, Sys, file, mount, process};
use std::os::fd::AsFd;

const STEPS: &[(u8, &str)] = &[
    (1, "write the id maps"),
    (2, "mount a tmpfs"),
    (3, "open /dev/fuse"),
    (4, "mount FUSE"),
    (5, "mount beneath it (Linux 6.5)"),
    (6, "find what is beneath"),
];

/// Whether a place can ask at its first touch. Must run before any thread is started.
pub fn can_ask() -> bool {
    matches!(tried(), Ok(Trial::Held))
}

pub(super) fn ask_mounts() -> Verdict {
    const LAYER: &str = "ask-mounts";
    let trial = tried();
    let fix = match trial {
        Ok(Trial::Held) => {
            return Verdict::enforced(LAYER, "mounted FUSE in a user namespace, and a folder beneath it");
        }
        Ok(Trial::Failed(3, Errno::ENOENT | Errno::ENODEV | Errno::ENXIO)) => "modprobe fuse",
        Ok(Trial::Failed(3, _)) => "chmod 0666 /dev/fuse, as distributions have it",
        Ok(Trial::Failed(4, _)) => "a kernel with FUSE in user namespaces (Linux 4.18)",
        Ok(Trial::Failed(5, _)) => "Linux 6.5 or newer",
        _ => "what the layer namespaces needs",
    };
    Verdict::lacking(LAYER, State::Missing, told(&trial, STEPS), fix)
}

fn tried() -> Sys<Trial> {
    const FLAGS: i32 = libc::CLONE_NEWUSER | libc::CLONE_NEWNS;
    let ids = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    probe::in_child(u64::from(FLAGS.unsigned_abs()), None, || mount_and_ask(ids))
}

fn mount_and_ask(ids: (u32, u32)) -> Result<(), StepFailure> {
    let at = |step: u8| move |errno: Errno| (step, errno);
    // The launcher of a started agent is undumpable, and so is its child: the maps could not be written.
    process::set_dumpable(true).map_err(at(1))?;
    map_ids_to(ids, (0, 0)).map_err(at(1))?; // as a launch does, and FUSE wants the mount's owner mapped
    let root = file::open(c"/", libc::O_PATH | libc::O_DIRECTORY).map_err(at(2))?;
    mount::make_private(root.as_fd()).map_err(at(2))?;
    let tmpfs = || mount::new_filesystem(c"tmpfs", &[], 0);
    let below = tmpfs().map_err(at(2))?;
    mount::attach(below.as_fd(), root.as_fd()).map_err(at(2))?;
    file::mkdirat(below.as_fd(), c"ask", 0o755).map_err(at(2))?;
    let place = file::open_beneath(below.as_fd(), c"ask").map_err(at(2))?;
    let device = mount::open_fuse_device().map_err(at(3))?;
    let asking = mount::new_fuse(device.as_fd(), true, 0).map_err(at(4))?;
    mount::attach(asking.as_fd(), place.as_fd()).map_err(at(4))?;
    let real = tmpfs().map_err(at(5))?;
    file::mkdirat(real.as_fd(), c"found", 0o755).map_err(at(5))?;
    mount::attach_beneath(real.as_fd(), asking.as_fd()).map_err(at(5))?;
    file::enter_folder(below.as_fd()).map_err(at(6))?;
    mount::detach(c"ask").map_err(at(6))?;
    file::open_beneath(below.as_fd(), c"ask/found").map(drop).map_err(at(6))
}
