//! Short words for tables: actions as flags name them, durations, how a lease was given.
//!
//! Never shows anything an agent supplied; that goes through `consent::plain`.

use crate::wire::session::{Given, GrantState};
use crate::wire::subject::Action;

/// `read, append`.
pub(super) fn actions(actions: &[Action]) -> String {
    let words: Vec<&str> = actions.iter().map(|action| action.word()).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

/// The two greatest units: `2 d 3 h`, `5 m`, `40 s`.
pub(super) fn duration(seconds: u64) -> String {
    let units = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let mut left = seconds;
    let mut parts = Vec::new();
    for (length, name) in units {
        if left >= length && parts.len() < 2 {
            parts.push(format!("{} {name}", left / length));
        } else if !parts.is_empty() {
            break;
        }
        left %= length;
    }
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

/// How long a lease still holds.
pub(super) fn left(until: Option<u64>, now: u64) -> String {
    until.map_or_else(|| "the run".to_owned(), |until| duration(until.saturating_sub(now)))
}

/// How a lease was given; a descriptor stays with who has it.
pub(super) fn given(grant: &GrantState) -> String {
    let way = match grant.by {
        Given::Mount => "mount",
        Given::Served => "served",
        Given::Descriptor => "descriptor",
        Given::Act => "act",
    };
    if grant.revocable { way.to_owned() } else { format!("{way}, stays open") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_its_two_greatest_units() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 m"),
            (3661, "1 h 1 m"),
            (90_000, "1 d 1 h"),
            (86_401, "1 d"),
            (3605, "1 h"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
