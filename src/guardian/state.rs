//! The run as people see it: questions that wait, leases that hold, the last refusals.

use super::Guardian;
use super::grant::Lease;
use crate::base::{InnerPath, WallTime};
use crate::wire::session::{GrantState, RunState};
use crate::wire::subject::Resource;

/// The most refusals that are kept.
pub(super) const MOST_DENIALS: usize = 50;

/// A path as a resource.
pub(super) fn resource_of(path: &InnerPath) -> Resource {
    Resource::File { path: path.as_path().display().to_string() }
}

impl Guardian {
    /// A lease, as people see it.
    pub(super) fn grant_state(&self, lease: &Lease) -> GrantState {
        let left = lease.until.map(|until| until.saturating_sub(self.now).as_secs());
        GrantState {
            id: lease.id.clone(),
            actions: lease.actions.list(),
            resource: lease.resource(),
            path: lease.at().map(|at| at.host.clone()),
            upload: lease.sent().map(|sent| sent.upload.clone()),
            by: lease.given(),
            approved_by: lease.approved_by.clone(),
            since: lease.since,
            until: left.map(|left| WallTime::now().unix_seconds() + left),
            uses_left: lease.uses_left,
            bytes_left: lease.bytes_left,
            revocable: lease.revocable,
        }
    }

    /// Everything.
    pub(super) fn run_state(&self) -> RunState {
        RunState {
            version: 1,
            run: self.about.run.clone(),
            parent: self.about.chain.first().cloned(),
            launcher: self.about.launcher,
            init: self.about.init,
            profile: self.about.profile.clone(),
            command: self.about.command.clone(),
            since: self.about.since,
            guarded: true,
            public_key: Some(self.signer.public_hex()),
            requests: self.consent.questions().cloned().collect(),
            grants: self
                .leases
                .iter()
                // One that ends is there until it was taken back.
                .filter(|lease| lease.holds || self.ending.contains_key(&lease.number))
                .map(|lease| self.grant_state(lease))
                .collect(),
            denials: self.denials.iter().cloned().collect(),
            alerts: self.detection.shown(),
            frozen: self.detection.frozen(),
        }
    }
}
