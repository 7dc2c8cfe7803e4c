//! Probes: the finished sandbox is tried from inside before the agent starts. A layer that does not hold stops the launch.
//!
//! Runs in pid 1 after every restriction is in force; no allocation. Each probe has a number, which is the `entry` of
//! its failure.

use super::child::Staged;
use super::ready::{Probes, Ready};
use super::stage::{Stage, StageFailure};
use crate::sys::process::{Ended, Side};
use crate::sys::{Errno, Sys, file, foreign, mount, process, socket};
use std::os::fd::AsFd;

/// What each probe tries, for messages; the place is its number.
pub const PROBES: [&str; 8] = [
    "a host file must not be found by its path",
    "Landlock must refuse a host file whose folder is held open",
    "a nested user namespace must be refused",
    "a mount must be refused",
    "a 32-bit system call must end its process",
    "an x32 system call must end its process",
    "without namespaces, a local socket must be refused",
    "without namespaces, a signal to the launcher must be refused",
];

/// Tries them all, in order.
pub(super) fn run(ready: &Ready) -> Staged<()> {
    let probes = &ready.probes;
    must_fail(0, find_planted(probes))?;
    if ready.ruleset.is_some() {
        must_fail(1, open_planted(probes))?;
    }
    must_fail(2, process::unshare(libc::CLONE_NEWUSER))?;
    must_fail(3, mount::classic(c"none", c"/", Some(c"tmpfs"), 0, None))?;
    if let Some(bare) = &ready.bare {
        must_fail(6, socket::open_local().map(drop))?;
        if bare.seal.is_some() {
            must_fail(7, process::send_signal(bare.launcher, 0))?;
        }
    }
    if probes.foreign_abi {
        must_end(4, foreign::call_i386)?;
        must_end(5, foreign::call_x32)?;
    }
    Ok(())
}

fn find_planted(probes: &Probes) -> Sys<()> {
    let Some(path) = &probes.planted_path else { return Err(Errno::ENOENT) };
    file::open(path, libc::O_PATH).map(drop)
}

fn open_planted(probes: &Probes) -> Sys<()> {
    let Some((folder, name)) = &probes.planted_at else { return Err(Errno::EACCES) };
    match file::openat(folder.as_fd(), name, libc::O_RDONLY, 0) {
        // Only this errno is Landlock's; any other means that the probe proved nothing.
        Err(Errno::EACCES) => Err(Errno::EACCES),
        _ => Ok(()),
    }
}

fn must_fail(number: u16, tried: Sys<()>) -> Staged<()> {
    match tried {
        Err(_) => Ok(()),
        Ok(()) => Err(StageFailure { stage: Stage::Probe, entry: number, errno: Errno::EISCONN }),
    }
}

/// Makes the call in a child of its own. SIGSYS is the filter; SIGSEGV and ENOSYS are a kernel without that ABI.
fn must_end(number: u16, call: fn() -> i64) -> Staged<()> {
    let failure = |errno| StageFailure { stage: Stage::Probe, entry: number, errno };
    match process::fork_bare().map_err(failure)? {
        Side::Child => {
            let answer = call();
            process::exit_now(if answer == -i64::from(libc::ENOSYS) { 38 } else { 0 })
        }
        Side::Parent(pid) => match process::wait_for(pid).map_err(failure)? {
            Ended::Signaled(libc::SIGSYS | libc::SIGSEGV) | Ended::Exited(38) => Ok(()),
            _ => Err(failure(Errno::EISCONN)),
        },
    }
}
