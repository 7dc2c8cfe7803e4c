//! Which system call asks for what: numbers and argument order, by architecture.
//!
//! Every call that the trap filter sends is in this table; one that is not is answered with `ENOSYS`.

use super::entry::{self, At};
use super::open::{self, Wish};
use super::socket;
use super::{Outcome, Request};
use super::{execute, existing};
use crate::launch::observed::Act;
use crate::sys::Errno;
use crate::sys::notify::Call;

const HERE: i32 = libc::AT_FDCWD;
/// fchmodat2 (Linux 6.6), whose number is the same on every machine.
const SYS_FCHMODAT2: libc::c_long = 452;
#[cfg(target_arch = "x86_64")]
const CREAT_FLAGS: i32 = libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC;

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
        libc::SYS_unlinkat => entry::remove(request, At(int(a), b), int(c)),
        libc::SYS_truncate => existing::truncate(request, a, b),
        libc::SYS_fchmodat => existing::set_mode(request, At(int(a), b), word(c), 0),
        SYS_FCHMODAT2 => existing::set_mode(request, At(int(a), b), word(c), int(d)),
        libc::SYS_execve => execute::perform(request, HERE, a, b, 0),
        libc::SYS_execveat => execute::perform(request, int(a), b, c, int(e)),
        libc::SYS_renameat2 => entry::rename(request, At(int(a), b), At(int(c), d), word(e)),
        _ => perform_older(request, call),
    }
}

/// The calls without a descriptor argument, which later architectures do not have.
#[cfg(target_arch = "x86_64")]
fn perform_older(request: &mut Request<'_>, call: &Call) -> Outcome {
    let [a, b, c, ..] = call.args;
    match libc::c_long::from(call.number) {
        libc::SYS_open => open::perform(request, wish(HERE, a, int(b), c)),
        libc::SYS_creat => open::perform(request, wish(HERE, a, CREAT_FLAGS, b)),
        libc::SYS_unlink => entry::remove(request, At(HERE, a), 0),
        libc::SYS_rmdir => entry::remove(request, At(HERE, a), libc::AT_REMOVEDIR),
        libc::SYS_chmod => existing::set_mode(request, At(HERE, a), word(b), 0),
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

/// What a call is for, as far as its registers say; of bind, only its address does.
pub(super) fn act(call: &Call) -> Option<Act> {
    let [_, b, c, ..] = call.args;
    Some(match libc::c_long::from(call.number) {
        libc::SYS_openat => open::act(int(c)),
        libc::SYS_mkdirat | libc::SYS_mknodat | libc::SYS_symlinkat | libc::SYS_linkat => Act::Create,
        libc::SYS_renameat | libc::SYS_renameat2 => Act::Rename,
        libc::SYS_unlinkat => Act::Delete,
        libc::SYS_truncate => Act::Overwrite,
        libc::SYS_fchmodat | SYS_FCHMODAT2 => Act::Mode,
        libc::SYS_execve | libc::SYS_execveat => Act::Execute,
        _ => return act_of_older(call.number, int(b)),
    })
}

#[cfg(target_arch = "x86_64")]
fn act_of_older(number: i32, flags: i32) -> Option<Act> {
    Some(match libc::c_long::from(number) {
        libc::SYS_open => open::act(flags),
        libc::SYS_creat => open::act(CREAT_FLAGS),
        libc::SYS_mkdir | libc::SYS_mknod | libc::SYS_symlink | libc::SYS_link => Act::Create,
        libc::SYS_rename => Act::Rename,
        libc::SYS_unlink | libc::SYS_rmdir => Act::Delete,
        libc::SYS_chmod => Act::Mode,
        _ => return None,
    })
}

#[cfg(not(target_arch = "x86_64"))]
fn act_of_older(_number: i32, _flags: i32) -> Option<Act> {
    None
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
