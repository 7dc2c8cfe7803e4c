//! The chain: each line carries the SHA-256 of the line before it (`prev`) and of its own bytes up to there (`sum`).
//!
//! Pure: makes and reads lines, never touches a file. A chain shows that a line was changed, removed, added or moved,
//! by accident or by someone who does not know it. It cannot show that whole lines at the end were cut off, nor that
//! someone who may write the file made the sums anew: that takes a signature by a key such a person does not have.

use super::AuditError;
use super::event::Event;
use crate::base::{BootInstant, RunId, WallTime, misleads};
use crate::crypto::{Digest, sha256};
use serde::{Deserialize, Serialize};
use std::io;

/// The version of the line format.
pub(super) const VERSION: u32 = 1;

/// What `prev` of the first line is: the digest of a text that only this format and this run have.
pub(super) fn genesis(run: RunId) -> Digest {
    sha256(format!("aisandbox audit chain {VERSION}\n{run}\n").as_bytes())
}

/// The end of a chain that is being written.
#[derive(Debug)]
pub(super) struct Tip {
    run: RunId,
    seq: u64,
    prev: Digest,
}

/// A line that is ready, and the tip behind it.
pub(super) struct NextLine {
    /// The line with its newline.
    pub(super) bytes: Vec<u8>,
    /// What the tip becomes once the line is written.
    pub(super) tip: Tip,
}

impl Tip {
    /// The tip of a chain without lines.
    pub(super) fn new(run: RunId) -> Self {
        Self { run, seq: 0, prev: genesis(run) }
    }

    /// The next line. The tip itself stays until the caller has written it.
    pub(super) fn line(&self, event: &Event) -> Result<NextLine, serde_json::Error> {
        let line = Line {
            v: VERSION,
            seq: self.seq,
            time: WallTime::now().to_string(),
            boot_ms: u64::try_from(BootInstant::now().since_boot().as_millis()).unwrap_or(u64::MAX),
            run: self.run.to_string(),
            prev: self.prev,
            event,
        };
        let mut bytes = Vec::with_capacity(1024);
        write_json(&line, &mut bytes)?;
        bytes.pop();
        let sum = sha256(&bytes);
        bytes.extend(ending(sum).bytes());
        let tip = Self { run: self.run, seq: self.seq + 1, prev: sha256(&bytes) };
        bytes.push(b'\n');
        Ok(NextLine { bytes, tip })
    }
}

/// How a line ends whose bytes before have this digest.
fn ending(sum: Digest) -> String {
    format!(",\"sum\":\"{sum}\"}}")
}

#[derive(Serialize)]
struct Line<'a> {
    v: u32,
    seq: u64,
    time: String,
    boot_ms: u64,
    run: String,
    prev: Digest,
    #[serde(flatten)]
    event: &'a Event,
}

fn write_json(value: &impl Serialize, to: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    value.serialize(&mut serde_json::Serializer::with_formatter(to, Harmless))
}

/// One line of JSON that a terminal can show: what would mislead a reader is written as `\uXXXX`.
/// # Errors
/// When the value has no form in JSON.
pub fn json(value: &impl Serialize) -> Result<String, AuditError> {
    let mut bytes = Vec::new();
    write_json(value, &mut bytes).map_err(|error| AuditError::Encode { why: error.to_string() })?;
    String::from_utf8(bytes).map_err(|error| AuditError::Encode { why: error.to_string() })
}

/// JSON whose strings a terminal can show: what would mislead a reader is written as `\uXXXX`, which is the same
/// string to every parser.
struct Harmless;

impl serde_json::ser::Formatter for Harmless {
    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, to: &mut W, fragment: &str) -> io::Result<()> {
        let mut done = 0;
        for (at, letter) in fragment.char_indices().filter(|(_, letter)| misleads(*letter)) {
            to.write_all(fragment.get(done..at).unwrap_or_default().as_bytes())?;
            for unit in letter.encode_utf16(&mut [0; 2]) {
                write!(to, "\\u{unit:04x}")?;
            }
            done = at + letter.len_utf8();
        }
        to.write_all(fragment.get(done..).unwrap_or_default().as_bytes())
    }
}

/// One line as read back.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Version of the line format.
    pub v: u32,
    /// Place in the log, from 0.
    pub seq: u64,
    /// Wall time, RFC 3339 in UTC.
    pub time: String,
    /// Milliseconds of CLOCK_BOOTTIME.
    pub boot_ms: u64,
    /// The run.
    pub run: String,
    /// Digest of the line before.
    pub prev: Digest,
    /// The event's name.
    pub event: String,
    /// Its fields, as they are: a newer program may have written events this one does not know.
    pub data: serde_json::Value,
    /// Digest of the line's bytes before this field.
    pub sum: Digest,
}

impl Record {
    /// The event as a type; `None` for one this version does not know.
    pub fn known_event(&self) -> Option<Event> {
        serde_json::from_value(serde_json::json!({ "event": self.event, "data": self.data })).ok()
    }
}

/// Follows a chain that is being read.
#[derive(Debug, Default)]
pub(super) struct Follower {
    run: Option<RunId>,
    seq: u64,
    prev: Option<Digest>,
}

impl Follower {
    /// Follows the log of this run only; without it, whatever run the first line names.
    pub(super) fn of(run: Option<RunId>) -> Self {
        Self { run, seq: 0, prev: None }
    }

    /// Takes the next line, without its newline. The error says how it does not follow.
    pub(super) fn take(&mut self, line: &[u8]) -> Result<Record, String> {
        let record: Record =
            serde_json::from_slice(line).map_err(|error| format!("not a record: {error}"))?;
        let ending = ending(record.sum);
        if line.strip_suffix(ending.as_bytes()).is_none_or(|body| sha256(body) != record.sum) {
            return Err("was changed: its sum is not that of its bytes".to_owned());
        }
        if record.v != VERSION {
            return Err(format!("has version {}; this program knows {VERSION}", record.v));
        }
        let run: RunId = record.run.parse().map_err(|error| format!("its run is {error}"))?;
        let expected = *self.run.get_or_insert(run);
        if run != expected {
            return Err(format!("belongs to run {run}, the log to run {expected}"));
        }
        if record.seq != self.seq {
            return Err(format!("has number {}, expected {}", record.seq, self.seq));
        }
        if record.prev != self.prev.unwrap_or_else(|| genesis(run)) {
            return Err("does not follow from the line before".to_owned());
        }
        self.seq += 1;
        self.prev = Some(sha256(line));
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::event::LaunchFailure;

    fn hostile(message: &str) -> Event {
        Event::LaunchFailure(LaunchFailure { stage: "plan".into(), message: message.into(), errno: None })
    }

    #[test]
    fn a_hostile_text_is_one_printable_line_and_comes_back_exactly() {
        let text = "a\n\u{1b}]52;c;aGk=\u{7}\u{202e}\u{e0041}\u{9b}\u{200b}\"\\ caf\u{e9}";
        let line = Tip::new(RunId::from_parts(1, 2)).line(&hostile(text)).unwrap().bytes;
        let shown = str::from_utf8(&line).unwrap().trim_end_matches('\n');
        assert!(!shown.contains('\n') && !shown.chars().any(misleads), "{shown}");
        assert!(shown.contains("caf\u{e9}"));
        let record = Follower::default().take(shown.as_bytes()).unwrap();
        assert_eq!(record.known_event(), Some(hostile(text)));
    }

    #[test]
    fn an_event_of_a_newer_version_is_kept_as_it_is() {
        let tip = Tip::new(RunId::from_parts(1, 2));
        let line = String::from_utf8(tip.line(&hostile("x")).unwrap().bytes).unwrap();
        let newer = line.split_once(",\"sum\":").unwrap().0.replace("launch_failure", "lease_given");
        let newer = newer.clone() + &ending(sha256(newer.as_bytes()));
        let record = Follower::default().take(newer.as_bytes()).unwrap();
        assert_eq!((record.event.as_str(), record.known_event()), ("lease_given", None));
    }
}
