//! Waiting between tries, within what a sink may take, and telling how it stands.

use super::backoff::Backoff;
use super::status::Report;
use std::time::Duration;

/// The other side took nothing for as long as it was to be waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GaveUp;

/// The tries of one sink.
pub(super) struct Tries<'a> {
    pub(super) report: Report<'a>,
    /// How long to go on without success; `None` for ever.
    patience: Option<Duration>,
    backoff: Backoff,
}

impl<'a> Tries<'a> {
    pub(super) fn new(report: Report<'a>, patience: Option<Duration>) -> Self {
        Self { report, patience, backoff: Backoff::default() }
    }

    /// Whether it ends by itself.
    pub(super) fn is_bounded(&self) -> bool {
        self.patience.is_some()
    }

    /// It works.
    pub(super) fn works(&mut self) {
        self.backoff.reset();
        self.report.works();
    }

    /// Waits before the next try.
    /// # Errors
    /// When it was waited long enough.
    pub(super) fn wait(&mut self, why: &str, after: Option<Duration>) -> Result<(), GaveUp> {
        self.report.failed(why);
        let mut wait = self.backoff.next(after);
        if let Some(rest) = &mut self.patience {
            if rest.is_zero() {
                return Err(GaveUp);
            }
            wait = wait.min(*rest);
            *rest -= wait;
        }
        std::thread::sleep(wait);
        Ok(())
    }
}
