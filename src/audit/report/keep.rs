//! Chooses the events of a report: those that decide something before those that only happened, the first and the last
//! of each before those between.
//!
//! Holds never more than it was allowed, and counts by name what it let go.

use super::MOST_NAMES;
use std::collections::{BTreeMap, VecDeque};

/// How much it matters that an event is in a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Beginnings and ends: there are few.
    Frame,
    /// Something was given or refused.
    Decision,
    /// Anything else.
    Other,
}

/// The most frames: more than an honest log has.
const MOST_FRAMES: usize = 64;

/// The first and the last of many.
#[derive(Debug)]
struct Ends<T> {
    half: usize,
    first: Vec<(String, T)>,
    last: VecDeque<(String, T)>,
}

impl<T> Ends<T> {
    fn new(most: usize) -> Self {
        Self { half: most.div_ceil(2), first: Vec::new(), last: VecDeque::new() }
    }

    /// Takes one, and gives the name of the one that has no room any more.
    fn take(&mut self, name: &str, one: T) -> Option<String> {
        if self.first.len() < self.half {
            self.first.push((name.to_owned(), one));
            return None;
        }
        self.last.push_back((name.to_owned(), one));
        if self.last.len() > self.half { self.last.pop_front().map(|(name, _)| name) } else { None }
    }
}

/// A choice among events that come one by one.
#[derive(Debug)]
pub struct Keep<T> {
    frames: Ends<T>,
    decisions: Ends<T>,
    others: Ends<T>,
    left_out: BTreeMap<String, u64>,
}

impl<T> Keep<T> {
    /// Keeps about `most` decisions and as many others.
    pub fn new(most: usize) -> Self {
        let none = BTreeMap::new();
        Self {
            frames: Ends::new(MOST_FRAMES),
            decisions: Ends::new(most),
            others: Ends::new(most),
            left_out: none,
        }
    }

    /// Takes the next event.
    pub fn take(&mut self, weight: Weight, name: &str, one: T) {
        let ends = match weight {
            Weight::Frame => &mut self.frames,
            Weight::Decision => &mut self.decisions,
            Weight::Other => &mut self.others,
        };
        if let Some(gone) = ends.take(name, one) {
            let known = self.left_out.len() < MOST_NAMES || self.left_out.contains_key(&gone);
            *self.left_out.entry(if known { gone } else { "…".to_owned() }).or_default() += 1;
        }
    }

    /// What was kept, in no order, and what was not, by name.
    pub fn finish(self) -> (Vec<T>, BTreeMap<String, u64>) {
        let all = [self.frames, self.decisions, self.others].into_iter();
        let kept = all.flat_map(|ends| ends.first.into_iter().chain(ends.last)).map(|(_, one)| one).collect();
        (kept, self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_all_kept_and_of_many_the_first_and_the_last() {
        let mut keep = Keep::new(4);
        (0..4).for_each(|number| keep.take(Weight::Decision, "grant", number));
        assert_eq!(keep.finish(), (vec![0, 1, 2, 3], BTreeMap::new()));
        let mut keep = Keep::new(4);
        (0..1_000).for_each(|number| keep.take(Weight::Other, "network", number));
        keep.take(Weight::Decision, "denial", 1_000);
        let (mut kept, left_out) = keep.finish();
        kept.sort_unstable();
        assert_eq!(kept, [0, 1, 998, 999, 1_000]);
        assert_eq!(left_out, BTreeMap::from([("network".to_owned(), 996)]));
    }

    #[test]
    fn a_log_of_a_thousand_names_does_not_make_a_thousand_counters() {
        let mut keep = Keep::new(2);
        (0..5_000).for_each(|number| keep.take(Weight::Other, &format!("name {number}"), number));
        let (kept, left_out) = keep.finish();
        assert_eq!((kept.len(), left_out.values().sum::<u64>()), (2, 4_998));
        assert!(left_out.len() <= MOST_NAMES + 1);
    }
}
