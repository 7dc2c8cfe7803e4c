//! The Guardian's end of a channel: which frame may come now, under which key, and how an answer becomes one.
//!
//! Pure: bytes in, messages out, and back. Never reads or writes a socket, never judges a call, and never goes on after
//! the first failure.

use super::broker::{Call, Event, Outcome, Return, Welcome};
use super::codec::{CodecError, decode, encode};
use super::frame::{ChannelId, Direction, Frame, FrameError, HEADER_BYTES, Kind, bare, header, seal};
use super::hidden::Hidden;
use super::limit::MOST_CALLS;
use crate::base::to_hex;
use crate::crypto::Secret;
use crate::sys::Errno;
use std::collections::BTreeSet;
use std::fmt;
use zeroize::Zeroizing;

/// Why a channel ends, or why a message cannot be sent on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelError {
    /// What came is no frame that may come now.
    Frame(FrameError),
    /// A call has the number of one that waits for its answer.
    InUse {
        /// The number.
        id: u32,
    },
    /// It failed before; nothing after that counts.
    Dead,
    /// No call of this number waits for an answer.
    NoSuchCall {
        /// The number.
        id: u32,
    },
    /// No locked memory or no random bytes for the keys.
    Keys(Errno),
}

impl fmt::Display for ChannelError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(error) => error.fmt(out),
            Self::InUse { id } => write!(out, "call {id} came twice while it waits for its answer"),
            Self::Dead => out.write_str("the channel has failed before"),
            Self::NoSuchCall { id } => write!(out, "no call {id} waits for an answer"),
            Self::Keys(errno) => write!(out, "no keys for a channel: {errno}"),
        }
    }
}

impl std::error::Error for ChannelError {}

impl From<FrameError> for ChannelError {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

impl From<CodecError> for ChannelError {
    fn from(error: CodecError) -> Self {
        Self::Frame(error.into())
    }
}

impl From<Errno> for ChannelError {
    fn from(errno: Errno) -> Self {
        Self::Keys(errno)
    }
}

/// Says whether a datagram is a hello: twenty fixed bytes.
/// # Errors
/// What is wrong with it.
pub fn check_hello(datagram: &[u8]) -> Result<(), FrameError> {
    match bare(datagram, Direction::ToGuardian, Kind::Hello)? {
        [] => Ok(()),
        _ => Err(FrameError::Length),
    }
}

/// The answer to a hello when the run has as many channels as it may: a welcome without a payload.
pub fn full() -> [u8; HEADER_BYTES] {
    header(Kind::Welcome, Direction::ToAgent, 0, 0)
}

/// A call that came.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// To be served.
    Call(Call),
    /// One more than may wait. It must be answered at once, with `rate-limit`.
    Surplus {
        /// Its number.
        id: u32,
    },
}

/// The Guardian's end of one channel.
#[derive(Debug)]
pub struct GuardianEnd {
    id: ChannelId,
    secret: Secret,
    epoch: u32,
    incoming: Secret,
    /// The agent's next key, while no frame has come under it.
    next: Option<Secret>,
    outgoing: Secret,
    received: u64,
    sent: u64,
    waiting: BTreeSet<u32>,
    dead: bool,
}

impl GuardianEnd {
    /// A new channel, and the welcome that carries its secret to the agent. The token is one for this channel.
    /// # Errors
    /// Without locked memory or random bytes, or when the token is too long for a message.
    pub fn open(
        id: ChannelId,
        run: &str,
        token: &str,
        seconds: u64,
    ) -> Result<(Self, Zeroizing<Vec<u8>>), ChannelError> {
        let secret = Secret::random()?;
        let welcome = Welcome {
            run: run.to_owned(),
            channel: id.to_string(),
            secret: Hidden::from(to_hex(secret.expose())),
            token: Hidden::from(token),
            seconds,
        };
        let payload = Zeroizing::new(encode(&welcome)?);
        let header = header(Kind::Welcome, Direction::ToAgent, payload.len(), 0);
        let end = Self {
            incoming: Direction::ToGuardian.key(&secret, id, 0)?,
            outgoing: Direction::ToAgent.key(&secret, id, 0)?,
            id,
            secret,
            epoch: 0,
            next: None,
            received: 0,
            sent: 0,
            waiting: BTreeSet::new(),
            dead: false,
        };
        Ok((end, Zeroizing::new([&header[..], &payload].concat())))
    }

    /// Its name, which its tokens are bound to.
    pub fn id(&self) -> ChannelId {
        self.id
    }

    /// The agent has not used the keys of the last rotation yet.
    pub fn is_behind(&self) -> bool {
        self.next.is_some()
    }

    /// How many calls wait for their answer.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The call in a datagram. After an error the channel is dead.
    /// # Errors
    /// The first thing that is wrong.
    pub fn receive(&mut self, datagram: &[u8]) -> Result<Received, ChannelError> {
        if self.dead {
            return Err(ChannelError::Dead);
        }
        let received = self.take(datagram);
        self.dead = received.is_err();
        received
    }

    fn take(&mut self, datagram: &[u8]) -> Result<Received, ChannelError> {
        let (_, frame) = Frame::of(datagram, Direction::ToGuardian, &[Kind::Call])?;
        let payload = match (frame.open(&self.incoming, self.id, self.received), self.next.take()) {
            (Err(FrameError::Forged), Some(next)) => {
                let payload = frame.open(&next, self.id, self.received)?;
                self.incoming = next;
                payload
            }
            (opened, next) => {
                self.next = next;
                opened?
            }
        };
        self.received += 1;
        let call: Call = decode(payload)?;
        if !self.waiting.insert(call.id) {
            return Err(ChannelError::InUse { id: call.id });
        }
        let surplus = self.waiting.len() > MOST_CALLS;
        Ok(if surplus { Received::Surplus { id: call.id } } else { Received::Call(call) })
    }

    /// The frame that answers a call. The call waits on after `Pending` and `Spawned`, which another answer follows.
    /// # Errors
    /// When no such call waits, or the answer is too long (then it still waits for a shorter one).
    pub fn answer(&mut self, id: u32, result: Outcome) -> Result<Vec<u8>, ChannelError> {
        if !self.waiting.contains(&id) {
            return Err(ChannelError::NoSuchCall { id });
        }
        let last = !matches!(result, Outcome::Pending { .. } | Outcome::Spawned { .. });
        let frame = self.send(Kind::Return, &Return { id, result })?;
        if last {
            self.waiting.remove(&id);
        }
        Ok(frame)
    }

    /// The frame that tells of the end of a lease.
    /// # Errors
    /// On a dead channel.
    pub fn revoked(&mut self, grant: &str) -> Result<Vec<u8>, ChannelError> {
        self.send(Kind::Event, &Event::Revoked { grant: grant.to_owned() })
    }

    /// The frame that brings a new token. The keys of both directions change with it, once the agent has used those of
    /// the change before: there are never more than two that an agent's frame can be under.
    /// # Errors
    /// On a dead channel, or without locked memory.
    pub fn rotated(&mut self, token: &str, seconds: u64) -> Result<Vec<u8>, ChannelError> {
        let rotated = |epoch| Event::Rotated { epoch, token: Hidden::from(token), seconds };
        if self.next.is_some() {
            return self.send(Kind::Event, &rotated(self.epoch));
        }
        let epoch = self.epoch.saturating_add(1);
        let next = Direction::ToGuardian.key(&self.secret, self.id, epoch)?;
        let outgoing = Direction::ToAgent.key(&self.secret, self.id, epoch)?;
        let frame = self.send(Kind::Event, &rotated(epoch))?;
        (self.epoch, self.outgoing, self.next) = (epoch, outgoing, Some(next));
        Ok(frame)
    }

    fn send<T: serde::Serialize>(&mut self, kind: Kind, message: &T) -> Result<Vec<u8>, ChannelError> {
        if self.dead {
            return Err(ChannelError::Dead);
        }
        let payload = Zeroizing::new(encode(message)?);
        let frame = seal(&self.outgoing, self.id, (kind, Direction::ToAgent), self.sent, &payload);
        self.sent += 1;
        Ok(frame)
    }
}

#[cfg(test)]
#[path = "channel_tests.rs"]
mod tests;
