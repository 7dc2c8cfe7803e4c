//! The verdict on a log with all that is known besides: the identity that is expected, and what the device has of the
//! run.
//!
//! Never writes. What the device knows can only make a verdict worse.

use super::cosign::Witness;
use super::custody::Redaction;
use super::device_log::{Dated, DeviceLog, Known, read as read_device};
use super::hex::Hex;
use super::join::Joined;
use super::ledger;
use super::note::Note;
use super::reader::{Found, State, Verdict, each_leaf, read_blocks};
use super::withhold::digest_of;
use super::witness::Cosigned;
use super::writer::origin;
use crate::audit::AuditError;
use crate::base::RunId;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Judges the logs of one place.
#[derive(Debug)]
pub struct Judge {
    state: PathBuf,
    root: Option<Hex<32>>,
    devices: BTreeMap<[u8; 32], Option<DeviceLog>>,
    witnesses: Vec<Witness>,
    cosigned: Option<PathBuf>,
}

/// A verdict, and whether somebody vouches for the device.
#[derive(Debug)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// The device's log is here, and has the run.
    pub known: bool,
    /// Who cosigned a head of the log, how many leaves it has, and when, in seconds since 1970: of a witness that is not
    /// known, there is no time.
    pub witnessed: Vec<(String, u64, Option<u64>)>,
    /// What the device's log says was withheld, and whether it was.
    pub redactions: Vec<(Dated<Redaction>, bool)>,
}

/// Where the cosigned head of a run is kept, in the folder above the logs.
pub fn cosigned_path(state: &Path, run: &str) -> PathBuf {
    state.join("witness").join(run)
}

impl Judge {
    /// For logs in `runs`; with an identity, only for those of that device.
    pub fn new(runs: &Path, root: Option<Hex<32>>) -> Self {
        let (devices, witnesses, cosigned) = (BTreeMap::new(), Vec::new(), None);
        Self { state: runs.parent().unwrap_or(runs).to_owned(), root, devices, witnesses, cosigned }
    }

    /// The same, which knows these witnesses, and takes a cosigned head from this file where one is named.
    pub fn with_witnesses(self, witnesses: Vec<Witness>, cosigned: Option<PathBuf>) -> Self {
        Self { witnesses, cosigned, ..self }
    }

    /// The verdict on the log in this folder.
    /// # Errors
    /// When it cannot be read.
    pub fn run(&mut self, folder: &Path) -> Result<Judged, AuditError> {
        self.read(folder, &mut |_| {})
    }

    /// The same, and hands over every leaf of a block that holds.
    /// # Errors
    /// As [`Judge::run`].
    pub fn read(&mut self, folder: &Path, each: &mut dyn FnMut(Found<'_>)) -> Result<Judged, AuditError> {
        let first = self.look(folder, each)?;
        // A run that ended between the two readings looks as if its end were missing.
        let may_have_ended = first.verdict.state == State::Truncated && first.verdict.at.is_none();
        if may_have_ended { self.look(folder, &mut |_| {}) } else { Ok(first) }
    }

    fn look(&mut self, folder: &Path, each: &mut dyn FnMut(Found<'_>)) -> Result<Judged, AuditError> {
        // Read first: the log may grow meanwhile, and never gets shorter.
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let kept = self.cosigned.clone().unwrap_or_else(|| cosigned_path(&self.state, &name));
        let (cosigned, mut there) = (Cosigned::read(&kept), None);
        let (mut verdict, start, joined) = read_blocks(folder, &mut |held| {
            each_leaf(held, each);
            let block = held.block;
            if cosigned.as_ref().is_some_and(|seen| seen.size() == block.first + u64::from(block.count)) {
                there = Note::parse(block.note).map(|note| Hex(note.head.root));
            }
        })?;
        let worse = |verdict: &mut Verdict, state, why: &str| {
            if verdict.state != State::Tampered {
                (verdict.state, verdict.why) = (state, Some(why.to_owned()));
            }
        };
        let (Some(start), Some(identity)) = (start, verdict.identity) else {
            return Ok(Judged { verdict, known: false, witnessed: Vec::new(), redactions: Vec::new() });
        };
        let seen = cosigned.filter(|seen| seen.is_of(&origin(&start.run), &start.stable));
        let mut witnessed = Vec::new();
        if let Some(seen) = seen {
            let size = seen.size();
            witnessed.extend(seen.by(&self.witnesses).into_iter().map(|(name, time)| (name, size, time)));
            if size > verdict.leaves {
                worse(&mut verdict, State::Truncated, &format!("a head of {size} leaves was cosigned"));
            } else if there != Some(seen.root()) {
                worse(&mut verdict, State::Tampered, &format!("another head of {size} leaves was cosigned"));
            }
        }
        if self.root.is_some_and(|root| root != identity) {
            worse(&mut verdict, State::Tampered, "it is of another device than the one that was named");
        }
        let run: Option<RunId> = start.run.parse().ok();
        let Some(device) = self.device(&identity) else {
            return Ok(Judged { verdict, known: false, witnessed, redactions: Vec::new() });
        };
        let known = run.and_then(|run| device.runs.get(&run));
        if known.is_none() && device.state == State::Open {
            worse(&mut verdict, State::Tampered, "the device's log has no such run");
        }
        let mut redactions = Vec::new();
        if let Some(Known { key, end, redactions: all, .. }) = known {
            if *key != Some(start.key) {
                worse(&mut verdict, State::Tampered, "the device's log has this run with another key");
            }
            match end {
                Some((size, _, _)) if *size > verdict.leaves => {
                    let why = format!("the device's log has its end at {size} leaves");
                    worse(&mut verdict, State::Truncated, &why);
                }
                Some((size, root, _)) if *size < verdict.leaves || *root != verdict.root => {
                    worse(&mut verdict, State::Tampered, "the device's log has its end with another root");
                }
                _ => {}
            }
            let unknown = compare(&joined, all, &mut redactions);
            if unknown > 0 && matches!(verdict.state, State::Sealed | State::Open) {
                let why = format!(
                    "personal fields of {unknown} leaves are withheld by no redaction of the device's log"
                );
                worse(&mut verdict, State::Truncated, &why);
            }
        }
        Ok(Judged { known: known.is_some(), verdict, witnessed, redactions })
    }

    fn device(&mut self, identity: &Hex<32>) -> Option<&DeviceLog> {
        let folder = ledger::folder(&self.state, &identity.0);
        let read =
            || read_device(&folder).ok().filter(|log| log.identity.is_none_or(|found| found == *identity));
        self.devices.entry(identity.0).or_insert_with(read).as_ref()
    }

    /// Every device's log of this place, by its folder.
    /// # Errors
    /// When one cannot be read.
    pub fn devices(&self) -> Result<Vec<(PathBuf, DeviceLog)>, AuditError> {
        let above = self.state.join("device");
        let mut all: Vec<PathBuf> = match std::fs::read_dir(&above) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(AuditError::io("read the folder", &above, &error)),
            Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        };
        all.sort_unstable();
        all.into_iter().map(|folder| read_device(&folder).map(|log| (folder, log))).collect()
    }
}

/// Compares what was withheld with what the device's log says of it; gives how many leaves it does not explain.
fn compare(joined: &Joined, noted: &[Dated<Redaction>], told: &mut Vec<(Dated<Redaction>, bool)>) -> u64 {
    let mut explained = 0;
    for redaction in noted {
        let found = joined.withheld.get(&redaction.what.id.0);
        let same = found.is_some_and(|indexes| digest_of(indexes) == redaction.what.digest);
        explained += if same { redaction.what.count } else { 0 };
        // Where nothing is open, nothing is left to withhold: another redaction took it, or this is a copy of the leaves.
        told.push((redaction.clone(), same || joined.counts.open == 0));
    }
    joined.counts.withheld.saturating_sub(explained)
}
