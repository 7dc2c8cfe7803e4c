//! Who opened a connection: SOCK_DIAG gives the inode of the agent's socket, the Guardian the process that holds it.
//!
//! Never takes a process that is gone, or an answer that did not come, for any program.

use super::bucket::Bucket;
use crate::sys::diag;
use crate::wire::subject::Process;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long a rule for programs waits for the answer.
pub(super) const MOST_WAIT: Duration = Duration::from_secs(1);
/// Questions at one time.
const MOST_QUESTIONS: usize = 256;
/// Questions a second that no rule waits for.
const EXTRA_RATE: u64 = 20;
const EXTRA_BURST: u64 = 100;

/// Asks who it is.
#[derive(Debug)]
pub(super) struct Who {
    diag: Option<OwnedFd>,
    inside: Mutex<Inside>,
}

#[derive(Debug)]
struct Inside {
    questions: HashMap<u64, oneshot::Sender<Option<Process>>>,
    last: u64,
    extra: Bucket,
}

impl Who {
    /// Nobody is known without the socket.
    pub(super) fn new(diag: Option<OwnedFd>) -> Self {
        let extra = Bucket::full(EXTRA_RATE, EXTRA_BURST, Instant::now());
        Self { diag, inside: Mutex::new(Inside { questions: HashMap::new(), last: 0, extra }) }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The inode of the socket inside with this own address, connected to that one.
    pub(super) fn inode(&self, own: SocketAddr, other: SocketAddr) -> Option<u64> {
        let found = diag::lookup(self.diag.as_ref()?.as_fd(), own, other).ok()??;
        (found.inode != 0).then_some(found.inode.into())
    }

    /// A question for the Guardian, unless there are too many: its number, and who gets the answer. `extra` is one that no
    /// rule waits for.
    pub(super) fn put(&self, extra: bool) -> Option<(u64, oneshot::Receiver<Option<Process>>)> {
        let mut inside = self.inside();
        if inside.questions.len() >= MOST_QUESTIONS || extra && !inside.extra.take_one(Instant::now()) {
            return None;
        }
        let (sender, answer) = oneshot::channel();
        inside.last += 1;
        let id = inside.last;
        inside.questions.insert(id, sender);
        Some((id, answer))
    }

    /// Nobody waits for this one any more.
    pub(super) fn forget(&self, id: u64) {
        self.inside().questions.remove(&id);
    }

    /// The Guardian answered.
    pub(super) fn answer(&self, id: u64, process: Process) {
        if let Some(waiting) = self.inside().questions.remove(&id) {
            let known = (process.pid != 0).then_some(process);
            // One that gave up in the meantime does not want it any more.
            drop(waiting.send(known));
        }
    }
}
