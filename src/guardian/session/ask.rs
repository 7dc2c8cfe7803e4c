//! The person's side: one command to a running Guardian and its answer, or its state after every change.
//!
//! Never waits longer than it was told, and takes no descriptor.

use super::SessionError;
use super::list::Run;
use super::place::{enter_again, me};
use crate::base::BootInstant;
use crate::sys::{Errno, local, signal, socket};
use crate::wire::codec::{self, CodecError};
use crate::wire::session::{Command, Reply, RunState};
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// A Guardian that has not answered by then is taken to be stuck. A record on a slow disk is written well before.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug)]
pub enum AskError {
    /// The run has no Guardian.
    NotGuarded,
    /// The run ended. What was asked may have been done.
    Ended,
    /// Nothing came in time. What was asked may have been done.
    Silent(Duration),
    /// What came is no answer.
    Malformed(CodecError),
    /// Its folder is not as it was.
    Folder(SessionError),
    /// Somebody else listens there.
    Foreign(u32),
    /// The kernel refused.
    Sys(&'static str, Errno),
}

impl fmt::Display for AskError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotGuarded => out.write_str("it has no Guardian, so nothing can be asked or changed"),
            Self::Ended => out.write_str("it ended before it answered"),
            Self::Silent(limit) => {
                write!(out, "its Guardian gave no answer within {} s; look again with `ps`", limit.as_secs())
            }
            Self::Malformed(error) => write!(out, "its answer is malformed: {error}"),
            Self::Folder(error) => error.fmt(out),
            Self::Foreign(uid) => write!(out, "uid {uid} listens at its socket"),
            Self::Sys(what, errno) => write!(out, "{what}: {errno:?}: {}", errno.desc()),
        }
    }
}

impl std::error::Error for AskError {}

/// Sends a command to the Guardian of a run and waits for the answer.
/// # Errors
/// [`AskError`].
pub fn ask(run: &Run, command: &Command, within: Duration) -> Result<Reply, AskError> {
    let since = BootInstant::now();
    let socket = open(run, command)?;
    receive(socket.as_fd(), within.saturating_sub(since.elapsed()))?.ok_or(AskError::Silent(within))
}

/// Watches a run: a state now and one after every change. While it is held, the run has a person who looks.
/// # Errors
/// [`AskError`].
pub fn watch(run: &Run) -> Result<Watch, AskError> {
    open(run, &Command::Watch {}).map(Watch)
}

/// A run that is watched.
#[derive(Debug)]
pub struct Watch(OwnedFd);

impl Watch {
    /// The next state; `None` when none came in this time.
    /// # Errors
    /// [`AskError::Ended`] when the run is over.
    pub fn next(&self, within: Duration) -> Result<Option<RunState>, AskError> {
        match receive(self.0.as_fd(), within)? {
            Some(Reply::State { state }) => Ok(Some(*state)),
            Some(_) => Err(AskError::Malformed(CodecError::Malformed { why: "not a state".to_owned() })),
            None => Ok(None),
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn open(run: &Run, command: &Command) -> Result<OwnedFd, AskError> {
    if !run.state.guarded {
        return Err(AskError::NotGuarded);
    }
    let folder = enter_again(&run.path).map_err(|error| match error {
        SessionError::Sys { errno: Errno::ENOENT, .. } => AskError::Ended,
        error => AskError::Folder(error),
    })?;
    let socket = local::connect(folder.as_fd(), "control").map_err(|errno| match errno {
        Errno::ENOENT | Errno::ECONNREFUSED => AskError::Ended,
        errno => AskError::Sys("connect to its socket", errno),
    })?;
    let listens =
        local::credentials(socket.as_fd()).map_err(|errno| AskError::Sys("see who listens", errno))?;
    if listens.uid != me() {
        return Err(AskError::Foreign(listens.uid));
    }
    let bytes = codec::encode(command).map_err(AskError::Malformed)?;
    socket::send(socket.as_fd(), &bytes, None, false).map_err(ended_or("send the command"))?;
    Ok(socket)
}

fn ended_or(what: &'static str) -> impl Fn(Errno) -> AskError {
    move |errno| match errno {
        Errno::EPIPE | Errno::ECONNRESET => AskError::Ended,
        errno => AskError::Sys(what, errno),
    }
}

/// One message; `None` when the time is over.
fn receive(socket: BorrowedFd<'_>, within: Duration) -> Result<Option<Reply>, AskError> {
    let since = BootInstant::now();
    let mut buffer = vec![0u8; codec::MOST_BYTES + 1];
    loop {
        match socket::receive(socket, &mut buffer, false) {
            Ok((0, _)) => return Err(AskError::Ended),
            Ok((length, _)) => {
                let bytes = buffer.get(..length).unwrap_or_default();
                return codec::decode(bytes).map(Some).map_err(AskError::Malformed);
            }
            Err(Errno::EAGAIN) => {}
            Err(errno) => return Err(ended_or("read the answer")(errno)),
        }
        let left = within.saturating_sub(since.elapsed());
        if left.is_zero() {
            return Ok(None);
        }
        let mut waits = [signal::wants_reading(Some(socket))];
        match signal::poll(&mut waits, signal::poll_time(left)) {
            Ok(_) => {}
            Err(errno) => return Err(AskError::Sys("wait for the answer", errno)),
        }
    }
}
