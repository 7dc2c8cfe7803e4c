//! What the first events of a run say of all that follow: whose run it is, under which profile, on which device.
//!
//! Never guesses: what was not said, or was withheld, is absent.

use crate::audit::log::Own;
use crate::audit::{Coverage, Record, Span};
use serde_json::Value;

/// What is known of a run so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    /// The run.
    pub run: String,
    /// The identity of the device that signed the run's first keys.
    pub device: Option<String>,
    /// The version of the program that wrote.
    pub version: Option<String>,
    /// The user's id.
    pub uid: Option<u64>,
    /// The agent's program.
    pub program: Option<String>,
    /// Its digest.
    pub program_sha256: Option<String>,
    /// The profile by name.
    pub profile: Option<String>,
    /// The kernel's release.
    pub kernel: Option<String>,
    /// The run's W3C trace id.
    pub trace: Option<String>,
    /// The span around the run.
    pub above: Option<String>,
    /// What could not be observed, in one line.
    pub coverage: Option<String>,
}

impl Context {
    /// Of a run of which nothing was read yet.
    pub fn new(run: &str) -> Self {
        Self { run: run.to_owned(), ..Self::default() }
    }

    /// Takes up what a record says of the run; most say nothing.
    pub fn learn(&mut self, record: &Record) {
        match record.event.as_str() {
            "log.start" => {
                if let Some(Own::Start(start)) = record.own()
                    && let Ok(identity) = start.cert.identity(&start.run, &start.key, &start.stable)
                {
                    self.device = Some(crate::base::to_hex(&identity));
                }
            }
            "run_start" => self.learn_start(&record.data),
            _ => {}
        }
    }

    fn learn_start(&mut self, data: &Value) {
        let text = |pointer: &str| data.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        self.version = text("/aisandbox_version");
        self.uid = data.pointer("/uid").and_then(Value::as_u64);
        self.program = text("/program/path");
        self.program_sha256 = text("/program/sha256");
        self.profile = text("/profile/name");
        self.kernel = text("/kernel/release");
        self.trace = text("/trace/id");
        self.above = text("/trace/parent");
        let coverage = data.pointer("/coverage").cloned();
        let coverage = coverage.and_then(|told| serde_json::from_value::<Coverage>(told).ok());
        self.coverage = coverage.map(|told| told.line());
    }

    /// The version for headers; `unknown` where the run did not say.
    pub(super) fn version(&self) -> &str {
        self.version.as_deref().unwrap_or("unknown")
    }

    /// The span that a record is in, with its place in the trace.
    pub(super) fn span(&self, record: &Record) -> Span {
        let span = Span::of(record);
        Span { parent: span.parent.or_else(|| self.above.clone()), ..span }
    }

    /// What heads of the run's log are called.
    pub(super) fn log_name(&self) -> String {
        format!("aisandbox.run/{}", self.run)
    }
}

/// The last part of a path.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path)
}
