//! Names in folders: what is made, moved and read of one name beneath an open folder, and where that folder lies.

use super::{Sys, checked, checked_int};
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Moves a name (renameat2(2)); neither name is followed when it is a symlink.
/// # Errors
/// As renameat2(2).
pub fn rename(from: BorrowedFd<'_>, name: &CStr, to: BorrowedFd<'_>, new_name: &CStr, flags: u32) -> Sys<()> {
    let (old, new) = (name.as_ptr(), new_name.as_ptr());
    // SAFETY: both names are NUL-terminated and outlive the call.
    let rc = unsafe { libc::syscall(libc::SYS_renameat2, from.as_raw_fd(), old, to.as_raw_fd(), new, flags) };
    checked(rc).map(drop)
}

/// Gives a file one more name (linkat(2)). `follow` is for names such as `self/fd/3` beneath /proc.
/// # Errors
/// As linkat(2).
pub fn link(from: BorrowedFd<'_>, name: &CStr, to: BorrowedFd<'_>, new_name: &CStr, follow: bool) -> Sys<()> {
    let flags = if follow { libc::AT_SYMLINK_FOLLOW } else { 0 };
    // SAFETY: both names are NUL-terminated and outlive the call.
    let rc =
        unsafe { libc::linkat(from.as_raw_fd(), name.as_ptr(), to.as_raw_fd(), new_name.as_ptr(), flags) };
    checked_int(rc).map(drop)
}

/// Makes a file, FIFO or socket name (mknodat(2)); never a device.
/// # Errors
/// As mknodat(2).
pub fn make_node(dir: BorrowedFd<'_>, name: &CStr, mode: u32) -> Sys<()> {
    // SAFETY: `name` is NUL-terminated.
    checked_int(unsafe { libc::mknodat(dir.as_raw_fd(), name.as_ptr(), mode, 0) }).map(drop)
}

/// The text of a symlink: of `name` beneath `dir`, or of `dir` itself (O_PATH) when `name` is empty.
/// # Errors
/// As readlinkat(2). A text that fills all of `text` may have been cut.
pub fn read_link(dir: BorrowedFd<'_>, name: &CStr, text: &mut [u8]) -> Sys<usize> {
    // SAFETY: `name` is NUL-terminated; pointer and length are of one buffer.
    let rc =
        unsafe { libc::readlinkat(dir.as_raw_fd(), name.as_ptr(), text.as_mut_ptr().cast(), text.len()) };
    checked(rc as libc::c_long).map(|length| usize::try_from(length).unwrap_or(0))
}

/// Says whether a name is there; a symlink is not followed.
pub fn exists(dir: BorrowedFd<'_>, name: &CStr) -> bool {
    let flags = libc::AT_SYMLINK_NOFOLLOW;
    // SAFETY: `name` is NUL-terminated.
    unsafe { libc::faccessat(dir.as_raw_fd(), name.as_ptr(), libc::F_OK, flags) == 0 }
}

/// Says whether an open file lies in a proc filesystem, where names mean something else to each reader.
/// # Errors
/// As fstatfs(2).
pub fn is_in_proc(fd: BorrowedFd<'_>) -> Sys<bool> {
    let mut found = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the buffer is of the type and size the call writes.
    checked_int(unsafe { libc::fstatfs(fd.as_raw_fd(), found.as_mut_ptr()) })?;
    // SAFETY: the call succeeded and so filled all of it.
    let found = unsafe { found.assume_init() };
    Ok(found.f_type == libc::PROC_SUPER_MAGIC)
}

/// The device a device file stands for, as (major, minor).
/// # Errors
/// As fstat(2).
pub fn device(fd: BorrowedFd<'_>) -> Sys<(u32, u32)> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the buffer is of the type and size fstat writes.
    checked_int(unsafe { libc::fstat(fd.as_raw_fd(), stat.as_mut_ptr()) })?;
    // SAFETY: fstat succeeded and so filled all of it.
    let device = unsafe { stat.assume_init() }.st_rdev;
    Ok((libc::major(device), libc::minor(device)))
}

/// Sets the status flags of an open file, such as O_APPEND and O_NONBLOCK (fcntl(2), F_SETFL).
/// # Errors
/// As fcntl(2).
pub fn set_status_flags(fd: BorrowedFd<'_>, flags: i32) -> Sys<()> {
    // SAFETY: F_SETFL takes integers.
    checked_int(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags) }).map(drop)
}

/// Reads from the start of a file, wherever it stands.
/// # Errors
/// As pread(2).
pub fn read_from_start(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Sys<usize> {
    // SAFETY: pointer and length of one buffer.
    let rc = unsafe { libc::pread(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
    checked(rc as libc::c_long).map(|length| usize::try_from(length).unwrap_or(0))
}
