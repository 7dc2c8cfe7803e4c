//! Reads a device's log: what every run was, and whether an entry is missing.
//!
//! Never writes, but a note of what was handed out. Takes every byte for hostile.

use super::block::{self, Block};
use super::custody::{Redaction, Why};
use super::hex::Hex;
use super::leaf::Leaf;
use super::ledger::{Ending, Entry, Ledger, Reading, origin};
use super::merkle::{Edge, Hash};
use super::note::Note;
use super::reader::State;
use super::segment::name;
use crate::audit::AuditError;
use crate::base::{RunId, WallTime};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// What the device knows of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Known {
    /// The first key of its log.
    pub key: Option<Hex<32>>,
    /// Leaves and root at its end, and how it ended.
    pub end: Option<(u64, Hex<32>, Ending)>,
    /// What was withheld of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redactions: Vec<Dated<Redaction>>,
    /// Why nothing of it may be withheld or removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Why>,
    /// Why its log was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pruned: Option<Dated<Why>>,
}

/// Something, and when it was noted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dated<T> {
    /// RFC 3339 in UTC.
    pub time: String,
    /// What.
    #[serde(flatten)]
    pub what: T,
}

/// The most readings that are told.
const MOST_READS: usize = 1000;

/// Records that were handed out, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Read {
    /// RFC 3339 in UTC.
    pub time: String,
    /// Which, as what, by whom.
    #[serde(flatten)]
    pub reading: Reading,
}

/// Notes in the log of the device in `state` that records were handed out; before they are.
/// # Errors
/// When it could not be written.
pub fn note_read(state: &Path, reading: &Reading) -> Result<(), AuditError> {
    Ledger::open(state)?.read(reading)
}

/// A device's log as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceLog {
    /// The verdict; a device's log is never sealed.
    pub state: State,
    /// The identity that all keys lie under.
    pub identity: Option<Hex<32>>,
    /// Entries.
    pub entries: u64,
    /// Entries that are missing, by the numbers of the keys.
    pub missing: u64,
    /// The first byte that does not hold, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<(u64, String)>,
    /// Records that were handed out, the last ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Read>,
    /// Every run of it.
    #[serde(skip)]
    pub runs: BTreeMap<RunId, Known>,
}

/// Checks a device's log.
/// # Errors
/// When it cannot be read.
pub fn read(folder: &Path) -> Result<DeviceLog, AuditError> {
    let path = folder.join(name(0));
    let bytes =
        std::fs::read(&path).map_err(|error| AuditError::io("read the device's log", &path, &error))?;
    Ok(DeviceLog::of(&bytes))
}

impl DeviceLog {
    /// What these bytes are as a device's log.
    pub fn of(bytes: &[u8]) -> Self {
        let mut log = DeviceLog {
            state: State::Open,
            identity: None,
            entries: 0,
            missing: 0,
            damage: None,
            reads: Vec::new(),
            runs: BTreeMap::new(),
        };
        let (mut edge, mut next, mut at) = (Edge::default(), 0, 0);
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let taken = match block::parse(rest) {
                Ok(block) => log
                    .take(&block, &mut edge, &mut next)
                    .map(|()| block.length)
                    .map_err(|why| (State::Tampered, why)),
                Err(_) if block::is_torn(rest) => {
                    Err((State::Truncated, "the last entry is not whole".to_owned()))
                }
                Err(_) => Err((State::Tampered, "an entry is damaged".to_owned())),
            };
            match taken {
                Ok(length) => at += length,
                Err((state, why)) => {
                    log.state = state;
                    log.damage = Some((at as u64, why));
                    return log;
                }
            }
        }
        if log.missing > 0 {
            log.state = State::Truncated;
        }
        log
    }

    fn take(&mut self, block: &Block<'_>, edge: &mut Edge, next: &mut u64) -> Result<(), String> {
        if block.first != edge.size() {
            return Err("an entry has another place than it says".to_owned());
        }
        let last = block.add_to(edge).ok_or("an entry has impossible lengths")?;
        let leaf = Leaf::parse(last).ok_or("an entry cannot be read")?;
        let entry: Entry = leaf.own().ok_or("an entry cannot be read")?;
        let (key, identity) = entry.place().check().map_err(|_| "the key of an entry is not the device's")?;
        if *self.identity.get_or_insert(Hex(identity)) != Hex(identity) {
            return Err("an entry is of another device".to_owned());
        }
        let note = Note::parse(block.note).ok_or("an entry has no note that can be read")?;
        let head = (note.head.origin.as_str(), note.head.size, note.head.root);
        if head != (origin(&identity).as_str(), edge.size(), edge.root()) || note.check(&key).is_err() {
            return Err("an entry is not what was signed".to_owned());
        }
        let number = entry.place().number;
        self.missing += number.checked_sub(*next).ok_or("a key signed twice")?;
        *next = number + 1;
        self.entries += 1;
        self.keep(entry, leaf.ts)
    }

    fn keep(&mut self, entry: Entry, ts: u64) -> Result<(), String> {
        let id = |run: &str| run.parse::<RunId>().map_err(|_| "an entry names no run".to_owned());
        match entry {
            Entry::Begin { run, key, .. } => self.runs.entry(id(&run)?).or_default().key = Some(key),
            Entry::Read { reading, .. } => {
                if self.reads.len() >= MOST_READS {
                    self.reads.remove(0);
                }
                self.reads.push(Read { time: WallTime(ts.into()).to_string(), reading });
            }
            Entry::Redacted { run, redaction, .. } => {
                let dated = Dated { time: WallTime(ts.into()).to_string(), what: redaction };
                self.runs.entry(id(&run)?).or_default().redactions.push(dated);
            }
            Entry::Held { run, why, .. } => self.runs.entry(id(&run)?).or_default().held = Some(why),
            Entry::Released { run, .. } => self.runs.entry(id(&run)?).or_default().held = None,
            Entry::Pruned { run, why, .. } => {
                let dated = Dated { time: WallTime(ts.into()).to_string(), what: why };
                self.runs.entry(id(&run)?).or_default().pruned = Some(dated);
            }
            Entry::End { run, size, root, how, .. } => {
                self.runs.entry(id(&run)?).or_default().end = Some((size, root, how));
            }
        }
        Ok(())
    }
}

/// What a writer must know to go on.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The edge over what holds, and its bytes.
    pub(super) edge: Edge,
    pub(super) held: u64,
    /// The number of the next key.
    pub(super) numbers: u64,
    /// It was changed, and must not be gone on with.
    pub(super) tampered: bool,
}

/// Finds the end of a device's log, without checking signatures.
pub(super) fn scan(bytes: &[u8]) -> Seen {
    let mut seen = Seen::default();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let Ok(block) = block::parse(rest) else {
            seen.tampered = !block::is_torn(rest);
            break;
        };
        let last = block.add_to(&mut seen.edge);
        let entry: Option<Entry> = last.and_then(Leaf::parse).and_then(|leaf| leaf.own());
        let root: Option<Hash> = Note::parse(block.note).map(|note| note.head.root);
        let Some(entry) = entry.filter(|_| root == Some(seen.edge.root())) else {
            seen.tampered = true;
            break;
        };
        seen.numbers = entry.place().number + 1;
        at += block.length;
        seen.held = at as u64;
    }
    seen
}
