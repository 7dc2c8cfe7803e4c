//! Role: the table of our own processes beside the Guardian, and how one is started.
//!
//! Each is this program again, started by descriptor, with one socket and nothing else. It confines itself before it
//! reads its first byte (`cli/role.rs`), answers questions, and ends when its socket closes. Never waits for an
//! answer, only for an end.
#![forbid(unsafe_code)]

use crate::sys::process::{ExecStrings, Pid};
use crate::sys::{Errno, process, signal, socket, spawn};
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// One of our processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Serves the FUSE mounts of `ask` entries. Reads what the agent writes.
    Files,
    /// Changes the mounts of the running sandbox. Reads nothing an agent wrote.
    Mounts,
    /// Evaluates Rego.
    Policy,
    /// Asks a person by desktop notification (D-Bus).
    Notify,
    /// Asks a command or an HTTPS endpoint about an unknown program.
    Reputation,
    /// Lets connections of the agent out, by name. Reads what the agent writes.
    Egress,
    /// Finds what must not leave in what role `egress` reads.
    Dlp,
    /// Looks for what rules find in the events of the run.
    Detect,
}

impl Role {
    /// Every role with its name.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Files, "files"),
        (Self::Mounts, "mounts"),
        (Self::Policy, "policy"),
        (Self::Notify, "notify"),
        (Self::Reputation, "reputation"),
        (Self::Egress, "egress"),
        (Self::Dlp, "dlp"),
        (Self::Detect, "detect"),
    ];

    /// Its name, as `ps` shows it behind `aisandbox-`.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(role, _)| *role == self).map_or("", |(_, name)| name)
    }

    /// The role of this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, other)| *other == name).map(|(role, _)| *role)
    }

    /// Variables it is started with; it has no others.
    fn environment(self) -> &'static [&'static str] {
        match self {
            Self::Notify => &["DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "LANG", "LC_ALL"],
            Self::Files
            | Self::Mounts
            | Self::Policy
            | Self::Reputation
            | Self::Egress
            | Self::Dlp
            | Self::Detect => &[],
        }
    }
}

/// A role that was started.
#[derive(Debug)]
pub struct Started {
    /// Which.
    pub role: Role,
    /// Its pid; a child of this process.
    pub pid: Pid,
    /// Its descriptor.
    pub pidfd: OwnedFd,
    /// Our end of its socket. Closing it ends the role.
    pub socket: OwnedFd,
}

impl Started {
    /// Waits for its end, which comes when its socket is closed, and ends it where that takes longer than `within`.
    pub fn end(&self, within: Duration) {
        let mut ended = [signal::wants_reading(Some(self.pidfd.as_fd()))];
        let waited = signal::poll(&mut ended, i32::try_from(within.as_millis()).unwrap_or(i32::MAX));
        if waited != Ok(1)
            && let Err(errno) = process::signal_pidfd(self.pidfd.as_fd(), libc::SIGKILL)
        {
            tracing::debug!("role {} has ended already: {errno}", self.role.name());
        }
        if let Err(errno) = process::wait_for(self.pid) {
            tracing::debug!("role {} was waited for already: {errno}", self.role.name());
        }
    }
}

/// Starts a role: this program with the hidden command `__role NAME`.
/// # Errors
/// The errno of what failed; nothing is left behind.
pub fn start(role: Role) -> Result<Started, Errno> {
    start_within(role, None)
}

/// The same under a Landlock ruleset that was made for it. Without one, a role reaches what `cli/confine.rs` says: for
/// role `files` that is nothing, so it is started by this with the objects of the ceiling.
/// # Errors
/// As [`start`].
pub fn start_within(role: Role, ruleset: Option<BorrowedFd<'_>>) -> Result<Started, Errno> {
    let name = role.name();
    let argv = vec![text(format!("aisandbox-{name}"))?, c"__role".to_owned(), text(name.to_owned())?];
    let mut environment = Vec::new();
    for variable in role.environment() {
        if let Ok(value) = std::env::var(variable) {
            environment.push(text(format!("{variable}={value}"))?);
        }
    }
    let (pid, pidfd, socket) = again(argv, environment, ruleset)?;
    Ok(Started { role, pid, pidfd, socket })
}

/// Starts the launcher of an agent that an agent asked for: this program with the hidden command `__agent`, and the
/// environment that we have. What it shall do comes by its socket.
/// # Errors
/// The errno of what failed; nothing is left behind.
pub fn start_launcher() -> Result<(Pid, OwnedFd, OwnedFd), Errno> {
    let mut environment = Vec::new();
    for (name, value) in std::env::vars_os() {
        let bytes = [name.as_encoded_bytes(), b"=", value.as_encoded_bytes()].concat();
        environment.push(CString::new(bytes).map_err(|_| Errno::EINVAL)?);
    }
    again(vec![c"aisandbox".to_owned(), c"__agent".to_owned()], environment, None)
}

/// Starts what serves records: this program with the hidden command `__serve`, under a Landlock ruleset that was made for it.
/// What it serves comes by its socket.
/// # Errors
/// As [`start`].
pub fn start_server(ruleset: Option<BorrowedFd<'_>>) -> Result<(Pid, OwnedFd, OwnedFd), Errno> {
    again(vec![c"aisandbox-serve".to_owned(), c"__serve".to_owned()], Vec::new(), ruleset)
}

fn text(text: String) -> Result<CString, Errno> {
    CString::new(text).map_err(|_| Errno::EINVAL)
}

/// This program again: its pid, its descriptor, our end of its socket.
fn again(
    argv: Vec<CString>,
    environment: Vec<CString>,
    ruleset: Option<BorrowedFd<'_>>,
) -> Result<(Pid, OwnedFd, OwnedFd), Errno> {
    let (ours, theirs) = socket::message_pair()?;
    let program = spawn::own_program()?;
    let (argv, envp) = (ExecStrings::new(argv), ExecStrings::new(environment));
    let (pid, pidfd) = spawn::start(program.as_fd(), &argv, &envp, theirs.as_fd(), ruleset)?;
    Ok((pid, pidfd, ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_one_name() {
        for (role, name) in Role::ALL {
            assert_eq!((Role::of(name), role.name()), (Some(role), name));
        }
        assert_eq!(Role::of("guardian"), None);
    }
}
