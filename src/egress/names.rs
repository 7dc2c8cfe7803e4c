//! The addresses that names have inside: each name its own, for as long as the session goes on.
//!
//! Never gives an address to a second name: an answer that a program kept would lead elsewhere.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// The first address is ours (198.18.0.1), what is before it nobody's.
const FIRST: u32 = 0xC612_0002;
/// Behind the last of 198.18.0.0/15, which is the network's broadcast address.
const END: u32 = 0xC613_FFFF;
/// New names below a wildcard in a minute.
const WILD_A_MINUTE: u32 = 64;
const MINUTE: Duration = Duration::from_secs(60);
/// The most letters of a label below a wildcard.
const WILD_LABEL: usize = 40;

/// What an address of the inside means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// This name.
    Name(String),
    /// It is one of ours, and no name has it.
    Nobody,
    /// It is an address like any other.
    Itself,
}

/// Names and their addresses.
#[derive(Debug)]
pub(super) struct Names {
    at: HashMap<String, u32>,
    names: Vec<String>,
    /// When the minute began, and new names below wildcards in it.
    wild: (Instant, u32),
    end: u32,
}

impl Names {
    /// None yet.
    pub(super) fn new(now: Instant) -> Self {
        Self { at: HashMap::new(), names: Vec::new(), wild: (now, 0), end: END }
    }

    /// The address of a name, a new one when it has none. `None` when there is none left, or when a name below a
    /// wildcard looks like a message, or too many of them came.
    pub(super) fn give(&mut self, name: &str, wild: bool, now: Instant) -> Option<Ipv4Addr> {
        if let Some(at) = self.at.get(name) {
            return Some(Ipv4Addr::from(*at));
        }
        let next =
            FIRST.checked_add(u32::try_from(self.names.len()).ok()?).filter(|next| *next < self.end)?;
        if wild && (name.split('.').any(|label| label.len() > WILD_LABEL) || !self.may_be_new(now)) {
            return None;
        }
        self.names.push(name.to_owned());
        self.at.insert(name.to_owned(), next);
        Some(Ipv4Addr::from(next))
    }

    fn may_be_new(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.wild.0) >= MINUTE {
            self.wild = (now, 0);
        }
        self.wild.1 += 1;
        self.wild.1 <= WILD_A_MINUTE
    }

    /// What an address means.
    pub(super) fn meaning(&self, ip: Ipv4Addr) -> Meaning {
        let number = u32::from(ip);
        if number >> 17 != FIRST >> 17 {
            return Meaning::Itself;
        }
        let place = number.checked_sub(FIRST).and_then(|place| usize::try_from(place).ok());
        place
            .and_then(|place| self.names.get(place))
            .map_or(Meaning::Nobody, |name| Meaning::Name(name.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_its_own_address_and_keeps_it() {
        let now = Instant::now();
        let mut names = Names::new(now);
        let first = names.give("a.org", false, now).unwrap();
        let second = names.give("b.org", false, now).unwrap();
        assert_eq!((first, second), (Ipv4Addr::new(198, 18, 0, 2), Ipv4Addr::new(198, 18, 0, 3)));
        assert_eq!(names.give("a.org", false, now), Some(first));
        assert_eq!(names.meaning(first), Meaning::Name("a.org".to_owned()));
        for nobody in [[198, 18, 0, 1], [198, 18, 0, 4], [198, 19, 255, 255], [198, 18, 0, 0]] {
            assert_eq!(names.meaning(nobody.into()), Meaning::Nobody, "{nobody:?}");
        }
        for other in [[198, 17, 0, 2], [198, 20, 0, 2], [1, 1, 1, 1]] {
            assert_eq!(names.meaning(other.into()), Meaning::Itself, "{other:?}");
        }
    }

    #[test]
    fn when_no_address_is_left_a_new_name_has_none_and_an_old_one_its_own() {
        let now = Instant::now();
        let mut names = Names { end: FIRST + 2, ..Names::new(now) };
        let first = names.give("a.org", false, now);
        assert!(first.is_some() && names.give("b.org", false, now).is_some());
        assert_eq!(names.give("c.org", false, now), None);
        assert_eq!(names.give("a.org", false, now), first);
    }

    #[test]
    fn names_below_a_wildcard_cannot_carry_a_message() {
        let now = Instant::now();
        let mut names = Names::new(now);
        assert_eq!(names.give(&format!("{}.a.org", "x".repeat(41)), true, now), None);
        assert!(
            names.give(&format!("{}.a.org", "x".repeat(41)), false, now).is_some(),
            "it was named itself"
        );
        let given = (0..200).filter(|n| names.give(&format!("n{n}.a.org"), true, now).is_some()).count();
        assert_eq!(given, 64);
        assert!(names.give("late.a.org", true, now + MINUTE).is_some());
    }
}
