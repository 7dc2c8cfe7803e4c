//! The namespaces of a launch, tried at once, with a new root in them.
//!
//! Never mounts anything outside its child's own mount namespace.

use super::{State, Verdict, told};
use crate::host::userns::{self, At, map_ids};
use crate::sys::probe::{self, StepFailure, Trial};
use crate::sys::{Errno, file, mount};

const STEPS: &[(u8, &str)] = &[
    (1, "write the id maps"),
    (2, "make the mounts private"),
    (3, "mount a tmpfs"),
    (4, "mount a /proc"),
    (5, "change the root"),
    (6, "leave the old root behind"),
];

/// All the namespaces of a launch, and a new root in them.
pub(super) fn namespaces() -> Verdict {
    const LAYER: &str = "namespaces";
    const FLAGS: i32 = libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWCGROUP;
    let ids = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    let trial = probe::in_child(u64::from(FLAGS.unsigned_abs()), None, || new_root(ids));
    let why = told(&trial, STEPS);
    let refusal = match trial {
        Ok(Trial::Held) => {
            return Verdict::enforced(
                LAYER,
                "made all seven, mounted a new root with its own /proc, left the old one",
            );
        }
        Ok(Trial::Failed(4, Errno::EPERM)) => {
            let fix = "parts of /proc are covered here: `docker run --security-opt systempaths=unconfined …`, \
                       or `procMount: Unmasked` in a pod";
            return Verdict::lacking(LAYER, State::Missing, why, fix);
        }
        Ok(Trial::Failed(_, errno)) => userns::explain(At::Use, errno),
        Err(errno) => match userns::probe_user_namespace() {
            Err(refusal) => refusal,
            Ok(()) => userns::explain(At::Create, errno),
        },
        Ok(Trial::Killed(_) | Trial::Silent) => userns::explain(At::Create, Errno::EPERM),
    };
    Verdict::lacking(LAYER, State::Missing, format!("{refusal} ({why})"), refusal.fix())
}

/// As pid 1 of the new namespaces.
fn new_root(ids: (u32, u32)) -> Result<(), StepFailure> {
    let at = |step: u8| move |errno: Errno| (step, errno);
    map_ids(ids).map_err(at(1))?;
    mount::classic(c"none", c"/", None, libc::MS_REC | libc::MS_PRIVATE, None).map_err(at(2))?;
    mount::classic(c"tmpfs", c"/tmp", Some(c"tmpfs"), libc::MS_NOSUID | libc::MS_NODEV, None)
        .map_err(at(3))?;
    file::enter_folder_named(c"/tmp").map_err(at(3))?;
    std::fs::create_dir("proc").map_err(|error| (3, userns::errno_of(&error)))?;
    mount::classic(c"proc", c"proc", Some(c"proc"), 0, None).map_err(at(4))?;
    mount::pivot_to_working_folder().map_err(at(5))?;
    mount::detach_working_folder().map_err(at(5))?;
    let names = std::fs::read_dir("/").map_err(|error| (6, userns::errno_of(&error)))?.count();
    if names == 1 { Ok(()) } else { Err((6, Errno::EALREADY)) }
}
