//! What is done to logs after they ended: fields withheld, runs held and pruned. The device's log has all of it.
//!
//! Never withholds or removes anything of a run that is held, nor while it cannot be known which are. What it writes is on
//! the disk before anything is gone.

use super::device_log::{DeviceLog, read};
use super::hex::Hex;
use super::ledger::{Entry, Ledger};
use super::reader::State;
use super::withhold::{Withholding, digest_of, overwrite_openings};
use crate::audit::AuditError;
use crate::base::RunId;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Who did something to a log, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Why {
    /// In the words of who did it. It is kept for good: nothing personal belongs here.
    pub reason: String,
    /// The command that did it.
    pub by: String,
    /// The user's id.
    pub uid: u32,
}

/// Fields that were withheld.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Redaction {
    /// Its id, by which the openings of the log name it.
    pub id: Hex<8>,
    /// The class of the fields.
    pub fields: String,
    /// The first leaf.
    pub first: u64,
    /// The last leaf.
    pub last: u64,
    /// How many leaves.
    pub count: u64,
    /// SHA-256 over their indexes, each as u64.
    pub digest: Hex<32>,
    /// Who did it, and why.
    #[serde(flatten)]
    pub why: Why,
}

/// The device's log, held by this process, and what it has of runs.
#[derive(Debug)]
pub struct Custody {
    ledger: Ledger,
    state: PathBuf,
    devices: Vec<DeviceLog>,
}

impl Custody {
    /// Waits until no other process holds it.
    /// # Errors
    /// When it cannot be read or written, or was changed: then nobody knows what is held.
    pub fn open(state: &Path) -> Result<Self, AuditError> {
        let ledger = Ledger::open(state)?;
        Ok(Self { ledger, state: state.to_owned(), devices: known(state)? })
    }

    /// Why a run is held, where it is.
    pub fn held(&self, run: RunId) -> Option<&Why> {
        held_by(&self.devices, run)
    }

    /// Takes away what was made ready, unless the run is held.
    /// # Errors
    /// When it cannot be noted, and then nothing is gone; or when files cannot be changed.
    pub fn withhold(&mut self, run: RunId, ready: Withholding, why: &Why) -> Result<bool, AuditError> {
        let (Some(first), Some(last)) = (ready.indexes().first(), ready.indexes().last()) else {
            return Ok(true);
        };
        if self.held(run).is_some() {
            return Ok(false);
        }
        let redaction = Redaction {
            id: Hex(ready.id()),
            fields: "personal".to_owned(),
            first: *first,
            last: *last,
            count: ready.indexes().len() as u64,
            digest: digest_of(ready.indexes()),
            why: why.clone(),
        };
        self.ledger.note(|place| Entry::Redacted { run: run.to_string(), redaction, place })?;
        ready.carry_out().map(|()| true)
    }

    /// Holds a run: nothing of it is withheld or removed until it is released.
    /// # Errors
    /// When it cannot be noted.
    pub fn hold(&mut self, run: RunId, why: &Why) -> Result<(), AuditError> {
        self.ledger.note(|place| Entry::Held { run: run.to_string(), why: why.clone(), place })?;
        self.again()
    }

    /// Lets go of a run that is held.
    /// # Errors
    /// When it cannot be noted.
    pub fn release(&mut self, run: RunId, why: &Why) -> Result<(), AuditError> {
        self.ledger.note(|place| Entry::Released { run: run.to_string(), why: why.clone(), place })?;
        self.again()
    }

    /// Removes the log of a run that ended, unless it is held; its head stays in the device's log.
    /// # Errors
    /// When it cannot be noted, and then nothing is gone; or when files cannot be removed.
    pub fn prune(&mut self, run: RunId, why: &Why) -> Result<bool, AuditError> {
        if self.held(run).is_some() {
            return Ok(false);
        }
        let folder = self.state.join("runs").join(run.to_string());
        let verdict = super::reader::verify(&folder)?;
        let (size, root, why) = (verdict.leaves, verdict.root, why.clone());
        self.ledger.note(|place| Entry::Pruned { run: run.to_string(), size, root, why, place })?;
        overwrite_openings(&folder)?;
        std::fs::remove_dir_all(&folder)
            .map_err(|error| AuditError::io("remove the log", &folder, &error))?;
        Ok(true)
    }

    fn again(&mut self) -> Result<(), AuditError> {
        self.devices = known(&self.state)?;
        Ok(())
    }
}

/// Why a run is held, where it is, by what all devices of this place have of it.
pub fn held_by(devices: &[DeviceLog], run: RunId) -> Option<&Why> {
    devices.iter().find_map(|device| device.runs.get(&run)?.held.as_ref())
}

/// What all devices of this place have of runs.
/// # Errors
/// When one cannot be read, or was changed.
pub fn known(state: &Path) -> Result<Vec<DeviceLog>, AuditError> {
    let above = state.join("device");
    let entries = match std::fs::read_dir(&above) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|error| AuditError::io("read the folder", &above, &error))?,
    };
    let mut all = Vec::new();
    for entry in entries {
        let folder = entry.map_err(|error| AuditError::io("read the folder", &above, &error))?.path();
        let device = read(&folder)?;
        if device.state == State::Tampered {
            return Err(AuditError::HoldsUnknown { path: folder });
        }
        all.push(device);
    }
    Ok(all)
}
