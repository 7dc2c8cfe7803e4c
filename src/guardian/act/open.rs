//! Opening: a file of a lease becomes a descriptor for the agent, beneath the object that was pinned at the request.
//!
//! Never follows a link, never leaves the pinned object, and hands out regular files only: a folder leads to all around
//! it, and a device or pipe would be more than a file. A path that was swapped since gives the pinned object or nothing.

use crate::base::InnerPath;
use crate::guardian::Guardian;
use crate::guardian::ceiling::{Actions, Entry};
use crate::guardian::grant::Lease;
use crate::guardian::record::{self, Through};
use crate::guardian::token::Claims;
use crate::sys::file::{self, RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS};
use crate::sys::{Errno, Sys, fd};
use crate::wire::broker::Outcome;
use crate::wire::consent::Object;
use crate::wire::denial::{Denial, Reason};
use crate::wire::session::Given;
use crate::wire::subject::{Action, Resource};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

/// How every walk below a pinned object goes.
const RESOLVE: u64 = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
/// Flags of every open: nothing waits, nothing becomes our terminal.
const FLAGS: i32 = libc::O_CLOEXEC | libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;

/// Whether a lease for these actions may give descriptors. Who holds one can open it anew by /proc/self/fd, with all
/// that Landlock's rule for the place allows, which is the entry's whole ceiling; without Landlock, everything.
pub(in crate::guardian) fn may_hand_out(
    ceiling: Actions,
    wanted: Actions,
    landlock: bool,
) -> Result<(), &'static str> {
    let content = Actions::of(&[Action::Read, Action::Append, Action::Overwrite]);
    let reachable = if landlock { ceiling.both(content) } else { content };
    if wanted.has_all(reachable) {
        return Ok(());
    }
    Err("a descriptor can be opened anew with all the entry may be asked for; ask for all of it together")
}

/// Whether a descriptor for an action can do no more than a lease allows. O_APPEND is a flag that its holder can take
/// away (fcntl(2), F_SETFL).
fn only_what_is_allowed(action: Action, allowed: Actions) -> Result<(), &'static str> {
    if action == Action::Append && !allowed.has_all(Actions::of(&[Action::Overwrite])) {
        return Err("a descriptor to append could overwrite; use `append`, by which the Guardian writes");
    }
    Ok(())
}

/// Finds the object of a path of an entry, once: what is asked about is what will be opened. Where `create` is asked
/// for and nothing is there yet, its folder is pinned.
pub(in crate::guardian) fn pin(
    entry: &Entry,
    path: &InnerPath,
    actions: Actions,
) -> Result<(OwnedFd, Object), Reason> {
    let tail = tail(&entry.inner, path).ok_or(Reason::NotFound)?;
    let flags = libc::O_PATH | libc::O_CLOEXEC | libc::O_NOFOLLOW;
    let found = match tail.as_bytes() {
        b"" => fd::duplicate_above(entry.object.as_fd(), 3),
        _ => file::openat2(entry.object.as_fd(), &tail, flags, 0, RESOLVE),
    };
    let shown = entry.host.join(path.as_path().strip_prefix(entry.inner.as_path()).unwrap_or(path.as_path()));
    let shown = shown.map_or_else(|_| entry.host.to_string(), |host| host.to_string());
    let object = |kind: &str, size| Object {
        path: shown.clone(),
        kind: kind.to_owned(),
        size,
        label: String::new(),
        sha256: None,
    };
    match found {
        Ok(found) => {
            let (kind, size) = kind_and_size(found.as_fd()).map_err(reason)?;
            Ok((found, object(kind, size)))
        }
        Err(Errno::ENOENT) if actions.has_all(Actions::of(&[Action::Create])) => {
            let folder =
                path.parent().and_then(|above| self::tail(&entry.inner, &above)).ok_or(Reason::NotFound)?;
            let folder = match folder.as_bytes() {
                b"" => fd::duplicate_above(entry.object.as_fd(), 3),
                _ => file::openat2(entry.object.as_fd(), &folder, flags | libc::O_DIRECTORY, 0, RESOLVE),
            };
            Ok((folder.map_err(reason)?, object("new file", None)))
        }
        Err(errno) => Err(reason(errno)),
    }
}

/// What lies between two paths, for a call; empty when they are the same.
fn tail(above: &InnerPath, path: &InnerPath) -> Option<CString> {
    let tail = path.as_path().strip_prefix(above.as_path()).ok()?;
    CString::new(tail.as_os_str().as_bytes()).ok()
}

fn kind_and_size(object: BorrowedFd<'_>) -> Sys<(&'static str, Option<u64>)> {
    let stat = nix::sys::stat::fstat(object)?;
    Ok(match stat.st_mode & libc::S_IFMT {
        libc::S_IFREG => ("file", u64::try_from(stat.st_size).ok()),
        libc::S_IFDIR => ("folder", None),
        libc::S_IFLNK => ("link", None),
        libc::S_IFSOCK => ("socket", None),
        libc::S_IFIFO => ("pipe", None),
        _ => ("device", None),
    })
}

/// What an errno means to who asked.
pub(super) fn reason(errno: Errno) -> Reason {
    match errno {
        Errno::ENOENT | Errno::ENOTDIR => Reason::NotFound,
        Errno::ELOOP | Errno::EXDEV | Errno::EEXIST | Errno::ESTALE => Reason::Changed,
        _ => Reason::Kernel,
    }
}

/// Opens a path of a lease.
pub(super) fn open(lease: &Lease, path: &InnerPath, action: Action) -> Result<OwnedFd, Reason> {
    let at = lease.at().ok_or(Reason::NotFound)?;
    let tail = tail(&at.path, path).ok_or(Reason::NotFound)?;
    let reads = lease.actions.has_all(Actions::of(&[Action::Read]));
    let both = if reads { libc::O_RDWR } else { libc::O_WRONLY };
    let mode = match action {
        Action::Read => libc::O_RDONLY,
        Action::Append => libc::O_WRONLY | libc::O_APPEND,
        Action::Overwrite => both,
        Action::Create => both | libc::O_CREAT | libc::O_EXCL,
        _ => return Err(Reason::Protocol),
    };
    let object = match (at.given, &at.shown) {
        (Given::Mount, Some(shown)) => shown.as_fd(),
        (Given::Mount, None) => return Err(Reason::Unavailable),
        _ => at.object.as_fd(),
    };
    let rights = if action == Action::Create { 0o600 } else { 0 };
    let below = |name: &CStr| file::openat2(object, name, mode | FLAGS, rights, RESOLVE);
    let opened = match tail.as_bytes() {
        // The object was not there when it was asked for: its folder is pinned, and the name is made below it.
        b"" if kind_and_size(object).map_err(reason)?.0 == "folder" => {
            let name = path.file_name().and_then(|name| CString::new(name.as_bytes()).ok());
            below(&name.ok_or(Reason::NotFound)?)
        }
        b"" => reopen(object, mode),
        _ => below(&tail),
    };
    let opened = opened.map_err(reason)?;
    match kind_and_size(opened.as_fd()) {
        Ok(("file", _)) => Ok(opened),
        Ok(_) => Err(Reason::Changed),
        Err(errno) => Err(reason(errno)),
    }
}

/// The very object that is held, opened for use: by its own number, which no path can turn elsewhere.
fn reopen(object: BorrowedFd<'_>, mode: i32) -> Sys<OwnedFd> {
    let path = CString::new(format!("/proc/self/fd/{}", object.as_raw_fd())).map_err(|_| Errno::EINVAL)?;
    file::open(&path, mode | libc::O_NONBLOCK | libc::O_NOCTTY)
}

impl Guardian {
    /// `open`: every path by itself; the descriptors come with the one answer.
    pub(in crate::guardian) fn open(
        &mut self,
        channel: u64,
        call: u32,
        paths: &[String],
        action: Action,
        claims: &Claims,
    ) {
        let (mut opened, mut denials, mut descriptors) = (Vec::new(), Vec::new(), Vec::new());
        for path in paths {
            match self.open_one(path, action, claims) {
                Ok(descriptor) => {
                    opened.push(true);
                    descriptors.push(descriptor);
                }
                Err(denial) => {
                    opened.push(false);
                    denials.push(*denial);
                }
            }
        }
        self.doors.answer(channel, call, Outcome::Opened { opened, denials }, descriptors);
    }

    fn open_one(&mut self, path: &str, action: Action, claims: &Claims) -> Result<OwnedFd, Box<Denial>> {
        let (number, inner) = self.lease_for(path, action, claims)?;
        let Some(lease) = self.leases.get_mut(number) else {
            return Err(self.not_opened(Reason::Revoked, "", path, action));
        };
        if lease.given() == Given::Served {
            let detail = "it is served call by call; open it at its path";
            return Err(self.not_opened(Reason::Unavailable, detail, path, action));
        }
        let place = lease.place;
        let ceiling = self.ceiling.get(place).map(|entry| entry.actions).unwrap_or_default();
        let allowed = may_hand_out(ceiling, lease.actions, self.roles.landlock)
            .and_then(|()| only_what_is_allowed(action, lease.actions));
        if let Err(detail) = allowed {
            return Err(self.not_opened(Reason::Unavailable, detail, path, action));
        }
        let descriptor = match open(lease, &inner, action) {
            Ok(descriptor) => descriptor,
            Err(reason) => return Err(self.not_opened(reason, reason.text(), path, action)),
        };
        let (is_new, is_last) = (lease.opened(path), lease.spend_use());
        if is_new {
            let token = Some(claims.id.to_string());
            let through = Through { token, ..Through::of(lease) };
            self.recorder.transfer(through, Some(path), action, (0, 0), 0);
        }
        if is_last {
            self.end_lease(number, "used", None);
        }
        Ok(descriptor)
    }

    /// A file that is not opened: told, and recorded.
    fn not_opened(&mut self, reason: Reason, detail: &str, path: &str, action: Action) -> Box<Denial> {
        let denial = self.new_denial(reason, detail, format!("{} {path}", action.word()));
        let resource = Resource::File { path: path.to_owned() };
        self.note_refusal(&denial, record::what(&[action], &resource, None, ""), None);
        Box::new(denial)
    }

    /// The lease that allows an action on a path under a token.
    pub(super) fn lease_for(
        &mut self,
        path: &str,
        action: Action,
        claims: &Claims,
    ) -> Result<(u64, InnerPath), Box<Denial>> {
        let resource = Resource::File { path: path.to_owned() };
        if !claims.allows(action, &resource) {
            return Err(self.not_opened(Reason::Token, "the token does not list it", path, action));
        }
        let within = match self.ceiling.judge(&resource, Actions::of(&[action])) {
            Ok(within) => within,
            Err(why) => return Err(self.not_opened(Reason::Ceiling, &why, path, action)),
        };
        let lease = self.leases.covering(within.place, &within.path, within.actions, self.now);
        match lease {
            Some(number) => Ok((number, within.path)),
            None => {
                let detail = "no lease covers it; ask with `request` first";
                Err(self.not_opened(Reason::Revoked, detail, path, action))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guardian::target::{Held, HeldPlace};

    fn overwriting(actions: &[Action], path: &std::path::Path) -> Lease {
        let name = CString::new(path.as_os_str().as_bytes()).unwrap();
        Lease {
            number: 1,
            id: String::new(),
            place: 0,
            actions: Actions::of(actions),
            held: Held::Place(Box::new(HeldPlace {
                path: InnerPath::new(path).unwrap(),
                given: Given::Descriptor,
                object: file::open(&name, libc::O_PATH).unwrap(),
                shown: None,
                host: String::new(),
            })),
            basis: crate::guardian::grant::Basis::default(),
            approved_by: String::new(),
            since: 0,
            until: None,
            uses_left: None,
            bytes_left: None,
            revocable: false,
            asker: None,
            opened: std::collections::BTreeMap::new(),
            holds: true,
        }
    }

    #[test]
    fn a_descriptor_to_append_is_given_only_to_who_may_overwrite() {
        let of = Actions::of;
        assert!(only_what_is_allowed(Action::Append, of(&[Action::Append, Action::Read])).is_err());
        assert!(only_what_is_allowed(Action::Append, of(&[Action::Append, Action::Overwrite])).is_ok());
        assert!(only_what_is_allowed(Action::Read, of(&[Action::Read])).is_ok());
    }

    #[test]
    fn a_descriptor_to_overwrite_reads_only_where_reading_is_allowed() {
        let path = std::env::temp_dir().join(format!("aisandbox-open-{}", std::process::id()));
        std::fs::write(&path, "secret").unwrap();
        let inner = InnerPath::new(&path).unwrap();
        let read = |actions: &[Action]| {
            let opened = open(&overwriting(actions, &path), &inner, Action::Overwrite).unwrap();
            fd::read(opened.as_fd(), &mut [0; 8])
        };
        assert_eq!(read(&[Action::Overwrite]), Err(Errno::EBADF));
        assert_eq!(read(&[Action::Overwrite, Action::Read]), Ok(6), "the control");
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_mounted_lease_opens_nothing_but_through_its_mount() {
        let path = std::env::current_exe().unwrap();
        let inner = InnerPath::new(&path).unwrap();
        let mut lease = overwriting(&[Action::Read], &path);
        let Held::Place(at) = &mut lease.held else { panic!("a place") };
        at.given = Given::Mount;
        assert_eq!(open(&lease, &inner, Action::Read).err(), Some(Reason::Unavailable));
        let Held::Place(at) = &mut lease.held else { panic!("a place") };
        at.shown = Some(fd::duplicate_above(at.object.as_fd(), 3).unwrap());
        assert!(open(&lease, &inner, Action::Read).is_ok(), "the control");
    }
}
