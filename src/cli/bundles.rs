//! The policies of a guarded run: role `policy` is started when there is a bundle, and has every one of them before the
//! agent starts.
//!
//! Never starts a run with a bundle that could not be loaded, or of which there is no record.

use super::record;
use super::roles::failed;
use crate::audit::beside::PolicyLoaded;
use crate::audit::{Event, SharedLog};
use crate::guardian::introduce;
use crate::policy::places;
use crate::profile::{Context, Profile};
use crate::role::{self, Role, Started};
use std::os::fd::AsFd;

/// Starts the role and hands it the administrator's, the person's and the profile's bundles; `None` without any.
pub(super) fn start(
    profile: &Profile,
    context: &Context,
    log: &SharedLog,
) -> Result<Option<Started>, String> {
    let found = places::find(context, &profile.policies)?;
    if found.is_empty() {
        return Ok(None);
    }
    let role = role::start(Role::Policy).map_err(failed("start role policy"))?;
    for bundle in &found {
        let (load, file) =
            bundle.message().map_err(|error| format!("hand over policy {}: {error}", bundle.name))?;
        let revision = introduce::policy(role.socket.as_fd(), &load, file.as_fd())?;
        let loaded = PolicyLoaded {
            level: Some(bundle.level.word().to_owned()),
            revision: Some(revision).filter(|revision| !revision.is_empty()),
            ..record::of_bytes("policy", &bundle.name, &bundle.bytes)
        };
        let recorded = log.append(&Event::PolicyLoaded(loaded));
        recorded.map_err(|error| format!("no record, no run: {error}"))?;
    }
    Ok(Some(role))
}
