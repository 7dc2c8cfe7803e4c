//! One `ask` entry: untouched, asked about, refused for a while, or served.
//!
//! Every call that touches it comes here first. Calls of the time a person is asked wait together for one answer;
//! never is a call lost: it is answered by the verdict, by its interrupt, by the deadline, or by the end.

use super::call::{Answer, Attributes, Call, Kind, ROOT};
use super::held::Shape;
use super::report::Report;
use super::served::{Grant, Served};
use crate::base::BootInstant;
use crate::sys::Errno;
use crate::wire::files::{Serve, Verdict};
use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// The longest a touch waits, whatever the Guardian does. It asks people for at most five minutes.
pub(super) const DEADLINE: Duration = Duration::from_secs(310);
/// The most calls that wait at one entry.
const MOST_WAITING: usize = 1024;
/// The most interrupts kept whose call has not come here yet.
const MOST_EARLY: usize = 1024;

/// Takes the answer of one call to the kernel.
pub(super) type Reply = Box<dyn FnOnce(Answer) + Send>;

/// Who calls, as FUSE tells it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    /// Names the call; an interrupt carries it.
    pub(super) unique: u64,
    /// The pid in the pid namespace of the mount; 0 when it is not there.
    pub(super) pid: u32,
}

/// What the Guardian said of the entry.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) number: u16,
    pub(super) folder: bool,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) serve: Option<Serve>,
}

/// An entry.
pub(super) struct Entry {
    pub(super) place: Place,
    shape: Arc<Shape>,
    report: Arc<Report>,
    state: Mutex<State>,
    /// The last number given to a node or handle. None is given twice, so what was withdrawn never means another.
    numbers: Arc<AtomicU64>,
}

struct State {
    stage: Stage,
    early: BTreeSet<u64>,
    closed: bool,
}

enum Stage {
    Untouched,
    Asking { touch: u64, since: BootInstant, waiting: Vec<Waiting>, granted: Option<Arc<Served>> },
    Refused { since: BootInstant, life: Duration },
    Served { served: Arc<Served>, beside: bool },
}

struct Waiting {
    caller: Caller,
    call: Call,
    reply: Reply,
}

impl Entry {
    /// # Errors
    /// `EINVAL` when what it is to serve makes no sense.
    pub(super) fn new(place: Place, report: Arc<Report>) -> Result<Self, Errno> {
        let shape = Arc::new(Shape::of(place.serve.as_ref())?);
        let state = State { stage: Stage::Untouched, early: BTreeSet::new(), closed: false };
        Ok(Self { place, shape, report, state: Mutex::new(state), numbers: Arc::new(AtomicU64::new(ROOT)) })
    }

    /// A call of the kernel. Answered at once, or kept until a verdict.
    pub(super) fn call(&self, caller: Caller, call: Call, reply: Reply) {
        let mut state = self.state();
        let served = match &state.stage {
            Stage::Served { served, beside } => Some((Arc::clone(served), *beside)),
            _ => None,
        };
        if let Some((served, beside)) = served {
            drop(state);
            return reply(if beside {
                served.call_beside(caller, &call)
            } else {
                served.call(caller, &call)
            });
        }
        if let Some(answer) = self.unasked(&mut state, caller, &call) {
            drop(state);
            return reply(answer);
        }
        if let Some((reply, errno)) = self.ask(&mut state, Waiting { caller, call, reply }) {
            drop(state);
            reply(Answer::Fail(errno));
        }
    }

    /// What needs no question: the entry's own attributes, what was withdrawn, a refusal that still lasts.
    fn unasked(&self, state: &mut State, caller: Caller, call: &Call) -> Option<Answer> {
        match (call, &state.stage) {
            _ if state.closed => Some(Answer::Fail(Errno::EIO)),
            _ if state.early.remove(&caller.unique) => Some(Answer::Fail(Errno::EINTR)),
            (Call::Attributes { node: ROOT, .. }, _) => Some(Answer::Shown(self.placeholder())),
            // A node of an earlier grant: the kernel looks its path up again, and that touches the entry.
            _ if call.node() != ROOT => Some(Answer::Fail(Errno::ESTALE)),
            (_, Stage::Refused { since, life }) if since.elapsed() < *life => {
                Some(Answer::Fail(Errno::EACCES))
            }
            _ => None,
        }
    }

    /// Joins the question, or asks it. A call that cannot wait is given back with its errno.
    fn ask(&self, state: &mut State, one: Waiting) -> Option<(Reply, Errno)> {
        if let Stage::Asking { waiting, .. } = &mut state.stage {
            if waiting.len() >= MOST_WAITING {
                return Some((one.reply, Errno::EAGAIN));
            }
            waiting.push(one);
            return None;
        }
        let touch = next_touch();
        let name = one.call.name().map(|name| name.as_bytes()).unwrap_or_default();
        let told = self.report.touched(self.place.number, touch, one.call.action(), name, one.caller.pid);
        if told.is_err() {
            return Some((one.reply, Errno::EACCES));
        }
        let since = BootInstant::now();
        state.stage = Stage::Asking { touch, since, waiting: vec![one], granted: None };
        None
    }

    /// The verdict on a touch; one that was given up or answered already is ignored.
    pub(super) fn decide(&self, of: u64, verdict: Verdict) {
        let mut state = self.state();
        let Stage::Asking { touch, waiting, granted, .. } = &mut state.stage else { return };
        if *touch != of {
            return;
        }
        let (waiting, granted) = (std::mem::take(waiting), granted.take());
        let refused = matches!(verdict, Verdict::Deny { .. });
        state.stage = match (verdict, &granted) {
            (Verdict::Deny { for_ms }, _) => {
                Stage::Refused { since: BootInstant::now(), life: Duration::from_millis(for_ms) }
            }
            (verdict, Some(served)) => {
                Stage::Served { served: Arc::clone(served), beside: matches!(verdict, Verdict::Retry {}) }
            }
            (_, None) => Stage::Untouched,
        };
        drop(state);
        match (verdict, granted) {
            (Verdict::Serve {}, Some(served)) => answer_from(served, waiting, Served::call),
            (Verdict::Retry {}, Some(served)) => answer_from(served, waiting, Served::call_beside),
            (Verdict::Retry {}, None) => answer_all(waiting, Errno::ESTALE),
            _ if refused => answer_all(waiting, Errno::EACCES),
            _ => answer_all(waiting, Errno::EIO),
        }
    }

    /// From here on it is served. Calls that wait go on waiting for their verdict.
    pub(super) fn grant(&self, grant: Grant) {
        let (shape, numbers) = (Arc::clone(&self.shape), Arc::clone(&self.numbers));
        let served = Arc::new(Served::new(&self.place, shape, grant, Arc::clone(&self.report), numbers));
        let mut state = self.state();
        match &mut state.stage {
            Stage::Asking { granted, .. } => *granted = Some(served),
            // Not asked for by a touch: where the real thing is mounted, only older handles come here.
            stage => *stage = Stage::Served { served, beside: self.place.serve.is_none() },
        }
    }

    /// No longer served: what is open fails, the next touch asks. Gives the nodes whose pages the kernel may hold.
    pub(super) fn withdraw(&self) -> Vec<u64> {
        let mut state = self.state();
        match &mut state.stage {
            Stage::Served { served, .. } => {
                let served = Arc::clone(served);
                state.stage = Stage::Untouched;
                drop(state);
                served.end()
            }
            Stage::Asking { granted, .. } => {
                *granted = None;
                Vec::new()
            }
            stage => {
                *stage = Stage::Untouched;
                Vec::new()
            }
        }
    }

    /// Every call that waits, and every later one, fails with EIO.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let stage = std::mem::replace(&mut state.stage, Stage::Untouched);
        drop(state);
        match stage {
            Stage::Asking { waiting, .. } => answer_all(waiting, Errno::EIO),
            Stage::Served { served, .. } => drop(served.end()),
            Stage::Untouched | Stage::Refused { .. } => {}
        }
    }

    /// The caller of this call got a signal: it stops waiting. The question stays, since others may join it.
    pub(super) fn interrupt(&self, unique: u64) {
        let mut state = self.state();
        if let Stage::Asking { waiting, .. } = &mut state.stage
            && let Some(place) = waiting.iter().position(|one| one.caller.unique == unique)
        {
            let one = waiting.swap_remove(place);
            drop(state);
            return (one.reply)(Answer::Fail(Errno::EINTR));
        }
        // It overtook its call, or its call is being served and will end by itself.
        if state.early.len() >= MOST_EARLY {
            state.early.clear();
        }
        state.early.insert(unique);
    }

    /// Gives up a question that is older than `deadline`; tells how long the one that stands may still take.
    pub(super) fn overdue(&self, deadline: Duration) -> Option<Duration> {
        let mut state = self.state();
        let Stage::Asking { since, waiting, .. } = &mut state.stage else { return None };
        let left = deadline.saturating_sub(since.elapsed());
        if !left.is_zero() {
            return Some(left);
        }
        let waiting = std::mem::take(waiting);
        state.stage = Stage::Untouched;
        drop(state);
        answer_all(waiting, Errno::EACCES);
        None
    }

    /// What serves it now, for calls on what is open.
    pub(super) fn served(&self) -> Option<Arc<Served>> {
        match &self.state().stage {
            Stage::Served { served, .. } => Some(Arc::clone(served)),
            _ => None,
        }
    }

    /// What stands there before anyone said yes.
    fn placeholder(&self) -> Attributes {
        let folder = self.place.folder;
        Attributes {
            node: ROOT,
            kind: if folder { Kind::Folder } else { Kind::File },
            size: 0,
            mode: 0o755,
            links: if folder { 2 } else { 1 },
            uid: self.place.uid,
            gid: self.place.gid,
            accessed: SystemTime::UNIX_EPOCH,
            modified: SystemTime::UNIX_EPOCH,
            changed: SystemTime::UNIX_EPOCH,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Touches are numbered over all entries.
fn next_touch() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

fn answer_all(waiting: Vec<Waiting>, errno: Errno) {
    for one in waiting {
        (one.reply)(Answer::Fail(errno));
    }
}

/// On a thread of its own: the one that hears the Guardian never waits for a disk.
fn answer_from(served: Arc<Served>, waiting: Vec<Waiting>, by: fn(&Served, Caller, &Call) -> Answer) {
    std::thread::spawn(move || {
        for one in waiting {
            (one.reply)(by(&served, one.caller, &one.call));
        }
    });
}
