//! Terminals: raw mode, window size, a pseudo-terminal pair, the controlling terminal.

use super::{Errno, Sys, checked_int};
use nix::sys::termios::{self, SetArg, SpecialCharacterIndices, Termios};
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Rows and columns, as TIOCGWINSZ gives them.
pub type WindowSize = libc::winsize;

/// Says whether the descriptor is a terminal.
pub fn is_terminal(fd: BorrowedFd<'_>) -> bool {
    nix::unistd::isatty(fd).unwrap_or(false)
}

/// The window size of a terminal.
/// # Errors
/// `ENOTTY`.
pub fn window_size(fd: BorrowedFd<'_>) -> Sys<WindowSize> {
    let mut size = WindowSize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one winsize.
    checked_int(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) })?;
    Ok(size)
}

/// Sets the window size; the foreground group gets SIGWINCH.
/// # Errors
/// `ENOTTY`.
pub fn set_window_size(fd: BorrowedFd<'_>, size: &WindowSize) -> Sys<()> {
    // SAFETY: TIOCSWINSZ reads one winsize.
    checked_int(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCSWINSZ, std::ptr::from_ref(size)) }).map(drop)
}

/// A new pseudo-terminal from the multiplexer of one devpts: its master and its slave (TIOCGPTPEER, Linux 4.13).
/// # Errors
/// `ENOSPC` when there are too many; what open(2) gives.
pub fn open_pair(multiplexer: &CStr) -> Sys<(OwnedFd, OwnedFd)> {
    let master = super::file::open(multiplexer, libc::O_RDWR | libc::O_NOCTTY)?;
    let unlocked: libc::c_int = 0;
    // SAFETY: TIOCSPTLCK reads one int.
    checked_int(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlocked) })?;
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: TIOCGPTPEER takes open flags and gives a new descriptor.
    let raw = checked_int(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags) })?;
    // SAFETY: the kernel just made it for us.
    Ok((master, unsafe { OwnedFd::from_raw_fd(raw) }))
}

/// Makes a terminal the controlling one of this session leader.
/// # Errors
/// `EPERM` for who leads no session or has a terminal already.
pub fn take_controlling(fd: BorrowedFd<'_>) -> Sys<()> {
    // SAFETY: TIOCSCTTY takes an integer.
    checked_int(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCSCTTY, 0) }).map(drop)
}

/// Puts a process group into the foreground of the controlling terminal.
/// # Errors
/// `ENOTTY`, `EPERM`; a background caller that does not block SIGTTOU is stopped.
pub fn set_foreground(fd: BorrowedFd<'_>, group: super::process::Pid) -> Sys<()> {
    // SAFETY: integers only.
    checked_int(unsafe { libc::tcsetpgrp(fd.as_raw_fd(), group) }).map(drop)
}

/// Says whether this process may read the terminal: it is in its foreground, or the terminal is not its controlling
/// one and so knows no background for it.
pub fn in_foreground(fd: BorrowedFd<'_>) -> bool {
    match nix::unistd::tcgetpgrp(fd) {
        Ok(group) => group == nix::unistd::getpgrp(),
        Err(errno) => errno == Errno::ENOTTY && is_terminal(fd),
    }
}

/// The settings of a terminal.
/// # Errors
/// `ENOTTY`.
pub fn settings(fd: BorrowedFd<'_>) -> Sys<Termios> {
    termios::tcgetattr(fd)
}

/// Puts settings into force once what was written has been sent.
/// # Errors
/// `ENOTTY`, `EINTR`.
pub fn set_settings(fd: BorrowedFd<'_>, settings: &Termios) -> Sys<()> {
    match termios::tcsetattr(fd, SetArg::TCSADRAIN, settings) {
        Err(Errno::EINTR) => termios::tcsetattr(fd, SetArg::TCSADRAIN, settings),
        other => other,
    }
}

/// Puts settings into force at once what was written has been sent, and drops what was typed and not yet read.
/// # Errors
/// `ENOTTY`, `EINTR`.
pub fn set_settings_dropping_input(fd: BorrowedFd<'_>, settings: &Termios) -> Sys<()> {
    match termios::tcsetattr(fd, SetArg::TCSAFLUSH, settings) {
        Err(Errno::EINTR) => termios::tcsetattr(fd, SetArg::TCSAFLUSH, settings),
        other => other,
    }
}

/// Says whether the terminal itself gathers and edits lines, as it does when no program has taken the keys.
pub fn edits_lines(settings: &Termios) -> bool {
    settings.local_flags.contains(termios::LocalFlags::ICANON)
}

/// Turns the processing of output (a carriage return before each line feed) on or off.
/// # Errors
/// `ENOTTY`.
pub fn set_output_processing(fd: BorrowedFd<'_>, on: bool) -> Sys<()> {
    let mut settings = termios::tcgetattr(fd)?;
    settings.output_flags.set(termios::OutputFlags::OPOST, on);
    termios::tcsetattr(fd, SetArg::TCSANOW, &settings)
}

/// The same settings with every key passed on as a byte: the terminal inside does the editing and the signals.
pub fn raw(settings: &Termios) -> Termios {
    let mut raw = settings.clone();
    termios::cfmakeraw(&mut raw);
    for (index, value) in [(SpecialCharacterIndices::VMIN, 1), (SpecialCharacterIndices::VTIME, 0)] {
        if let Some(slot) = raw.control_chars.get_mut(index as usize) {
            *slot = value;
        }
    }
    raw
}
