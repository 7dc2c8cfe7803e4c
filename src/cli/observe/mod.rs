//! What init observes of calls becomes records: a thread of the launcher reads, folds what is alike, and writes.
//!
//! Never drops one: a log that has no room makes this wait, this makes init wait, and init the agent. A log that fails ends
//! the run: init finds nobody who hears.

mod fold;
mod strict;

pub(super) use strict::shown_from_the_start;

use super::record::Record;
use crate::audit::{AuditError, SharedLog};
use crate::launch::Running;
use crate::launch::observed::Observations;
use crate::plan::Plan;
use crate::profile::AuditMode;
use crate::sys::{Errno, signal};
use fold::Fold;
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Starts to record what is observed, where anything is. In a run without a Guardian the log has no thread yet.
pub(super) fn begin(
    running: &mut Running,
    plan: &Plan,
    record: &Record,
    guarded: bool,
) -> Result<Option<Observer>, String> {
    let observations = running.take_observations();
    if observations.is_some() && !guarded {
        let durable = plan.profile.audit == AuditMode::Durable;
        record.log().start_thread(durable).map_err(|error| format!("start the log's thread: {error}"))?;
    }
    let start = |observations| Observer::start(observations, record.log());
    observations.map(start).transpose().map_err(|error| format!("start to observe: {error}"))
}

/// The thread.
#[derive(Debug)]
pub(super) struct Observer(JoinHandle<Result<(), String>>);

impl Observer {
    /// Starts it. The sandbox is cloned: from here on there may be threads.
    fn start(observations: Observations, log: SharedLog) -> std::io::Result<Self> {
        let thread = std::thread::Builder::new().name("observe".into());
        Ok(Self(thread.spawn(move || serve(&observations, &log))?))
    }

    /// Waits until all is written. Init must have ended.
    pub(super) fn end(self) -> Result<(), String> {
        self.0.join().unwrap_or_else(|_| Err("the thread that writes what is observed panicked".to_owned()))
    }
}

fn serve(observations: &Observations, log: &SharedLog) -> Result<(), String> {
    let begun = Instant::now();
    let mut fold = Fold::default();
    let mut room = Vec::new();
    let write = |events: Vec<crate::audit::Event>| {
        events.iter().try_for_each(|event| log.note(event)).map_err(|error: AuditError| error.to_string())
    };
    loop {
        let now = begun.elapsed();
        write(fold.due(now))?;
        match observations.next(&mut room) {
            Ok(Some((observed, process))) => {
                if let Some(process) = process {
                    pid_of(&process).into_iter().for_each(|pid| fold.met(observed.pid, pid));
                    if observations.met().is_err() {
                        tracing::debug!("init is gone, and does not wait for a word any more");
                    }
                }
                write(fold.take(observed, now))?;
            }
            Ok(None) => return write(fold.end(now)),
            Err(Errno::EAGAIN) => {
                let mut waits = [signal::wants_reading(Some(observations.descriptor()))];
                let rest =
                    fold.rest(now).map_or(-1, |rest| signal::poll_time(rest.max(Duration::from_millis(1))));
                signal::poll(&mut waits, rest)
                    .map_err(|errno| format!("wait for what is observed: {errno}"))?;
            }
            Err(errno) => return Err(format!("read what is observed: {errno}")),
        }
    }
}

/// The number of a process here, by its descriptor.
fn pid_of(process: &OwnedFd) -> Option<i32> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", process.as_raw_fd())).ok()?;
    text.lines().find_map(|line| line.strip_prefix("Pid:"))?.trim().parse().ok().filter(|pid| *pid > 0)
}
