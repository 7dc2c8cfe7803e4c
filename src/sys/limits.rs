//! Resource limits of one process (getrlimit(2)).

use super::{Sys, checked_int};
use std::mem::MaybeUninit;

/// Which limit; the numbers are those of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Private writable memory, bytes (Linux 4.7 counts mappings too).
    Data,
    /// Processes and threads of this user in this user namespace (Linux 5.14).
    Processes,
    /// One more than the highest descriptor number.
    OpenFiles,
    /// Bytes a file may grow to.
    FileSize,
    /// Bytes of a core dump.
    Core,
}

impl Resource {
    fn number(self) -> libc::__rlimit_resource_t {
        match self {
            Self::Data => libc::RLIMIT_DATA,
            Self::Processes => libc::RLIMIT_NPROC,
            Self::OpenFiles => libc::RLIMIT_NOFILE,
            Self::FileSize => libc::RLIMIT_FSIZE,
            Self::Core => libc::RLIMIT_CORE,
        }
    }
}

/// Lowers a limit to `most`, soft and hard. A hard limit that is lower already stays.
/// # Errors
/// As setrlimit(2).
pub fn lower(resource: Resource, most: u64) -> Sys<()> {
    let hard = hard_limit(resource)?.min(most);
    let limit = libc::rlimit { rlim_cur: hard, rlim_max: hard };
    // SAFETY: the struct outlives the call.
    checked_int(unsafe { libc::setrlimit(resource.number(), &raw const limit) }).map(drop)
}

/// The soft limit of another thread of this user; `u64::MAX` means none.
/// # Errors
/// `ESRCH` when it is gone, `EPERM` for one that is somebody else's.
pub fn of_thread(tid: u32, resource: Resource) -> Sys<u64> {
    let tid = libc::pid_t::try_from(tid).map_err(|_| super::Errno::ESRCH)?;
    let mut limit = MaybeUninit::<libc::rlimit64>::uninit();
    // SAFETY: nothing is set, and the buffer has the type the call writes.
    checked_int(unsafe { libc::prlimit64(tid, resource.number(), std::ptr::null(), limit.as_mut_ptr()) })?;
    // SAFETY: the call succeeded and so filled it.
    Ok(unsafe { limit.assume_init() }.rlim_cur)
}

/// The hard limit now; `u64::MAX` means none.
/// # Errors
/// As getrlimit(2).
pub fn hard_limit(resource: Resource) -> Sys<u64> {
    let mut limit = MaybeUninit::<libc::rlimit>::uninit();
    // SAFETY: the buffer has the type the call writes.
    checked_int(unsafe { libc::getrlimit(resource.number(), limit.as_mut_ptr()) })?;
    // SAFETY: the call succeeded and so filled it.
    Ok(unsafe { limit.assume_init() }.rlim_max)
}
