//! The roles of a guarded run: those that mount and serve places that ask, and the end of all of them.

use crate::guardian::RoleEnd;
use crate::guardian::introduce::{self, Place};
use crate::launch::{Running, ruleset};
use crate::plan::Plan;
use crate::plan::ask::AskEntry;
use crate::role::{self, Role, Started};
use crate::sys::Errno;
use crate::wire::files::ToFiles;
use std::os::fd::AsFd;
use std::time::Duration;

/// How long roles get to end by themselves.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Roles that were started; they end with this.
#[derive(Default)]
pub(super) struct Roles(pub(super) Vec<Started>);

impl Roles {
    pub(super) fn start_mounts(&mut self, running: &mut Running, plan: &Plan) -> Result<(), String> {
        let role = role::start(Role::Mounts).map_err(failed("start role mounts"))?;
        let namespaces = running.take_namespaces().ok_or("the sandbox gave no namespaces for role mounts")?;
        let places: Vec<Place<'_>> = plan.view.asks.iter().filter(|ask| ask.mounted).map(place).collect();
        let done = introduce::mounts(role.socket.as_fd(), namespaces, &places);
        self.0.push(role);
        done
    }

    pub(super) fn start_files(&mut self, running: &mut Running, plan: &Plan) -> Result<(), String> {
        let ruleset =
            ruleset::of_asks(plan).map_err(|error| format!("the ruleset of role files: {error}"))?;
        let role = role::start_within(Role::Files, ruleset.as_ref().map(AsFd::as_fd))
            .map_err(failed("start role files"))?;
        for (number, device) in running.take_asks() {
            let Some(ask) = plan.view.asks.iter().find(|ask| ask.number == number) else { continue };
            // The owner as the sandbox's outer user namespace numbers it, which is where the filesystem belongs.
            let message = ToFiles::Entry {
                entry: number,
                folder: ask.is_folder(),
                uid: 0,
                gid: 0,
                serve: ask.serve.clone(),
            };
            introduce::tell(role.socket.as_fd(), &message, Some(device.as_fd()))?;
        }
        self.0.push(role);
        Ok(())
    }

    /// Our ends for the Guardian; when it lets go of them, the roles end. Role `dlp` serves role `egress`, which has
    /// the end of its socket; by ours it is taught.
    pub(super) fn ends(&mut self) -> Result<Vec<RoleEnd>, Errno> {
        let mut ends = Vec::new();
        for started in &mut self.0 {
            let socket =
                std::mem::replace(&mut started.socket, started.pidfd.try_clone().map_err(|_| Errno::EMFILE)?);
            ends.push(RoleEnd { role: started.role, socket });
        }
        Ok(ends)
    }
}

impl Drop for Roles {
    fn drop(&mut self) {
        for started in &self.0 {
            started.end(LAST_WORDS);
        }
    }
}

fn place(ask: &AskEntry) -> Place<'_> {
    Place {
        entry: ask.number,
        inner: &ask.inner,
        host: &ask.object.canonical,
        dev: ask.object.dev,
        ino: ask.object.ino,
        noexec: ask.noexec,
    }
}

/// Words for an errno.
pub(super) fn failed(what: &'static str) -> impl Fn(Errno) -> String {
    move |errno| format!("{what}: {errno:?}: {}", errno.desc())
}
