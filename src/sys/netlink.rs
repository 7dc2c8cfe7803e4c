//! Netlink: a socket to one part of the kernel, a batch of requests carried out at once, and messages read from bytes.
//!
//! Never waits: the kernel answers a request before send(2) returns. What does not come from the kernel is passed over.
//! Nothing here allocates.

use super::{Errno, Sys, checked, checked_int};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Which part of the kernel (netlink(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Addresses and routes.
    Route,
    /// The packet filter.
    Netfilter,
    /// Who holds a socket.
    Sockets,
}

/// Length of struct nlmsghdr, bytes.
pub const HEADER: usize = 16;
/// Flag of a request whose outcome is to be told.
pub const ACKNOWLEDGE: u16 = libc::NLM_F_ACK as u16;
/// Kind of a message that tells an outcome.
const OUTCOME: u16 = libc::NLMSG_ERROR as u16;

/// Opens one, of the network namespace we are in.
/// # Errors
/// `EPROTONOSUPPORT` when the kernel has no such part; what a filter says.
pub fn open(part: Part) -> Sys<OwnedFd> {
    let number = match part {
        Part::Route => libc::NETLINK_ROUTE,
        Part::Netfilter => libc::NETLINK_NETFILTER,
        Part::Sockets => libc::NETLINK_SOCK_DIAG,
    };
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: integers only.
    let raw = checked_int(unsafe { libc::socket(libc::AF_NETLINK, kind, number) })?;
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Has a batch of requests carried out. Those with [`ACKNOWLEDGE`] must all be told as done.
/// # Errors
/// The first request's that failed; `EAGAIN` when one was not answered.
pub fn carry_out(part: Part, batch: &[u8]) -> Sys<()> {
    let socket = open(part)?;
    let mut awaited = messages(batch).filter(|message| message.flags & ACKNOWLEDGE != 0).count();
    send(socket.as_fd(), batch)?;
    let mut buffer = [0; 4096];
    while awaited > 0 {
        let length = receive(socket.as_fd(), &mut buffer)?;
        for message in messages(buffer.get(..length).unwrap_or_default()) {
            match message.outcome() {
                Some(Ok(())) => awaited = awaited.saturating_sub(1),
                Some(Err(errno)) => return Err(errno),
                None => {}
            }
        }
    }
    Ok(())
}

/// Sends requests to the kernel.
/// # Errors
/// `EPERM`, `EMSGSIZE`.
pub fn send(socket: BorrowedFd<'_>, batch: &[u8]) -> Sys<()> {
    // SAFETY: pointer and length of one slice; a netlink socket without a peer sends to the kernel.
    let sent = unsafe { libc::send(socket.as_raw_fd(), batch.as_ptr().cast(), batch.len(), 0) };
    checked(sent as _).map(drop)
}

/// Receives what the kernel said.
/// # Errors
/// `EAGAIN` when it said nothing, `EMSGSIZE` when it does not fit, `ENOBUFS` when something was lost.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Sys<usize> {
    loop {
        // SAFETY: a struct of integers, for which all-zero is a value.
        let mut from = unsafe { MaybeUninit::<libc::sockaddr_nl>::zeroed().assume_init() };
        let mut room = size_of::<libc::sockaddr_nl>() as libc::socklen_t;
        let (to, most) = (buffer.as_mut_ptr().cast(), buffer.len());
        let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
        let sender = (&raw mut from).cast();
        // SAFETY: both buffers are given with their own length and outlive the call.
        let rc = unsafe { libc::recvfrom(socket.as_raw_fd(), to, most, flags, sender, &raw mut room) };
        let length = usize::try_from(checked(rc as _)?).unwrap_or(0);
        if from.nl_pid != 0 {
            continue; // another process sent it
        }
        return if length > most { Err(Errno::EMSGSIZE) } else { Ok(length) };
    }
}

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its kind.
    pub kind: u16,
    /// Its flags.
    pub flags: u16,
    /// The number of the request.
    pub sequence: u32,
    /// What follows the header.
    pub body: &'a [u8],
}

impl Message<'_> {
    /// What became of a request, if this tells it.
    pub fn outcome(&self) -> Option<Sys<()>> {
        if self.kind != OUTCOME {
            return None;
        }
        let code = self.body.first_chunk().map_or(-libc::EPROTO, |code| i32::from_ne_bytes(*code));
        Some(if code == 0 { Ok(()) } else { Err(Errno::from_raw(code.saturating_neg())) })
    }
}

/// The messages in these bytes; nothing after one that is not whole.
pub fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
        let message = bytes.get(..length).filter(|message| message.len() >= HEADER)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        let word =
            |at: usize| message.get(at..at + 2).and_then(|word| word.try_into().ok()).map(u16::from_ne_bytes);
        let sequence = message.get(8..12).and_then(|word| word.try_into().ok()).map(u32::from_ne_bytes)?;
        Some(Message { kind: word(4)?, flags: word(6)?, sequence, body: message.get(HEADER..)? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RTM_GETLINK of `lo` (index 1), which everybody may ask.
    fn ask(index: u32, flags: u16) -> Vec<u8> {
        let mut bytes = 32u32.to_ne_bytes().to_vec();
        bytes.extend(18u16.to_ne_bytes());
        bytes.extend((1 | flags).to_ne_bytes());
        bytes.extend([9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend(index.to_ne_bytes());
        bytes.extend([0; 8]);
        bytes
    }

    #[test]
    fn the_first_request_that_fails_is_told() {
        let fine = ask(1, ACKNOWLEDGE);
        assert_eq!(carry_out(Part::Route, &fine), Ok(()));
        let mut two = fine.clone();
        two.extend(ask(0x7FFF_FFFF, 0));
        two.extend(fine);
        assert_eq!(carry_out(Part::Route, &two), Err(Errno::ENODEV));
    }

    #[test]
    fn bytes_that_are_no_message_are_none() {
        assert_eq!(messages(&[]).count(), 0);
        assert_eq!(messages(&[3, 0, 0, 0, 9, 9]).count(), 0, "shorter than a header");
        assert_eq!(messages(&u32::MAX.to_ne_bytes()).count(), 0, "longer than the bytes");
        let mut two = ask(1, 0);
        two.extend(ask(2, ACKNOWLEDGE));
        let found: Vec<_> =
            messages(&two).map(|message| (message.kind, message.flags, message.sequence)).collect();
        assert_eq!(found, [(18, 1, 9), (18, 5, 9)]);
        assert_eq!(messages(&two[..40]).count(), 1, "the second is cut");
    }

    #[test]
    fn an_outcome_without_a_code_is_a_failure() {
        let message = Message { kind: OUTCOME, flags: 0, sequence: 0, body: &[0, 0] };
        assert_eq!(message.outcome(), Some(Err(Errno::EPROTO)));
    }
}
