//! One end of a socket to another process: whole messages as JSON, never waiting, with a bounded queue of what is unsent.
//!
//! A peer that does not read is given up when its queue is full; it never holds the Guardian back.

use crate::sys::{Errno, socket, stream};
use crate::wire::codec::{MOST_BYTES, decode, encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The most messages that wait for a peer to read.
const MOST_WAITING: usize = 256;

/// What was received.
#[derive(Debug)]
pub(super) enum Received<T> {
    /// A message. A descriptor that came with it is closed, unless it was asked for.
    Message(T),
    /// Nothing now.
    Nothing,
    /// The peer is gone, or said something that is no message: it is not listened to again.
    Gone(String),
}

/// The socket and what waits to be sent.
#[derive(Debug)]
pub(super) struct Link {
    socket: OwnedFd,
    unsent: VecDeque<(Vec<u8>, Option<OwnedFd>)>,
    broken: bool,
}

impl Link {
    /// Takes a SOCK_SEQPACKET socket.
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self { socket, unsent: VecDeque::new(), broken: false }
    }

    /// Its descriptor, to wait on.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// What to wait for.
    pub(super) fn events(&self) -> i16 {
        if self.unsent.is_empty() { libc::POLLIN } else { libc::POLLIN | libc::POLLOUT }
    }

    /// Whether the peer was given up.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Ends the connection for everybody who holds its descriptor: the peer ends too.
    pub(super) fn hang_up(&self) {
        if let Err(errno) = stream::hang_up(self.socket.as_fd()) {
            tracing::debug!("the peer is gone already: {errno}");
        }
    }

    /// Sends a message, or keeps it until the peer reads.
    pub(super) fn send(&mut self, message: &impl Serialize, descriptor: Option<OwnedFd>) {
        self.queue(message, descriptor);
        self.flush();
    }

    /// Keeps a message for the next turn of the loop, which has told the run's state by then.
    pub(super) fn queue(&mut self, message: &impl Serialize, descriptor: Option<OwnedFd>) {
        match encode(message) {
            Ok(bytes) if self.unsent.len() < MOST_WAITING => self.unsent.push_back((bytes, descriptor)),
            _ => self.broken = true,
        }
    }

    /// Sends what waits, as far as the peer takes it.
    pub(super) fn flush(&mut self) {
        while let Some((bytes, descriptor)) = self.unsent.front() {
            match socket::send(self.socket.as_fd(), bytes, descriptor.as_ref().map(AsFd::as_fd), false) {
                Ok(()) => drop(self.unsent.pop_front()),
                Err(Errno::EAGAIN | Errno::ENOBUFS) => return,
                Err(_) => {
                    self.broken = true;
                    self.unsent.clear();
                }
            }
        }
    }

    /// The next message.
    pub(super) fn receive<T: DeserializeOwned>(&mut self) -> Received<T> {
        self.receive_with(&mut None)
    }

    /// The next message of one who may have a descriptor to give.
    pub(super) fn receive_with<T: DeserializeOwned>(&mut self, given: &mut Option<OwnedFd>) -> Received<T> {
        if self.broken {
            return Received::Gone("it does not take what it is sent".to_owned());
        }
        let mut buffer = vec![0; MOST_BYTES];
        let (length, descriptor) = match socket::receive(self.socket.as_fd(), &mut buffer, false) {
            Ok((0, _)) => return Received::Gone("it closed its end".to_owned()),
            Ok(received) => received,
            Err(Errno::EAGAIN) => return Received::Nothing,
            Err(errno) => return Received::Gone(errno.desc().to_owned()),
        };
        match decode(buffer.get(..length).unwrap_or_default()) {
            Ok(message) => {
                *given = descriptor;
                Received::Message(message)
            }
            Err(error) => Received::Gone(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_does_not_read_is_given_up_and_never_waited_for() {
        let (ours, theirs) = socket::message_pair().unwrap();
        let mut link = Link::new(ours);
        let text = "x".repeat(60_000);
        for _ in 0..MOST_WAITING + 64 {
            link.send(&text, None);
        }
        assert!(link.is_broken());
        drop(theirs);
    }

    #[test]
    fn what_waits_is_sent_in_order_once_the_peer_reads() {
        let (ours, theirs) = socket::message_pair().unwrap();
        let (mut link, mut peer) = (Link::new(ours), Link::new(theirs));
        for number in 0..200u32 {
            link.send(&format!("{number} {}", "x".repeat(4000)), None);
        }
        assert!(!link.unsent.is_empty() && link.events() & libc::POLLOUT != 0);
        let mut seen = Vec::<u32>::new();
        while seen.len() < 200 {
            match peer.receive::<String>() {
                Received::Message(text) => seen.push(text.split_once(' ').unwrap().0.parse().unwrap()),
                Received::Nothing => link.flush(),
                Received::Gone(why) => panic!("{why}"),
            }
        }
        assert_eq!(seen, (0..200u32).collect::<Vec<u32>>());
    }

    #[test]
    fn what_is_no_message_ends_the_link() {
        let (ours, theirs) = socket::message_pair().unwrap();
        socket::send(theirs.as_fd(), b"{", None, true).unwrap();
        assert!(matches!(Link::new(ours).receive::<u32>(), Received::Gone(_)));
    }
}
