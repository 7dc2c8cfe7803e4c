//! Who speaks at the socket `control`: the person, or something that must not.
//!
//! Never trusts a number alone where the kernel gives a descriptor.

use super::place::me;
use crate::sys::process::signal_pidfd;
use crate::sys::{Errno, local};
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

/// A program of the person.
#[derive(Debug)]
pub struct Person {
    /// Its pid when it connected.
    pub pid: i32,
    /// The process; readable once it has ended. `None` before Linux 6.5.
    pub process: Option<OwnedFd>,
}

/// Why a connection is not the person's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotThePerson {
    /// Another user.
    User(u32),
    /// It is in a sandbox or container: its pid or user namespace is not ours.
    Inside,
    /// It had ended before it could be looked at.
    Gone,
    /// The kernel does not tell.
    Unknown(Errno),
}

impl fmt::Display for NotThePerson {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(uid) => write!(out, "uid {uid} connected, and only the run's own user may"),
            Self::Inside => out.write_str("the program that connected is inside a sandbox or container"),
            Self::Gone => out.write_str("the program that connected has ended"),
            Self::Unknown(errno) => write!(out, "who connected cannot be known: {errno:?}: {}", errno.desc()),
        }
    }
}

impl std::error::Error for NotThePerson {}

/// Checks who made an accepted connection: this user, in our own pid namespace and user namespace. A sandbox has its own
/// of both, so nothing inside one passes, whatever socket it got hold of.
///
/// From Linux 6.11 the namespaces are those of the very process that connected. From 6.5 they are read from /proc by its
/// number while its descriptor proves that the number is still its own. Before, the number alone names it.
/// # Errors
/// [`NotThePerson`]: then nothing it sends may be read.
pub fn check_peer(connection: BorrowedFd<'_>) -> Result<Person, NotThePerson> {
    let found = local::credentials(connection).map_err(NotThePerson::Unknown)?;
    if found.uid != me() {
        return Err(NotThePerson::User(found.uid));
    }
    if found.pid <= 0 {
        return Err(NotThePerson::Inside); // not visible from here: in another pid namespace
    }
    let process = match local::process(connection) {
        Ok(process) => Some(process),
        Err(Errno::ENOPROTOOPT) => None,
        Err(Errno::ESRCH | Errno::EINVAL | Errno::ENODATA) => return Err(NotThePerson::Gone),
        Err(errno) => return Err(NotThePerson::Unknown(errno)),
    };
    let theirs = match process.as_ref().map(|process| local::namespaces(process.as_fd())) {
        Some(Ok(namespaces)) => namespaces,
        Some(Err(Errno::ENOTTY | Errno::EINVAL)) | None => listed(found.pid)?,
        Some(Err(Errno::ESRCH)) => return Err(NotThePerson::Gone),
        Some(Err(errno)) => return Err(NotThePerson::Unknown(errno)),
    };
    // The number was its own all the time if it is still there.
    if process.as_ref().is_some_and(|process| signal_pidfd(process.as_fd(), 0).is_err()) {
        return Err(NotThePerson::Gone);
    }
    if theirs != own()? { Err(NotThePerson::Inside) } else { Ok(Person { pid: found.pid, process }) }
}

fn own() -> Result<(local::Namespace, local::Namespace), NotThePerson> {
    Ok((namespace("self", "pid")?, namespace("self", "user")?))
}

/// RACE: a number means this process until it is waited for. The caller asks its descriptor afterwards, where there is one.
fn listed(pid: i32) -> Result<(local::Namespace, local::Namespace), NotThePerson> {
    let pid = pid.to_string();
    Ok((namespace(&pid, "pid")?, namespace(&pid, "user")?))
}

fn namespace(process: &str, kind: &str) -> Result<local::Namespace, NotThePerson> {
    match std::fs::metadata(format!("/proc/{process}/ns/{kind}")) {
        Ok(facts) => Ok((facts.dev(), facts.ino())),
        Err(error) => match error.raw_os_error().map_or(Errno::EIO, Errno::from_raw) {
            Errno::ENOENT | Errno::ESRCH => Err(NotThePerson::Gone),
            errno => Err(NotThePerson::Unknown(errno)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{local, process, socket};
    use std::fs::File;

    /// A connection to a listener of ours, made by a child that ran `before` first; it holds it until told.
    fn connected_by_a_child(test: &str, before: fn()) -> Result<Person, NotThePerson> {
        let path = std::env::temp_dir().join(format!("aisandbox-peer-{test}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        let folder = File::open(&path).unwrap();
        let listener = local::listen(folder.as_fd(), "control").unwrap();
        let (ours, theirs) = socket::message_pair().unwrap();
        let pid = match process::fork_bare().unwrap() {
            process::Side::Child => {
                before();
                let connection = local::connect(folder.as_fd(), "control");
                drop(ours);
                let said = socket::send(theirs.as_fd(), &[u8::from(connection.is_ok())], None, true);
                let waited = socket::receive(theirs.as_fd(), &mut [0; 1], true);
                process::exit_now(i32::from(said.is_err() || waited.is_err()))
            }
            process::Side::Parent(pid) => pid,
        };
        drop(theirs);
        let mut connected = [0];
        socket::receive(ours.as_fd(), &mut connected, true).unwrap();
        assert_eq!(connected, [1], "the child connected");
        let connection = local::accept(listener.as_fd()).unwrap();
        let found = check_peer(connection.as_fd());
        drop(ours);
        process::wait_for(pid).unwrap();
        std::fs::remove_dir_all(path).unwrap();
        found
    }

    #[test]
    fn a_program_of_this_user_is_the_person() {
        assert!(connected_by_a_child("person", || ()).is_ok());
    }

    #[test]
    fn a_process_in_a_user_namespace_of_its_own_is_not() {
        let enter = || process::unshare(libc::CLONE_NEWUSER).unwrap_or_default();
        if !process_may_unshare() {
            eprintln!("skipped: this user may not make a user namespace here");
        } else {
            assert_eq!(connected_by_a_child("userns", enter).unwrap_err(), NotThePerson::Inside);
        }
    }

    fn process_may_unshare() -> bool {
        match process::fork_bare().unwrap() {
            process::Side::Child => {
                process::exit_now(i32::from(process::unshare(libc::CLONE_NEWUSER).is_err()))
            }
            process::Side::Parent(pid) => process::wait_for(pid).unwrap() == process::Ended::Exited(0),
        }
    }

    #[test]
    fn a_socket_pair_names_who_made_it_and_still_passes_no_other_user() {
        let (ours, _theirs) = socket::message_pair().unwrap();
        assert!(check_peer(ours.as_fd()).is_ok_and(|person| person.pid == std::process::id() as i32));
    }
}
