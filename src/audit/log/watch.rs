//! Hands on what was written, to somebody who looks at it while the run goes on.
//!
//! Never waits: what the other side does not take in time is counted, and that number is told. A leaf is handed on after
//! it was written, never before.

use super::block::Block;
use super::join::Opening;
use super::openings::{Body, parse};
use super::reader::Found;
use crate::sys::{Errno, socket};
use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

/// The most leaves that wait.
const MOST_WAITING: usize = 8192;
/// The most bytes of leaves that wait.
const MOST_BYTES: usize = 4 << 20;
/// A message is sent when it has so many bytes; a leaf that is longer goes alone.
const MESSAGE: usize = 60_000;

/// Hears of every leaf that was written.
pub(super) struct Watcher(pub(super) Box<dyn FnMut(Found<'_>) + Send>);

impl std::fmt::Debug for Watcher {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Watcher")
    }
}

/// Hands over the leaves of a block as it was just written, each with what opens it.
pub(super) fn each_open(block: &Block<'_>, openings: &[u8], each: &mut dyn FnMut(Found<'_>)) {
    let mut rest = openings;
    for (index, bytes) in (block.first..).zip(block.leaves().flatten()) {
        let mut opening = Opening::None;
        if let Some(record) = parse(rest).filter(|record| record.index == index) {
            rest = rest.get(record.length..).unwrap_or_default();
            if let Body::Open(salted) = record.body {
                opening = Opening::Open(salted);
            }
        }
        each(Found { index, bytes, opening });
    }
}

/// How much was handed on, and how much was not.
#[derive(Debug, Default)]
pub struct Fed {
    /// Leaves that were handed on.
    pub handed: AtomicU64,
    /// Leaves that found no room.
    pub missed: AtomicU64,
    bytes: AtomicUsize,
}

/// A queue to a socket, with a thread that sends.
#[derive(Debug)]
pub struct Feed {
    queue: SyncSender<Box<[u8]>>,
    fed: Arc<Fed>,
    events: HashSet<String>,
}

impl Feed {
    /// Starts the thread. Of the leaves only those of `events` are handed on.
    /// # Errors
    /// When there can be no thread.
    pub fn start(socket: OwnedFd, events: HashSet<String>) -> io::Result<Self> {
        let (queue, waiting) = sync_channel(MOST_WAITING);
        let fed = Arc::<Fed>::default();
        let counts = Arc::clone(&fed);
        std::thread::Builder::new()
            .name("feed".into())
            .spawn(move || send_all(&socket, &waiting, &counts))?;
        Ok(Self { queue, fed, events })
    }

    /// The counts.
    pub fn fed(&self) -> Arc<Fed> {
        Arc::clone(&self.fed)
    }

    /// Hands a leaf on, or counts it.
    pub fn take(&self, found: &Found<'_>) {
        if !event_of(found.bytes).is_some_and(|event| self.events.contains(event)) {
            return;
        }
        let line = line(found);
        let length = line.len();
        if self.fed.bytes.load(Ordering::Relaxed) + length > MOST_BYTES {
            self.fed.missed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.fed.bytes.fetch_add(length, Ordering::Relaxed);
        match self.queue.try_send(line.into()) {
            Ok(()) => self.fed.handed.fetch_add(1, Ordering::Relaxed),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.fed.bytes.fetch_sub(length, Ordering::Relaxed);
                self.fed.missed.fetch_add(1, Ordering::Relaxed)
            }
        };
    }
}

/// The name of a leaf's event, as the log writes it.
fn event_of(leaf: &[u8]) -> Option<&str> {
    let mut quoted = leaf.split(|byte| *byte == b'"');
    let (key, name) = (quoted.nth(7)?, quoted.nth(1)?);
    str::from_utf8(name).ok().filter(|_| key == b"event")
}

/// Sends what comes, many leaves in one message, until nobody sends or nobody reads.
fn send_all(socket: &OwnedFd, waiting: &Receiver<Box<[u8]>>, fed: &Fed) {
    let mut next = None;
    while let Some(line) = next.take().or_else(|| waiting.recv().ok()) {
        let mut message = line.into_vec();
        while message.len() < MESSAGE {
            let Ok(more) = waiting.try_recv() else { break };
            if message.len() + more.len() > MESSAGE {
                next = Some(more);
                break;
            }
            message.extend(more);
        }
        fed.bytes.fetch_sub(message.len(), Ordering::Relaxed);
        match socket::send(socket.as_fd(), &message, None, true) {
            Ok(()) | Err(Errno::EINTR) => {}
            Err(_) => return,
        }
    }
}

/// A leaf as it is sent: its index, a space, itself, a tab, the value that opens it, a newline. Neither has a tab or a
/// newline: both are JSON without white space.
fn line(found: &Found<'_>) -> Vec<u8> {
    let mut line = format!("{} ", found.index).into_bytes();
    line.extend_from_slice(found.bytes);
    line.push(b'\t');
    line.extend_from_slice(found.opening.value());
    line.push(b'\n');
    line
}

/// A leaf that was handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handed<'a> {
    /// Its index.
    pub index: u64,
    /// Its bytes.
    pub leaf: &'a [u8],
    /// The value that opens it; empty where nothing does.
    pub hidden: &'a [u8],
}

/// The leaves of a message; `None` for a line that is none.
pub fn lines(message: &[u8]) -> impl Iterator<Item = Option<Handed<'_>>> {
    message.split_inclusive(|byte| *byte == b'\n').map(|line| {
        let line = line.strip_suffix(b"\n")?;
        let mut parts = line.splitn(2, |byte| *byte == b'\t');
        let (head, hidden) = (parts.next()?, parts.next()?);
        let space = head.iter().position(|byte| *byte == b' ')?;
        let (index, leaf) = head.split_at_checked(space)?;
        let index = str::from_utf8(index).ok()?.parse().ok()?;
        Some(Handed { index, leaf: leaf.get(1..)?, hidden })
    })
}

#[cfg(test)]
mod tests {
    use super::super::sd::Salted;
    use super::*;
    use crate::sys::socket::message_pair;

    fn leaf(event: &str, more: &str) -> String {
        format!("{{\"v\":2,\"ts\":1,\"mono\":2,\"event\":\"{event}\",\"data\":{{\"x\":\"{more}\"}}}}")
    }

    fn feed() -> (Feed, OwnedFd) {
        let (ours, theirs) = message_pair().unwrap();
        (Feed::start(ours, HashSet::from(["denial".to_owned()])).unwrap(), theirs)
    }

    #[test]
    fn what_is_wanted_arrives_whole_and_in_order_and_the_rest_does_not() {
        let (feed, theirs) = feed();
        for index in 0..3000u64 {
            let event = if index % 3 == 0 { "denial" } else { "grant" };
            let value = format!("{{\"/x\":{index}}}");
            let opening = Opening::Open(Salted { salt: &[7; 16], value: value.as_bytes() });
            feed.take(&Found { index, bytes: leaf(event, &index.to_string()).as_bytes(), opening });
        }
        let (mut seen, mut buffer) = (Vec::new(), vec![0; 1 << 17]);
        while seen.len() < 1000 {
            let (length, _) = crate::sys::socket::receive(theirs.as_fd(), &mut buffer, true).unwrap();
            for found in lines(&buffer[..length]) {
                let found = found.unwrap();
                assert_eq!(found.leaf, leaf("denial", &found.index.to_string()).as_bytes());
                assert_eq!(found.hidden, format!("{{\"/x\":{}}}", found.index).as_bytes());
                seen.push(found.index);
            }
        }
        assert_eq!(seen, (0..3000).step_by(3).collect::<Vec<u64>>());
        assert_eq!(feed.fed().handed.load(Ordering::Relaxed), 1000);
    }

    #[test]
    fn a_reader_that_does_not_read_is_never_waited_for_and_what_it_misses_is_counted() {
        let (feed, _theirs) = feed();
        let long = leaf("denial", &"x".repeat(10_000));
        for index in 0..2000 {
            feed.take(&Found { index, bytes: long.as_bytes(), opening: Opening::None });
        }
        let (handed, missed) =
            (feed.fed().handed.load(Ordering::Relaxed), feed.fed().missed.load(Ordering::Relaxed));
        assert_eq!(handed + missed, 2000);
        assert!(missed > 1000 && handed > 100, "{handed} {missed}");
    }

    #[test]
    fn a_message_that_is_none_has_no_leaves() {
        for bytes in ["x", "1 {}", "1 {}\t", "1 {}\n", "a {}\t\n", "1{}\t\n", "-1 {}\t\n"] {
            assert!(lines(bytes.as_bytes()).any(|found| found.is_none()), "{bytes}");
        }
        assert_eq!(lines(b"").count(), 0);
    }
}
