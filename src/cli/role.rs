//! `__role`: becomes one of our own processes: confined first, then its serving loop.
//!
//! Only the launcher starts it, with a socket as descriptor 3 and perhaps a Landlock ruleset as 4 (`role::start`).
//! Never reads the socket before it is confined.

use super::confine;
use super::output::complain;
use crate::consent::notify;
use crate::detect;
use crate::dlp;
use crate::egress;
use crate::files;
use crate::launch::mounts;
use crate::policy;
use crate::reputation;
use crate::role::Role;
use crate::sys::{fd, spawn};

/// Serves until the socket closes; gives the exit code.
pub(super) fn run(name: &str) -> u8 {
    let Some(role) = Role::of(name) else {
        complain("this command is the launcher's own", Some("see aisandbox --help"));
        return 125;
    };
    let Ok(socket) = fd::adopt(spawn::SOCKET) else { return 125 };
    let mut descriptors = 0;
    let limited = match role {
        Role::Policy => policy::limit_memory(),
        Role::Egress => egress::set_limits().map(|most| descriptors = most),
        Role::Dlp => dlp::limit_memory(),
        Role::Detect => detect::limit_memory(),
        Role::Mounts | Role::Files | Role::Notify | Role::Reputation => Ok(()),
    };
    if limited.is_err() {
        return 125;
    }
    if let Err(why) = confine::enter_role(role, fd::adopt(spawn::BESIDE).ok()) {
        complain(&format!("role {name}: {why}"), None);
        return 125;
    }
    match role {
        Role::Mounts => mounts::serve(socket),
        Role::Files => files::serve(socket),
        Role::Policy => policy::serve(socket),
        Role::Notify => notify::serve(socket),
        Role::Reputation => reputation::serve(socket),
        Role::Egress => egress::serve(socket, descriptors),
        Role::Dlp => dlp::serve(socket),
        Role::Detect => detect::serve(socket),
    }
}
