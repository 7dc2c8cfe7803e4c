//! Ending: when a run's time is over, how it is brought to its end, and how the launcher notices that it came.

use super::message::Message;
use super::outcome::Outcome;
use super::parent::Running;
use super::relay::Relay;
use crate::sys::{process, signal};
use std::os::fd::AsFd;
use std::time::Duration;

/// Time between asking the agent to end (SIGTERM) and ending the sandbox (SIGKILL) when its wall time is over.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// How often to look whether the terminal is ours again: a shell's `fg` of a job that runs says nothing.
const FOREGROUND_CHECK_MS: i32 = 250;

impl Running {
    pub(super) fn patience(&self) -> i32 {
        let most = self.until_deadline();
        let lacks_keys = self.asks() || self.relay.as_ref().is_some_and(Relay::lacks_keys);
        if lacks_keys && !(0..FOREGROUND_CHECK_MS).contains(&most) { FOREGROUND_CHECK_MS } else { most }
    }

    fn until_deadline(&self) -> i32 {
        let Some((since, most)) = self.deadline else { return -1 };
        let most = self.next_step(most);
        signal::poll_time(most.saturating_sub(since.elapsed()))
    }

    pub(super) fn watch_the_clock(&mut self) {
        let Some((since, most)) = self.deadline else { return };
        let elapsed = since.elapsed();
        if elapsed < self.next_step(most) {
        } else if self.asked_to_end {
            self.kill();
        } else {
            self.asked_to_end = true;
            self.send(libc::SIGTERM);
        }
    }

    /// When to say the next word: first a request, then the end; without namespaces a request to init in between.
    fn next_step(&self, most: Duration) -> Duration {
        most + GRACE * (u32::from(self.asked_to_end) + u32::from(self.told_to_end))
    }

    pub(super) fn kill(&mut self) {
        self.lives = None;
        self.asks.clear();
        if self.bare && !self.told_to_end {
            self.told_to_end = true;
            if self.tell(Message::End).is_ok() {
                return;
            }
        }
        let by_descriptor = process::signal_pidfd(self.child.pidfd.as_fd(), libc::SIGKILL);
        // A filter above us may hide the call. The number is as good: it is our child, and nobody has waited for it.
        let killed = by_descriptor.or_else(|_| process::send_signal(self.child.pid, libc::SIGKILL));
        if let Err(errno) = killed {
            tracing::debug!("init cannot be killed: {errno}");
        }
    }

    pub(super) fn reap(&mut self) {
        match process::wait_for(self.child.pid) {
            Ok(ended) if self.outcome.is_none() => self.outcome = Some(Outcome::Lost(ended)),
            Ok(_) => {}
            Err(errno) => tracing::debug!("init was waited for already: {errno}"),
        }
    }
}
