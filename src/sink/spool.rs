//! The bound on what waits for a sink: the logs are the spool, and this is where it ends.

use super::config::Spool;
use crate::base::RunId;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// What waits in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiting {
    /// Bytes of its files.
    pub(super) bytes: u64,
    /// When they were last written.
    pub(super) modified: SystemTime,
}

/// Looks at the files of a run.
pub(super) fn look(folder: &Path) -> Waiting {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let facts = entries.filter_map(|entry| entry.metadata().ok());
    facts.fold(Waiting { bytes: 0, modified: SystemTime::UNIX_EPOCH }, |all, file| Waiting {
        bytes: all.bytes.saturating_add(file.len()),
        modified: file.modified().map_or(all.modified, |time| time.max(all.modified)),
    })
}

/// The runs that are beyond the bound, each with why: the oldest.
pub(super) fn beyond(
    spool: &Spool,
    waiting: &BTreeMap<RunId, Waiting>,
    now: SystemTime,
) -> BTreeMap<RunId, String> {
    let (mut found, mut bytes) = (BTreeMap::new(), 0_u64);
    for (run, one) in waiting.iter().rev() {
        bytes = bytes.saturating_add(one.bytes);
        let age = now.duration_since(one.modified).unwrap_or_default();
        if spool.age.is_some_and(|most| age > most) {
            found.insert(*run, format!("the spool has nothing older than {}", shown(spool.age)));
        } else if spool.size.is_some_and(|most| bytes > most) {
            found.insert(*run, format!("the spool has no more than {} bytes", spool.size.unwrap_or(0)));
        }
    }
    found
}

/// How full it is, in percent of what is nearest to its end; `None` without a bound.
pub(super) fn fullness(spool: &Spool, waiting: &BTreeMap<RunId, Waiting>, now: SystemTime) -> Option<u64> {
    let bytes: u64 = waiting.values().map(|one| one.bytes).sum();
    let oldest =
        waiting.values().filter_map(|one| now.duration_since(one.modified).ok()).max().unwrap_or_default();
    let by_size = spool.size.map(|most| bytes.saturating_mul(100) / most.max(1));
    let by_age = spool.age.map(|most| oldest.as_secs().saturating_mul(100) / most.as_secs().max(1));
    by_size.max(by_age)
}

fn shown(age: Option<Duration>) -> String {
    let seconds = age.unwrap_or_default().as_secs();
    match seconds {
        _ if seconds.is_multiple_of(86_400) => format!("{}d", seconds / 86_400),
        _ if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        _ => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_beyond_the_bound_and_the_newest_stays() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let run = |number| RunId::from_parts(number, 1);
        let one = |bytes, ago| Waiting { bytes, modified: now - Duration::from_secs(ago) };
        let waiting = BTreeMap::from([(run(1), one(50, 900)), (run(2), one(60, 500)), (run(3), one(40, 1))]);
        let spool = |age: Option<u64>, size| Spool { age: age.map(Duration::from_secs), size, skip: true };
        let names = |spool| beyond(&spool, &waiting, now).into_keys().collect::<Vec<_>>();
        assert_eq!(names(spool(None, None)), []);
        assert_eq!(names(spool(Some(600), None)), [run(1)]);
        assert_eq!(names(spool(None, Some(100))), [run(1)]);
        assert_eq!(names(spool(None, Some(99))), [run(1), run(2)]);
        assert_eq!(fullness(&spool(Some(1000), Some(1500)), &waiting, now), Some(90));
        assert_eq!(fullness(&spool(None, None), &waiting, now), None);
    }
}
