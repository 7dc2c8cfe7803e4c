//! The clock of the machine: that somebody set it is known at once, and by how much.
//!
//! Never decides by it: leases and tokens end by CLOCK_BOOTTIME.

use super::boot_now;
use crate::base::WallTime;
use crate::sys::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// A timer that never comes and is cancelled when the clock is set (TFD_TIMER_CANCEL_ON_SET of timerfd_create(2)).
#[derive(Debug)]
pub(super) struct Clock {
    timer: TimerFd,
    /// Nanoseconds by which it is ahead of CLOCK_BOOTTIME.
    ahead: i128,
}

/// 2200: no run lasts so long.
const NEVER: Duration = Duration::from_secs(7_258_118_400);

fn ahead() -> i128 {
    WallTime::now().0 - i128::try_from(boot_now().as_nanos()).unwrap_or_default()
}

impl Clock {
    pub(super) fn new() -> Result<Self, Errno> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let clock = Self { timer: TimerFd::new(ClockId::CLOCK_REALTIME, flags)?, ahead: ahead() };
        clock.arm()?;
        Ok(clock)
    }

    fn arm(&self) -> Result<(), Errno> {
        let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
        self.timer.set(Expiration::OneShot(TimeSpec::from(NEVER)), flags)
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }

    /// By how much it was set, nanoseconds; `None` where it was not.
    pub(super) fn step(&mut self) -> Option<i64> {
        // ECANCELED is the news, which `wait` takes for an end of the timer.
        self.timer.wait().ok()?;
        let before = std::mem::replace(&mut self.ahead, ahead());
        if let Err(errno) = self.arm() {
            tracing::warn!("whether the clock is set is not known any more: {errno}");
        }
        let delta = self.ahead - before;
        Some(i64::try_from(delta).unwrap_or(if delta < 0 { i64::MIN } else { i64::MAX }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_nobody_set_says_nothing() {
        let mut clock = Clock::new().unwrap();
        assert_eq!(clock.step(), None);
        let mut waits = [crate::sys::signal::wants_reading(Some(clock.descriptor()))];
        assert_eq!(crate::sys::signal::poll(&mut waits, 0), Ok(0));
    }
}
