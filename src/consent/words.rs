//! Words for actions, sizes, times and sensitivity.
//!
//! Never shows anything an agent supplied.

use crate::wire::subject::Action;

/// The actions as a sentence: `read, add to the end`.
pub fn actions(actions: &[Action]) -> String {
    let words: Vec<&str> = actions.iter().map(|action| action_words(*action)).collect();
    words.join(", ")
}

fn action_words(action: Action) -> &'static str {
    match action {
        Action::Read => "read",
        Action::Append => "add to the end",
        Action::Overwrite => "change what is there",
        Action::Create => "create",
        Action::Delete => "delete",
        Action::Execute => "start as a program",
        Action::Connect => "connect",
        Action::Use => "use",
        Action::Upload => "send",
    }
}

/// What a sensitivity label means for the person; `None` for nothing special.
pub(super) fn warning(label: &str) -> Option<&'static str> {
    Some(match label {
        "" => return None,
        "keys" => "This holds keys or passwords. Whoever reads them can act as you elsewhere.",
        "mail" => "This is mail. It holds what others wrote to you, and links that reset passwords.",
        "browser" => "This belongs to a web browser. It holds logins, cookies and what you visited.",
        "startup" => "What is written here runs the next time you log in or open a shell.",
        "money" => "This belongs to a wallet or to your money.",
        "system" => "This belongs to the system.",
        _ => "This place is marked as sensitive.",
    })
}

/// A time in words, at most two units: `1 hour 30 minutes`.
pub fn lasting(seconds: u64) -> String {
    let units = [(86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")];
    let first = units.iter().position(|(unit, _)| seconds >= *unit).unwrap_or(3);
    let mut left = seconds;
    let mut words = Vec::new();
    for (unit, name) in units.iter().skip(first).take(2) {
        let count = left / unit;
        left %= unit;
        if count > 0 || (words.is_empty() && *unit == 1) {
            words.push(format!("{count} {name}{}", if count == 1 { "" } else { "s" }));
        }
    }
    words.join(" ")
}

/// Bytes in words: `12.3 KiB`.
pub(super) fn size(bytes: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    match units.into_iter().find(|(shift, _)| bytes >> shift > 0) {
        Some((shift, unit)) => {
            let tenths = u128::from(bytes) * 10 / (1u128 << shift);
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None if bytes == 1 => "1 byte".into(),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_two_units_at_most() {
        let rows = [
            (0, "0 seconds"),
            (1, "1 second"),
            (299, "4 minutes 59 seconds"),
            (300, "5 minutes"),
            (3600, "1 hour"),
            (5400, "1 hour 30 minutes"),
            (3601, "1 hour"),
            (200_000, "2 days 7 hours"),
        ];
        for (seconds, words) in rows {
            assert_eq!(lasting(seconds), words, "{seconds}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024_and_never_overflow() {
        assert_eq!(size(1), "1 byte");
        assert_eq!(size(1023), "1023 bytes");
        assert_eq!(size(12_600), "12.3 KiB");
        assert_eq!(size(u64::MAX), "16777215.9 TiB");
    }

    #[test]
    fn a_label_nobody_knows_still_warns() {
        assert_eq!(warning(""), None);
        assert!(warning("keys").unwrap().contains("keys"));
        assert!(warning("new-label").is_some());
    }
}
