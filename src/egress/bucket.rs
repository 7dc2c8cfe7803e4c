//! Tokens that come back with time: bytes of a lane, or events of a kind.

use std::time::{Duration, Instant};

/// It may go below zero: who took the last waits until it is paid back.
#[derive(Debug)]
pub(super) struct Bucket {
    /// Tokens a second.
    pub rate: u64,
    burst: u64,
    tokens: f64,
    seen: Instant,
}

impl Bucket {
    /// A full one.
    pub(super) fn full(rate: u64, burst: u64, now: Instant) -> Self {
        Self { rate: rate.max(1), burst, tokens: burst as f64, seen: now }
    }

    fn gain(&mut self, now: Instant) {
        let gained = now.saturating_duration_since(self.seen).as_secs_f64() * self.rate as f64;
        self.seen = now;
        self.tokens = (self.tokens + gained).min(self.burst as f64);
    }

    /// Takes so many, and says how long to wait for them.
    pub(super) fn take(&mut self, count: u64, now: Instant) -> Duration {
        self.gain(now);
        self.tokens -= count as f64;
        if self.tokens >= 0.0 {
            return Duration::ZERO;
        }
        Duration::try_from_secs_f64(-self.tokens / self.rate as f64).unwrap_or(Duration::MAX)
    }

    /// How long until everything that was taken is there.
    pub(super) fn debt(&mut self, now: Instant) -> Duration {
        self.take(0, now)
    }

    /// Takes one if there is one.
    pub(super) fn take_one(&mut self, now: Instant) -> bool {
        self.gain(now);
        let there = self.tokens >= 1.0;
        self.tokens -= f64::from(u8::from(there));
        there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_at_once_and_then_its_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::full(1000, 500, start);
        assert_eq!(bucket.take(500, start), Duration::ZERO);
        assert!(!bucket.take_one(start));
        assert_eq!(bucket.take(100, start), Duration::from_millis(100));
        // The second one waits behind the first.
        assert_eq!(bucket.take(100, start), Duration::from_millis(200));
        let later = start + Duration::from_secs(60);
        assert_eq!(bucket.take(499, later), Duration::ZERO, "full again, and no more than full");
        assert!(bucket.take_one(later) && !bucket.take_one(later));
        assert_eq!(bucket.take(1000, later), Duration::from_secs(1));
    }
}
