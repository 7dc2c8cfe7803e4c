//! The desk: what may be asked now. The same question is joined, an answer is repeated while it stands, storms are cut.
//!
//! Never says yes: it lets a wish pass on to the ceiling's next judge, or turns it away. Time comes from the caller.

use super::ceiling::Actions;
use crate::wire::denial::Denial;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How much may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// New questions of a run in a minute.
    pub per_minute: usize,
    /// New questions of one process in a minute.
    pub per_asker: usize,
    /// Questions that wait at once.
    pub waiting: usize,
    /// How long a refusal stands; doubled each time the same is refused again.
    pub memory: Duration,
}

impl Default for Rates {
    fn default() -> Self {
        Self { per_minute: 20, per_asker: 10, waiting: 16, memory: Duration::from_secs(30) }
    }
}

/// A refusal never stands longer than this unless a person said never.
const LONGEST_MEMORY: Duration = crate::profile::LONGEST_REFUSAL;
/// A person who refused this often in a row is left alone for a while, which doubles each time.
const PATIENCE: u32 = 3;
/// The first such while.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_secs(60);
/// Wishes whose answer is remembered, at most; the oldest goes.
const MOST_REMEMBERED: usize = 1024;

/// What makes two wishes the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The entry of the ceiling, by its place.
    pub place: usize,
    /// The actions.
    pub actions: Actions,
    /// The path below it, or the host, where the answer is for that alone.
    pub alone: Option<String>,
    /// The one upload it is about: nobody else waits for that answer. 0 for what many may wait for.
    pub one: u64,
}

impl Key {
    /// What a refusal stands for.
    fn standing(&self) -> Self {
        Self { one: 0, ..self.clone() }
    }
}

/// What becomes of a wish at the desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// It may go on.
    Go,
    /// The same is being asked already: this request.
    Join(u64),
    /// The same was refused, and that stands for so long.
    Again(Box<Denial>, Duration),
    /// Too much was asked; which limit.
    Cut(&'static str),
}

/// How a question ended, for the desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// Somebody or something said yes.
    Granted,
    /// A person said no.
    Refused,
    /// A person said: never again.
    Never,
    /// Nobody waits for the answer any more: there is none, and none stands.
    Withdrawn,
    /// Anything else: nobody answered, a policy refused, the act failed.
    Other,
}

#[derive(Debug)]
struct Answered {
    denial: Denial,
    until: Option<Duration>,
    times: u32,
}

/// The desk of one run.
#[derive(Debug)]
pub struct Desk {
    rates: Rates,
    open: BTreeMap<Key, u64>,
    answered: BTreeMap<Key, Answered>,
    asked: VecDeque<(Duration, i32)>,
    refused_in_a_row: u32,
    pause_until: Duration,
}

impl Desk {
    /// An empty desk.
    pub fn new(rates: Rates) -> Self {
        Self {
            rates,
            open: BTreeMap::new(),
            answered: BTreeMap::new(),
            asked: VecDeque::new(),
            refused_in_a_row: 0,
            pause_until: Duration::ZERO,
        }
    }

    /// Judges a wish of a process at a moment of CLOCK_BOOTTIME.
    pub fn rule(&mut self, key: &Key, asker: i32, now: Duration) -> Ruling {
        if let Some(request) = self.open.get(key) {
            return Ruling::Join(*request);
        }
        if let Some(answered) = self.answered.get(&key.standing()) {
            let left = answered.until.map_or(LONGEST_MEMORY, |until| until.saturating_sub(now));
            if !left.is_zero() {
                return Ruling::Again(Box::new(answered.denial.clone()), left);
            }
        }
        while self.asked.front().is_some_and(|(at, _)| now.saturating_sub(*at) >= MINUTE) {
            self.asked.pop_front();
        }
        let of_asker = self.asked.iter().filter(|(_, other)| *other == asker).count();
        if self.open.len() >= self.rates.waiting {
            Ruling::Cut("too many questions wait already")
        } else if now < self.pause_until {
            Ruling::Cut("the person refused several times in a row and is left alone for a while")
        } else if self.asked.len() >= self.rates.per_minute {
            Ruling::Cut("too many questions of this run in a minute")
        } else if of_asker >= self.rates.per_asker {
            Ruling::Cut("too many questions of this process in a minute")
        } else {
            Ruling::Go
        }
    }

    /// The wish became a request.
    pub fn take_up(&mut self, key: Key, request: u64, asker: i32, now: Duration) {
        self.asked.push_back((now, asker));
        self.open.insert(key, request);
    }

    /// The request ended with a yes.
    pub fn granted(&mut self, key: &Key) {
        self.open.remove(key);
        self.answered.remove(&key.standing());
        self.refused_in_a_row = 0;
    }

    /// The request ended with a no. Gives how long that stands.
    pub fn refused(&mut self, key: Key, denial: Denial, how: Closed, now: Duration) -> Duration {
        self.open.remove(&key);
        if how == Closed::Withdrawn {
            return Duration::ZERO;
        }
        let key = key.standing();
        if matches!(how, Closed::Refused | Closed::Never) {
            self.refused_in_a_row += 1;
            let over = self.refused_in_a_row.saturating_sub(PATIENCE);
            if self.refused_in_a_row >= PATIENCE {
                self.pause_until = now + (FIRST_PAUSE * 2u32.saturating_pow(over.min(6))).min(LONGEST_MEMORY);
            }
        }
        let times = self.answered.get(&key).map_or(0, |answered| answered.times);
        let memory = (self.rates.memory * 2u32.saturating_pow(times.min(8))).min(LONGEST_MEMORY);
        let until = (how != Closed::Never).then_some(now + memory);
        if self.answered.len() >= MOST_REMEMBERED {
            self.answered.pop_first();
        }
        self.answered.insert(key, Answered { denial, until, times: times + 1 });
        if how == Closed::Never { LONGEST_MEMORY } else { memory }
    }

    /// Whatever was answered about this entry no longer stands: a person granted it, or its lease ended.
    pub fn forget(&mut self, place: usize) {
        self.answered.retain(|key, _| key.place != place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::denial::Reason;
    use crate::wire::subject::Action;

    fn key(place: usize) -> Key {
        Key { place, actions: Actions::of(&[Action::Read]), alone: None, one: 0 }
    }

    fn denial() -> Denial {
        let (detail, what) = (String::new(), String::new());
        Denial { id: "1".into(), reason: Reason::Refused, detail, what, at: 0 }
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn the_same_question_is_joined_while_it_waits() {
        let mut desk = Desk::new(Rates::default());
        assert_eq!(desk.rule(&key(0), 7, seconds(1)), Ruling::Go);
        desk.take_up(key(0), 41, 7, seconds(1));
        assert_eq!(desk.rule(&key(0), 8, seconds(2)), Ruling::Join(41));
        assert_eq!(desk.rule(&key(1), 8, seconds(2)), Ruling::Go);
    }

    #[test]
    fn a_refusal_is_repeated_for_a_while_that_doubles() {
        let mut desk = Desk::new(Rates::default());
        desk.take_up(key(0), 1, 7, seconds(0));
        assert_eq!(desk.refused(key(0), denial(), Closed::Refused, seconds(0)), seconds(30));
        assert!(matches!(desk.rule(&key(0), 7, seconds(29)), Ruling::Again(_, left) if left == seconds(1)));
        assert_eq!(desk.rule(&key(0), 7, seconds(30)), Ruling::Go);
        assert_eq!(desk.refused(key(0), denial(), Closed::Refused, seconds(30)), seconds(60));
        desk.forget(0);
        assert_eq!(desk.rule(&key(0), 7, seconds(31)), Ruling::Go);
    }

    #[test]
    fn never_stands_until_the_run_ends() {
        let mut desk = Desk::new(Rates::default());
        desk.refused(key(0), denial(), Closed::Never, seconds(0));
        assert!(matches!(desk.rule(&key(0), 7, seconds(1_000_000)), Ruling::Again(..)));
    }

    #[test]
    fn a_storm_is_cut_for_one_process_and_for_the_run() {
        let rates = Rates { per_minute: 5, per_asker: 2, waiting: 100, ..Rates::default() };
        let mut desk = Desk::new(rates);
        for place in 0..2 {
            desk.take_up(key(place), 1, 7, seconds(0));
        }
        assert!(matches!(desk.rule(&key(9), 7, seconds(1)), Ruling::Cut(_)));
        assert_eq!(desk.rule(&key(9), 8, seconds(1)), Ruling::Go);
        for place in 2..5 {
            desk.take_up(key(place), 1, 100 + place as i32, seconds(0));
        }
        assert!(matches!(desk.rule(&key(9), 9, seconds(59)), Ruling::Cut(_)));
        assert_eq!(desk.rule(&key(9), 7, seconds(60)), Ruling::Go);
    }

    #[test]
    fn who_refuses_again_and_again_is_left_alone() {
        let mut desk = Desk::new(Rates::default());
        for place in 0..3 {
            assert_eq!(desk.rule(&key(place), 7, seconds(0)), Ruling::Go);
            desk.refused(key(place), denial(), Closed::Refused, seconds(0));
        }
        assert!(matches!(desk.rule(&key(9), 7, seconds(9)), Ruling::Cut(_)));
        assert_eq!(desk.rule(&key(9), 7, seconds(10)), Ruling::Go);
    }

    #[test]
    fn an_upload_waits_alone_and_a_no_to_it_stands_for_the_like() {
        let mut desk = Desk::new(Rates { waiting: 3, ..Rates::default() });
        let upload = |one| Key { one, ..key(0) };
        desk.take_up(upload(1), 41, 7, seconds(0));
        assert_eq!(desk.rule(&upload(2), 7, seconds(0)), Ruling::Go, "it is not joined");
        desk.take_up(upload(2), 42, 7, seconds(0));
        desk.refused(upload(1), denial(), Closed::Withdrawn, seconds(0));
        assert_eq!(desk.rule(&upload(3), 7, seconds(0)), Ruling::Go, "what nobody waits for is no answer");
        desk.refused(upload(2), denial(), Closed::Refused, seconds(0));
        assert!(matches!(desk.rule(&upload(4), 7, seconds(1)), Ruling::Again(..)));
    }

    #[test]
    fn only_so_many_wait() {
        let mut desk = Desk::new(Rates { waiting: 1, ..Rates::default() });
        desk.take_up(key(0), 1, 7, seconds(0));
        assert!(matches!(desk.rule(&key(1), 8, seconds(0)), Ruling::Cut(_)));
        desk.granted(&key(0));
        assert_eq!(desk.rule(&key(1), 8, seconds(0)), Ruling::Go);
    }
}
