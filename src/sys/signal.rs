//! Signals: a mask, a descriptor that reads them, and defaults for a new program.

use super::{Errno, Sys, checked_int};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

/// A set of signals, kept to be restored.
#[derive(Clone, Copy)]
pub struct SignalSet(libc::sigset_t);

impl std::fmt::Debug for SignalSet {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("SignalSet")
    }
}

impl SignalSet {
    /// These signals.
    pub fn of(signals: &[i32]) -> Self {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigemptyset fills the whole set.
        unsafe { libc::sigemptyset(set.as_mut_ptr()) };
        // SAFETY: filled by the line above.
        let mut set = unsafe { set.assume_init() };
        for signal in signals {
            // SAFETY: a filled set; a number that is no signal gives EINVAL and changes nothing.
            unsafe { libc::sigaddset(&raw mut set, *signal) };
        }
        Self(set)
    }

    /// Blocks these and no others; returns what was blocked before.
    /// # Errors
    /// None known.
    pub fn block(&self) -> Sys<Self> {
        let mut before = Self::of(&[]);
        // SAFETY: both sets are filled and outlive the call.
        checked_int(unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const self.0, &raw mut before.0) })?;
        Ok(before)
    }

    /// A descriptor that gives these signals as they come (signalfd(2)); they must be blocked.
    /// # Errors
    /// `EMFILE`.
    pub fn descriptor(&self) -> Sys<OwnedFd> {
        // SAFETY: a filled set; -1 asks for a new descriptor.
        let raw = unsafe { libc::signalfd(-1, &raw const self.0, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        // SAFETY: checked not to be -1, so it is a new descriptor of ours.
        checked_int(raw).map(|raw| unsafe { OwnedFd::from_raw_fd(raw) })
    }
}

/// The next signal a signalfd has; `Ok(None)` when there is none.
/// # Errors
/// As read(2).
pub fn next(descriptor: BorrowedFd<'_>) -> Sys<Option<i32>> {
    let mut info = MaybeUninit::<libc::signalfd_siginfo>::zeroed();
    let size = size_of::<libc::signalfd_siginfo>();
    // SAFETY: pointer and size of one buffer.
    let rc = unsafe { libc::read(descriptor.as_raw_fd(), info.as_mut_ptr().cast(), size) };
    match rc {
        -1 => match Errno::last() {
            Errno::EAGAIN | Errno::EINTR => Ok(None),
            errno => Err(errno),
        },
        _ => {
            // SAFETY: all-zero is a value of this struct of integers, and the kernel wrote over it.
            let info = unsafe { info.assume_init() };
            Ok(i32::try_from(info.ssi_signo).ok())
        }
    }
}

/// Gives every signal its default again: exec keeps "ignored", and Rust's start ignores SIGPIPE.
pub fn reset_dispositions() {
    for signal in 1..=64 {
        // SAFETY: SIG_DFL installs no code of ours; numbers that cannot be changed give EINVAL, which is no loss.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Lets a signal do nothing to this process. The call that would raise it fails instead.
/// # Errors
/// `EINVAL` for a number that is no signal or cannot be ignored.
pub fn ignore(signal: i32) -> Sys<()> {
    // SAFETY: SIG_IGN installs no code of ours.
    let before = unsafe { libc::signal(signal, libc::SIG_IGN) };
    if before == libc::SIG_ERR { Err(Errno::last()) } else { Ok(()) }
}

/// Whether this process was started so that a signal does nothing to it (nohup(1)).
/// # Errors
/// `EINVAL` for a number that is no signal.
pub fn is_ignored(signal: i32) -> Sys<bool> {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action nothing changes, and the kernel fills the old one when the call succeeds.
    checked_int(unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) })?;
    // SAFETY: the call succeeded.
    Ok(unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN)
}

/// Stops this very process, as the terminal's stop key would.
/// # Errors
/// None known.
pub fn stop_self() -> Sys<()> {
    // SAFETY: integers only.
    checked_int(unsafe { libc::raise(libc::SIGSTOP) }).map(drop)
}

/// Waits until one of the descriptors is ready, or `timeout_ms` is over (-1: for ever). How many are ready.
/// # Errors
/// As poll(2); `EINTR` is given as zero ready.
pub fn poll(descriptors: &mut [libc::pollfd], timeout_ms: i32) -> Sys<usize> {
    let count = libc::nfds_t::try_from(descriptors.len()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: pointer and length of one slice.
    match checked_int(unsafe { libc::poll(descriptors.as_mut_ptr(), count, timeout_ms) }) {
        Err(Errno::EINTR) => Ok(0),
        Err(errno) => Err(errno),
        Ok(ready) => Ok(usize::try_from(ready).unwrap_or(0)),
    }
}

/// How long [`poll`] waits for a moment that is `left` away, milliseconds: one more than whole, so that the last round
/// does not spin.
pub fn poll_time(left: Duration) -> i32 {
    i32::try_from(left.as_millis().saturating_add(1)).unwrap_or(i32::MAX)
}

/// One entry for [`poll`] that waits for reading, or that is skipped when there is no descriptor.
pub fn wants_reading(descriptor: Option<BorrowedFd<'_>>) -> libc::pollfd {
    libc::pollfd { fd: descriptor.map_or(-1, |fd| fd.as_raw_fd()), events: libc::POLLIN, revents: 0 }
}

/// Puts a mask back that [`SignalSet::block`] gave.
/// # Errors
/// None known.
pub fn restore(mask: &SignalSet) -> Sys<()> {
    // SAFETY: a filled set; the old one is not wanted.
    checked_int(unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const mask.0, ptr::null_mut()) }).map(drop)
}
