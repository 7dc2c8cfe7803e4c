//! From request to yes or no: the policy, what was approved or refused in advance, and a person.
//!
//! Each can only say no or less than the one before. Silence is no.

use super::Guardian;
use super::desk::Closed;
use super::record::{self, Refused};
use super::request::{Request, Stage};
use crate::base::{WallTime, to_hex};
use crate::sys::random::random_bytes;
use crate::wire::consent::{Answer, Question};
use crate::wire::denial::Reason;
use crate::wire::policy::{Decision, Held, Input, Outcome};
use crate::wire::subject::Scope;
use std::time::Duration;

/// A yes, and who or what said it.
#[derive(Debug, Clone)]
pub(super) struct Approval {
    pub(super) by: String,
    pub(super) scope: Scope,
    pub(super) shown: Option<Duration>,
}

/// A no, and who or what said it.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) reason: Reason,
    pub(super) detail: String,
    pub(super) by: Option<String>,
    pub(super) shown: Option<Duration>,
    pub(super) closed: Closed,
}

impl Refusal {
    /// A no that no person said.
    pub(super) fn of(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into(), by: None, shown: None, closed: Closed::Other }
    }
}

impl Guardian {
    /// Asks the policy; without one the outcome is `prompt`.
    pub(super) fn ask_policy(&mut self, number: u64) {
        let Some(request) = self.requests.get(&number) else { return };
        if !self.roles.wants_policy {
            return self.ask_person(number);
        }
        let input = self.policy_input(request);
        if !self.roles.decide(number, input, self.now) {
            self.refuse(number, Refusal::of(Reason::Policy, "the role that evaluates policies is gone"));
        }
    }

    fn policy_input(&self, request: &Request) -> Input {
        let held =
            |lease: &super::grant::Lease| Held { actions: lease.actions.list(), resource: lease.resource() };
        let object = request.target.place().map(|place| &place.object);
        Input {
            version: 1,
            actions: request.actions.list(),
            resource: request.resource.clone(),
            path: object.map(|object| object.path.clone()),
            label: object.map(|object| object.label.clone()).unwrap_or_default(),
            kind: object.map(|object| object.kind.clone()),
            size: object.and_then(|object| object.size),
            upload: request.target.upload().cloned(),
            asker: request.asker.clone(),
            profile: self.about.profile.clone(),
            run: self.about.run.clone(),
            depth: u32::try_from(self.about.chain.len()).unwrap_or(u32::MAX),
            uid: self.about.uid,
            now: WallTime::now().unix_seconds(),
            grants: self.leases.iter().filter(|lease| lease.holds).map(held).collect(),
        }
    }

    /// The policy's word.
    pub(super) fn decided(&mut self, number: u64, decision: Decision) {
        let Some(request) = self.requests.get_mut(&number).filter(|request| request.stage == Stage::Policy)
        else {
            return;
        };
        let id = request.id.clone();
        request.decision = Some(decision.clone());
        self.recorder.decision(&id, &decision);
        match decision.outcome {
            Outcome::Deny => {
                let detail = if decision.policy.is_empty() {
                    decision.reason
                } else {
                    format!("{}: {}", decision.policy, decision.reason)
                };
                self.refuse(number, Refusal::of(Reason::Policy, detail));
            }
            Outcome::Allow => {
                // What a person refused for good stays refused: a policy can spare the question, not overrule the answer.
                let answered =
                    self.requests.get(&number).and_then(|request| self.answered_in_advance(request));
                if let Some(Err(refusal)) = answered {
                    return self.refuse(number, refusal);
                }
                if self.wants_person(number) {
                    return self.ask_person(number);
                }
                let by = format!("policy {}", decision.policy);
                self.approve(number, Approval { by, scope: self.usual_scope(number), shown: None });
            }
            Outcome::Prompt => self.ask_person(number),
        }
    }

    /// Whether a rule found something, so that no yes in advance counts for this.
    fn wants_person(&self, number: u64) -> bool {
        let request = self.requests.get(&number);
        request.is_some_and(|request| self.detection.asks(super::detection::kind(&request.resource)))
    }

    /// How long a yes lasts when nobody says how long.
    fn usual_scope(&self, number: u64) -> Scope {
        let request = self.requests.get(&number);
        if request.is_some_and(|request| request.target.upload().is_some()) {
            return Scope::Once {};
        }
        let entry = request.and_then(|request| self.ceiling.get(request.place));
        let lease = entry.and_then(|entry| entry.lease);
        lease.map_or(Scope::Session {}, |lease| Scope::For { seconds: lease.as_secs().max(1) })
    }

    fn ask_person(&mut self, number: u64) {
        let Some(request) = self.requests.get(&number) else { return };
        if let Some(seconds) = request.person {
            let scope = seconds.map_or(Scope::Session {}, |seconds| Scope::For { seconds });
            return self.approve(number, Approval { by: "grant".to_owned(), scope, shown: None });
        }
        let in_advance = self.answered_in_advance(request);
        match in_advance.filter(|answer| answer.is_err() || !self.wants_person(number)) {
            Some(Ok(approval)) => {
                self.spend_template(&approval.by);
                return self.approve(number, approval);
            }
            Some(Err(refusal)) => return self.refuse(number, refusal),
            None => {}
        }
        let question = self.question(request);
        let Ok(nonce) = random_bytes::<16>() else {
            return self.refuse(number, Refusal::of(Reason::NoChannel, "no random bytes"));
        };
        let (until, id) = (request.until, request.id.clone());
        let waiters = request.waiters.clone();
        if !self.consent.ask(number, question, to_hex(&nonce), until) {
            return self
                .refuse(number, Refusal::of(Reason::NoChannel, "no way of `consent.channels` is there"));
        }
        if let Some(request) = self.requests.get_mut(&number) {
            request.stage = Stage::Consent;
        }
        for waiter in waiters {
            self.tell_pending(waiter, &id, until);
        }
        self.changed = true;
    }

    fn question(&self, request: &Request) -> Question {
        let entry = self.ceiling.get(request.place);
        let now = WallTime::now().unix_seconds();
        let policy = request.decision.as_ref().filter(|decision| !decision.policy.is_empty());
        Question {
            id: request.id.clone(),
            run: self.about.run.clone(),
            profile: self.about.profile.clone(),
            chain: self.about.chain.clone(),
            asker: request.asker.clone(),
            actions: request.actions.list(),
            resource: request.resource.clone(),
            object: request.target.place().map(|place| place.object.clone()),
            upload: request.target.upload().cloned(),
            why: request.why.clone(),
            lease_s: entry.and_then(|entry| entry.lease).map(|lease| lease.as_secs()),
            asked_at: now,
            until: now + request.until.saturating_sub(self.now).as_secs(),
            policy: policy.map(|decision| format!("{}: {}", decision.policy, decision.reason)),
        }
    }

    /// A person's answer, by whatever way it came.
    pub(super) fn answered(&mut self, number: u64, answer: Answer, by: &str, shown: Option<Duration>) {
        if self.requests.get(&number).is_none_or(|request| request.stage != Stage::Consent) {
            return;
        }
        let refusal = |reason, closed| Refusal {
            reason,
            detail: String::new(),
            by: Some(by.to_owned()),
            shown,
            closed,
        };
        match answer {
            Answer::Allow { scope } => {
                if let Some(request) = self.requests.get(&number) {
                    self.detection.asked(super::detection::kind(&request.resource));
                }
                self.approve(number, Approval { by: by.to_owned(), scope, shown });
            }
            Answer::Deny {} => self.refuse(number, refusal(Reason::Refused, Closed::Refused)),
            Answer::Never {} => {
                self.keep_answer(number, false);
                self.refuse(number, refusal(Reason::Never, Closed::Never));
            }
        }
    }

    /// A no: recorded, kept, told to all who wait.
    pub(super) fn refuse(&mut self, number: u64, refusal: Refusal) {
        let Some(request) = self.requests.remove(&number) else { return };
        self.close_question(number);
        let detail = if refusal.detail.is_empty() { refusal.reason.text() } else { &refusal.detail };
        let denial = self.new_denial(refusal.reason, detail, request.text());
        self.recorder.denial(
            &denial,
            Refused {
                request: Some(request.id.clone()),
                who: record::who(&request.asker),
                what: request.what(),
                by: refusal.by,
                shown_ms: refusal.shown.map(millis),
                count: 1,
            },
        );
        let stands = self.desk.refused(request.key.clone(), denial.clone(), refusal.closed, self.now);
        for waiter in request.waiters {
            self.tell_denied(waiter, &denial, stands);
        }
    }

    /// Takes a question from every screen.
    pub(super) fn close_question(&mut self, number: u64) {
        let sends = self.consent.close(number);
        self.show(sends);
    }

    /// Sends to ways of asking.
    pub(super) fn show(&mut self, sends: Vec<super::consent::Send>) {
        for (way, show) in sends {
            if let Some(link) = self.ways.get_mut(&way) {
                link.send(&show, None);
            }
        }
    }
}

/// Milliseconds, for records.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
