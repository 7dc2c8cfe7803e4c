//! Starting one of our own processes: this very program again, by descriptor, with one socket.

use super::process::{self, ExecStrings, Pid, Side};
use super::{Errno, Sys, checked, fd, file, signal};
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

/// The number at which the started process finds its socket.
pub const SOCKET: i32 = 3;
/// The number at which it finds a second descriptor, when it got one.
pub const BESIDE: i32 = 4;

/// This program's file, whatever stands at its path by now.
/// # Errors
/// `ENOENT` without /proc.
pub fn own_program() -> Sys<OwnedFd> {
    file::open(c"/proc/self/exe", libc::O_PATH)
}

/// Starts `program` with these strings. It gets `socket` as descriptor 3, `beside` as 4, `/dev/null` as stdin, stdout and
/// stderr, no other descriptor, no blocked signal, and ends with the thread that started it only by noticing that the
/// socket closed.
/// # Errors
/// `EAGAIN` at a process limit. A failure after the fork ends the child with 126 or 127, which closes the socket.
pub fn start(
    program: BorrowedFd<'_>,
    argv: &ExecStrings,
    envp: &ExecStrings,
    socket: BorrowedFd<'_>,
    beside: Option<BorrowedFd<'_>>,
) -> Sys<(Pid, OwnedFd)> {
    // Above the numbers that are about to be filled, so that none covers another.
    let above = |fd| fd::duplicate_above(fd, 8);
    let null = fd::duplicate_above(file::open(c"/dev/null", libc::O_RDWR)?.as_fd(), 8)?;
    let (program, socket, beside) = (above(program)?, above(socket)?, beside.map(above).transpose()?);
    let given =
        Given { null: null.as_fd(), socket: socket.as_fd(), beside: beside.as_ref().map(AsFd::as_fd) };
    match process::fork_bare()? {
        Side::Child => {
            let errno = become_it(program.as_fd(), argv, envp, &given);
            process::exit_now(if errno == Errno::ENOENT { 127 } else { 126 })
        }
        Side::Parent(pid) => Ok((pid, pidfd(pid)?)),
    }
}

/// Starts the program at a path with these strings: stdin and stderr are `/dev/null`, stdout is `output`, and there is no
/// other descriptor. It leads a process group, and the kernel ends it with the thread that started it.
/// # Errors
/// As [`start`].
pub fn start_command(
    program: &CStr,
    argv: &ExecStrings,
    envp: &ExecStrings,
    output: BorrowedFd<'_>,
) -> Sys<(Pid, OwnedFd)> {
    let null = fd::duplicate_above(file::open(c"/dev/null", libc::O_RDWR)?.as_fd(), 8)?;
    let output = fd::duplicate_above(output, 8)?;
    let become_command = || -> Sys<()> {
        process::die_with_parent(libc::SIGKILL)?;
        process::new_process_group()?;
        for (from, number) in [(&null, 0), (&output, 1), (&null, 2)] {
            fd::duplicate_onto(from.as_fd(), number)?;
        }
        fd::close_on_exec_from(3)?;
        signal::restore(&signal::SignalSet::of(&[]))
    };
    match process::fork_bare()? {
        Side::Child => {
            if become_command().is_ok() {
                signal::reset_dispositions();
                process::execute(program, argv, envp);
            }
            process::exit_now(127)
        }
        Side::Parent(pid) => Ok((pid, pidfd(pid)?)),
    }
}

/// The descriptors of the started process.
struct Given<'a> {
    null: BorrowedFd<'a>,
    socket: BorrowedFd<'a>,
    beside: Option<BorrowedFd<'a>>,
}

/// Between fork and exec: system calls only, on memory laid out before.
fn become_it(program: BorrowedFd<'_>, argv: &ExecStrings, envp: &ExecStrings, given: &Given<'_>) -> Errno {
    if let Err(errno) = place(given).and_then(|()| signal::restore(&signal::SignalSet::of(&[]))) {
        return errno;
    }
    signal::reset_dispositions();
    process::execute_descriptor(program, argv, envp)
}

fn place(given: &Given<'_>) -> Sys<()> {
    (0..3).try_for_each(|number| fd::duplicate_onto(given.null, number))?;
    fd::close_on_exec_from(SOCKET.unsigned_abs())?;
    fd::duplicate_onto(given.socket, SOCKET)?;
    given.beside.map_or(Ok(()), |beside| fd::duplicate_onto(beside, BESIDE))
}

/// A descriptor of a child nobody has waited for yet (pidfd_open(2), Linux 5.3).
fn pidfd(pid: Pid) -> Sys<OwnedFd> {
    // SAFETY: integers only.
    let raw = checked(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    let raw = i32::try_from(raw).map_err(|_| Errno::EOVERFLOW)?;
    // SAFETY: the kernel just made this descriptor for us; it is close-on-exec.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}
