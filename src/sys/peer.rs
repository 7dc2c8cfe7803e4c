//! Sockets of another process, for who may look into it: taking one over and binding it.

use super::{Errno, Sys, checked, checked_int};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// The longest address of any family (`sockaddr_storage`), bytes.
pub const MOST_ADDRESS: usize = 128;
/// The longest path in an address of AF_UNIX (unix(7)), bytes.
const MOST_PATH: usize = 108;
/// PIDFD_THREAD of linux/pidfd.h (Linux 6.9): the descriptor stands for a thread, whose table may be its own.
const PIDFD_THREAD: libc::c_uint = libc::O_EXCL as libc::c_uint;

/// A descriptor for a thread. Before Linux 6.9 only the leader of a process has one: `leader` is taken then.
/// # Errors
/// `ESRCH` when it is gone.
pub fn open_thread(tid: u32, leader: impl FnOnce() -> Sys<u32>) -> Sys<OwnedFd> {
    match open_pid(tid, PIDFD_THREAD) {
        Err(Errno::EINVAL) => open_pid(leader()?, 0),
        other => other,
    }
}

/// A descriptor for a process.
/// # Errors
/// `ESRCH` when it is gone, `EINVAL` for a thread that leads none.
pub fn open_process(pid: u32) -> Sys<OwnedFd> {
    open_pid(pid, 0)
}

fn open_pid(pid: u32, flags: libc::c_uint) -> Sys<OwnedFd> {
    // SAFETY: two integers.
    own(checked(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, flags) })?)
}

/// A copy of a descriptor of that process (pidfd_getfd(2), Linux 5.6).
/// # Errors
/// `EBADF` when it has none of this number, `EPERM` when it may not be looked into.
pub fn take_descriptor(process: BorrowedFd<'_>, number: i32) -> Sys<OwnedFd> {
    // SAFETY: three integers.
    own(checked(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) })?)
}

fn own(rc: libc::c_long) -> Sys<OwnedFd> {
    let raw = RawFd::try_from(rc).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// The domain of a socket, such as AF_UNIX (socket(7), SO_DOMAIN).
/// # Errors
/// `ENOTSOCK`.
pub fn domain(socket: BorrowedFd<'_>) -> Sys<i32> {
    let mut domain: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    let (at, room) = ((&raw mut domain).cast(), &raw mut length);
    // SAFETY: writes at most `length` bytes into one int; both outlive the call.
    let rc = unsafe { libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_DOMAIN, at, room) };
    checked_int(rc).map(|_| domain)
}

/// The family an address says it is of; -1 for one that is too short to say.
pub fn family(address: &[u8]) -> i32 {
    match address {
        [low, high, ..] => i32::from(u16::from_ne_bytes([*low, *high])),
        _ => -1,
    }
}

/// Binds a socket to an address as it is.
/// # Errors
/// As bind(2).
pub fn bind(socket: BorrowedFd<'_>, address: &[u8]) -> Sys<()> {
    let length = libc::socklen_t::try_from(address.len()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: pointer and length of one slice, which the kernel copies.
    checked_int(unsafe { libc::bind(socket.as_raw_fd(), address.as_ptr().cast(), length) }).map(drop)
}

/// Binds a socket of AF_UNIX to a path, or to a name in the working folder.
/// # Errors
/// As bind(2); `ENAMETOOLONG` past 107 bytes.
pub fn bind_name(socket: BorrowedFd<'_>, name: &[u8]) -> Sys<()> {
    bind(socket, &address_of(name)?)
}

/// Connects a socket of AF_UNIX to a path.
/// # Errors
/// As connect(2): `ECONNREFUSED` when nobody listens there; `ENAMETOOLONG` past 107 bytes.
pub fn connect_name(socket: BorrowedFd<'_>, name: &[u8]) -> Sys<()> {
    let address = address_of(name)?;
    let length = address.len() as libc::socklen_t;
    // SAFETY: pointer and length of one array, which the kernel copies.
    checked_int(unsafe { libc::connect(socket.as_raw_fd(), address.as_ptr().cast(), length) }).map(drop)
}

fn address_of(name: &[u8]) -> Sys<[u8; 2 + MOST_PATH]> {
    let mut address = [0u8; 2 + MOST_PATH];
    let (family, path) = address.split_at_mut(2);
    family.copy_from_slice(&(libc::AF_UNIX as u16).to_ne_bytes());
    path.get_mut(..name.len())
        .filter(|_| name.len() < MOST_PATH)
        .ok_or(Errno::ENAMETOOLONG)?
        .copy_from_slice(name);
    Ok(address)
}
