//! The session folder of `exec`: there before the plan, so that no view shows it, and gone when the run is over.
//!
//! Never stops a run because of what others left: a place that is not ours stops it before anything started.

use super::output::complain;
use super::record;
use crate::base::{HostPath, RunId, WallTime};
use crate::guardian::session::{self, Session};
use crate::plan::Plan;
use crate::wire::session::RunState;

/// Makes the folder; removes what a few dead runs left.
pub(super) fn make(run: RunId) -> Result<Session, u8> {
    session::clean_some(run);
    Session::make(run).map_err(|error| {
        complain(&error.to_string(), error.hint());
        125
    })
}

/// The places of session folders and of the device's keys by their canonical names, as far as they are there.
pub(super) fn hidden() -> Vec<HostPath> {
    let there = session::places()
        .into_iter()
        .chain(crate::audit::keys_dir())
        .filter_map(|place| place.canonicalize().ok());
    there.filter_map(|place| HostPath::new(place).ok()).collect()
}

/// This program's file, by its canonical name.
pub(super) fn own() -> Option<HostPath> {
    HostPath::new(std::env::current_exe().ok()?.canonicalize().ok()?).ok()
}

/// What `ps` shows of a run that just began.
pub(super) fn first_state(plan: &Plan, run: RunId, init: i32) -> RunState {
    RunState {
        version: 1,
        run: run.to_string(),
        parent: plan.chain.first().cloned(),
        launcher: i32::try_from(std::process::id()).unwrap_or(0),
        init,
        profile: plan.profile.name.clone(),
        command: record::command(plan).argv,
        since: WallTime::now().unix_seconds(),
        guarded: false,
        public_key: None,
        requests: Vec::new(),
        grants: Vec::new(),
        denials: Vec::new(),
        alerts: Vec::new(),
        frozen: None,
    }
}

/// Writes the state of a run without a Guardian. It runs already: that `ps` does not list it is told, not more.
pub(super) fn show(session: &Session, plan: &Plan, run: RunId, init: i32) {
    if let Err(error) = session.write(&first_state(plan, run, init)) {
        tracing::warn!("`aisandbox ps` will not list this run: {error}");
    }
}
