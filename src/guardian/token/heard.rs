//! What a channel has heard of epochs, and so the oldest one whose tokens it may still use.
//!
//! An agent that has not read of a rotation yet uses the token it has. That it has read is told by its frames: the first
//! one under the keys of the rotation. Never decides what a token is worth: only whether its epoch is too old.

use super::GRACE_S;
use std::collections::VecDeque;

/// Epochs that are still within their grace, at most; the oldest goes.
const MOST_BEFORE: usize = 16;

/// One channel's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The last epoch that it surely knows.
    known: u32,
    /// One it was told of since.
    told: Option<u32>,
    /// Epochs it has left behind, and the second from which their tokens are refused.
    before: VecDeque<(u32, u64)>,
}

impl Heard {
    /// Of a channel whose welcome had a token of this epoch.
    pub fn welcomed(epoch: u32) -> Self {
        Self { known: epoch, told: None, before: VecDeque::new() }
    }

    /// It was told of an epoch. More of them before it answers to the first change nothing.
    pub fn told(&mut self, epoch: u32) {
        self.told.get_or_insert(epoch);
    }

    /// It has not answered to what it was told.
    pub fn is_behind(&self) -> bool {
        self.told.is_some()
    }

    /// It uses the keys of what it was told.
    pub fn answered(&mut self, now: u64) {
        let Some(told) = self.told.take() else { return };
        self.before.retain(|(_, until)| now < *until);
        if self.before.len() >= MOST_BEFORE {
            self.before.pop_front();
        }
        self.before.push_back((self.known, now.saturating_add(GRACE_S)));
        self.known = told;
    }

    /// The oldest epoch whose tokens it may use now.
    pub fn since(&self, now: u64) -> u32 {
        let within = self.before.iter().find(|(_, until)| now < *until);
        within.map_or(self.known, |(epoch, _)| *epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_not_read_keeps_its_token_and_who_has_keeps_it_for_the_grace() {
        let mut heard = Heard::welcomed(4);
        heard.told(5);
        heard.told(9);
        assert!(heard.is_behind());
        assert_eq!(heard.since(u64::MAX), 4, "it may not know of another");
        heard.answered(100);
        assert!(!heard.is_behind());
        assert_eq!((heard.since(100 + GRACE_S - 1), heard.since(100 + GRACE_S)), (4, 5));
        heard.answered(200);
        assert_eq!(heard.since(200), 5, "an answer to nothing is none");
    }

    #[test]
    fn each_epoch_has_its_own_grace_and_few_are_remembered() {
        let mut heard = Heard::welcomed(0);
        for epoch in 1..=3 {
            heard.told(epoch);
            heard.answered(100 + u64::from(epoch));
        }
        assert_eq!([104, 105, 106].map(|now| heard.since(now)), [1, 2, 3]);
        for epoch in 4..100 {
            heard.told(epoch);
            heard.answered(104);
        }
        assert!(heard.before.len() <= MOST_BEFORE && heard.since(104) >= 80);
    }
}
