//! How often a client may ask: each reading is an entry of the device's log, so a flood of them has an end.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Questions a second, and how many may come at once.
const EACH_SECOND: f64 = 20.0;
const AT_ONCE: f64 = 100.0;
/// Clients that are remembered; there are no more names than that.
const MOST_CLIENTS: usize = 2048;

/// What each client may still ask.
#[derive(Debug, Default)]
pub(super) struct Rate(Mutex<HashMap<String, (f64, Instant)>>);

impl Rate {
    /// Whether this client may ask once more.
    pub(super) fn may(&self, client: &str) -> bool {
        self.may_at(client, Instant::now())
    }

    fn may_at(&self, client: &str, now: Instant) -> bool {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= MOST_CLIENTS && !clients.contains_key(client) {
            clients.clear();
        }
        let (left, since) = clients.entry(client.to_owned()).or_insert((AT_ONCE, now));
        *left = (*left + now.saturating_duration_since(*since).as_secs_f64() * EACH_SECOND).min(AT_ONCE);
        *since = now;
        let may = *left >= 1.0;
        *left -= f64::from(u8::from(may));
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_flood_ends_and_another_client_is_not_held_up_by_it() {
        let (rate, now) = (Rate::default(), Instant::now());
        let went = (0..1000).filter(|_| rate.may_at("one", now)).count();
        assert_eq!(went, 100);
        assert!(rate.may_at("other", now));
        let later = now + Duration::from_secs(1);
        assert_eq!((0..1000).filter(|_| rate.may_at("one", later)).count(), 20);
    }
}
