//! Seccomp: putting a finished filter in force.

use super::{Errno, Sys, checked};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// One instruction of classic BPF, as linux/filter.h lays it out.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Operation.
    pub code: u16,
    /// Instructions to skip when a comparison holds.
    pub jt: u8,
    /// Instructions to skip when it does not.
    pub jf: u8,
    /// The operand.
    pub k: u32,
}

#[repr(C)]
struct Program {
    len: u16,
    filter: *const Instruction,
}

const SET_MODE_FILTER: libc::c_uint = 1;
const FLAG_NEW_LISTENER: libc::c_ulong = 1 << 3;
const FLAG_WAIT_KILLABLE_RECV: libc::c_ulong = 1 << 5;

/// Puts a filter in force for this process and all it starts, for good. Needs no_new_privs.
/// # Errors
/// `EINVAL` for a program the kernel does not accept, `EACCES` without no_new_privs, `ENOMEM` past 32768 instructions.
pub fn install(filter: &[Instruction]) -> Sys<()> {
    load(filter, 0).map(drop)
}

/// Puts a filter in force whose USER_NOTIF answers come from the descriptor returned. A caller that was received
/// waits killably, so that signals do not cut a call in half (Linux 5.19; plain waiting before).
/// # Errors
/// `EBUSY` when a filter above has a listener already; otherwise as [`install`].
pub fn install_with_listener(filter: &[Instruction]) -> Sys<OwnedFd> {
    let rc = match load(filter, FLAG_NEW_LISTENER | FLAG_WAIT_KILLABLE_RECV) {
        Err(Errno::EINVAL) => load(filter, FLAG_NEW_LISTENER)?,
        other => other?,
    };
    let raw = RawFd::try_from(rc).map_err(|_| Errno::EBADF)?;
    // SAFETY: with NEW_LISTENER the kernel returns a new descriptor, close-on-exec, that is ours alone.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

fn load(filter: &[Instruction], flags: libc::c_ulong) -> Sys<libc::c_long> {
    let len = u16::try_from(filter.len()).map_err(|_| Errno::E2BIG)?;
    let program = Program { len, filter: filter.as_ptr() };
    // SAFETY: Instruction has the layout of struct sock_filter; pointer and length are of one slice that outlives
    // the call; the kernel copies it.
    checked(unsafe { libc::syscall(libc::SYS_seccomp, SET_MODE_FILTER, flags, &raw const program) })
}
