//! Capabilities: all of them away, in every set, and proof that they are.

use super::{Errno, Sys, checked, checked_int};

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Default, Clone, Copy, PartialEq, Eq)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// _LINUX_CAPABILITY_VERSION_3 (capget(2)): two words for each set.
const VERSION_3: u32 = 0x2008_0522;
/// CAP_SETPCAP of linux/capability.h: it may lower the bounding set.
const CAP_SETPCAP: u32 = 8;
/// SECBIT_NOROOT, NO_SETUID_FIXUP and NO_CAP_AMBIENT_RAISE, KEEP_CAPS off, each with its lock (capabilities(7)).
const SECUREBITS: libc::c_ulong = 0b1110_1111;

/// Empties the bounding, ambient, inheritable, permitted and effective sets, and locks the securebits so that uid 0
/// means nothing. Needs CAP_SETPCAP in the user namespace and gives it up last.
/// # Errors
/// `EPERM` without it; `EBUSY` when a capability is still there afterwards.
pub fn drop_all() -> Sys<()> {
    for cap in 0..64 {
        // SAFETY: PR_CAPBSET_DROP takes integers.
        match checked_int(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, cap as libc::c_ulong, 0, 0, 0) }) {
            Ok(_) => {}
            Err(Errno::EINVAL) => break, // one past the last this kernel knows
            Err(errno) => return Err(errno),
        }
    }
    // SAFETY: PR_SET_SECUREBITS takes an integer.
    checked_int(unsafe { libc::prctl(libc::PR_SET_SECUREBITS, SECUREBITS, 0, 0, 0) })?;
    empty_sets()
}

/// As [`drop_all`] where we hold CAP_SETPCAP. Without it the bounding set and the securebits are out of reach, and
/// with no_new_privs they give nothing: then every other set is emptied.
/// # Errors
/// `EBUSY` when a capability is still there afterwards.
pub fn drop_held() -> Sys<()> {
    let [low, _] = get()?;
    if low.effective & 1 << CAP_SETPCAP != 0 { drop_all() } else { empty_sets() }
}

fn empty_sets() -> Sys<()> {
    let clear = libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong;
    // SAFETY: PR_CAP_AMBIENT takes integers.
    checked_int(unsafe { libc::prctl(libc::PR_CAP_AMBIENT, clear, 0, 0, 0) })?;
    set([Data::default(); 2])?;
    if get()? == [Data::default(); 2] { Ok(()) } else { Err(Errno::EBUSY) }
}

fn set(data: [Data; 2]) -> Sys<()> {
    let header = Header { version: VERSION_3, pid: 0 };
    // SAFETY: version 3 reads two Data; both structs outlive the call.
    checked(unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) }).map(drop)
}

fn get() -> Sys<[Data; 2]> {
    let header = Header { version: VERSION_3, pid: 0 };
    let mut data = [Data::default(); 2];
    // SAFETY: version 3 writes two Data; both structs outlive the call.
    checked(unsafe { libc::syscall(libc::SYS_capget, &raw const header, data.as_mut_ptr()) })?;
    Ok(data)
}
