//! Giving and taking back: a yes becomes a recorded lease, the lease an act, and its end undoes what can be undone.
//!
//! Nothing takes effect before its record. A mount that cannot be taken back ends the run.

use super::Guardian;
use super::act::holders::Watch;
use super::decide::{Approval, Refusal, millis};
use super::grant::{Basis, Lease};
use super::record::{self, Behind, Through};
use super::request::{Request, Stage, Waiter};
use super::target::{Held, HeldPlace, Target};
use crate::audit::{Event, access};
use crate::base::WallTime;
use crate::sys::fd;
use crate::wire::broker::Outcome;
use crate::wire::denial::{Denial, Reason};
use crate::wire::egress::ToEgress;
use crate::wire::files::{ToFiles, Verdict};
use crate::wire::session::{Given, Reply};
use crate::wire::subject::{ONCE_S, Scope};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// A lease that is being taken back.
#[derive(Debug)]
pub(super) struct Ending {
    why: &'static str,
    sessions: Vec<u64>,
    watch: Option<Watch>,
}

impl Guardian {
    /// A yes: recorded, then given.
    pub(super) fn approve(&mut self, number: u64, approval: Approval) {
        self.close_question(number);
        let Some(request) = self.requests.get(&number) else { return };
        let Some((lease, lease_s)) = self.make_lease(request, &approval) else {
            return self.refuse(
                number,
                Refusal::of(Reason::Unavailable, "no descriptor is left to hold the object"),
            );
        };
        let behind = Behind {
            who: record::who(&request.asker),
            what: request.what(),
            scope: approval.scope,
            shown_ms: approval.shown.map(millis),
            lease_s,
            decision_id: request.decision.as_ref().map(|decision| decision.decision_id.clone()),
        };
        if let Err(error) = self.recorder.grant(&lease, behind) {
            return self.refuse(number, Refusal::of(Reason::NoRecord, error.to_string()));
        }
        let lease_number = self.leases.next_number();
        if matches!(approval.scope, Scope::Always {}) {
            self.keep_answer(number, true);
        }
        if let Some(request) = self.requests.get_mut(&number) {
            request.stage = Stage::Act(lease_number);
        }
        self.put_in_force_known(number, Lease { number: lease_number, ..lease });
    }

    fn make_lease(&self, request: &Request, approval: &Approval) -> Option<(Lease, Option<u64>)> {
        let entry = self.ceiling.get(request.place);
        let wished = match approval.scope {
            Scope::Once {} => Some(ONCE_S),
            Scope::For { seconds } => Some(seconds.max(1)),
            Scope::Session {} | Scope::Always {} => None,
        };
        let most = request.decision.as_ref().and_then(|decision| decision.ttl_s);
        let seconds = wished.into_iter().chain(most).min();
        let once = matches!(approval.scope, Scope::Once {});
        let given = request.target.given();
        let upload = request.target.upload().is_some();
        let alone = given == Given::Descriptor;
        let held = match &request.target {
            Target::Host(host) => Held::Host(host.clone()),
            Target::Upload(sent) => Held::Upload(sent.clone()),
            Target::Place(place) => Held::Place(Box::new(HeldPlace {
                path: place.path.clone(),
                given,
                object: fd::duplicate_above(place.pinned.as_fd(), 3).ok()?,
                shown: None,
                host: place.object.path.clone(),
            })),
        };
        let asker = (once && !alone && !upload)
            .then(|| self.processes.descriptor(request.asker.process.pid))
            .flatten();
        let lease = Lease {
            number: 0,
            id: format!("{}-g{}", self.short, self.leases.count() + 1),
            place: request.place,
            actions: request.actions,
            held,
            basis: Basis {
                request: request.person.is_none().then(|| request.id.clone()),
                token: request.under.token.clone(),
            },
            approved_by: approval.by.clone(),
            since: WallTime::now().unix_seconds(),
            until: seconds.map(|seconds| self.now + Duration::from_secs(seconds)),
            uses_left: if once && (alone || upload) {
                Some(1)
            } else {
                entry.and_then(|entry| entry.uses).filter(|_| alone)
            },
            bytes_left: entry.and_then(|entry| entry.bytes).filter(|_| given == Given::Served),
            revocable: !alone,
            asker,
            opened: BTreeMap::new(),
            holds: false,
        };
        Some((lease, seconds))
    }

    pub(super) fn put_in_force(&mut self, number: u64, lease: Lease) {
        self.summary.grants += 1;
        let (lease_number, place, given) = (lease.number, lease.place, lease.given());
        if matches!(given, Given::Mount | Given::Served)
            && let Some(old) = self.leases.occupying(place)
        {
            self.end_lease(old, "replaced", None);
        }
        let entry = self.ceiling.get(place).map(|entry| entry.number).unwrap_or_default();
        let done = match (&lease.held, given) {
            (Held::Host(host), _) => self.roles.tell_egress(&ToEgress::Grant {
                grant: lease.id.clone(),
                host: host.name.clone(),
                port: host.port,
            }),
            (Held::Place(_), Given::Mount) => {
                self.roles.attach(entry, lease.actions.read_only(), lease_number, self.now)
            }
            (Held::Place(at), Given::Served) => {
                let grant = ToFiles::Grant { entry, actions: lease.actions.list(), bytes: lease.bytes_left };
                let object = fd::duplicate_above(at.object.as_fd(), 3).ok();
                object.is_some_and(|object| self.roles.tell_files(&grant, Some(object)))
            }
            (Held::Upload(_), _) | (Held::Place(_), Given::Descriptor | Given::Act) => true,
        };
        self.leases.keep(lease);
        match (done, given) {
            (false, _) => self.not_given(number, lease_number, "the role that gives it is gone"),
            (true, Given::Mount) => {
                if let Some(request) = self.requests.get_mut(&number) {
                    request.stage = Stage::Act(lease_number);
                }
            }
            (true, _) => self.in_force(number, lease_number),
        }
    }

    /// The act is done: all who wait are told.
    fn in_force(&mut self, number: u64, lease: u64) {
        if let Some(lease) = self.leases.get_mut(lease) {
            lease.holds = true;
            // Of uploads no token says anything.
            if lease.sent().is_none() {
                self.rights_changed();
            }
        }
        let Some(request) = self.requests.remove(&number) else { return };
        self.desk.granted(&request.key);
        for waiter in request.waiters {
            self.tell_granted(waiter, lease);
        }
        self.changed = true;
        // A yes for once was for the one that waited.
        let once = self.leases.get_mut(lease).filter(|lease| lease.sent().is_some());
        if once.is_some_and(Lease::spend_use) {
            self.end_lease(lease, "used", None);
        }
    }

    fn not_given(&mut self, number: u64, lease: u64, why: &str) {
        if let Some(lease) = self.leases.take(lease) {
            self.record_end(&lease, "failed", Vec::new(), "leave");
        }
        self.refuse(number, Refusal::of(Reason::Unavailable, why));
    }

    /// Role `mounts` mounted it, or could not.
    pub(super) fn attached(&mut self, lease: u64, done: Result<Option<OwnedFd>, String>) {
        let shown = done.as_ref().ok().and_then(Option::as_ref);
        // Opened on the host's own mount, a file for reading could have its mode and times changed, and be executed.
        if let Some(Held::Place(held)) = self.leases.get_mut(lease).map(|lease| &mut lease.held) {
            held.shown = shown.and_then(|shown| fd::duplicate_above(shown.as_fd(), 3).ok());
        }
        let giving = |request: &Request| request.stage == Stage::Act(lease);
        let number = self.requests.iter().find(|(_, request)| giving(request)).map(|(number, _)| *number);
        match (number, done) {
            (Some(number), Ok(_)) => self.in_force(number, lease),
            (Some(number), Err(why)) => self.not_given(number, lease, &why),
            (None, _) => {}
        }
    }

    /// Begins to take a lease back. A session that waits for it is told when it is done.
    pub(super) fn end_lease(&mut self, number: u64, why: &'static str, session: Option<u64>) {
        if let Some(ending) = self.ending.get_mut(&number) {
            return ending.sessions.extend(session);
        }
        let Some(lease) = self.leases.get_mut(number) else { return };
        lease.holds = false;
        let (given, place) = (lease.given(), lease.place);
        // An upload that went out by a yes for once is not cut by the end of that.
        let upload = lease.sent().is_some();
        let goes_on = upload && why == "used";
        let host = (lease.at().is_none() && !goes_on).then(|| lease.id.clone());
        if !upload {
            self.rights_changed();
        }
        let entry = self.ceiling.get(place);
        let entry_number = entry.map(|entry| entry.number).unwrap_or_default();
        let mounted = entry.filter(|_| given == Given::Mount);
        let watch = mounted.map(|entry| Watch::before(&self.processes, &entry.inner));
        self.ending.insert(number, Ending { why, sessions: session.into_iter().collect(), watch });
        match given {
            Given::Mount if !self.roles.detach(entry_number, number, self.now) => {
                self.end_run("role mounts is gone, so a lease cannot be taken back");
            }
            Given::Mount => {}
            Given::Served => {
                // A role that is gone serves nothing any more, which is as good.
                self.roles.tell_files(&ToFiles::Withdraw { entry: entry_number }, None);
                self.lease_ended(number);
            }
            Given::Descriptor | Given::Act => {
                if let Some(grant) = host {
                    // A role that is gone lets nothing out any more, which is as good.
                    self.roles.tell_egress(&ToEgress::Revoke { grant });
                }
                self.lease_ended(number);
            }
        }
    }

    /// What was given is taken back: told, recorded, and whoever still holds it is dealt with.
    pub(super) fn lease_ended(&mut self, number: u64) {
        let (Some(lease), Some(ending)) = (self.leases.take(number), self.ending.remove(&number)) else {
            return;
        };
        self.keep_over(&lease);
        let on_revoke = self.ceiling.get(lease.place).map(|entry| entry.on_revoke);
        let mut left: Vec<String> =
            ending.watch.map(|watch| watch.after(&self.processes, on_revoke)).unwrap_or_default();
        let handed = |(name, count): (&String, &u64)| format!("{count} descriptors of {name}");
        if lease.given() == Given::Descriptor {
            left.extend(lease.opened.iter().map(handed));
        }
        let holders = on_revoke.unwrap_or_default().word();
        self.record_end(&lease, ending.why, left.clone(), holders);
        if lease.sent().is_none() {
            self.desk.forget(lease.place);
            self.doors.tell_revoked(&lease.id);
        }
        for session in ending.sessions {
            self.sessions.reply(session, &Reply::Done { grant: None, left: left.clone() });
        }
        self.changed = true;
    }

    pub(super) fn record_end(&mut self, lease: &Lease, why: &str, left: Vec<String>, holders: &str) {
        let Through { grant, request, token } = Through::of(lease);
        self.recorder.note(&Event::Revoke(access::Revoke {
            grant,
            why: why.to_owned(),
            left,
            holders: holders.to_owned(),
            request,
            token,
        }));
    }

    /// Tells one who waits that there is a lease.
    pub(super) fn tell_granted(&mut self, waiter: Waiter, number: u64) {
        let Some(lease) = self.leases.get(number) else { return };
        let state = self.grant_state(lease);
        let seconds = lease.until.map(|until| until.saturating_sub(self.now).as_secs());
        match waiter {
            Waiter::Touch(touch) => {
                let verdict =
                    if lease.given() == Given::Served { Verdict::Serve {} } else { Verdict::Retry {} };
                self.roles.tell_files(&ToFiles::Decided { touch, verdict }, None);
            }
            Waiter::Call { channel, call } => {
                let granted = Outcome::Granted { grant: state.id, seconds, how: state.by };
                self.doors.answer(channel, call, granted, Vec::new());
            }
            Waiter::Session(session) => {
                self.sessions.reply(session, &Reply::Done { grant: Some(Box::new(state)), left: Vec::new() });
            }
            Waiter::Flow(id) => {
                self.roles.tell_egress(&ToEgress::Answer { id, grant: Some(state.id), reason: None });
            }
            Waiter::Upload(id) => {
                self.roles.tell_egress(&ToEgress::Upload { id, grant: Some(state.id), reason: None });
            }
        }
    }

    /// Tells one who waits that it is refused, and how long that stands.
    pub(super) fn tell_denied(&mut self, waiter: Waiter, denial: &Denial, stands: Duration) {
        match waiter {
            Waiter::Touch(touch) => {
                let verdict = Verdict::Deny { for_ms: millis(stands) };
                self.roles.tell_files(&ToFiles::Decided { touch, verdict }, None);
            }
            Waiter::Call { channel, call } => {
                self.doors.answer(channel, call, Outcome::Denied { denial: denial.clone() }, Vec::new());
            }
            Waiter::Session(session) => {
                let refused = Reply::Refused { reason: denial.reason, detail: denial.detail.clone() };
                self.sessions.reply(session, &refused);
            }
            Waiter::Flow(id) => {
                let reason = Some(denial.reason.id().to_owned());
                self.roles.tell_egress(&ToEgress::Answer { id, grant: None, reason });
            }
            Waiter::Upload(id) => {
                let reason = Some(denial.reason.id().to_owned());
                self.roles.tell_egress(&ToEgress::Upload { id, grant: None, reason });
            }
        }
    }

    /// Tells one who waits that a person is asked.
    pub(super) fn tell_pending(&mut self, waiter: Waiter, id: &str, until: Duration) {
        let Waiter::Call { channel, call } = waiter else { return };
        let seconds = until.saturating_sub(self.now).as_secs();
        self.doors.answer(channel, call, Outcome::Pending { request: id.to_owned(), seconds }, Vec::new());
    }
}
