//! How a TCP connection ends: one way at a time, or at once.

use super::net::set;
use super::{Sys, checked_int};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Ends our way: the peer reads the end and can still write (shutdown(2)).
/// # Errors
/// `ENOTCONN` when the connection is gone.
pub fn end_writing(connection: BorrowedFd<'_>) -> Sys<()> {
    // SAFETY: integers only.
    checked_int(unsafe { libc::shutdown(connection.as_raw_fd(), libc::SHUT_WR) }).map(drop)
}

/// Ends both ways, for everybody who holds it: the peer reads the end, and nothing is sent any more.
/// # Errors
/// `ENOTCONN` when the connection is gone.
pub fn hang_up(connection: BorrowedFd<'_>) -> Sys<()> {
    // SAFETY: integers only.
    checked_int(unsafe { libc::shutdown(connection.as_raw_fd(), libc::SHUT_RDWR) }).map(drop)
}

/// Closing it from now on aborts it: the peer gets a reset, never what looks like a whole end (SO_LINGER, socket(7)).
/// # Errors
/// `EBADF`, `ENOTSOCK`.
pub fn abort_on_close(connection: BorrowedFd<'_>) -> Sys<()> {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let (at, length) = ((&raw const linger).cast(), size_of::<libc::linger>() as libc::socklen_t);
    let socket = connection.as_raw_fd();
    // SAFETY: reads one struct linger that outlives the call.
    checked_int(unsafe { libc::setsockopt(socket, libc::SOL_SOCKET, libc::SO_LINGER, at, length) }).map(drop)
}

/// Asks the peer of a silent connection from time to time whether it is still there (tcp(7)).
/// # Errors
/// `EBADF`, `ENOTSOCK`.
pub fn keep_alive(connection: BorrowedFd<'_>) -> Sys<()> {
    set(connection, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1)?;
    set(connection, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, 60)?;
    set(connection, libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{ErrorKind, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    #[test]
    fn one_way_ends_and_the_other_goes_on() {
        let (mut ours, mut theirs) = pair();
        keep_alive(ours.as_fd()).unwrap();
        end_writing(ours.as_fd()).unwrap();
        assert_eq!(theirs.read(&mut [0; 4]).unwrap(), 0);
        theirs.write_all(b"on").unwrap();
        drop(theirs);
        let mut got = Vec::new();
        ours.read_to_end(&mut got).unwrap();
        assert_eq!(got, b"on");
    }

    #[test]
    fn an_abort_is_no_end() {
        let (ours, mut theirs) = pair();
        abort_on_close(ours.as_fd()).unwrap();
        drop(ours);
        assert_eq!(theirs.read(&mut [0; 4]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
}
