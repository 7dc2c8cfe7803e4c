//! What a request is judged by: its rule, what was found in it, how large it is.
//!
//! Never lets a finding pass that its rule stops.

use super::asking::Asking;
use super::credential::Keys;
use super::refuse::Refusal;
use super::scan::{Scan, Scanner, Step, Unread};
use super::tokens::Table;
use super::way::Way;
use crate::wire::dlp::{Act, Finding};
use crate::wire::egress::{Found, Rule, Unscannable};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

/// What was found on one request, by kind.
pub(super) type Findings = Arc<Mutex<BTreeMap<String, u64>>>;

/// Kinds of findings that are counted for one request.
const MOST_KINDS: usize = 64;

/// What an upload is judged by.
#[derive(Debug, Clone)]
pub(super) struct Judge {
    /// The connection.
    pub way: Arc<dyn Way>,
    /// The rule that allows the request.
    pub rule: Arc<Rule>,
    /// Secrets.
    pub keys: Arc<Keys>,
    /// Role `dlp`, when the rule wants it.
    pub scanner: Option<Arc<Scanner>>,
    /// What was found.
    pub findings: Findings,
    /// What a person is asked.
    pub asking: Asking,
    /// What tokens stand for at this host.
    pub tokens: Arc<Table>,
    /// Its head said something new.
    pub fresh: Arc<AtomicBool>,
}

/// The findings so far, which are then told.
pub(super) fn drain(findings: &Findings) -> Vec<Found> {
    let found = std::mem::take(&mut *findings.lock().unwrap_or_else(PoisonError::into_inner));
    found.into_iter().map(|(kind, count)| Found { kind, count }).collect()
}

impl Judge {
    /// Begins a stream, when the rule wants it read.
    /// # Errors
    /// 403 `dlp-unscannable`, when nobody reads it.
    pub(super) async fn open(&self, media: &str) -> Result<Option<Scan>, Refusal> {
        let Some(scanner) = &self.scanner else { return Ok(None) };
        match scanner.open(self.way.host(), media, self.rule.redact).await {
            Ok(scan) => Ok(Some(scan)),
            Err(unread) => Err(self.unread(unread)),
        }
    }

    /// The refusal for what was not read.
    pub(super) fn unread(&self, unread: Unread) -> Refusal {
        let why = match unread {
            Unread::Gone => "nobody is there to read what would be sent",
            Unread::Slow => "what would be sent could not be read in time",
            Unread::Full => "too much is read at one time",
        };
        Refusal::new(403, "dlp-unscannable", why).by(&self.rule)
    }

    /// Counts what was found, and refuses what must not go out. True: the stream cannot be read, and may go out.
    /// # Errors
    /// 403 `dlp` or `dlp-unscannable`.
    pub(super) async fn judge(&self, step: &Step) -> Result<bool, Refusal> {
        for finding in &step.findings {
            self.count(finding);
            let refused = Refusal::new(403, "dlp", "what would be sent holds something that must not leave");
            if finding.critical {
                return Err(refused.by(&self.rule).alarming());
            }
            match finding.act {
                Act::Block => return Err(refused.by(&self.rule)),
                Act::Ask => self.asking.found(&finding.kind),
                Act::Allow | Act::Log | Act::Hash | Act::Tokenize | Act::Redact => {}
            }
        }
        self.asking.settle(self).await?;
        match (&step.unscannable, self.rule.unscannable) {
            (None, _) => Ok(false),
            (Some(_), Unscannable::Allow) => {
                self.note("unscannable");
                Ok(true)
            }
            (Some(_), Unscannable::Block) => {
                let why = "what would be sent cannot be read, and the rule does not allow that";
                Err(Refusal::new(403, "dlp-unscannable", why).by(&self.rule))
            }
        }
    }

    /// Refuses what is coded in a way that nobody reads, unless the rule allows that.
    /// # Errors
    /// As [`Judge::judge`].
    pub(super) async fn unreadable(&self) -> Result<bool, Refusal> {
        let unscannable = Some("coding".to_owned());
        self.judge(&Step { release_to: 0, edits: Vec::new(), findings: Vec::new(), unscannable }).await
    }

    /// The same for one message of this many bytes, which is an upload of its own.
    pub(super) fn message(&self, bytes: Option<u64>) -> Self {
        Self { asking: self.asking.message(bytes), ..self.clone() }
    }

    fn count(&self, finding: &Finding) {
        if finding.act != Act::Allow {
            self.note(&finding.kind);
        }
    }

    fn note(&self, kind: &str) {
        let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        if findings.len() < MOST_KINDS || findings.contains_key(kind) {
            *findings.entry(kind.chars().take(64).collect()).or_default() += 1;
        }
    }
}
