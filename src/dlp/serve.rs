//! The role: takes rules and what is known from a socket, then content, and answers each piece of it.
//!
//! Never opens a file or a connection, and never goes on after a message that makes no sense: then the process ends, and
//! who waits for an answer sends nothing. Memory has a limit; streams and what they hold back have one below it.

mod answer;
mod setup;
mod teacher;

use super::engine::Engine;
use super::stream::{Limits, Stream};
use crate::sys::limits::{Resource, lower};
use crate::sys::{Errno, Sys, signal, socket};
use crate::wire::codec::{MOST_BYTES, decode, encode};
use crate::wire::dlp::{Content, FromDlp, ToDlp, content};
use answer::{answer, unread};
use setup::{Setup, cut};
use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use teacher::Teacher;
use zeroize::{Zeroize, Zeroizing};

/// The most private memory of the role, bytes.
pub const MEMORY_BYTES: u64 = 512 << 20;
/// The most streams that are looked into at one time.
const MOST_STREAMS: usize = 1024;
/// The most streams at one time, those among them that are not looked into. Role `egress` opens no more.
const MOST_NUMBERS: usize = 8192;
/// The most bytes that all streams hold back together.
const MOST_HELD: usize = 96 << 20;

/// Bounds the memory of this process. The role calls it before its filter forbids it.
/// # Errors
/// As setrlimit(2).
pub fn limit_memory() -> Sys<()> {
    lower(Resource::Data, MEMORY_BYTES)
}

/// Serves until the socket closes; gives the exit code.
pub fn serve(socket: OwnedFd) -> u8 {
    match run(socket.as_fd()) {
        Ok(()) | Err(Errno::EPIPE | Errno::ECONNRESET) => 0,
        Err(_) => 125,
    }
}

fn run(socket: BorrowedFd<'_>) -> Sys<()> {
    let mut buffer = Zeroizing::new(vec![0; MOST_BYTES]);
    let Some((engine, mut teacher)) = set_up(socket, &mut buffer)? else { return Ok(()) };
    let mut streams =
        Streams { engine: &engine, held: HashMap::new(), bytes: 0, most_bytes: MOST_HELD, open: 0 };
    loop {
        if teacher.descriptor().is_some() {
            let mut waits =
                [signal::wants_reading(Some(socket)), signal::wants_reading(teacher.descriptor())];
            signal::poll(&mut waits, -1)?;
            let [ours, teaches] = waits;
            // What must not leave is known before what leaves is looked into.
            if teaches.revents != 0 {
                teacher.hear()?;
            }
            if ours.revents == 0 {
                continue;
            }
        }
        let (length, descriptor) = socket::receive(socket, &mut buffer, true)?;
        if length == 0 {
            return Ok(());
        }
        if descriptor.is_some() {
            return Err(Errno::EBADMSG);
        }
        let datagram = buffer.get(..length).unwrap_or_default();
        if datagram.first() == Some(&0) {
            let step = streams.feed(content(datagram).ok_or(Errno::EBADMSG)?)?;
            let bytes = encode(&step).map_err(|_| Errno::EMSGSIZE)?;
            socket::send(socket, &bytes, None, true)?;
        } else {
            streams.take(decode(datagram).map_err(|_| Errno::EBADMSG)?)?;
        }
    }
}

/// Takes what comes before `Start`, and answers that. `None`: nothing is served.
fn set_up(socket: BorrowedFd<'_>, buffer: &mut Zeroizing<Vec<u8>>) -> Sys<Option<(Engine, Teacher)>> {
    let mut setup = Setup::new()?;
    loop {
        let (length, descriptor) = socket::receive(socket, buffer, true)?;
        if length == 0 {
            return Ok(None);
        }
        let message = decode(buffer.get(..length).unwrap_or_default()).map_err(|_| Errno::EBADMSG)?;
        buffer.get_mut(..length).unwrap_or_default().zeroize();
        if message != (ToDlp::Start {}) {
            setup.take(message, descriptor)?;
            continue;
        }
        if descriptor.is_some() {
            return Err(Errno::EBADMSG);
        }
        let (answer, engine) = match setup.engine() {
            Ok(engine) => (FromDlp::Ready {}, Some(engine)),
            Err(why) => (FromDlp::Refused { why: cut(&why) }, None),
        };
        socket::send(socket, &encode(&answer).map_err(|_| Errno::EMSGSIZE)?, None, true)?;
        return Ok(engine);
    }
}

/// What becomes of a stream's bytes.
#[derive(Debug)]
enum State<'a> {
    /// They are looked into.
    Open(Box<Stream<'a>>),
    /// They are not, and why. What still comes is dropped unread: there may be much of it on its way.
    Unread(String),
    /// There are none any more.
    Ended,
}

#[derive(Debug)]
struct Held<'a> {
    state: State<'a>,
    /// Bytes before this place were released.
    released: u64,
    /// Memory it takes, as it was counted last.
    bytes: usize,
}

/// Every stream that was opened and not closed.
struct Streams<'a> {
    engine: &'a Engine,
    held: HashMap<u64, Held<'a>>,
    /// Memory that all take.
    bytes: usize,
    /// The most of it.
    most_bytes: usize,
    /// How many are looked into.
    open: usize,
}

impl Streams<'_> {
    fn take(&mut self, message: ToDlp) -> Sys<()> {
        match message {
            ToDlp::Open { stream, redact, .. } => self.open(stream, redact),
            ToDlp::Close { stream } => {
                // Nothing is known of one whose opening could not be sent.
                if let Some(mut held) = self.held.remove(&stream) {
                    self.settle(&mut held, State::Ended);
                }
                Ok(())
            }
            ToDlp::Rules { .. }
            | ToDlp::Action { .. }
            | ToDlp::Known { .. }
            | ToDlp::Decoys { .. }
            | ToDlp::File { .. }
            | ToDlp::Teacher {}
            | ToDlp::Taught { .. }
            | ToDlp::Start {} => Err(Errno::EBADMSG),
        }
    }

    fn open(&mut self, stream: u64, redact: bool) -> Sys<()> {
        if self.held.contains_key(&stream) || self.held.len() >= MOST_NUMBERS {
            return Err(Errno::EBADMSG);
        }
        let state = if self.open < MOST_STREAMS {
            self.open += 1;
            State::Open(Box::new(self.engine.stream(Limits { redact, ..Limits::default() })))
        } else {
            State::Unread("too-many-streams".to_owned())
        };
        self.held.insert(stream, Held { state, released: 0, bytes: 0 });
        Ok(())
    }

    fn feed(&mut self, content: Content<'_>) -> Sys<FromDlp> {
        let mut held = self.held.remove(&content.stream).ok_or(Errno::EBADMSG)?;
        let step = match &mut held.state {
            State::Ended => return Err(Errno::EBADMSG),
            State::Unread(why) => unread(content.stream, held.released, why),
            State::Open(stream) => {
                let step = stream.feed(content.bytes, content.last);
                let bytes = stream.held();
                self.bytes = self.bytes.saturating_sub(held.bytes).saturating_add(bytes);
                held.bytes = bytes;
                let full = self.bytes > self.most_bytes && !content.last;
                answer(content.stream, held.released, step, full)
            }
        };
        if let (State::Open(_), FromDlp::Step { unscannable: Some(why), .. }) = (&held.state, &step) {
            self.settle(&mut held, State::Unread(why.clone()));
        }
        if content.last {
            self.settle(&mut held, State::Ended);
        }
        if let FromDlp::Step { release_to, .. } = &step {
            held.released = *release_to;
        }
        self.held.insert(content.stream, held);
        Ok(step)
    }

    /// Nothing of this stream is looked into from here on.
    fn settle(&mut self, held: &mut Held<'_>, to: State<'static>) {
        if matches!(std::mem::replace(&mut held.state, to), State::Open(_)) {
            self.open = self.open.saturating_sub(1);
        }
        self.bytes = self.bytes.saturating_sub(std::mem::take(&mut held.bytes));
    }
}

#[cfg(test)]
#[path = "serve/tests.rs"]
mod tests;
