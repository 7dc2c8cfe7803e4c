//! A socket pair between two of our own processes: whole messages, most with one descriptor or none.

use super::{Errno, Sys, checked_int};
use std::io::IoSlice;
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

/// A socket of whole messages without a peer, close-on-exec.
/// # Errors
/// `EMFILE`.
pub fn open_message() -> Sys<OwnedFd> {
    // SAFETY: integers only.
    let raw =
        checked_int(unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
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

/// The most descriptors that one message of ours carries.
pub const MOST_DESCRIPTORS: usize = 8;
/// Room for a header and that many descriptors; `u64` aligns it as cmsghdr wants.
type OwnDescriptors = [u64; 6];
/// Room for SCM_MAX_FD (253) descriptors: nothing a peer adds is cut off unseen.
type ManyDescriptors = [u64; 130];

/// Sends one message, with a descriptor when given.
/// # Errors
/// `EPIPE` or `ECONNRESET` when the peer is gone (no signal is raised), `EAGAIN` when `wait` is false and it is full.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], descriptor: Option<BorrowedFd<'_>>, wait: bool) -> Sys<()> {
    send_with(socket, bytes, descriptor.as_slice(), wait)
}

/// Sends one message with up to [`MOST_DESCRIPTORS`].
/// # Errors
/// As [`send`]; `E2BIG` for more descriptors.
pub fn send_with(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
    wait: bool,
) -> Sys<()> {
    send_all(socket, &[IoSlice::new(bytes)], descriptors, wait)
}

/// Sends these parts as one message.
/// # Errors
/// As [`send`].
pub fn send_parts(socket: BorrowedFd<'_>, parts: &[IoSlice<'_>], wait: bool) -> Sys<()> {
    send_all(socket, parts, &[], wait)
}

fn send_all(
    socket: BorrowedFd<'_>,
    parts: &[IoSlice<'_>],
    descriptors: &[BorrowedFd<'_>],
    wait: bool,
) -> Sys<()> {
    let mut control: OwnDescriptors = [0; 6];
    // SAFETY: msghdr is a struct of integers and pointers, for which all-zero is a value.
    let mut message = unsafe { MaybeUninit::<libc::msghdr>::zeroed().assume_init() };
    // An IoSlice is laid out as an iovec (std::io::IoSlice), and sendmsg(2) only reads what it names.
    message.msg_iov = parts.as_ptr().cast_mut().cast();
    message.msg_iovlen = parts.len();
    if descriptors.len() > MOST_DESCRIPTORS {
        return Err(Errno::E2BIG);
    }
    if !descriptors.is_empty() {
        message.msg_control = control.as_mut_ptr().cast();
        // SAFETY: computes a length from a length, at most 4 * 8.
        message.msg_controllen = unsafe { libc::CMSG_SPACE(4 * descriptors.len() as u32) } as usize;
        put_descriptors(&message, descriptors);
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

fn put_descriptors(message: &libc::msghdr, descriptors: &[BorrowedFd<'_>]) {
    // SAFETY: msg_control points to OwnDescriptors with room for this one header.
    let header = unsafe { libc::CMSG_FIRSTHDR(message) };
    // SAFETY: computes a length from a length, at most 4 * 8.
    let len = unsafe { libc::CMSG_LEN(4 * descriptors.len() as u32) } as usize;
    let filled = libc::cmsghdr { cmsg_len: len, cmsg_level: libc::SOL_SOCKET, cmsg_type: libc::SCM_RIGHTS };
    // SAFETY: aligned as u64 and inside the buffer.
    unsafe { header.write(filled) };
    // SAFETY: the data begins right behind the header, inside the buffer.
    let data = unsafe { libc::CMSG_DATA(header) }.cast::<RawFd>();
    for (place, descriptor) in descriptors.iter().enumerate() {
        // SAFETY: the caller has at most MOST_DESCRIPTORS, for which the buffer has room.
        let slot = unsafe { data.add(place) };
        // SAFETY: four bytes are left there; the write need not be aligned.
        unsafe { slot.write_unaligned(descriptor.as_raw_fd()) };
    }
}

/// Receives one message into `buffer`: its length (0: the peer is gone) and the descriptor it carried. With more than
/// one, all are closed, and the message is refused.
/// # Errors
/// `EMSGSIZE` for a message that does not fit or carries more than one descriptor; `EAGAIN` when `wait` is false.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8], wait: bool) -> Sys<(usize, Option<OwnedFd>)> {
    let (mut first, mut more) = (None, false);
    let length = receive_each(socket, buffer, wait, &mut |descriptor| match &first {
        None => first = Some(descriptor),
        Some(_) => more = true,
    })?;
    if more { Err(Errno::EMSGSIZE) } else { Ok((length, first)) }
}

/// Receives one message with up to [`MOST_DESCRIPTORS`], in their order.
/// # Errors
/// As [`receive`].
pub fn receive_with(socket: BorrowedFd<'_>, buffer: &mut [u8], wait: bool) -> Sys<(usize, Vec<OwnedFd>)> {
    let mut descriptors = Vec::new();
    let length = receive_each(socket, buffer, wait, &mut |descriptor| descriptors.push(descriptor))?;
    if descriptors.len() > MOST_DESCRIPTORS { Err(Errno::EMSGSIZE) } else { Ok((length, descriptors)) }
}

/// Hands each descriptor over, without allocating; what `take` drops is closed.
fn receive_each(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    wait: bool,
    take: &mut dyn FnMut(OwnedFd),
) -> Sys<usize> {
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
    take_descriptors(&message, take);
    let cut = message.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0;
    if cut { Err(Errno::EMSGSIZE) } else { Ok(length) }
}

/// Owns every descriptor of the message.
fn take_descriptors(message: &libc::msghdr, take: &mut dyn FnMut(OwnedFd)) {
    // SAFETY: the kernel filled the control buffer and its length.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: not null, so it is a header inside the control buffer.
        let head = unsafe { header.read() };
        // SAFETY: computes a length from a length.
        let empty = unsafe { libc::CMSG_LEN(0) } as usize;
        let count = head.cmsg_len.saturating_sub(empty) / size_of::<RawFd>();
        if head.cmsg_level == libc::SOL_SOCKET && head.cmsg_type == libc::SCM_RIGHTS {
            (0..count).for_each(|place| take(nth_descriptor(header, place)));
        }
        // SAFETY: message and header belong together.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    /// A pipe that answers to its number: what is written to `.1` is read from `.0`.
    fn pipes(count: usize) -> Vec<(OwnedFd, OwnedFd)> {
        (0..count).map(|_| nix::unistd::pipe().unwrap()).collect()
    }

    #[test]
    fn eight_descriptors_arrive_in_their_order_and_nine_are_refused() {
        let (ours, theirs) = message_pair().unwrap();
        let pipes = pipes(MOST_DESCRIPTORS + 1);
        let ends: Vec<BorrowedFd<'_>> = pipes.iter().map(|(_, write)| write.as_fd()).collect();
        assert_eq!(send_with(ours.as_fd(), b"x", &ends, true), Err(Errno::E2BIG));
        send_with(ours.as_fd(), b"x", &ends[..MOST_DESCRIPTORS], true).unwrap();
        let (length, got) = receive_with(theirs.as_fd(), &mut [0; 4], true).unwrap();
        assert_eq!((length, got.len()), (1, MOST_DESCRIPTORS));
        for (place, (write, (read, _))) in got.iter().zip(&pipes).enumerate() {
            let byte = u8::try_from(place).unwrap();
            crate::sys::fd::write_all(write.as_fd(), &[byte]).unwrap();
            let mut back = [9];
            crate::sys::fd::read(read.as_fd(), &mut back).unwrap();
            assert_eq!(back, [byte]);
        }
    }

    #[test]
    fn a_message_with_more_descriptors_than_wanted_leaves_none_open() {
        let (ours, theirs) = message_pair().unwrap();
        let (read, write) = pipes(1).pop().unwrap();
        send_with(ours.as_fd(), b"x", &[write.as_fd(), write.as_fd()], true).unwrap();
        drop(write);
        assert_eq!(receive(theirs.as_fd(), &mut [0; 4], true).unwrap_err(), Errno::EMSGSIZE);
        assert_eq!(crate::sys::fd::read(read.as_fd(), &mut [0; 1]), Ok(0), "every writer is gone");
    }

    #[test]
    fn a_message_that_does_not_fit_is_an_error_and_takes_its_descriptor_with_it() {
        let (ours, theirs) = message_pair().unwrap();
        let (read, write) = pipes(1).pop().unwrap();
        send(ours.as_fd(), &[0; 16], Some(write.as_fd()), true).unwrap();
        drop(write);
        assert_eq!(receive(theirs.as_fd(), &mut [0; 8], true).unwrap_err(), Errno::EMSGSIZE);
        assert_eq!(crate::sys::fd::read(read.as_fd(), &mut [0; 1]), Ok(0));
    }
}
