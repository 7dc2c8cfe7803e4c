//! What roles are told before the Guardian serves: by the launcher, one after the other, with a deadline.
//!
//! Never tells an agent's words: these come from the plan alone.

use crate::base::{HostPath, InnerPath, to_hex};
use crate::sys::{Errno, signal, socket};
use crate::wire::codec;
use crate::wire::mounts::{FromMounts, ToMounts};
use crate::wire::policy::{FromPolicy, ToPolicy};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long a role may take to answer here.
const PATIENCE: Duration = Duration::from_secs(5);

/// A place that may be attached later.
#[derive(Debug)]
pub struct Place<'a> {
    /// Which entry.
    pub entry: u16,
    /// Where it is inside.
    pub inner: &'a InnerPath,
    /// Its canonical path.
    pub host: &'a HostPath,
    /// The object's device number.
    pub dev: u64,
    /// The object's inode number.
    pub ino: u64,
    /// Nothing below can be executed.
    pub noexec: bool,
}

/// Tells role `mounts` its namespaces (the outer user namespace, then the mounts) and every place.
/// # Errors
/// What it could not do, or that it does not answer.
pub fn mounts(
    role: BorrowedFd<'_>,
    (user, inside): (OwnedFd, OwnedFd),
    places: &[Place<'_>],
) -> Result<(), String> {
    ask_mounts(role, &ToMounts::UserNamespace {}, Some(user.as_fd()))?;
    ask_mounts(role, &ToMounts::MountNamespace {}, Some(inside.as_fd()))?;
    for place in places {
        let message = ToMounts::Entry {
            entry: place.entry,
            inner_hex: to_hex(place.inner.as_path().as_os_str().as_bytes()),
            host_hex: to_hex(place.host.as_path().as_os_str().as_bytes()),
            dev: place.dev,
            ino: place.ino,
            noexec: place.noexec,
        };
        ask_mounts(role, &message, None)?;
    }
    Ok(())
}

fn ask_mounts(
    role: BorrowedFd<'_>,
    message: &ToMounts,
    descriptor: Option<BorrowedFd<'_>>,
) -> Result<(), String> {
    match ask(role, "mounts", message, descriptor, PATIENCE)? {
        FromMounts::Done {} => Ok(()),
        FromMounts::Failed { what, errno } => {
            Err(format!("role mounts: {what}: {}", Errno::from_raw(errno).desc()))
        }
    }
}

/// Hands role `policy` one bundle; it is in use when this returns.
/// # Errors
/// What is wrong with the bundle, with file and line, or that the role does not answer.
pub fn policy(role: BorrowedFd<'_>, load: &ToPolicy, bundle: BorrowedFd<'_>) -> Result<String, String> {
    match ask(role, "policy", load, Some(bundle), PATIENCE)? {
        FromPolicy::Loaded { revision } => Ok(revision),
        FromPolicy::NotLoaded { error } => Err(error),
        FromPolicy::Decided { .. } => Err("role policy answers what nobody asked".to_owned()),
    }
}

/// Tells a role one thing, and gives what it answers within this time.
/// # Errors
/// When it is gone, does not answer in time, or answers what cannot be read.
pub fn ask<T: DeserializeOwned>(
    role: BorrowedFd<'_>,
    name: &str,
    message: &impl Serialize,
    descriptor: Option<BorrowedFd<'_>>,
    within: Duration,
) -> Result<T, String> {
    tell(role, message, descriptor)?;
    answer(role, name, within)
}

/// What a role answers to what it was told before.
/// # Errors
/// As [`ask`].
pub fn answer<T: DeserializeOwned>(role: BorrowedFd<'_>, name: &str, within: Duration) -> Result<T, String> {
    let failed = |errno: Errno| format!("role {name}: {errno:?}: {}", errno.desc());
    if !is_ready(role, libc::POLLIN, within).map_err(failed)? {
        return Err(format!("role {name} did not answer in time"));
    }
    let mut buffer = vec![0; codec::MOST_BYTES];
    let (length, _) = socket::receive(role, &mut buffer, false).map_err(failed)?;
    match codec::decode(buffer.get(..length).unwrap_or_default()) {
        Err(_) if length == 0 => Err(format!("role {name} ended at once")),
        other => other.map_err(|error| format!("role {name}: {error}")),
    }
}

/// Tells a role one thing that it does not answer. There may be more to tell than its socket holds at one time; a message
/// may be a secret.
/// # Errors
/// When it is gone or does not read.
pub fn tell(
    role: BorrowedFd<'_>,
    message: &impl Serialize,
    descriptor: Option<BorrowedFd<'_>>,
) -> Result<(), String> {
    let bytes = Zeroizing::new(codec::encode(message).map_err(|error| error.to_string())?);
    let failed = |errno: Errno| format!("tell a role: {}", errno.desc());
    loop {
        match socket::send(role, &bytes, descriptor, false) {
            Err(Errno::EAGAIN) if is_ready(role, libc::POLLOUT, PATIENCE).map_err(failed)? => {}
            told => return told.map_err(failed),
        }
    }
}

/// Waits for a role's socket, not longer than this.
fn is_ready(role: BorrowedFd<'_>, events: i16, within: Duration) -> Result<bool, Errno> {
    let mut waits = [libc::pollfd { events, ..signal::wants_reading(Some(role)) }];
    Ok(signal::poll(&mut waits, signal::poll_time(within))? > 0)
}
