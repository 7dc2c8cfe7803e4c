//! What the guard tells the launcher of a call: what was done, on what, by whom. Only where the profile has calls observed.
//!
//! Names what was opened by the descriptor, not by the words of the caller. What was told waits in the socket before the
//! caller hears of its call; a full socket makes both wait.

use super::resolve::Place;
use super::target::Target;
use super::text::{PathText, Text};
use super::{Outcome, Refusal, Request};
use crate::launch::observed::{Act, MOST_TEXT, Parts};
use crate::profile::Observe;
use crate::sys::{Errno, Sys, name, notify, socket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// What is known of the call in the making.
#[derive(Debug, Default)]
struct Seen {
    act: Option<Act>,
    path: Vec<u8>,
    /// The path is as the caller wrote it, from this folder of its.
    from: Option<i32>,
    other: Vec<u8>,
    arguments: Vec<u8>,
    count: u32,
}

/// Tells of calls.
#[derive(Debug)]
pub(super) struct Teller {
    level: Observe,
    socket: OwnedFd,
    seen: Seen,
    message: Vec<u8>,
}

/// An errno by which something was refused.
pub(super) fn is_refusal(errno: Errno) -> bool {
    matches!(errno, Errno::EACCES | Errno::EPERM | Errno::EROFS)
}

impl Teller {
    pub(super) fn new(level: Observe, socket: OwnedFd) -> Self {
        Self { level, socket, seen: Seen::default(), message: Vec::new() }
    }

    /// A new call, which is this by its number and flags.
    pub(super) fn begin(&mut self, act: Option<Act>) {
        let Seen { act: was, path, from, other, arguments, count } = &mut self.seen;
        (*was, *from, *count) = (act, None, 0);
        [path, other, arguments].into_iter().for_each(|text| text.clear());
    }

    fn wants(&self, act: Act) -> bool {
        act != Act::Read || self.level.reads()
    }

    /// Whether something that came to this is told.
    fn tells(&self, act: Act, error: Option<Errno>) -> bool {
        self.wants(act)
            && match error {
                None => true,
                // What is not shown does not exist: the name that was tried is all there is to see.
                Some(Errno::ENOENT | Errno::ENOTDIR) => self.level.reads() && act != Act::Execute,
                Some(errno) => is_refusal(errno),
            }
    }

    /// Tells of a call that is about to be answered like this.
    /// # Errors
    /// `EPIPE` and the like when nobody hears any more.
    pub(super) fn tell(&mut self, call: &notify::Call, target: &Target<'_>, outcome: &Outcome) -> Sys<()> {
        let error = match outcome {
            Ok(super::Done::Later) => return Ok(()),
            // The name is protected: of that init tells by its other socket.
            Err(Refusal::Denied(_) | Refusal::Elsewhere) => return Ok(()),
            Ok(_) => None,
            Err(Refusal::Errno(errno)) => Some(*errno),
        };
        if !self.seen.act.is_some_and(|act| self.tells(act, error)) {
            return Ok(());
        }
        self.compose(call.number, target, error.map_or(0, |errno| errno as i32));
        let process = target.introduce();
        socket::send(self.socket.as_fd(), &self.message, process.as_ref().map(AsFd::as_fd), true)?;
        if process.is_none() {
            return Ok(());
        }
        // While the caller waits its process is there to be looked up.
        match socket::receive(self.socket.as_fd(), &mut [0; 1], true)? {
            (1, None) => Ok(()),
            _ => Err(Errno::EPIPE),
        }
    }

    fn compose(&mut self, call: i32, target: &Target<'_>, error: i32) {
        if let Some(dirfd) = self.seen.from
            && self.seen.path.first() != Some(&b'/')
            && let Ok(folder) = target.folder(dirfd)
        {
            let rest = std::mem::take(&mut self.seen.path);
            path_of(target.proc, folder.as_fd(), &mut self.seen.path);
            self.seen.path.push(b'/');
            self.seen.path.extend_from_slice(&rest);
        }
        let mut room = [0; MOST_TEXT];
        let Seen { act, path, other, arguments, count, .. } = &self.seen;
        let (pid, program) = (target.tgid().unwrap_or(0), target.program(&mut room));
        let texts = [program, path.as_slice(), other, arguments];
        let act = act.unwrap_or(Act::Read);
        Parts { act, call, error, pid, count: *count, texts }.write(&mut self.message);
    }

    /// What a worker will tell of an open that waits.
    pub(super) fn later(&mut self, call: i32, target: &Target<'_>) -> Option<(&[u8], BorrowedFd<'_>)> {
        self.seen.act.filter(|act| self.wants(*act))?;
        self.compose(call, target, 0);
        Some((&self.message, self.socket.as_fd()))
    }
}

/// The path of an open file or folder.
fn path_of(proc: BorrowedFd<'_>, found: BorrowedFd<'_>, into: &mut Vec<u8>) {
    let mut room = [0; MOST_TEXT];
    let Ok(link) = Text::<32>::of(format_args!("self/fd/{}", found.as_raw_fd())) else { return };
    let length = name::read_link(proc, link.c(), &mut room).unwrap_or(0);
    into.clear();
    into.extend_from_slice(room.get(..length).unwrap_or_default());
}

/// The path of a place: that of its folder, and its name there.
fn path_of_place(proc: BorrowedFd<'_>, place: &Place, into: &mut Vec<u8>) {
    path_of(proc, place.parent.as_fd(), into);
    if into.last() != Some(&b'/') {
        into.push(b'/');
    }
    into.extend_from_slice(place.bare());
}

impl Request<'_> {
    /// It is nothing that is told.
    pub(super) fn saw_nothing(&mut self) {
        if let Some(teller) = &mut self.teller {
            teller.seen.act = None;
        }
    }

    /// It is this.
    pub(super) fn saw(&mut self, act: Act) {
        if let Some(teller) = &mut self.teller {
            teller.seen.act = Some(act);
        }
    }

    /// It is about this path of the caller's, as it is written.
    pub(super) fn saw_text(&mut self, dirfd: i32, path: &PathText) {
        if let Some(teller) = &mut self.teller {
            teller.seen.path.clear();
            teller.seen.path.extend_from_slice(path.bytes());
            teller.seen.from = Some(dirfd);
        }
    }

    /// It is about this file.
    pub(super) fn saw_found(&mut self, found: BorrowedFd<'_>) {
        if let Some(teller) = &mut self.teller
            && teller.seen.act.is_some_and(|act| teller.wants(act))
        {
            teller.seen.from = None;
            path_of(self.target.proc, found, &mut teller.seen.path);
        }
    }

    /// It is this, about this name.
    pub(super) fn saw_name(&mut self, act: Act, place: &Place) {
        if let Some(teller) = &mut self.teller {
            (teller.seen.act, teller.seen.from) = (Some(act), None);
            path_of_place(self.target.proc, place, &mut teller.seen.path);
        }
    }

    /// Its other name is this.
    pub(super) fn saw_other_name(&mut self, place: &Place) {
        if let Some(teller) = &mut self.teller {
            path_of_place(self.target.proc, place, &mut teller.seen.other);
        }
    }

    /// Its other name is that of this file.
    pub(super) fn saw_other_found(&mut self, found: BorrowedFd<'_>) {
        if let Some(teller) = &mut self.teller {
            path_of(self.target.proc, found, &mut teller.seen.other);
        }
    }

    /// Its other name is this text.
    pub(super) fn saw_other_text(&mut self, text: &PathText) {
        if let Some(teller) = &mut self.teller {
            teller.seen.other.clear();
            teller.seen.other.extend_from_slice(text.bytes());
        }
    }

    /// These are its arguments; there are so many.
    pub(super) fn saw_arguments(&mut self, count: u32, read: impl FnOnce(&Target<'_>, &mut Vec<u8>)) {
        if let Some(teller) = &mut self.teller {
            teller.seen.count = count;
            read(&self.target, &mut teller.seen.arguments);
        }
    }
}
