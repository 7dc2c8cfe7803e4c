//! Guard: keeps protected names that do not exist from coming into being, by doing every creating call itself.
//!
//! It runs in init, inside the sandbox, with the agent's own authority: same ids, no capability, same Landlock
//! domain. A small filter of the agent sends it each call that can make a name; reads and plain opens never come
//! here. It never lets the kernel go on with such a call: what it judged and what happens are one act on one open
//! folder. It never follows a magic link, opens no file of /proc by an agent's path, and never waits for an agent.

mod call;
mod entry;
mod fold;
mod open;
mod own;
mod plan;
mod resolve;
mod socket;
mod table;
mod target;
mod text;
mod worker;

pub use plan::{GuardPlan, GuardedFolder, GuardedName, Missing, NameKind};

use crate::sys::process::{Ended, Pid};
use crate::sys::{Errno, Sys, notify};
use resolve::{From, Place};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use table::Table;
use target::{Callers, Target};
use text::PathText;
use worker::Workers;

/// A name that was not made, for the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denied {
    /// The pattern that protects it.
    pub pattern: u16,
    /// The number of the system call that asked.
    pub call: i32,
}

/// The guard of one sandbox.
pub struct Guard {
    listener: OwnedFd,
    table: Table,
    callers: Callers,
    workers: Workers,
}

impl Guard {
    /// Opens the guarded folders. `proc` is the sandbox's own /proc; the process must have one thread, not be
    /// dumpable, and not be under the filter whose `listener` this is.
    /// # Errors
    /// `ENOSYS` without openat2; `E2BIG` for a kernel with larger notifications; what opening a folder gives.
    pub fn new(plan: &GuardPlan, proc: OwnedFd, listener: OwnedFd) -> Sys<Self> {
        notify::check_sizes()?;
        let table = Table::open(plan, proc.as_fd())?;
        match notify::wake_in_step(listener.as_fd()) {
            // Before Linux 6.6 it is only slower.
            Ok(()) | Err(Errno::EINVAL | Errno::ENOTTY) => {}
            Err(errno) => return Err(errno),
        }
        Ok(Self { listener, table, callers: Callers::new(proc), workers: Workers::default() })
    }

    /// Readable when a call waits; hung up when no process is left under the filter.
    pub fn listener(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// Does one waiting call. A caller that died meanwhile is no error.
    /// # Errors
    /// Only what makes the guard useless: then the sandbox must end.
    pub fn serve_one(&mut self) -> Sys<Option<Denied>> {
        let Some(call) = notify::receive(self.listener.as_fd())? else { return Ok(None) };
        let outcome = self.perform(&call);
        let listener = self.listener.as_fd();
        let denied = match &outcome {
            Err(Refusal::Denied(pattern)) => Some(Denied { pattern: *pattern, call: call.number }),
            _ => None,
        };
        let answered = match outcome {
            Ok(Done::Later) => Ok(()),
            Ok(Done::Value) => notify::answer(listener, call.id, Ok(0)),
            Ok(Done::Opened(fd, close_on_exec)) => notify::answer_with(listener, call.id, fd, close_on_exec)
                .or_else(|errno| notify::answer(listener, call.id, Err(errno))),
            Err(Refusal::Errno(errno)) => notify::answer(listener, call.id, Err(errno)),
            Err(Refusal::Denied(_)) => notify::answer(listener, call.id, Err(Errno::EACCES)),
        };
        match answered {
            Ok(()) | Err(Errno::ENOENT | Errno::EINPROGRESS) => {}
            Err(errno) => return Err(errno),
        }
        Ok(denied)
    }

    /// Tells the guard that a child of init changed state; says whether it was one of its own.
    /// # Errors
    /// As [`Self::serve_one`].
    pub fn reap(&mut self, pid: Pid, ended: Ended) -> Sys<bool> {
        self.workers.reap(self.listener.as_fd(), pid, ended)
    }

    fn perform(&mut self, call: &notify::Call) -> Outcome {
        let target = self.callers.meet(call.tid)?;
        let listener = self.listener.as_fd();
        let (table, workers) = (&mut self.table, &mut self.workers);
        call::perform(&mut Request { listener, id: call.id, target, table, workers }, call)
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Guard").field("listener", &self.listener).finish_non_exhaustive()
    }
}

/// One call in the making.
struct Request<'a> {
    listener: BorrowedFd<'a>,
    id: u64,
    target: Target<'a>,
    table: &'a mut Table,
    workers: &'a mut Workers,
}

impl Request<'_> {
    /// Finds the place a path names.
    fn place(&self, from: From<'_>, path: &PathText) -> Sys<Place> {
        Place::find(&self.target, from, path)
    }

    /// Everything read of the caller until now was its own if it still waits. Asked before every act.
    fn check_waiting(&self) -> Sys<()> {
        if notify::is_waiting(self.listener, self.id) { Ok(()) } else { Err(Errno::ESRCH) }
    }
}

/// How a call was done.
#[derive(Debug)]
enum Done {
    /// It returns 0.
    Value,
    /// It returns a copy of this descriptor; true: close-on-exec.
    Opened(OwnedFd, bool),
    /// A worker answers it.
    Later,
}

impl Done {
    fn opened(fd: OwnedFd, flags: i32) -> Self {
        Self::Opened(fd, flags & libc::O_CLOEXEC != 0)
    }
}

/// Why a call was not done.
#[derive(Debug)]
enum Refusal {
    /// The kernel's answer, or what it would be.
    Errno(Errno),
    /// The name is protected by this pattern.
    Denied(u16),
}

impl std::convert::From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

type Outcome = Result<Done, Refusal>;
