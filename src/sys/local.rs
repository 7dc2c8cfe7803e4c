//! Sockets of whole messages at a name in a folder we hold, and who connected to one (unix(7)).

use super::{Errno, Sys, checked_int, file, peer};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// SO_PEERPIDFD of asm-generic/socket.h (Linux 6.5).
const SO_PEERPIDFD: libc::c_int = 77;
/// PIDFD_GET_PID_NAMESPACE of linux/pidfd.h (Linux 6.11).
const PID_NAMESPACE: libc::c_ulong = 0xFF05;
/// PIDFD_GET_USER_NAMESPACE (Linux 6.11).
const USER_NAMESPACE: libc::c_ulong = 0xFF09;
/// Connections that wait to be accepted. One beyond them is told to try again.
const BACKLOG: libc::c_int = 32;
/// Room for `/proc/self/fd/N/name` in an address.
const MOST_NAME: usize = 107;

/// Listens at a new name in a folder, whatever the length of the folder's own path. Accepting does not wait.
/// # Errors
/// `EADDRINUSE` when the name is there already; `ENAMETOOLONG`.
pub fn listen(folder: BorrowedFd<'_>, name: &str) -> Sys<OwnedFd> {
    let socket = open(libc::SOCK_NONBLOCK)?;
    peer::bind_name(socket.as_fd(), &through(folder, name)?)?;
    // SAFETY: two integers.
    checked_int(unsafe { libc::listen(socket.as_raw_fd(), BACKLOG) })?;
    Ok(socket)
}

/// Connects to a name in a folder. Never waits.
/// # Errors
/// `ECONNREFUSED` when nobody listens there, `EAGAIN` when too many wait already.
pub fn connect(folder: BorrowedFd<'_>, name: &str) -> Sys<OwnedFd> {
    let socket = open(libc::SOCK_NONBLOCK)?;
    let path = through(folder, name)?;
    let mut address = [0u8; 2 + MOST_NAME + 1];
    let (family, rest) = address.split_at_mut(2);
    family.copy_from_slice(&(libc::AF_UNIX as u16).to_ne_bytes());
    rest.get_mut(..path.len()).ok_or(Errno::ENAMETOOLONG)?.copy_from_slice(&path);
    let length = address.len() as libc::socklen_t;
    // SAFETY: pointer and length of one array, which the kernel copies.
    checked_int(unsafe { libc::connect(socket.as_raw_fd(), address.as_ptr().cast(), length) })?;
    Ok(socket)
}

/// Takes one connection; reading it does not wait.
/// # Errors
/// `EAGAIN` when there is none.
pub fn accept(listener: BorrowedFd<'_>) -> Sys<OwnedFd> {
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    let (nobody, nothing) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: null for the address that is not asked for.
    own(checked_int(unsafe { libc::accept4(listener.as_raw_fd(), nobody, nothing, flags) })?)
}

fn open(flags: libc::c_int) -> Sys<OwnedFd> {
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC | flags;
    // SAFETY: integers only.
    own(checked_int(unsafe { libc::socket(libc::AF_UNIX, kind, 0) })?)
}

fn own(raw: RawFd) -> Sys<OwnedFd> {
    // SAFETY: the callers give what the kernel just made for us.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// The name by way of the descriptor: short, and no link of the folder's path is followed.
fn through(folder: BorrowedFd<'_>, name: &str) -> Sys<Vec<u8>> {
    let path = format!("/proc/self/fd/{}/{name}", folder.as_raw_fd());
    if path.len() > MOST_NAME || name.contains(['/', '\0']) {
        Err(Errno::ENAMETOOLONG)
    } else {
        Ok(path.into_bytes())
    }
}

/// Who connected, or who listens, as it was at connect(2) or listen(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credentials {
    /// Its pid as we see it; 0 when it cannot be seen from here.
    pub pid: i32,
    /// Its user.
    pub uid: u32,
}

/// The other side of a connection that was made by name (SO_PEERCRED). For a socket pair it names who made the pair.
/// # Errors
/// `ENOTCONN`.
pub fn credentials(socket: BorrowedFd<'_>) -> Sys<Credentials> {
    let mut found = MaybeUninit::<libc::ucred>::zeroed();
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    let (at, room) = (found.as_mut_ptr().cast(), &raw mut length);
    // SAFETY: writes at most `length` bytes into a struct of that size; both outlive the call.
    checked_int(unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, at, room)
    })?;
    // SAFETY: three integers, for which any bytes are a value.
    let found = unsafe { found.assume_init() };
    Ok(Credentials { pid: found.pid, uid: found.uid })
}

/// A descriptor of the process on the other side.
/// # Errors
/// `ENOPROTOOPT` before Linux 6.5; `ESRCH` or `EINVAL` when it is gone.
pub fn process(socket: BorrowedFd<'_>) -> Sys<OwnedFd> {
    let mut raw: libc::c_int = -1;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    let (at, room) = ((&raw mut raw).cast(), &raw mut length);
    // SAFETY: writes one int; both outlive the call.
    checked_int(unsafe { libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, SO_PEERPIDFD, at, room) })?;
    own(raw)
}

/// A namespace, as two numbers that no other has while it lives.
pub type Namespace = (u64, u64);

/// The pid and user namespaces of the process behind a descriptor.
/// # Errors
/// `ENOTTY` or `EINVAL` before Linux 6.11; `ESRCH` when it has ended; `EACCES` when it may not be looked into.
pub fn namespaces(process: BorrowedFd<'_>) -> Sys<(Namespace, Namespace)> {
    Ok((namespace(process, PID_NAMESPACE)?, namespace(process, USER_NAMESPACE)?))
}

fn namespace(process: BorrowedFd<'_>, request: libc::c_ulong) -> Sys<Namespace> {
    // SAFETY: these two requests take no argument and give a new descriptor.
    let found = own(checked_int(unsafe { libc::ioctl(process.as_raw_fd(), request, 0) })?)?;
    let identity = file::kind_and_identity(found.as_fd())?;
    Ok((identity.dev, identity.ino))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::socket;
    use std::fs::{self, File};
    use std::os::unix::fs::MetadataExt;

    /// A folder whose path is longer than an address, and one that is removed afterwards.
    fn deep(test: &str) -> (std::path::PathBuf, File) {
        let top = std::env::temp_dir().join(format!("aisandbox-local-{test}-{}", std::process::id()));
        let deep = top.join("x".repeat(120));
        fs::create_dir_all(&deep).unwrap();
        let folder = File::open(&deep).unwrap();
        (top, folder)
    }

    #[test]
    fn a_socket_listens_where_the_path_is_longer_than_an_address() {
        let (top, folder) = deep("long");
        let listener = listen(folder.as_fd(), "control").unwrap();
        assert_eq!(accept(listener.as_fd()).unwrap_err(), Errno::EAGAIN);
        assert_eq!(listen(folder.as_fd(), "control").unwrap_err(), Errno::EADDRINUSE);
        let client = connect(folder.as_fd(), "control").unwrap();
        let server = accept(listener.as_fd()).unwrap();
        socket::send(client.as_fd(), b"one message", None, true).unwrap();
        let mut buffer = [0; 64];
        let (length, _) = socket::receive(server.as_fd(), &mut buffer, true).unwrap();
        assert_eq!(&buffer[..length], b"one message");
        fs::remove_dir_all(top).unwrap();
    }

    #[test]
    fn who_connected_is_known_with_its_namespaces() {
        let (top, folder) = deep("who");
        let listener = listen(folder.as_fd(), "control").unwrap();
        let _client = connect(folder.as_fd(), "control").unwrap();
        let server = accept(listener.as_fd()).unwrap();
        let me = Credentials { pid: std::process::id() as i32, uid: nix::unistd::getuid().as_raw() };
        assert_eq!(credentials(server.as_fd()), Ok(me));
        let own = |name: &str| {
            fs::metadata(format!("/proc/self/ns/{name}")).map(|of| (of.dev(), of.ino())).unwrap()
        };
        match process(server.as_fd()).and_then(|process| namespaces(process.as_fd())) {
            Ok(found) => assert_eq!(found, (own("pid"), own("user"))),
            Err(errno) => {
                assert!(matches!(errno, Errno::ENOPROTOOPT | Errno::ENOTTY | Errno::EINVAL), "{errno}")
            }
        }
        fs::remove_dir_all(top).unwrap();
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_no_name() {
        let (top, folder) = deep("name");
        assert_eq!(listen(folder.as_fd(), "../control").unwrap_err(), Errno::ENAMETOOLONG);
        assert_eq!(connect(folder.as_fd(), "none").unwrap_err(), Errno::ENOENT);
        fs::remove_dir_all(top).unwrap();
    }
}
