//! Commands of the person (`requests`, `approve`, `revoke`, …) on the run's own socket, and those who watch.
//!
//! A peer is checked when it connects: the same user, outside every sandbox. Never serves one that is anybody else.

use super::Guardian;
use super::ceiling::Actions;
use super::consent::Kind;
use super::link::{Link, Received};
use super::record::Through;
use super::request::{Under, Waiter, Wish};
use super::session::check_peer;
use crate::audit::{Event, access};
use crate::sys::{local, socket};
use crate::wire::agents::Taken;
use crate::wire::codec;
use crate::wire::consent::Answer;
use crate::wire::denial::Reason;
use crate::wire::session::{Command, Reply, RunState};
use crate::wire::subject::Resource;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// The most connections at one time.
const MOST_SESSIONS: usize = 64;

#[derive(Debug)]
pub(super) struct Session {
    pub(super) link: Link,
    watches: bool,
}

/// The connections of people's programs.
#[derive(Debug)]
pub(super) struct Sessions {
    pub(super) listener: Option<OwnedFd>,
    pub(super) all: BTreeMap<u64, Session>,
}

impl Sessions {
    /// With the listening socket.
    pub(super) fn new(listener: Option<OwnedFd>) -> Self {
        Self { listener, all: BTreeMap::new() }
    }

    /// Answers, once the run's state is told: who asks for it after an answer must find what the answer said. One that
    /// is gone is passed over.
    pub(super) fn reply(&mut self, session: u64, reply: &Reply) {
        if let Some(session) = self.all.get_mut(&session) {
            session.link.queue(reply, None);
        }
    }

    /// Tells all that watch.
    pub(super) fn tell(&mut self, state: &RunState) {
        for session in self.all.values_mut().filter(|session| session.watches) {
            session.link.send(&Reply::State { state: Box::new(state.clone()) }, None);
        }
    }
}

impl Guardian {
    /// Somebody connected.
    pub(super) fn admit_session(&mut self) {
        let Some(listener) = &self.sessions.listener else { return };
        let Ok(connection) = local::accept(listener.as_fd()) else { return };
        if self.sessions.all.len() >= MOST_SESSIONS {
            return;
        }
        if let Err(stranger) = check_peer(connection.as_fd()) {
            tracing::warn!("a stranger at the run's socket was turned away: {stranger}");
            return;
        }
        let number = self.next_number();
        self.sessions.all.insert(number, Session { link: Link::new(connection), watches: false });
    }

    /// A connection has something to say, or room to be told.
    pub(super) fn serve_session(&mut self, number: u64) {
        loop {
            let Some(session) = self.sessions.all.get_mut(&number) else { return };
            session.link.flush();
            match session.link.receive::<Command>() {
                Received::Message(command) => self.command(number, command),
                Received::Nothing => return,
                Received::Gone(_) => {
                    self.sessions.all.remove(&number);
                    if self.ways.contains_key(&number) {
                        self.lose_way(number);
                    }
                    return;
                }
            }
        }
    }

    fn command(&mut self, session: u64, command: Command) {
        match command {
            Command::Sign { id, audience } => self.sign(session, &id, &audience),
            Command::State {} => {
                let state = Box::new(self.fitting_state());
                self.sessions.reply(session, &Reply::State { state });
            }
            Command::Watch {} => self.watch(session),
            Command::Answer { id, answer } => match self.consent.answer_by_id(&id, self.now) {
                Some(heard) => self.answer_by_person(session, heard, answer),
                None => self.refuse_command(session, "no question of this id waits"),
            },
            Command::Grant { path, actions, seconds } => self.wish(Wish {
                waiter: Waiter::Session(session),
                resource: Resource::File { path },
                actions: Actions::of(&actions),
                pid: None,
                why: None,
                under: Under::default(),
                person: Some(seconds),
            }),
            Command::Resume {} if self.resume() => {
                self.sessions.reply(session, &Reply::Done { grant: None, left: Vec::new() });
            }
            Command::Resume {} => self.refuse_command(session, "no rule stopped anything in this run"),
            Command::Revoke { id } => self.revoke(session, &id),
            Command::Extend { id, seconds } => self.extend(session, &id, seconds),
        }
    }

    /// The person hears at once when their yes came to nothing.
    fn answer_by_person(&mut self, session: u64, heard: super::consent::Heard, answer: Answer) {
        let before = self.summary.denials;
        self.answered(heard.request, answer, "approve", heard.shown);
        let failed = self.denials.back().filter(|denial| {
            self.summary.denials > before && matches!(denial.reason, Reason::NoRecord | Reason::Unavailable)
        });
        let reply = match failed {
            Some(denial) => Reply::Refused { reason: denial.reason, detail: denial.detail.clone() },
            None => Reply::Done { grant: None, left: Vec::new() },
        };
        self.sessions.reply(session, &reply);
    }

    fn refuse_command(&mut self, session: u64, detail: &str) {
        let refused = Reply::Refused { reason: Reason::NotFound, detail: detail.to_owned() };
        self.sessions.reply(session, &refused);
    }

    /// The connection hears of every change, and gets a way of its own to answer questions.
    fn watch(&mut self, number: u64) {
        let state = Box::new(self.fitting_state());
        let Ok((ours, theirs)) = socket::message_pair() else { return };
        let Some(session) = self.sessions.all.get_mut(&number) else { return };
        session.watches = true;
        session.link.send(&Reply::State { state }, Some(theirs));
        self.ways.insert(number, Link::new(ours));
        self.consent.attach(number, Kind::Ui);
    }

    fn revoke(&mut self, session: u64, id: &str) {
        let waited = self.revoke_lessons(id);
        let holding = |lease: &&super::grant::Lease| lease.holds && (id == "all" || lease.id == id);
        let numbers: Vec<u64> = self.leases.iter().filter(holding).map(|lease| lease.number).collect();
        let Some((last, others)) = numbers.split_last() else {
            if waited {
                return self.sessions.reply(session, &Reply::Done { grant: None, left: Vec::new() });
            }
            return self.refuse_command(session, "no lease of this id holds");
        };
        // Of a host nothing is known below: what is not said to be one place is everything.
        let taken = self.leases.get(*last).filter(|_| id != "all").and_then(|lease| {
            let path = lease.at()?.path.as_path().display().to_string();
            Some(Taken { actions: lease.actions.list(), path })
        });
        for number in others {
            self.end_lease(*number, "revoked", None);
        }
        self.end_lease(*last, "revoked", Some(session));
        self.taken_back(taken.as_ref());
    }

    fn extend(&mut self, session: u64, id: &str, seconds: u64) {
        let number =
            self.leases.by_id(id).filter(|number| self.leases.get(*number).is_some_and(|lease| lease.holds));
        let Some(number) = number else {
            return self.refuse_command(session, "no lease of this id holds");
        };
        let Some(Through { grant, request, token }) = self.leases.get(number).map(Through::of) else {
            return;
        };
        let event = Event::Extend(access::Extend { grant, lease_s: seconds, request, token });
        if let Err(error) = self.recorder.durably(&event) {
            let refused = Reply::Refused { reason: Reason::NoRecord, detail: error.to_string() };
            return self.sessions.reply(session, &refused);
        }
        let until = self.now + Duration::from_secs(seconds);
        if let Some(lease) = self.leases.get_mut(number) {
            lease.until = Some(until);
            lease.asker = None;
        }
        self.rights_changed();
        let grant = self.leases.get(number).map(|lease| Box::new(self.grant_state(lease)));
        self.sessions.reply(session, &Reply::Done { grant, left: Vec::new() });
        self.changed = true;
    }

    /// The state as it fits into one message: the oldest refusals go first.
    pub(super) fn fitting_state(&self) -> RunState {
        let mut state = self.run_state();
        while codec::encode(&state).map_or(usize::MAX, |bytes| bytes.len()) > MOST_STATE {
            match (state.denials.len(), state.requests.len()) {
                (0, 0) => {
                    state.grants.clear();
                    state.alerts.clear();
                    break;
                }
                (0, questions) => state.requests.truncate(questions / 2),
                (denials, _) => drop(state.denials.drain(..denials.div_ceil(2))),
            }
        }
        state
    }
}

/// Leaves room for the words around a state.
const MOST_STATE: usize = codec::MOST_BYTES - 64;
