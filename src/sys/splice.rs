//! Bytes from one socket to another by way of a pipe, without passing through our memory (splice(2)).
//!
//! Never waits.

use super::{Sys, checked, checked_int};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// A pipe: what is written to the second end is read from the first.
#[derive(Debug)]
pub struct Pipe {
    /// Where bytes come out.
    pub read: OwnedFd,
    /// Where bytes go in.
    pub write: OwnedFd,
    /// How many bytes it holds.
    pub bytes: usize,
}

/// Makes a pipe that holds this much, or as much as this user may have (pipe(7), /proc/sys/fs/pipe-max-size).
/// # Errors
/// `EMFILE`, `ENFILE`.
pub fn pipe(bytes: usize) -> Sys<Pipe> {
    let mut ends: [RawFd; 2] = [-1; 2];
    // SAFETY: room for the two descriptors the call writes.
    checked_int(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) })?;
    // SAFETY: the kernel just made it for us.
    let read = unsafe { OwnedFd::from_raw_fd(ends[0]) };
    // SAFETY: the same for the other end.
    let write = unsafe { OwnedFd::from_raw_fd(ends[1]) };
    let wanted = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    // SAFETY: integers only; a refusal leaves the size as it was.
    unsafe { libc::fcntl(write.as_raw_fd(), libc::F_SETPIPE_SZ, wanted) };
    // SAFETY: integers only.
    let bytes = checked_int(unsafe { libc::fcntl(write.as_raw_fd(), libc::F_GETPIPE_SZ) })?;
    Ok(Pipe { read, write, bytes: usize::try_from(bytes).unwrap_or(0) })
}

/// Moves at most this many bytes; one of the two is a pipe. 0 means that the end was reached.
/// # Errors
/// `EAGAIN` when there is nothing to take or no room to put it, `EPIPE` or `ECONNRESET` when the other side is gone.
/// `EPIPE` raises SIGPIPE when `to` is a pipe or a socket: a process that calls this ignores the signal.
pub fn splice(from: BorrowedFd<'_>, to: BorrowedFd<'_>, most: usize) -> Sys<usize> {
    let flags = libc::SPLICE_F_MOVE | libc::SPLICE_F_NONBLOCK;
    let none = std::ptr::null_mut();
    // SAFETY: the offsets are null, as pipes and sockets want; the rest are integers.
    let rc = unsafe { libc::splice(from.as_raw_fd(), none, to.as_raw_fd(), none, most, flags) };
    checked(rc as _).map(|moved| usize::try_from(moved).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Errno;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    #[test]
    fn bytes_and_their_end_go_from_socket_to_socket() {
        let ((mut agent, inner), (outer, mut host)) = (pair(), pair());
        let pipe = pipe(1 << 20).unwrap();
        assert!(pipe.bytes >= 4096);
        assert_eq!(splice(pipe.read.as_fd(), outer.as_fd(), 64), Err(Errno::EAGAIN), "nothing came yet");
        agent.write_all(b"through").unwrap();
        assert_eq!(splice(inner.as_fd(), pipe.write.as_fd(), 4096), Ok(7));
        assert_eq!(splice(pipe.read.as_fd(), outer.as_fd(), 7), Ok(7));
        agent.shutdown(std::net::Shutdown::Write).unwrap();
        inner.set_nonblocking(false).unwrap();
        assert_eq!(splice(inner.as_fd(), pipe.write.as_fd(), 4096), Ok(0), "the end");
        drop(outer);
        let mut got = Vec::new();
        host.read_to_end(&mut got).unwrap();
        assert_eq!(got, b"through");
    }
}
