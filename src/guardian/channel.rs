//! One channel: what it may send, which token it has heard of, and what waits to be sent to it.
//!
//! Parses nothing before its code was checked (`wire::channel`). Never waits for the agent to read: what is unsent has
//! an end, and of rotations there is one that it has not answered to.

use super::door::Fresh;
use super::process::Processes;
use super::token::{Heard, LONGEST_S};
use crate::audit::access::ChannelClosed;
use crate::base::WallTime;
use crate::sys::{Errno, asker, socket};
use crate::wire::broker::{Call, Outcome};
use crate::wire::channel::{ChannelError, GuardianEnd, Received, check_hello};
use crate::wire::denial::{Denial, Reason};
use crate::wire::frame::ChannelId;
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use zeroize::Zeroizing;
/// The most frames that wait for a channel to read.
const MOST_WAITING: usize = 64;
/// The most descriptors that wait with them: one answer's. All channels together leave most of the launcher's own.
const MOST_WAITING_DESCRIPTORS: usize = crate::wire::limit::MOST_PATHS;

/// The most that a channel is told of what is over, or was taken back, while it says nothing.
const MOST_UNHEARD: u32 = 32;

type Unsent = (Zeroizing<Vec<u8>>, Vec<OwnedFd>);

/// One channel.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) socket: OwnedFd,
    /// `None`: a connection to the path that has not said hello yet.
    pub(super) end: Option<GuardianEnd>,
    pub(super) unsent: VecDeque<Unsent>,
    /// Which epochs of tokens it knows.
    pub(super) heard: Heard,
    /// There are newer ones, which it is told when it is heard again.
    pub(super) owes: bool,
    /// What it was told of ends since it was heard.
    unheard: u32,
    pub(super) messages: u64,
    /// The last process that wrote, and whether it was found inside; by the number of its descriptor's inode.
    pub(super) sender: Option<i32>,
    known: Option<u64>,
    pub(super) closed: Option<String>,
}

impl Channel {
    pub(super) fn new(socket: OwnedFd, end: Option<GuardianEnd>, epoch: u32, sender: Option<i32>) -> Self {
        Self {
            socket,
            end,
            unsent: VecDeque::new(),
            heard: Heard::welcomed(epoch),
            owes: false,
            unheard: 0,
            messages: 0,
            sender,
            known: None,
            closed: None,
        }
    }

    /// Answers a call. One that nobody waits for any more is passed over.
    pub(super) fn answer(&mut self, call: u32, outcome: Outcome, descriptors: Vec<OwnedFd>) {
        let Some(end) = &mut self.end else { return };
        match end.answer(call, outcome) {
            Ok(frame) => self.send(frame, descriptors),
            Err(ChannelError::Frame(_)) => {
                let denial = denial(Reason::Unavailable, "the answer is too long for a message");
                if let Ok(frame) = end.answer(call, Outcome::Denied { denial }) {
                    self.send(frame, Vec::new());
                }
            }
            Err(_) => {}
        }
    }

    /// Tells that a lease ended. One that says nothing for long hears of no more: what it does not read would fill its
    /// queue.
    pub(super) fn tell_revoked(&mut self, grant: &str) {
        if self.unheard >= MOST_UNHEARD {
            return;
        }
        self.unheard += 1;
        if let Some(Ok(frame)) = self.end.as_mut().map(|end| end.revoked(grant)) {
            self.send(frame, Vec::new());
        }
    }

    /// Brings it a new token. One that has not answered to the last is told of none in between, unless a person took
    /// something back: it gets the latest when it is heard again.
    pub(super) fn tell_rotated(&mut self, fresh: &Fresh<'_>, taken_back: bool) {
        let tells = taken_back && self.unheard < MOST_UNHEARD;
        if self.heard.is_behind() && !tells {
            self.owes = true;
            return;
        }
        self.unheard += u32::from(tells);
        self.rotate(fresh);
    }

    /// Brings it a new token, and new keys where it has used those of before.
    pub(super) fn rotate(&mut self, fresh: &Fresh<'_>) {
        self.owes = false;
        let Some(end) = &mut self.end else { return };
        let minted = fresh.tokens.mint(end.id(), fresh.allowed.to_vec(), LONGEST_S, fresh.now);
        let Ok(minted) = minted else { return };
        let seconds = minted.claims.expires.saturating_sub(fresh.now);
        if let Ok(frame) = end.rotated(&minted.text, seconds) {
            self.heard.told(fresh.tokens.epoch());
            self.send(frame, Vec::new());
        }
    }

    /// The next call. An error says why the channel ends, and whether that is the agent's fault.
    pub(super) fn next(
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
            return Err((ChannelClosed::ORDERLY.to_owned(), false));
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
            self.heard = Heard::welcomed(fresh.tokens.epoch());
            self.unsent.push_back((frame, Vec::new()));
            self.flush();
            return Ok(None);
        };
        let received = end.receive(datagram).map_err(|error| (error.to_string(), true))?;
        if !end.is_behind() {
            self.heard.answered(fresh.now);
        }
        self.unheard = 0;
        if self.owes {
            self.rotate(fresh);
        }
        match received {
            Received::Call(call) => Ok(Some(call)),
            Received::Surplus { id } => {
                let denial = denial(Reason::RateLimit, "too many calls of this channel wait");
                self.answer(id, Outcome::Denied { denial }, Vec::new());
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

    pub(super) fn send(&mut self, frame: Vec<u8>, descriptors: Vec<OwnedFd>) {
        let held: usize = self.unsent.iter().map(|(_, held)| held.len()).sum();
        let too_many = !descriptors.is_empty() && held + descriptors.len() > MOST_WAITING_DESCRIPTORS;
        if self.unsent.len() >= MOST_WAITING || too_many {
            self.closed = Some("it does not read its answers".to_owned());
            return;
        }
        self.unsent.push_back((Zeroizing::new(frame), descriptors));
        self.flush();
    }

    pub(super) fn flush(&mut self) {
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

/// A refusal that is told and not kept.
fn denial(reason: Reason, detail: &str) -> Denial {
    let (id, what) = (String::new(), String::new());
    Denial { id, reason, detail: detail.to_owned(), what, at: WallTime::now().unix_seconds() }
}

/// A new channel's end, and the frame that opens it.
pub(super) fn welcome(fresh: &Fresh<'_>) -> Result<(GuardianEnd, Zeroizing<Vec<u8>>), String> {
    let id = ChannelId::random().map_err(|errno| errno.desc().to_owned())?;
    let minted = fresh.tokens.mint(id, fresh.allowed.to_vec(), LONGEST_S, fresh.now);
    let minted = minted.map_err(|error| error.to_string())?;
    let seconds = minted.claims.expires.saturating_sub(fresh.now);
    GuardianEnd::open(id, fresh.run, &minted.text, seconds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guardian::token::{TokenError, Tokens};
    use crate::wire::agent::{AgentEnd, Message, Welcomed};
    use crate::wire::broker::{Event, Op};

    /// A channel, and its agent's end.
    struct Pair {
        tokens: Tokens,
        channel: Channel,
        agent: AgentEnd,
        theirs: OwnedFd,
    }

    impl Pair {
        fn new() -> Self {
            let tokens = Tokens::new("RUN").unwrap();
            let (ours, theirs) = socket::message_pair().unwrap();
            let (end, frame) = welcome(&fresh(&tokens, 100)).unwrap();
            let Welcomed::Open(agent) = AgentEnd::open(&frame).unwrap() else { panic!("a channel is free") };
            Self { channel: Channel::new(ours, Some(end), 0, None), tokens, agent: *agent, theirs }
        }

        /// Rotates as the Guardian does for all channels.
        fn rotate(&mut self, now: u64) {
            self.tokens.rotate().unwrap();
            self.channel.tell_rotated(&fresh(&self.tokens, now), false);
        }

        /// What the agent finds to read.
        fn read(&mut self) -> Vec<Event> {
            let (mut found, mut buffer) = (Vec::new(), vec![0; 65_700]);
            while let Ok((length @ 1.., _)) = socket::receive(self.theirs.as_fd(), &mut buffer, false) {
                match self.agent.receive(&buffer[..length]).unwrap() {
                    Message::Event(event) => found.push(event),
                    Message::Return(_) => {}
                }
            }
            found
        }

        /// The agent calls; says whether the token it used is taken, or why not.
        fn call(&mut self, now: u64) -> Result<(), TokenError> {
            let text = self.agent.token().to_owned();
            let (_, frame) = self.agent.call(Op::Ping {}).unwrap();
            socket::send(self.theirs.as_fd(), &frame, None, true).unwrap();
            let mut buffer = vec![0; 65_700];
            let processes = Processes::below(std::process::id() as i32, None);
            let call =
                self.channel.next(&mut buffer, &fresh(&self.tokens, now), &processes).unwrap().unwrap();
            self.channel.answer(call.id, Outcome::Done {}, Vec::new());
            let (id, since) = (self.agent.id(), self.channel.heard.since(now));
            self.tokens.check_since(id, &text, since, now).map(|_| ())
        }
    }

    fn fresh(tokens: &Tokens, now: u64) -> Fresh<'_> {
        Fresh { run: "RUN", tokens, allowed: &[], now }
    }

    #[test]
    fn an_idle_channel_is_told_of_one_rotation_and_of_the_last_when_it_is_heard() {
        let mut pair = Pair::new();
        for _ in 0..1000 {
            pair.rotate(100);
            pair.channel.tell_revoked("RUN-g1");
        }
        assert!(pair.channel.closed.is_none() && pair.channel.unsent.is_empty());
        let told = pair.read();
        let rotations = told.iter().filter(|event| matches!(event, Event::Rotated { .. })).count();
        assert_eq!((rotations, told.len()), (1, 1 + MOST_UNHEARD as usize));
        assert_eq!(pair.call(100), Ok(()), "the token of the one it was told of");
        let [Event::Rotated { .. }] = pair.read()[..] else { panic!("it is told of the last") };
        assert_eq!(peek_epoch(&pair), 1000);
    }

    fn peek_epoch(pair: &Pair) -> u32 {
        let claims = crate::guardian::token::peek(pair.agent.token()).unwrap();
        let crate::guardian::token::Bound::Channel { epoch, .. } = claims.bound else { panic!("{claims:?}") };
        epoch
    }

    #[test]
    fn a_call_under_the_token_of_before_a_rotation_does_not_fail() {
        let mut pair = Pair::new();
        pair.rotate(100);
        assert_eq!(pair.call(250), Ok(()), "it has not read of it yet, however long ago it was");
        pair.read();
        assert_eq!(pair.call(260), Ok(()));
        assert_eq!((pair.channel.heard.since(262), pair.channel.heard.since(263)), (0, 1), "the grace");
        for now in 300..400 {
            pair.rotate(now);
            assert_eq!(pair.call(now), Ok(()), "an agent that never reads before it calls");
            pair.read();
        }
    }

    #[test]
    fn what_a_person_takes_back_has_no_grace_and_the_next_call_brings_a_token_that_holds() {
        let mut pair = Pair::new();
        pair.rotate(100);
        pair.read();
        pair.tokens.revoke_all().unwrap();
        pair.channel.tell_rotated(&fresh(&pair.tokens, 100), true);
        assert_eq!(pair.call(100), Err(TokenError::OtherEpoch), "it was on its way");
        pair.read();
        assert_eq!(pair.call(100), Ok(()));
        for _ in 0..1000 {
            pair.tokens.revoke_all().unwrap();
            pair.channel.tell_rotated(&fresh(&pair.tokens, 100), true);
        }
        assert!(pair.channel.closed.is_none() && pair.channel.unsent.is_empty(), "an idle one lives");
        assert_eq!(pair.read().len(), MOST_UNHEARD as usize);
        assert_eq!(pair.call(100), Err(TokenError::OtherEpoch));
        pair.read();
        assert_eq!(pair.call(100), Ok(()));
    }

    #[test]
    fn answers_that_nobody_reads_do_not_take_the_descriptors_of_the_launcher() {
        let (ours, theirs) = socket::message_pair().unwrap();
        let mut channel = Channel::new(ours, None, 0, None);
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
