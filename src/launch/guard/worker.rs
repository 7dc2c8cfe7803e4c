//! Workers: forks of init for what may block: an open, such as of a FIFO without a peer, and a call that leads into a
//! place that asks. Init itself never waits.
//!
//! A worker answers one call, or gives it back, and ends. One that opens a file ends too when its caller does; one that
//! waits in a place that asks does when that is answered.

use super::tell::is_refusal;
use crate::launch::observed::set_error;
use crate::sys::process::{Ended, Pid, Side, die_with_parent, exit_now, fork_bare};
use crate::sys::signal::SignalSet;
use crate::sys::{Errno, Sys, fd, file, notify, socket};
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// How many may wait at once; one more is refused with `EAGAIN`.
const MOST: usize = 16;
/// How often a waiting worker looks whether its caller is still there.
const LOOK_EVERY_MS: i64 = 200;

/// A blocking open: `path` beneath /proc leads to the file in whichever process looks.
pub(super) struct Opening<'a> {
    pub(super) listener: BorrowedFd<'a>,
    pub(super) id: u64,
    pub(super) proc: BorrowedFd<'a>,
    pub(super) found: BorrowedFd<'a>,
    pub(super) path: &'a CStr,
    pub(super) flags: i32,
    pub(super) close_on_exec: bool,
    /// What is told of it, and to whom.
    pub(super) told: Option<(&'a [u8], BorrowedFd<'a>)>,
}

/// A call, and how often it came back from a worker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    pub(super) call: notify::Call,
    pub(super) times: u32,
}

/// The exit code of a worker that gives its call back.
pub(super) const AGAIN: i32 = 3;

/// What became of a child.
#[derive(Debug)]
pub(super) enum Reaped {
    /// Nothing is left to do, or it was no worker.
    Done,
    /// The call is init's to do now.
    Again(Turn),
}

struct Running {
    pid: Pid,
    id: u64,
    turn: Option<Turn>,
}

/// The workers that wait now, each with the call it will answer.
#[derive(Default)]
pub(super) struct Workers {
    running: Vec<Running>,
    /// What a worker that does a whole call closes first.
    pub(super) closes: Option<RawFd>,
}

impl Workers {
    /// Hands an open to a new worker.
    /// # Errors
    /// `EAGAIN` when too many wait already, or as fork(2).
    pub(super) fn start(&mut self, opening: &Opening<'_>) -> Sys<()> {
        if self.running.len() >= MOST {
            return Err(Errno::EAGAIN);
        }
        match fork_bare()? {
            Side::Child => work(opening),
            Side::Parent(pid) => self.running.push(Running { pid, id: opening.id, turn: None }),
        }
        Ok(())
    }

    /// Forks a worker for a whole call. The child is told that it is one.
    /// # Errors
    /// As [`Self::start`].
    pub(super) fn hand_over(&mut self, turn: Turn) -> Sys<Side<()>> {
        if self.running.len() >= MOST {
            return Err(Errno::EAGAIN);
        }
        match fork_bare()? {
            Side::Child => Ok(Side::Child),
            Side::Parent(pid) => {
                self.running.push(Running { pid, id: turn.call.id, turn: Some(turn) });
                Ok(Side::Parent(()))
            }
        }
    }

    /// The first step of a worker that does a whole call: it ends with init, and holds nothing whose end tells of init's.
    pub(super) fn begin(&self) -> Sys<()> {
        die_with_parent(libc::SIGKILL)?;
        self.closes.map_or(Ok(()), |raw| fd::close_between(raw, raw.unsigned_abs()))
    }

    /// Takes note that a child of init ended. A caller whose worker died without an answer gets `EINTR`.
    /// # Errors
    /// As [`notify::answer`], but a caller that is gone is none.
    pub(super) fn reap(&mut self, listener: BorrowedFd<'_>, pid: Pid, ended: Ended) -> Sys<Reaped> {
        let Some(place) = self.running.iter().position(|running| running.pid == pid) else {
            return Ok(Reaped::Done);
        };
        if matches!(ended, Ended::Stopped(_)) {
            return Ok(Reaped::Done);
        }
        let Running { id, turn, .. } = self.running.swap_remove(place);
        if !notify::is_waiting(listener, id) {
            return Ok(Reaped::Done);
        }
        if let (Ended::Exited(AGAIN), Some(Turn { call, times })) = (ended, turn) {
            return Ok(Reaped::Again(Turn { call, times: times + 1 }));
        }
        match notify::answer(listener, id, Err(Errno::EINTR)) {
            Ok(()) | Err(Errno::ENOENT | Errno::EINPROGRESS) => Ok(Reaped::Done),
            Err(errno) => Err(errno),
        }
    }
}

fn work(opening: &Opening<'_>) -> ! {
    let result = open_and_answer(opening);
    exit_now(i32::from(result.is_err()))
}

fn open_and_answer(opening: &Opening<'_>) -> Sys<()> {
    die_with_parent(libc::SIGKILL)?;
    let (listener, proc, found) = (opening.listener, opening.proc, opening.found);
    let observer = opening.told.map_or(-1, |(_, socket)| socket.as_raw_fd());
    close_others([listener.as_raw_fd(), proc.as_raw_fd(), found.as_raw_fd(), observer])?;
    interrupt_and_unblock()?;
    loop {
        match file::openat(opening.proc, opening.path, opening.flags, 0) {
            Ok(opened) => {
                tell(opening, 0)?;
                return notify::answer_with(opening.listener, opening.id, opened, opening.close_on_exec)
                    .or_else(|errno| notify::answer(opening.listener, opening.id, Err(errno)));
            }
            Err(Errno::EINTR) if notify::is_waiting(opening.listener, opening.id) => {}
            Err(errno) => {
                if is_refusal(errno) {
                    tell(opening, errno as i32)?;
                }
                return notify::answer(opening.listener, opening.id, Err(errno));
            }
        }
    }
}

fn tell(opening: &Opening<'_>, error: i32) -> Sys<()> {
    let Some((message, socket)) = opening.told else { return Ok(()) };
    let mut message = message.to_vec();
    set_error(&mut message, error);
    socket::send(socket, &message, None, true)
}

fn interrupt_and_unblock() -> Sys<()> {
    notify::interrupt_every(LOOK_EVERY_MS)?;
    SignalSet::of(&[]).block().map(drop)
}

/// Closes all but these (-1: none): a worker may wait long, and nobody shall wait for the end of what it inherited.
fn close_others(mut keep: [i32; 4]) -> Sys<()> {
    keep.sort_unstable();
    let mut first = 0;
    for kept in keep {
        if kept > first {
            fd::close_between(first, kept.unsigned_abs() - 1)?;
        }
        first = kept + 1;
    }
    fd::close_between(first, u32::MAX)
}
