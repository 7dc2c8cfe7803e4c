//! What runs beside this sandbox for a program inside it: its streams, the signals to it, and its end.
//!
//! Never makes a sandbox itself: the Guardian starts it, and ends it when this process ends.

use super::broker::{Broker, BrokerError, Heard};
use super::request::Answer;
use crate::sys::signal::{self, SignalSet};
use crate::sys::{Errno, fd};
use crate::wire::broker::{Op, Outcome};
use crate::wire::limit::SIGNALS;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread::JoinHandle;

/// Starts it, and serves it until it has ended; gives its exit code.
/// # Errors
/// Why it was not started, or how it was lost.
pub(super) fn run(mut broker: Broker, op: Op) -> Result<u8, String> {
    let lost = |error: BrokerError| error.to_string();
    let signals = signals().map_err(|errno| format!("receive signals: {errno}"))?;
    let call = broker.send(op).map_err(lost)?;
    let mut streams = None;
    loop {
        let mut waits =
            [broker.descriptor(), signals.as_fd()].map(|descriptor| signal::wants_reading(Some(descriptor)));
        signal::poll(&mut waits, -1).map_err(|errno| format!("wait: {errno}"))?;
        let [heard, told] = waits.map(|wait| wait.revents != 0);
        while let Some(number) = signal::next(signals.as_fd()).ok().flatten().filter(|_| told) {
            if streams.is_none() {
                // Nothing goes yet: our end is its end.
                return Ok(u8::try_from(128 + number).unwrap_or(255));
            }
            broker.send(Op::Signal { call, number }).map_err(lost)?;
        }
        if !heard {
            continue;
        }
        let Heard::Answer(answer, descriptors) = broker.hear().map_err(lost)? else { continue };
        if answer.id != call {
            continue;
        }
        match answer.result {
            Outcome::Pending { .. } => {}
            Outcome::Spawned { run } => {
                tracing::info!("run {run}");
                streams = Some(pass_on(descriptors).ok_or("no streams came with it")?);
            }
            Outcome::Ended { code } => {
                for stream in streams.into_iter().flatten() {
                    drop(stream.join());
                }
                return Ok(code);
            }
            other => return Err(Answer::of(&other).text),
        }
    }
}

/// Signals that are passed on, but those that this process was told to ignore (nohup(1), a shell's background).
fn signals() -> Result<OwnedFd, Errno> {
    let mut passed = Vec::new();
    for number in SIGNALS {
        if !signal::is_ignored(number)? {
            passed.push(number);
        }
    }
    let set = SignalSet::of(&passed);
    set.block()?;
    set.descriptor()
}

/// Three threads, so that a side that does not read holds back only itself. The one for stdin ends with the process.
fn pass_on(descriptors: Vec<OwnedFd>) -> Option<[JoinHandle<()>; 2]> {
    let [input, output, error]: [OwnedFd; 3] = descriptors.try_into().ok()?;
    std::thread::spawn(move || copy(io::stdin().as_fd(), input.as_fd()));
    let output = std::thread::spawn(move || copy(output.as_fd(), io::stdout().as_fd()));
    let error = std::thread::spawn(move || copy(error.as_fd(), io::stderr().as_fd()));
    Some([output, error])
}

fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = fd::read(from, &mut buffer) {
        if fd::write_all(to, buffer.get(..length).unwrap_or_default()).is_err() {
            return;
        }
    }
}
