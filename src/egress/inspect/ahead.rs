//! Reads in large pieces, on both sides of TLS: below it more from the kernel than the four kibibytes that are asked for,
//! above it more than the one record that is given.
//!
//! Never holds memory that is empty: a piece goes back when all of it was taken.

use crate::egress::writes::writes_to;
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are read from the kernel at once.
const PIECE: usize = 64 << 10;
/// Pieces of memory that are kept for the next reader.
const MOST_SPARE: usize = 8;

thread_local! {
    static SPARE: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

fn take_spare() -> Box<[u8]> {
    SPARE.with(|spare| spare.borrow_mut().pop()).unwrap_or_else(|| vec![0; PIECE].into())
}

fn give_back(piece: Box<[u8]>) {
    SPARE.with(|spare| {
        let mut spare = spare.borrow_mut();
        if spare.len() < MOST_SPARE {
            spare.push(piece);
        }
    });
}

/// Below TLS: reads a piece at a time, however little is asked for.
#[derive(Debug)]
pub(super) struct Ahead<S> {
    inner: S,
    /// What was read, from where on it was not taken, and up to where.
    piece: Option<(Box<[u8]>, usize, usize)>,
}

impl<S> Ahead<S> {
    /// In front of this.
    pub(super) fn new(inner: S) -> Self {
        Self { inner, piece: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Ahead<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let (piece, start, end) = match this.piece.take() {
            Some(there) => there,
            None => {
                let mut piece = take_spare();
                let mut room = ReadBuf::new(&mut piece);
                let read = Pin::new(&mut this.inner).poll_read(context, &mut room);
                let end = room.filled().len();
                if end == 0 {
                    give_back(piece);
                    return read;
                }
                ready!(read)?;
                (piece, 0, end)
            }
        };
        let part = piece.get(start..end).unwrap_or_default();
        let count = part.len().min(into.remaining());
        into.put_slice(part.get(..count).unwrap_or_default());
        if start + count == end {
            give_back(piece);
        } else {
            this.piece = Some((piece, start + count, end));
        }
        Poll::Ready(Ok(()))
    }
}

/// Above TLS: fills what it is given with all that is there.
#[derive(Debug)]
pub(super) struct Gathered<S> {
    inner: S,
    /// It broke behind what was given last.
    broken: Option<io::Error>,
}

impl<S> Gathered<S> {
    /// In front of this.
    pub(super) fn new(inner: S) -> Self {
        Self { inner, broken: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(broken) = self.broken.take() {
            return Poll::Ready(Err(broken));
        }
        let before = into.filled().len();
        loop {
            let had = into.filled().len();
            let read = Pin::new(&mut self.inner).poll_read(context, into);
            let more = into.filled().len() > had && into.remaining() > 0;
            match read {
                Poll::Ready(Ok(())) if more => {}
                Poll::Ready(Err(error)) if had > before => {
                    self.broken = Some(error);
                    return Poll::Ready(Ok(()));
                }
                Poll::Pending if had > before => return Poll::Ready(Ok(())),
                done => return done,
            }
        }
    }
}

writes_to!([<S: AsyncWrite + Unpin>] Ahead<S>, inner);
writes_to!([<S: AsyncWrite + Unpin>] Gathered<S>, inner);

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    #[test]
    fn what_was_read_ahead_comes_in_order_however_it_is_taken() {
        run(async {
            let (mut from, to) = duplex(1 << 20);
            let bytes: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
            from.write_all(&bytes).await.unwrap();
            drop(from);
            let mut ahead = Ahead::new(to);
            let mut got = Vec::new();
            for step in [1, 7, 4096, 60_000, 1].into_iter().cycle() {
                let mut part = vec![0; step];
                let count = ahead.read(&mut part).await.unwrap();
                if count == 0 {
                    break;
                }
                got.extend_from_slice(&part[..count]);
            }
            assert!(got == bytes);
            assert!(ahead.piece.is_none(), "nothing is held for nothing");
        });
    }

    /// Gives these one after the other, then waits.
    struct Steps(Vec<Option<io::Result<&'static [u8]>>>);

    impl AsyncRead for Steps {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            into: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            if self.0.is_empty() {
                return Poll::Pending;
            }
            match self.0.remove(0) {
                None => Poll::Pending,
                Some(step) => Poll::Ready(step.map(|bytes| into.put_slice(bytes))),
            }
        }
    }

    #[test]
    fn all_that_is_there_comes_at_once_and_what_broke_comes_after_it() {
        let broken = || Some(Err(io::Error::from(io::ErrorKind::ConnectionReset)));
        let steps = vec![Some(Ok(&b"ab"[..])), Some(Ok(b"cd")), None, Some(Ok(b"e")), broken()];
        let mut gathered = Gathered::new(Steps(steps));
        run(async {
            let mut part = [0; 8];
            assert_eq!(gathered.read(&mut part).await.unwrap(), 4);
            assert_eq!(&part[..4], b"abcd");
            assert_eq!(gathered.read(&mut part).await.unwrap(), 1);
            assert_eq!(gathered.read(&mut part).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        });
        let mut ended = Gathered::new(Steps(vec![Some(Ok(b"x")), Some(Ok(b"")), Some(Ok(b""))]));
        run(async {
            let mut part = [0; 8];
            assert_eq!(ended.read(&mut part).await.unwrap(), 1);
            assert_eq!(ended.read(&mut part).await.unwrap(), 0, "the end stays the end");
        });
    }
}
