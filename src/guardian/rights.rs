//! A change of what the agent may do, told on: new epochs of tokens for the channels, and to agents below that what they
//! were started under was taken back.
//!
//! Never waits for a channel: what one that says nothing is told has an end (`guardian/channel.rs`). Never
//! lets an agent below go on that could not be told.

use super::Guardian;
use super::door::Fresh;
use super::link::Received;
use super::token::TokenId;
use crate::audit::{Event, access};
use crate::wire::agents::{Taken, ToLauncher};
use crate::wire::subject::Resource;
use std::time::Duration;

/// Between two rotations: changes that come closer together have one for all of them.
const BETWEEN: Duration = Duration::from_millis(500);

/// When tokens were rotated, and whether they must be again.
#[derive(Debug, Default)]
pub(super) struct Rotation {
    changed: bool,
    last: Option<Duration>,
}

impl Rotation {
    /// When the next one is due.
    pub(super) fn due(&self) -> Option<Duration> {
        self.changed.then(|| self.last.map_or(Duration::ZERO, |last| last + BETWEEN))
    }
}

impl Guardian {
    /// Something was given, lengthened or is over: tokens are to be rotated.
    pub(super) fn rights_changed(&mut self) {
        self.rotation.changed = true;
    }

    /// Rotates, once for all that changed.
    pub(super) fn rotate_when_due(&mut self) {
        if self.rotation.due().is_some_and(|due| due <= self.now) {
            let rotated = self.tokens.rotate();
            self.rotated(rotated, false);
        }
    }

    /// A person took this lease back, or with `None` everything: no token of before holds any more, here and below.
    pub(super) fn taken_back(&mut self, lease: Option<&Taken>) {
        let rotated = self.tokens.revoke_all();
        self.rotated(rotated, true);
        self.agents.tell_taken_back(lease);
    }

    fn rotated(&mut self, rotated: Result<(), super::token::TokenError>, taken_back: bool) {
        if let Err(error) = rotated {
            return self.end_run(&format!("no new keys: {error}"));
        }
        self.rotation = Rotation { changed: false, last: Some(self.now) };
        self.claims.clear();
        let fresh = Fresh {
            run: &self.about.run,
            tokens: &self.tokens,
            allowed: &self.allowed,
            now: self.now.as_secs(),
        };
        self.doors.tell_rotated(&fresh, taken_back);
    }

    /// A channel that was idle for longer than its token lasts gets another, as it could by a new channel.
    pub(super) fn refresh(&mut self, channel: u64) {
        let fresh = Fresh {
            run: &self.about.run,
            tokens: &self.tokens,
            allowed: &self.allowed,
            now: self.now.as_secs(),
        };
        self.doors.refresh(channel, &fresh);
    }

    /// The Guardian of the run above has something to say. What it took back there is taken back here.
    pub(super) fn hear_above(&mut self) {
        while let Some(link) = &mut self.overseer {
            match link.receive::<ToLauncher>() {
                Received::Message(ToLauncher::TakenBack { root, lease }) => {
                    if let Some(root) = TokenId::of(&root) {
                        self.taken_back_above(root, lease.as_ref());
                    }
                }
                Received::Message(ToLauncher::Freeze { rule }) => self.freeze(&rule, true),
                Received::Message(ToLauncher::Resume {}) => self.resume_below(),
                Received::Message(ToLauncher::Stream {} | ToLauncher::Start {}) => {}
                Received::Nothing => return,
                // It is gone, and this run ends with it.
                Received::Gone(_) => self.overseer = None,
            }
        }
    }

    fn taken_back_above(&mut self, root: TokenId, taken: Option<&Taken>) {
        self.tokens.revoke(root, self.now.as_secs());
        self.claims.clear();
        self.recorder.note(&Event::Token(access::Token {
            what: "revoked".to_owned(),
            token: root.to_string(),
            from: None,
            seconds: 0,
            audience: None,
        }));
        let within = |lease: &&super::grant::Lease| {
            let path = lease.resource();
            lease.holds
                && taken.is_none_or(|taken| {
                    let outer = Resource::File { path: taken.path.clone() };
                    let same = lease.actions.list().iter().any(|action| taken.actions.contains(action));
                    same && super::token::is_within(&path, &outer)
                })
        };
        for number in self.leases.iter().filter(within).map(|lease| lease.number).collect::<Vec<_>>() {
            self.end_lease(number, "revoked-above", None);
        }
        self.agents.tell_taken_back(taken);
    }
}
