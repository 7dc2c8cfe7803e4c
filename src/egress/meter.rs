//! Counts the bytes of a connection and holds them to the limits of its rule and of the session: rates by waiting,
//! totals by a cut.
//!
//! Never lets a byte over a total: what was counted may go out, what was cut must not.

use super::bucket::Bucket;
use super::reason::{self, Denied};
use crate::wire::egress::Limits;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Bytes that are moved at once where no rate is set.
const CHUNK: u64 = 256 << 10;
/// The least that is moved at once.
const LEAST_CHUNK: u64 = 1024;

/// A total is used up: both sides of the connection are aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut(
    /// One of the words of `reason`.
    pub &'static str,
);

impl From<Cut> for Denied {
    fn from(cut: Cut) -> Self {
        Self::because(cut.0)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

/// What one rule, or the session, has used of its limits.
#[derive(Debug)]
pub(super) struct Usage {
    limits: Limits,
    up: Lane,
    down: Lane,
    connections: AtomicU32,
}

#[derive(Debug)]
struct Lane {
    bucket: Option<Mutex<Bucket>>,
    used: AtomicU64,
    total: Option<u64>,
}

impl Usage {
    /// Nothing is used of these limits.
    pub(super) fn of(limits: Limits) -> Self {
        let lane = |rate: Option<u64>, burst: Option<u64>, total| Lane {
            bucket: rate.map(|rate| Mutex::new(Bucket::full(rate, burst.unwrap_or(rate), Instant::now()))),
            used: AtomicU64::new(0),
            total,
        };
        Self {
            up: lane(limits.upload_rate, limits.upload_burst, limits.upload_total),
            down: lane(limits.download_rate, None, limits.download_total),
            connections: AtomicU32::new(0),
            limits,
        }
    }

    fn lane(&self, way: Way) -> &Lane {
        match way {
            Way::Up => &self.up,
            Way::Down => &self.down,
        }
    }

    /// Counts a connection, unless there are `most` already or the limits say so.
    pub(super) fn enter(self: &Arc<Self>, most: u32) -> Option<Seat> {
        let most = self.limits.connections.unwrap_or(most).min(most);
        let more = |now: u32| (now < most).then_some(now + 1);
        self.connections.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Seat(Arc::clone(self)))
    }
}

/// One of the connections of a limit; it is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Seat(Arc<Usage>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lane {
    fn left(&self) -> u64 {
        self.total.map_or(u64::MAX, |total| total.saturating_sub(self.used.load(Ordering::Relaxed)))
    }

    /// How long to wait for these bytes; they are taken.
    fn wait(&self, bytes: u64, now: Instant) -> Duration {
        let Some(bucket) = &self.bucket else { return Duration::ZERO };
        bucket.lock().unwrap_or_else(PoisonError::into_inner).take(bytes, now)
    }

    fn backlog(&self, now: Instant) -> Duration {
        let debt = |bucket: &Mutex<Bucket>| bucket.lock().unwrap_or_else(PoisonError::into_inner).debt(now);
        self.bucket.as_ref().map(debt).unwrap_or_default()
    }

    fn chunk(&self) -> u64 {
        let Some(bucket) = &self.bucket else { return CHUNK };
        let rate = bucket.lock().unwrap_or_else(PoisonError::into_inner).rate;
        (rate / 8).clamp(LEAST_CHUNK, CHUNK)
    }
}

/// The counts of one connection.
#[derive(Debug, Clone)]
pub(super) struct Meter(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    sent: AtomicU64,
    received: AtomicU64,
    requests: AtomicU64,
    delay_us: AtomicU64,
    host: Arc<Usage>,
    session: Arc<Usage>,
}

impl Meter {
    /// A meter under the limits of a rule and of the session.
    pub(super) fn new(host: Arc<Usage>, session: Arc<Usage>) -> Self {
        let zero = || AtomicU64::new(0);
        Self(Arc::new(Counts {
            sent: zero(),
            received: zero(),
            requests: zero(),
            delay_us: zero(),
            host,
            session,
        }))
    }

    /// These bytes are about to go to the host: waits as the rates want.
    /// # Errors
    /// When a total is used up: they must not go out.
    pub(super) async fn sent(&self, bytes: u64) -> Result<(), Cut> {
        self.count(Way::Up, bytes, &self.0.sent, Cut(reason::UPLOAD)).await
    }

    /// These bytes are about to go to the agent.
    /// # Errors
    /// As [`Meter::sent`].
    pub(super) async fn received(&self, bytes: u64) -> Result<(), Cut> {
        self.count(Way::Down, bytes, &self.0.received, Cut(reason::DOWNLOAD)).await
    }

    async fn count(&self, way: Way, bytes: u64, own: &AtomicU64, cut: Cut) -> Result<(), Cut> {
        let lanes = [self.0.host.lane(way), self.0.session.lane(way)];
        if lanes.iter().any(|lane| lane.left() < bytes) {
            return Err(cut);
        }
        for lane in lanes {
            lane.used.fetch_add(bytes, Ordering::Relaxed);
        }
        own.fetch_add(bytes, Ordering::Relaxed);
        let now = Instant::now();
        let wait = lanes.iter().map(|lane| lane.wait(bytes, now)).max().unwrap_or_default();
        if !wait.is_zero() {
            let delay = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
            self.0.delay_us.fetch_add(delay, Ordering::Relaxed);
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    /// How much to read from the agent at once, so that no wait is long.
    pub(super) fn chunk_up(&self) -> u64 {
        self.0.host.up.chunk().min(self.0.session.up.chunk())
    }

    /// How much to read from the host at once.
    pub(super) fn chunk_down(&self) -> u64 {
        self.0.host.down.chunk().min(self.0.session.down.chunk())
    }

    /// How long what comes next would wait for what the rates hold back already.
    pub(super) fn backlog(&self) -> Duration {
        let now = Instant::now();
        let usages = [&self.0.host, &self.0.session].into_iter();
        let lanes = usages.flat_map(|usage| [usage.up.backlog(now), usage.down.backlog(now)]);
        lanes.max().unwrap_or_default()
    }

    /// Counts a request.
    pub(super) fn request(&self) {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Bytes to the host and from it, requests, milliseconds of waiting.
    pub(super) fn so_far(&self) -> (u64, u64, u64, u64) {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (of(&self.0.sent), of(&self.0.received), of(&self.0.requests), of(&self.0.delay_us) / 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_byte_goes_over_a_total_of_the_rule_or_the_session() {
        let limits = |total| Limits { upload_total: Some(total), ..Limits::default() };
        for (host, session) in [(10, 100), (100, 10)] {
            let meter = Meter::new(Usage::of(limits(host)).into(), Usage::of(limits(session)).into());
            let now = |bytes| poll_now(meter.sent(bytes));
            assert_eq!(now(8), Some(Ok(())));
            assert_eq!(now(3), Some(Err(Cut(reason::UPLOAD))));
            assert_eq!(now(2), Some(Ok(())));
            assert_eq!(now(1), Some(Err(Cut(reason::UPLOAD))));
            assert_eq!(meter.so_far().0, 10);
            assert_eq!(poll_now(meter.received(1 << 40)), Some(Ok(())), "the other way has no limit");
        }
    }

    #[test]
    fn a_seat_is_given_back() {
        let usage = Arc::new(Usage::of(Limits { connections: Some(2), ..Limits::default() }));
        let first = usage.enter(512);
        let second = usage.enter(512);
        assert!(first.is_some() && second.is_some() && usage.enter(512).is_none());
        drop(first);
        assert!(usage.enter(512).is_some());
        assert!(usage.enter(1).is_none(), "the smaller of the two holds");
    }

    fn poll_now<T>(future: impl Future<Output = T>) -> Option<T> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::pin!(future).poll(&mut context) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        }
    }
}
