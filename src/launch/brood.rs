//! Brood: every descendant of init, where init is no pid 1 and the kernel does not end them with it.
//!
//! Orphans come to init as their subreaper, so what lives is always below it. A child that was not waited for keeps
//! its number: no signal here can meet another process.

use crate::sys::process::{self, Pid};
use crate::sys::signal;
use crate::sys::{Errno, Sys, file, name};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How long a pass waits for the dead when none is there yet, milliseconds.
const PASS_MS: i32 = 5;

/// The list of init's children, opened before Landlock closes /proc.
pub(super) struct Brood {
    list: OwnedFd,
}

impl Brood {
    /// From here on orphans are ours. The list is one line of numbers (proc_tid_children(5)).
    /// # Errors
    /// `ENOENT` on a kernel without that list (CONFIG_PROC_CHILDREN).
    pub(super) fn adopt() -> Sys<Self> {
        process::adopt_orphans()?;
        Ok(Self { list: file::open(c"/proc/thread-self/children", libc::O_RDONLY)? })
    }

    /// The descriptor that must stay open.
    pub(super) fn descriptor(&self) -> &OwnedFd {
        &self.list
    }

    /// Ends children until there is none: each that dies leaves its own to us. `ended` tells of the dead (SIGCHLD).
    /// # Errors
    /// What reading the list gives.
    pub(super) fn end(self, ended: BorrowedFd<'_>) -> Sys<()> {
        loop {
            self.kill_each()?;
            let mut reaped = 0;
            loop {
                match process::wait_any() {
                    Ok(Some(_)) => reaped += 1,
                    Ok(None) => break,
                    Err(Errno::ECHILD) => return Ok(()),
                    Err(errno) => return Err(errno),
                }
            }
            while let Ok(Some(_)) = signal::next(ended) {}
            if reaped == 0 {
                signal::poll(&mut [signal::wants_reading(Some(ended))], PASS_MS)?;
            }
        }
    }

    fn kill_each(&self) -> Sys<()> {
        let mut text = [0; 4096];
        let length = name::read_from_start(self.list.as_fd(), &mut text)?;
        let whole = text.get(..length).unwrap_or_default();
        for word in whole.split_inclusive(|byte| *byte == b' ') {
            // A number without the blank behind it may be cut off: the next pass has it whole.
            let Some(digits) = word.strip_suffix(b" ") else { continue };
            let child = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<Pid>().ok());
            if let Some(child) = child.filter(|child| *child > 1) {
                process::send_signal(child, libc::SIGKILL)?;
            }
        }
        Ok(())
    }
}
