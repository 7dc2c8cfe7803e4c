//! All sinks of a configuration: made, started, waited for.
//!
//! Everything that is read from files is read when it is opened, before the process is confined.

use super::config::{Config, Kind, Sink, Spool};
use super::cursor::{self, Cursors};
use super::pump::Pump;
use super::push::Push;
use super::ship::{Ship, Store};
use super::status::{Report, Standing};
use super::tries::{GaveUp, Tries};
use super::{Deliver, bulk, hec, journald, lines, s3, syslog};
use crate::audit::log::State;
use crate::audit::open_private;
use crate::sys::Errno;
use serde::Serialize;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Sinks that are ready to begin.
pub struct Work {
    sinks: Vec<(Sink, Way, Cursors)>,
    spool: Spool,
    folder: PathBuf,
    runs: PathBuf,
    _lock: File,
}

/// How a sink ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ended {
    /// Its name.
    pub sink: String,
    /// All that was there arrived.
    pub all: bool,
    /// Messages that arrived.
    pub sent: u64,
    /// The worst log that was met, where one is not sealed.
    pub worst: Option<State>,
    /// Why it did not go on.
    pub trouble: Option<String>,
}

/// Reads certificates and secrets, makes the folders of the cursors, and holds them for this process.
/// # Errors
/// In words.
pub fn open(config: &Config, folder: &Path, runs: &Path) -> Result<Work, String> {
    open_private(folder).map_err(|error| error.to_string())?;
    let lock = cursor::lock(folder).map_err(|errno| match errno {
        Errno::EWOULDBLOCK => format!("another forwarder has {}", folder.display()),
        errno => format!("lock {}: {}", folder.display(), errno.desc()),
    })?;
    let mut sinks = Vec::new();
    for sink in &config.sinks {
        let way = way(sink).map_err(|why| format!("sink {}: {why} ({})", sink.name, sink.asked))?;
        let cursors = Cursors::open(&folder.join(&sink.name)).map_err(|error| error.to_string())?;
        sinks.push((sink.clone(), way, cursors));
    }
    let (folder, runs) = (folder.to_owned(), runs.to_owned());
    Ok(Work { sinks, spool: config.spool, folder, runs, _lock: lock })
}

/// What a sink takes.
enum Way {
    /// Events.
    Events(Box<dyn Deliver>),
    /// Closed segments.
    Segments(Box<dyn Store>),
}

fn way(sink: &Sink) -> Result<Way, String> {
    Ok(Way::Events(match &sink.kind {
        Kind::S3(to) => return Ok(Way::Segments(Box::new(s3::Way::new(to, sink.timeout)?))),
        Kind::Syslog(to) => Box::new(syslog::Way::new(to, sink.timeout)?),
        Kind::Lines(to) => Box::new(lines::Way::new(to, sink.timeout)?),
        Kind::Hec(to) => Box::new(hec::Way::new(to, sink.timeout)?),
        Kind::Bulk(to) => Box::new(bulk::Way::new(to, sink.timeout)?),
        Kind::Journald { socket, format } => Box::new(journald::Way::new(socket, *format, sink.timeout)),
    }))
}

impl Work {
    /// Starts a thread for each sink and waits for them: for ever, or until nothing is left and for at most so long.
    pub fn run(self, patience: Option<Duration>, tell: &(dyn Fn(&str) + Sync)) -> Vec<Ended> {
        let Self { sinks, spool, folder, runs, _lock } = self;
        std::thread::scope(|scope| {
            let started = sinks.into_iter().map(|(sink, way, cursors)| {
                let (runs, folder) = (runs.as_path(), folder.as_path());
                scope.spawn(move || {
                    let report = Report::new(&sink.name, &folder.join(&sink.name), tell);
                    let tries = Tries::new(report, patience);
                    match way {
                        Way::Events(way) => {
                            let push = Push::new(&sink.name, way, tries);
                            let mut pump = Pump::new(&sink, push, cursors, runs, spool);
                            let ended = pump.run();
                            Ended::of(&sink.name, pump.standing(), ended)
                        }
                        Way::Segments(store) => {
                            let mut ship = Ship::new(&sink, store, tries, cursors, runs);
                            let ended = ship.run();
                            Ended::of(&sink.name, ship.standing(), ended)
                        }
                    }
                })
            });
            let started: Vec<_> = started.collect();
            // A panic of one is a fault of ours: the process ends, and the unit starts it anew.
            let ended = started.into_iter().map(|thread| thread.join());
            ended.map(|one| one.unwrap_or_else(|fault| std::panic::resume_unwind(fault))).collect()
        })
    }
}

impl Ended {
    fn of(sink: &str, standing: &Standing, ended: Result<Option<State>, GaveUp>) -> Self {
        let all = ended.is_ok() && standing.trouble.is_none();
        let trouble = standing.trouble.clone();
        let worst = ended.ok().flatten();
        Self { sink: sink.to_owned(), all, sent: standing.sent, worst, trouble }
    }
}
