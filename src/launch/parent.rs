//! The parent: clones, lets the agent go once its record is durable, forwards signals, and reports how it ended.
//!
//! Acts on its own messages only. When it ends, however it ends, the kernel ends the sandbox (PDEATHSIG of pid 1).

use super::ask::Ask;
use super::child;
use super::egress::{Handed, Receiving, Rung};
use super::frozen::Freezing;
use super::message::{LENGTH, Message, NAMESPACES};
use super::observed::Observations;
use super::outcome::Outcome;
use super::prepare::Ends;
use super::ready::Ready;
use super::relay::Relay;
use super::stage::{Stage, StageFailure};
use crate::base::BootInstant;
use crate::profile::Terminal;
use crate::sys::process::{self, ChildProcess, Ended, Side};
use crate::sys::signal::{self, SignalSet};
use crate::sys::{Errno, socket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// Signals that are passed on to the agent's process group.
const FORWARDED: [i32; 8] = [
    libc::SIGINT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGCONT,
];

/// A sandbox whose agent does not run yet, or runs.
pub struct Running {
    pub(super) child: ChildProcess,
    control: OwnedFd,
    failure: Option<OwnedFd>,
    signals: OwnedFd,
    master: Option<OwnedFd>,
    keys_at_once: bool,
    pub(super) relay: Option<Relay>,
    pub(super) outcome: Option<Outcome>,
    namespaces: [u32; NAMESPACES.len()],
    init_listens: bool,
    pub(super) deadline: Option<(BootInstant, Duration)>,
    pub(super) asked_to_end: bool,
    /// Without namespaces init ends the others itself, and must not be killed before it has.
    pub(super) bare: bool,
    pub(super) told_to_end: bool,
    pub(super) asks: Vec<(u16, OwnedFd)>,
    user_namespace: Option<OwnedFd>,
    mount_namespace: Option<OwnedFd>,
    egress: Receiving,
    observations: Option<Observations>,
    /// Closed as soon as the agent has ended or is about to be.
    pub(super) lives: Option<OwnedFd>,
    /// Questions on the person's terminal.
    pub(super) ask: Option<Ask>,
    pub(super) stopped_meanwhile: Option<i32>,
    /// The agent was stopped by us; that init tells so is no news.
    stopped_by_us: bool,
    pub(super) freezing: Freezing,
}

/// Clones. In the child this never returns. From here to [`Running::wait`] everything the child needs is laid out.
/// # Errors
/// The clone's errno, as a failure of its stage; nothing is left behind.
pub fn start(mut ready: Ready, ends: Ends, cgroup: Option<BorrowedFd<'_>>) -> Result<Running, StageFailure> {
    let failure = |errno| StageFailure { stage: Stage::Clone, entry: 0, errno };
    let mut handled = FORWARDED.to_vec();
    handled.extend([libc::SIGCHLD, libc::SIGWINCH, libc::SIGTSTP, libc::SIGTTOU, libc::SIGTTIN]);
    ready.signals = SignalSet::of(&handled).block().map_err(failure)?;
    let signals = SignalSet::of(handled.get(..12).unwrap_or(&handled)).descriptor().map_err(failure)?;
    match process::clone_into_namespaces(ready.namespaces, cgroup).map_err(failure)? {
        Side::Child => {
            // The end of the launcher must close the sockets: until PDEATHSIG is set nothing else tells the child.
            drop((ends, signals));
            child::run(&ready)
        }
        Side::Parent(child) => Ok(Running {
            keys_at_once: ready.terminal.as_ref().is_some_and(|wish| wish.keys_at_once),
            child,
            control: ends.control,
            observations: ends.observations,
            failure: Some(ends.failure),
            signals,
            master: None,
            relay: None,
            outcome: None,
            namespaces: [0; NAMESPACES.len()],
            init_listens: true,
            deadline: None,
            asked_to_end: false,
            bare: ready.bare.is_some(),
            told_to_end: false,
            asks: Vec::new(),
            user_namespace: None,
            mount_namespace: None,
            egress: Receiving::default(),
            lives: None,
            ask: None,
            stopped_meanwhile: None,
            stopped_by_us: false,
            freezing: Freezing::default(),
        }),
    }
}

impl Running {
    /// Init's pid, as this process sees it.
    pub fn pid(&self) -> i32 {
        self.child.pid
    }

    /// Inode numbers of the cgroup, ipc, mnt, net, pid and uts namespace; 0 where they were not asked for.
    pub fn namespaces(&self) -> [u32; NAMESPACES.len()] {
        self.namespaces
    }

    /// The devices of the ask mounts, each with its entry's number, once the sandbox is confined. What nobody takes is
    /// closed when the agent is let go, and its mount fails from then on.
    pub fn take_asks(&mut self) -> Vec<(u16, OwnedFd)> {
        std::mem::take(&mut self.asks)
    }

    /// The outer user namespace and the mount namespace, where something may be mounted later; once.
    pub fn take_namespaces(&mut self) -> Option<(OwnedFd, OwnedFd)> {
        Some((self.user_namespace.take()?, self.mount_namespace.take()?))
    }

    /// Which way out holds for a filtered network, and why not those before it, once the sandbox is confined.
    pub fn way_out(&self) -> Option<(Rung, &[(Rung, Errno)])> {
        self.egress.rung()
    }

    /// The sockets of a filtered network, once the sandbox is confined. What nobody takes is closed when the agent is let
    /// go, and everything is refused from then on.
    pub fn take_egress(&mut self) -> Option<Handed> {
        std::mem::take(&mut self.egress).into_handed()
    }

    /// What init observes, once.
    pub fn take_observations(&mut self) -> Option<Observations> {
        self.observations.take()
    }

    /// Closes this as soon as the agent has ended, or is about to be ended. A process that waits for an ask mount ends
    /// only when the mount's device is closed, and the sandbox ends only when all its processes did: so whoever holds a
    /// device must hear of it.
    pub fn close_at_end(&mut self, lives: OwnedFd) {
        self.lives = Some(lives);
    }

    /// Waits until every stage before the agent is done and every probe held.
    /// # Errors
    /// The stage that failed, or how init was lost.
    pub fn confined(&mut self) -> Result<(), Outcome> {
        loop {
            let mut waits = [
                signal::wants_reading(Some(self.control.as_fd())),
                signal::wants_reading(self.failure.as_ref().map(AsFd::as_fd)),
                signal::wants_reading(Some(self.child.pidfd.as_fd())),
            ];
            signal::poll(&mut waits, -1).map_err(|_| Outcome::Lost(Ended::Exited(125)))?;
            let [control, failure, ended] = waits;
            if failure.revents != 0 {
                self.read_failure();
            }
            if control.revents & libc::POLLIN != 0 && self.read_control() == Some(Message::Confined) {
                return Ok(());
            }
            if ended.revents != 0 || self.outcome.is_some() {
                self.reap();
                return Err(self.outcome.unwrap_or(Outcome::Lost(Ended::Exited(125))));
            }
        }
    }

    /// Lets the agent start. Its wall time begins.
    /// # Errors
    /// `EPIPE` when init is gone.
    pub fn go(&mut self, terminal: Terminal, wall_time: Option<Duration>) -> Result<(), Errno> {
        self.asks.clear();
        drop(std::mem::take(&mut self.egress));
        if let Some(master) = self.master.take() {
            self.relay = Some(Relay::new(master, terminal, self.keys_at_once)?);
        }
        self.deadline = wall_time.map(|most| (BootInstant::now(), most));
        self.tell(Message::Go)
    }

    /// Ends the sandbox without ever starting the agent.
    pub fn abandon(mut self) {
        self.kill();
        self.reap();
    }

    /// Serves until the sandbox has ended. `denied` hears of refused creating calls.
    pub fn wait(mut self, denied: &mut dyn FnMut(u16, u16, u32)) -> Outcome {
        loop {
            let relay = self.relay.as_ref().map_or([signal::wants_reading(None); 3], Relay::waits);
            let fixed = [
                signal::wants_reading(Some(self.control.as_fd()).filter(|_| self.init_listens)),
                signal::wants_reading(self.failure.as_ref().map(AsFd::as_fd)),
                signal::wants_reading(Some(self.child.pidfd.as_fd())),
                signal::wants_reading(Some(self.signals.as_fd())),
            ];
            let [a, b, c, d] = fixed;
            let [e, f, g] = relay;
            let [h, i] = self.ask.as_ref().map_or([signal::wants_reading(None); 2], Ask::waits);
            let mut waits = [a, b, c, d, e, f, g, h, i];
            if signal::poll(&mut waits, self.patience()).is_err() {
                self.kill();
            }
            let [control, failure, ended, signals, master, keyboard, screen, asked, tty] = waits;
            if failure.revents != 0 {
                self.read_failure();
            }
            match self.read_control_if(control.revents) {
                Some(Message::Denied { pattern, call, times }) => denied(pattern, call, times),
                None if control.revents & libc::POLLHUP != 0 => self.init_is_gone(),
                _ => {}
            }
            if signals.revents != 0 {
                self.pass_signals();
            }
            if self.relay.as_mut().is_some_and(|relay| !relay.serve(&[master, keyboard, screen])) {
                self.relay = None;
            }
            self.serve_questions([asked, tty]);
            self.watch_the_clock();
            if ended.revents != 0 {
                return self.end(denied);
            }
        }
    }

    fn end(mut self, denied: &mut dyn FnMut(u16, u16, u32)) -> Outcome {
        while let Some(message) = self.read_control() {
            if let Message::Denied { pattern, call, times } = message {
                denied(pattern, call, times);
            }
        }
        self.read_failure();
        self.reap();
        self.give_up_questions();
        if let Some(relay) = self.relay.take() {
            relay.finish();
        }
        let ended_by_init = self.outcome.is_none_or(|outcome| matches!(outcome, Outcome::Lost(_)));
        let over = self.deadline.is_some_and(|(since, most)| since.elapsed() >= most) && ended_by_init;
        let late = (self.asked_to_end || over) && !matches!(self.outcome, Some(Outcome::Failed(_)));
        if late { Outcome::OutOfTime } else { self.outcome.unwrap_or(Outcome::Lost(Ended::Exited(125))) }
    }

    pub(super) fn tell(&self, message: Message) -> Result<(), Errno> {
        socket::send(self.control.as_fd(), &message.to_bytes(), None, true)
    }

    fn read_control_if(&mut self, revents: i16) -> Option<Message> {
        if revents & libc::POLLIN == 0 { None } else { self.read_control() }
    }

    fn read_control(&mut self) -> Option<Message> {
        let mut bytes = [0; LENGTH];
        let (length, fd) = socket::receive(self.control.as_fd(), &mut bytes, false).ok()?;
        let message = Message::from_bytes(bytes.get(..length)?)?;
        match message {
            Message::Terminal => self.master = fd,
            Message::Exited(code) => self.agent_ended(Outcome::Exited(code)),
            Message::Signaled(signal) => self.agent_ended(Outcome::Signaled(signal)),
            Message::Namespace(which, inode) => {
                if let Some(room) = self.namespaces.get_mut(usize::from(which)) {
                    *room = inode;
                }
            }
            // Told while we were stopped ourselves, and heard when both go on again.
            Message::Stopped(libc::SIGSTOP) if std::mem::take(&mut self.stopped_by_us) => {
                self.send(libc::SIGCONT);
            }
            Message::Stopped(signal) => self.stop_with_agent(signal),
            Message::Ask(entry) => self.asks.extend(fd.map(|device| (entry, device))),
            Message::Socket(kind, port) => self.egress.socket(kind, port, fd),
            Message::Fell(rung, errno) => self.egress.fell(rung, errno),
            Message::Holds(rung) => self.egress.holds(rung),
            Message::UserNamespace => self.user_namespace = fd,
            Message::MountNamespace => self.mount_namespace = fd,
            Message::Go
            | Message::Signal(_)
            | Message::Foreground
            | Message::End
            | Message::Confined
            | Message::Denied { .. } => {}
        }
        Some(message)
    }

    /// Init closed its end, so it has ended or is about to; the kernel then ends all others, those that wait too.
    fn init_is_gone(&mut self) {
        self.init_listens = false;
        self.lives = None;
    }

    /// What init says of the agent's process. One that told of a failed stage was never the agent.
    fn agent_ended(&mut self, outcome: Outcome) {
        self.lives = None;
        if !matches!(self.outcome, Some(Outcome::Failed(_))) {
            self.outcome = Some(outcome);
        }
    }

    /// Eight bytes are a failure; the end of the socket means that exec happened.
    fn read_failure(&mut self) {
        let Some(failure) = self.failure.take() else { return };
        let mut bytes = [0; 8];
        match socket::receive(failure.as_fd(), &mut bytes, false) {
            Ok((8, _)) => self.outcome = StageFailure::from_bytes(bytes).map(Outcome::Failed),
            Err(Errno::EAGAIN) => self.failure = Some(failure),
            _ => {}
        }
    }

    fn pass_signals(&mut self) {
        while let Ok(Some(number)) = signal::next(self.signals.as_fd()) {
            match number {
                libc::SIGWINCH => self.pass_size(),
                libc::SIGTSTP => {
                    self.stopped_by_us = !self.is_frozen();
                    self.send(libc::SIGSTOP);
                    self.stop_ourselves();
                    self.send(libc::SIGCONT);
                }
                libc::SIGCHLD => {}
                number => self.send(number),
            }
        }
    }

    pub(super) fn send(&mut self, number: i32) {
        if self.is_frozen() {
            return self.heard_while_frozen(number);
        }
        if self.tell(Message::Signal(number)).is_err() {
            tracing::debug!("init is gone; signal {number} has nobody to go to");
        }
    }

    fn pass_size(&mut self) {
        let Some(relay) = &self.relay else { return };
        relay.resize();
        if relay.may_give_keys() {
            self.send(libc::SIGWINCH); // in its terminal's background the agent would not hear of it
        }
    }

    /// The agent was stopped. For wanting keys, it gets them. Otherwise (its terminal's stop key) so are we, until
    /// someone continues us.
    pub(super) fn stop_with_agent(&mut self, signal: i32) {
        if self.is_frozen() {
            return;
        }
        if self.asks() {
            self.stopped_meanwhile = Some(signal);
            return;
        }
        let Some(relay) = &mut self.relay else { return };
        let wants_keys = matches!(signal, libc::SIGTTIN | libc::SIGTTOU) && relay.may_give_keys();
        if !wants_keys || !relay.give_keys() {
            self.stop_ourselves();
        }
        if wants_keys && self.tell(Message::Foreground).is_err() {
            tracing::debug!("init is gone; there is nobody to give keys to");
        }
        self.send(libc::SIGCONT);
    }

    fn stop_ourselves(&mut self) {
        self.give_up_questions();
        self.relay.iter_mut().for_each(Relay::pause);
        if signal::stop_self().is_err() {
            tracing::debug!("could not stop");
        }
        self.relay.iter_mut().for_each(Relay::resume);
    }
}
