//! The verdict on a log with all that is known besides: the identity that is expected, and what the device has of the
//! run.
//!
//! Never writes. What the device knows can only make a verdict worse.

use super::device_log::{DeviceLog, Known, read as read_device};
use super::hex::Hex;
use super::ledger;
use super::reader::{Found, State, Verdict, each_leaf, read_blocks};
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
}

/// A verdict, and whether somebody vouches for the device.
#[derive(Debug)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// The device's log is here, and has the run.
    pub known: bool,
}

impl Judge {
    /// For logs in `runs`; with an identity, only for those of that device.
    pub fn new(runs: &Path, root: Option<Hex<32>>) -> Self {
        Self { state: runs.parent().unwrap_or(runs).to_owned(), root, devices: BTreeMap::new() }
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
        let (mut verdict, start) = read_blocks(folder, &mut |block| each_leaf(block, each))?;
        let worse = |verdict: &mut Verdict, state, why: &str| {
            if verdict.state != State::Tampered {
                (verdict.state, verdict.why) = (state, Some(why.to_owned()));
            }
        };
        let (Some(start), Some(identity)) = (start, verdict.identity) else {
            return Ok(Judged { verdict, known: false });
        };
        if self.root.is_some_and(|root| root != identity) {
            worse(&mut verdict, State::Tampered, "it is of another device than the one that was named");
        }
        let run: Option<RunId> = start.run.parse().ok();
        let Some(device) = self.device(&identity) else { return Ok(Judged { verdict, known: false }) };
        let known = run.and_then(|run| device.runs.get(&run));
        if known.is_none() && device.state == State::Open {
            worse(&mut verdict, State::Tampered, "the device's log has no such run");
        }
        if let Some(Known { key, end }) = known {
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
        }
        Ok(Judged { known: known.is_some(), verdict })
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
