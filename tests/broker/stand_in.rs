//! A Guardian that says yes by a fixed table, built from the real state machine: a door, channels, calls, descriptors.
//!
//! Never judges: what is tested is the protocol between two ends that know only aisandbox-broker(7).

use aisandbox::sys::{Errno, signal, socket};
use aisandbox::wire::broker::{Call, Op, Outcome};
use aisandbox::wire::channel::{GuardianEnd, Received, check_hello, full};
use aisandbox::wire::denial::{Denial, Reason};
use aisandbox::wire::frame::{ChannelId, MOST_FRAME};
use aisandbox::wire::limit::{MOST_CHANNELS, check};
use aisandbox::wire::session::Given;
use aisandbox::wire::subject::Resource;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread::JoinHandle;

/// The run's name.
pub(crate) const RUN: &str = "01KB0000000000000000000000";

/// One channel and its socket.
struct Channel {
    socket: OwnedFd,
    end: GuardianEnd,
}

/// What the loop has seen when it ends.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) calls: usize,
    pub(crate) malformed: usize,
    pub(crate) reasons: Vec<String>,
}

/// Serves a door until every agent has closed it, in a thread.
pub(crate) fn serve(door: OwnedFd) -> JoinHandle<Seen> {
    std::thread::spawn(move || Loop { door, channels: Vec::new(), seen: Seen::default() }.run())
}

/// Serves so many connections to a path, one after the other: each is a channel by itself.
pub(crate) fn serve_path(listener: OwnedFd, count: usize) -> JoinHandle<Seen> {
    std::thread::spawn(move || {
        let (mut seen, mut buffer) = (Seen::default(), vec![0; MOST_FRAME + 1]);
        for _ in 0..count {
            let socket = nix::sys::socket::accept(&listener).unwrap();
            let (length, _) = socket::receive(socket.as_fd(), &mut buffer, true).unwrap();
            check_hello(&buffer[..length]).unwrap();
            let (end, welcome) =
                GuardianEnd::open(ChannelId::random().unwrap(), RUN, "the-token", 300).unwrap();
            socket::send(socket.as_fd(), &welcome, None, false).unwrap();
            let mut channel = Channel { socket, end };
            loop {
                signal::poll(&mut [signal::wants_reading(Some(channel.socket.as_fd()))], -1).unwrap();
                if !serve_one(&mut channel, &mut buffer, &mut seen) {
                    break;
                }
            }
        }
        seen
    })
}

struct Loop {
    door: OwnedFd,
    channels: Vec<Channel>,
    seen: Seen,
}

impl Loop {
    fn run(mut self) -> Seen {
        let mut buffer = vec![0; MOST_FRAME + 1];
        loop {
            let mut waits = vec![signal::wants_reading(Some(self.door.as_fd()))];
            waits.extend(self.channels.iter().map(|one| signal::wants_reading(Some(one.socket.as_fd()))));
            signal::poll(&mut waits, -1).unwrap();
            let ready: Vec<bool> = waits.iter().map(|entry| entry.revents != 0).collect();
            let mut kept = Vec::new();
            for (mut channel, ready) in self.channels.drain(..).zip(&ready[1..]) {
                if !ready || serve_one(&mut channel, &mut buffer, &mut self.seen) {
                    kept.push(channel);
                }
            }
            self.channels = kept;
            if ready[0] && !self.greet(&mut buffer) {
                return self.seen;
            }
        }
    }

    /// False when every agent is gone.
    fn greet(&mut self, buffer: &mut [u8]) -> bool {
        let length = match socket::receive(self.door.as_fd(), buffer, false) {
            Ok((0, _)) | Err(Errno::ECONNRESET) => return false,
            Ok((length, _)) => length,
            Err(_) => 1,
        };
        if check_hello(&buffer[..length]).is_err() {
            self.seen.malformed += 1;
            return true;
        }
        if self.channels.len() >= MOST_CHANNELS {
            socket::send(self.door.as_fd(), &full(), None, false).unwrap();
            return true;
        }
        let (ours, theirs) = socket::message_pair().unwrap();
        let id = ChannelId::random().unwrap();
        let (end, welcome) = GuardianEnd::open(id, RUN, "the-token", 300).unwrap();
        socket::send(self.door.as_fd(), &welcome, Some(theirs.as_fd()), false).unwrap();
        self.channels.push(Channel { socket: ours, end });
        true
    }
}

/// False when the channel is over.
fn serve_one(channel: &mut Channel, buffer: &mut [u8], seen: &mut Seen) -> bool {
    let length = match socket::receive(channel.socket.as_fd(), buffer, false) {
        Ok((0, _)) | Err(Errno::ECONNRESET) => return false,
        Ok((length, None)) => length,
        Ok((_, Some(_))) | Err(_) => {
            seen.malformed += 1;
            return false;
        }
    };
    match channel.end.receive(&buffer[..length]) {
        Ok(Received::Call(call)) => {
            seen.calls += 1;
            answer(channel, call, seen);
            true
        }
        Ok(Received::Surplus { id }) => {
            say(channel, id, denied(Reason::RateLimit, "too many"), &[]);
            true
        }
        Err(_) => {
            seen.malformed += 1;
            false
        }
    }
}

fn answer(channel: &mut Channel, call: Call, seen: &mut Seen) {
    let id = call.id;
    if &*call.token != "the-token" {
        return say(channel, id, denied(Reason::Token, "another token"), &[]);
    }
    if let Err(words) = check(&call.op) {
        return say(channel, id, denied(Reason::Protocol, words), &[]);
    }
    match call.op {
        Op::Ping {} => say(channel, id, Outcome::Done {}, &[]),
        Op::Request { resource: Resource::File { path }, why, .. } if path.starts_with("/granted") => {
            seen.reasons.push(why);
            say(channel, id, Outcome::Pending { request: "8F3K-1".into(), seconds: 300 }, &[]);
            let rotated = channel.end.rotated("the-token", 300).unwrap();
            socket::send(channel.socket.as_fd(), &rotated, None, false).unwrap();
            let granted =
                Outcome::Granted { grant: "8F3K-g1".into(), seconds: Some(60), how: Given::Descriptor };
            say(channel, id, granted, &[]);
        }
        Op::Open { paths, .. } => {
            let files: Vec<Option<File>> = paths.iter().map(|path| File::open(path).ok()).collect();
            let denials = files.iter().filter(|file| file.is_none()).map(|_| denial(Reason::NotFound, ""));
            let opened = Outcome::Opened {
                opened: files.iter().map(Option::is_some).collect(),
                denials: denials.collect(),
            };
            let held: Vec<BorrowedFd<'_>> = files.iter().flatten().map(AsFd::as_fd).collect();
            say(channel, id, opened, &held);
        }
        _ => say(channel, id, denied(Reason::Ceiling, ""), &[]),
    }
}

fn say(channel: &mut Channel, id: u32, outcome: Outcome, descriptors: &[BorrowedFd<'_>]) {
    let frame = channel.end.answer(id, outcome).unwrap();
    socket::send_with(channel.socket.as_fd(), &frame, descriptors, false).unwrap();
}

fn denied(reason: Reason, detail: &str) -> Outcome {
    Outcome::Denied { denial: denial(reason, detail) }
}

fn denial(reason: Reason, detail: &str) -> Denial {
    Denial { id: "d1".into(), reason, detail: detail.into(), what: "a test".into(), at: 0 }
}
