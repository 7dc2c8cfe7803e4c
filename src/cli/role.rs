//! `__role`: becomes one of our own processes: confined first, then its serving loop.
//!
//! Only the launcher starts it, with a socket as descriptor 3 (`role::start`). Never reads that before it is confined.

use super::output::complain;
use crate::role::Role;
use crate::sys::{fd, process, spawn};

/// Serves until the socket closes; gives the exit code.
pub(super) fn run(name: &str) -> u8 {
    let Some(role) = Role::of(name) else {
        complain("this command is the launcher's own", Some("see aisandbox --help"));
        return 125;
    };
    let begun = process::set_dumpable(false).and_then(|()| fd::adopt(spawn::SOCKET));
    let Ok(_socket) = begun else { return 125 };
    match role {
        Role::Files | Role::Mounts | Role::Policy | Role::Notify | Role::Reputation => 125,
    }
}
