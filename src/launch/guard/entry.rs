//! Calls that make a name without opening it: mkdir, mknod, symlink, link, rename. Each acts on an open folder and
//! one name in it, which is judged by the table first.

use super::open::link_to;
use super::own::{self, Own};
use super::resolve::{From, MAX_LINKS, Place};
use super::table::{Making, Verdict};
use super::text::PathText;
use super::{Done, Outcome, Refusal, Request};
use crate::launch::observed::Act;
use crate::sys::file::{
    RESOLVE_NO_MAGICLINKS, kind_and_identity, mkdirat, openat, openat2, symlinkat, unlinkat,
};
use crate::sys::{Errno, name, process};
use std::os::fd::{AsFd, OwnedFd};

/// A path of the caller: a descriptor number and an address in its memory.
#[derive(Clone, Copy)]
pub(super) struct At(pub(super) i32, pub(super) u64);

pub(super) fn make_folder(request: &mut Request<'_>, at: At, mode: u32) -> Outcome {
    let place = writable_place(request, at)?;
    process::set_umask(request.target.umask()?);
    request.saw_name(Act::Create, &place);
    let verdict = judge(request, &place, Making::Folder)?;
    mkdirat(place.parent.as_fd(), place.name.c(), mode)?;
    if verdict == Verdict::Way {
        let bare = PathText::of_bytes(place.bare())?;
        if let Err(errno) = request.table.made(place.parent.as_fd(), bare.c()) {
            unlinkat(place.parent.as_fd(), bare.c(), true)?;
            return Err(errno.into());
        }
    }
    Ok(Done::Value)
}

/// Regular files, FIFOs and sockets; a device needs a capability that nobody inside has.
pub(super) fn make_node(request: &mut Request<'_>, at: At, mode: u32) -> Outcome {
    match mode & libc::S_IFMT {
        0 | libc::S_IFREG | libc::S_IFIFO | libc::S_IFSOCK => {}
        libc::S_IFCHR | libc::S_IFBLK | libc::S_IFDIR => return Err(Errno::EPERM.into()),
        _ => return Err(Errno::EINVAL.into()),
    }
    let place = writable_place(request, at)?;
    process::set_umask(request.target.umask()?);
    request.saw_name(Act::Create, &place);
    judge(request, &place, Making::Other)?;
    name::make_node(place.parent.as_fd(), place.name.c(), mode)?;
    Ok(Done::Value)
}

pub(super) fn make_symlink(request: &mut Request<'_>, text: u64, at: At) -> Outcome {
    let text = request.target.path(text)?;
    let place = writable_place(request, at)?;
    request.saw_name(Act::Create, &place);
    request.saw_other_text(&text);
    judge(request, &place, Making::Other)?;
    symlinkat(text.c(), place.parent.as_fd(), place.name.c())?;
    Ok(Done::Value)
}

pub(super) fn rename(request: &mut Request<'_>, from: At, to: At, flags: u32) -> Outcome {
    // A whiteout is a device, and would take the place of the old name.
    if !matches!(flags, 0 | libc::RENAME_NOREPLACE | libc::RENAME_EXCHANGE) {
        return Err(Errno::EINVAL.into());
    }
    let old = writable_place(request, from)?;
    let new = writable_place(request, to)?;
    request.saw_name(Act::Rename, &old);
    request.saw_other_name(&new);
    request.check_both(old.parent.as_fd(), new.parent.as_fd())?;
    if flags & libc::RENAME_EXCHANGE != 0 {
        judge(request, &old, Making::Other)?;
    }
    judge(request, &new, Making::Other)?;
    name::rename(old.parent.as_fd(), old.name.c(), new.parent.as_fd(), new.name.c(), flags)?;
    Ok(Done::Value)
}

pub(super) fn link(request: &mut Request<'_>, from: At, to: At, flags: i32) -> Outcome {
    if flags & !(libc::AT_SYMLINK_FOLLOW | libc::AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let source = find_source(request, from, flags)?;
    let place = writable_place(request, to)?;
    let from = match &source {
        Source::Named(old) => old.parent.as_fd(),
        Source::Held(found) => found.as_fd(),
    };
    request.check_both(from, place.parent.as_fd())?;
    request.saw_name(Act::Create, &place);
    match &source {
        Source::Named(old) => request.saw_other_name(old),
        Source::Held(found) => request.saw_other_found(found.as_fd()),
    }
    judge(request, &place, Making::Other)?;
    let (parent, name) = (place.parent.as_fd(), place.name.c());
    match source {
        Source::Named(old) => name::link(old.parent.as_fd(), old.name.c(), parent, name, false)?,
        Source::Held(found) => name::link(request.target.proc, link_to(&found)?.c(), parent, name, true)?,
    }
    Ok(Done::Value)
}

/// unlink and rmdir.
pub(super) fn remove(request: &mut Request<'_>, At(dirfd, address): At, flags: i32) -> Outcome {
    if flags & !libc::AT_REMOVEDIR != 0 {
        return Err(Errno::EINVAL.into());
    }
    let text = request.target.path(address)?;
    request.saw_text(dirfd, &text);
    let place = request.place(From::Caller(dirfd), &text)?;
    if place.is_in_proc()? {
        return Err(Errno::EPERM.into());
    }
    request.saw_name(Act::Delete, &place);
    request.check_side(place.parent.as_fd())?;
    request.check_waiting()?;
    unlinkat(place.parent.as_fd(), place.name.c(), flags != 0)?;
    Ok(Done::Value)
}

/// What gets another name.
enum Source {
    /// A name that is not followed.
    Named(Box<Place>),
    /// A file that a followed name led to, or a descriptor: so a file of O_TMPFILE gets its first name.
    Held(OwnedFd),
}

fn find_source(request: &Request<'_>, At(dirfd, address): At, flags: i32) -> Result<Source, Refusal> {
    let follow = flags & libc::AT_SYMLINK_FOLLOW != 0;
    let mut text = request.target.path_or_empty(address)?;
    if text.bytes().is_empty() {
        return match flags & libc::AT_EMPTY_PATH {
            0 => Err(Errno::ENOENT.into()),
            _ if dirfd == libc::AT_FDCWD => Err(Errno::EPERM.into()),
            _ => request.target.descriptor(dirfd).map(Source::Held).map_err(|errno| match errno {
                Errno::ENOENT => Errno::EBADF.into(),
                other => other.into(),
            }),
        };
    }
    let mut place = request.place(From::Caller(dirfd), &text)?;
    for _ in 0..=MAX_LINKS {
        if place.is_in_proc()? {
            return if follow { own_descriptor(request, &place) } else { Err(Errno::EXDEV.into()) };
        }
        if place.wants_folder() {
            let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
            openat2(place.parent.as_fd(), place.name.c(), flags, 0, RESOLVE_NO_MAGICLINKS)?;
            return Err(Errno::EPERM.into());
        }
        if !follow {
            return Ok(Source::Named(Box::new(place)));
        }
        let found = openat(place.parent.as_fd(), place.name.c(), libc::O_PATH | libc::O_NOFOLLOW, 0)?;
        request.check_quick(found.as_fd())?;
        if kind_and_identity(found.as_fd())?.mode & libc::S_IFMT != libc::S_IFLNK {
            return Ok(Source::Held(found));
        }
        text = PathText::read(|room| name::read_link(found.as_fd(), c"", room).map(|end| end + 1))?;
        place = request.place(From::Folder(place.parent.as_fd()), &text)?;
    }
    Err(Errno::ELOOP.into())
}

fn own_descriptor(request: &Request<'_>, place: &Place) -> Result<Source, Refusal> {
    match own::find(&request.target, place)? {
        Own::Descriptor(found) => Ok(Source::Held(found)),
        Own::Setting(_) => Err(Errno::EXDEV.into()),
    }
}

/// A place outside /proc, where nothing can be made.
fn writable_place(request: &mut Request<'_>, At(dirfd, address): At) -> Result<Place, Refusal> {
    let text = request.target.path(address)?;
    request.saw_text(dirfd, &text);
    let place = request.place(From::Caller(dirfd), &text)?;
    if place.is_in_proc()? { Err(Errno::EACCES.into()) } else { Ok(place) }
}

/// Asks the table, and then whether the caller still waits: the next step acts.
pub(super) fn judge(request: &Request<'_>, place: &Place, making: Making) -> Result<Verdict, Refusal> {
    request.check_side(place.parent.as_fd())?;
    match request.table.judge(place.parent.as_fd(), place.bare(), making)? {
        Verdict::Denied(pattern) => Err(Refusal::Denied(pattern)),
        verdict => {
            request.check_waiting()?;
            Ok(verdict)
        }
    }
}
