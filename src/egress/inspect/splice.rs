//! Uploads to one host, one behind the other: a secret of which each brings a part is in none of them.
//!
//! Looks at the borders alone, beside what is looked into anyway: what is found whole on one side is told there.

use super::judge::Judge;
use super::refuse::Refusal;
use super::scan::{Scan, Step};
use crate::wire::dlp::{Act, Finding};
use zeroize::Zeroizing;

/// Bytes of what went out before that are looked at again.
pub(super) const BEFORE: usize = 4 << 10;
/// Bytes of what comes that are looked at with them: nothing of an upload is released before so much of it came.
const BEHIND: usize = 1 << 10;
/// Letters of a finding across parts that need not belong together: numbers do so by chance.
const LETTERS: usize = 4;

/// The border between what went out and one upload.
pub(super) struct Splice {
    before: Zeroizing<Vec<u8>>,
    head: Zeroizing<Vec<u8>>,
    behind: Zeroizing<Vec<u8>>,
    done: bool,
}

impl std::fmt::Debug for Splice {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Splice {{ {} }}", self.before.len())
    }
}

impl Splice {
    /// Behind these bytes of uploads, and behind these of heads.
    pub(super) fn new(before: Vec<u8>, head: Zeroizing<Vec<u8>>) -> Self {
        let done = before.is_empty() && head.is_empty();
        Self { before: Zeroizing::new(before), head, behind: Zeroizing::default(), done }
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
        if !self.before.is_empty() {
            across(judge, media, &[&self.before, &self.behind], true).await?;
        }
        if !self.head.is_empty() {
            across(judge, media, &[&self.head, &self.behind], false).await?;
        }
        Ok(())
    }
}

/// Lets role `dlp` read these parts as one text, and judges what lies across a border of them. `numbers`: what is digits
/// alone counts too.
/// # Errors
/// 403 `dlp`, when that must not leave as it is.
pub(super) async fn across(
    judge: &Judge,
    media: &str,
    parts: &[&[u8]],
    numbers: bool,
) -> Result<(), Refusal> {
    let Some(mut scan) = judge.open(media).await? else { return Ok(()) };
    let whole = Zeroizing::new(parts.concat());
    let ends = parts.iter().scan(0, |end, part| {
        *end += part.len();
        Some(*end as u64)
    });
    let borders: Vec<u64> = ends.collect();
    let mut pieces = whole.chunks(Scan::MOST).peekable();
    while let Some(piece) = pieces.next() {
        let step = scan.feed(piece, pieces.peek().is_none()).await.map_err(|unread| judge.unread(unread))?;
        let lies_across = |found: &Finding| {
            let letters = || has_letters(&whole, found.start, found.end);
            borders.iter().any(|border| found.start < *border && *border < found.end)
                && (numbers || found.critical || letters())
        };
        let mut findings: Vec<Finding> = step.findings.into_iter().filter(lies_across).collect();
        for found in &mut findings {
            // The part that went out cannot be replaced any more.
            if matches!(found.act, Act::Redact | Act::Hash | Act::Tokenize) {
                found.act = Act::Block;
            }
        }
        judge.judge(&Step { release_to: 0, edits: Vec::new(), findings, unscannable: None }).await?;
    }
    Ok(())
}

fn has_letters(whole: &[u8], start: u64, end: u64) -> bool {
    let place = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
    let found = whole.get(place(start)..place(end)).unwrap_or_default();
    found.iter().filter(|byte| byte.is_ascii_alphabetic()).count() >= LETTERS
}
