//! A socket pair between two of our own processes: whole messages, with at most one descriptor each.

use super::{Errno, Sys, checked_int};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

/// A connected pair of SOCK_SEQPACKET sockets, close-on-exec (unix(7)).
/// # Errors
/// `EMFILE`.
pub fn message_pair() -> Sys<(OwnedFd, OwnedFd)> {
    let mut pair: [RawFd; 2] = [-1; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: room for the two descriptors the call writes.
    checked_int(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, pair.as_mut_ptr()) })?;
    // SAFETY: the kernel just made it for us.
    let first = unsafe { OwnedFd::from_raw_fd(pair[0]) };
    // SAFETY: the same for the other end.
    Ok((first, unsafe { OwnedFd::from_raw_fd(pair[1]) }))
}

/// A local socket without a peer: what a probe tries and a filter must refuse.
/// # Errors
/// What the filter says.
pub fn open_local() -> Sys<OwnedFd> {
    // SAFETY: integers only.
    let raw = checked_int(unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Room for a header and one descriptor; `u64` aligns it as cmsghdr wants.
type OneDescriptor = [u64; 3];
/// Room for SCM_MAX_FD (253) descriptors: nothing a peer adds is cut off unseen.
type ManyDescriptors = [u64; 130];

/// Sends one message, with a descriptor when given.
/// # Errors
/// `EPIPE` or `ECONNRESET` when the peer is gone (no signal is raised), `EAGAIN` when `wait` is false and it is full.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], descriptor: Option<BorrowedFd<'_>>, wait: bool) -> Sys<()> {
    let mut iov = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut control: OneDescriptor = [0; 3];
    // SAFETY: msghdr is a struct of integers and pointers, for which all-zero is a value.
    let mut message = unsafe { MaybeUninit::<libc::msghdr>::zeroed().assume_init() };
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    if let Some(descriptor) = descriptor {
        message.msg_control = control.as_mut_ptr().cast();
        // SAFETY: computes a length from a length.
        message.msg_controllen = unsafe { libc::CMSG_SPACE(4) } as usize;
        put_descriptor(&message, descriptor.as_raw_fd());
    }
    let flags = libc::MSG_NOSIGNAL | if wait { 0 } else { libc::MSG_DONTWAIT };
    loop {
        // SAFETY: every pointer in the message outlives the call, with its own length.
        match unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, flags) } {
            -1 if Errno::last() == Errno::EINTR => {}
            -1 => return Err(Errno::last()),
            _ => return Ok(()),
        }
    }
}

fn put_descriptor(message: &libc::msghdr, raw: RawFd) {
    // SAFETY: msg_control points to OneDescriptor with room for this one header.
    let header = unsafe { libc::CMSG_FIRSTHDR(message) };
    // SAFETY: computes a length from a length.
    let len = unsafe { libc::CMSG_LEN(4) } as usize;
    let filled = libc::cmsghdr { cmsg_len: len, cmsg_level: libc::SOL_SOCKET, cmsg_type: libc::SCM_RIGHTS };
    // SAFETY: aligned as u64 and inside the buffer.
    unsafe { header.write(filled) };
    // SAFETY: the data begins right behind the header, inside the buffer.
    let data = unsafe { libc::CMSG_DATA(header) };
    // SAFETY: four bytes are left there; the write need not be aligned.
    unsafe { data.cast::<RawFd>().write_unaligned(raw) };
}

/// Receives one message into `buffer`: its length (0: the peer is gone) and the descriptor it carried. Descriptors
/// beyond the first are closed, and the message is refused.
/// # Errors
/// `EMSGSIZE` for a message that does not fit or carries more than one descriptor; `EAGAIN` when `wait` is false.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8], wait: bool) -> Sys<(usize, Option<OwnedFd>)> {
    let mut iov = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut control: ManyDescriptors = [0; 130];
    // SAFETY: as in `send`.
    let mut message = unsafe { MaybeUninit::<libc::msghdr>::zeroed().assume_init() };
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of::<ManyDescriptors>();
    let flags = libc::MSG_CMSG_CLOEXEC | if wait { 0 } else { libc::MSG_DONTWAIT };
    let length = loop {
        // SAFETY: every pointer in the message outlives the call, with its own length.
        match unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) } {
            -1 if Errno::last() == Errno::EINTR => {}
            -1 => return Err(Errno::last()),
            length => break usize::try_from(length).unwrap_or(0),
        }
    };
    let (first, more) = take_descriptors(&message);
    if more || message.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0 {
        return Err(Errno::EMSGSIZE);
    }
    Ok((length, first))
}

/// Owns every descriptor of the message first; says whether there was more than one.
fn take_descriptors(message: &libc::msghdr) -> (Option<OwnedFd>, bool) {
    let mut first = None;
    let mut more = false;
    // SAFETY: the kernel filled the control buffer and its length.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: not null, so it is a header inside the control buffer.
        let head = unsafe { header.read() };
        // SAFETY: computes a length from a length.
        let empty = unsafe { libc::CMSG_LEN(0) } as usize;
        let count = head.cmsg_len.saturating_sub(empty) / size_of::<RawFd>();
        if head.cmsg_level == libc::SOL_SOCKET && head.cmsg_type == libc::SCM_RIGHTS {
            for place in 0..count {
                let owned = nth_descriptor(header, place);
                more |= first.is_some();
                first = first.or(Some(owned));
            }
        }
        // SAFETY: message and header belong together.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
    (first, more)
}

fn nth_descriptor(header: *const libc::cmsghdr, place: usize) -> OwnedFd {
    // SAFETY: the data begins right behind the header.
    let data = unsafe { libc::CMSG_DATA(header) }.cast::<RawFd>();
    // SAFETY: the caller counted `place` against the header's length.
    let slot = unsafe { data.add(place) };
    // SAFETY: inside the buffer; the read need not be aligned.
    let raw = unsafe { ptr::read_unaligned(slot) };
    // SAFETY: the kernel installed it for this message, and each place is taken once.
    unsafe { OwnedFd::from_raw_fd(raw) }
}
