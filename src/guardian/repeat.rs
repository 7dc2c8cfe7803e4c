//! Refusals of one kind that come faster than anybody reads: the first are told one by one, the others counted and told
//! together, with their exact number.
//!
//! Never loses one: what is counted is told after a while, and at the end. Never keeps more than so many kinds.

use super::Guardian;
use super::record::{self, MOST_OFTEN, Often, Refused};
use crate::audit::access::{Seen, What};
use crate::audit::network::Network;
use crate::audit::{Event, beside};
use crate::wire::denial::Denial;
use crate::wire::subject::Action;
use std::collections::BTreeMap;
use std::time::Duration;

/// Refusals of one kind that are told one by one in a second.
const MOST_IN_A_SECOND: u32 = 100;
/// Connections that are refused and told one by one in a minute: programs try hosts that nobody needs.
const MOST_REFUSED: u32 = 3000;
/// After so long what was counted is told.
const TOGETHER: Duration = Duration::from_secs(10);
/// The most kinds that are told apart; what goes beyond is one more.
const MOST_KINDS: usize = 64;

/// What makes refusals alike.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    /// `denial`, `network` or `access`.
    pub(crate) of: &'static str,
    pub(crate) reason: String,
    pub(crate) actions: Vec<String>,
    /// `file`, `host`, … or nothing.
    pub(crate) resource: String,
    pub(crate) pid: i32,
}

/// What becomes of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// It is told by itself.
    Tell,
    /// It is counted, as the first: whose it is must be looked up.
    Begin,
    /// It is counted.
    Count,
}

#[derive(Debug, Default)]
struct Counted {
    second: u64,
    told: u32,
    waiting: Option<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    since: Duration,
    until: Duration,
    first: String,
    last: String,
    count: u64,
    process: Seen,
}

/// All kinds.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    kinds: BTreeMap<Kind, Counted>,
    often: Often,
}

impl Repeats {
    /// Rules on one that is about `name`. `most`: so many in a minute are told one by one, of all kinds.
    pub(crate) fn rule(&mut self, kind: &mut Kind, name: &str, most: u32, now: Duration) -> Ruling {
        if !self.kinds.contains_key(kind) && self.kinds.len() >= MOST_KINDS {
            self.kinds.retain(|_, counted| counted.waiting.is_some() || counted.second == now.as_secs());
            if self.kinds.len() >= MOST_KINDS {
                *kind = Kind { of: kind.of, reason: "several".to_owned(), ..Kind::default() };
            }
        }
        let counted = self.kinds.entry(kind.clone()).or_default();
        if let Some(waiting) = &mut counted.waiting {
            waiting.count += 1;
            waiting.until = now;
            name.clone_into(&mut waiting.last);
            return Ruling::Count;
        }
        if counted.second != now.as_secs() {
            (counted.second, counted.told) = (now.as_secs(), 0);
        }
        if counted.told < MOST_IN_A_SECOND && self.often.fits(most, now) {
            counted.told += 1;
            return Ruling::Tell;
        }
        let (first, last) = (name.to_owned(), name.to_owned());
        let process = Seen::default();
        counted.waiting = Some(Waiting { since: now, until: now, first, last, count: 1, process });
        Ruling::Begin
    }

    /// Whose the refusals are that began to be counted.
    pub(crate) fn begun_by(&mut self, kind: &Kind, process: Seen) {
        if let Some(waiting) = self.kinds.get_mut(kind).and_then(|counted| counted.waiting.as_mut()) {
            waiting.process = process;
        }
    }

    /// When something is to be told.
    pub(crate) fn due(&self) -> Option<Duration> {
        let all = self.kinds.values().filter_map(|counted| counted.waiting.as_ref());
        all.map(|waiting| waiting.since + TOGETHER).min()
    }

    /// What is to be told now; at the end, all that was counted.
    pub(crate) fn told(&mut self, now: Duration, end: bool) -> Vec<Event> {
        let mut events = Vec::new();
        for (kind, counted) in &mut self.kinds {
            let due = |waiting: &mut Waiting| end || waiting.since + TOGETHER <= now;
            let Some(waiting) = counted.waiting.take_if(due) else { continue };
            let within = waiting.until.saturating_sub(waiting.since).as_millis();
            events.push(Event::Repeat(Box::new(beside::Repeat {
                of: kind.of.to_owned(),
                reason: kind.reason.clone(),
                actions: kind.actions.clone(),
                first: waiting.first,
                last: waiting.last,
                count: waiting.count,
                within_ms: u64::try_from(within).unwrap_or(u64::MAX),
                process: waiting.process,
            })));
        }
        events
    }
}

impl Guardian {
    /// Records a refusal of what never became a request: by itself, or with others of its kind.
    pub(super) fn note_refusal(&mut self, denial: &Denial, what: What, pid: Option<i32>) {
        let resource = what.resource.split(' ').next().unwrap_or_default().to_owned();
        let mut kind = Kind {
            of: "denial",
            reason: denial.reason.id().to_owned(),
            actions: what.actions.clone(),
            resource,
            pid: pid.unwrap_or(0),
        };
        let ruling = self.repeats.rule(&mut kind, &what.resource, MOST_OFTEN, self.now);
        if ruling == Ruling::Count {
            return;
        }
        let asker = pid.map(|pid| self.processes.asker(pid)).unwrap_or_default();
        if ruling == Ruling::Begin {
            return self.repeats.begun_by(&kind, record::seen(&asker.process));
        }
        let refused = Refused { who: record::who(&asker), what, count: 1, ..Refused::default() };
        self.recorder.denial(denial, refused);
    }

    /// The same of a connection.
    pub(super) fn note_refused_connection(&mut self, network: Network) {
        let mut kind = Kind {
            of: "network",
            reason: network.reason.clone().unwrap_or_default(),
            actions: vec![Action::Connect.word().to_owned()],
            resource: "host".to_owned(),
            pid: network.process.as_ref().map_or(0, |process| process.pid),
        };
        let name = format!("host {}:{}", network.host, network.port);
        let process = network.process.clone().unwrap_or_default();
        match self.repeats.rule(&mut kind, &name, MOST_REFUSED, self.now) {
            Ruling::Tell => self.recorder.note_traffic(&Event::Network(Box::new(network)), self.now),
            Ruling::Begin => self.repeats.begun_by(&kind, process),
            Ruling::Count => {}
        }
    }

    /// Tells what was counted long enough; at the end, all of it.
    pub(super) fn tell_repeats(&mut self, end: bool) {
        for event in self.repeats.told(self.now, end) {
            self.recorder.note(&event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANY: u32 = 10_000;

    fn kind(pid: i32) -> Kind {
        Kind { of: "denial", reason: "ceiling".into(), resource: "file".into(), pid, ..Kind::default() }
    }

    fn repeats(events: &[Event]) -> Vec<&beside::Repeat> {
        let all = events.iter().filter_map(|event| match event {
            Event::Repeat(repeat) => Some(&**repeat),
            _ => None,
        });
        all.collect()
    }

    #[test]
    fn the_first_hundred_of_a_second_are_told_and_the_others_are_one_with_their_number() {
        let mut all = Repeats::default();
        let at = Duration::from_millis(5_000);
        let rulings: Vec<Ruling> =
            (0..1000).map(|n| all.rule(&mut kind(7), &format!("file /{n}"), MANY, at)).collect();
        assert!(rulings[..100].iter().all(|ruling| *ruling == Ruling::Tell));
        assert_eq!((rulings[100], rulings[101], rulings[999]), (Ruling::Begin, Ruling::Count, Ruling::Count));
        assert!(all.told(at + TOGETHER - Duration::from_millis(1), false).is_empty());
        assert_eq!(all.due(), Some(at + TOGETHER));
        // Later ones are of the same until it is told, whatever the second.
        assert_eq!(all.rule(&mut kind(7), "file /last", MANY, at + Duration::from_secs(2)), Ruling::Count);
        let events = all.told(at + TOGETHER, false);
        let [repeat] = repeats(&events)[..] else { panic!("{events:?}") };
        assert_eq!((repeat.count, repeat.within_ms), (901, 2000));
        assert_eq!((repeat.first.as_str(), repeat.last.as_str()), ("file /100", "file /last"));
        assert_eq!(all.rule(&mut kind(7), "file /x", MANY, at + TOGETHER), Ruling::Tell, "a new second");
    }

    #[test]
    fn none_is_lost_whatever_the_kinds_and_their_number_has_an_end() {
        let mut all = Repeats::default();
        let (mut told, mut at) = (0, Duration::from_secs(100));
        let mut counted = 0;
        for number in 0..20_000 {
            at += Duration::from_millis(3);
            told += u64::from(all.rule(&mut kind(number % 500), "file /", 120, at) == Ruling::Tell);
            counted += repeats(&all.told(at, false)).iter().map(|repeat| repeat.count).sum::<u64>();
            assert!(all.kinds.len() <= MOST_KINDS + 1);
        }
        counted += repeats(&all.told(at, true)).iter().map(|repeat| repeat.count).sum::<u64>();
        assert_eq!(told + counted, 20_000);
        assert!(told <= 240 && all.due().is_none(), "{told}");
    }
}
