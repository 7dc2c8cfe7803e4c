//! A wish on its way: judged by the ceiling, answered by a lease that holds or an answer that stands, or taken up as a
//! request, which a policy and then a person decide.

use super::Guardian;
use super::act;
use super::ceiling::{Actions, Entry, How, Within};
use super::desk::{Key, Ruling};
use super::label;
use super::record;
use super::target::{AskedPlace, Host, Target};
use crate::audit::{Event, access};
use crate::base::{InnerPath, WallTime, to_hex};
use crate::sys::random::random_bytes;
use crate::wire::denial::{Denial, Reason};
use crate::wire::limit;
use crate::wire::policy::Decision;
use crate::wire::session::Given;
use crate::wire::subject::{Asker, Resource};
use std::time::Duration;

/// Who waits for the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiter {
    /// A touch of an ask mount.
    Touch(u64),
    /// A call of a channel.
    Call {
        /// The channel.
        channel: u64,
        /// The call.
        call: u32,
    },
    /// A person's command.
    Session(u64),
    /// A connection on its way out.
    Flow(u64),
    /// What such a connection would send.
    Upload(u64),
}

/// A wish as it comes in.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) waiter: Waiter,
    pub(super) resource: Resource,
    pub(super) actions: Actions,
    /// Whose wish; its pid outside, where known.
    pub(super) pid: Option<i32>,
    pub(super) why: Option<String>,
    /// The token of a call, and the traceparent that came with it.
    pub(super) under: Under,
    /// A person's own: how long it lasts, seconds. It needs no consent.
    pub(super) person: Option<Option<u64>>,
}

/// What a call said besides its wish.
#[derive(Debug, Clone, Default)]
pub(super) struct Under {
    /// The id of its token, as hex.
    pub(super) token: Option<String>,
    /// The agent's own word of what it belongs to.
    pub(super) claimed: Option<String>,
}

/// Where a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Who knows programs is asked.
    Reputation,
    /// The policy is asked.
    Policy,
    /// A person is asked.
    Consent,
    /// It is being given, as this lease.
    Act(u64),
}

/// A wish that was taken up.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) id: String,
    pub(super) key: Key,
    pub(super) place: usize,
    pub(super) actions: Actions,
    pub(super) resource: Resource,
    pub(super) target: Target,
    pub(super) asker: Asker,
    pub(super) why: Option<String>,
    pub(super) under: Under,
    pub(super) waiters: Vec<Waiter>,
    pub(super) until: Duration,
    pub(super) decision: Option<Decision>,
    pub(super) person: Option<Option<u64>>,
    pub(super) stage: Stage,
}

/// The most that wait for one answer.
const MOST_WAITERS: usize = 256;

impl Guardian {
    /// Takes a wish in.
    pub(super) fn wish(&mut self, wish: Wish) {
        if let Some(why) = act::unavailable(&wish.resource) {
            return self.turn_away(&wish, Reason::Unavailable, why);
        }
        if let Resource::Host { host, port } = &wish.resource {
            let host = Host { name: host.to_ascii_lowercase(), port: *port };
            return self.wish_host(wish, host);
        }
        let within = match self.ceiling.judge(&wish.resource, wish.actions) {
            Ok(within) => within,
            Err(why) => return self.turn_away(&wish, Reason::Ceiling, &why),
        };
        let Some(entry) = self.ceiling.get(within.place) else { return };
        let (given, path) = match self.way_to_give(entry, &within) {
            Ok(chosen) => chosen,
            Err(why) => return self.turn_away(&wish, Reason::Unavailable, why),
        };
        // Whoever opened a path waits at a mount: a descriptor in somebody's hands would not help.
        if given == Given::Descriptor && matches!(wish.waiter, Waiter::Touch(_)) {
            return self.turn_away(&wish, Reason::Unavailable, "the role that mounts this entry is gone");
        }
        if let Some(lease) = self.leases.covering(within.place, &within.path, within.actions, self.now) {
            return self.tell_granted(wish.waiter, lease);
        }
        let alone = (given == Given::Descriptor).then(|| path.as_path().display().to_string());
        let key = Key { place: within.place, actions: within.actions, alone, one: 0 };
        if self.goes_on(&wish, &key) {
            self.take_up_place(wish, key, given, path);
        }
    }

    /// A wish for a host: the same way, with nothing to pin.
    fn wish_host(&mut self, wish: Wish, host: Host) {
        let place = match self.ceiling.judge_host(&host) {
            Ok(place) => place,
            Err(why) => return self.turn_away(&wish, Reason::Ceiling, &why),
        };
        if wish.actions != Host::actions() {
            return self.turn_away(&wish, Reason::Ceiling, "a host can be connected to, and nothing else");
        }
        if let Some(lease) = self.leases.covering_host(&host, self.now) {
            return self.tell_granted(wish.waiter, lease);
        }
        let alone = Some(format!("{}:{}", host.name, host.port));
        let key = Key { place, actions: wish.actions, alone, one: 0 };
        if self.goes_on(&wish, &key) {
            let resource = host.resource();
            self.take_up(&wish, key, resource, Target::Host(host));
        }
    }

    /// What the desk says of a wish: whether it is taken up. Otherwise it is answered, or joined to another.
    pub(super) fn goes_on(&mut self, wish: &Wish, key: &Key) -> bool {
        if wish.person.is_some() {
            return true;
        }
        if let Some(rule) = self.detection.tightened() {
            let why = format!("rule {rule} found something; a person can let the run go on");
            self.turn_away(wish, Reason::Detection, &why);
            return false;
        }
        match self.desk.rule(key, wish.pid.unwrap_or(0), self.now) {
            Ruling::Go => return true,
            Ruling::Join(request) => self.join(request, wish),
            Ruling::Again(mut denial, left) => {
                if denial.reason != Reason::Never {
                    denial.reason = Reason::Repeated;
                }
                self.tell_denied(wish.waiter, &denial, left);
            }
            Ruling::Cut(limit) => self.turn_away(wish, Reason::RateLimit, limit),
        }
        false
    }

    /// By which way an entry's actions are given, and for which path.
    fn way_to_give(&self, entry: &Entry, within: &Within) -> Result<(Given, InnerPath), &'static str> {
        match &entry.how {
            How::Served(_) if self.roles.files.is_some() => Ok((Given::Served, entry.inner.clone())),
            How::Mount if self.roles.mounts.is_some() && within.actions.mountable() => {
                Ok((Given::Mount, entry.inner.clone()))
            }
            How::Served(_) => Err("the role that serves this entry is gone"),
            _ => {
                act::open::may_hand_out(entry.actions, within.actions, self.roles.landlock)?;
                Ok((Given::Descriptor, within.path.clone()))
            }
        }
    }

    fn join(&mut self, number: u64, wish: &Wish) {
        let Some(request) = self.requests.get_mut(&number) else { return };
        if request.waiters.len() >= MOST_WAITERS {
            return self.turn_away(wish, Reason::RateLimit, "too many wait for this answer already");
        }
        request.waiters.push(wish.waiter);
        self.add_reason(number, wish);
        let Some(request) = self.requests.get(&number) else { return };
        if request.stage == Stage::Consent {
            let (id, until) = (request.id.clone(), request.until);
            self.tell_pending(wish.waiter, &id, until);
        }
    }

    /// A touch says no reason; one that joins it can. The first counts, and the question is shown anew with it.
    fn add_reason(&mut self, number: u64, wish: &Wish) {
        let Some(request) = self.requests.get_mut(&number).filter(|request| request.why.is_none()) else {
            return;
        };
        let Some(why) = reason(wish) else { return };
        request.why = Some(why.clone());
        let (id, stage) = (request.id.clone(), request.stage);
        let asker = wish.pid.map(|pid| self.processes.asker(pid)).unwrap_or_default();
        self.recorder.note(&Event::ReasonGiven(Box::new(access::ReasonGiven {
            request: id,
            who: record::who(&asker),
            why: why.clone(),
        })));
        if stage == Stage::Consent
            && let Ok(nonce) = random_bytes::<16>()
        {
            let sends = self.consent.explain(number, why, to_hex(&nonce));
            self.show(sends);
            self.changed = true;
        }
    }

    fn take_up_place(&mut self, wish: Wish, key: Key, given: Given, path: InnerPath) {
        let Some(entry) = self.ceiling.get(key.place) else { return };
        let resource = match &wish.resource {
            Resource::Program { .. } => Resource::Program { path: path.as_path().display().to_string() },
            _ => Resource::File { path: path.as_path().display().to_string() },
        };
        let pinned = act::open::pin(entry, &path, wish.actions);
        let (pinned, mut object) = match pinned {
            Ok(pinned) => pinned,
            Err(reason) => return self.turn_away(&wish, reason, "the object cannot be pinned"),
        };
        object.label = label::of(std::path::Path::new(&object.path)).to_owned();
        let target = Target::Place(Box::new(AskedPlace { path, given, pinned, object }));
        self.take_up(&wish, key, resource, target);
    }

    pub(super) fn take_up(&mut self, wish: &Wish, key: Key, resource: Resource, target: Target) {
        let asker = wish.pid.map(|pid| self.processes.asker(pid)).unwrap_or_default();
        self.summary.requests += 1;
        let number = self.summary.requests;
        let request = Request {
            id: format!("{}-{number}", self.short),
            place: key.place,
            actions: wish.actions,
            resource,
            target,
            asker,
            why: reason(wish),
            under: wish.under.clone(),
            waiters: vec![wish.waiter],
            until: self.now + self.timeout,
            decision: None,
            person: wish.person,
            stage: Stage::Policy,
            key: key.clone(),
        };
        self.desk.take_up(key, number, wish.pid.unwrap_or(0), self.now);
        self.record_request(&request);
        self.requests.insert(number, request);
        self.ask_reputation(number);
    }

    fn record_request(&mut self, request: &Request) {
        let by = match request.waiters.first() {
            Some(Waiter::Touch(_)) => "touch",
            Some(Waiter::Flow(_)) => "connection",
            Some(Waiter::Upload(_)) => "upload",
            Some(Waiter::Call { .. }) => "broker",
            _ => "person",
        };
        self.recorder.note(&Event::Request(Box::new(access::Request {
            request: request.id.clone(),
            who: record::who(&request.asker),
            what: request.what(),
            why: request.why.clone(),
            by: by.to_owned(),
            token: request.under.token.clone(),
            claimed: request.under.claimed.clone(),
        })));
    }

    /// Refuses a wish that never became a request.
    pub(super) fn turn_away(&mut self, wish: &Wish, reason: Reason, detail: &str) {
        let actions = wish.actions.list();
        let words: Vec<&str> = actions.iter().map(|action| action.word()).collect();
        let text = format!("{} {}", words.join(", "), record::name(&wish.resource));
        let denial = self.new_denial(reason, detail, text);
        let stands = match reason {
            // It can be over at any time.
            Reason::RateLimit | Reason::Detection => Duration::from_secs(1),
            _ => Duration::from_secs(5),
        };
        self.tell_denied(wish.waiter, &denial, stands);
        let what = record::what(&actions, &wish.resource, None, "");
        self.note_refusal(&denial, what, wish.pid);
    }

    /// Makes a refusal and keeps it for people and for `explain`.
    pub(super) fn new_denial(&mut self, reason: Reason, detail: &str, what: String) -> Denial {
        self.summary.denials += 1;
        let denial = Denial {
            id: format!("{}-d{}", self.short, self.summary.denials),
            reason,
            detail: detail.to_owned(),
            what,
            at: WallTime::now().unix_seconds(),
        };
        if self.denials.len() >= super::state::MOST_DENIALS {
            self.denials.pop_front();
        }
        self.denials.push_back(denial.clone());
        self.changed = true;
        denial
    }
}

/// As much of a wish's reason as is kept.
fn reason(wish: &Wish) -> Option<String> {
    wish.why.as_deref().map(|why| limit::kept(why).to_owned()).filter(|why| !why.is_empty())
}

impl Request {
    /// What a record says of its object.
    pub(super) fn what(&self) -> access::What {
        let object = self.target.place().map(|place| &place.object);
        let path = object.map(|object| object.path.clone());
        let label = object.map(|object| object.label.as_str()).unwrap_or_default();
        let upload = self.target.upload().map(record::uploading);
        access::What { upload, ..record::what(&self.actions.list(), &self.resource, path, label) }
    }

    /// In words.
    pub(super) fn text(&self) -> String {
        let actions = self.actions.list();
        let words: Vec<&str> = actions.iter().map(|action| action.word()).collect();
        format!("{} {}", words.join(", "), record::name(&self.resource))
    }
}
