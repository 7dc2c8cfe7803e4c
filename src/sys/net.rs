//! Network interfaces: loopback up in a new namespace.

use super::{Sys, checked_int};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

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
    // SAFETY: integers only.
    let raw = checked_int(unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: the kernel just made this descriptor for us.
    let socket = unsafe { OwnedFd::from_raw_fd(raw) };
    let mut request =
        InterfaceFlags { name: [0; 16], flags: libc::IFF_UP as libc::c_short, padding: [0; 22] };
    request.name[..2].copy_from_slice(b"lo");
    // SAFETY: the struct is as large as struct ifreq (40 bytes) and outlives the call.
    checked_int(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) }).map(drop)
}
