//! Files: the role that serves the FUSE mounts of `ask` entries.
//!
//! Until a person said yes, nothing is there but a name; afterwards either the real thing is mounted in its place, or
//! each call is judged and carried out here. Reads what agents write (names, offsets, data), so it is a process of its
//! own. Never asks anyone itself, never decides what is granted, and ends when the Guardian's socket closes.
#![forbid(unsafe_code)]

mod budget;
mod call;
mod change;
mod channel;
mod entry;
mod held;
#[cfg(test)]
mod hostile_tests;
mod object;
mod opened;
mod redact;
mod report;
mod served;
mod session;
mod tree;

use crate::sys::{Errno, process, socket};
use crate::wire::codec;
use crate::wire::files::ToFiles;
use channel::Channel;
use entry::{DEADLINE, Entry, Place};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use report::Report;
use served::Grant;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// The socket closed, as it should.
const DONE: u8 = 0;
/// The Guardian said what no Guardian says, or the socket failed.
const FAILED: u8 = 125;

/// Serves until the socket closes; gives the exit code.
pub fn serve(socket: OwnedFd) -> u8 {
    // The mode of a new file is the one the agent's own mask left.
    process::set_umask(0);
    let report = Arc::new(Report::new(socket));
    let teller = Arc::clone(&report);
    thread::spawn(move || teller.run());
    let mut entries = BTreeMap::new();
    let code = loop {
        match next(&report, &entries) {
            Ok(Some((message, descriptor))) => {
                if obey(&report, &mut entries, message, descriptor).is_err() {
                    break FAILED;
                }
            }
            Ok(None) => break DONE,
            Err(_) => break FAILED,
        }
    };
    for serving in entries.values() {
        serving.entry.close();
    }
    code
}

type Entries = BTreeMap<u16, Serving>;

/// An entry, and the way to the kernel it is served on.
struct Serving {
    entry: Arc<Entry>,
    channel: Channel,
}

/// The next message; meanwhile questions that nobody answered are given up. `None` when the Guardian is gone.
fn next(report: &Report, entries: &Entries) -> Result<Option<(ToFiles, Option<OwnedFd>)>, Errno> {
    let mut buffer = vec![0; codec::MOST_BYTES];
    loop {
        // Looked at again at the latest after a second, since a question may have begun since.
        let left = entries.values().filter_map(|serving| serving.entry.overdue(DEADLINE)).min();
        let wait = left.unwrap_or(DEADLINE).min(Duration::from_secs(1));
        let wait = if entries.is_empty() { PollTimeout::NONE } else { timeout(wait) };
        let mut ready = [PollFd::new(report.socket(), PollFlags::POLLIN)];
        match poll(&mut ready, wait) {
            Ok(0) | Err(Errno::EINTR) => continue,
            Ok(_) => {}
            Err(errno) => return Err(errno),
        }
        return match socket::receive(report.socket(), &mut buffer, false) {
            Ok((0, _)) | Err(Errno::ECONNRESET) => Ok(None),
            Err(Errno::EAGAIN) => continue,
            Err(errno) => Err(errno),
            Ok((length, descriptor)) => {
                let bytes = buffer.get(..length).unwrap_or_default();
                let message = codec::decode(bytes).map_err(|_| Errno::EBADMSG)?;
                Ok(Some((message, descriptor)))
            }
        };
    }
}

fn timeout(wait: Duration) -> PollTimeout {
    PollTimeout::try_from(wait.saturating_add(Duration::from_millis(1))).unwrap_or(PollTimeout::MAX)
}

/// Does what the Guardian says.
fn obey(
    report: &Arc<Report>,
    entries: &mut Entries,
    message: ToFiles,
    descriptor: Option<OwnedFd>,
) -> Result<(), Errno> {
    match message {
        ToFiles::Entry { entry, folder, uid, gid, serve } => {
            let fuse = descriptor.ok_or(Errno::EBADMSG)?;
            let place = Place { number: entry, folder, uid, gid, serve };
            if entries.contains_key(&entry) {
                return Err(Errno::EBADMSG);
            }
            let made = Arc::new(Entry::new(place, Arc::clone(report))?);
            let channel = start(Arc::clone(&made), fuse, Arc::clone(report))?;
            entries.insert(entry, Serving { entry: made, channel });
        }
        ToFiles::Decided { touch, verdict } => {
            entries.values().for_each(|serving| serving.entry.decide(touch, verdict));
        }
        ToFiles::Grant { entry, actions, bytes } => {
            let object = descriptor.ok_or(Errno::EBADMSG)?;
            let serving = entries.get(&entry).ok_or(Errno::EBADMSG)?;
            serving.entry.grant(Grant { object, actions, bytes });
        }
        ToFiles::Withdraw { entry } => {
            let serving = entries.get(&entry).ok_or(Errno::EBADMSG)?;
            serving.channel.drop_pages(&serving.entry.withdraw());
        }
    }
    Ok(())
}

/// A thread for the session of one entry. When it ends, so do all calls that wait, and the Guardian hears of it.
fn start(entry: Arc<Entry>, fuse: OwnedFd, report: Arc<Report>) -> Result<Channel, Errno> {
    let waiter = Arc::clone(&entry);
    let (channel, end) = channel::start(fuse, move |unique| waiter.interrupt(unique))?;
    thread::spawn(move || {
        // How it ended makes no difference: the mount is gone, or the kernel and fuser do not understand each other.
        drop(session::run(Arc::clone(&entry), end));
        entry.close();
        // A Guardian that does not read finds the entry dead by asking it.
        let _told = report.lost(entry.place.number);
    });
    Ok(channel)
}
