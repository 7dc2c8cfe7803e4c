//! An accepted connection whose first bytes were read already: they come first, then the rest.

use super::writes::writes_to;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

/// The agent's side of a connection.
#[derive(Debug)]
pub(super) struct Client {
    stream: TcpStream,
    front: Vec<u8>,
    taken: usize,
}

impl Client {
    /// A connection of which nothing was read.
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, front: Vec::new(), taken: 0 }
    }

    /// A connection of which this was read.
    pub(super) fn with(stream: TcpStream, front: Vec<u8>) -> Self {
        Self { stream, front, taken: 0 }
    }

    /// What was read already and not given to anyone.
    pub(super) fn front(&self) -> &[u8] {
        self.front.get(self.taken..).unwrap_or_default()
    }

    /// The bytes in front and the connection behind them.
    pub(super) fn into_parts(self) -> (Vec<u8>, TcpStream) {
        (self.front().to_vec(), self.stream)
    }

    /// Reads what is there and keeps it in front, at most up to `most` bytes in all. Gives how much came; 0 at the end,
    /// and when `most` is reached.
    /// # Errors
    /// As recv(2).
    pub(super) async fn look(&mut self, most: usize) -> io::Result<usize> {
        let room = most.saturating_sub(self.front().len());
        if room == 0 {
            return Ok(0);
        }
        loop {
            self.stream.readable().await?;
            // Here and no sooner, so that a connection that waits does not hold it.
            let mut buffer = [0; 4096];
            let room = buffer.get_mut(..room.min(4096)).unwrap_or_default();
            match self.stream.try_read(room) {
                Ok(count) => {
                    self.front.extend_from_slice(room.get(..count).unwrap_or_default());
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes this many bytes from the front away.
    pub(super) fn consume(&mut self, count: usize) {
        self.taken = self.taken.saturating_add(count).min(self.front.len());
        if self.taken == self.front.len() {
            self.front.clear();
            self.taken = 0;
        }
    }
}

impl AsyncRead for Client {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.front().is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, into);
        }
        let count = self.front().len().min(into.remaining());
        into.put_slice(self.front().get(..count).unwrap_or_default());
        self.consume(count);
        Poll::Ready(Ok(()))
    }
}

writes_to!([] Client, stream);
