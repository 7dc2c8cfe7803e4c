//! Collector: takes the logs of devices on another host, checks them, keeps them, and cosigns their heads.
//!
//! Never takes a byte that does not verify, never takes one back, and never says that it has or cosigned something before it
//! is on the disk. A client speaks for the devices that are named with it, and for no other.

mod devices;
mod find;
mod key;
mod status;
mod store;

pub use status::{Device, Run, Status, status};

use super::asked::{Answer, Asked, Peer};
use super::http::{Hall, Service};
use super::tls::Tls;
use crate::audit::log::{Cosigner, Hex, MOST_SUBMISSION, Refused, Submission};
use crate::base::RunId;
use devices::Devices;
use http::{Method, StatusCode, header};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use store::{Log, No, Store};

/// The most bytes of one upload.
pub const MOST_UPLOAD: usize = 4 << 20;
/// What the size of a cosigned head is sent as.
const SIZE: &str = "text/x.tlog.size";
const TEXT: &str = "text/plain; charset=utf-8";

/// A collector that is about to serve.
pub struct Collector {
    service: Serving,
    tls: Tls,
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Collector")
    }
}

/// The bytes of the files that a collector starts with.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// Its certificates, PEM.
    pub cert: &'a [u8],
    /// Their key, PEM.
    pub key: &'a [u8],
    /// The authorities of clients, PEM.
    pub client_ca: &'a [u8],
    /// Lines of devices and their clients.
    pub devices: &'a str,
}

impl Collector {
    /// Opens the store, and its witness's key, made with this name where there is none.
    /// # Errors
    /// What is wrong with which.
    pub fn open(root: &Path, name: Option<&str>, quota: u64, files: &Files<'_>) -> Result<Self, String> {
        let store = Store::open(root, quota)?;
        let devices = Devices::read(files.devices).map_err(|why| format!("the devices: {why}"))?;
        let tls = Tls::new(files.cert, files.key, files.client_ca, devices.names())?;
        let cosigner = key::open(root, name)?;
        Ok(Self { service: Serving { store, devices, cosigner }, tls })
    }

    /// What its witness is known by: `NAME+ID+KEY`.
    pub fn witness(&self) -> String {
        self.service.cosigner.witness().text()
    }

    /// Serves until an error that nothing can be done about.
    /// # Errors
    /// That error.
    pub fn serve(self, listener: OwnedFd) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(super::http::HANDS)
            .build()?;
        runtime.block_on(Hall::new(self.service).certified(listener, self.tls))
    }
}

struct Serving {
    store: Store,
    devices: Devices,
    cosigner: Cosigner,
}

impl Service for Serving {
    fn most_body(&self, head: &http::request::Parts) -> usize {
        match head.method {
            Method::PUT => MOST_UPLOAD,
            Method::POST => MOST_SUBMISSION,
            _ => 0,
        }
    }

    fn answer(&self, asked: Asked) -> Answer {
        let Peer::Certified { name } = &asked.peer else {
            return Answer::refusal(StatusCode::FORBIDDEN, "there is no local client here");
        };
        if self.devices.of(name).next().is_none() {
            return Answer::refusal(StatusCode::FORBIDDEN, "this client speaks for no device");
        }
        let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
        match (&asked.method, &path[..]) {
            (&Method::POST, ["add-checkpoint"]) => self.add(name, &asked.body),
            (&Method::GET, ["v1", "health"]) => Answer::json(&serde_json::json!({ "ok": true })),
            (&Method::GET, ["v1", "witness"]) => Answer::of(TEXT, self.cosigner.witness().text() + "\n"),
            (&Method::GET, ["v1", "logs", device, log]) => {
                self.with(name, device, log, |device, log| self.told(self.store.held(device, log)))
            }
            (&Method::PUT, ["v1", "logs", device, log, segment]) => {
                let from = asked.query.get("at").and_then(|text| text.parse().ok());
                let Some((segment, from)) = segment.parse::<u32>().ok().zip(from) else {
                    return Answer::refusal(
                        StatusCode::BAD_REQUEST,
                        "a segment and the byte to go on at are numbers",
                    );
                };
                self.with(name, device, log, |device, log| {
                    self.told(self.store.append(device, log, (segment, from), &asked.body))
                })
            }
            (&Method::GET, ["v1", "checkpoint", device, run]) => {
                self.with(name, device, run, |device, log| {
                    let cosigned = match log {
                        Log::Run(run) => self.store.cosigned(device, *run),
                        Log::Device => None,
                    };
                    match cosigned {
                        Some(cosigned) => Answer::of(TEXT, cosigned.text().to_owned()),
                        None => Answer::refusal(StatusCode::NOT_FOUND, "no head of this run was cosigned"),
                    }
                })
            }
            (&Method::GET | &Method::PUT | &Method::POST, _) => {
                Answer::refusal(StatusCode::NOT_FOUND, "there is nothing at this path")
            }
            _ => Answer::refusal(StatusCode::METHOD_NOT_ALLOWED, "GET, PUT and POST")
                .with(header::ALLOW, "GET, PUT, POST"),
        }
    }
}

impl Serving {
    /// Does something with a log of a device that the client speaks for.
    fn with(
        &self,
        client: &str,
        device: &str,
        log: &str,
        act: impl FnOnce(&Hex<32>, &Log) -> Answer,
    ) -> Answer {
        let named = Hex::parse(device).zip(Log::parse(log));
        let Some((device, log)) = named else {
            return Answer::refusal(
                StatusCode::NOT_FOUND,
                "a device is 64 hex digits, a log a run's id or `device`",
            );
        };
        if !self.devices.of(client).any(|own| *own == device) {
            return Answer::refusal(StatusCode::FORBIDDEN, "this client does not speak for that device");
        }
        act(&device, &log)
    }

    fn told(&self, held: Result<store::Held, No>) -> Answer {
        match held {
            Ok(held) => Answer::json(&serde_json::json!(held)),
            Err(no) => refused(no),
        }
    }

    /// C2SP tlog-witness, `add-checkpoint`.
    fn add(&self, client: &str, body: &[u8]) -> Answer {
        let Some(asked) = Submission::parse(body) else {
            return Answer::refusal(StatusCode::BAD_REQUEST, "it is no submission of a checkpoint");
        };
        let run = asked.origin().strip_prefix("aisandbox.run/").and_then(|run| run.parse::<RunId>().ok());
        let Some(run) = run else { return refused(No::None) };
        let mut answer = Err(No::None);
        for device in self.devices.of(client) {
            answer = self.store.cosign(device, run, &asked, &self.cosigner);
            if answer != Err(No::None) {
                break;
            }
        }
        match answer {
            Ok(lines) => Answer::of(TEXT, lines),
            Err(no) => refused(no),
        }
    }
}

fn refused(no: No) -> Answer {
    match no {
        No::At(at) => {
            let answer = Answer::of(SIZE, format!("{at}\n"));
            Answer { status: StatusCode::CONFLICT, ..answer }
        }
        No::Wrong(why) => Answer::refusal(StatusCode::UNPROCESSABLE_ENTITY, &why),
        No::None => Answer::refusal(StatusCode::NOT_FOUND, "there is no such log here"),
        No::Refused(Refused::Unsigned) => {
            Answer::refusal(StatusCode::FORBIDDEN, "the log's own key did not sign this head")
        }
        No::Refused(Refused::Backwards) => {
            Answer::refusal(StatusCode::BAD_REQUEST, "the old size is greater than the new one")
        }
        No::Refused(Refused::Conflict(size)) => {
            let answer = Answer::of(SIZE, format!("{size}\n"));
            Answer { status: StatusCode::CONFLICT, ..answer }
        }
        No::Refused(Refused::Inconsistent) => Answer::refusal(
            StatusCode::UNPROCESSABLE_ENTITY,
            "the log did not grow from the head that was cosigned",
        ),
        No::Full => Answer::refusal(StatusCode::INSUFFICIENT_STORAGE, "there is no room"),
        No::Io(why) => {
            tracing::warn!("the store: {why}");
            Answer::refusal(StatusCode::INTERNAL_SERVER_ERROR, "the store failed")
        }
    }
}
