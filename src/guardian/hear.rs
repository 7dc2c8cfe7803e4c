//! What roles and ways of asking say. Of a role nothing is believed but the entry and the touch it names.

use super::Guardian;
use super::consent::WayId;
use super::decide::Refusal;
use super::link::Received;
use super::record::Through;
use super::request::{Request, Stage, Under, Waiter, Wish};
use super::roles::{MountCall, Said};
use super::target::Target;
use crate::role::Role;
use crate::wire::consent::Shown;
use crate::wire::denial::Reason;
use crate::wire::files::{FromFiles, ToFiles, Verdict};
use crate::wire::reputation::Standing;
use crate::wire::session::Given;
use crate::wire::subject::Action;
use std::time::Duration;

/// The most messages of a role that are heard before others are.
const MOST_AT_ONCE: usize = 64;

impl Guardian {
    /// Hears a role until it has nothing more to say, or it is another's turn.
    pub(super) fn hear_role(&mut self, role: Role) {
        // A role that never stops talking must not keep others from being heard.
        for _ in 0..MOST_AT_ONCE {
            let Some(said) = self.roles.hear(role) else { return };
            self.heard(said);
        }
    }

    pub(super) fn heard(&mut self, said: Said) {
        match said {
            Said::Files(said) => self.files_said(said),
            Said::Mounts(MountCall::Attach(lease), done) => self.attached(lease, done),
            Said::Mounts(MountCall::Detach(lease), Ok(_)) => self.lease_ended(lease),
            Said::Mounts(MountCall::Detach(_), Err(why)) => {
                self.end_run(&format!("a lease cannot be taken back: {why}"));
            }
            Said::Egress(said) => self.egress_said(said),
            Said::Learned(lesson, files, left_out) => self.learned(lesson, (files, left_out)),
            Said::Looked(events, found) => self.looked(events, found),
            Said::Reputed(number, standing, reason) => self.reputed(number, standing, reason),
            Said::Decided(number, decision) => self.decided(number, *decision),
            Said::Gone(role, calls, asked) => self.lost(role, calls, asked),
        }
    }

    fn lost(&mut self, role: Role, calls: Vec<MountCall>, asked: Vec<u64>) {
        for call in calls {
            match call {
                // It may be mounted, and nobody could take it back.
                MountCall::Attach(lease) => {
                    self.attached(lease, Err("role mounts is gone".to_owned()));
                    self.end_run("role mounts is gone while it mounted something");
                }
                MountCall::Detach(_) => self.end_run("role mounts is gone, so a lease cannot be taken back"),
            }
        }
        for number in asked {
            if role == Role::Reputation {
                self.reputed(number, Standing::Failed, "it gave no answer".to_owned());
                continue;
            }
            self.refuse(number, Refusal::of(Reason::Policy, "the policy gave no answer"));
        }
        self.nobody_gives(role);
        if role == Role::Egress {
            self.way_out_lost();
        }
        if role == Role::Detect {
            self.detection_lost();
        }
        if role == Role::Dlp {
            self.nobody_learns();
        }
        if role == Role::Files {
            let served = self.leases.iter().filter(|lease| lease.given() == Given::Served);
            for lease in served.map(|lease| lease.number).collect::<Vec<_>>() {
                self.end_lease(lease, "failed", None);
            }
        }
    }

    /// What only this role could give is not asked for any longer, and neither is what only its touches wait for.
    fn nobody_gives(&mut self, role: Role) {
        let is_over = |request: &Request| match (role, &request.target) {
            (Role::Mounts, target) => target.given() == Given::Mount,
            (Role::Files, target) => {
                let touches = request.waiters.iter().all(|waiter| matches!(waiter, Waiter::Touch(_)));
                target.given() == Given::Served || touches
            }
            (Role::Egress, Target::Host(_) | Target::Upload(_)) => true,
            _ => false,
        };
        let waits = |request: &Request| !matches!(request.stage, Stage::Act(_)) && is_over(request);
        let over = self.requests.iter().filter(|(_, request)| waits(request));
        for number in over.map(|(number, _)| *number).collect::<Vec<_>>() {
            let why = format!("role {} is gone", role.name());
            self.refuse(number, Refusal::of(Reason::Unavailable, why));
        }
    }

    fn files_said(&mut self, said: FromFiles) {
        match said {
            FromFiles::Touched { entry, touch, name, pid, .. } => self.touched(entry, touch, &name, pid),
            FromFiles::Refused { entry, action, name, spent, pid } => {
                self.role_refused(entry, action, &name, spent, pid);
            }
            FromFiles::Moved { entry, read, written, redacted } => {
                self.moved(entry, (read, written), redacted)
            }
            FromFiles::Lost { entry } => {
                let place = self.ceiling.place_of(entry);
                let lease = place.and_then(|place| self.leases.occupying(place));
                if let Some(lease) = lease.filter(|lease| self.given(*lease) == Some(Given::Served)) {
                    self.end_lease(lease, "failed", None);
                }
            }
        }
    }

    fn given(&self, lease: u64) -> Option<Given> {
        self.leases.get(lease).map(super::grant::Lease::given)
    }

    /// Something inside touched an ask mount, and waits. It is asked for all that the entry may be asked for.
    fn touched(&mut self, number: u16, touch: u64, name: &str, pid: u32) {
        let Some(entry) = self.ceiling.place_of(number).and_then(|place| self.ceiling.get(place)) else {
            let verdict = Verdict::Deny { for_ms: 1000 };
            self.roles.tell_files(&ToFiles::Decided { touch, verdict }, None);
            return;
        };
        let (resource, actions) = (super::state::resource_of(&entry.inner), entry.actions);
        let pid = (pid != 0).then(|| self.processes.outer(pid)).flatten();
        tracing::debug!("touch {touch} of {} ({name})", entry.inner);
        self.wish(Wish {
            waiter: Waiter::Touch(touch),
            resource,
            actions,
            pid,
            why: None,
            under: Under::default(),
            person: None,
        });
    }

    fn role_refused(&mut self, number: u16, action: Action, name: &str, spent: bool, pid: u32) {
        let Some(place) = self.ceiling.place_of(number) else { return };
        let Some(lease) = self.leases.occupying(place) else { return };
        if spent {
            return self.end_lease(lease, "bytes", None);
        }
        let Some(entry) = self.ceiling.get(place) else { return };
        let inner = entry.inner.clone();
        let text = format!("{} {inner} {name}", action.word());
        let denial = self.new_denial(Reason::Ceiling, "the lease does not allow this", text);
        let pid = (pid != 0).then(|| self.processes.outer(pid)).flatten();
        let what = super::record::what(&[action], &super::state::resource_of(&inner), None, "");
        self.note_refusal(&denial, what, pid);
    }

    fn moved(&mut self, number: u16, (read, written): (u64, u64), redacted: u64) {
        let Some(lease) = self.ceiling.place_of(number).and_then(|place| self.leases.occupying(place)) else {
            return;
        };
        let Some(kept) = self.leases.get_mut(lease) else { return };
        let spent = kept.spend_bytes(read.saturating_add(written));
        let through = Through::of(kept);
        let action = if written > 0 { Action::Overwrite } else { Action::Read };
        self.recorder.transfer(through, None, action, (read, written), redacted);
        self.changed = true;
        if spent {
            self.end_lease(lease, "bytes", None);
        }
    }

    /// Hears a way of asking.
    pub(super) fn hear_way(&mut self, way: WayId) {
        loop {
            let Some(link) = self.ways.get_mut(&way) else { return };
            match link.receive::<Shown>() {
                Received::Message(shown) => self.shown(way, shown),
                Received::Nothing => return,
                Received::Gone(_) => return self.lose_way(way),
            }
        }
    }

    fn shown(&mut self, way: WayId, shown: Shown) {
        match shown {
            Shown::Visible { id } => self.consent.visible(way, &id, self.now),
            Shown::Unable { id, .. } => {
                if let Some(number) = self.consent.unable(way, &id) {
                    self.no_way_left(number);
                }
            }
            Shown::Answered { id, nonce, answer, .. } => {
                if let Some((heard, kind)) = self.consent.answer(way, &id, &nonce, self.now) {
                    self.answered(heard.request, answer, kind.word(), heard.shown);
                }
            }
        }
    }

    /// A way is gone; what it showed goes to the next, or is refused.
    pub(super) fn lose_way(&mut self, way: WayId) {
        self.ways.remove(&way);
        self.consent.detach(way);
        for number in self.consent.unreachable() {
            self.no_way_left(number);
        }
    }

    fn no_way_left(&mut self, number: u64) {
        let waits = |request: &&Request| request.stage == Stage::Consent;
        let Some(request) = self.requests.get(&number).filter(waits) else { return };
        // A way counts whole seconds, and may stop a little before us.
        let refusal = if request.until <= self.now + Duration::from_secs(2) {
            Refusal::of(Reason::Timeout, Reason::Timeout.text())
        } else {
            Refusal::of(Reason::NoChannel, "no way of `consent.channels` could ask")
        };
        self.refuse(number, refusal);
    }
}
