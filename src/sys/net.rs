//! Network interfaces and TCP: loopback up in a new namespace, listeners, and where a connection was meant to go.
//!
//! Never connects anywhere. Every socket is close-on-exec and never waits.

use super::address::{self, ROOM, Room};
use super::{Sys, checked_int};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

#[repr(C)]
struct InterfaceFlags {
    name: [u8; 16],
    flags: libc::c_short,
    padding: [u8; 22],
}

/// Brings `lo` up; 127.0.0.1 and ::1 come with it (netdevice(7), SIOCSIFFLAGS).
/// # Errors
/// `EPERM` without CAP_NET_ADMIN in the namespace, `EAFNOSUPPORT` without IPv4.
pub fn loopback_up() -> Sys<()> {
    let socket = open(libc::AF_INET, libc::SOCK_DGRAM)?;
    let mut request =
        InterfaceFlags { name: [0; 16], flags: libc::IFF_UP as libc::c_short, padding: [0; 22] };
    request.name[..2].copy_from_slice(b"lo");
    // SAFETY: the struct is as large as struct ifreq (40 bytes) and outlives the call.
    checked_int(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) }).map(drop)
}

/// A TCP socket without a peer, of the network namespace it is made in: who gets it later can connect there.
/// # Errors
/// `EAFNOSUPPORT` without IPv6; what a filter says.
pub fn unconnected(ipv6: bool) -> Sys<OwnedFd> {
    open(if ipv6 { libc::AF_INET6 } else { libc::AF_INET }, libc::SOCK_STREAM)
}

/// Listens for TCP. On `[::]` IPv4 comes too.
/// # Errors
/// `EADDRINUSE`, `EADDRNOTAVAIL`; `EACCES` below port 1024 without CAP_NET_BIND_SERVICE; `EAFNOSUPPORT` without IPv6.
pub fn listen(at: SocketAddr, backlog: i32) -> Sys<OwnedFd> {
    let socket = unconnected(at.is_ipv6())?;
    if at.is_ipv6() {
        set(socket.as_fd(), libc::SOL_IPV6, libc::IPV6_V6ONLY, 0)?;
    }
    bind(socket.as_fd(), at)?;
    // SAFETY: integers only.
    checked_int(unsafe { libc::listen(socket.as_raw_fd(), backlog) })?;
    Ok(socket)
}

/// Where a connection was meant to go before the packet filter redirected it to us (SO_ORIGINAL_DST, and for IPv6
/// IP6T_SO_ORIGINAL_DST). Of one that was not redirected, its own address here.
/// # Errors
/// `ENOENT`, `ENOPROTOOPT` where the connection is not tracked; then [`local_address`] says it. `ENOTCONN`.
pub fn original_destination(connection: BorrowedFd<'_>) -> Sys<SocketAddr> {
    // Both numbers are 80. An IPv4 peer of an IPv6 listener is asked about as IPv4.
    const ORIGINAL_DESTINATION: i32 = 80;
    let level = if peer_address(connection)?.is_ipv4() { libc::SOL_IP } else { libc::SOL_IPV6 };
    address::option(connection, level, ORIGINAL_DESTINATION)
}

/// The address a connection has on our side: where it was meant to go when every address is local (getsockname(2)).
/// # Errors
/// `ENOTSOCK`, `EAFNOSUPPORT`.
pub fn local_address(connection: BorrowedFd<'_>) -> Sys<SocketAddr> {
    let (mut room, mut length) = (Room::empty(), ROOM);
    let at = (&raw mut room).cast();
    // SAFETY: writes at most `length` bytes into a room of that size; both outlive the call.
    checked_int(unsafe { libc::getsockname(connection.as_raw_fd(), at, &raw mut length) })?;
    room.read()
}

/// The address of the other side (getpeername(2)).
/// # Errors
/// `ENOTCONN`, `ENOTSOCK`, `EAFNOSUPPORT`.
pub fn peer_address(connection: BorrowedFd<'_>) -> Sys<SocketAddr> {
    let (mut room, mut length) = (Room::empty(), ROOM);
    let at = (&raw mut room).cast();
    // SAFETY: writes at most `length` bytes into a room of that size; both outlive the call.
    checked_int(unsafe { libc::getpeername(connection.as_raw_fd(), at, &raw mut length) })?;
    room.read()
}

/// Bytes that were written to a connection and that the other side's kernel has not confirmed (tcp(7), SIOCOUTQ).
/// # Errors
/// `EINVAL` for one that listens.
pub fn unsent(connection: &impl AsFd) -> Sys<u32> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: writes one int, which outlives the call.
    checked_int(unsafe { libc::ioctl(connection.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) })?;
    Ok(u32::try_from(bytes).unwrap_or(0))
}

/// An internet socket that never waits.
pub(super) fn open(family: i32, kind: i32) -> Sys<OwnedFd> {
    let kind = kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: integers only.
    let raw = checked_int(unsafe { libc::socket(family, kind, 0) })?;
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Gives a socket its address.
pub(super) fn bind(socket: BorrowedFd<'_>, at: SocketAddr) -> Sys<()> {
    let (room, length) = Room::of(at);
    let address = (&raw const room).cast();
    // SAFETY: the room holds `length` bytes of address and outlives the call.
    checked_int(unsafe { libc::bind(socket.as_raw_fd(), address, length) }).map(drop)
}

/// Sets a switch of a socket.
pub(super) fn set(socket: BorrowedFd<'_>, level: i32, name: i32, value: i32) -> Sys<()> {
    let (at, length) = ((&raw const value).cast(), size_of::<libc::c_int>() as libc::socklen_t);
    // SAFETY: reads one int that outlives the call.
    checked_int(unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, at, length) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_connection_knows_both_of_its_addresses() {
        let listener = listen("127.0.0.1:0".parse().unwrap(), 8).unwrap();
        let at = local_address(listener.as_fd()).unwrap();
        let client = TcpStream::connect(at).unwrap();
        let listener = TcpListener::from(listener);
        listener.set_nonblocking(false).unwrap();
        let (server, peer) = listener.accept().unwrap();
        assert_eq!(local_address(server.as_fd()), Ok(at));
        assert_eq!(peer_address(server.as_fd()), Ok(peer));
        assert_eq!(peer_address(client.as_fd()), Ok(at));
        assert_eq!(listen(at, 8).unwrap_err(), crate::sys::Errno::EADDRINUSE);
    }

    #[test]
    fn a_connection_that_nobody_redirected_has_no_other_destination() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        // Where the machine tracks connections it is the address itself; elsewhere there is no answer.
        if let Ok(found) = original_destination(server.as_fd()) {
            assert_eq!(found, server.local_addr().unwrap());
        }
    }
}
