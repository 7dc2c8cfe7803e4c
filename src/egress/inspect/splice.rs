//! Two uploads to one host, one behind the other: a secret of which each brings a half is in none of them.
//!
//! Looks at the border alone, beside what is looked into anyway: what is found whole on one side is told there.

use super::judge::Judge;
use super::refuse::Refusal;
use super::scan::Step;
use crate::wire::dlp::Act;
use zeroize::Zeroizing;

/// Bytes of what went out before that are looked at again.
pub(super) const BEFORE: usize = 4 << 10;
/// Bytes of what comes that are looked at with them: nothing of an upload is released before so much of it came.
const BEHIND: usize = 1 << 10;

/// The border between what went out and one upload.
pub(super) struct Splice {
    before: Zeroizing<Vec<u8>>,
    behind: Zeroizing<Vec<u8>>,
    done: bool,
}

impl std::fmt::Debug for Splice {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Splice {{ {} }}", self.before.len())
    }
}

impl Splice {
    /// Behind these bytes.
    pub(super) fn new(before: Vec<u8>) -> Self {
        let done = before.is_empty();
        Self { before: Zeroizing::new(before), behind: Zeroizing::default(), done }
    }

    /// Takes what comes, before any of it is released.
    /// # Errors
    /// 403 `dlp`, when something that must not leave as it is lies across the border.
    pub(super) async fn take(
        &mut self,
        judge: &Judge,
        media: &str,
        text: &[u8],
        last: bool,
    ) -> Result<(), Refusal> {
        if self.done {
            return Ok(());
        }
        let room = BEHIND.saturating_sub(self.behind.len()).min(text.len());
        self.behind.extend_from_slice(text.get(..room).unwrap_or_default());
        if self.behind.len() < BEHIND && !last {
            return Ok(());
        }
        self.done = true;
        if self.behind.is_empty() {
            return Ok(());
        }
        let Some(mut scan) = judge.open(media).await? else { return Ok(()) };
        let border = self.before.len() as u64;
        let whole = Zeroizing::new([self.before.as_slice(), &self.behind].concat());
        let step = scan.feed(&whole, true).await.map_err(|unread| judge.unread(unread))?;
        let across = |start: u64, end: u64| start < border && border < end;
        let findings = step.findings.into_iter().filter(|found| across(found.start, found.end));
        let mut findings: Vec<_> = findings.collect();
        for found in &mut findings {
            // The part that went out cannot be replaced any more.
            if matches!(found.act, Act::Redact | Act::Hash | Act::Tokenize) {
                found.act = Act::Block;
            }
        }
        judge.judge(&Step { release_to: 0, edits: Vec::new(), findings, unscannable: None }).await.map(drop)
    }
}
