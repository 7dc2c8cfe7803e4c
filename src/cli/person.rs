//! A question to the person before a run starts: may this program be its command? On the controlling terminal, or not at
//! all.
//!
//! Never takes what was typed before the question for an answer, and never takes silence for a yes.

use crate::base::escape;
use crate::plan::Plan;
use crate::plan::programs::Questioned;
use crate::sys::{fd, signal};
use nix::sys::termios::{FlushArg, tcflush};
use std::fs::{File, OpenOptions};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

/// How long the question waits when the profile does not say.
const TIMEOUT: Duration = Duration::from_secs(300);
/// The longest line that is an answer.
const MOST_LINE: usize = 64;

/// Asks; `false` for everything but a clear yes.
/// # Errors
/// In words, when there is no terminal to ask on.
pub(super) fn allows(plan: &Plan, program: &Questioned, digest: &str) -> Result<bool, String> {
    let terminal = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open("/dev/tty");
    let terminal = terminal.map_err(|_| "a person must be asked, and there is no terminal".to_owned())?;
    let failed = |errno: crate::sys::Errno| format!("ask on the terminal: {}", errno.desc());
    let canonical = program.object.canonical.to_string();
    let question = format!(
        "aisandbox: profile {} does not know this program:\r\n  {}\r\n  SHA-256 {digest}\r\n\
         Start it in this sandbox? Type yes or no: ",
        escape(plan.profile.name.as_bytes()),
        escape(canonical.as_bytes()),
    );
    tcflush(&terminal, FlushArg::TCIFLUSH).map_err(failed)?;
    fd::write_all(terminal.as_fd(), question.as_bytes()).map_err(failed)?;
    let line = line(&terminal, Instant::now() + plan.profile.consent.timeout.unwrap_or(TIMEOUT));
    Ok(line.is_some_and(|line| line.trim_ascii() == b"yes"))
}

fn line(terminal: &File, until: Instant) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    while line.len() < MOST_LINE && line.last() != Some(&b'\n') {
        let left = until.saturating_duration_since(Instant::now());
        let wait = i32::try_from(left.as_millis()).unwrap_or(i32::MAX);
        let mut waits = [signal::wants_reading(Some(terminal.as_fd()))];
        if left.is_zero() || signal::poll(&mut waits, wait).ok()? == 0 {
            return None;
        }
        let mut buffer = [0; MOST_LINE];
        let length = fd::read(terminal.as_fd(), &mut buffer).ok().filter(|length| *length > 0)?;
        line.extend_from_slice(buffer.get(..length).unwrap_or_default());
    }
    Some(line)
}
