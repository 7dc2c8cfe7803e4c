//! The mirror: the logs of devices as they came, in the layout that `audit verify` reads, and the heads that were cosigned.
//!
//! Only ever appends; what does not verify is taken away again before it is answered, down to what held. Never writes
//! outside its folder: devices, runs and segments are read as numbers before they are part of a path.

use super::find::{Finding, Findings};
use crate::audit::AuditError;
use crate::audit::log::{
    Cosigned, Cosigner, DeviceLog, Follow, Hex, Refused, State, Submission, Verdict, cosigned_path,
};
use crate::base::{RunId, WallTime};
use crate::server::keep::{make, replace};
use crate::sys::Errno;
use serde::Serialize;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most bytes of a segment, with room for its last block.
const MOST_SEGMENT: u64 = 84 << 20;
/// The most bytes of a device's own log.
const MOST_DEVICE_LOG: u64 = 256 << 20;
/// Logs that are kept open.
const MOST_OPEN: usize = 64;

/// Whose log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Log {
    /// A run's.
    Run(RunId),
    /// The device's own.
    Device,
}

impl Log {
    /// Reads a run id, or `device`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text == "device" { Some(Self::Device) } else { text.parse().ok().map(Self::Run) }
    }

    fn name(&self) -> String {
        match self {
            Self::Run(run) => run.to_string(),
            Self::Device => "device".to_owned(),
        }
    }
}

/// What there is of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Held {
    /// Bytes of each segment.
    pub(super) segments: Vec<u64>,
    /// Leaves that hold.
    pub(super) leaves: u64,
    /// What it is found to be.
    pub(super) state: Option<State>,
    /// Leaves under the head that was cosigned last.
    pub(super) cosigned: u64,
}

/// Why something is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum No {
    /// The next byte would be another.
    At(u64),
    /// It does not verify.
    Wrong(String),
    /// There is no such log here.
    None,
    /// A witness's answer.
    Refused(Refused),
    /// The disk is full, or the device's share is.
    Full,
    /// It could not be written.
    Io(String),
}

fn failed(error: &io::Error) -> No {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOSPC | Errno::EDQUOT | Errno::EFBIG) => No::Full,
        _ => No::Io(error.to_string()),
    }
}

impl From<AuditError> for No {
    fn from(error: AuditError) -> Self {
        Self::Io(error.to_string())
    }
}

/// The folder of all, held by one process.
#[derive(Debug)]
pub(super) struct Store {
    root: PathBuf,
    quota: u64,
    inside: Mutex<Inside>,
    _lock: File,
}

#[derive(Debug, Default)]
struct Inside {
    open: HashMap<PathBuf, Follow>,
    /// Bytes of each device.
    used: HashMap<String, u64>,
}

impl Store {
    /// Opens the folder, which must be the caller's own, and locks it.
    /// # Errors
    /// When another collector has it, or it cannot be made.
    pub(super) fn open(root: &Path, quota: u64) -> Result<Self, String> {
        crate::audit::open_private(root).map_err(|error| error.to_string())?;
        let lock =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(root.join("lock"));
        let lock = lock.map_err(|error| format!("lock the store: {error}"))?;
        lock.try_lock().map_err(|_| "another collector has this store".to_owned())?;
        Ok(Self { root: root.to_owned(), quota, inside: Mutex::default(), _lock: lock })
    }

    /// What was found wrong.
    pub(super) fn findings(&self) -> Findings {
        Findings::of(&self.root)
    }

    fn device(&self, device: &Hex<32>) -> PathBuf {
        folder(&self.root, device)
    }

    fn place(&self, device: &Hex<32>, log: &Log) -> PathBuf {
        let at = self.device(device);
        match log {
            Log::Run(run) => at.join("runs").join(run.to_string()),
            Log::Device => at.join("device").join(device.to_string().get(..16).unwrap_or_default()),
        }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is of a log.
    pub(super) fn held(&self, device: &Hex<32>, log: &Log) -> Result<Held, No> {
        self.look(&mut self.inside(), device, log)
    }

    fn look(&self, inside: &mut Inside, device: &Hex<32>, log: &Log) -> Result<Held, No> {
        let at = self.place(device, log);
        let segments = lengths(&at);
        if segments.is_empty() {
            return Err(No::None);
        }
        let Log::Run(run) = log else {
            let read = crate::audit::log::read_device(&at)?;
            return Ok(Held { segments, leaves: read.entries, state: Some(read.state), cosigned: 0 });
        };
        let verdict = follow(inside, &at)?;
        let cosigned = Cosigned::read(&cosigned_path(&self.device(device), &run.to_string()));
        let cosigned = cosigned.map_or(0, |last| last.size());
        Ok(Held { segments, leaves: verdict.leaves, state: Some(verdict.state), cosigned })
    }

    /// Adds bytes behind the first `from` of a segment; they are on the disk, and hold, when this returns.
    pub(super) fn append(
        &self,
        device: &Hex<32>,
        log: &Log,
        (number, from): (u32, u64),
        bytes: &[u8],
    ) -> Result<Held, No> {
        let mut inside = self.inside();
        let at = self.place(device, log);
        let there = lengths(&at);
        let (count, now) = (there.len(), there.get(number as usize).copied().unwrap_or(0));
        let is_next = number as usize == count || number as usize + 1 == count;
        if !is_next || from != now || (*log == Log::Device && number > 0) {
            return Err(No::At(if is_next { now } else { there.last().copied().unwrap_or(0) }));
        }
        let most = if *log == Log::Device { MOST_DEVICE_LOG } else { MOST_SEGMENT };
        if now + bytes.len() as u64 > most {
            return Err(No::Wrong("a segment is never that long".to_owned()));
        }
        let used = self.used(&mut inside, device);
        if used.saturating_add(bytes.len() as u64) > self.quota {
            return Err(No::Full);
        }
        write(&at, number, now, bytes).map_err(|error| failed(&error))?;
        inside.used.insert(device.to_string(), used + bytes.len() as u64);
        let checked = match log {
            Log::Run(_) => self.check_run(&mut inside, device, &at, (number, now)),
            Log::Device => check_device(device, &at, now),
        };
        if let Err(why) = checked {
            inside.used.remove(&device.to_string());
            self.findings().add(&Finding::now(device, &log.name(), "refused", &why));
            return Err(No::Wrong(why));
        }
        self.look(&mut inside, device, log)
    }

    fn used(&self, inside: &mut Inside, device: &Hex<32>) -> u64 {
        let count = || total(&self.device(device));
        *inside.used.entry(device.to_string()).or_insert_with(count)
    }

    /// Checks what came; what does not hold is taken away down to what does.
    fn check_run(
        &self,
        inside: &mut Inside,
        device: &Hex<32>,
        at: &Path,
        (number, before): (u32, u64),
    ) -> Result<(), String> {
        let verdict = follow(inside, at).map_err(|no| format!("{no:?}"))?;
        let log = inside.open.get(at);
        let of_another = log.and_then(Follow::keys).is_some_and(|(identity, _)| identity != *device);
        if of_another {
            inside.open.remove(at);
            std::fs::remove_dir_all(at).map_err(|error| error.to_string())?;
            return Err("it is the log of another device".to_owned());
        }
        if verdict.state != State::Tampered {
            return Ok(());
        }
        let (segment, held) = log.map_or((number, before), Follow::held);
        inside.open.remove(at);
        let cut = |number: u32, to: u64| {
            let path = at.join(segment_name(number));
            if to == 0 { std::fs::remove_file(path) } else { truncate(&path, to) }
        };
        let back = if segment == number {
            cut(number, held)
        } else {
            cut(number, 0).and_then(|()| cut(segment, held))
        };
        back.map_err(|error| error.to_string())?;
        Err(verdict.why.unwrap_or_default())
    }

    /// Cosigns a head, and keeps it before it is said: the lines of the answer.
    pub(super) fn cosign(
        &self,
        device: &Hex<32>,
        run: RunId,
        asked: &Submission,
        by: &Cosigner,
    ) -> Result<String, No> {
        let mut inside = self.inside();
        let at = self.place(device, &Log::Run(run));
        if lengths(&at).is_empty() {
            return Err(No::None);
        }
        let verdict = follow(&mut inside, &at)?;
        let (_, stable) = inside.open.get(&at).and_then(Follow::keys).ok_or(No::None)?;
        let kept = cosigned_path(&self.device(device), &run.to_string());
        let last = Cosigned::read(&kept);
        if let Err(why) = asked.check(&stable, last.as_ref()) {
            self.note(device, run, asked, (why, last.as_ref()));
            return Err(No::Refused(why));
        }
        if asked.size() == verdict.leaves && asked.root() != verdict.root {
            let what = "split view: another root than that of the log that was sent";
            self.findings().add(&Finding::of(device, &run.to_string(), "split", what, asked, last.as_ref()));
            return Err(No::Refused(Refused::Inconsistent));
        }
        let time = u64::try_from(WallTime::now().0 / 1_000_000_000).unwrap_or(0);
        let cosigned = asked.cosign(&stable, by, time).map_err(|errno| No::Io(errno.to_string()))?;
        replace(&kept, cosigned.text().as_bytes()).map_err(|error| failed(&error))?;
        Ok(cosigned.lines())
    }

    /// A submission that the log's own key signed, and that contradicts what was cosigned, is evidence.
    fn note(
        &self,
        device: &Hex<32>,
        run: RunId,
        asked: &Submission,
        (why, last): (Refused, Option<&Cosigned>),
    ) {
        let last_size = last.map_or(0, Cosigned::size);
        let (kind, what) = match why {
            Refused::Unsigned => return,
            Refused::Conflict(_) | Refused::Backwards if asked.size() < last_size => {
                ("older", "an older size than was cosigned: its log was cut, or comes from a copy")
            }
            Refused::Conflict(_)
                if asked.size() == last_size && last.map(Cosigned::root) != Some(asked.root()) =>
            {
                ("split", "split view: two heads of one size")
            }
            Refused::Inconsistent => ("split", "split view: it did not grow from the head that was cosigned"),
            Refused::Conflict(_) | Refused::Backwards => return,
        };
        self.findings().add(&Finding::of(device, &run.to_string(), kind, what, asked, last));
    }

    /// The head of a run that was cosigned last.
    pub(super) fn cosigned(&self, device: &Hex<32>, run: RunId) -> Option<Cosigned> {
        Cosigned::read(&cosigned_path(&self.device(device), &run.to_string()))
    }
}

/// The folder of a device in a store.
pub(super) fn folder(root: &Path, device: &Hex<32>) -> PathBuf {
    root.join("devices").join(device.to_string())
}

fn segment_name(number: u32) -> String {
    format!("{number:08}.seg")
}

/// The bytes of every segment of a log.
fn lengths(at: &Path) -> Vec<u64> {
    let length = |number| std::fs::metadata(at.join(segment_name(number))).ok().map(|facts| facts.len());
    (0..).map_while(length).collect()
}

/// All bytes below a folder.
fn total(at: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(at) else { return 0 };
    let each = entries.flatten().filter_map(|entry| {
        let facts = entry.metadata().ok()?;
        Some(if facts.is_dir() { total(&entry.path()) } else { facts.len() })
    });
    each.sum()
}

/// Reads on in a log, and gives the verdict so far.
fn follow(inside: &mut Inside, at: &Path) -> Result<Verdict, No> {
    if !inside.open.contains_key(at) {
        if inside.open.len() >= MOST_OPEN {
            inside.open.clear();
        }
        inside.open.insert(at.to_owned(), Follow::open(at)?);
    }
    let log = inside.open.get_mut(at).ok_or(No::None)?;
    Ok(log.more(&mut |_| {})?)
}

/// The device's own log is checked as a whole: it is short.
fn check_device(device: &Hex<32>, at: &Path, before: u64) -> Result<(), String> {
    let path = at.join(segment_name(0));
    let bytes = std::fs::read(&path).map_err(|error| error.to_string())?;
    let read = DeviceLog::of(&bytes);
    let wrong = match (read.state, read.identity) {
        (_, Some(identity)) if identity != *device => "it is the log of another device".to_owned(),
        (State::Tampered, _) => read.damage.map_or_else(String::new, |(_, why)| why),
        _ => return Ok(()),
    };
    let back = if before == 0 { std::fs::remove_file(&path) } else { truncate(&path, before) };
    back.map_err(|error| error.to_string())?;
    Err(wrong)
}

fn truncate(path: &Path, to: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(to)?;
    file.sync_data()
}

/// Adds bytes to a segment. After an error it is as long as before.
fn write(at: &Path, number: u32, before: u64, bytes: &[u8]) -> io::Result<()> {
    make(at)?;
    let path = at.join(segment_name(number));
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(&path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_data());
    if let Err(error) = written {
        let back = if before == 0 { std::fs::remove_file(&path) } else { file.set_len(before) };
        back.and(Err(error))
    } else if before == 0 {
        File::open(at)?.sync_all()
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
