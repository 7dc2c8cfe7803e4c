//! Floor: what an open by another process costs by its system calls alone.
//!
//! The same calls as a broker's open, in the same order, on one CPU, by a process of ours that checks nothing, parses
//! nothing and proves nothing. What the broker takes more is its own work; what this takes is the kernel's.

use super::open::per_open;
use aisandbox::sys::file::{self, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS};
use aisandbox::sys::{asker, signal, socket};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// As long as a call with its token, and as an answer.
const CALL: usize = 700;
const ANSWER: usize = 200;
/// As many descriptors as a Guardian waits on.
const WAITS: usize = 8;

/// The process that opens.
pub(crate) struct Opener {
    socket: OwnedFd,
    child: Child,
    answer: Vec<u8>,
}

impl Opener {
    /// Opens `note` in this folder, as often as it is asked.
    pub(crate) fn start(folder: &Path) -> Self {
        let (ours, theirs) = socket::message_pair().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap());
        let child = child.arg("--floor").arg(folder).stdin(Stdio::from(theirs)).spawn().unwrap();
        let mut answer = vec![0; CALL];
        // What is sent before it asks for names of senders has none.
        socket::receive(ours.as_fd(), &mut answer, true).unwrap();
        Self { socket: ours, child, answer }
    }

    /// Microseconds of one open.
    pub(crate) fn open(&mut self) -> f64 {
        let call = [7; CALL];
        let mut turn = || {
            socket::send(self.socket.as_fd(), &call, None, true).unwrap();
            let (length, file) = socket::receive(self.socket.as_fd(), &mut self.answer, true).unwrap();
            assert!(length == ANSWER && file.is_some());
        };
        per_open(&mut turn, 1)
    }
}

impl Drop for Opener {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The process itself; its socket is its standard input.
pub(crate) fn serve(folder: &str) {
    let socket = std::io::stdin();
    let socket = socket.as_fd();
    asker::name_senders(socket).unwrap();
    socket::send(socket, &[7; ANSWER], None, false).unwrap();
    let others: Vec<_> = (1..WAITS).map(|_| socket::message_pair().unwrap()).collect();
    let folder = File::open(folder).unwrap();
    let mut call = vec![0; CALL];
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOFOLLOW | libc::O_NONBLOCK;
    loop {
        let mut waits = vec![signal::wants_reading(Some(socket))];
        waits.extend(others.iter().map(|(other, _)| signal::wants_reading(Some(other.as_fd()))));
        signal::poll(&mut waits, -1).unwrap();
        let message = asker::receive(socket, &mut call).unwrap();
        let Some(sender) = message.sender.filter(|_| message.length > 0) else { return };
        file::kind_and_identity(sender.as_fd()).unwrap();
        let found =
            file::openat2(folder.as_fd(), c"note", flags, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS).unwrap();
        file::kind_and_identity(found.as_fd()).unwrap();
        socket::send(socket, &[7; ANSWER], Some(found.as_fd()), false).unwrap();
    }
}
