//! A sandbox that the Guardian froze, as the launcher sees it: nothing inside hears anything, so nothing is sent there.
//!
//! Never lets it go on; a person does, through the Guardian. Whoever wants the run to end has it ended.

use super::outcome::Outcome;
use super::parent::Running;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the sandbox is frozen by.
#[derive(Debug, Default)]
pub(super) struct Freezing {
    /// The Guardian froze it.
    frozen: Arc<AtomicBool>,
    /// The file that freezes the sandbox's cgroup.
    freezer: Option<OwnedFd>,
}

impl Running {
    /// What the Guardian freezes the sandbox by: the file of its cgroup where it has one, and the word that it did.
    pub fn freezing(&mut self) -> (Option<OwnedFd>, Arc<AtomicBool>) {
        (self.freezing.freezer.take(), Arc::clone(&self.freezing.frozen))
    }

    /// The sandbox has a cgroup that can be frozen by this file. Without namespaces init must be able to end the others, so
    /// there it is not frozen with them.
    pub fn can_freeze(&mut self, freezer: Option<OwnedFd>) {
        self.freezing.freezer = freezer.filter(|_| !self.bare);
    }

    pub(super) fn is_frozen(&self) -> bool {
        self.freezing.frozen.load(Ordering::SeqCst)
    }

    /// A signal for the agent, which cannot hear it.
    pub(super) fn heard_while_frozen(&mut self, number: i32) {
        if matches!(number, libc::SIGINT | libc::SIGTERM | libc::SIGHUP | libc::SIGQUIT) {
            self.outcome.get_or_insert(Outcome::Signaled(number));
            self.kill();
        }
    }
}
