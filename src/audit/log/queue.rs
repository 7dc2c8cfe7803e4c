//! One log for the threads of a launcher: a queue in front of it, emptied by a thread of its own or by who waits.
//!
//! Never lets a caller go on as if a record existed that could not be written, and never drops one: a full queue
//! slows who fills it. When the log fails, everybody who waits is told. What somebody waits for ends its epoch.

use super::batch::Batch;
use super::leaf::encode_event;
use super::merkle::leaf_hash;
use super::reader::{Found, read};
use super::watch::{Feed, Watcher};
use super::writer::{Log, Turn};
use crate::audit::{AuditError, Event};
use crate::base::HostPath;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Bytes of leaves that wait at most.
const MOST_WAITING: usize = 8 << 20;
/// How long a written block of a durable log waits at most for the disk when nobody waits for it.
const SYNC_WITHIN: Duration = Duration::from_millis(50);

/// A handle on the log of the run; clones write to the same one.
#[derive(Debug, Clone)]
pub struct SharedLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// Something waits to be written, or the thread is to end.
    work: Condvar,
    /// Something was written, which makes room, or the log failed.
    written: Condvar,
    /// Something is on the disk, or the log failed.
    durable: Condvar,
    log: Mutex<Log>,
    path: PathBuf,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Leaves on their way; each has its number, from 1.
#[derive(Debug, Default)]
struct Queue {
    batch: Batch,
    queued: u64,
    written: u64,
    durable: u64,
    /// Somebody waits for the kernel up to this number.
    asked: u64,
    /// Somebody waits for the disk up to this number.
    wished: u64,
    threaded: bool,
    ending: bool,
    failed: Option<AuditError>,
}

impl Queue {
    /// A leaf with this number is where it should be, or never will be.
    fn state(&self, reached: u64, number: u64) -> Option<Result<(), AuditError>> {
        if reached >= number { Some(Ok(())) } else { self.failed.clone().map(Err) }
    }
}

/// What somebody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    None,
    Kernel,
    Disk,
}

impl Queue {
    fn mark(&mut self, number: u64, wish: Wish) {
        match wish {
            Wish::None => {}
            Wish::Kernel => self.asked = number.max(self.asked),
            Wish::Disk => self.wished = number.max(self.wished),
        }
    }

    fn wish(&self, due: &Due) -> Wish {
        if self.wished > self.durable || (self.ending && due.sync.is_some()) {
            Wish::Disk
        } else if self.asked > self.written {
            Wish::Kernel
        } else {
            Wish::None
        }
    }
}

/// When the thread has something to do without being asked.
#[derive(Debug, Default)]
struct Due {
    /// Written blocks wait for the disk until then.
    sync: Option<Instant>,
    /// Their key goes then.
    turn: Option<Instant>,
}

impl Due {
    fn rest(&self) -> Option<Duration> {
        let first = [self.sync, self.turn].into_iter().flatten().min();
        first.map(|at| at.saturating_duration_since(Instant::now()))
    }
}

impl SharedLog {
    /// Shares a log. Until [`SharedLog::start_thread`], who writes an event waits for it.
    pub fn new(log: Log) -> Self {
        let path = log.path();
        Self(Arc::new(Shared {
            queue: Mutex::default(),
            work: Condvar::new(),
            written: Condvar::new(),
            durable: Condvar::new(),
            log: Mutex::new(log),
            path,
            thread: Mutex::new(None),
        }))
    }

    /// From here on a thread writes what comes, many events at once. With `durable` it lets nothing lie unsynced for
    /// long.
    /// # Errors
    /// When there can be no thread.
    pub fn start_thread(&self, durable: bool) -> std::io::Result<()> {
        let shared = Arc::clone(&self.0);
        let thread = std::thread::Builder::new().name("audit".into()).spawn(move || shared.serve(durable))?;
        locked(&self.0.queue).threaded = true;
        *locked(&self.0.thread) = Some(thread);
        Ok(())
    }

    /// Writes one event; it is in the kernel when this returns.
    /// # Errors
    /// As [`Log::append`].
    pub fn append(&self, event: &Event) -> Result<(), AuditError> {
        let number = self.0.push(event, Wish::Kernel)?;
        self.0.wait(number, false)
    }

    /// Writes one event that nothing waits for. Waits only for room.
    /// # Errors
    /// When the log has failed before.
    pub fn note(&self, event: &Event) -> Result<(), AuditError> {
        let number = self.0.push(event, Wish::None)?;
        if locked(&self.0.queue).threaded { Ok(()) } else { self.0.wait(number, false) }
    }

    /// Writes one event and waits until it is on the disk.
    /// # Errors
    /// As [`Log::append`] and [`Log::sync`].
    pub fn append_durable(&self, event: &Event) -> Result<(), AuditError> {
        let number = self.0.push(event, Wish::Disk)?;
        self.0.wait(number, true)
    }

    /// Waits until every event so far is in the kernel.
    /// # Errors
    /// As [`Log::append`].
    pub fn written(&self) -> Result<(), AuditError> {
        let number = locked(&self.0.queue).queued;
        self.0.wait(number, false)
    }

    /// Waits until every event so far is on the disk.
    /// # Errors
    /// As [`Log::sync`].
    pub fn sync(&self) -> Result<(), AuditError> {
        let number = locked(&self.0.queue).queued;
        self.0.wait(number, true)
    }

    /// Writes what waits, ends the thread, and ends the log.
    /// # Errors
    /// As [`Log::seal`].
    pub fn seal(&self) -> Result<(), AuditError> {
        self.0.end_thread();
        self.0.flush(false)?;
        let sealed = locked(&self.0.log).seal();
        let path = self.0.path.clone();
        locked(&self.0.queue).failed.get_or_insert(AuditError::Closed { path });
        sealed
    }

    /// Hands every event of the log to somebody who looks on: those that are written already, then each once it is.
    /// # Errors
    /// When what is written cannot be read.
    pub fn watch(&self, feed: Feed) -> Result<(), AuditError> {
        let folder = self.0.path.parent().map(Path::to_owned).unwrap_or_default();
        let feed = Arc::new(feed);
        let later = Arc::clone(&feed);
        // While the log is held nothing is written: what is there is read first.
        let mut log = locked(&self.0.log);
        let before = log.watch(Watcher(Box::new(move |found: Found<'_>| later.take(&found))));
        read(&folder, &mut |found| {
            if found.index < before {
                feed.take(&found);
            }
        })
        .map(drop)
    }

    /// The log's own path; a file that exists and that no sandbox may see.
    pub fn path(&self) -> Option<HostPath> {
        HostPath::new(self.0.path.clone()).ok()
    }
}

impl Shared {
    /// What somebody waits for is marked as such together with it: the thread may take it at once.
    fn push(&self, event: &Event, wish: Wish) -> Result<u64, AuditError> {
        let encoded = encode_event(event)?;
        let hash = leaf_hash(&encoded.leaf);
        let bytes = encoded.leaf.len() + encoded.opening.len();
        let mut queue = locked(&self.queue);
        while queue.failed.is_none() && queue.threaded && queue.batch.bytes() + bytes > MOST_WAITING {
            queue = self.written.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        if queue.failed.is_some() {
            return Err(AuditError::Closed { path: self.path.clone() });
        }
        queue.batch.push_hashed(&encoded, hash);
        queue.queued += 1;
        if queue.threaded {
            let number = queue.queued;
            queue.mark(number, wish);
        }
        if queue.threaded && queue.batch.len() == 1 {
            self.work.notify_one();
        }
        Ok(queue.queued)
    }

    fn wait(&self, number: u64, durable: bool) -> Result<(), AuditError> {
        let mut queue = locked(&self.queue);
        if !queue.threaded {
            drop(queue);
            return self.flush(durable);
        }
        queue.mark(number, if durable { Wish::Disk } else { Wish::Kernel });
        self.work.notify_one();
        loop {
            let reached = if durable { queue.durable } else { queue.written };
            if let Some(done) = queue.state(reached, number) {
                return done;
            }
            let news = if durable { &self.durable } else { &self.written };
            queue = news.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Writes what waits, in the thread of the caller.
    fn flush(&self, durable: bool) -> Result<(), AuditError> {
        let mut log = locked(&self.log);
        let (mut batch, up_to) = self.taken(&mut locked(&self.queue));
        let mut done = if batch.is_empty() { Ok(()) } else { log.commit(&mut batch, Turn::Now) };
        if durable {
            done = done.and_then(|()| log.sync());
        }
        self.reached(up_to, durable, &done);
        done
    }

    fn taken(&self, queue: &mut Queue) -> (Batch, u64) {
        (std::mem::take(&mut queue.batch), queue.queued)
    }

    fn reached(&self, up_to: u64, durable: bool, done: &Result<(), AuditError>) {
        let mut queue = locked(&self.queue);
        match done {
            Ok(()) => {
                queue.written = queue.written.max(up_to);
                if durable {
                    queue.durable = queue.durable.max(up_to);
                }
            }
            Err(error) => {
                queue.failed.get_or_insert(error.clone());
            }
        }
        drop(queue);
        if !durable || done.is_err() {
            self.written.notify_all();
        }
        if durable || done.is_err() {
            self.durable.notify_all();
        }
    }

    /// The thread: takes all that waits, makes one block of it, and goes on.
    fn serve(&self, durable: bool) {
        let mut due = Due::default();
        let mut spare = Batch::new();
        loop {
            let Some((mut batch, up_to, wish)) = self.next(&mut due, &mut spare) else { return };
            let mut log = locked(&self.log);
            let syncs = wish == Wish::Disk || due.sync.is_some_and(|at| at <= Instant::now());
            // While a sync waits for the disk, the key of what is written is gone already.
            let turn = if syncs || wish != Wish::None { Turn::Now } else { Turn::InTime };
            let written = log.commit(&mut batch, turn);
            due.turn = log.rest_of_epoch().map(|rest| Instant::now() + rest);
            if durable {
                due.sync.get_or_insert_with(|| Instant::now() + SYNC_WITHIN);
            }
            self.reached(up_to, false, &written);
            if written.is_ok() && syncs {
                self.reached(up_to, true, &log.sync());
                due.sync = None;
            }
            spare = batch;
        }
    }

    /// Waits for something to do: leaves, a wish, or that something is due. `None` at the end.
    fn next(&self, due: &mut Due, spare: &mut Batch) -> Option<(Batch, u64, Wish)> {
        let mut queue = locked(&self.queue);
        loop {
            if queue.failed.is_some() {
                *due = Due::default();
                (queue.wished, queue.asked) = (queue.durable, queue.written);
                queue.batch.clear();
            }
            let wish = queue.wish(due);
            let rest = due.rest();
            if !queue.batch.is_empty() || wish != Wish::None || rest.is_some_and(|rest| rest.is_zero()) {
                let batch = std::mem::replace(&mut queue.batch, std::mem::take(spare));
                return Some((batch, queue.queued, wish));
            }
            if queue.ending {
                return None;
            }
            queue = match rest {
                None => self.work.wait(queue).unwrap_or_else(PoisonError::into_inner),
                Some(rest) => self.work.wait_timeout(queue, rest).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }

    fn end_thread(&self) {
        locked(&self.queue).ending = true;
        self.work.notify_all();
        if let Some(thread) = locked(&self.thread).take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the log panicked");
        }
        let mut queue = locked(&self.queue);
        queue.threaded = false;
    }
}

/// A panic of another thread leaves a whole queue and a whole log: both change by one assignment, or close themselves.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
