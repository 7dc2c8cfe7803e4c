//! What is there: found by the caller's path and held by O_PATH, then opened, cut, or given another mode through our own
//! descriptor. Only where the profile has calls observed: otherwise such calls never come here.

use super::entry::At;
use super::open::{self, Wish, link_to};
use super::proc_view::{self, Entry};
use super::resolve::{From, MAX_LINKS, Patience};
use super::text::{PathText, Text};
use super::{Done, Outcome, Refusal, Request};
use crate::sys::file::{kind_and_identity, openat, openat2};
use crate::sys::{Errno, Sys, file, name, process};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// The bit of O_TMPFILE that is not O_DIRECTORY.
const TMPFILE: i32 = libc::O_TMPFILE & !libc::O_DIRECTORY;

/// What a path leads to.
pub(super) enum Found {
    /// This, outside of /proc.
    Plain(OwnedFd),
    /// This, in /proc.
    Proc(Entry),
}

/// Which of two a path means, and what must be there.
#[derive(Clone, Copy, Default)]
pub(super) struct Wanted {
    /// A link at its end is meant itself.
    pub(super) no_follow: bool,
    /// It must be a folder.
    pub(super) folder: bool,
}

/// Finds what is there. In one step where nothing on the way is another thing to init than to the caller.
/// # Errors
/// As the kernel gives them.
pub(super) fn find(
    request: &Request<'_>,
    dirfd: i32,
    path: &PathText,
    wanted: Wanted,
) -> Result<Found, Refusal> {
    if let Some(found) = proc_view::of_init(&request.target, path) {
        return Ok(Found::Proc(Entry { found: of_kind(found?, wanted.folder)?, settable: false }));
    }
    if let Some(path) = proc_view::named_anew(&request.target, path)? {
        return find_by_steps(request, dirfd, &path, wanted);
    }
    let patience = request.asks.patience(request.side);
    let flags = libc::O_PATH
        | libc::O_CLOEXEC
        | if wanted.no_follow { libc::O_NOFOLLOW } else { 0 }
        | if wanted.folder { libc::O_DIRECTORY } else { 0 };
    let found = if path.bytes().first() == Some(&b'/') {
        openat2(request.target.proc, path.c(), flags, 0, patience.resolve())
    } else {
        openat2(request.target.folder(dirfd)?.as_fd(), path.c(), flags, 0, patience.resolve())
    };
    match found {
        Ok(found) => {
            request.check_quick(found.as_fd())?;
            if !name::is_in_proc(found.as_fd())? {
                return Ok(Found::Plain(found));
            }
        }
        Err(Errno::EAGAIN) if patience == Patience::Hurries => return Err(Refusal::Elsewhere),
        // A link on the way may lead to what init does not have, and the caller has: `/dev/fd`.
        Err(_) => {}
    }
    find_by_steps(request, dirfd, path, wanted)
}

/// The same, link by link, for ways through /proc.
fn find_by_steps(
    request: &Request<'_>,
    dirfd: i32,
    path: &PathText,
    wanted: Wanted,
) -> Result<Found, Refusal> {
    let mut place = request.place(From::Caller(dirfd), path)?;
    for _ in 0..=MAX_LINKS {
        let follow = !wanted.no_follow || place.wants_folder();
        let folder = wanted.folder || place.wants_folder();
        if place.is_in_proc()? {
            match proc_view::look(&request.target, &place, follow)? {
                proc_view::Look::Link(text) => {
                    place = request.place(From::Folder(place.parent.as_fd()), &text)?;
                    continue;
                }
                proc_view::Look::Outside(found) => return of_kind(found, folder).map(Found::Plain),
                proc_view::Look::Entry(entry) => {
                    let Entry { found, settable } = entry;
                    let found = of_kind(found, folder)?;
                    return Ok(Found::Proc(Entry { found, settable }));
                }
            }
        }
        let found = openat(place.parent.as_fd(), place.name.c(), libc::O_PATH | libc::O_NOFOLLOW, 0)?;
        request.check_quick(found.as_fd())?;
        if follow && open::is_link(&found)? {
            let text = PathText::read(|room| name::read_link(found.as_fd(), c"", room).map(|end| end + 1))?;
            place = request.place(From::Folder(place.parent.as_fd()), &text)?;
            continue;
        }
        let found = of_kind(found, folder)?;
        // Of /proc itself every process sees the same.
        let settable = false;
        return Ok(if name::is_in_proc(found.as_fd())? {
            Found::Proc(Entry { found, settable })
        } else {
            Found::Plain(found)
        });
    }
    Err(Errno::ELOOP.into())
}

fn of_kind(found: OwnedFd, folder: bool) -> Result<OwnedFd, Refusal> {
    let fits = !folder || kind_and_identity(found.as_fd())?.mode & libc::S_IFMT == libc::S_IFDIR;
    if fits { Ok(found) } else { Err(Errno::ENOTDIR.into()) }
}

/// open without O_CREAT.
pub(super) fn open(request: &mut Request<'_>, wish: Wish) -> Outcome {
    let path = request.target.path(wish.path)?;
    request.saw_text(wish.dirfd, &path);
    let wanted =
        Wanted { no_follow: wish.flags & libc::O_NOFOLLOW != 0, folder: wish.flags & libc::O_DIRECTORY != 0 };
    match find(request, wish.dirfd, &path, wanted)? {
        Found::Plain(found) if wish.flags & TMPFILE != 0 => open_unnamed(request, &found, wish),
        Found::Plain(found) => open::open_found(request, found, wish),
        Found::Proc(entry) => open_in_proc(request, &entry, wish),
    }
}

/// O_TMPFILE: a file without a name, in this folder.
fn open_unnamed(request: &mut Request<'_>, folder: &OwnedFd, wish: Wish) -> Outcome {
    request.check_side(folder.as_fd())?;
    process::set_umask(request.target.umask()?);
    request.check_waiting()?;
    let opened = openat(request.target.proc, link_to(folder)?.c(), wish.flags, wish.mode & 0o7777)?;
    request.saw_found(opened.as_fd());
    Ok(Done::opened(opened, wish.flags))
}

/// A file of /proc to be read, or a setting of the caller's own. What init may know of itself no caller is told: see
/// [`proc_view`].
fn open_in_proc(request: &mut Request<'_>, entry: &Entry, wish: Wish) -> Outcome {
    request.saw_found(entry.found.as_fd());
    let reads = wish.flags & libc::O_ACCMODE == libc::O_RDONLY && wish.flags & TMPFILE == 0;
    match kind_and_identity(entry.found.as_fd())?.mode & libc::S_IFMT {
        libc::S_IFLNK => Err(Errno::ELOOP.into()),
        libc::S_IFDIR if !reads => Err(Errno::EISDIR.into()),
        _ if reads || entry.settable => open::open_now(request, &entry.found, wish),
        _ => Err(Errno::EACCES.into()),
    }
}

/// truncate. A file grows no further than the caller's own limit.
pub(super) fn truncate(request: &mut Request<'_>, path: u64, length: u64) -> Outcome {
    let length = i64::try_from(length).map_err(|_| Errno::EINVAL)?;
    let path = request.target.path(path)?;
    request.saw_text(libc::AT_FDCWD, &path);
    let Found::Plain(found) = find(request, libc::AT_FDCWD, &path, Wanted::default())? else {
        return Err(Errno::EACCES.into());
    };
    request.check_side(found.as_fd())?;
    request.saw_found(found.as_fd());
    if length.unsigned_abs() > request.target.most_of_a_file()? {
        return Err(Errno::EFBIG.into());
    }
    request.check_waiting()?;
    let link = Text::<48>::of(format_args!("/proc/self/fd/{}", found.as_raw_fd()))?;
    file::truncate(link.c(), length)?;
    Ok(Done::Value)
}

/// chmod, fchmodat and fchmodat2.
pub(super) fn set_mode(request: &mut Request<'_>, At(dirfd, address): At, mode: u32, flags: i32) -> Outcome {
    if flags & !(libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let path = request.target.path_or_empty(address)?;
    request.saw_text(dirfd, &path);
    let no_follow = flags & libc::AT_SYMLINK_NOFOLLOW != 0;
    let found = match path.bytes() {
        [] if flags & libc::AT_EMPTY_PATH != 0 => named_by_number(request, dirfd)?,
        [] => return Err(Errno::ENOENT.into()),
        _ => match find(request, dirfd, &path, Wanted { no_follow, folder: false })? {
            Found::Plain(found) => found,
            Found::Proc(_) => return Err(Errno::EPERM.into()),
        },
    };
    request.check_side(found.as_fd())?;
    request.saw_found(found.as_fd());
    if open::is_link(&found)? {
        return Err(Errno::EOPNOTSUPP.into());
    }
    if name::is_in_proc(found.as_fd())? {
        return Err(Errno::EPERM.into());
    }
    request.check_waiting()?;
    file::set_mode(request.target.proc, link_to(&found)?.c(), mode & 0o7777)?;
    Ok(Done::Value)
}

/// What a descriptor number of the caller names.
pub(super) fn named_by_number(request: &Request<'_>, number: i32) -> Sys<OwnedFd> {
    if number == libc::AT_FDCWD {
        return request.target.folder(number);
    }
    request.target.descriptor(number).map_err(|errno| match errno {
        Errno::ENOENT => Errno::EBADF,
        other => other,
    })
}
