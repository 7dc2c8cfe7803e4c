//! Places that ask: a look into one may wait for a person, and init never waits. So a call that leads there is done by a
//! worker, and init does every other.
//!
//! Never asks such a place for anything: it is known by its device (statx(2) without sync).

use super::Refusal;
use super::resolve::Patience;
use crate::sys::{Errno, Sys, file};
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd};

/// Who does a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Init: all that lies in no place that asks.
    Init,
    /// Init, once a worker has walked the path and found nothing that waits, and the kernel forgot it again.
    InitAtLast,
    /// A worker: what lies in one, and nothing else, since what it learns is lost with it.
    Worker,
}

/// The devices of the places that ask.
#[derive(Debug, Default)]
pub(super) struct Asks(Vec<u64>);

impl Asks {
    /// Looks at each place of the plan.
    /// # Errors
    /// What opening one without following a link gives.
    pub(super) fn find(places: &[CString]) -> Sys<Self> {
        if places.is_empty() {
            return Ok(Self::default());
        }
        let root = file::open(c"/", libc::O_PATH | libc::O_DIRECTORY)?;
        let device = |place: &CString| {
            let inside = CString::new(place.to_bytes().get(1..).unwrap_or_default()).unwrap_or_default();
            file::device_unasked(file::open_beneath(root.as_fd(), &inside)?.as_fd())
        };
        places.iter().map(device).collect::<Sys<Vec<u64>>>().map(Self)
    }

    /// How a path is walked.
    pub(super) fn patience(&self, side: Side) -> Patience {
        if side == Side::Init && !self.0.is_empty() { Patience::Hurries } else { Patience::Waits }
    }

    /// Before init looks into this folder or at this file.
    pub(super) fn check_quick(&self, side: Side, found: BorrowedFd<'_>) -> Result<(), Refusal> {
        if side == Side::Worker || !self.has(found)? { Ok(()) } else { Err(Refusal::Elsewhere) }
    }

    /// Before anyone acts in this folder or on this file.
    pub(super) fn check_side(&self, side: Side, found: BorrowedFd<'_>) -> Result<(), Refusal> {
        if self.has(found)? == (side == Side::Worker) { Ok(()) } else { Err(Refusal::Elsewhere) }
    }

    fn has(&self, found: BorrowedFd<'_>) -> Result<bool, Errno> {
        Ok(!self.0.is_empty() && self.0.contains(&file::device_unasked(found)?))
    }
}
