//! Files that must not leave: before an agent can read a place that is marked as sensitive, role `dlp` knows what is in it.
//!
//! Never reads in the Guardian's loop: a thread reads, as far as bounds go, and sends the content; the role keeps hashes.
//! One lesson follows another, since the role hears one file at a time. Never puts a lease in force whose lesson failed
//! or came too late, nor one that comes after the role is gone: by hosts that are not read it could leave.

pub mod teach;

use super::Guardian;
use super::ceiling::Actions;
use super::decide::Refusal;
use super::grant::Lease;
use super::label;
use super::record::Through;
use crate::audit::{Event, access};
use crate::sys::{fd, stream};
use crate::wire::denial::Reason;
use crate::wire::subject::Action;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a lesson may take, from its turn on.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a lease waits for its lesson in all.
const LONGEST: Duration = Duration::from_secs(60);
/// The most lessons that wait for their turn.
const MOST_WAITING: usize = 64;

/// A lease that waits until what it gives is known.
#[derive(Debug)]
struct Lesson {
    request: u64,
    lease: Lease,
    label: String,
    until: Duration,
}

/// The lesson that is being taught.
#[derive(Debug)]
struct Going {
    number: u64,
    /// `None`: it was refused already. The next one waits all the same, or the two would be mixed.
    lesson: Option<Lesson>,
    /// Not all was sent that should have been.
    failed: Arc<AtomicBool>,
}

/// Leases that wait until what they give is known, in the order of their turn.
#[derive(Debug, Default)]
pub(super) struct Lessons {
    going: Option<Going>,
    waiting: VecDeque<Lesson>,
}

impl Lessons {
    fn all(&self) -> impl Iterator<Item = &Lesson> {
        self.going.iter().filter_map(|going| going.lesson.as_ref()).chain(&self.waiting)
    }

    /// Those that this is true for; they wait no more.
    fn take(&mut self, is_one: impl Fn(&Lesson) -> bool) -> Vec<Lesson> {
        let going = self.going.as_mut().and_then(|going| going.lesson.take_if(|lesson| is_one(lesson)));
        let waiting = std::mem::take(&mut self.waiting);
        let (taken, waiting): (VecDeque<_>, _) = waiting.into_iter().partition(is_one);
        self.waiting = waiting;
        going.into_iter().chain(taken).collect()
    }
}

/// Whether what lies at such a place must not leave. What runs at a login is no secret.
pub fn is_confidential(label: &str) -> bool {
    !matches!(label, "" | "startup")
}

impl Guardian {
    /// Puts a lease in force, once what it gives to read is known where that must be.
    pub(super) fn put_in_force_known(&mut self, request: u64, lease: Lease) {
        let reads = lease.actions.has_all(Actions::of(&[Action::Read]));
        let at = lease.at().filter(|_| reads);
        let label = at.map_or("", |at| label::of(Path::new(&at.host))).to_owned();
        if !is_confidential(&label) || !self.roles.wants_dlp {
            return self.put_in_force(request, lease);
        }
        let lesson = Lesson { request, lease, label, until: self.now + LONGEST };
        if self.lessons.waiting.len() >= MOST_WAITING {
            return self.not_known(lesson, "too many other places wait to be made known");
        }
        self.lessons.waiting.push_back(lesson);
        self.next_lesson();
    }

    /// Begins the next lesson that can be begun, unless one goes on.
    fn next_lesson(&mut self) {
        while self.lessons.going.is_none() {
            let Some(mut lesson) = self.lessons.waiting.pop_front() else { return };
            match self.start_lesson(&lesson) {
                Ok(failed) => {
                    lesson.until = lesson.until.min(self.now + PATIENCE);
                    let number = lesson.lease.number;
                    self.lessons.going = Some(Going { number, lesson: Some(lesson), failed });
                }
                Err(error) => self.not_known(lesson, &format!("what is there cannot be made known: {error}")),
            }
        }
    }

    /// Starts the thread that teaches; gives what it says by when not all could be sent.
    fn start_lesson(&self, lesson: &Lesson) -> io::Result<Arc<AtomicBool>> {
        let gone = || io::Error::other("role dlp is gone");
        let (at, link) = lesson.lease.at().zip(self.roles.dlp.as_ref()).ok_or_else(gone)?;
        let object = fd::duplicate_above(at.object.as_fd(), 3)?;
        let role = fd::duplicate_above(link.descriptor(), 3)?;
        let (number, label) = (lesson.lease.number, lesson.label.clone());
        let failed = Arc::new(AtomicBool::new(false));
        let says = Arc::clone(&failed);
        let teaches = move || match teach::files(role.as_fd(), &object, &label) {
            Ok(sent) => {
                says.store(!sent.whole, Ordering::Release);
                give_up_unless(role.as_fd(), teach::end(role.as_fd(), number, sent.left_out));
            }
            Err(error) => give_up_unless(role.as_fd(), Err(error)),
        };
        std::thread::Builder::new().name("lesson".to_owned()).spawn(teaches)?;
        Ok(failed)
    }

    /// Role `dlp` knows what it was taught: files that are known, and files that were left out.
    pub(super) fn learned(&mut self, number: u64, (files, left_out): (u32, u32)) {
        let Some(Going { lesson, failed, .. }) = self.lessons.going.take_if(|going| going.number == number)
        else {
            return;
        };
        if let Some(lesson) = lesson {
            let Through { grant, request, token } = Through::of(&lesson.lease);
            let label = lesson.label.clone();
            let place = lesson.lease.at().map(|at| at.path.as_path().display().to_string());
            let known = access::KnownFiles { grant, place, label, files, left_out, request, token };
            self.recorder.note(&Event::KnownFiles(known));
            if failed.load(Ordering::Acquire) {
                self.not_known(lesson, "not all that is there could be made known in time");
            } else if self.requests.contains_key(&lesson.request) {
                self.put_in_force(lesson.request, lesson.lease);
            } else {
                self.record_end(&lesson.lease, "failed", Vec::new(), "leave");
            }
        }
        self.next_lesson();
    }

    /// Role `dlp` is gone. Nothing that it reads leaves any more; what was to be known is not, so nobody gets it.
    pub(super) fn nobody_learns(&mut self) {
        let lessons = self.lessons.take(|_| true);
        self.lessons.going = None;
        for lesson in lessons {
            self.not_known(lesson, "role dlp is gone");
        }
    }

    /// Lessons that took too long.
    pub(super) fn late_lessons(&mut self) {
        let now = self.now;
        for lesson in self.lessons.take(|lesson| lesson.until <= now) {
            self.not_known(lesson, "what is there could not be made known in time");
        }
    }

    /// When the next one has taken too long.
    pub(super) fn lesson_due(&self) -> Option<Duration> {
        self.lessons.all().map(|lesson| lesson.until).min()
    }

    /// The person takes a lease back before it is in force; `all` are all. Whether there was one.
    pub(super) fn revoke_lessons(&mut self, id: &str) -> bool {
        let lessons = self.lessons.take(|lesson| id == "all" || lesson.lease.id == id);
        let any = !lessons.is_empty();
        for Lesson { request, lease, .. } in lessons {
            self.record_end(&lease, "revoked", Vec::new(), "leave");
            self.refuse(request, Refusal::of(Reason::Revoked, ""));
        }
        any
    }

    fn not_known(&mut self, Lesson { request, lease, .. }: Lesson, why: &str) {
        tracing::warn!("lease {} is not given: {why}", lease.id);
        self.record_end(&lease, "failed", Vec::new(), "leave");
        self.refuse(request, Refusal::of(Reason::Unavailable, why));
    }
}

/// A role that stopped in the middle of a file would take the next lesson for more of it: it is told no more, and ends.
fn give_up_unless(role: BorrowedFd<'_>, done: io::Result<()>) {
    let Err(error) = done else { return };
    tracing::warn!("role dlp could not be taught what a place holds: {error}");
    if let Err(errno) = stream::hang_up(role) {
        tracing::debug!("role dlp is gone already: {errno}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_at_a_login_is_no_secret() {
        assert!(is_confidential("keys") && !is_confidential("") && !is_confidential("startup"));
    }
}
