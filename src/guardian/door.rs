//! The doors to the Guardian, and the channels behind them: who comes in, what each channel may send, what waits to be sent.
//!
//! Parses nothing before its code was checked (`wire::channel`); the first failure ends a channel, too many end the run.
//! Takes no descriptor from an agent: one that is pushed is closed and ends the channel.

use super::process::Processes;
use super::token::Tokens;
use crate::audit::access::{ChannelClosed, Who};
use crate::base::WallTime;
use crate::sys::{Errno, asker, local, socket};
use crate::wire::broker::{Allowed, Call, Outcome};
use crate::wire::channel::{ChannelError, GuardianEnd, Received, check_hello, full};
use crate::wire::denial::{Denial, Reason};
use crate::wire::frame::{ChannelId, MOST_FRAME};
use crate::wire::limit::{MOST_CHANNELS, MOST_MALFORMED};
use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use zeroize::Zeroizing;

/// The most frames that wait for a channel to read.
const MOST_WAITING: usize = 64;
/// The most descriptors that wait with them: one answer's. All channels together leave most of the launcher's own.
const MOST_WAITING_DESCRIPTORS: usize = crate::wire::limit::MOST_PATHS;

type Unsent = (Zeroizing<Vec<u8>>, Vec<OwnedFd>);

/// One channel.
#[derive(Debug)]
pub(super) struct Channel {
    socket: OwnedFd,
    /// `None`: a connection to the path that has not said hello yet.
    pub(super) end: Option<GuardianEnd>,
    unsent: VecDeque<Unsent>,
    messages: u64,
    /// The last process that wrote, and whether it was found inside; by the number of its descriptor's inode.
    pub(super) sender: Option<i32>,
    known: Option<u64>,
    closed: Option<String>,
}

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
            self.channels.insert(number, Channel::new(ours, Some(end), pid));
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
        self.channels.insert(number, Channel::new(connection, None, None));
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

    /// The id of a channel.
    pub(super) fn id(&self, number: u64) -> Option<ChannelId> {
        self.channels.get(&number)?.end.as_ref().map(GuardianEnd::id)
    }

    /// Answers a call. One that nobody waits for any more is passed over.
    pub(super) fn answer(&mut self, number: u64, call: u32, outcome: Outcome, descriptors: Vec<OwnedFd>) {
        let Some(channel) = self.channels.get_mut(&number) else { return };
        let Some(end) = &mut channel.end else { return };
        match end.answer(call, outcome) {
            Ok(frame) => channel.send(frame, descriptors),
            Err(ChannelError::Frame(_)) => {
                let denial = Denial {
                    id: String::new(),
                    reason: Reason::Unavailable,
                    detail: "the answer is too long for a message".to_owned(),
                    what: String::new(),
                    at: WallTime::now().unix_seconds(),
                };
                if let Ok(frame) = end.answer(call, Outcome::Denied { denial }) {
                    channel.send(frame, Vec::new());
                }
            }
            Err(_) => {}
        }
    }

    /// Tells every channel that a lease ended.
    pub(super) fn tell_revoked(&mut self, grant: &str) {
        for channel in self.channels.values_mut() {
            let frame = channel.end.as_mut().and_then(|end| end.revoked(grant).ok());
            frame.into_iter().for_each(|frame| channel.send(frame, Vec::new()));
        }
    }

    /// Gives every channel a new token and new keys.
    pub(super) fn tell_rotated(&mut self, fresh: &Fresh<'_>) {
        for channel in self.channels.values_mut() {
            let Some(end) = &mut channel.end else { continue };
            let minted =
                fresh.tokens.mint(end.id(), fresh.allowed.to_vec(), super::token::LONGEST_S, fresh.now);
            let Ok(minted) = minted else { continue };
            let seconds = minted.claims.expires.saturating_sub(fresh.now);
            if let Ok(frame) = end.rotated(&minted.text, seconds) {
                channel.send(frame, Vec::new());
            }
        }
    }
}

impl Channel {
    fn new(socket: OwnedFd, end: Option<GuardianEnd>, sender: Option<i32>) -> Self {
        Self { socket, end, unsent: VecDeque::new(), messages: 0, sender, known: None, closed: None }
    }

    /// The next call. An error says why the channel ends, and whether that is the agent's fault.
    fn next(
        &mut self,
        buffer: &mut [u8],
        fresh: &Fresh<'_>,
        processes: &Processes,
    ) -> Result<Option<Call>, (String, bool)> {
        let message = match asker::receive(self.socket.as_fd(), buffer) {
            Ok(message) => message,
            Err(Errno::EAGAIN) => return Ok(None),
            Err(errno) => return Err((errno.desc().to_owned(), false)),
        };
        if message.length == 0 {
            return Err(("its end was closed".to_owned(), false));
        }
        self.messages += 1;
        if message.pushed {
            return Err(("a descriptor was pushed".to_owned(), true));
        }
        if let Some(sender) = &message.sender {
            self.check_sender(sender.as_fd(), processes)?;
        }
        let datagram = buffer.get(..message.length).unwrap_or_default();
        let Some(end) = &mut self.end else {
            check_hello(datagram).map_err(|error| (error.to_string(), true))?;
            let (end, frame) = welcome(fresh).map_err(|error| (error, false))?;
            self.end = Some(end);
            self.unsent.push_back((frame, Vec::new()));
            self.flush();
            return Ok(None);
        };
        match end.receive(datagram).map_err(|error| (error.to_string(), true))? {
            Received::Call(call) => Ok(Some(call)),
            Received::Surplus { id } => {
                let denial = Denial {
                    id: String::new(),
                    reason: Reason::RateLimit,
                    detail: "too many calls of this channel wait".to_owned(),
                    what: String::new(),
                    at: WallTime::now().unix_seconds(),
                };
                if let Ok(frame) = end.answer(id, Outcome::Denied { denial }) {
                    self.send(frame, Vec::new());
                }
                Ok(None)
            }
        }
    }

    /// The kernel names the sender of each message. A process that was found inside stays inside; it is known by the
    /// inode of its descriptor, which no other process ever has (pidfd_open(2), Linux 6.9).
    fn check_sender(&mut self, sender: BorrowedFd<'_>, processes: &Processes) -> Result<(), (String, bool)> {
        let inode = crate::sys::file::kind_and_identity(sender).map(|identity| identity.ino).ok();
        if inode.is_some() && inode == self.known {
            return Ok(());
        }
        match processes.pid_inside(sender) {
            Some(pid) => {
                (self.sender, self.known) = (Some(pid), inode);
                Ok(())
            }
            // It has ended since; what it sent still came by its channel.
            None if asker::pid_of(sender).is_err() => Ok(()),
            None => Err(("it came from outside the sandbox".to_owned(), true)),
        }
    }

    fn send(&mut self, frame: Vec<u8>, descriptors: Vec<OwnedFd>) {
        let held: usize = self.unsent.iter().map(|(_, held)| held.len()).sum();
        let too_many = !descriptors.is_empty() && held + descriptors.len() > MOST_WAITING_DESCRIPTORS;
        if self.unsent.len() >= MOST_WAITING || too_many {
            self.closed = Some("it does not read its answers".to_owned());
            return;
        }
        self.unsent.push_back((Zeroizing::new(frame), descriptors));
        self.flush();
    }

    fn flush(&mut self) {
        while let Some((frame, descriptors)) = self.unsent.front() {
            let lent: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
            match socket::send_with(self.socket.as_fd(), frame, &lent, false) {
                Ok(()) => drop(self.unsent.pop_front()),
                // ETOOMANYREFS is no reason to wait: the socket stays writable, and the loop would never rest.
                Err(Errno::EAGAIN | Errno::ENOBUFS) => return,
                Err(errno) => {
                    self.closed = Some(errno.desc().to_owned());
                    return;
                }
            }
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

fn welcome(fresh: &Fresh<'_>) -> Result<(GuardianEnd, Zeroizing<Vec<u8>>), String> {
    let id = ChannelId::random().map_err(|errno| errno.desc().to_owned())?;
    let minted = fresh.tokens.mint(id, fresh.allowed.to_vec(), super::token::LONGEST_S, fresh.now);
    let minted = minted.map_err(|error| error.to_string())?;
    let seconds = minted.claims.expires.saturating_sub(fresh.now);
    GuardianEnd::open(id, fresh.run, &minted.text, seconds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_nobody_reads_do_not_take_the_descriptors_of_the_launcher() {
        let (ours, theirs) = socket::message_pair().unwrap();
        let mut channel = Channel::new(ours, None, None);
        let frame = || vec![0; 4096];
        let files = || (0..MOST_WAITING_DESCRIPTORS).map(|_| theirs.try_clone().unwrap()).collect::<Vec<_>>();
        while channel.unsent.is_empty() {
            channel.send(frame(), Vec::new());
        }
        channel.send(frame(), files());
        assert!(channel.closed.is_none(), "one answer may wait");
        channel.send(frame(), files());
        assert!(channel.closed.is_some() && channel.unsent.len() == 2, "and no second one");
    }
}
