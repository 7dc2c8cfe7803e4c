//! From a caller's path to a place: an open folder and one name in it. The walk is the kernel's, and never takes a
//! magic link: init's own /proc entries hold more than the caller may have.

use super::target::Target;
use super::text::{PathText, number};
use crate::sys::file::{RESOLVE_CACHED, RESOLVE_NO_MAGICLINKS, openat2};
use crate::sys::{Errno, Sys, name};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Links followed before a path is called a loop, as the kernel counts them (path_resolution(7)).
pub(super) const MAX_LINKS: usize = 40;

/// Where a relative path starts.
#[derive(Clone, Copy)]
pub(super) enum From<'a> {
    /// At a descriptor number of the caller, or AT_FDCWD.
    Caller(i32),
    /// In the folder of the symlink whose text is followed.
    Folder(BorrowedFd<'a>),
}

/// Whether a walk may wait for what a filesystem says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// It takes as long as it takes.
    Waits,
    /// What is not known to the kernel already is EAGAIN.
    Hurries,
}

impl Patience {
    pub(super) fn resolve(self) -> u64 {
        RESOLVE_NO_MAGICLINKS | if self == Self::Hurries { RESOLVE_CACHED } else { 0 }
    }
}

/// A name in a folder. The name is the last component with the slashes behind it; `.` stands for the root itself.
pub(super) struct Place {
    pub(super) parent: OwnedFd,
    pub(super) name: PathText,
}

impl Place {
    /// Finds the place a path names.
    /// # Errors
    /// As the kernel gives them for the walk; `ELOOP` for a magic link that is not the caller's own; `EAGAIN` where it
    /// would have to wait and may not.
    pub(super) fn find(
        target: &Target<'_>,
        from: From<'_>,
        path: &PathText,
        patience: Patience,
    ) -> Sys<Self> {
        let bytes = path.bytes();
        if bytes.is_empty() {
            return Err(Errno::ENOENT);
        }
        let Some(last) = bytes.iter().rposition(|byte| *byte != b'/') else {
            let parent = open_folder(target.proc, c"/", patience)?;
            return Ok(Self { parent, name: PathText::of_bytes(b".")? });
        };
        let start = bytes.iter().take(last).rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let (prefix, name) = bytes.split_at_checked(start).ok_or(Errno::EINVAL)?;
        Ok(Self { parent: folder_of(target, from, prefix, patience)?, name: PathText::of_bytes(name)? })
    }

    /// The name without the slashes behind it.
    pub(super) fn bare(&self) -> &[u8] {
        let name = self.name.bytes();
        let end = name.iter().position(|byte| *byte == b'/').unwrap_or(name.len());
        name.get(..end).unwrap_or_default()
    }

    /// Says whether the path wants a folder by ending with a slash.
    pub(super) fn wants_folder(&self) -> bool {
        self.bare().len() != self.name.bytes().len()
    }

    /// Says whether the path ends in `.` or `..`, which always are.
    pub(super) fn is_dots(&self) -> bool {
        matches!(self.bare(), b"." | b"..")
    }

    /// Says whether the folder lies in /proc.
    pub(super) fn is_in_proc(&self) -> Sys<bool> {
        name::is_in_proc(self.parent.as_fd())
    }
}

fn folder_of(target: &Target<'_>, from: From<'_>, prefix: &[u8], patience: Patience) -> Sys<OwnedFd> {
    let path = PathText::of_bytes(prefix)?;
    if prefix.first() == Some(&b'/') {
        return match open_folder(target.proc, path.c(), patience) {
            Err(Errno::ELOOP) => through_own_link(target, prefix, patience),
            other => other,
        };
    }
    match (from, prefix.is_empty()) {
        (From::Caller(dirfd), true) => target.folder(dirfd),
        (From::Caller(dirfd), false) => open_folder(target.folder(dirfd)?.as_fd(), path.c(), patience),
        (From::Folder(folder), true) => open_folder(folder, c".", patience),
        (From::Folder(folder), false) => open_folder(folder, path.c(), patience),
    }
}

fn open_folder(base: BorrowedFd<'_>, path: &std::ffi::CStr, patience: Patience) -> Sys<OwnedFd> {
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    openat2(base, path, flags, 0, patience.resolve())
}

/// A path that begins with a magic link of the caller's own, such as `/proc/self/fd/3/` or `/proc/self/cwd/`, goes
/// on from the folder that link leads the caller to. Only the plain spellings are known.
fn through_own_link(target: &Target<'_>, prefix: &[u8], patience: Patience) -> Sys<OwnedFd> {
    let mut walk = Walk(prefix);
    let base = match (walk.next(), walk.next()) {
        (b"dev", b"fd") => descriptor_folder(target, walk.next())?,
        (b"proc", who) if is_caller(target, who) => match walk.next() {
            b"fd" => descriptor_folder(target, walk.next())?,
            b"cwd" => target.folder(libc::AT_FDCWD)?,
            b"root" => open_folder(target.proc, c"/", patience)?,
            _ => return Err(Errno::ELOOP),
        },
        _ => return Err(Errno::ELOOP),
    };
    let rest = PathText::of_bytes(walk.rest())?;
    let rest = if rest.bytes().is_empty() { c"." } else { rest.c() };
    open_folder(base.as_fd(), rest, patience)
}

fn descriptor_folder(target: &Target<'_>, name: &[u8]) -> Sys<OwnedFd> {
    let number = number(name, 10).and_then(|number| i32::try_from(number).ok()).ok_or(Errno::ENOENT)?;
    target.folder(number).map_err(|errno| if errno == Errno::EBADF { Errno::ENOENT } else { errno })
}

fn is_caller(target: &Target<'_>, who: &[u8]) -> bool {
    matches!(who, b"self" | b"thread-self") || number(who, 10).is_some_and(|number| target.is_called(number))
}

/// The components of a path, one after the other; an empty one is the end.
struct Walk<'a>(&'a [u8]);

impl<'a> Walk<'a> {
    fn next(&mut self) -> &'a [u8] {
        let path = self.rest();
        let end = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
        let (component, rest) = path.split_at_checked(end).unwrap_or((path, b""));
        self.0 = rest;
        component
    }

    fn rest(&self) -> &'a [u8] {
        let start = self.0.iter().position(|byte| *byte != b'/').unwrap_or(self.0.len());
        self.0.get(start..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_gives_components_and_what_is_left() {
        let mut walk = Walk(b"//proc/self//fd/3/a/b/");
        assert_eq!([walk.next(), walk.next(), walk.next()], [&b"proc"[..], b"self", b"fd"]);
        assert_eq!(walk.next(), b"3");
        assert_eq!(walk.rest(), b"a/b/");
    }

    #[test]
    fn a_walk_ends_with_empty_components() {
        let mut walk = Walk(b"a");
        assert_eq!([walk.next(), walk.next(), walk.next()], [&b"a"[..], b"", b""]);
    }
}
