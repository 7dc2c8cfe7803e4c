//! Starting one of our own processes: this very program again, by descriptor, with one socket.

use super::process::{self, ExecStrings, Pid, Side};
use super::{Errno, Sys, checked, fd, file, signal};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

/// The number at which the started process finds its socket.
pub const SOCKET: i32 = 3;

/// This program's file, whatever stands at its path by now.
/// # Errors
/// `ENOENT` without /proc.
pub fn own_program() -> Sys<OwnedFd> {
    file::open(c"/proc/self/exe", libc::O_PATH)
}

/// Starts `program` with these strings. It gets `socket` as descriptor 3, `/dev/null` as stdin, stdout and stderr, no other
/// descriptor, no blocked signal, and ends with the thread that started it only by noticing that the socket closed.
/// # Errors
/// `EAGAIN` at a process limit. A failure after the fork ends the child with 126 or 127, which closes the socket.
pub fn start(
    program: BorrowedFd<'_>,
    argv: &ExecStrings,
    envp: &ExecStrings,
    socket: BorrowedFd<'_>,
) -> Sys<(Pid, OwnedFd)> {
    let null = file::open(c"/dev/null", libc::O_RDWR)?;
    // Above the numbers that are about to be filled, so that none covers another.
    let (program, socket) = (fd::duplicate_above(program, 8)?, fd::duplicate_above(socket, 8)?);
    match process::fork_bare()? {
        Side::Child => {
            let errno = become_it(program.as_fd(), argv, envp, socket.as_fd(), null.as_fd());
            process::exit_now(if errno == Errno::ENOENT { 127 } else { 126 })
        }
        Side::Parent(pid) => Ok((pid, pidfd(pid)?)),
    }
}

/// Between fork and exec: system calls only, on memory laid out before.
fn become_it(
    program: BorrowedFd<'_>,
    argv: &ExecStrings,
    envp: &ExecStrings,
    socket: BorrowedFd<'_>,
    null: BorrowedFd<'_>,
) -> Errno {
    let ready = (0..3).try_for_each(|number| fd::duplicate_onto(null, number));
    let ready = ready
        .and_then(|()| fd::duplicate_onto(socket, SOCKET))
        .and_then(|()| fd::close_on_exec_from(SOCKET.unsigned_abs() + 1))
        .and_then(|()| signal::restore(&signal::SignalSet::of(&[])));
    if let Err(errno) = ready {
        return errno;
    }
    signal::reset_dispositions();
    process::execute_descriptor(program, argv, envp)
}

/// A descriptor of a child nobody has waited for yet (pidfd_open(2), Linux 5.3).
fn pidfd(pid: Pid) -> Sys<OwnedFd> {
    // SAFETY: integers only.
    let raw = checked(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    let raw = i32::try_from(raw).map_err(|_| Errno::EOVERFLOW)?;
    // SAFETY: the kernel just made this descriptor for us; it is close-on-exec.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}
