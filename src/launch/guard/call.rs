//! Which system call asks for what: numbers and argument order, by architecture.
//!
//! Every call that can make a name is in this table; one that is not is answered with `ENOSYS`.

use super::entry::{self, At};
use super::open::{self, Wish};
use super::socket;
use super::{Outcome, Request};
use crate::sys::Errno;
use crate::sys::notify::Call;

const HERE: i32 = libc::AT_FDCWD;

pub(super) fn perform(request: &mut Request<'_>, call: &Call) -> Outcome {
    let [a, b, c, d, e, _] = call.args;
    match libc::c_long::from(call.number) {
        libc::SYS_bind => socket::bind(request, int(a), b, c),
        libc::SYS_openat => open::perform(request, wish(int(a), b, int(c), d)),
        libc::SYS_mkdirat => entry::make_folder(request, At(int(a), b), word(c)),
        libc::SYS_mknodat => entry::make_node(request, At(int(a), b), word(c)),
        libc::SYS_symlinkat => entry::make_symlink(request, a, At(int(b), c)),
        libc::SYS_linkat => entry::link(request, At(int(a), b), At(int(c), d), int(e)),
        libc::SYS_renameat => entry::rename(request, At(int(a), b), At(int(c), d), 0),
        libc::SYS_renameat2 => entry::rename(request, At(int(a), b), At(int(c), d), word(e)),
        _ => perform_older(request, call),
    }
}

/// The calls without a descriptor argument, which later architectures do not have.
#[cfg(target_arch = "x86_64")]
fn perform_older(request: &mut Request<'_>, call: &Call) -> Outcome {
    const CREAT_FLAGS: i32 = libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC;
    let [a, b, c, ..] = call.args;
    match libc::c_long::from(call.number) {
        libc::SYS_open => open::perform(request, wish(HERE, a, int(b), c)),
        libc::SYS_creat => open::perform(request, wish(HERE, a, CREAT_FLAGS, b)),
        libc::SYS_mkdir => entry::make_folder(request, At(HERE, a), word(b)),
        libc::SYS_mknod => entry::make_node(request, At(HERE, a), word(b)),
        libc::SYS_symlink => entry::make_symlink(request, a, At(HERE, b)),
        libc::SYS_link => entry::link(request, At(HERE, a), At(HERE, b), 0),
        libc::SYS_rename => entry::rename(request, At(HERE, a), At(HERE, b), 0),
        _ => Err(Errno::ENOSYS.into()),
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn perform_older(_request: &mut Request<'_>, _call: &Call) -> Outcome {
    Err(Errno::ENOSYS.into())
}

fn wish(dirfd: i32, path: u64, flags: i32, mode: u64) -> Wish {
    Wish { dirfd, path, flags, mode: word(mode) }
}

/// The kernel too looks at the lower half of a register for an int.
fn int(register: u64) -> i32 {
    register as u32 as i32
}

fn word(register: u64) -> u32 {
    register as u32
}
