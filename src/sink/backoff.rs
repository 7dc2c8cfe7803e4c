//! How long to wait before the next try: longer each time, never at the same moment as others.

use crate::sys::random::random_bytes;
use std::time::Duration;

/// The first wait at most.
const FIRST: Duration = Duration::from_millis(500);
/// The longest of our own.
const LONGEST: Duration = Duration::from_secs(300);
/// The longest that the other side can ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// The waits of one sink.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// It works again.
    pub(super) fn reset(&mut self) {
        self.tries = 0;
    }

    /// The next wait: between half and all of twice the one before; not less than the other side asks for.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let most = FIRST.saturating_mul(1 << self.tries.min(10)).min(LONGEST);
        self.tries = self.tries.saturating_add(1);
        let part = u32::from(random_bytes::<1>().map_or(0, |[byte]| byte));
        let mine = most / 2 + most / 2 * part / 255;
        asked.map_or(mine, |asked| asked.min(LONGEST_ASKED) + mine.min(FIRST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_have_an_end_and_heed_the_other_side() {
        let mut backoff = Backoff::default();
        let mut least = FIRST / 2;
        for _ in 0..20 {
            let wait = backoff.next(None);
            assert!(wait >= least && wait <= LONGEST, "{wait:?}");
            least = (least * 2).min(LONGEST / 2);
        }
        assert!(backoff.next(Some(Duration::from_secs(7))) >= Duration::from_secs(7));
        assert!(backoff.next(Some(Duration::MAX)) <= LONGEST_ASKED + FIRST);
        backoff.reset();
        assert!(backoff.next(None) <= FIRST);
    }
}
