//! How long what is kept. Pure.

use std::time::Duration;

/// How long personal fields and whole logs stay, from the last event of a run; `None`: for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Personal fields.
    pub personal: Option<Duration>,
    /// Logs.
    pub runs: Option<Duration>,
}

const DAY: u64 = 86_400;

impl Default for Windows {
    /// 30 days, then 400.
    fn default() -> Self {
        Self { personal: Some(Duration::from_secs(30 * DAY)), runs: Some(Duration::from_secs(400 * DAY)) }
    }
}

/// What is due for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// Nothing.
    Keep,
    /// Its personal fields go.
    Redact,
    /// All of it goes.
    Prune,
}

impl Windows {
    /// What is due after so many nanoseconds.
    pub(super) fn of(&self, age: i128) -> Age {
        let over = |window: Option<Duration>| {
            window.is_some_and(|window| age > i128::try_from(window.as_nanos()).unwrap_or(i128::MAX))
        };
        match (over(self.personal), over(self.runs)) {
            (_, true) => Age::Prune,
            (true, _) => Age::Redact,
            _ => Age::Keep,
        }
    }

    /// The window of personal fields.
    pub(super) fn personal_words(&self) -> String {
        words(self.personal)
    }

    /// The window of logs.
    pub(super) fn runs_words(&self) -> String {
        words(self.runs)
    }
}

fn words(window: Option<Duration>) -> String {
    match window.map(|window| window.as_secs()) {
        None => "nothing".to_owned(),
        Some(seconds) if seconds % DAY == 0 => format!("{} days", seconds / DAY),
        Some(seconds) => format!("{seconds} seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_follows_from_the_age_alone() {
        let windows = Windows::default();
        let days = |days: i128| days * i128::from(DAY) * 1_000_000_000;
        assert_eq!(windows.of(days(-1)), Age::Keep);
        assert_eq!(windows.of(days(30)), Age::Keep);
        assert_eq!(windows.of(days(30) + 1), Age::Redact);
        assert_eq!(windows.of(days(400)), Age::Redact);
        assert_eq!(windows.of(days(400) + 1), Age::Prune);
        let never = Windows { personal: None, runs: None };
        assert_eq!(never.of(i128::MAX), Age::Keep);
        assert_eq!(windows.personal_words(), "30 days");
    }
}
