//! The loop: one poll(2) on every door, channel, role, way of asking and command, and a timer for the next end.
//!
//! Never waits for a peer. A timer on CLOCK_BOOTTIME wakes it, so a lease that ran out while the machine slept ends
//! when it wakes. It ends when it is told to, or ends the run when it cannot go on safely.

use super::agent::allowed;
use super::agents::Agents;
use super::ceiling::Ceiling;
use super::clock::Clock;
use super::command::Sessions;
use super::consent::{Consent, Kind};
use super::decide::Refusal;
use super::desk::Desk;
use super::door::Doors;
use super::grant::Leases;
use super::link::Link;
use super::process::Processes;
use super::record::Recorder;
use super::rights::Rotation;
use super::roles::Roles;
use super::setup::{Setup, Summary, Teller};
use super::token::{Signer, Tokens};
use super::{Guardian, boot_now};
use crate::audit::{Event, access, beside};
use crate::role::Role;
use crate::sys::{process, signal};
use crate::wire::denial::Reason;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// What woke the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Stop,
    Timer,
    /// The clock was set.
    Clock,
    Door,
    Path,
    Control,
    Channel(u64),
    Session(u64),
    Role(Role),
    Way(u64),
    /// The process a lease is for has ended.
    Asker(u64),
    /// An agent that was started has something to say, or has ended.
    Agents,
    /// The Guardian of the run above.
    Overseer,
}

/// Serves until it is told to stop. The sandbox is ended when the Guardian cannot go on.
pub fn serve(mut setup: Setup) -> Summary {
    let init = setup.init.take();
    let serving = Serving::start(setup);
    match (serving, init) {
        (Ok(serving), Some(init)) => serving.run(&init),
        (Err(why), Some(init)) => {
            end_sandbox(&init);
            Summary { ended_the_run: Some(why), ..Summary::default() }
        }
        (_, None) => Summary { ended_the_run: Some("no sandbox".to_owned()), ..Summary::default() },
    }
}

fn end_sandbox(init: &OwnedFd) {
    if let Err(errno) = process::signal_pidfd(init.as_fd(), libc::SIGKILL) {
        tracing::debug!("the sandbox has ended already: {errno}");
    }
}

struct Serving {
    guardian: Guardian,
    stop: OwnedFd,
    timer: TimerFd,
    clock: Clock,
    armed: Option<Duration>,
    teller: Teller,
}

impl Serving {
    fn start(setup: Setup) -> Result<Self, String> {
        let timer = TimerFd::new(ClockId::CLOCK_BOOTTIME, TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK)
            .map_err(|errno| format!("no timer: {errno}"))?;
        let clock = Clock::new().map_err(|errno| format!("no clock: {errno}"))?;
        let tokens = match setup.under {
            Some(under) => Tokens::below(&setup.about.run, under),
            None => Tokens::new(&setup.about.run),
        }
        .map_err(|error| error.to_string())?;
        let signer = Signer::new().map_err(|error| error.to_string())?;
        let roles_started: Vec<String> = setup.roles.iter().map(|end| end.role.name().to_owned()).collect();
        let (roles, others) = Roles::new(setup.roles, setup.landlock);
        let ceiling = Ceiling::new(setup.ceiling, setup.hosts, setup.uploads);
        let start = access::GuardianStart {
            roles: roles_started,
            ceiling: ceiling.lines(),
            channels: setup.ways.iter().map(|kind| kind.word().to_owned()).collect(),
            chain: setup.about.chain.clone(),
            public_key: Some(signer.public_hex()),
        };
        let short = setup.about.run.chars().skip(setup.about.run.chars().count().saturating_sub(5)).collect();
        let mut guardian = Guardian {
            short,
            allowed: allowed(&ceiling),
            desk: Desk::new(setup.rates),
            consent: Consent::new(setup.ways),
            leases: Leases::default(),
            agents: Agents::new(setup.above),
            processes: Processes::below(setup.about.init, setup.digests),
            recorder: Recorder::new(setup.log, setup.durable),
            templates: setup.templates,
            standing: setup.standing,
            answers: setup.answers,
            timeout: setup.timeout,
            reputation: setup.reputation,
            doors: Doors::new(setup.door, setup.path_door),
            sessions: Sessions::new(setup.control),
            ways: BTreeMap::new(),
            requests: BTreeMap::new(),
            ending: BTreeMap::new(),
            lessons: super::lesson::Lessons::default(),
            over: VecDeque::new(),
            denials: VecDeque::new(),
            claims: BTreeMap::new(),
            detection: super::detection::Watch::new(setup.detection),
            repeats: super::repeat::Repeats::default(),
            searches: (0, 0),
            summary: Summary::default(),
            now: boot_now(),
            changed: true,
            end: None,
            last_number: 0,
            about: setup.about,
            ceiling,
            roles,
            tokens,
            rotation: Rotation::default(),
            signer,
            overseer: setup.overseer.map(Link::new),
        };
        let notify = others.into_iter().filter(|end| end.role == Role::Notify);
        let ways = setup.terminal.into_iter().map(|socket| (Kind::Terminal, socket));
        for (kind, socket) in ways.chain(notify.map(|end| (Kind::Notification, end.socket))) {
            let number = guardian.next_number();
            guardian.ways.insert(number, Link::new(socket));
            guardian.consent.attach(number, kind);
        }
        guardian.recorder.note(&Event::GuardianStart(start));
        Ok(Self { guardian, stop: setup.stop, timer, clock, armed: None, teller: setup.teller })
    }

    fn run(mut self, init: &OwnedFd) -> Summary {
        let (mut waits, mut sources) = (Vec::new(), Vec::new());
        let mut stopped = false;
        while !stopped {
            self.between();
            if let Some(why) = self.guardian.end.clone() {
                end_sandbox(init);
                self.guardian.summary.ended_the_run = Some(why);
                break;
            }
            self.collect(&mut waits, &mut sources);
            if signal::poll(&mut waits, -1).is_err() {
                self.guardian.end_run("poll(2) failed");
                continue;
            }
            self.guardian.now = boot_now();
            let ready = waits.iter().zip(&sources).filter(|(wait, _)| wait.revents != 0);
            for source in ready.map(|(_, source)| *source).collect::<Vec<_>>() {
                stopped |= source == Source::Stop;
                self.serve_one(source);
            }
        }
        self.finish()
    }

    /// What has to be done before waiting: ends that are due, questions to show, the state to tell, the timer.
    fn between(&mut self) {
        let guardian = &mut self.guardian;
        guardian.timers();
        guardian.rotate_when_due();
        let shows = guardian.consent.next_shows();
        guardian.show(shows);
        if std::mem::take(&mut guardian.changed) {
            let state = guardian.fitting_state();
            guardian.sessions.tell(&state);
            (self.teller)(&state);
        }
        let next = self.guardian.next_deadline();
        if next == self.armed {
            return;
        }
        let set = match next {
            // A time of zero would stop the timer.
            Some(at) => self.timer.set(
                Expiration::OneShot(TimeSpec::from(at.max(Duration::from_nanos(1)))),
                TimerSetTimeFlags::TFD_TIMER_ABSTIME,
            ),
            None => self.timer.unset(),
        };
        match set {
            Ok(()) => self.armed = next,
            Err(errno) => self.guardian.end_run(&format!("no timer: {errno}")),
        }
    }

    fn collect(&self, waits: &mut Vec<libc::pollfd>, sources: &mut Vec<Source>) {
        let guardian = &self.guardian;
        waits.clear();
        sources.clear();
        let mut wait = |descriptor: BorrowedFd<'_>, events: i16, source: Source| {
            let mut entry = signal::wants_reading(Some(descriptor));
            entry.events = events;
            waits.push(entry);
            sources.push(source);
        };
        wait(self.stop.as_fd(), libc::POLLIN, Source::Stop);
        wait(self.timer.as_fd(), libc::POLLIN, Source::Timer);
        wait(self.clock.descriptor(), libc::POLLIN, Source::Clock);
        let single = [
            (&guardian.doors.door, Source::Door),
            (&guardian.doors.path, Source::Path),
            (&guardian.sessions.listener, Source::Control),
        ];
        for (socket, source) in single {
            if let Some(socket) = socket {
                wait(socket.as_fd(), libc::POLLIN, source);
            }
        }
        for (number, descriptor, events) in guardian.doors.channels() {
            wait(descriptor, events, Source::Channel(number));
        }
        for (number, session) in &guardian.sessions.all {
            wait(session.link.descriptor(), session.link.events(), Source::Session(*number));
        }
        for (role, link) in guardian.roles.links() {
            wait(link.descriptor(), link.events(), Source::Role(role));
        }
        for (number, link) in &guardian.ways {
            wait(link.descriptor(), link.events(), Source::Way(*number));
        }
        for descriptor in guardian.agents.descriptors() {
            wait(descriptor, libc::POLLIN, Source::Agents);
        }
        if let Some(link) = &guardian.overseer {
            wait(link.descriptor(), libc::POLLIN, Source::Overseer);
        }
        for lease in guardian.leases.iter().filter(|lease| lease.holds) {
            if let Some(asker) = &lease.asker {
                wait(asker.as_fd(), libc::POLLIN, Source::Asker(lease.number));
            }
        }
    }

    fn serve_one(&mut self, source: Source) {
        let guardian = &mut self.guardian;
        match source {
            Source::Stop => {}
            Source::Timer => self.armed = None,
            Source::Clock => {
                if let Some(delta_ns) = self.clock.step() {
                    let step = Event::ClockStep(beside::ClockStep { delta_ns });
                    guardian.recorder.note_often(&step, guardian.now);
                }
            }
            Source::Door => guardian.greet(),
            Source::Path => guardian.admit(),
            Source::Control => guardian.admit_session(),
            Source::Channel(number) => guardian.serve_channel(number),
            Source::Session(number) => guardian.serve_session(number),
            Source::Role(role) => {
                guardian.roles.flush(role);
                guardian.hear_role(role);
            }
            Source::Way(number) => {
                guardian.ways.entry(number).and_modify(Link::flush);
                guardian.hear_way(number);
            }
            Source::Agents => guardian.hear_agents(),
            Source::Overseer => guardian.hear_above(),
            Source::Asker(number) => guardian.end_lease(number, "asker-ended", None),
        }
    }

    /// The last words: whoever still waits is told no.
    fn finish(mut self) -> Summary {
        let guardian = &mut self.guardian;
        for number in guardian.requests.keys().copied().collect::<Vec<_>>() {
            guardian.refuse(number, Refusal::of(Reason::Ending, ""));
        }
        guardian.sessions.all.values_mut().for_each(|session| session.link.flush());
        guardian.tell_repeats(true);
        guardian.end_detection();
        let mut summary = std::mem::take(&mut guardian.summary);
        summary.rejected = guardian.doors.rejected;
        guardian.recorder.note(&Event::GuardianEnd(access::GuardianEnd {
            requests: summary.requests,
            grants: summary.grants,
            denials: summary.denials,
            rejected: summary.rejected,
            left_out: guardian.recorder.left_out,
            ended_the_run: summary.ended_the_run.clone(),
        }));
        summary
    }
}

impl Guardian {
    /// Everything whose time is over.
    fn timers(&mut self) {
        for number in self.consent.overdue(self.now) {
            self.refuse(number, Refusal::of(Reason::Timeout, ""));
        }
        for number in self.leases.due(self.now) {
            self.end_lease(number, "expired", None);
        }
        while let Some(said) = self.roles.overdue(self.now) {
            self.heard(said);
        }
        self.late_lessons();
        self.tell_repeats(false);
        self.detection_due();
        if self.agents.due().is_some_and(|due| due <= self.now) {
            self.hear_agents();
        }
    }

    fn next_deadline(&self) -> Option<Duration> {
        let all = [
            self.consent.next_deadline(),
            self.leases.next_deadline(),
            self.roles.next_deadline(),
            self.agents.due(),
            self.lesson_due(),
            self.rotation.due(),
            self.repeats.due(),
            self.detection.due(),
        ];
        all.into_iter().flatten().min()
    }
}
