//! Reputation: the role that asks a command or an HTTPS endpoint what is known of a program.
//!
//! Never decides what follows from an answer, and never opens the program: it is told a digest. No answer in time, an error
//! and anything that is no answer all come to `failed`.
#![forbid(unsafe_code)]

mod answer;
mod command;
mod endpoint;

use crate::sys::{Errno, Sys, socket};
use crate::wire::codec::{MOST_BYTES, decode, encode};
use crate::wire::reputation::{By, FromReputation, Standing, ToReputation};
use endpoint::Endpoint;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// What is asked about.
#[derive(Debug)]
struct Question<'a> {
    sha256: &'a str,
    path: &'a str,
    size: u64,
}

/// Who is asked.
enum Source {
    Command(Vec<String>, Duration),
    Endpoint(Box<Endpoint>),
    /// It cannot be asked, and why.
    None(String),
}

/// Serves until the socket closes; gives the exit code.
pub fn serve(socket: OwnedFd) -> u8 {
    match answer_all(socket.as_fd()) {
        Ok(()) => 0,
        Err(_) => 125,
    }
}

fn answer_all(socket: BorrowedFd<'_>) -> Sys<()> {
    let Some((ToReputation::Begin { by, timeout_ms }, file)) = next(socket)? else {
        return Err(Errno::EPROTO);
    };
    let source = Source::of(by, Duration::from_millis(timeout_ms), file);
    while let Some((message, _)) = next(socket)? {
        let ToReputation::Ask { id, sha256, path, size } = message else { return Err(Errno::EPROTO) };
        let (standing, reason) = source.ask(&Question { sha256: &sha256, path: &path, size });
        let bytes = encode(&FromReputation::Answered { id, standing, reason });
        socket::send(socket, &bytes.map_err(|_| Errno::EMSGSIZE)?, None, true)?;
    }
    Ok(())
}

/// The next message; `None` at the end.
fn next(socket: BorrowedFd<'_>) -> Sys<Option<(ToReputation, Option<OwnedFd>)>> {
    let mut buffer = vec![0; MOST_BYTES];
    let (length, descriptor) = socket::receive(socket, &mut buffer, true)?;
    if length == 0 {
        return Ok(None);
    }
    let message = decode(buffer.get(..length).unwrap_or_default()).map_err(|_| Errno::EBADMSG)?;
    Ok(Some((message, descriptor)))
}

impl Source {
    fn of(by: By, timeout: Duration, file: Option<OwnedFd>) -> Self {
        match (by, file) {
            (By::Command { argv }, None) => Self::Command(argv, timeout),
            (By::Url { url, ca }, file) if ca == file.is_some() => match Endpoint::new(url, file, timeout) {
                Ok(endpoint) => Self::Endpoint(Box::new(endpoint)),
                Err(why) => Self::None(why),
            },
            _ => Self::None("a descriptor is missing or too many".to_owned()),
        }
    }

    fn ask(&self, question: &Question<'_>) -> (Standing, String) {
        let answered = match self {
            Self::Command(argv, timeout) => command::ask(argv, question, *timeout),
            Self::Endpoint(endpoint) => endpoint.ask(question),
            Self::None(why) => Err(why.clone()),
        };
        answered.unwrap_or_else(|why| (Standing::Failed, answer::cut(&why)))
    }
}
