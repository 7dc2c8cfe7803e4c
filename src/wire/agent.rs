//! The agent's end of a channel, as aisandbox-broker(7) describes it for any program.
//!
//! Pure, like the Guardian's end. Never trusts a frame more than the Guardian does: the same checks, the same order.

use super::broker::{Call, Event, Op, Return, Welcome};
use super::channel::ChannelError;
use super::codec::{decode, encode};
use super::frame::{ChannelId, Direction, Frame, FrameError, HEADER_BYTES, Kind, bare, header, seal};
use super::hidden::Hidden;
use crate::base::unhex;
use crate::crypto::{SECRET_BYTES, Secret};
use zeroize::Zeroizing;

/// The first message of a channel.
pub fn hello() -> [u8; HEADER_BYTES] {
    header(Kind::Hello, Direction::ToGuardian, 0, 0)
}

/// What a welcome says.
#[derive(Debug)]
pub enum Welcomed {
    /// The channel is open.
    Open(Box<AgentEnd>),
    /// The run has as many channels as it may; another try later can succeed.
    Full,
}

/// A message from the Guardian.
#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    /// The answer to a call.
    Return(Return),
    /// Something it says by itself.
    Event(Event),
}

/// The agent's end of one channel.
#[derive(Debug)]
pub struct AgentEnd {
    run: String,
    id: ChannelId,
    secret: Secret,
    token: Hidden,
    epoch: u32,
    incoming: Secret,
    outgoing: Secret,
    received: u64,
    sent: u64,
    next_call: u32,
    dead: bool,
}

impl AgentEnd {
    /// The channel of a welcome.
    /// # Errors
    /// When it is none, or there is no locked memory for the keys.
    pub fn open(datagram: &[u8]) -> Result<Welcomed, ChannelError> {
        let payload = bare(datagram, Direction::ToAgent, Kind::Welcome)?;
        if payload.is_empty() {
            return Ok(Welcomed::Full);
        }
        let welcome: Welcome = decode(payload)?;
        let id = unhex(&welcome.channel).and_then(|bytes| bytes.try_into().ok());
        let id = ChannelId(id.ok_or(FrameError::Header)?);
        let bytes = unhex(&welcome.secret).map(Zeroizing::new).ok_or(FrameError::Header)?;
        let mut secret: Zeroizing<[u8; SECRET_BYTES]> =
            Zeroizing::new(bytes.as_slice().try_into().map_err(|_| FrameError::Header)?);
        let secret = Secret::take(&mut secret)?;
        Ok(Welcomed::Open(Box::new(Self {
            incoming: Direction::ToAgent.key(&secret, id, 0)?,
            outgoing: Direction::ToGuardian.key(&secret, id, 0)?,
            run: welcome.run,
            token: welcome.token,
            id,
            secret,
            epoch: 0,
            received: 0,
            sent: 0,
            next_call: 0,
            dead: false,
        })))
    }

    /// The run.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// The channel, which the token is bound to.
    pub fn id(&self) -> ChannelId {
        self.id
    }

    /// The token that calls are made under.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Makes later calls under this token: one that was renewed, or attenuated.
    pub fn use_token(&mut self, token: Hidden) {
        self.token = token;
    }

    /// A frame that calls, and the number its answers will have.
    /// # Errors
    /// When the call is too long, or the channel is dead.
    pub fn call(&mut self, op: Op) -> Result<(u32, Vec<u8>), ChannelError> {
        if self.dead {
            return Err(ChannelError::Dead);
        }
        let id = self.next_call;
        let payload = Zeroizing::new(encode(&Call { id, token: self.token.clone(), op })?);
        let frame = seal(&self.outgoing, self.id, (Kind::Call, Direction::ToGuardian), self.sent, &payload);
        self.sent += 1;
        self.next_call = id.wrapping_add(1);
        Ok((id, frame))
    }

    /// The message in a datagram. A rotation is followed here already: new keys, and the new token. After an error the
    /// channel is dead.
    /// # Errors
    /// The first thing that is wrong.
    pub fn receive(&mut self, datagram: &[u8]) -> Result<Message, ChannelError> {
        if self.dead {
            return Err(ChannelError::Dead);
        }
        let received = self.take(datagram);
        self.dead = received.is_err();
        received
    }

    fn take(&mut self, datagram: &[u8]) -> Result<Message, ChannelError> {
        let (kind, frame) = Frame::of(datagram, Direction::ToAgent, &[Kind::Return, Kind::Event])?;
        let payload = frame.open(&self.incoming, self.id, self.received)?;
        self.received += 1;
        if kind == Kind::Return {
            return Ok(Message::Return(decode(payload)?));
        }
        let event: Event = decode(payload)?;
        if let Event::Rotated { epoch, token, .. } = &event {
            self.enter(*epoch)?;
            self.token = token.clone();
        }
        Ok(Message::Event(event))
    }

    fn enter(&mut self, epoch: u32) -> Result<(), ChannelError> {
        if epoch == self.epoch {
            return Ok(());
        }
        if epoch != self.epoch.saturating_add(1) {
            return Err(FrameError::Sequence.into());
        }
        self.incoming = Direction::ToAgent.key(&self.secret, self.id, epoch)?;
        self.outgoing = Direction::ToGuardian.key(&self.secret, self.id, epoch)?;
        self.epoch = epoch;
        Ok(())
    }
}

#[cfg(test)]
impl AgentEnd {
    /// Makes the next call carry this number.
    pub(super) fn next_call_for_test(&mut self, id: u32) {
        self.next_call = id;
    }
}
