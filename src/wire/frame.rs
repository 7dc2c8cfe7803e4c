//! The frame around each message of the broker: what came, from which side, in which order, and that nobody changed it.
//!
//! Never parses a payload. A frame's payload can be reached only after its code was checked: `Frame` has none to give.

use super::codec::{CodecError, MOST_BYTES};
use crate::base::to_hex;
use crate::crypto::{Forged, MAC_BYTES, Secret, check_mac, mac};
use crate::sys::Sys;
use crate::sys::random::random_bytes;
use std::fmt;

/// Bytes before the payload.
pub const HEADER_BYTES: usize = 20;
/// The most bytes of a frame; a buffer of this size and one more byte sees every frame that is too long.
pub const MOST_FRAME: usize = HEADER_BYTES + MOST_BYTES + MAC_BYTES;

const MAGIC: [u8; 4] = *b"AIS1";
const VERSION: u8 = 1;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A call of the agent.
    Call,
    /// The answer to one.
    Return,
    /// Something the Guardian says by itself.
    Event,
    /// The Guardian's first message.
    Welcome,
    /// The agent's first message.
    Hello,
}

impl Kind {
    const ALL: [(Self, u8); 5] =
        [(Self::Call, 1), (Self::Return, 2), (Self::Event, 3), (Self::Welcome, 4), (Self::Hello, 5)];

    fn number(self) -> u8 {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or(0, |(_, number)| *number)
    }

    fn of(number: u8) -> Option<Self> {
        Self::ALL.iter().find(|(_, other)| *other == number).map(|(kind, _)| *kind)
    }
}

/// Who sent a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The agent, to the Guardian.
    ToGuardian,
    /// The Guardian, to the agent.
    ToAgent,
}

impl Direction {
    fn number(self) -> u8 {
        match self {
            Self::ToGuardian => 0,
            Self::ToAgent => 1,
        }
    }

    fn word(self) -> &'static [u8] {
        match self {
            Self::ToGuardian => b"a2g",
            Self::ToAgent => b"g2a",
        }
    }

    /// The key of this direction in this epoch.
    /// # Errors
    /// Where locked memory has an end.
    pub fn key(self, secret: &Secret, channel: ChannelId, epoch: u32) -> Sys<Secret> {
        secret.derive(&channel.0, &[b"aisandbox/1/", self.word(), &epoch.to_be_bytes()])
    }
}

/// Names a channel: random, and part of every code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChannelId(pub [u8; 16]);

impl ChannelId {
    /// A new one.
    /// # Errors
    /// As getrandom(2).
    pub fn random() -> Sys<Self> {
        random_bytes().map(Self)
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&to_hex(&self.0))
    }
}

/// Why a datagram is no frame, in the order in which it is looked at. The first ends the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrameError {
    /// Its length is not the one it says, or none that a frame has.
    Length,
    /// It does not begin as a frame of version 1 does.
    Header,
    /// It comes from the wrong side, or is of a kind that side does not send now.
    Unexpected,
    /// Its code is not by the key of this channel, direction and epoch.
    Forged,
    /// It is not the next one: a frame was repeated, left out or moved.
    Sequence,
    /// Its payload is no message.
    Payload(CodecError),
}

impl fmt::Display for FrameError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Length => "a frame of a wrong length",
            Self::Header => "no frame of version 1",
            Self::Unexpected => "a frame of a kind that does not belong here",
            Self::Forged => "a frame whose code is not by this channel's key",
            Self::Sequence => "a frame out of order",
            Self::Payload(error) => return error.fmt(out),
        })
    }
}

impl std::error::Error for FrameError {}

impl From<Forged> for FrameError {
    fn from(_: Forged) -> Self {
        Self::Forged
    }
}

impl From<CodecError> for FrameError {
    fn from(error: CodecError) -> Self {
        Self::Payload(error)
    }
}

/// The header of a frame.
pub(super) fn header(kind: Kind, from: Direction, length: usize, sequence: u64) -> [u8; HEADER_BYTES] {
    let [a, b, c, d] = MAGIC;
    let [e, f, g, h] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let [i, j, k, l, m, n, o, p] = sequence.to_be_bytes();
    let (kind, from) = (kind.number(), from.number());
    [a, b, c, d, VERSION, kind, 0, from, e, f, g, h, i, j, k, l, m, n, o, p]
}

/// A frame with its code.
pub(super) fn seal(
    key: &Secret,
    channel: ChannelId,
    (kind, from): (Kind, Direction),
    sequence: u64,
    payload: &[u8],
) -> Vec<u8> {
    let header = header(kind, from, payload.len(), sequence);
    let code = mac(key, &[&channel.0, &header, payload]);
    [&header[..], payload, &code].concat()
}

/// A datagram whose outside is that of a frame. What it holds is out of reach until its code was checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    signed: &'a [u8],
    payload: &'a [u8],
    code: &'a [u8],
    sequence: u64,
}

impl<'a> Frame<'a> {
    /// Looks at the length first, then at the fixed bytes, the direction and the kind.
    pub(super) fn of(
        datagram: &'a [u8],
        from: Direction,
        kinds: &[Kind],
    ) -> Result<(Kind, Self), FrameError> {
        let signed = datagram.len().checked_sub(MAC_BYTES).ok_or(FrameError::Length)?;
        let (signed, code) = datagram.split_at_checked(signed).ok_or(FrameError::Length)?;
        let (header, payload) = signed.split_at_checked(HEADER_BYTES).ok_or(FrameError::Length)?;
        let (kind, sequence) = read(header, payload.len(), from)?;
        if payload.is_empty() {
            return Err(FrameError::Length);
        }
        let kind = Some(kind).filter(|kind| kinds.contains(kind)).ok_or(FrameError::Unexpected)?;
        Ok((kind, Self { signed, payload, code, sequence }))
    }

    /// The payload, when the code is right and the frame is the next one.
    pub(super) fn open(
        &self,
        key: &Secret,
        channel: ChannelId,
        sequence: u64,
    ) -> Result<&'a [u8], FrameError> {
        check_mac(key, &[&channel.0, self.signed].concat(), self.code)?;
        if self.sequence == sequence { Ok(self.payload) } else { Err(FrameError::Sequence) }
    }
}

/// The payload of a frame without a code (hello, welcome).
pub(super) fn bare(datagram: &[u8], from: Direction, kind: Kind) -> Result<&[u8], FrameError> {
    let (header, payload) = datagram.split_at_checked(HEADER_BYTES).ok_or(FrameError::Length)?;
    match read(header, payload.len(), from)? {
        (found, 0) if found == kind => Ok(payload),
        _ => Err(FrameError::Unexpected),
    }
}

fn read(header: &[u8], length: usize, from: Direction) -> Result<(Kind, u64), FrameError> {
    let header: &[u8; HEADER_BYTES] = header.try_into().map_err(|_| FrameError::Length)?;
    let [a, b, c, d, version, kind, flags, side, e, f, g, h, sequence @ ..] = *header;
    if length > MOST_BYTES || usize::try_from(u32::from_be_bytes([e, f, g, h])) != Ok(length) {
        return Err(FrameError::Length);
    }
    if [a, b, c, d] != MAGIC || version != VERSION || flags != 0 {
        return Err(FrameError::Header);
    }
    let kind = Kind::of(kind).filter(|_| side == from.number()).ok_or(FrameError::Unexpected)?;
    Ok((kind, u64::from_be_bytes(sequence)))
}
