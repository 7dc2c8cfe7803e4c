//! What a collector found wrong: a line each, with the heads that show it.
//!
//! Never grows without end: the older half goes to a second file, and what was there before is gone.

use crate::audit::log::{Cosigned, Hex, Submission};
use crate::base::WallTime;
use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The most bytes of a file.
const MOST_BYTES: u64 = 4 << 20;

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Finding {
    /// When, RFC 3339 in UTC.
    pub(super) time: String,
    pub(super) device: String,
    pub(super) run: String,
    /// `refused`, `older` or `split`.
    pub(super) kind: String,
    pub(super) what: String,
    /// The head that was sent, and the one that was cosigned before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cosigned: Option<String>,
}

impl Finding {
    /// As of now.
    pub(super) fn now(device: &Hex<32>, run: &str, kind: &str, what: &str) -> Self {
        let [kind, what, run] = [kind, what, run].map(str::to_owned);
        let (time, device) = (WallTime::now().to_string(), device.to_string());
        Self { time, device, run, kind, what, sent: None, cosigned: None }
    }

    /// The same with what shows it.
    pub(super) fn of(
        device: &Hex<32>,
        run: &str,
        kind: &str,
        what: &str,
        sent: &Submission,
        last: Option<&Cosigned>,
    ) -> Self {
        let cosigned = last.map(|last| last.text().to_owned());
        Self { sent: Some(sent.body()), cosigned, ..Self::now(device, run, kind, what) }
    }
}

/// The file of findings.
#[derive(Debug)]
pub(super) struct Findings(PathBuf);

impl Findings {
    pub(super) fn of(root: &Path) -> Self {
        Self(root.join("findings.jsonl"))
    }

    /// Keeps one. That it cannot be kept changes nothing of the refusal.
    pub(super) fn add(&self, finding: &Finding) {
        tracing::warn!("device {}, run {}: {}", finding.device, finding.run, finding.what);
        if let Err(error) = self.write(finding) {
            tracing::warn!("a finding is not kept: {error}");
        }
    }

    fn write(&self, finding: &Finding) -> std::io::Result<()> {
        if std::fs::metadata(&self.0).is_ok_and(|facts| facts.len() > MOST_BYTES) {
            std::fs::rename(&self.0, self.0.with_extension("old.jsonl"))?;
        }
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.0)?;
        let line = crate::audit::json(finding).map_err(std::io::Error::other)?;
        file.write_all((line + "\n").as_bytes()).and_then(|()| file.sync_data())
    }

    /// All that are kept, the oldest first.
    pub(super) fn all(&self) -> Vec<Finding> {
        let mut text = String::new();
        for path in [self.0.with_extension("old.jsonl"), self.0.clone()] {
            if let Ok(file) = std::fs::File::open(path) {
                // What cannot be read to its end is told as far as it goes.
                drop(file.take(2 * MOST_BYTES).read_to_string(&mut text));
            }
        }
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}
