//! What leaves, read by role `dlp` first. One socket for all connections; each stream waits for its own answers, and may
//! give some pieces before the first of them.
//!
//! Never takes a late, lost or strange answer for a yes.

use crate::sys::Errno;
use crate::sys::socket::{receive, send_parts, send_with};
use crate::wire::codec;
use crate::wire::dlp::{Edit, Finding, FromDlp, MOST_CONTENT, ToDlp, head};
use std::collections::{HashMap, VecDeque};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How long one answer may take. The work of a piece has its own limit, in the role; this is for a piece that waits behind
/// others on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// Streams at one time.
const MOST_STREAMS: usize = 4096;

/// The answer about one piece.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Bytes before this offset may go out, once edited.
    pub release_to: u64,
    /// Edits before `release_to`, in order.
    pub edits: Vec<Edit>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// It could not be read, and why.
    pub unscannable: Option<String>,
}

/// It was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// The role is gone, or speaks nonsense.
    Gone,
    /// It took too long.
    Slow,
    /// Too many streams at one time.
    Full,
}

/// The socket of the role.
#[derive(Debug)]
pub(super) struct Scanner {
    /// A socket of whole messages; the type only waits.
    socket: UnixStream,
    next: AtomicU64,
    gone: AtomicBool,
    waiting: Mutex<HashMap<u64, VecDeque<oneshot::Sender<Step>>>>,
    /// Streams whose end was not told because the socket was full.
    ended: Mutex<Vec<u64>>,
}

/// One stream.
#[derive(Debug)]
pub(super) struct Scan {
    scanner: Arc<Scanner>,
    stream: u64,
    fed: u64,
    released: u64,
    /// Pieces that have no answer yet, in order.
    asked: VecDeque<Asked>,
}

/// A piece that was given.
#[derive(Debug)]
struct Asked {
    told: oneshot::Receiver<Step>,
    /// Where it ends.
    end: u64,
    last: bool,
}

impl Scanner {
    /// Serves this socket. Needs the runtime; its reader ends with the socket or with the last user.
    /// # Errors
    /// When the descriptor cannot be waited for.
    pub(super) fn start(socket: OwnedFd) -> io::Result<Arc<Self>> {
        let socket = std::os::unix::net::UnixStream::from(socket);
        socket.set_nonblocking(true)?;
        let scanner = Arc::new(Self {
            socket: UnixStream::from_std(socket)?,
            next: AtomicU64::new(1),
            gone: AtomicBool::new(false),
            waiting: Mutex::default(),
            ended: Mutex::default(),
        });
        tokio::spawn(scanner.clone().read());
        Ok(scanner)
    }

    async fn read(self: Arc<Self>) {
        let mut buffer = vec![0; codec::MOST_BYTES];
        loop {
            if self.socket.readable().await.is_err() {
                break;
            }
            let received = self
                .socket
                .try_io(Interest::READABLE, || Ok(receive(self.socket.as_fd(), &mut buffer, false)?));
            match received {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok((count, None)) if count > 0 => {
                    if !self.take(buffer.get(..count).unwrap_or_default()) {
                        break;
                    }
                }
                _ => break,
            }
        }
        self.gone.store(true, Ordering::Relaxed);
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Hands an answer to who waits for it. False: this is no answer.
    fn take(&self, bytes: &[u8]) -> bool {
        let Ok(FromDlp::Step { stream, release_to, edits, findings, unscannable }) = codec::decode(bytes)
        else {
            return false;
        };
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waits) = waiting.get_mut(&stream).and_then(VecDeque::pop_front) {
            // Who gave up takes no answer.
            drop(waits.send(Step { release_to, edits, findings, unscannable }));
        }
        true
    }

    /// Begins a stream to this host. `redact`: what would stop it is replaced by a mark.
    /// # Errors
    /// [`Unread`].
    pub(super) async fn open(
        self: &Arc<Self>,
        host: &str,
        media: &str,
        redact: bool,
    ) -> Result<Scan, Unread> {
        let stream = self.next.fetch_add(1, Ordering::Relaxed);
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.len() >= MOST_STREAMS {
                return Err(Unread::Full);
            }
            waiting.insert(stream, VecDeque::new());
        }
        let scan = Scan { scanner: self.clone(), stream, fed: 0, released: 0, asked: VecDeque::new() };
        let late = std::mem::take(&mut *self.ended.lock().unwrap_or_else(PoisonError::into_inner));
        for stream in late {
            self.say(&ToDlp::Close { stream }).await?;
        }
        let (host, media) = (host.to_owned(), media.to_owned());
        self.say(&ToDlp::Open { stream, host, media, redact }).await?;
        Ok(scan)
    }

    async fn say(&self, message: &ToDlp) -> Result<(), Unread> {
        let bytes = codec::encode(message).map_err(|_| Unread::Gone)?;
        timeout(PATIENCE, self.send(&[IoSlice::new(&bytes)])).await.map_err(|_| Unread::Slow)?
    }

    async fn send(&self, parts: &[IoSlice<'_>]) -> Result<(), Unread> {
        while !self.gone.load(Ordering::Relaxed) {
            self.socket.writable().await.map_err(|_| Unread::Gone)?;
            let sent =
                self.socket.try_io(Interest::WRITABLE, || Ok(send_parts(self.socket.as_fd(), parts, false)?));
            match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => return sent.map_err(|_| Unread::Gone),
            }
        }
        Err(Unread::Gone)
    }
}

impl Scan {
    /// The most bytes of one piece: about so much that the answer, with all that was found, is one message too.
    pub(super) const MOST: usize = MOST_CONTENT / 2;

    /// Lets a piece be read, and waits for its answer.
    /// # Errors
    /// As [`Scan::put`] and [`Scan::next`].
    pub(super) async fn feed(&mut self, piece: &[u8], last: bool) -> Result<Step, Unread> {
        self.put(piece, last).await?;
        self.next(0).await?.ok_or(Unread::Gone)
    }

    /// Gives a piece to be read.
    /// # Errors
    /// [`Unread`].
    pub(super) async fn put(&mut self, piece: &[u8], last: bool) -> Result<(), Unread> {
        let (tell, told) = oneshot::channel();
        {
            let mut waiting = self.scanner.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.get_mut(&self.stream).ok_or(Unread::Gone)?.push_back(tell);
        }
        self.fed += piece.len() as u64;
        self.asked.push_back(Asked { told, end: self.fed, last });
        let head = head(self.stream, last);
        let parts = [IoSlice::new(&head), IoSlice::new(piece)];
        timeout(PATIENCE, self.scanner.send(&parts)).await.map_err(|_| Unread::Slow)?
    }

    /// The answer about the oldest piece that has none yet. While no more than `ahead` pieces wait, only one that is
    /// there already.
    /// # Errors
    /// [`Unread`]; also for an answer that releases what was not given, or edits what is gone.
    pub(super) async fn next(&mut self, ahead: usize) -> Result<Option<Step>, Unread> {
        let may_wait = self.asked.len() > ahead;
        let Some(asked) = self.asked.front_mut() else { return Ok(None) };
        let step = match asked.told.try_recv() {
            Ok(step) => step,
            Err(oneshot::error::TryRecvError::Empty) if !may_wait => return Ok(None),
            Err(oneshot::error::TryRecvError::Empty) => {
                let told = timeout(PATIENCE, &mut asked.told).await.map_err(|_| Unread::Slow)?;
                told.map_err(|_| Unread::Gone)?
            }
            Err(oneshot::error::TryRecvError::Closed) => return Err(Unread::Gone),
        };
        let asked = self.asked.pop_front().ok_or(Unread::Gone)?;
        self.check(&step, &asked).ok_or(Unread::Gone)?;
        self.released = step.release_to;
        Ok(Some(step))
    }

    fn check(&self, step: &Step, asked: &Asked) -> Option<()> {
        let whole = !asked.last
            || step.release_to == asked.end
            || step.unscannable.is_some()
            || !step.findings.is_empty();
        let mut at = self.released;
        for edit in &step.edits {
            if edit.start < at || edit.end < edit.start || edit.end > step.release_to {
                return None;
            }
            at = edit.end;
        }
        (whole && step.release_to >= self.released && step.release_to <= asked.end).then_some(())
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        self.scanner.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.stream);
        let Ok(bytes) = codec::encode(&ToDlp::Close { stream: self.stream }) else { return };
        if send_with(self.scanner.socket.as_fd(), &bytes, &[], false) == Err(Errno::EAGAIN) {
            self.scanner.ended.lock().unwrap_or_else(PoisonError::into_inner).push(self.stream);
        }
    }
}
