//! The relay between the person's terminal and the pseudo-terminal inside: bytes both ways, size, raw mode.
//!
//! The agent never holds the person's terminal, so it can push nothing into its input (TIOCSTI, TIOCLINUX). What it
//! prints passes the output filter.
//!
//! The person's terminal stays as it is until the agent wants keys. An agent that has both stdin and stdout on it wants
//! them from its start; any other starts in the background of its own terminal, and the kernel stops it when it reads.

use super::output::OutputFilter;
use super::ready::ReadyTerminal;
use super::shown::Shown;
use crate::profile;
use crate::sys::terminal::WindowSize;
use crate::sys::{Errno, fd, signal, terminal};
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What the pseudo-terminal inside is to be like; `None` when no standard descriptor is a terminal.
pub(super) fn pseudo_terminal(multiplexer: &CStr) -> Option<ReadyTerminal> {
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let stdio: [BorrowedFd<'_>; 3] = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
    let first = stdio.into_iter().find(|fd| terminal::is_terminal(*fd))?;
    let unknown = WindowSize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    let size = terminal::window_size(first).unwrap_or(unknown);
    // In a pipeline (`… | less`) another program reads the same keys, and in the background the shell does.
    let both = matches!(terminals(), [true, true, _]);
    let keys_at_once = both && terminal::in_foreground(stdin.as_fd());
    Some(ReadyTerminal { keys_at_once, size, multiplexer: multiplexer.into() })
}

/// Which of stdin, stdout and stderr are terminals.
pub(super) fn terminals() -> [bool; 3] {
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()].map(terminal::is_terminal)
}

/// So many reads empty a pseudo-terminal's buffer (64 KiB at most), unless its writers go on.
const BUFFER_READS: u32 = 16;

/// The relay of one run.
pub(super) struct Relay {
    master: OwnedFd,
    screen: OwnedFd,
    keyboard: Option<OwnedFd>,
    wants_keys: bool,
    before: Option<nix::sys::termios::Termios>,
    filter: OutputFilter,
    to_screen: Vec<u8>,
    to_agent: Vec<u8>,
    shown: Shown,
    held: bool,
}

impl Relay {
    /// Takes the master; and the keys, when they are wanted at once.
    pub(super) fn new(master: OwnedFd, policy: profile::Terminal, keys_at_once: bool) -> Result<Self, Errno> {
        let duplicate = |fd: BorrowedFd<'_>| fd::duplicate_above(fd, 3);
        let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
        let keyboards = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
        let keyboard = keyboards.into_iter().find(|fd| terminal::is_terminal(*fd)).ok_or(Errno::ENOTTY)?;
        let screens = [stdout.as_fd(), stderr.as_fd(), stdin.as_fd()];
        let screen = screens.into_iter().find(|fd| terminal::is_terminal(*fd)).ok_or(Errno::ENOTTY)?;
        fd::set_nonblocking(master.as_fd())?;
        let mut relay = Self {
            screen: duplicate(screen)?,
            master,
            keyboard: Some(duplicate(keyboard)?),
            wants_keys: keys_at_once,
            before: None,
            filter: OutputFilter::new(policy),
            to_screen: Vec::new(),
            to_agent: Vec::new(),
            shown: Shown::default(),
            held: false,
        };
        if !keys_at_once {
            relay.process_output(false); // the person's terminal does it, while it is not raw
        }
        relay.resume();
        Ok(relay)
    }

    /// Whether an agent that the kernel stopped for reading or setting its terminal is to be given the keys.
    pub(super) fn may_give_keys(&self) -> bool {
        !self.wants_keys
    }

    /// The agent wants keys. `false` when the person's terminal is not ours now.
    pub(super) fn give_keys(&mut self) -> bool {
        self.wants_keys = true;
        // What was printed until now was meant for the settings until now. It fits into the pair's buffer.
        for _ in 0..BUFFER_READS {
            if !self.show() {
                break;
            }
        }
        self.process_output(true);
        self.resume();
        !self.lacks_keys()
    }

    /// The agent wants keys and does not have them: someone else has the foreground.
    pub(super) fn lacks_keys(&self) -> bool {
        self.wants_keys && self.keyboard.is_some() && self.before.is_none()
    }

    fn process_output(&self, on: bool) {
        if let Err(errno) = terminal::set_output_processing(self.master.as_fd(), on) {
            tracing::debug!("the agent's terminal keeps its output settings: {errno}");
        }
    }

    /// Raw mode, if keys are wanted and the terminal is ours now; and the size as it is now.
    pub(super) fn resume(&mut self) {
        let ours = |fd: &&OwnedFd| self.wants_keys && terminal::in_foreground(fd.as_fd());
        if let Some(keyboard) = self.keyboard.as_ref().filter(ours) {
            let before = terminal::settings(keyboard.as_fd()).ok();
            if let Some(settings) = &before
                && terminal::set_settings(keyboard.as_fd(), &terminal::raw(settings)).is_ok()
            {
                self.before = before;
            }
        }
        self.resize();
    }

    /// The person's settings again.
    pub(super) fn pause(&mut self) {
        if let (Some(keyboard), Some(before)) = (&self.keyboard, self.before.take())
            && terminal::set_settings(keyboard.as_fd(), &before).is_err()
        {
            tracing::warn!("the terminal's settings could not be restored; `reset` does it");
        }
    }

    /// The person's keys go to the agent now.
    pub(super) fn has_keys(&self) -> bool {
        self.before.is_some()
    }

    /// Keeps the agent's output and the keys back for a question; gives what clears the screen for it.
    pub(super) fn hold(&mut self) -> String {
        self.held = true;
        self.resize();
        self.shown.cover()
    }

    /// What puts the screen back to where the output was held.
    pub(super) fn uncover(&self) -> Vec<u8> {
        self.shown.uncover()
    }

    /// Output and keys go on where they were held.
    pub(super) fn release(&mut self) {
        self.held = false;
        self.resize();
    }

    /// Passes the window size on. A full-screen program has a line less while a question covers it: it draws itself
    /// anew when the size changes, and so it does again afterwards.
    pub(super) fn resize(&self) {
        let Ok(mut size) = terminal::window_size(self.screen.as_fd()) else { return };
        if self.held && self.shown.is_full_screen() {
            size.ws_row = size.ws_row.saturating_sub(1).max(1);
        }
        if terminal::set_window_size(self.master.as_fd(), &size).is_err() {
            tracing::debug!("the window size could not be passed on");
        }
    }

    /// What to wait for: master, keyboard, screen.
    pub(super) fn waits(&self) -> [libc::pollfd; 3] {
        if self.held {
            return [signal::wants_reading(None); 3];
        }
        let mut master = signal::wants_reading(Some(self.master.as_fd()));
        if !self.to_screen.is_empty() {
            master.events = 0;
        }
        if !self.to_agent.is_empty() {
            master.events |= libc::POLLOUT;
        }
        let idle = self.to_agent.is_empty() && self.before.is_some();
        let keyboard = signal::wants_reading(self.keyboard.as_ref().filter(|_| idle).map(AsFd::as_fd));
        let mut screen =
            signal::wants_reading(Some(self.screen.as_fd()).filter(|_| !self.to_screen.is_empty()));
        screen.events = libc::POLLOUT;
        [master, keyboard, screen]
    }

    /// Moves what can be moved; `false` once the pseudo-terminal has no user any more.
    pub(super) fn serve(&mut self, waits: &[libc::pollfd; 3]) -> bool {
        let [master, keyboard, screen] = waits;
        if keyboard.revents != 0 {
            self.read_keyboard();
        }
        if master.revents & libc::POLLOUT != 0 {
            self.feed_agent();
        }
        if screen.revents != 0 {
            self.draw();
        }
        if master.revents & (libc::POLLIN | libc::POLLHUP | libc::POLLERR) != 0 && self.to_screen.is_empty() {
            return self.read_agent();
        }
        true
    }

    fn read_keyboard(&mut self) {
        let mut bytes = [0; 4096];
        match self.keyboard.as_ref().map(|keyboard| fd::read(keyboard.as_fd(), &mut bytes)) {
            Some(Ok(count)) if count > 0 => {
                self.to_agent.extend_from_slice(bytes.get(..count).unwrap_or_default())
            }
            _ => self.keyboard = None, // the terminal is gone: SIGHUP is on its way
        }
    }

    fn feed_agent(&mut self) {
        match fd::write(self.master.as_fd(), &self.to_agent) {
            Ok(count) => drop(self.to_agent.drain(..count)),
            Err(Errno::EAGAIN) => {}
            Err(_) => self.to_agent.clear(),
        }
    }

    fn draw(&mut self) {
        let most = self.to_screen.len().min(4096);
        match fd::write(self.screen.as_fd(), self.to_screen.get(..most).unwrap_or_default()) {
            Ok(count) => {
                self.shown.note(self.to_screen.get(..count).unwrap_or_default());
                self.to_screen.drain(..count);
            }
            Err(Errno::EAGAIN) => {}
            Err(_) => self.to_screen.clear(),
        }
    }

    fn read_agent(&mut self) -> bool {
        let mut bytes = [0; 16384];
        match fd::read(self.master.as_fd(), &mut bytes) {
            Ok(0) => false,
            Ok(count) => {
                self.filter.pass(bytes.get(..count).unwrap_or_default(), &mut self.to_screen);
                true
            }
            Err(Errno::EAGAIN) => true,
            Err(_) => false, // EIO: no process has the slave open
        }
    }

    /// Shows what is left once the sandbox has ended.
    pub(super) fn finish(mut self) {
        while self.show() {}
    }

    /// Shows what the agent has printed; `false` when that was all.
    fn show(&mut self) -> bool {
        while !self.to_screen.is_empty() {
            self.draw();
        }
        self.read_agent() && !self.to_screen.is_empty()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.pause();
    }
}
