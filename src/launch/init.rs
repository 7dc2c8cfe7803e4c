//! Init: pid 1 inside. Reaps, forwards signals, answers creating calls, and ends when the agent does. Without
//! namespaces it is no pid 1, and ends every descendant by itself.
//!
//! It has the agent's own rights and no more: the same namespaces, uid, Landlock domain and base filter, and it is
//! undumpable. When it ends the kernel ends everything in the sandbox. It never reads what the agent sends except
//! through the guard.

use super::brood::Brood;
use super::child::{Staged, fail};
use super::ending::GRACE;
use super::guard::{Denied, Guard};
use super::message::{LENGTH, Message};
use super::ready::Ready;
use super::stage::{Stage, StageFailure};
use crate::base::BootInstant;
use crate::sys::process::{self, Ended, Pid};
use crate::sys::signal::{self, SignalSet};
use crate::sys::{Errno, Sys, fd, file, socket, terminal};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

struct Init<'a> {
    control: BorrowedFd<'a>,
    agent: Pid,
    children: OwnedFd,
    guard: Option<Guard>,
    /// The agent's terminal, when the agent starts in its background.
    terminal: Option<OwnedFd>,
    deadline: Option<(BootInstant, Duration)>,
}

/// The most descriptors that init keeps.
const MOST_KEPT: usize = 9;

/// How long after the launcher should have ended the sandbox init does it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Serves until the agent ends; gives the code init ends with.
pub(super) fn run(
    ready: &Ready,
    agent: Pid,
    to_agent: OwnedFd,
    terminal: Option<OwnedFd>,
    brood: Option<Brood>,
) -> Staged<i32> {
    let here = |errno| StageFailure { stage: Stage::Guard, entry: 0, errno };
    let (children, guard) = match become_init(
        ready,
        agent,
        &to_agent,
        [terminal.as_ref(), brood.as_ref().map(Brood::descriptor)],
    ) {
        Ok(parts) => parts,
        // Told before `to_agent` closes: the agent's process, which hears of that, would only tell that it was left.
        Err(errno) => fail(ready, here(errno)),
    };
    drop(to_agent);
    fd::close_between(ready.failure.as_raw_fd(), ready.failure.as_raw_fd().unsigned_abs()).map_err(here)?;
    if brood.is_some() {
        // The launcher's end is seen by its socket, and then there is still something to do.
        process::die_with_parent(0).map_err(here)?;
    }
    let deadline = ready.wall_time.map(|most| (BootInstant::now(), most + GRACE + PATIENCE));
    let mut init = Init { control: ready.control.as_fd(), agent, children, guard, terminal, deadline };
    let code = init.serve();
    brood.map_or(Ok(()), |brood| brood.end(init.children.as_fd())).map_err(here)?;
    Ok(code)
}

/// Lets go of all that init does not need, and lets the agent's process go on once its calls are guarded.
fn become_init(
    ready: &Ready,
    agent: Pid,
    to_agent: &OwnedFd,
    others: [Option<&OwnedFd>; 2],
) -> Sys<(OwnedFd, Option<Guard>)> {
    let children = SignalSet::of(&[libc::SIGCHLD]).descriptor()?;
    let guarded = receive_listener(ready, to_agent)?;
    let mut kept = [-1; MOST_KEPT];
    let used = [&ready.control, &ready.failure, &children, to_agent]
        .into_iter()
        .chain(guarded.iter().flatten())
        .chain(others.into_iter().flatten())
        .chain(ready.observe.iter().map(|(_, socket)| socket));
    for (room, fd) in kept.iter_mut().zip(used) {
        *room = fd.as_raw_fd();
    }
    let_go(ready, &mut kept)?;
    let guard = match (guarded, &ready.guard) {
        (Some([proc_dir, listener]), Some((_, plan))) => {
            let mut guard = Guard::new(plan, proc_dir, listener)?;
            guard.keep_from_workers(ready.control.as_raw_fd());
            if let Some((level, socket)) = &ready.observe {
                guard.observe(*level, fd::copy_of(socket.as_raw_fd())?, agent);
            }
            socket::send(to_agent.as_fd(), &[1], None, true)?;
            Some(guard)
        }
        _ => None,
    };
    Ok((children, guard))
}

/// /proc and the listener, when there is a guard and the agent's process got as far as its filter. If it did not, it
/// has told the launcher itself.
fn receive_listener(ready: &Ready, to_agent: &OwnedFd) -> Sys<Option<[OwnedFd; 2]>> {
    if ready.guard.is_none() {
        return Ok(None);
    }
    let (_, listener) = socket::receive(to_agent.as_fd(), &mut [0; 1], true)?;
    let Some(listener) = listener else { return Ok(None) };
    Ok(Some([file::open(c"/proc", libc::O_PATH | libc::O_DIRECTORY)?, listener]))
}

/// Gives up what only the stages before needed: the standard descriptors and everything not in `kept`.
fn let_go(ready: &Ready, kept: &mut [RawFd; MOST_KEPT]) -> Sys<()> {
    process::set_name(c"aisandbox-init")?;
    for stdio in 0..3 {
        fd::duplicate_onto(ready.null.as_fd(), stdio)?;
    }
    kept.sort_unstable();
    let mut first = 3;
    for keep in kept.iter().copied().filter(|keep| *keep >= 3) {
        if keep > first {
            fd::close_between(first, (keep - 1).unsigned_abs())?;
        }
        first = first.max(keep + 1);
    }
    fd::close_between(first, u32::MAX)
}

impl Init<'_> {
    fn serve(&mut self) -> i32 {
        loop {
            let mut waiting = [
                signal::wants_reading(Some(self.control)),
                signal::wants_reading(Some(self.children.as_fd())),
                signal::wants_reading(self.guard.as_ref().map(Guard::listener)),
            ];
            let Some(left) = self.left() else { return 124 }; // the launcher is stopped, or too busy
            if signal::poll(&mut waiting, left).is_err() {
                return 125;
            }
            let [control, children, listener] = waiting;
            if listener.revents != 0 && !self.answer(listener.revents) {
                return 125; // nobody would answer any more: the sandbox ends
            }
            if control.revents != 0 && !self.obey() {
                return 125; // the launcher is gone
            }
            if children.revents != 0
                && let Some(code) = self.reap()
            {
                return code;
            }
        }
    }

    /// Milliseconds to the deadline, -1 without one; `None` when it is over.
    fn left(&self) -> Option<i32> {
        let Some((since, most)) = self.deadline else { return Some(-1) };
        most.checked_sub(since.elapsed()).map(signal::poll_time)
    }

    /// One creating call; `false` when the guard cannot go on.
    fn answer(&mut self, revents: i16) -> bool {
        let Some(guard) = &mut self.guard else { return true };
        if revents & libc::POLLIN == 0 {
            self.guard = None; // nobody is under the filter any more
            return true;
        }
        let served = guard.serve_one();
        self.tell_denied(served)
    }

    /// Tells the launcher of a call that was refused; `false` when the guard cannot go on.
    fn tell_denied(&self, served: Sys<Option<Denied>>) -> bool {
        if let Ok(Some(Denied { pattern, call })) = served {
            let call = u16::try_from(call).unwrap_or(u16::MAX);
            tell(self.control, Message::Denied { pattern, call, times: 1 }, false);
        }
        served.is_ok()
    }

    /// One message of the launcher; `false` when it is gone.
    fn obey(&mut self) -> bool {
        let mut bytes = [0; LENGTH];
        match socket::receive(self.control, &mut bytes, false) {
            Err(Errno::EAGAIN) => true,
            Err(_) | Ok((0, _)) => false,
            Ok((length, _)) => {
                // ESRCH: the group ended in between; its status is on its way.
                let gone = |done| matches!(done, Ok(()) | Err(Errno::ESRCH));
                match (Message::from_bytes(bytes.get(..length).unwrap_or_default()), &self.terminal) {
                    (Some(Message::Signal(signal)), _) => gone(process::send_signal(-self.agent, signal)),
                    (Some(Message::Foreground), Some(slave)) => {
                        gone(terminal::set_foreground(slave.as_fd(), self.agent))
                    }
                    (Some(Message::End), _) => false,
                    _ => true,
                }
            }
        }
    }

    /// Takes every ended child; a code when the agent was among them.
    fn reap(&mut self) -> Option<i32> {
        while let Ok(Some(_)) = signal::next(self.children.as_fd()) {}
        while let Ok(Some((pid, ended))) = process::wait_any() {
            let served = self.guard.as_mut().map_or(Ok(None), |guard| guard.reap(pid, ended));
            if !self.tell_denied(served) {
                return Some(125);
            }
            if pid != self.agent {
                continue;
            }
            let (message, code) = match ended {
                Ended::Exited(code) => (Message::Exited(code), Some(0)),
                Ended::Signaled(signal) => (Message::Signaled(signal), Some(0)),
                Ended::Stopped(signal) => (Message::Stopped(signal), None),
            };
            tell(self.control, message, true);
            if code.is_some() {
                return code;
            }
        }
        None
    }
}

/// A launcher that does not listen is gone; init then ends by the closing of the socket.
fn tell(control: BorrowedFd<'_>, message: Message, wait: bool) {
    if socket::send(control, &message.to_bytes(), None, wait).is_err() {
        // Denials may be lost when the socket is full: they are counted by the guard, and told with the next one.
    }
}
