//! Internet addresses as the kernel has them: struct sockaddr_in and sockaddr_in6.
//!
//! Never looks a name up. An IPv4 address that came over an IPv6 socket (`::ffff:…`) is given as IPv4.

use super::{Errno, Sys, checked_int};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Room for either kind, aligned for both. All zero is no address.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) union Room {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
    family: libc::sa_family_t,
}

impl Room {
    /// No address.
    pub(super) fn empty() -> Self {
        // SAFETY: structs of integers, for which all-zero is a value.
        unsafe { MaybeUninit::<Self>::zeroed().assume_init() }
    }

    /// An address, and how long it is.
    pub(super) fn of(address: SocketAddr) -> (Self, libc::socklen_t) {
        let mut room = Self::empty();
        match address {
            SocketAddr::V4(address) => {
                room.v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: address.port().to_be(),
                    sin_addr: to_in(*address.ip()),
                    sin_zero: [0; 8],
                };
                (room, size_of::<libc::sockaddr_in>() as libc::socklen_t)
            }
            SocketAddr::V6(address) => {
                room.v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: address.port().to_be(),
                    sin6_flowinfo: address.flowinfo(),
                    sin6_addr: to_in6(*address.ip()),
                    sin6_scope_id: address.scope_id(),
                };
                (room, size_of::<libc::sockaddr_in6>() as libc::socklen_t)
            }
        }
    }

    /// What the kernel wrote here.
    /// # Errors
    /// `EAFNOSUPPORT` for another family.
    pub(super) fn read(&self) -> Sys<SocketAddr> {
        // SAFETY: all of it is initialised from the start, and every variant begins with the family.
        match i32::from(unsafe { self.family }) {
            libc::AF_INET => {
                // SAFETY: initialised, and any bytes are a value.
                let raw = unsafe { self.v4 };
                let ip = from_in(raw.sin_addr);
                Ok(SocketAddrV4::new(ip, u16::from_be(raw.sin_port)).into())
            }
            libc::AF_INET6 => {
                // SAFETY: initialised, and any bytes are a value.
                let raw = unsafe { self.v6 };
                let (ip, port) = (from_in6(raw.sin6_addr), u16::from_be(raw.sin6_port));
                Ok(match ip.to_ipv4_mapped() {
                    Some(ip) => SocketAddrV4::new(ip, port).into(),
                    None => SocketAddrV6::new(ip, port, 0, raw.sin6_scope_id).into(),
                })
            }
            _ => Err(Errno::EAFNOSUPPORT),
        }
    }
}

/// The most an address takes.
pub(super) const ROOM: libc::socklen_t = size_of::<Room>() as libc::socklen_t;

/// An IPv4 address in network order.
pub(super) fn to_in(ip: Ipv4Addr) -> libc::in_addr {
    libc::in_addr { s_addr: u32::from_ne_bytes(ip.octets()) }
}

/// The same the other way.
pub(super) fn from_in(raw: libc::in_addr) -> Ipv4Addr {
    Ipv4Addr::from(raw.s_addr.to_ne_bytes())
}

/// An IPv6 address.
pub(super) fn to_in6(ip: Ipv6Addr) -> libc::in6_addr {
    libc::in6_addr { s6_addr: ip.octets() }
}

/// The same the other way.
pub(super) fn from_in6(raw: libc::in6_addr) -> Ipv6Addr {
    Ipv6Addr::from(raw.s6_addr)
}

/// Asks for an address that getsockopt(2) gives.
pub(super) fn option(socket: BorrowedFd<'_>, level: i32, name: i32) -> Sys<SocketAddr> {
    let (mut room, mut length) = (Room::empty(), ROOM);
    let (at, most) = ((&raw mut room).cast(), &raw mut length);
    // SAFETY: writes at most `length` bytes into a room of that size; both outlive the call.
    checked_int(unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, at, most) })?;
    room.read()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_back_and_a_mapped_one_as_what_it_is() {
        for text in ["1.2.3.4:80", "[2001:db8::1]:443", "[::1]:1", "0.0.0.0:0"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(Room::of(address).0.read(), Ok(address));
        }
        let mapped = Room::of("[::ffff:198.18.0.1]:53".parse().unwrap()).0;
        assert_eq!(mapped.read(), Ok("198.18.0.1:53".parse().unwrap()));
        assert_eq!(Room::empty().read(), Err(Errno::EAFNOSUPPORT));
    }
}
