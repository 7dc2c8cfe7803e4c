//! What the index keeps of a run as a whole: who, what, under which profile, and how it ended.
//!
//! Made of the records of the run alone, and bounded like all else.

use super::fields::kept;
use crate::audit::Record;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The most arguments and bytes of a command that are kept; the record has it all.
const MOST_ARGUMENTS: usize = 16;
const MOST_ARGUMENT: usize = 512;
/// The most bytes of what the run says it could not observe.
const MOST_COVERAGE: usize = 4096;

/// A run in short. What is not known is empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct About {
    /// The profile's name.
    pub profile: Option<String>,
    /// The command, its first arguments.
    pub command: Vec<String>,
    /// The program's path.
    pub program: Option<String>,
    /// Who ran it.
    pub uid: Option<u32>,
    /// Where.
    pub cwd: Option<String>,
    /// Runs above, nearest first.
    pub chain: Vec<String>,
    /// How it ended, in words: `exit 0`, `signal 9`, `not started: STAGE`.
    pub outcome: Option<String>,
    /// Milliseconds it took.
    pub duration_ms: Option<u64>,
    /// A Guardian decided in it.
    pub guarded: bool,
    /// How its network is filtered; empty where the record says nothing of the network.
    pub network: Option<String>,
    /// Layers that were less than whole.
    pub degraded: Vec<String>,
    /// What could be observed, as the run itself says.
    pub coverage: Option<Value>,
    /// Why the log could not be read at all.
    pub unreadable: Option<String>,
    /// When it began and ended, microseconds since 1970.
    #[serde(skip)]
    pub began: Option<i64>,
    /// As `began`.
    #[serde(skip)]
    pub ended: Option<i64>,
}

impl About {
    /// Takes up what this record says of the run.
    pub(super) fn take(&mut self, record: &Record, ts: i64) {
        let text = |name: &str| record.data.pointer(name).and_then(Value::as_str).map(kept);
        match record.event.as_str() {
            "run_start" => self.start(record, ts),
            "run_end" => {
                self.ended = Some(ts);
                self.duration_ms = record.data.pointer("/duration_ms").and_then(Value::as_u64);
                self.outcome = ["code", "signal"].iter().find_map(|way| {
                    let number = record.data.pointer(&format!("/exit/{way}"))?.as_i64()?;
                    Some(format!("{} {number}", if *way == "code" { "exit" } else { way }))
                });
            }
            "launch_failure" => {
                self.ended = Some(ts);
                self.began.get_or_insert(ts);
                self.outcome = Some(format!("not started: {}", text("/stage").unwrap_or_default()));
            }
            "guardian_start" => self.guarded = true,
            "network_start" => self.network = text("/way").or_else(|| Some("filtered".to_owned())),
            "degraded" if self.degraded.len() < MOST_ARGUMENTS => self.degraded.extend(text("/layer")),
            _ => {}
        }
    }

    fn start(&mut self, record: &Record, ts: i64) {
        let text = |name: &str| record.data.pointer(name).and_then(Value::as_str).map(kept);
        let list = |name: &str| -> Vec<String> {
            let items = record.data.pointer(name).and_then(Value::as_array).into_iter().flatten();
            items.filter_map(Value::as_str).take(MOST_ARGUMENTS).map(short).collect()
        };
        self.began = Some(ts);
        self.profile = text("/profile/name");
        self.program = text("/program/path");
        self.cwd = text("/cwd");
        self.command = list("/command/argv");
        self.chain = list("/chain");
        self.uid =
            record.data.pointer("/uid").and_then(Value::as_u64).and_then(|uid| u32::try_from(uid).ok());
        let coverage =
            record.data.pointer("/coverage").filter(|told| told.to_string().len() <= MOST_COVERAGE);
        self.coverage = coverage.cloned();
    }
}

fn short(text: &str) -> String {
    if text.len() <= MOST_ARGUMENT {
        return text.to_owned();
    }
    let end = (0..=MOST_ARGUMENT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or_default())
}
