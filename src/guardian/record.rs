//! The Guardian's records: what was asked, decided, given, refused and taken back, as events of the run's log.
//!
//! Never lets a grant pass without its record: [`Recorder::grant`] gives an error, and nothing may then be done. Other
//! records that fail are told once; the log is closed then, so no grant will pass either.

use super::grant::{Basis, Lease};
use crate::audit::access::{self, Seen, Uploading, What, Who};
use crate::audit::{AuditError, Event, SharedLog};
use crate::wire::denial::Denial;
use crate::wire::policy::{Decision, Outcome};
use crate::wire::session::Given;
use crate::wire::subject::{Action, Asker, Process, Resource, Scope};
use crate::wire::upload::Upload;
use std::time::Duration;

/// Records in a minute of what an agent can do at will and without end; more are counted and told at the end.
pub(super) const MOST_OFTEN: u32 = 120;
/// The same for connections and requests on the way out: a build that fetches its packages stays below.
const MOST_TRAFFIC: u32 = 3000;
const MINUTE: Duration = Duration::from_secs(60);

/// Records of one kind in the minute that goes on.
#[derive(Debug, Default)]
pub(super) struct Often {
    minute: Duration,
    count: u32,
}

impl Often {
    /// Whether one more is written.
    pub(super) fn fits(&mut self, most: u32, now: Duration) -> bool {
        if now.saturating_sub(self.minute) >= MINUTE {
            *self = Self { minute: now, count: 0 };
        }
        let fits = self.count < most;
        self.count += u32::from(fits);
        fits
    }
}

/// Writes to the log of the run.
#[derive(Debug)]
pub(super) struct Recorder {
    log: SharedLog,
    durable: bool,
    failed: bool,
    often: Often,
    traffic: Often,
    /// Records that were left out.
    pub(super) left_out: u64,
}

/// What a record says of the object.
pub(super) fn what(actions: &[Action], resource: &Resource, path: Option<String>, label: &str) -> What {
    let words = actions.iter().map(|action| action.word().to_owned()).collect();
    What { actions: words, resource: name(resource), path, label: label.to_owned(), upload: None }
}

/// A resource in words.
pub(super) fn name(resource: &Resource) -> String {
    match resource {
        Resource::File { path } => format!("file {path}"),
        Resource::Program { path } => format!("program {path}"),
        Resource::Host { host, port } => format!("host {host}:{port}"),
        Resource::Upload { host, port } => format!("upload to {host}:{port}"),
        Resource::Device { name } => format!("device {name}"),
    }
}

/// What a record says of an upload.
pub(super) fn uploading(upload: &Upload) -> Uploading {
    let found = upload.found.iter().map(|found| (found.kind.clone(), found.count)).collect();
    Uploading { request: upload.request.clone(), bytes: upload.bytes, found }
}

/// What a record says of a process.
pub(super) fn seen(process: &Process) -> Seen {
    Seen { pid: process.pid, program: process.program.clone(), sha256: process.sha256.clone() }
}

/// What a record says of who asked.
pub(super) fn who(asker: &Asker) -> Who {
    Who { process: seen(&asker.process), parents: asker.parents.iter().map(seen).collect() }
}

fn scope_word(scope: Scope) -> &'static str {
    match scope {
        Scope::Once {} => "once",
        Scope::Session {} => "session",
        Scope::For { .. } => "for",
        Scope::Always {} => "always",
    }
}

/// How a lease was given, in one word.
pub(super) fn given_word(given: Given) -> &'static str {
    match given {
        Given::Mount => "mount",
        Given::Served => "served",
        Given::Descriptor => "descriptor",
        Given::Act => "act",
    }
}

/// The lease that something went through, and what that goes back to.
#[derive(Debug, Clone)]
pub(super) struct Through {
    pub(super) grant: String,
    pub(super) request: Option<String>,
    /// The token of the call, or the one that the lease was asked for under.
    pub(super) token: Option<String>,
}

impl Through {
    pub(super) fn of(lease: &Lease) -> Self {
        let Basis { request, token } = lease.basis.clone();
        Self { grant: lease.id.clone(), request, token }
    }
}

/// What stands behind a grant, for its record.
#[derive(Debug)]
pub(super) struct Behind {
    pub(super) who: Who,
    pub(super) what: What,
    pub(super) scope: Scope,
    pub(super) shown_ms: Option<u64>,
    pub(super) lease_s: Option<u64>,
    pub(super) decision_id: Option<String>,
}

impl Recorder {
    pub(super) fn new(log: SharedLog, durable: bool) -> Self {
        Self { log, durable, failed: false, often: Often::default(), traffic: Often::default(), left_out: 0 }
    }

    /// Writes an event that an agent can cause at will, so many in a minute: the person's disk is not the agent's.
    pub(super) fn note_often(&mut self, event: &Event, now: Duration) {
        if self.often.fits(MOST_OFTEN, now) {
            return self.note(event);
        }
        self.left_out += 1;
    }

    /// The same for what goes on on the way out.
    pub(super) fn note_traffic(&mut self, event: &Event, now: Duration) {
        if self.traffic.fits(MOST_TRAFFIC, now) {
            return self.note(event);
        }
        self.left_out += 1;
    }

    /// Writes an event that nothing waits for.
    pub(super) fn note(&mut self, event: &Event) {
        if let Err(error) = self.log.note(event)
            && !std::mem::replace(&mut self.failed, true)
        {
            tracing::warn!("no record any more, so nothing will be granted: {error}");
        }
    }

    /// Writes a lease, on disk where the profile wants that. Only then may it take effect.
    /// # Errors
    /// As the log; then nothing may be granted.
    pub(super) fn grant(&mut self, lease: &Lease, behind: Behind) -> Result<(), AuditError> {
        let event = Event::Grant(Box::new(access::Grant {
            grant: lease.id.clone(),
            request: lease.basis.request.clone(),
            who: behind.who,
            what: behind.what,
            how: given_word(lease.given()).to_owned(),
            approved_by: lease.approved_by.clone(),
            scope: scope_word(behind.scope).to_owned(),
            shown_ms: behind.shown_ms,
            lease_s: behind.lease_s,
            uses: lease.uses_left,
            bytes: lease.bytes_left,
            decision_id: behind.decision_id,
            token: lease.basis.token.clone(),
        }));
        self.durably(&event)
    }

    /// The same for any event that must be kept before what it tells of.
    /// # Errors
    /// As the log.
    pub(super) fn durably(&mut self, event: &Event) -> Result<(), AuditError> {
        if self.durable { self.log.append_durable(event) } else { self.log.append(event) }
    }

    /// Waits until all that was noted is in the log. Without a log there is nothing to wait for.
    pub(super) fn wait_for_all(&self) {
        if let Err(error) = self.log.written() {
            tracing::debug!("the log takes nothing more: {error}");
        }
    }

    pub(super) fn decision(&mut self, request: &str, decision: &Decision) {
        let outcome = match decision.outcome {
            Outcome::Allow => "allow",
            Outcome::Prompt => "prompt",
            Outcome::Deny => "deny",
        };
        self.note(&Event::Decision(access::Decision {
            request: request.to_owned(),
            decision_id: decision.decision_id.clone(),
            outcome: outcome.to_owned(),
            policy: decision.policy.clone(),
            reason: decision.reason.clone(),
            ttl_s: decision.ttl_s,
            bundles: decision.bundles.clone(),
            took_ns: decision.took_ns,
            error: decision.error.clone(),
        }));
    }

    pub(super) fn transfer(
        &mut self,
        through: Through,
        path: Option<&str>,
        action: Action,
        (read, written): (u64, u64),
        redacted: u64,
    ) {
        self.note(&Event::Transfer(access::Transfer {
            grant: through.grant,
            path: path.map(str::to_owned),
            action: action.word().to_owned(),
            read,
            written,
            redacted,
            request: through.request,
            token: through.token,
        }));
    }

    pub(super) fn denial(&mut self, denial: &Denial, refused: Refused) {
        self.note(&Event::Denial(Box::new(access::Denial {
            denial: denial.id.clone(),
            request: refused.request,
            who: refused.who,
            what: refused.what,
            reason: denial.reason.id().to_owned(),
            detail: denial.detail.clone(),
            by: refused.by,
            shown_ms: refused.shown_ms,
            count: refused.count,
        })));
    }
}

/// What stands behind a refusal, for its record.
#[derive(Debug, Default)]
pub(super) struct Refused {
    pub(super) request: Option<String>,
    pub(super) who: Who,
    pub(super) what: What,
    pub(super) by: Option<String>,
    pub(super) shown_ms: Option<u64>,
    pub(super) count: u64,
}
