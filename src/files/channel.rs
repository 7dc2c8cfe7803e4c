//! Between the kernel's descriptor and the FUSE session: interrupts are taken out here, and cached pages are taken back.
//!
//! A session of `fuser` answers an interrupt with "not known", and then a killed caller stays until its question is
//! answered. So two threads carry every message, and the one from the kernel looks at its opcode. Nothing else of a
//! message is looked at, and none is changed.

use crate::sys::{Errno, Sys, fd, socket};
use nix::sys::socket::{Shutdown, setsockopt, shutdown, sockopt};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Arc, Weak};
use std::thread;

/// FUSE_INTERRUPT of linux/fuse.h.
const INTERRUPT: u32 = 36;
/// FUSE_NOTIFY_INVAL_INODE: the kernel drops the pages it holds of a node.
const DROP_PAGES: i32 = 2;
/// Bytes of the header of a request, which an interrupt's number follows.
const HEADER: usize = 40;
/// Room for one message: the most data of one call, and what the kernel wants beside it (FUSE_MIN_READ_BUFFER).
const ROOM: usize = super::session::MOST_DATA as usize + 8192;

/// The kernel's side of a session.
#[derive(Debug)]
pub(super) struct Channel(Weak<OwnedFd>);

/// Starts to carry; gives the end for the session. `interrupted` gets the number of each call to be given up.
/// # Errors
/// `EMFILE`.
pub(super) fn start(fuse: OwnedFd, interrupted: impl Fn(u64) + Send + 'static) -> Sys<(Channel, OwnedFd)> {
    let (ours, theirs) = socket::message_pair()?;
    for end in [&ours, &theirs] {
        setsockopt(end, sockopt::SndBuf, &(2 * ROOM))?;
    }
    let (fuse, ours) = (Arc::new(fuse), Arc::new(ours));
    let channel = Channel(Arc::downgrade(&fuse));
    let (kernel, session) = (Arc::clone(&fuse), Arc::clone(&ours));
    thread::spawn(move || {
        // Either end failing ends the session: the other side sees its end closed.
        let _ended = carry_in(&kernel, &session, &interrupted);
        let _gone = shutdown(session.as_raw_fd(), Shutdown::Both);
    });
    thread::spawn(move || carry_out(&ours, &fuse));
    Ok((channel, theirs))
}

fn carry_in(kernel: &OwnedFd, session: &OwnedFd, interrupted: &impl Fn(u64)) -> Sys<()> {
    let mut buffer = vec![0; ROOM];
    loop {
        let length = match fd::read(kernel.as_fd(), &mut buffer) {
            Err(Errno::ENOENT | Errno::EAGAIN) => continue,
            other => other?,
        };
        let message = buffer.get(..length).unwrap_or_default();
        match interrupt(message) {
            Some(unique) => interrupted(unique),
            None => socket::send(session.as_fd(), message, None, true)?,
        }
    }
}

/// Answers and notices. The kernel's errors are not ours: a call may be gone by the time of its answer (ENOENT).
fn carry_out(session: &OwnedFd, kernel: &OwnedFd) {
    let mut buffer = vec![0; ROOM];
    while let Ok((length @ 1.., _)) = socket::receive(session.as_fd(), &mut buffer, true) {
        let _answered = fd::write(kernel.as_fd(), buffer.get(..length).unwrap_or_default());
    }
}

/// The number of the call that an interrupt is about.
fn interrupt(message: &[u8]) -> Option<u64> {
    let opcode = u32::from_ne_bytes(message.get(4..8)?.try_into().ok()?);
    let unique = u64::from_ne_bytes(message.get(HEADER..HEADER + 8)?.try_into().ok()?);
    (opcode == INTERRUPT).then_some(unique)
}

impl Channel {
    /// Makes the kernel drop what it holds of these nodes, mapped pages too.
    pub(super) fn drop_pages(&self, nodes: &[u64]) {
        let Some(kernel) = self.0.upgrade() else { return };
        for node in nodes {
            // A node the kernel forgot meanwhile has no pages (ENOENT).
            let _dropped = fd::write(kernel.as_fd(), &drop_message(*node));
        }
    }
}

/// Length, code and number 0 make a notice; then the node, from its first byte (0) to its end (0).
fn drop_message(node: u64) -> Vec<u8> {
    let mut message = Vec::with_capacity(40);
    message.extend_from_slice(&40u32.to_ne_bytes());
    message.extend_from_slice(&DROP_PAGES.to_ne_bytes());
    message.extend_from_slice(&0u64.to_ne_bytes());
    message.extend_from_slice(&node.to_ne_bytes());
    message.extend_from_slice(&[0; 16]);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupt_is_known_by_its_opcode_and_no_shorter_message_is_one() {
        let mut message = [0u8; 48];
        message[4..8].copy_from_slice(&INTERRUPT.to_ne_bytes());
        message[40..].copy_from_slice(&77u64.to_ne_bytes());
        assert_eq!(interrupt(&message), Some(77));
        for length in 0..48 {
            assert_eq!(interrupt(&message[..length]), None);
        }
        message[4] = 1;
        assert_eq!(interrupt(&message), None);
    }
}
