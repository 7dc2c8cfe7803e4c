//! UDP with the address each datagram was sent to, and answers that come from that address (ip(7), IP_PKTINFO).
//!
//! Never waits.

use super::address::{Room, from_in, from_in6, to_in, to_in6};
use super::{Errno, Sys, checked, net};
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Room for one control message of either kind; `u64` aligns it as cmsghdr wants.
type Control = [u64; 8];

/// linux/in6.h (Linux 4.15).
const IPV6_FREEBIND: libc::c_int = 78;

/// A socket bound there. `[::]` means IPv6 alone.
/// # Errors
/// As [`net::listen`].
pub fn bind(at: SocketAddr) -> Sys<OwnedFd> {
    let family = if at.is_ipv6() { libc::AF_INET6 } else { libc::AF_INET };
    let socket = net::open(family, libc::SOCK_DGRAM)?;
    if at.is_ipv6() {
        net::set(socket.as_fd(), libc::SOL_IPV6, libc::IPV6_V6ONLY, 1)?;
        net::set(socket.as_fd(), libc::SOL_IPV6, libc::IPV6_RECVPKTINFO, 1)?;
        // An address that is local by a route alone: for IPv4 it may be answered from anyway.
        net::set(socket.as_fd(), libc::SOL_IPV6, IPV6_FREEBIND, 1)?;
    } else {
        net::set(socket.as_fd(), libc::SOL_IP, libc::IP_PKTINFO, 1)?;
    }
    net::bind(socket.as_fd(), at)?;
    Ok(socket)
}

/// A datagram that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// How much of the buffer it fills.
    pub length: usize,
    /// Who sent it.
    pub peer: SocketAddr,
    /// The address it was sent to.
    pub to: IpAddr,
}

/// Receives one datagram on a socket of [`bind`].
/// # Errors
/// `EAGAIN` when there is none, `EMSGSIZE` when it does not fit (it is gone), `ENODATA` when it does not say where it
/// was sent.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Sys<Received> {
    let mut iov = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let (mut control, mut from): (Control, Room) = ([0; 8], Room::empty());
    let mut message = empty();
    message.msg_name = (&raw mut from).cast();
    message.msg_namelen = size_of::<Room>() as libc::socklen_t;
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of::<Control>();
    // SAFETY: every pointer in the message outlives the call, with its own length.
    let length =
        checked(unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) } as _)?;
    if message.msg_flags & libc::MSG_TRUNC != 0 {
        return Err(Errno::EMSGSIZE);
    }
    let to = sent_to(&message).ok_or(Errno::ENODATA)?;
    Ok(Received { length: usize::try_from(length).unwrap_or(0), peer: from.read()?, to })
}

/// Sends one datagram that comes from this address of ours.
/// # Errors
/// `EAGAIN`; `EINVAL`, `ENETUNREACH` when the address is not ours; `EPERM` when a packet filter refuses it.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], to: SocketAddr, from: IpAddr) -> Sys<()> {
    let (mut name, length) = Room::of(to);
    let mut iov = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut control: Control = [0; 8];
    let mut message = empty();
    message.msg_name = (&raw mut name).cast();
    message.msg_namelen = length;
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of::<Control>();
    message.msg_controllen = put_source(&message, from);
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: every pointer in the message outlives the call, with its own length.
    checked(unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, flags) } as _).map(drop)
}

fn empty() -> libc::msghdr {
    // SAFETY: a struct of integers and pointers, for which all-zero is a value.
    unsafe { MaybeUninit::<libc::msghdr>::zeroed().assume_init() }
}

fn sent_to(message: &libc::msghdr) -> Option<IpAddr> {
    // SAFETY: the kernel filled the control buffer and its length.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: not null, so it is a header inside the control buffer.
        let head = unsafe { header.read() };
        // SAFETY: the data begins right behind the header.
        let data = unsafe { libc::CMSG_DATA(header) };
        match (head.cmsg_level, head.cmsg_type) {
            (libc::SOL_IP, libc::IP_PKTINFO) => {
                // SAFETY: a message of this type carries this struct; the read need not be aligned.
                let info = unsafe { data.cast::<libc::in_pktinfo>().read_unaligned() };
                return Some(from_in(info.ipi_addr).into());
            }
            (libc::SOL_IPV6, libc::IPV6_PKTINFO) => {
                // SAFETY: the same.
                let info = unsafe { data.cast::<libc::in6_pktinfo>().read_unaligned() };
                return Some(from_in6(info.ipi6_addr).into());
            }
            _ => {}
        }
        // SAFETY: message and header belong together.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
    None
}

/// Writes the one control message; gives its length.
fn put_source(message: &libc::msghdr, from: IpAddr) -> usize {
    // SAFETY: msg_control points to a Control, which has room for one header and either struct.
    let header = unsafe { libc::CMSG_FIRSTHDR(message) };
    // SAFETY: the data begins right behind the header, inside the buffer.
    let data = unsafe { libc::CMSG_DATA(header) };
    let (level, kind, size) = match from {
        IpAddr::V4(ip) => {
            let none = libc::in_addr { s_addr: 0 };
            let info = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: to_in(ip), ipi_addr: none };
            // SAFETY: the room is there; the write need not be aligned.
            unsafe { data.cast::<libc::in_pktinfo>().write_unaligned(info) };
            (libc::SOL_IP, libc::IP_PKTINFO, size_of::<libc::in_pktinfo>())
        }
        IpAddr::V6(ip) => {
            let info = libc::in6_pktinfo { ipi6_addr: to_in6(ip), ipi6_ifindex: 0 };
            // SAFETY: the same.
            unsafe { data.cast::<libc::in6_pktinfo>().write_unaligned(info) };
            (libc::SOL_IPV6, libc::IPV6_PKTINFO, size_of::<libc::in6_pktinfo>())
        }
    };
    // SAFETY: computes a length from a length.
    let len = unsafe { libc::CMSG_LEN(size as u32) } as usize;
    // SAFETY: aligned as u64 and inside the buffer.
    unsafe { header.write(libc::cmsghdr { cmsg_len: len, cmsg_level: level, cmsg_type: kind }) };
    // SAFETY: computes a length from a length.
    unsafe { libc::CMSG_SPACE(size as u32) as usize }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::time::Duration;

    fn there_and_back(server: &str, client: &str) {
        let Ok(socket) = bind(server.parse().unwrap()) else { return eprintln!("no {server} here") };
        let at = net::local_address(socket.as_fd()).unwrap();
        let Ok(client) = UdpSocket::bind(client) else { return eprintln!("no {client} here") };
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let loopback = client.local_addr().unwrap().ip();
        assert_eq!(receive(socket.as_fd(), &mut [0; 16]).unwrap_err(), Errno::EAGAIN);
        client.send_to(b"asked", (loopback, at.port())).unwrap();
        let mut buffer = [0; 16];
        let got = receive(socket.as_fd(), &mut buffer).unwrap();
        assert_eq!(&buffer[..got.length], b"asked");
        assert_eq!((got.peer, got.to), (client.local_addr().unwrap(), loopback));
        send(socket.as_fd(), b"answered", got.peer, got.to).unwrap();
        let (length, from) = client.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..length], from.ip()), (&b"answered"[..], got.to));
    }

    #[test]
    fn an_answer_comes_from_the_address_that_was_asked() {
        there_and_back("0.0.0.0:0", "127.0.0.1:0");
        there_and_back("0.0.0.0:0", "127.0.0.77:0");
        there_and_back("[::]:0", "[::1]:0");
    }

    #[test]
    fn a_datagram_that_does_not_fit_is_an_error_not_a_part() {
        let socket = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.send_to(&[7; 32], net::local_address(socket.as_fd()).unwrap()).unwrap();
        assert_eq!(receive(socket.as_fd(), &mut [0; 16]).unwrap_err(), Errno::EMSGSIZE);
    }
}
