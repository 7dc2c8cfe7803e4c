//! Landlock: the two calls of the child. The ruleset itself is made before the clone, by `launch::ruleset`.

use super::{Sys, checked};
use std::os::fd::{AsRawFd, BorrowedFd};

#[repr(C, packed)]
struct PathBeneath {
    allowed_access: u64,
    parent_fd: i32,
}

const RULE_PATH_BENEATH: libc::c_int = 1;
const CREATE_RULESET_VERSION: libc::c_uint = 1;

/// Denials that our own binary causes before exec stay out of the kernel's audit log (ABI 7, Linux 6.15).
pub const LOG_SAME_EXEC_OFF: u32 = 1;

/// The newest ABI this kernel speaks, or the errno of a kernel without Landlock.
/// # Errors
/// `ENOSYS` when not built in, `EOPNOTSUPP` when not enabled at boot.
pub fn abi() -> Sys<u32> {
    let none = std::ptr::null::<u8>();
    // SAFETY: the version query takes a null attribute of size zero.
    let rc =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0usize, CREATE_RULESET_VERSION) };
    Ok(u32::try_from(checked(rc)?).unwrap_or(0))
}

/// Allows these rights on what `object` names and all below it.
/// # Errors
/// `EINVAL` for rights the ruleset does not handle, or folder rights on a file.
pub fn add_rule(ruleset: BorrowedFd<'_>, object: BorrowedFd<'_>, allowed_access: u64) -> Sys<()> {
    let rule = PathBeneath { allowed_access, parent_fd: object.as_raw_fd() };
    // SAFETY: the struct is packed as linux/landlock.h lays it out, and outlives the call.
    let rc = unsafe {
        libc::syscall(libc::SYS_landlock_add_rule, ruleset.as_raw_fd(), RULE_PATH_BENEATH, &raw const rule, 0)
    };
    checked(rc).map(drop)
}

/// Puts this process and all it will start under the ruleset, for good. Needs no_new_privs.
/// # Errors
/// `EPERM` without no_new_privs, `E2BIG` below sixteen rulesets.
pub fn restrict_self(ruleset: BorrowedFd<'_>, flags: u32) -> Sys<()> {
    // SAFETY: a descriptor and an integer.
    checked(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), flags) }).map(drop)
}
