//! Mirror: sends what is new of this user's logs to a collector, and keeps what it cosigned beside them.
//!
//! Never changes a log, never takes an answer for more than it is, and goes on from the sizes that the collector has.

use super::client::{Address, Client};
use super::collector::MOST_UPLOAD;
use super::keep::replace;
use super::tls::Connector;
use crate::audit::log::{
    Cosigned, DeviceLog, Hex, State, Submission, Witness, cosigned_path, goes_on, read_device, segment_from,
};
use crate::audit::{AuditError, runs};
use crate::base::RunId;
use bytes::Bytes;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Bytes of one upload.
const PART: usize = MOST_UPLOAD / 2;
/// A run that goes on and says nothing new is cosigned again after so long: silence is then a finding.
const HEARTBEAT: Duration = Duration::from_secs(300);

/// Where to send, and as whom.
#[derive(Debug, Clone, Copy)]
pub struct Way<'a> {
    /// `https://HOST[:PORT]`.
    pub url: &'a str,
    /// The authorities of the collector, PEM.
    pub ca: &'a [u8],
    /// Our certificates, PEM.
    pub cert: &'a [u8],
    /// Their key, PEM.
    pub key: &'a [u8],
}

/// Something that is wrong with a log, or that the collector says so of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// The run, or `device`.
    pub run: String,
    /// `truncated` where the collector has more than is here, `refused` where it does not take what is here.
    pub kind: &'static str,
    /// In words.
    pub what: String,
}

/// What one pass did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Pass {
    /// Logs of runs that were looked at.
    pub runs: u64,
    /// Bytes that were sent.
    pub sent: u64,
    /// Heads that were cosigned.
    pub cosigned: u64,
    /// What is wrong.
    pub trouble: Vec<Trouble>,
}

/// What the collector has of a log.
#[derive(Debug, Clone, Default, Deserialize)]
struct Held {
    segments: Vec<u64>,
    leaves: u64,
    state: Option<State>,
    cosigned: u64,
}

/// Sends logs, one pass after the other.
pub struct Mirror {
    client: Client,
    runtime: tokio::runtime::Runtime,
    dir: PathBuf,
    known: Vec<Witness>,
    /// Sealed, all there, and cosigned to the end.
    done: BTreeSet<RunId>,
    /// Runs whose sending was noted.
    noted: BTreeSet<RunId>,
    /// The size that was cosigned last, and when.
    last: BTreeMap<RunId, (u64, Instant)>,
}

impl std::fmt::Debug for Mirror {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Mirror")
    }
}

/// Told before anything of these runs is sent.
type Note<'n> = &'n mut dyn FnMut(&[PathBuf]);

impl Mirror {
    /// For the logs in `dir`; where witnesses are named, only their word counts.
    /// # Errors
    /// What is wrong with the way.
    pub fn new(dir: &Path, way: &Way<'_>, known: Vec<Witness>) -> Result<Self, String> {
        let address = Address::parse(way.url).ok_or("a collector is https://HOST:PORT")?;
        let connector = Connector::new(way.ca, way.cert, way.key)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let (done, noted, last) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        let client = Client::new(address, connector);
        Ok(Self { client, runtime, dir: dir.to_owned(), known, done, noted, last })
    }

    /// Sends what is new of every log.
    /// # Errors
    /// When the collector cannot be reached, or a log not be read.
    pub fn pass(&mut self, note: Note<'_>) -> Result<Pass, String> {
        let mut pass = Pass::default();
        let state = self.dir.parent().unwrap_or(&self.dir).to_owned();
        let here: BTreeSet<RunId> = runs(&self.dir).map_err(words)?.into_iter().collect();
        for (folder, device) in devices(&state)? {
            let Some(identity) = device.identity else { continue };
            let known: Vec<RunId> = device.runs.keys().copied().filter(|run| here.contains(run)).collect();
            for run in known.into_iter().filter(|run| !self.done.contains(run)).collect::<Vec<_>>() {
                pass.runs += 1;
                self.run(&identity, run, note, &mut pass)?;
            }
            // Last: what it has of runs is there by then.
            self.send(&identity, "device", &folder, &mut pass)?;
        }
        Ok(pass)
    }

    fn ask(
        &mut self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<(StatusCode, Bytes), String> {
        self.runtime.block_on(self.client.ask(method, path, body.into()))
    }

    fn run(&mut self, device: &Hex<32>, run: RunId, note: Note<'_>, pass: &mut Pass) -> Result<(), String> {
        let folder = self.dir.join(run.to_string());
        // Looked at first: what is written until it ends is then sent for sure.
        let alive = goes_on(&folder);
        if self.noted.insert(run) {
            note(std::slice::from_ref(&folder));
        }
        let Some(held) = self.send(device, &run.to_string(), &folder, pass)? else { return Ok(()) };
        let size = self.cosign(run, &folder, &held, alive, pass)?;
        if !alive && held.state == Some(State::Sealed) && size == Some(held.leaves) {
            self.done.insert(run);
        }
        Ok(())
    }

    fn held(&mut self, device: &Hex<32>, log: &str) -> Result<Held, String> {
        let (status, body) = self.ask(Method::GET, &format!("/v1/logs/{device}/{log}"), Bytes::new())?;
        match status {
            StatusCode::OK => {
                serde_json::from_slice(&body).map_err(|_| "the collector's answer makes no sense".to_owned())
            }
            StatusCode::NOT_FOUND => Ok(Held::default()),
            other => Err(refusal(other, &body)),
        }
    }

    /// Sends what the collector lacks of a log; `None` where it does not go on, which is then told.
    fn send(
        &mut self,
        device: &Hex<32>,
        log: &str,
        folder: &Path,
        pass: &mut Pass,
    ) -> Result<Option<Held>, String> {
        let mut held = self.held(device, log)?;
        let mut number = u32::try_from(held.segments.len().saturating_sub(1)).unwrap_or(0);
        let mut again = true;
        let trouble = |kind, what: String| Trouble { run: log.to_owned(), kind, what };
        'segment: loop {
            let at = held.segments.get(number as usize).copied().unwrap_or(0);
            let Some((whole, bytes)) = segment_from(folder, number, at).map_err(words)? else {
                if number == 0 || at > 0 {
                    pass.trouble.push(trouble(
                        "truncated",
                        "the collector has segments that are not here".to_owned(),
                    ));
                    return Ok(None);
                }
                return Ok(Some(held));
            };
            if whole < at {
                let what = format!("segment {number} has {whole} bytes here, and {at} at the collector");
                pass.trouble.push(trouble("truncated", what));
                return Ok(Some(held));
            }
            let mut sent = at;
            for part in bytes.chunks(PART) {
                let path = format!("/v1/logs/{device}/{log}/{number}?at={sent}");
                let (status, body) = self.ask(Method::PUT, &path, part.to_vec())?;
                // An answer was lost on the way: what it has now says where to go on.
                if status == StatusCode::CONFLICT && std::mem::take(&mut again) {
                    held = self.held(device, log)?;
                    continue 'segment;
                }
                if status != StatusCode::OK {
                    pass.trouble.push(trouble("refused", refusal(status, &body)));
                    return Ok(None);
                }
                held = serde_json::from_slice(&body).map_err(|_| "the collector's answer makes no sense")?;
                sent += part.len() as u64;
                pass.sent += part.len() as u64;
            }
            number += 1;
        }
    }

    /// Has the newest head cosigned, where there is a new one or the last word is old; gives the size that is cosigned.
    fn cosign(
        &mut self,
        run: RunId,
        folder: &Path,
        held: &Held,
        alive: bool,
        pass: &mut Pass,
    ) -> Result<Option<u64>, String> {
        if let Some((size, when)) = self.last.get(&run)
            && *size == held.cosigned
            && alive
            && held.leaves == *size
            && when.elapsed() < HEARTBEAT
        {
            return Ok(Some(*size));
        }
        let mut old = held.cosigned;
        for _ in 0..2 {
            let Some(asked) = Submission::of(folder, old).map_err(words)? else { return Ok(None) };
            let trouble = |kind, what| Trouble { run: run.to_string(), kind, what };
            if asked.size() < old {
                let what =
                    format!("a head of {old} leaves was cosigned, and the newest here has {}", asked.size());
                pass.trouble.push(trouble("truncated", what));
            }
            let (status, body) = self.ask(Method::POST, "/add-checkpoint", asked.body())?;
            let text = String::from_utf8_lossy(&body).into_owned();
            match status {
                StatusCode::OK => {
                    let cosigned = asked.answered(&text, &self.known);
                    let cosigned =
                        cosigned.ok_or("the collector's cosignature is not by a witness that was named")?;
                    self.keep(run, &cosigned)?;
                    self.last.insert(run, (cosigned.size(), Instant::now()));
                    pass.cosigned += 1;
                    return Ok(Some(cosigned.size()));
                }
                StatusCode::CONFLICT if text.trim_end().parse::<u64>() != Ok(old) && asked.size() >= old => {
                    old = text.trim_end().parse().map_err(|_| "the collector's answer makes no sense")?;
                }
                _ if asked.size() < old => return Ok(None),
                // A log that is not there yet: nothing of it held.
                StatusCode::NOT_FOUND => return Ok(None),
                other => {
                    pass.trouble.push(trouble("refused", refusal(other, &body)));
                    return Ok(None);
                }
            }
        }
        Ok(None)
    }

    fn keep(&self, run: RunId, cosigned: &Cosigned) -> Result<(), String> {
        let state = self.dir.parent().unwrap_or(&self.dir);
        let kept = replace(&cosigned_path(state, &run.to_string()), cosigned.text().as_bytes());
        kept.map_err(|error| format!("keep a cosigned head: {error}"))
    }
}

/// The logs of devices, by their folders.
fn devices(state: &Path) -> Result<Vec<(PathBuf, DeviceLog)>, String> {
    let above = state.join("device");
    let entries = match std::fs::read_dir(&above) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|error| error.to_string())?,
    };
    let mut all: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    all.sort_unstable();
    all.into_iter().map(|folder| Ok((folder.clone(), read_device(&folder).map_err(words)?))).collect()
}

fn words(error: AuditError) -> String {
    error.to_string()
}

/// What the collector says of a refusal.
fn refusal(status: StatusCode, body: &[u8]) -> String {
    let told: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let why = told.as_ref().and_then(|told| told.pointer("/error/why")?.as_str()).map(str::to_owned);
    let why = why.unwrap_or_else(|| String::from_utf8_lossy(body).trim_end().chars().take(200).collect());
    format!("the collector answers {}: {}", status.as_u16(), crate::base::escape(why.as_bytes()))
}
