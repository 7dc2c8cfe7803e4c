//! The roles beside the Guardian: what is sent to them, what is still to be answered, and until when.
//!
//! A role that does not answer in time, or says what it may not say, is given up; its answers are no from then on.

use super::link::{Link, Received};
use super::setup::RoleEnd;
use crate::role::Role;
use crate::wire::detect::{Found, FromDetect};
use crate::wire::dlp::FromDlp;
use crate::wire::egress::{FromEgress, ToEgress};
use crate::wire::files::{FromFiles, ToFiles};
use crate::wire::mounts::{FromMounts, ToMounts};
use crate::wire::policy::{Decision, FromPolicy, Input, ToPolicy};
use crate::wire::reputation::{FromReputation, Standing, ToReputation};
use std::collections::{BTreeMap, VecDeque};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// How long a role may take. `mounts` makes four system calls, a policy stops itself after 50 ms.
const PATIENCE: Duration = Duration::from_secs(5);

/// What role `mounts` was told and has not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MountCall {
    /// The lease's real thing goes up.
    Attach(u64),
    /// It comes down.
    Detach(u64),
}

#[derive(Debug)]
pub(super) struct Mounts {
    pub(super) link: Link,
    calls: VecDeque<(MountCall, Duration)>,
}

#[derive(Debug)]
pub(super) struct Policy {
    pub(super) link: Link,
    asked: BTreeMap<u64, Duration>,
}

/// Our ends.
#[derive(Debug)]
pub(super) struct Roles {
    pub(super) files: Option<Link>,
    pub(super) mounts: Option<Mounts>,
    pub(super) policy: Option<Policy>,
    /// It keeps what it was asked like role `policy`.
    pub(super) reputation: Option<Policy>,
    pub(super) egress: Option<Link>,
    pub(super) dlp: Option<Link>,
    pub(super) detect: Option<Link>,
    /// There is a policy, so without its role nothing is allowed.
    pub(super) wants_policy: bool,
    /// What leaves is read, so without role `dlp` nothing that must not leave is given.
    pub(super) wants_dlp: bool,
    /// Landlock holds for the agent.
    pub(super) landlock: bool,
}

/// What a role said.
#[derive(Debug)]
pub(super) enum Said {
    Files(FromFiles),
    /// What role `mounts` did. With what it mounted, as a descriptor that has the attributes of that mount.
    Mounts(MountCall, Result<Option<OwnedFd>, String>),
    Decided(u64, Box<Decision>),
    Reputed(u64, Standing, String),
    Egress(FromEgress),
    /// What became of a lesson: files that are known, and files that were left out.
    Learned(u64, u32, u32),
    /// Role `detect` looked at so many events, and found this.
    Looked(u64, Vec<Found>),
    /// It is gone, with the calls it left unanswered.
    Gone(Role, Vec<MountCall>, Vec<u64>),
}

impl Roles {
    /// Takes those that were started. The rest (ways to ask) is not for here.
    pub(super) fn new(ends: Vec<RoleEnd>, landlock: bool) -> (Self, Vec<RoleEnd>) {
        let mut roles = Self {
            files: None,
            mounts: None,
            policy: None,
            reputation: None,
            egress: None,
            dlp: None,
            detect: None,
            wants_policy: false,
            wants_dlp: false,
            landlock,
        };
        let mut others = Vec::new();
        for end in ends {
            match end.role {
                Role::Files => roles.files = Some(Link::new(end.socket)),
                Role::Mounts => {
                    roles.mounts = Some(Mounts { link: Link::new(end.socket), calls: VecDeque::new() });
                }
                Role::Policy => {
                    roles.wants_policy = true;
                    roles.policy = Some(Policy { link: Link::new(end.socket), asked: BTreeMap::new() });
                }
                Role::Reputation => {
                    roles.reputation = Some(Policy { link: Link::new(end.socket), asked: BTreeMap::new() });
                }
                Role::Egress => roles.egress = Some(Link::new(end.socket)),
                Role::Dlp => {
                    roles.wants_dlp = true;
                    roles.dlp = Some(Link::new(end.socket));
                }
                Role::Detect => roles.detect = Some(Link::new(end.socket)),
                Role::Notify => others.push(end),
            }
        }
        (roles, others)
    }

    /// Those that are there, to wait on.
    pub(super) fn links(&self) -> impl Iterator<Item = (Role, &Link)> {
        let files = self.files.as_ref().map(|link| (Role::Files, link));
        let mounts = self.mounts.as_ref().map(|mounts| (Role::Mounts, &mounts.link));
        let policy = self.policy.as_ref().map(|policy| (Role::Policy, &policy.link));
        let reputation = self.reputation.as_ref().map(|reputation| (Role::Reputation, &reputation.link));
        let egress = self.egress.as_ref().map(|link| (Role::Egress, link));
        let dlp = self.dlp.as_ref().map(|link| (Role::Dlp, link));
        let detect = self.detect.as_ref().map(|link| (Role::Detect, link));
        files.into_iter().chain(mounts).chain(policy).chain(reputation).chain(egress).chain(dlp).chain(detect)
    }

    /// Sends what waits.
    pub(super) fn flush(&mut self, role: Role) {
        match role {
            Role::Files => self.files.iter_mut().for_each(Link::flush),
            Role::Egress => self.egress.iter_mut().for_each(Link::flush),
            // What they are told goes by threads of their own.
            Role::Dlp | Role::Detect => {}
            Role::Mounts => self.mounts.iter_mut().for_each(|mounts| mounts.link.flush()),
            Role::Reputation => self.reputation.iter_mut().for_each(|role| role.link.flush()),
            _ => self.policy.iter_mut().for_each(|policy| policy.link.flush()),
        }
    }

    /// Tells role `files`; `false` when it is gone.
    pub(super) fn tell_files(&mut self, message: &ToFiles, descriptor: Option<OwnedFd>) -> bool {
        let Some(link) = &mut self.files else { return false };
        link.send(message, descriptor);
        !link.is_broken()
    }

    /// Tells role `egress`; `false` when it is gone.
    pub(super) fn tell_egress(&mut self, message: &ToEgress) -> bool {
        let Some(link) = &mut self.egress else { return false };
        link.send(message, None);
        !link.is_broken()
    }

    pub(super) fn attach(&mut self, entry: u16, read_only: bool, lease: u64, now: Duration) -> bool {
        self.call_mounts(&ToMounts::Attach { entry, read_only }, MountCall::Attach(lease), now)
    }

    pub(super) fn detach(&mut self, entry: u16, lease: u64, now: Duration) -> bool {
        self.call_mounts(&ToMounts::Detach { entry }, MountCall::Detach(lease), now)
    }

    fn call_mounts(&mut self, message: &ToMounts, call: MountCall, now: Duration) -> bool {
        let Some(mounts) = &mut self.mounts else { return false };
        mounts.link.send(message, None);
        mounts.calls.push_back((call, now + PATIENCE));
        !mounts.link.is_broken()
    }

    /// Asks the policy; `false` when its role is gone.
    pub(super) fn decide(&mut self, id: u64, input: Input, now: Duration) -> bool {
        let Some(policy) = &mut self.policy else { return false };
        policy.link.send(&ToPolicy::Decide { id, input: Box::new(input) }, None);
        policy.asked.insert(id, now + PATIENCE);
        !policy.link.is_broken()
    }

    /// Asks what is known of a program: its digest, path and size; `false` when the role is gone.
    pub(super) fn ask_reputation(
        &mut self,
        id: u64,
        (sha256, path, size): (String, String, u64),
        patience: Duration,
        now: Duration,
    ) -> bool {
        let Some(role) = &mut self.reputation else { return false };
        role.link.send(&ToReputation::Ask { id, sha256, path, size }, None);
        // One question after the other is answered.
        let before = role.asked.values().max().copied().unwrap_or(now).max(now);
        role.asked.insert(id, before + patience);
        !role.link.is_broken()
    }

    fn hear_reputation(&mut self) -> Option<Said> {
        let role = self.reputation.as_mut()?;
        match role.link.receive::<FromReputation>() {
            Received::Message(FromReputation::Answered { id, standing, reason }) => {
                match role.asked.remove(&id) {
                    Some(_) => Some(Said::Reputed(id, standing, reason)),
                    None => Some(self.lose(Role::Reputation, "it answered what nobody asked")),
                }
            }
            Received::Nothing => None,
            Received::Gone(why) => Some(self.lose(Role::Reputation, &why)),
        }
    }

    /// The next thing a role says.
    pub(super) fn hear(&mut self, role: Role) -> Option<Said> {
        match role {
            Role::Files => match self.files.as_mut()?.receive() {
                Received::Message(said) => Some(Said::Files(said)),
                Received::Nothing => None,
                Received::Gone(why) => Some(self.lose(Role::Files, &why)),
            },
            Role::Mounts => self.hear_mounts(),
            Role::Egress => match self.egress.as_mut()?.receive() {
                Received::Message(said) => Some(Said::Egress(said)),
                Received::Nothing => None,
                Received::Gone(why) => Some(self.lose(Role::Egress, &why)),
            },
            Role::Dlp => match self.dlp.as_mut()?.receive() {
                Received::Message(FromDlp::Learned { lesson, files, left_out }) => {
                    Some(Said::Learned(lesson, files, left_out))
                }
                Received::Message(_) => Some(self.lose(Role::Dlp, "it answered what nobody asked")),
                Received::Nothing => None,
                Received::Gone(why) => Some(self.lose(Role::Dlp, &why)),
            },
            Role::Detect => match self.detect.as_mut()?.receive() {
                Received::Message(FromDetect::Looked { events, found }) => Some(Said::Looked(events, found)),
                Received::Message(_) => Some(self.lose(Role::Detect, "it answered what nobody asked")),
                Received::Nothing => None,
                Received::Gone(why) => Some(self.lose(Role::Detect, &why)),
            },
            Role::Reputation => self.hear_reputation(),
            _ => self.hear_policy(),
        }
    }

    fn hear_mounts(&mut self) -> Option<Said> {
        let mounts = self.mounts.as_mut()?;
        let mut shown = None;
        let (said, call) = match mounts.link.receive_with::<FromMounts>(&mut shown) {
            Received::Message(said) => (said, mounts.calls.pop_front()),
            Received::Nothing => return None,
            Received::Gone(why) => return Some(self.lose(Role::Mounts, &why)),
        };
        let Some((call, _)) = call else {
            return Some(self.lose(Role::Mounts, "it answered what nobody asked"));
        };
        let done = match said {
            FromMounts::Done {} => Ok(shown),
            FromMounts::Failed { what, errno } => {
                Err(format!("{what}: {}", crate::sys::Errno::from_raw(errno).desc()))
            }
        };
        Some(Said::Mounts(call, done))
    }

    fn hear_policy(&mut self) -> Option<Said> {
        let policy = self.policy.as_mut()?;
        match policy.link.receive::<FromPolicy>() {
            Received::Message(FromPolicy::Decided { id, decision }) => {
                // An answer to no question is none; the timer has refused that one already.
                policy.asked.remove(&id).map(|_| Said::Decided(id, decision))
            }
            Received::Message(_) | Received::Nothing => None,
            Received::Gone(why) => Some(self.lose(Role::Policy, &why)),
        }
    }

    /// Gives a role up.
    fn lose(&mut self, role: Role, why: &str) -> Said {
        tracing::warn!("role {} is given up: {why}", role.name());
        let (mut calls, mut asked) = (Vec::new(), Vec::new());
        match role {
            Role::Files => self.files = None,
            Role::Egress => self.egress = None,
            // The launcher holds its socket too: without this the role would go on, and not hear what must not leave.
            Role::Dlp => self.dlp.take().iter().for_each(Link::hang_up),
            // So does the thread that feeds it.
            Role::Detect => self.detect.take().iter().for_each(Link::hang_up),
            Role::Mounts => {
                calls.extend(
                    self.mounts.take().into_iter().flat_map(|mounts| mounts.calls).map(|(call, _)| call),
                );
            }
            Role::Reputation => {
                asked.extend(self.reputation.take().into_iter().flat_map(|role| role.asked.into_keys()));
            }
            _ => asked.extend(self.policy.take().into_iter().flat_map(|policy| policy.asked.into_keys())),
        }
        Said::Gone(role, calls, asked)
    }

    /// Nothing more is handed to role `detect`: the thread that feeds it holds its socket too.
    pub(super) fn end_detect(&mut self) {
        self.detect.take().iter().for_each(Link::hang_up);
    }

    /// Role `detect` does not look at what it was handed.
    pub(super) fn give_up_detect(&mut self) -> Said {
        self.lose(Role::Detect, "it did not look in time")
    }

    /// Roles that did not answer in time are given up.
    pub(super) fn overdue(&mut self, now: Duration) -> Option<Said> {
        if self.mounts.as_ref().and_then(Mounts::deadline).is_some_and(|until| until <= now) {
            return Some(self.lose(Role::Mounts, "it did not answer in time"));
        }
        if self.policy.as_ref().and_then(Policy::deadline).is_some_and(|until| until <= now) {
            return Some(self.lose(Role::Policy, "it did not answer in time"));
        }
        if self.reputation.as_ref().and_then(Policy::deadline).is_some_and(|until| until <= now) {
            return Some(self.lose(Role::Reputation, "it did not answer in time"));
        }
        None
    }

    /// When the next answer is due.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        let mounts = self.mounts.as_ref().and_then(Mounts::deadline);
        let reputation = self.reputation.as_ref().and_then(Policy::deadline);
        let policy = self.policy.as_ref().and_then(Policy::deadline);
        mounts.into_iter().chain(policy).chain(reputation).min()
    }
}

impl Mounts {
    fn deadline(&self) -> Option<Duration> {
        self.calls.front().map(|(_, until)| *until)
    }
}

impl Policy {
    fn deadline(&self) -> Option<Duration> {
        self.asked.values().min().copied()
    }
}
