//! The agent's way to the Guardian from inside a sandbox: finds a door, opens a channel, calls and waits.
//!
//! Never decides and holds no authority: any program inside can do the same from aisandbox-broker(7) alone. A channel
//! that failed once is of no use any more, and a new one must be opened.

use crate::base::BootInstant;
use crate::sys::{Errno, fd, peer, signal, socket};
use crate::wire::agent::{AgentEnd, Message, Welcomed, hello};
use crate::wire::broker::{Event, Op, Outcome, Return};
use crate::wire::channel::ChannelError;
use crate::wire::denial::Reason;
use crate::wire::frame::MOST_FRAME;
use crate::wire::hidden::Hidden;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// Names the descriptor that every program inside shares.
pub const DOOR: &str = "AISANDBOX_BROKER";
/// Names the socket for programs that did not inherit it.
pub const PATH: &str = "AISANDBOX_BROKER_PATH";

/// How long a hello may go without an answer. The Guardian answers within one turn of its loop.
const WELCOME: Duration = Duration::from_secs(10);

/// Why there is no channel, or none any more.
#[derive(Debug)]
pub enum BrokerError {
    /// Neither variable leads to a Guardian.
    NoDoor,
    /// The Guardian did not answer the hello.
    Silent,
    /// The run has as many channels as it may.
    Full,
    /// The Guardian is gone, or ended the channel.
    Ended,
    /// What came is not what the Guardian sends, or what was called does not fit a message.
    Channel(ChannelError),
    /// A call of the system failed.
    Socket {
        /// Which.
        what: &'static str,
        /// How.
        errno: Errno,
    },
}

impl fmt::Display for BrokerError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDoor => write!(out, "no Guardian: neither ${DOOR} nor ${PATH} leads to one"),
            Self::Silent => write!(out, "the Guardian did not answer within {} s", WELCOME.as_secs()),
            Self::Full => out.write_str("the run has as many channels to the Guardian as it may"),
            Self::Ended => out.write_str("the Guardian ended the channel"),
            Self::Channel(error) => write!(out, "the channel to the Guardian: {error}"),
            Self::Socket { what, errno } => write!(out, "the channel to the Guardian: {what}: {errno}"),
        }
    }
}

impl std::error::Error for BrokerError {}

impl From<ChannelError> for BrokerError {
    fn from(error: ChannelError) -> Self {
        Self::Channel(error)
    }
}

/// What came from the Guardian.
#[derive(Debug)]
pub enum Heard {
    /// The answer to a call, with the descriptors that came along.
    Answer(Return, Vec<OwnedFd>),
    /// Something it says by itself.
    Event(Event),
}

/// A channel.
#[derive(Debug)]
pub struct Broker {
    socket: OwnedFd,
    end: Box<AgentEnd>,
    buffer: Vec<u8>,
}

impl Broker {
    /// A channel by the door this process inherited, or by the socket's path.
    /// # Errors
    /// [`BrokerError::NoDoor`] outside of a sandbox that has a Guardian.
    pub fn connect() -> Result<Self, BrokerError> {
        let number = std::env::var(DOOR).ok().and_then(|number| number.parse().ok());
        let door = number.and_then(|number| fd::copy_of(number).ok());
        match (door.filter(|door| peer::domain(door.as_fd()) == Ok(libc::AF_UNIX)), std::env::var_os(PATH)) {
            (Some(door), _) => Self::by_door(door.as_fd()),
            (None, Some(path)) => Self::by_path(path.as_encoded_bytes()),
            (None, None) => Err(BrokerError::NoDoor),
        }
    }

    /// A channel by the shared door. The welcome brings the channel's own socket.
    /// # Errors
    /// Without an answer.
    pub fn by_door(door: BorrowedFd<'_>) -> Result<Self, BrokerError> {
        let (end, own) = greet(door)?;
        match own {
            Some(socket) => Ok(Self::over(socket, end)),
            None => Err(BrokerError::Ended),
        }
    }

    /// A channel by a connection of its own.
    /// # Errors
    /// Without an answer, or when nobody listens there.
    pub fn by_path(path: &[u8]) -> Result<Self, BrokerError> {
        let socket = socket::open_message().map_err(failed("socket"))?;
        peer::connect_name(socket.as_fd(), path).map_err(failed("connect"))?;
        let (end, _) = greet(socket.as_fd())?;
        Ok(Self::over(socket, end))
    }

    fn over(socket: OwnedFd, end: Box<AgentEnd>) -> Self {
        Self { socket, end, buffer: vec![0; MOST_FRAME + 1] }
    }

    /// The protocol's side of the channel: the run, the token.
    pub fn end(&mut self) -> &mut AgentEnd {
        &mut self.end
    }

    /// Readable when a message waits.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Sends a call; gives the number under which its answers come.
    /// # Errors
    /// When it does not fit a message, or the channel is of no use any more.
    pub fn send(&mut self, op: Op) -> Result<u32, BrokerError> {
        let (id, frame) = self.end.call(op)?;
        match socket::send(self.socket.as_fd(), &frame, None, true) {
            Ok(()) => Ok(id),
            Err(Errno::EPIPE | Errno::ECONNRESET) => Err(BrokerError::Ended),
            Err(errno) => Err(BrokerError::Socket { what: "send", errno }),
        }
    }

    /// Waits for the next message. New keys and a new token are in use already when it was a rotation.
    /// # Errors
    /// When the channel is of no use any more.
    pub fn hear(&mut self) -> Result<Heard, BrokerError> {
        let (length, descriptors) = match socket::receive_with(self.socket.as_fd(), &mut self.buffer, true) {
            Ok((0, _)) | Err(Errno::ECONNRESET) => return Err(BrokerError::Ended),
            other => other.map_err(failed("receive"))?,
        };
        match self.end.receive(self.buffer.get(..length).unwrap_or_default())? {
            Message::Return(answer) => Ok(Heard::Answer(answer, descriptors)),
            Message::Event(event) => Ok(Heard::Event(event)),
        }
    }

    /// Calls and waits for the last word on it. `on_pending` hears the request's id and its seconds when a person is
    /// asked; answers to other calls that come meanwhile are dropped, so one caller uses either this or `send`. A call
    /// that was refused for its token is repeated once, when another token came since.
    /// # Errors
    /// As `send` and `hear`.
    pub fn call(
        &mut self,
        op: Op,
        on_pending: &mut dyn FnMut(&str, u64),
    ) -> Result<(Outcome, Vec<OwnedFd>), BrokerError> {
        let used = Hidden::from(self.end.token());
        let mut id = self.send(op.clone())?;
        let mut again = Some(op);
        loop {
            match self.hear()? {
                Heard::Answer(Return { id: of, result: Outcome::Pending { request, seconds } }, _)
                    if of == id =>
                {
                    on_pending(&request, seconds);
                }
                // Its time was over, or a person took something back: the new token came before this refusal.
                Heard::Answer(Return { id: of, result }, _)
                    if of == id
                        && again.is_some()
                        && refused_for_its_token(&result)
                        && *used != *self.end.token() =>
                {
                    if let Some(op) = again.take() {
                        id = self.send(op)?;
                    }
                }
                Heard::Answer(answer, descriptors) if answer.id == id => {
                    return Ok((answer.result, descriptors));
                }
                Heard::Answer(..) | Heard::Event(_) => {}
            }
        }
    }
}

/// Whether a call is worth repeating under another token.
pub fn refused_for_its_token(result: &Outcome) -> bool {
    matches!(result, Outcome::Denied { denial } if denial.reason == Reason::Token)
}

/// Says hello and waits for the welcome, with the descriptor it brings at a shared door.
fn greet(socket: BorrowedFd<'_>) -> Result<(Box<AgentEnd>, Option<OwnedFd>), BrokerError> {
    socket::send(socket, &hello(), None, true).map_err(failed("hello"))?;
    let begun = BootInstant::now();
    let mut buffer = zeroize::Zeroizing::new(vec![0; MOST_FRAME + 1]);
    // Others wait at a shared door too, and one of them may take what poll(2) has announced: so nothing blocks but poll.
    loop {
        let left = WELCOME.saturating_sub(begun.elapsed());
        let left = i32::try_from(left.as_millis()).unwrap_or(0);
        signal::poll(&mut [signal::wants_reading(Some(socket))], left).map_err(failed("poll"))?;
        match socket::receive(socket, &mut buffer, false) {
            Ok((0, _)) | Err(Errno::ECONNRESET) => return Err(BrokerError::Ended),
            Ok((length, own)) => {
                return match AgentEnd::open(buffer.get(..length).unwrap_or_default())? {
                    Welcomed::Open(end) => Ok((end, own)),
                    Welcomed::Full => Err(BrokerError::Full),
                };
            }
            Err(Errno::EAGAIN) if left == 0 => return Err(BrokerError::Silent),
            Err(Errno::EAGAIN) => {}
            Err(errno) => return Err(BrokerError::Socket { what: "welcome", errno }),
        }
    }
}

fn failed(what: &'static str) -> impl Fn(Errno) -> BrokerError {
    move |errno| BrokerError::Socket { what, errno }
}
