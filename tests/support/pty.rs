//! A terminal for a test: a program in its own session on it, keys to press and a screen to read.

use super::run::{PATIENCE, Run, spawn};
use nix::pty::{Winsize, openpty};
use nix::sys::termios::{Termios, tcgetattr};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Child;
use std::time::{Duration, Instant};

/// How long keys may take to have an effect before they are pressed again.
const AGAIN: Duration = Duration::from_secs(5);

/// A program on a terminal of its own.
pub(crate) struct Terminal {
    child: Child,
    master: File,
    slave: OwnedFd,
    before: Termios,
    screen: Vec<u8>,
    read: usize,
}

impl Terminal {
    /// Starts a run as the leader of a session on a new terminal of 33 rows and 101 columns.
    pub(crate) fn start(mut run: Run) -> Self {
        let size = Winsize { ws_row: 33, ws_col: 101, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(Some(&size), None).unwrap();
        for fd in [pair.master.as_fd(), pair.slave.as_fd()] {
            nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC)).unwrap();
        }
        let slave = pair.slave.try_clone().unwrap();
        for stream in ["in", "out", "err"] {
            let file = slave.try_clone().unwrap();
            match stream {
                "in" => run.command.stdin(file),
                "out" => run.command.stdout(file),
                _ => run.command.stderr(file),
            };
        }
        let before = tcgetattr(slave.as_fd()).unwrap();
        let number = slave.as_raw_fd();
        let take = move || {
            nix::unistd::setsid()?;
            // SAFETY: an open descriptor of the parent, inherited by fork; the call takes no memory.
            nix::errno::Errno::result(unsafe { libc::ioctl(number, libc::TIOCSCTTY, 0) })?;
            Ok(())
        };
        // SAFETY: the closure makes system calls only; it takes no lock and does not allocate.
        unsafe { run.command.pre_exec(take) };
        let child = spawn(&mut run.command).unwrap();
        Self { child, master: pair.master.into(), slave, before, screen: Vec::new(), read: 0 }
    }

    /// The launcher's pid, or the shell's, whichever was started.
    pub(crate) fn pid(&self) -> i32 {
        self.child.id().try_into().unwrap()
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// Takes the terminal away, as a window that is closed does.
    pub(crate) fn hang_up(&mut self) {
        self.master = File::options().read(true).write(true).open("/dev/null").unwrap();
    }

    /// Changes the size of the window.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: the pointer is to a Winsize that lives through the call, which only reads it.
        let rc = unsafe { libc::ioctl(self.master.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
        assert_eq!(rc, 0);
    }

    /// The settings of the terminal now.
    pub(crate) fn settings(&self) -> Termios {
        tcgetattr(self.slave.as_fd()).unwrap()
    }

    /// The settings before the program started.
    pub(crate) fn settings_before(&self) -> &Termios {
        &self.before
    }

    /// Waits until a text appears after what was waited for before; gives what came up to its end.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let seen = self.wait_within(text, PATIENCE);
        seen.unwrap_or_else(|| panic!("{text:?} did not appear in {:?}", self.fresh()))
    }

    /// Presses keys until a text appears, as a person does whose keys were dropped: the terminal may just be changing
    /// its settings, or the program that they are meant for may not be there yet.
    #[track_caller]
    pub(crate) fn press_until(&mut self, keys: &str, text: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            self.press(keys);
            if let Some(seen) = self.wait_within(text, AGAIN) {
                return seen;
            }
            assert!(Instant::now() < end, "{keys:?} gave no {text:?} in {:?}", self.fresh());
        }
    }

    fn wait_within(&mut self, text: &str, most: Duration) -> Option<String> {
        let end = Instant::now() + most;
        let mut looked = self.read;
        loop {
            let part = &self.screen[looked..];
            if let Some(at) = part.windows(text.len()).position(|part| part == text.as_bytes()) {
                let upto = looked + at + text.len();
                let seen = String::from_utf8_lossy(&self.screen[self.read..upto]).into_owned();
                self.read = upto;
                return Some(seen);
            }
            looked = looked.max((self.screen.len() + 1).saturating_sub(text.len()));
            if Instant::now() > end {
                return None;
            }
            self.look(Duration::from_millis(50));
        }
    }

    fn fresh(&self) -> String {
        String::from_utf8_lossy(&self.screen[self.read..]).into_owned()
    }

    /// Everything that was shown until now.
    pub(crate) fn shown(&mut self) -> String {
        while self.look(Duration::from_millis(50)) {}
        String::from_utf8_lossy(&self.screen).into_owned()
    }

    /// Waits for the program to end; gives its exit code, `-n` for a signal.
    #[track_caller]
    pub(crate) fn finish(&mut self) -> i32 {
        let end = Instant::now() + PATIENCE;
        loop {
            self.look(Duration::from_millis(20));
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or_else(|| -status.signal().unwrap());
            }
            assert!(Instant::now() < end, "it did not end; shown: {:?}", self.shown());
        }
    }

    fn look(&mut self, most: Duration) -> bool {
        let mut waiting = [nix::poll::PollFd::new(self.master.as_fd(), nix::poll::PollFlags::POLLIN)];
        let most = nix::poll::PollTimeout::try_from(most).unwrap();
        if nix::poll::poll(&mut waiting, most).unwrap() == 0 {
            return false;
        }
        let mut bytes = [0; 4096];
        let count = self.master.read(&mut bytes).unwrap_or(0);
        self.screen.extend_from_slice(&bytes[..count]);
        count > 0
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
