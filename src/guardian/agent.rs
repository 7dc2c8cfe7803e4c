//! Calls of agents: which token they are under, and what becomes of each.

use super::agents::Caller;
use super::ceiling::{Actions, How};
use super::door::{Fresh, Wants};
use super::request::{Under, Waiter, Wish};
use super::target::Host;
use super::token::{Claims, LONGEST_S, TokenError};
use super::{Guardian, record};
use crate::audit::{Event, access};
use crate::wire::broker::{Allowed, Askable, Call, Op, Outcome};
use crate::wire::denial::{Denial, Reason};
use crate::wire::limit;
use crate::wire::subject::{Action, Resource};
use std::sync::Arc;

impl Guardian {
    /// Somebody is at the shared door.
    pub(super) fn greet(&mut self) {
        let number = self.next_number();
        let fresh = Fresh {
            run: &self.about.run,
            tokens: &self.tokens,
            allowed: &self.allowed,
            now: self.now.as_secs(),
        };
        let closed = self.doors.greet(number, &fresh, &self.processes);
        self.note_closed(closed);
    }

    /// Somebody connected to the path.
    pub(super) fn admit(&mut self) {
        let number = self.next_number();
        self.doors.admit(number);
    }

    /// A channel has something to say, or room to be told. One call is served: then others have their turn, and most
    /// agents wait for an answer before they call again.
    pub(super) fn serve_channel(&mut self, channel: u64) {
        let closed = self.doors.flush(channel);
        self.note_closed(closed);
        let fresh = Fresh {
            run: &self.about.run,
            tokens: &self.tokens,
            allowed: &self.allowed,
            now: self.now.as_secs(),
        };
        match self.doors.next(channel, &fresh, &self.processes) {
            Wants::Call(call, pid) => self.call(channel, *call, pid),
            Wants::Nothing => {}
            Wants::Closed(closed) => self.note_closed(Some(closed)),
        }
    }

    fn note_closed(&mut self, closed: Option<access::ChannelClosed>) {
        let Some(closed) = closed else { return };
        self.claims.retain(|(channel, _), _| self.doors.id(*channel).is_some());
        self.agents.end_of_closed(|channel| self.doors.id(channel).is_some(), self.now);
        self.recorder.note_often(&Event::ChannelClosed(Box::new(closed)), self.now);
        if self.doors.too_much() {
            self.end_run("too many malformed messages came from inside");
        }
    }

    fn call(&mut self, channel: u64, call: Call, pid: Option<i32>) {
        let waiter = Waiter::Call { channel, call: call.id };
        let renewing = matches!(call.op, Op::Renew {});
        let claims = match self.check_token(channel, &call.token, renewing) {
            Ok(claims) => claims,
            Err(error) => {
                if error == TokenError::Expired {
                    self.refresh(channel);
                }
                return self.deny(waiter, error.reason(), &error.to_string(), "");
            }
        };
        if let Err(why) = limit::check(&call.op) {
            return self.deny(waiter, Reason::Protocol, why, "");
        }
        match call.op {
            Op::Ping {} => self.doors.answer(channel, call.id, Outcome::Done {}, Vec::new()),
            Op::Request { actions, resource, why, traceparent } => {
                if !actions.iter().all(|action| claims.allows(*action, &resource)) {
                    let wanted = match &resource {
                        Resource::Host { host, port } => {
                            let host = Host { name: host.to_ascii_lowercase(), port: *port };
                            self.ceiling.judge_host(&host).map(drop)
                        }
                        _ => self.ceiling.judge(&resource, Actions::of(&actions)).map(drop),
                    };
                    let (reason, detail) = match wanted {
                        Ok(()) => (Reason::Token, "the token does not list it".to_owned()),
                        Err(why) => (Reason::Ceiling, why),
                    };
                    let detail = format!("{detail}; `aisandbox request list` says what can be asked for");
                    let what = record::what(&actions, &resource, None, "");
                    return self.deny_what(waiter, (reason, &detail), &record::name(&resource), what);
                }
                let actions = self.with_reading(&resource, Actions::of(&actions), &claims);
                let under = Under { token: Some(claims.id.to_string()), claimed: traceparent };
                self.wish(Wish { waiter, resource, actions, pid, why: Some(why), under, person: None });
            }
            Op::Open { paths, action } => self.open(channel, call.id, &paths, action, &claims),
            Op::Append { path, text } => self.append(channel, call.id, &path, &text, &claims),
            Op::Spawn { .. } if self.detection.tightened().is_some() => {
                self.deny(
                    waiter,
                    Reason::Detection,
                    "a rule found something; a person can let the run go on",
                    "an agent",
                );
            }
            Op::Spawn { argv, chdir, less } => {
                let caller = Caller { channel, call: call.id };
                self.spawn(caller, (argv, chdir), &less, (&*claims, pid));
            }
            Op::Transition { program, argv, environment, chdir } => {
                let caller = Caller { channel, call: call.id };
                self.transition(caller, (&program, argv, environment, chdir), (&*claims, pid));
            }
            Op::Signal { call: of, number } => self.signal(Caller { channel, call: of }, call.id, number),
            Op::List {} => self.list(channel, call.id),
            Op::Explain { id } => self.explain(channel, call.id, &id),
            Op::Attenuate { allowed, seconds } => self.attenuate(channel, call.id, &claims, allowed, seconds),
            Op::Renew {} => self.renew(channel, call.id, &claims),
            Op::Release { grant } => self.release(channel, call.id, &grant, &claims),
        }
    }

    /// A token that was checked is known by its text; only what can have changed is looked at again. One that is to be
    /// renewed may be of any epoch since a person took something back: who attenuated tokens has no other way to follow
    /// a rotation.
    fn check_token(&mut self, channel: u64, text: &str, renewing: bool) -> Result<Arc<Claims>, TokenError> {
        let now = self.now.as_secs();
        let since = if renewing { 0 } else { self.doors.since(channel, now) };
        let key = (channel, text.to_owned());
        if let Some(claims) = self.claims.get(&key) {
            self.tokens.check_standing(claims, since, now)?;
            return Ok(Arc::clone(claims));
        }
        let id = self.doors.id(channel).ok_or(TokenError::Forged)?;
        let claims = Arc::new(self.tokens.check_since(id, text, since, now)?);
        if self.claims.len() >= MOST_CLAIMS {
            self.claims.clear();
        }
        self.claims.insert(key, Arc::clone(&claims));
        Ok(claims)
    }

    /// Refuses a call that never became a wish.
    pub(super) fn deny(&mut self, waiter: Waiter, reason: Reason, detail: &str, what: &str) {
        self.deny_what(waiter, (reason, detail), what, access::What::default());
    }

    /// The same of one that is about something. In a record no word of an agent stands for an object.
    fn deny_what(
        &mut self,
        waiter: Waiter,
        (reason, detail): (Reason, &str),
        text: &str,
        what: access::What,
    ) {
        let Waiter::Call { channel, call } = waiter else { return };
        let denial = self.new_denial(reason, detail, text.to_owned());
        let pid = self.doors.sender(channel);
        self.note_refusal(&denial, what, pid);
        self.doors.answer(channel, call, Outcome::Denied { denial }, Vec::new());
    }

    fn list(&mut self, channel: u64, call: u32) {
        let granted =
            self.leases.iter().filter(|lease| lease.holds).map(|lease| self.grant_state(lease)).collect();
        let occupied = |place: usize| self.leases.iter().any(|lease| lease.holds && lease.place == place);
        let entries = self.ceiling.entries().iter().enumerate().filter(|(place, _)| !occupied(*place));
        let askable = entries.map(|(_, entry)| Askable {
            actions: entry.actions.list(),
            resource: super::state::resource_of(&entry.inner),
        });
        let hosts = self.ceiling.hosts().iter().flat_map(|asked| {
            let host = asked.host.to_string();
            asked.ports.iter().map(move |port| Askable {
                actions: Host::actions().list(),
                resource: Resource::Host { host: host.clone(), port: *port },
            })
        });
        let listed = Outcome::Listed { grants: granted, askable: askable.chain(hosts).collect() };
        self.doors.answer(channel, call, listed, Vec::new());
    }

    fn explain(&mut self, channel: u64, call: u32, id: &str) {
        let waiter = Waiter::Call { channel, call };
        let Some(denial) = self.denials.iter().find(|denial| denial.id == id).cloned() else {
            return self.deny(waiter, Reason::NotFound, "no refusal of this id is kept", id);
        };
        let hint = hint(&denial).to_owned();
        self.doors.answer(channel, call, Outcome::Explained { denial, hint }, Vec::new());
    }

    fn attenuate(&mut self, channel: u64, call: u32, held: &Claims, allowed: Vec<Allowed>, seconds: u64) {
        let Some(id) = self.doors.id(channel) else { return };
        let minted = self.tokens.attenuate(held, id, allowed, seconds, self.now.as_secs());
        self.hand_token(channel, call, held, minted, "attenuated");
    }

    fn renew(&mut self, channel: u64, call: u32, held: &Claims) {
        let Some(id) = self.doors.id(channel) else { return };
        let minted = self.tokens.renew(held, id, self.now.as_secs());
        self.hand_token(channel, call, held, minted, "renewed");
    }

    fn hand_token(
        &mut self,
        channel: u64,
        call: u32,
        held: &Claims,
        minted: Result<super::token::Minted, TokenError>,
        what: &str,
    ) {
        let minted = match minted {
            Ok(minted) => minted,
            Err(error) => {
                return self.deny(Waiter::Call { channel, call }, error.reason(), &error.to_string(), what);
            }
        };
        let seconds = minted.claims.expires.saturating_sub(self.now.as_secs()).min(LONGEST_S);
        let token = access::Token {
            what: what.to_owned(),
            token: minted.claims.id.to_string(),
            from: Some(held.id.to_string()),
            seconds,
            audience: None,
        };
        self.recorder.note_often(&Event::Token(token), self.now);
        self.doors.answer(channel, call, Outcome::Token { token: minted.text, seconds }, Vec::new());
    }

    fn release(&mut self, channel: u64, call: u32, grant: &str, claims: &Claims) {
        let waiter = Waiter::Call { channel, call };
        let lease = self.leases.by_id(grant).and_then(|number| self.leases.get(number));
        let Some(lease) = lease.filter(|lease| lease.holds) else {
            return self.deny(waiter, Reason::Revoked, "no lease of this id holds", grant);
        };
        let resource = lease.resource();
        if !lease.actions.list().iter().any(|action| claims.allows(*action, &resource)) {
            return self.deny(waiter, Reason::Token, "the token does not list it", grant);
        }
        let number = lease.number;
        self.end_lease(number, "released", None);
        self.doors.answer(channel, call, Outcome::Done {}, Vec::new());
    }
}

impl Guardian {
    /// What can be executed from a mount can be read there, so both are asked for, where the token lists both.
    fn with_reading(&self, resource: &Resource, actions: Actions, claims: &Claims) -> Actions {
        let both = Actions::of(&[Action::Read, Action::Execute]);
        let Ok(within) = self.ceiling.judge(resource, actions) else { return actions };
        let path = within.path.as_path().display().to_string();
        let mounted = self
            .ceiling
            .get(within.place)
            .is_some_and(|entry| matches!(entry.how, How::Mount) && entry.actions.has_all(both));
        let alone = actions == Actions::of(&[Action::Execute]);
        if alone && mounted && claims.allows(Action::Read, &Resource::File { path }) { both } else { actions }
    }
}

/// The most tokens that are known by their text.
const MOST_CLAIMS: usize = 256;

/// Every pair a run may ever be granted: what a channel's first token lists.
pub(super) fn allowed(ceiling: &super::ceiling::Ceiling) -> Vec<Allowed> {
    let mut all = Vec::new();
    for entry in ceiling.entries() {
        let path = entry.inner.as_path().display().to_string();
        for action in entry.actions.list() {
            all.push(Allowed { action, resource: Resource::File { path: path.clone() } });
            if action == Action::Execute {
                all.push(Allowed { action, resource: Resource::Program { path: path.clone() } });
            }
        }
    }
    for asked in ceiling.hosts() {
        for port in &asked.ports {
            let resource = Resource::Host { host: asked.host.to_string(), port: *port };
            all.push(Allowed { action: Action::Connect, resource });
        }
    }
    if all.len() > limit::MOST_ALLOWED {
        tracing::warn!(
            "the entries that ask make {} pairs of action and path, and a token lists {}: the last ones can be asked for by touch alone",
            all.len(),
            limit::MOST_ALLOWED
        );
        all.truncate(limit::MOST_ALLOWED);
    }
    all
}

/// What can be done about a refusal.
fn hint(denial: &Denial) -> &'static str {
    match denial.reason {
        Reason::Ceiling => "the owner can add an `ask` entry to the profile; within this run nothing helps",
        Reason::Policy => "a policy decides; the detail says which",
        Reason::Refused | Reason::Never => "the person said no; go on without it",
        Reason::Timeout => "nobody answered; ask again later, and say why",
        Reason::NoChannel => "the owner can name a way in `consent.channels`, or start the run on a terminal",
        Reason::RateLimit | Reason::Repeated => "wait before asking again",
        Reason::Token => "use the latest token; it lists what may be asked",
        Reason::Revoked => "ask for it anew with `request`",
        Reason::Changed | Reason::NotFound => "look at what is there, then ask for it anew",
        Reason::Kernel => "the person's own account may not do this either",
        Reason::Unavailable => "this run cannot do it by this way; the detail says why",
        Reason::NoRecord => "the disk of the records is full or failing; the owner must see to it",
        Reason::Protocol => "the call breaks a rule of aisandbox-broker(7); the detail says which",
        Reason::Withdrawn => "the connection that waited for the answer ended before it came",
        Reason::Detection => {
            "a rule found something; the person can look, and let the run go on with `aisandbox resume`"
        }
        Reason::Ending => "the run is ending",
    }
}
