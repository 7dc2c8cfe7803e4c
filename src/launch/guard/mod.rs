//! Guard: keeps protected names that do not exist from coming into being, by doing every creating call itself.
//!
//! It runs in init, inside the sandbox, with the agent's own authority: same ids, no capability, same Landlock
//! domain. A small filter of the agent sends it each call that can make a name; reads and plain opens never come
//! here. It never lets the kernel go on with such a call: what it judged and what happens are one act on one open
//! folder. It never follows a magic link, opens no file of /proc by an agent's path, and never waits for an agent.

mod asks;
mod call;
mod entry;
mod execute;
mod existing;
mod fold;
mod open;
mod own;
mod plan;
mod proc_view;
mod resolve;
mod socket;
mod table;
mod target;
mod tell;
mod text;
mod worker;

pub use plan::{GuardPlan, GuardedFolder, GuardedName, Missing, NameKind};

use crate::profile::Observe;
use crate::sys::process::{self, Ended, Pid};
use crate::sys::{Errno, Sys, file, notify};
use asks::{Asks, Side};
use resolve::{From, Patience, Place};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use table::Table;
use target::{Callers, Target};
use tell::Teller;
use text::PathText;
use worker::{AGAIN, Reaped, Turn, Workers};

/// How often a call goes to a worker and back before init takes the time a walk takes.
const MOST_TURNS: u32 = 3;

/// A command is executed, or as a script by /bin/sh.
const MOST_STARTS: u8 = 2;

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
    asks: Asks,
    teller: Option<Teller>,
    /// The process that will execute the command, and how often it may still try.
    starting: (u32, u8),
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
        let asks = Asks::find(&plan.asks)?;
        Ok(Self {
            listener,
            table,
            callers: Callers::new(proc),
            workers: Workers::default(),
            asks,
            teller: None,
            starting: (0, 0),
        })
    }

    /// From here on calls are observed, and told to this socket. The command is executed by `agent`, a process that cannot be
    /// looked into before; its record is that of the run's start.
    pub fn observe(&mut self, level: Observe, socket: OwnedFd, agent: Pid) {
        self.teller = Some(Teller::new(level, socket));
        self.starting = (agent.unsigned_abs(), MOST_STARTS);
    }

    /// A descriptor of init that no worker keeps: its closing says that init has ended.
    pub fn keep_from_workers(&mut self, descriptor: RawFd) {
        self.workers.closes = Some(descriptor);
    }

    /// Readable when a call waits; hung up when no process is left under the filter.
    pub fn listener(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// Does one waiting call. A caller that died meanwhile is no error.
    /// # Errors
    /// Only what makes the guard useless: then the sandbox must end.
    pub fn serve_one(&mut self) -> Sys<Option<Denied>> {
        match notify::receive(self.listener.as_fd())? {
            Some(call) => self.serve(Turn { call, times: 0 }),
            None => Ok(None),
        }
    }

    /// Tells the guard that a child of init changed state, which may be one of its own.
    /// # Errors
    /// As [`Self::serve_one`].
    pub fn reap(&mut self, pid: Pid, ended: Ended) -> Sys<Option<Denied>> {
        match self.workers.reap(self.listener.as_fd(), pid, ended)? {
            Reaped::Again(turn) => self.serve(turn),
            Reaped::Done => Ok(None),
        }
    }

    fn serve(&mut self, turn: Turn) -> Sys<Option<Denied>> {
        let side = if turn.times < MOST_TURNS { Side::Init } else { Side::InitAtLast };
        let mut outcome = self.perform(&turn.call, side);
        if matches!(outcome, Err(Refusal::Elsewhere)) && turn.times <= MOST_TURNS {
            match self.workers.hand_over(turn) {
                Ok(process::Side::Child) => self.work(&turn.call),
                Ok(process::Side::Parent(())) => return Ok(None),
                Err(errno) => outcome = Err(Refusal::Errno(errno)),
            }
        }
        self.answer(&turn.call, outcome)
    }

    /// A worker's whole life: one call that may wait. What belongs to init after all goes back to it: a way in the plan
    /// that was made here would be known to nobody, and after ESTALE the real thing stands where the place asked.
    fn work(&mut self, call: &notify::Call) -> ! {
        let outcome =
            self.workers.begin().map_err(Refusal::Errno).and_then(|()| self.perform(call, Side::Worker));
        process::exit_now(match outcome {
            Err(Refusal::Elsewhere | Refusal::Errno(Errno::ESTALE) | Refusal::Denied(_)) => AGAIN,
            outcome => i32::from(self.answer(call, outcome).is_err()),
        })
    }

    fn answer(&mut self, call: &notify::Call, outcome: Outcome) -> Sys<Option<Denied>> {
        if let Some(teller) = &mut self.teller
            && let Some(target) = self.callers.met(call.tid)
        {
            teller.tell(call, &target, &outcome)?;
        }
        let listener = self.listener.as_fd();
        let denied = match &outcome {
            Err(Refusal::Denied(pattern)) => Some(Denied { pattern: *pattern, call: call.number }),
            _ => None,
        };
        let answered = match outcome {
            Ok(Done::Later) => Ok(()),
            Ok(Done::Continued) => notify::go_on(listener, call.id),
            Ok(Done::Value) => notify::answer(listener, call.id, Ok(0)),
            Ok(Done::Opened(fd, close_on_exec)) => notify::answer_with(listener, call.id, fd, close_on_exec)
                .or_else(|errno| notify::answer(listener, call.id, Err(errno))),
            Err(Refusal::Errno(errno)) => notify::answer(listener, call.id, Err(errno)),
            Err(Refusal::Denied(_)) => notify::answer(listener, call.id, Err(Errno::EACCES)),
            Err(Refusal::Elsewhere) => notify::answer(listener, call.id, Err(Errno::EAGAIN)),
        };
        match answered {
            Ok(()) | Err(Errno::ENOENT | Errno::EINPROGRESS) => {}
            Err(errno) => return Err(errno),
        }
        Ok(denied)
    }

    fn perform(&mut self, call: &notify::Call, side: Side) -> Outcome {
        let (mut teller, starting) = (self.teller.as_mut(), &mut self.starting);
        if let Some(teller) = &mut teller {
            teller.begin(None);
        }
        let target = self.callers.meet(call.tid)?;
        if let Some(teller) = &mut teller {
            // Who it is has to be known before anything is done: it may be killed meanwhile.
            target.tgid()?;
            teller.begin(call::act(call));
        }
        let listener = self.listener.as_fd();
        let (table, workers, asks) = (&mut self.table, &mut self.workers, &self.asks);
        let (id, number) = (call.id, call.number);
        let mut request =
            Request { listener, id, call: number, target, table, workers, asks, side, teller, starting };
        call::perform(&mut request, call)
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
    asks: &'a Asks,
    side: Side,
    call: i32,
    teller: Option<&'a mut Teller>,
    starting: &'a mut (u32, u8),
}

impl Request<'_> {
    /// Says whether the caller is the process of ours that becomes the command. That can be said no more often than it tries,
    /// and no more once a program of its could be looked into.
    fn is_the_first_program(&mut self) -> bool {
        let (agent, left) = *self.starting;
        let first = self.target.tid() == agent && left > 0;
        self.starting.1 = left.saturating_sub(u8::from(first));
        if first && left == MOST_STARTS {
            // The record of the run's start has it.
            self.saw_nothing();
        }
        first
    }

    /// A caller could be looked into: the command runs, if it is that.
    fn is_started(&mut self) {
        if self.target.tid() == self.starting.0 {
            self.starting.1 = 0;
        }
    }

    /// Finds the place a path names.
    fn place(&self, from: From<'_>, path: &PathText) -> Result<Place, Refusal> {
        let patience = self.asks.patience(self.side);
        let place = match Place::find(&self.target, from, path, patience) {
            Err(Errno::EAGAIN) if patience == Patience::Hurries => return Err(Refusal::Elsewhere),
            place => place?,
        };
        self.check_quick(place.parent.as_fd())?;
        Ok(place)
    }

    /// Asked before anything that this leads to is looked at.
    fn check_quick(&self, found: BorrowedFd<'_>) -> Result<(), Refusal> {
        self.asks.check_quick(self.side, found)
    }

    /// Asked before anything is done with two places. A worker says at once what the kernel would: a place that asks has
    /// a device of its own. Otherwise each of the two would be for another side.
    fn check_both(&self, one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> Sys<()> {
        let apart = self.side == Side::Worker && file::device_unasked(one)? != file::device_unasked(other)?;
        if apart { Err(Errno::EXDEV) } else { Ok(()) }
    }

    /// Asked before anything is done here.
    fn check_side(&self, found: BorrowedFd<'_>) -> Result<(), Refusal> {
        self.asks.check_side(self.side, found)
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
    /// The kernel does it: it was only seen.
    Continued,
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
    /// It is for the other side: a worker instead of init, or init instead of a worker.
    Elsewhere,
}

impl std::convert::From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

type Outcome = Result<Done, Refusal>;
