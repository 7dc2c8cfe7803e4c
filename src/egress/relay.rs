//! Moves bytes between the agent and its host, each way on its own: the end of one is passed on, the other goes on. Large
//! transfers go through a pipe (splice(2)), small ones through memory that is held only while it is full.
//!
//! Never makes an abort look like an end: what breaks, or is cut by a limit, is reset on both sides.

use super::meter::{Cut, Meter};
use super::race::both;
use crate::sys::splice::{self, Pipe};
use crate::sys::stream::{abort_on_close, end_writing};
use crate::sys::{Errno, Sys};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, PoisonError};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Bytes of memory for what is small.
const BUFFER: usize = 16 << 10;
/// Reads that fill the memory, one after the other, before a pipe is taken.
const LARGE_AFTER: u32 = 4;
/// What a pipe holds, when the user may have that much.
const PIPE_BYTES: usize = 1 << 20;
/// Pipes at one time; who gets none goes through memory.
const MOST_PIPES: usize = 16;

/// Pipes that are free, and how many there are.
#[derive(Debug, Default)]
pub(super) struct Pipes(Mutex<(Vec<Pipe>, usize)>);

/// A pipe of the pool. It is given back empty, or closed.
struct Lent<'a> {
    pool: &'a Pipes,
    pipe: Option<Pipe>,
    dirty: bool,
}

impl Pipes {
    fn lend(&self) -> Option<Lent<'_>> {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pipe = match pool.0.pop() {
            Some(pipe) => pipe,
            None if pool.1 < MOST_PIPES => {
                let pipe = splice::pipe(PIPE_BYTES).ok()?;
                pool.1 += 1;
                pipe
            }
            None => return None,
        };
        Some(Lent { pool: self, pipe: Some(pipe), dirty: false })
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut pool = self.pool.0.lock().unwrap_or_else(PoisonError::into_inner);
        match self.pipe.take() {
            Some(pipe) if !self.dirty => pool.0.push(pipe),
            _ => pool.1 = pool.1.saturating_sub(1),
        }
    }
}

/// Both sides of a connection. Dropped before both ways came to their end, it has both reset.
#[derive(Debug)]
pub(super) struct Sides<'a> {
    /// The agent's.
    pub agent: &'a TcpStream,
    /// The host's.
    pub host: &'a TcpStream,
    /// Nothing is to be reset.
    pub whole: bool,
}

impl Drop for Sides<'_> {
    fn drop(&mut self) {
        if !self.whole {
            abort(self.agent);
            abort(self.host);
        }
    }
}

/// Makes the end of a connection a reset.
pub(super) fn abort(connection: &TcpStream) {
    if let Err(errno) = abort_on_close(connection.as_fd()) {
        tracing::debug!("a connection that cannot be reset: {errno}");
    }
}

/// Why a way ended before its end.
#[derive(Debug)]
pub(super) enum Broken {
    /// A connection broke.
    Connection(io::Error),
    /// A limit.
    Cut(Cut),
    /// What the agent sent first is refused.
    Refused(super::reason::Denied),
    /// What the agent sent first is HTTP: not for this way.
    Http(Vec<u8>),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Connection(error)
    }
}

impl From<Errno> for Broken {
    fn from(errno: Errno) -> Self {
        Self::Connection(errno.into())
    }
}

impl From<Cut> for Broken {
    fn from(cut: Cut) -> Self {
        Self::Cut(cut)
    }
}

/// One way of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From the agent to the host.
    Up,
    /// From the host to the agent.
    Down,
}

/// Moves everything, `gate` first: it gives what the agent sent so far, or refuses it.
/// # Errors
/// What broke; the sides are reset when they are dropped.
pub(super) async fn relay(
    sides: &Sides<'_>,
    meter: &Meter,
    pipes: &Pipes,
    gate: impl Future<Output = Result<Vec<u8>, Broken>>,
) -> Result<(), Broken> {
    let up = async {
        let front = gate.await?;
        meter.sent(front.len() as u64).await?;
        write(sides.host, &front).await?;
        one_way(sides.agent, sides.host, meter, pipes, Way::Up).await
    };
    both(up, one_way(sides.host, sides.agent, meter, pipes, Way::Down)).await
}

async fn count(meter: &Meter, way: Way, bytes: usize) -> Result<(), Cut> {
    match way {
        Way::Up => meter.sent(bytes as u64).await,
        Way::Down => meter.received(bytes as u64).await,
    }
}

async fn one_way(
    from: &TcpStream,
    to: &TcpStream,
    meter: &Meter,
    pipes: &Pipes,
    way: Way,
) -> Result<(), Broken> {
    let chunk = match way {
        Way::Up => meter.chunk_up(),
        Way::Down => meter.chunk_down(),
    };
    let chunk = usize::try_from(chunk).unwrap_or(BUFFER);
    let mut full = 0;
    loop {
        if full >= LARGE_AFTER
            && let Some(pipe) = pipes.lend()
        {
            through_pipe(from, to, meter, way, pipe, chunk).await?;
            break;
        }
        let most = if full >= LARGE_AFTER { BUFFER * 4 } else { BUFFER }.min(chunk);
        from.readable().await?;
        let mut bytes = Vec::with_capacity(most);
        match from.try_read_buf(&mut bytes) {
            Ok(0) => break,
            Ok(read) => {
                full = if read >= BUFFER.min(most) { full.saturating_add(1) } else { 0 };
                count(meter, way, read).await?;
                write(to, &bytes).await?;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
    match end_writing(to.as_fd()) {
        // It is gone altogether; the other way will say so, if it has not yet.
        Ok(()) | Err(Errno::ENOTCONN) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

async fn write(to: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match to.try_write(bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => to.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn through_pipe(
    from: &TcpStream,
    to: &TcpStream,
    meter: &Meter,
    way: Way,
    mut lent: Lent<'_>,
    chunk: usize,
) -> Result<(), Broken> {
    let Some(Pipe { read, write, bytes }) = lent.pipe.take() else { return Ok(()) };
    let most = chunk.min(bytes).max(1);
    lent.dirty = true;
    loop {
        let mut moved = splice_when(from, Interest::READABLE, from.as_fd(), write.as_fd(), most).await?;
        if moved == 0 {
            break;
        }
        count(meter, way, moved).await?;
        while moved > 0 {
            let out = splice_when(to, Interest::WRITABLE, read.as_fd(), to.as_fd(), moved).await?;
            if out == 0 {
                return Err(Broken::Connection(io::ErrorKind::WriteZero.into()));
            }
            moved = moved.saturating_sub(out);
        }
    }
    (lent.pipe, lent.dirty) = (Some(Pipe { read, write, bytes }), false);
    Ok(())
}

/// One splice(2), when the socket among the two is ready.
async fn splice_when(
    socket: &TcpStream,
    interest: Interest,
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    most: usize,
) -> io::Result<usize> {
    let once = || -> io::Result<usize> {
        let moved: Sys<usize> = splice::splice(from, to, most);
        Ok(moved?)
    };
    loop {
        socket.ready(interest).await?;
        match socket.try_io(interest, once) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
    }
}
