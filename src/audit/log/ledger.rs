//! The device's log: which runs began, how each ended, every block signed by the device's next key.
//!
//! A run that was removed shows in it, and an entry that was removed from it shows by the number of its key. Never
//! repairs what was changed: then the device begins anew under another identity, and the old log stays as it is. It is
//! not waited for until it is on the disk: a power loss can take its last entries, and then says so.

use super::batch::Batch;
use super::custody::{Redaction, Why};
use super::device::{Cert, Keys, Place, run_text};
use super::hex::Hex;
use super::key_file::{self, Kept};
use super::leaf::encode;
use super::merkle::{Edge, Hash};
use super::note::{Head, signature_line};
use crate::audit::AuditError;
use crate::audit::private::open_private;
use crate::base::{RunId, to_hex};
use crate::crypto::{Secret, public_key, sign};
use crate::sys::Errno;
use crate::sys::file::openat;
use serde::{Deserialize, Serialize};
use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What a device signs about runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "event", content = "data")]
pub enum Entry {
    /// A run began, with these first keys.
    #[serde(rename = "device.begin")]
    Begin {
        /// The run.
        run: String,
        /// The key of its first block.
        key: Hex<32>,
        /// Its stable key.
        stable: Hex<32>,
        /// The key that signs this entry.
        place: Place,
    },
    /// Records were handed out.
    #[serde(rename = "device.read")]
    Read {
        /// Which, as what, by whom.
        #[serde(flatten)]
        reading: Reading,
        /// The key that signs this entry.
        place: Place,
    },
    /// Personal fields of a run were withheld.
    #[serde(rename = "log.redacted")]
    Redacted {
        /// The run.
        run: String,
        /// Which, by whom, why.
        #[serde(flatten)]
        redaction: Redaction,
        /// The key that signs this entry.
        place: Place,
    },
    /// Nothing of a run may be withheld or removed from here on.
    #[serde(rename = "log.held")]
    Held {
        /// The run.
        run: String,
        /// By whom, why.
        #[serde(flatten)]
        why: Why,
        /// The key that signs this entry.
        place: Place,
    },
    /// A run is not held any more.
    #[serde(rename = "log.released")]
    Released {
        /// The run.
        run: String,
        /// By whom, why.
        #[serde(flatten)]
        why: Why,
        /// The key that signs this entry.
        place: Place,
    },
    /// The log of a run was removed.
    #[serde(rename = "log.pruned")]
    Pruned {
        /// The run.
        run: String,
        /// Leaves that its log had.
        size: u64,
        /// The root over them.
        root: Hex<32>,
        /// By whom, why.
        #[serde(flatten)]
        why: Why,
        /// The key that signs this entry.
        place: Place,
    },
    /// The log of a run ended, or was found without an end.
    #[serde(rename = "device.end")]
    End {
        /// The run.
        run: String,
        /// Leaves of its log.
        size: u64,
        /// The root over them.
        root: Hex<32>,
        /// How it ended.
        how: Ending,
        /// The key that signs this entry.
        place: Place,
    },
}

impl Entry {
    /// The key that signs the block of this entry.
    pub fn place(&self) -> &Place {
        match self {
            Self::Begin { place, .. }
            | Self::Read { place, .. }
            | Self::Redacted { place, .. }
            | Self::Held { place, .. }
            | Self::Released { place, .. }
            | Self::Pruned { place, .. }
            | Self::End { place, .. } => place,
        }
    }
}

/// Records that were handed out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Reading {
    /// The command, or what else served them.
    pub by: String,
    /// The user's id.
    pub uid: u32,
    /// The form they went out in.
    pub format: String,
    /// The runs; the first of many.
    pub runs: Vec<String>,
    /// How many runs in all.
    pub all: u64,
    /// The role of who asked over a socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Who that was, by the name in its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}

/// How the log of a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Sealed by its launcher.
    Sealed,
    /// It could not go on.
    Suspended,
    /// Its launcher was killed. What of the last block was there is in `torn.quarantine`.
    Recovered {
        /// Bytes moved there.
        cut: u64,
    },
    /// It was found changed.
    Tampered,
    /// It was not found.
    Missing,
}

/// What precedes an entry when something went wrong before.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(tag = "event", content = "data")]
pub(in crate::audit) enum Before {
    /// The device is new, or its keys or log were damaged.
    #[serde(rename = "device.enrolled")]
    Enrolled {
        /// Its identity.
        identity: Hex<32>,
        /// Why it has a new one.
        why: &'static str,
    },
    /// A torn end of the device's log was moved aside.
    #[serde(rename = "device.recovered")]
    Recovered {
        /// Bytes moved.
        cut: u64,
        /// Leaves before them.
        leaves: u64,
    },
}

/// The device's log and keys, held by one process at a time.
#[derive(Debug)]
pub(super) struct Ledger {
    keys: File,
    log: File,
    state: PathBuf,
    folder: PathBuf,
    kept: Option<Kept>,
    before: Batch,
}

/// What heads of a device's log are called.
pub(super) fn origin(identity: &Hash) -> String {
    format!("aisandbox.device/{}", to_hex(identity))
}

/// Whether this is the folder of a device that writes there.
pub(super) fn has_keys(state: &Path) -> bool {
    state.join("keys/device").exists()
}

/// The folder of a device's log.
pub(super) fn folder(state: &Path, identity: &Hash) -> PathBuf {
    state.join("device").join(to_hex(identity.first_chunk::<8>().unwrap_or(&[0; 8])))
}

impl Ledger {
    /// Waits until no other process holds them. A new device is enrolled at once.
    /// # Errors
    /// As open(2), or when a folder is open to others.
    pub(super) fn open(state: &Path) -> Result<Self, AuditError> {
        let keys_folder = open_private(&state.join("keys"))?;
        let path = state.join("keys/device");
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_NOFOLLOW;
        let keys = openat(keys_folder.as_fd(), c"device", flags, 0o600).map(File::from);
        let keys =
            keys.map_err(|errno| AuditError::Io { what: "open the keys", path: path.clone(), errno })?;
        keys.lock().map_err(|error| AuditError::io("lock the keys", &path, &error))?;
        let failed = |error: std::io::Error| AuditError::io("read the keys", &path, &error);
        let known = key_file::read(&keys).map_err(failed)?;
        let new = keys.metadata().map_err(failed)?.len() == 0;
        match known {
            Some(kept) => Self::with(state, keys, kept)?.reconciled(),
            None => Self::enrol(state, keys, if new { "new" } else { "the keys were damaged" }),
        }
    }

    fn with(state: &Path, keys: File, kept: Kept) -> Result<Self, AuditError> {
        let path = folder(state, &kept.keys.identity);
        open_private(&state.join("device"))?;
        let at = open_private(&path)?;
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_APPEND | libc::O_NOFOLLOW;
        let name = CString::new(super::segment::name(0)).unwrap_or_default();
        let log = openat(at.as_fd(), &name, flags, 0o600).map(File::from);
        let log =
            log.map_err(|errno| AuditError::Io { what: "open the device's log", path: path.clone(), errno })?;
        Ok(Self { keys, log, state: state.to_owned(), folder: path, kept: Some(kept), before: Batch::new() })
    }

    fn enrol(state: &Path, keys: File, why: &'static str) -> Result<Self, AuditError> {
        let new = Keys::enrol().map_err(|errno| AuditError::Keys { errno })?;
        let identity = Hex(new.identity);
        let mut ledger = Self::with(state, keys, Kept { keys: new, edge: Edge::default(), log_bytes: 0 })?;
        ledger.before.push(&encode(&Before::Enrolled { identity, why })?);
        Ok(ledger)
    }

    fn failed(&self, what: &'static str) -> impl Fn(std::io::Error) -> AuditError + use<> {
        let path = self.folder.clone();
        move |error| AuditError::io(what, &path, &error)
    }

    /// The log may be ahead of the keys (killed between the two writes), behind them or torn (power loss), or changed.
    fn reconciled(mut self) -> Result<Self, AuditError> {
        let failed = self.failed("read the device's log");
        let length = self.log.metadata().map_err(&failed)?.len();
        let Some(mut kept) = self.kept.take() else { return Ok(self) };
        if length != kept.log_bytes {
            let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
            self.log.read_exact_at(&mut bytes, 0).map_err(&failed)?;
            let seen = super::device_log::scan(&bytes);
            if seen.tampered {
                let keys = self.keys.try_clone().map_err(&failed)?;
                return Self::enrol(&self.state, keys, "the device's log was changed");
            }
            while kept.keys.used < seen.numbers {
                kept.keys.take().map_err(|errno| AuditError::Keys { errno })?;
            }
            let cut = length - seen.held;
            if cut > 0 {
                super::recover::cut(&self.folder, &self.log, &bytes, seen.held)?;
                self.before.push(&encode(&Before::Recovered { cut, leaves: seen.edge.size() })?);
            }
            (kept.edge, kept.log_bytes) = (seen.edge, seen.held);
        }
        self.kept = Some(kept);
        Ok(self)
    }

    /// Notes that a run begins; its first keys are the device's word from here on. Runs whose launcher is gone are
    /// looked after first.
    /// # Errors
    /// When nothing could be written.
    pub(super) fn begin(&mut self, run: RunId, key: &Hex<32>, stable: &Hex<32>) -> Result<Cert, AuditError> {
        super::recover::orphans(self, &self.state.clone(), &self.folder.clone(), run)?;
        super::recover::mark(&self.folder, run)?;
        let name = run.to_string();
        let mut cert = None;
        self.add(|secret, place| {
            let signed = sign(secret, run_text(&name, key, stable).as_bytes()).map_err(|_| Errno::EINVAL)?;
            cert = Some(Cert { place: place.clone(), signature: Hex(signed) });
            Ok(Entry::Begin { run: name.clone(), key: *key, stable: *stable, place })
        })?;
        cert.ok_or(AuditError::Keys { errno: Errno::EINVAL })
    }

    /// Notes that records were handed out.
    /// # Errors
    /// When it could not be written.
    pub(super) fn read(&mut self, reading: &Reading) -> Result<(), AuditError> {
        self.add(|_, place| Ok(Entry::Read { reading: reading.clone(), place }))
    }

    /// Notes what is done to a log; it is on the disk when this returns.
    /// # Errors
    /// When it could not be written.
    pub(super) fn note(&mut self, entry: impl FnOnce(Place) -> Entry) -> Result<(), AuditError> {
        self.add(|_, place| Ok(entry(place)))?;
        self.log.sync_data().map_err(self.failed("sync the device's log"))
    }

    /// Notes how the log of a run ended.
    /// # Errors
    /// When it could not be written.
    pub(super) fn end(&mut self, run: RunId, size: u64, root: &Hash, how: Ending) -> Result<(), AuditError> {
        let (run_name, root) = (run.to_string(), Hex(*root));
        self.add(|_, place| Ok(Entry::End { run: run_name.clone(), size, root, how, place }))?;
        super::recover::unmark(&self.folder, run);
        Ok(())
    }

    /// Adds an entry. The log is written before the keys: an entry whose key is still in the file is found again.
    fn add(&mut self, entry: impl FnOnce(&Secret, Place) -> Result<Entry, Errno>) -> Result<(), AuditError> {
        let keys = |errno| AuditError::Keys { errno };
        let (write, write_keys) = (self.failed("write to the device's log"), self.failed("write the keys"));
        let Some(kept) = &mut self.kept else { return Err(keys(Errno::EINVAL)) };
        let (secret, place) = kept.keys.take().map_err(keys)?;
        let mut batch = std::mem::take(&mut self.before);
        batch.push(&encode(&entry(&secret, place).map_err(keys)?)?);
        let edge = kept.edge.with(batch.leaves());
        let head = Head::at(origin(&kept.keys.identity), &edge);
        let (public, text) = (public_key(&secret), head.text());
        let signature = sign(&secret, text.as_bytes()).map_err(|_| keys(Errno::EINVAL))?;
        drop(secret);
        let line = signature_line(&head.origin, &public.map_err(|_| keys(Errno::EINVAL))?, &signature);
        let block = batch.finish(kept.edge.size(), format!("{text}\n{line}").as_bytes());
        let (block, _) = block.ok_or(AuditError::Encode { why: "the entry is too large".to_owned() })?;
        if let Err(errno) = crate::sys::fd::write_all(self.log.as_fd(), block) {
            self.log.set_len(kept.log_bytes).map_err(&write)?;
            return Err(write(errno.into()));
        }
        kept.log_bytes += block.len() as u64;
        kept.edge = edge;
        key_file::write(&self.keys, kept).map_err(write_keys)
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        // A child that was forked meanwhile may hold the descriptor a moment longer.
        if let Err(error) = self.keys.unlock() {
            tracing::debug!("the keys stay locked: {error}");
        }
    }
}
