//! Who wrote a message: the kernel's own word, a descriptor of the process, with every message of an agent.

use super::{Errno, Sys, checked, checked_int};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

/// SO_PASSPIDFD of asm-generic/socket.h (Linux 6.5).
const SO_PASSPIDFD: i32 = 76;
/// SO_PASSRIGHTS (Linux 6.16).
const SO_PASSRIGHTS: i32 = 83;
/// SCM_PIDFD (Linux 6.5).
const SCM_PIDFD: i32 = 4;
/// PIDFD_GET_INFO of linux/pidfd.h (Linux 6.13), with the first form of its struct.
const PIDFD_GET_INFO: libc::c_ulong = 0xC040_FF0B;

/// Has the kernel name the sender with each message that is received here.
/// # Errors
/// `ENOPROTOOPT` before Linux 6.5.
pub fn name_senders(socket: BorrowedFd<'_>) -> Sys<()> {
    set(socket, SO_PASSPIDFD, 1)
}

/// Has the kernel refuse descriptors that a peer would push to us.
/// # Errors
/// `ENOPROTOOPT` before Linux 6.16.
pub fn refuse_descriptors(socket: BorrowedFd<'_>) -> Sys<()> {
    set(socket, SO_PASSRIGHTS, 0)
}

fn set(socket: BorrowedFd<'_>, option: i32, value: libc::c_int) -> Sys<()> {
    let (at, length) = ((&raw const value).cast(), size_of::<libc::c_int>() as libc::socklen_t);
    // SAFETY: reads one int, which outlives the call.
    let rc = unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, at, length) };
    checked_int(rc).map(drop)
}

/// One message of an agent.
#[derive(Debug)]
pub struct FromAgent {
    /// Its length; 0: every process inside has closed its end, or an empty message.
    pub length: usize,
    /// It did not fit.
    pub cut: bool,
    /// Who sent it; `None` when it was gone already or the kernel cannot tell.
    pub sender: Option<OwnedFd>,
    /// It carried descriptors. They are closed already.
    pub pushed: bool,
}

/// Room for what the kernel adds and SCM_MAX_FD (253) descriptors: none can be left unowned.
type Control = [u64; 160];

/// Receives one message without waiting.
/// # Errors
/// `EAGAIN` when there is none; `ECONNRESET`.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Sys<FromAgent> {
    let mut iov = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut control = MaybeUninit::<Control>::uninit();
    // SAFETY: msghdr is a struct of integers and pointers, for which all-zero is a value.
    let mut message = unsafe { MaybeUninit::<libc::msghdr>::zeroed().assume_init() };
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of::<Control>();
    let flags = libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT;
    let length = loop {
        // SAFETY: every pointer in the message outlives the call, with its own length.
        match unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) } {
            -1 if Errno::last() == Errno::EINTR => {}
            -1 => return Err(Errno::last()),
            length => break usize::try_from(length).unwrap_or(0),
        }
    };
    let (sender, pushed) = own_all(&message);
    let cut = message.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0;
    Ok(FromAgent { length, cut, sender, pushed })
}

/// Owns everything the message brought: the sender is kept, pushed descriptors are closed.
fn own_all(message: &libc::msghdr) -> (Option<OwnedFd>, bool) {
    let (mut sender, mut pushed) = (None, false);
    // SAFETY: the kernel filled the control buffer up to the length it wrote there.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: not null, so it is a header inside the control buffer.
        let head = unsafe { header.read() };
        // SAFETY: computes a length from a length.
        let empty = unsafe { libc::CMSG_LEN(0) } as usize;
        let count = head.cmsg_len.saturating_sub(empty) / size_of::<RawFd>();
        for place in 0..count {
            match (head.cmsg_level, head.cmsg_type) {
                (libc::SOL_SOCKET, SCM_PIDFD) => sender = nth(header, place),
                (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                    pushed = true;
                    drop(nth(header, place));
                }
                _ => {}
            }
        }
        // SAFETY: message and header belong together.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
    (sender, pushed)
}

/// A negative number stands where the kernel could make no descriptor.
fn nth(header: *const libc::cmsghdr, place: usize) -> Option<OwnedFd> {
    // SAFETY: the data begins right behind the header.
    let data = unsafe { libc::CMSG_DATA(header) }.cast::<RawFd>();
    // SAFETY: the caller counted `place` against the header's length.
    let slot = unsafe { data.add(place) };
    // SAFETY: inside the buffer; the read need not be aligned.
    let raw = unsafe { ptr::read_unaligned(slot) };
    // SAFETY: the kernel installed it for this message, and each place is taken once.
    (raw >= 0).then(|| unsafe { OwnedFd::from_raw_fd(raw) })
}

#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    pid: u32,
    tgid: u32,
    ppid: u32,
    ids: [u32; 8],
    exit_code: i32,
}

/// The pid of the process behind a descriptor, as this process sees it (Linux 6.13; before that /proc says it).
/// # Errors
/// `ESRCH` when it has ended or cannot be seen from here.
pub fn pid_of(pidfd: BorrowedFd<'_>) -> Sys<i32> {
    let mut info = PidfdInfo::default();
    // SAFETY: the struct is of the size the request names, and outlives the call.
    match checked_int(unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO, &raw mut info) }) {
        Ok(_) => i32::try_from(info.pid).ok().filter(|pid| *pid > 0).ok_or(Errno::ESRCH),
        Err(Errno::ENOTTY | Errno::EINVAL) => listed_pid(pidfd),
        Err(errno) => Err(errno),
    }
}

fn listed_pid(pidfd: BorrowedFd<'_>) -> Sys<i32> {
    let path = format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd());
    let text = std::fs::read_to_string(path).map_err(|_| Errno::ESRCH)?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pid:"));
    line.and_then(|pid| pid.trim().parse().ok()).filter(|pid| *pid > 0).ok_or(Errno::ESRCH)
}

/// A descriptor of a process.
/// # Errors
/// `ESRCH` when there is none of this number.
pub fn descriptor_of(pid: i32) -> Sys<OwnedFd> {
    // SAFETY: two integers.
    let raw = checked(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    let raw = RawFd::try_from(raw).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel just made this descriptor for us; it is close-on-exec.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::socket;
    use std::os::fd::AsFd;

    #[test]
    fn a_message_names_its_sender() {
        let (ours, theirs) = socket::message_pair().unwrap();
        name_senders(ours.as_fd()).unwrap();
        socket::send(theirs.as_fd(), b"x", None, true).unwrap();
        let message = receive(ours.as_fd(), &mut [0; 8]).unwrap();
        let pid = pid_of(message.sender.unwrap().as_fd()).unwrap();
        assert_eq!((pid, message.length, message.pushed), (std::process::id() as i32, 1, false));
    }

    #[test]
    fn a_pushed_descriptor_is_closed_or_never_arrives() {
        let (ours, theirs) = socket::message_pair().unwrap();
        socket::send(theirs.as_fd(), b"x", Some(theirs.as_fd()), true).unwrap();
        let before = std::fs::read_dir("/proc/self/fd").unwrap().count();
        assert!(receive(ours.as_fd(), &mut [0; 8]).unwrap().pushed);
        // Other tests open and close beside this one: what matters is that nothing is left behind each time.
        assert!(std::fs::read_dir("/proc/self/fd").unwrap().count() <= before + 8);
        if refuse_descriptors(ours.as_fd()).is_ok() {
            assert_eq!(socket::send(theirs.as_fd(), b"x", Some(theirs.as_fd()), true), Err(Errno::EPERM));
        }
    }

    #[test]
    fn a_message_that_does_not_fit_says_so() {
        let (ours, theirs) = socket::message_pair().unwrap();
        socket::send(theirs.as_fd(), &[0; 16], None, true).unwrap();
        assert!(receive(ours.as_fd(), &mut [0; 8]).unwrap().cut);
        assert_eq!(receive(ours.as_fd(), &mut [0; 8]).unwrap_err(), Errno::EAGAIN);
    }
}
