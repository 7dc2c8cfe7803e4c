//! The doors to the Guardian: who comes in, and the channels that are open.
//!
//! Parses nothing before its code was checked (`wire::channel`); the first failure ends a channel, too many end the run.
//! Takes no descriptor from an agent: one that is pushed is closed and ends the channel.

use super::channel::{Channel, welcome};
use super::process::Processes;
use super::token::Tokens;
use crate::audit::access::{ChannelClosed, Who};
use crate::sys::{Errno, asker, local, socket};
use crate::wire::broker::{Allowed, Call, Outcome};
use crate::wire::channel::{GuardianEnd, check_hello, full};
use crate::wire::frame::{ChannelId, MOST_FRAME};
use crate::wire::limit::{MOST_CHANNELS, MOST_MALFORMED};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What a channel wants.
#[derive(Debug)]
pub(super) enum Wants {
    /// A call, and the pid of who sent it.
    Call(Box<Call>, Option<i32>),
    /// Nothing now.
    Nothing,
    /// It is over.
    Closed(ChannelClosed),
}

/// What a new channel is made from.
pub(super) struct Fresh<'a> {
    pub(super) run: &'a str,
    pub(super) tokens: &'a Tokens,
    pub(super) allowed: &'a [Allowed],
    /// Seconds of CLOCK_BOOTTIME.
    pub(super) now: u64,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Doors {
    pub(super) door: Option<OwnedFd>,
    pub(super) path: Option<OwnedFd>,
    channels: BTreeMap<u64, Channel>,
    pub(super) rejected: u64,
    buffer: Box<[u8]>,
}

impl Doors {
    /// With the pair's end and the listening socket, where there are any.
    pub(super) fn new(door: Option<OwnedFd>, path: Option<OwnedFd>) -> Self {
        for socket in door.iter().chain(&path) {
            prepare(socket.as_fd());
        }
        let buffer = vec![0; MOST_FRAME + 1].into_boxed_slice();
        Self { door, path, channels: BTreeMap::new(), rejected: 0, buffer }
    }

    /// Too much was malformed: why the run ends.
    pub(super) fn too_much(&self) -> bool {
        self.rejected > u64::from(MOST_MALFORMED)
    }

    /// Every channel, to wait on.
    pub(super) fn channels(&self) -> impl Iterator<Item = (u64, BorrowedFd<'_>, i16)> {
        self.channels.iter().map(|(number, channel)| {
            let sending = if channel.unsent.is_empty() { 0 } else { libc::POLLOUT };
            (*number, channel.socket.as_fd(), libc::POLLIN | sending)
        })
    }

    /// Somebody may be at the shared door. A hello there gets a channel of its own by descriptor.
    pub(super) fn greet(
        &mut self,
        number: u64,
        fresh: &Fresh<'_>,
        processes: &Processes,
    ) -> Option<ChannelClosed> {
        let door = self.door.as_ref()?;
        let message = match asker::receive(door.as_fd(), &mut self.buffer) {
            Ok(message) => message,
            Err(Errno::EAGAIN) => return None,
            // Every process inside has closed its end.
            Err(_) => {
                self.door = None;
                return None;
            }
        };
        if message.length == 0 {
            self.door = None;
            return None;
        }
        let sender = message.sender.as_ref().map(AsFd::as_fd);
        let pid = sender.and_then(|sender| processes.pid_inside(sender));
        let datagram = self.buffer.get(..message.length).unwrap_or_default();
        let wrong = match check_hello(datagram) {
            _ if message.pushed => Some("a descriptor was pushed".to_owned()),
            _ if sender.is_some() && pid.is_none() => Some("it came from outside the sandbox".to_owned()),
            Err(error) => Some(error.to_string()),
            Ok(()) => None,
        };
        if let Some(why) = wrong {
            self.rejected += 1;
            return Some(ChannelClosed { channel: String::new(), why, who: Who::default(), messages: 0 });
        }
        if self.channels.len() >= MOST_CHANNELS {
            say_full(door.as_fd());
            return None;
        }
        let (ours, theirs) = socket::message_pair().ok()?;
        let (end, welcome) = welcome(fresh).ok()?;
        prepare(ours.as_fd());
        if socket::send(door.as_fd(), &welcome, Some(theirs.as_fd()), false).is_ok() {
            self.channels.insert(number, Channel::new(ours, Some(end), fresh.tokens.epoch(), pid));
        }
        None
    }

    /// Somebody connected to the path.
    pub(super) fn admit(&mut self, number: u64) {
        let Some(listener) = &self.path else { return };
        let Ok(connection) = local::accept(listener.as_fd()) else { return };
        if self.channels.len() >= MOST_CHANNELS {
            return say_full(connection.as_fd());
        }
        prepare(connection.as_fd());
        self.channels.insert(number, Channel::new(connection, None, 0, None));
    }

    /// What a channel wants next.
    pub(super) fn next(&mut self, number: u64, fresh: &Fresh<'_>, processes: &Processes) -> Wants {
        let Some(channel) = self.channels.get_mut(&number) else { return Wants::Nothing };
        match channel.next(&mut self.buffer, fresh, processes) {
            Ok(Some(call)) => Wants::Call(Box::new(call), channel.sender),
            Ok(None) => Wants::Nothing,
            Err((why, is_wrong)) => {
                self.rejected += u64::from(is_wrong);
                self.close(number, why)
            }
        }
    }

    fn close(&mut self, number: u64, why: String) -> Wants {
        let Some(channel) = self.channels.remove(&number) else { return Wants::Nothing };
        let name = channel.end.as_ref().map(|end| end.id().to_string()).unwrap_or_default();
        let who = Who {
            process: crate::audit::access::Seen { pid: channel.sender.unwrap_or(0), ..Default::default() },
            parents: Vec::new(),
        };
        Wants::Closed(ChannelClosed { channel: name, why, who, messages: channel.messages })
    }

    /// Sends what waits; a channel that was given up is closed.
    pub(super) fn flush(&mut self, number: u64) -> Option<ChannelClosed> {
        let channel = self.channels.get_mut(&number)?;
        channel.flush();
        let why = channel.closed.clone()?;
        match self.close(number, why) {
            Wants::Closed(closed) => Some(closed),
            _ => None,
        }
    }

    /// The process that wrote last to a channel, by its pid outside.
    pub(super) fn sender(&self, channel: u64) -> Option<i32> {
        self.channels.get(&channel)?.sender
    }

    /// The id of a channel.
    pub(super) fn id(&self, number: u64) -> Option<ChannelId> {
        self.channels.get(&number)?.end.as_ref().map(GuardianEnd::id)
    }

    /// The oldest epoch of tokens that a channel may still use.
    pub(super) fn since(&self, number: u64, now: u64) -> u32 {
        self.channels.get(&number).map_or(u32::MAX, |channel| channel.heard.since(now))
    }

    /// Answers a call. One that nobody waits for any more is passed over.
    pub(super) fn answer(&mut self, number: u64, call: u32, outcome: Outcome, descriptors: Vec<OwnedFd>) {
        if let Some(channel) = self.channels.get_mut(&number) {
            channel.answer(call, outcome, descriptors);
        }
    }

    /// Tells every channel that a lease ended.
    pub(super) fn tell_revoked(&mut self, grant: &str) {
        self.channels.values_mut().for_each(|channel| channel.tell_revoked(grant));
    }

    /// Gives every channel a new token and new keys; at once where a person took something back.
    pub(super) fn tell_rotated(&mut self, fresh: &Fresh<'_>, taken_back: bool) {
        self.channels.values_mut().for_each(|channel| channel.tell_rotated(fresh, taken_back));
    }

    /// Gives one channel a new token: its own is over.
    pub(super) fn refresh(&mut self, number: u64, fresh: &Fresh<'_>) {
        if let Some(channel) = self.channels.get_mut(&number) {
            channel.rotate(fresh);
        }
    }
}

/// What the kernel does for us on sockets of agents, as far as it can.
fn prepare(socket: BorrowedFd<'_>) {
    for done in [asker::name_senders(socket), asker::refuse_descriptors(socket)] {
        if let Err(errno) = done {
            tracing::debug!("a socket to agents: {errno}"); // older kernels: what comes is looked at all the same
        }
    }
}

fn say_full(socket: BorrowedFd<'_>) {
    if let Err(errno) = socket::send(socket, &full(), None, false) {
        tracing::debug!("one too many could not be told: {errno}"); // a hello may be repeated
    }
}
