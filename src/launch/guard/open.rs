//! Opens that may create: open and openat with O_CREAT, and creat.
//!
//! What is there already is held by O_PATH first and judged by what it is, then opened again through our own
//! descriptor: between the two nobody can put another file. What is not there is made with O_EXCL or not at all.

use super::Request;
use super::asks::Side;
use super::existing;
use super::own::{self, Own};
use super::resolve::{From, MAX_LINKS, Place};
use super::table::{Making, Verdict};
use super::text::{PathText, Text};
use super::worker::Opening;
use super::{Done, Outcome, Refusal};
use crate::launch::observed::Act;
use crate::sys::file::{kind_and_identity, openat};
use crate::sys::{Errno, Sys, name, process};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// What the caller asked for.
#[derive(Clone, Copy)]
pub(super) struct Wish {
    pub(super) dirfd: i32,
    pub(super) path: u64,
    pub(super) flags: i32,
    pub(super) mode: u32,
}

/// How often a name may turn out to be made or gone between two looks before we give up.
const MAX_RACES: usize = 64;

/// Status flags that F_SETFL would take away when it is not told to keep them.
const KEPT_BY_SETFL: i32 =
    libc::O_APPEND | libc::O_DIRECT | libc::O_NOATIME | libc::O_NONBLOCK | libc::O_ASYNC;

pub(super) fn perform(request: &mut Request<'_>, wish: Wish) -> Outcome {
    if wish.flags & libc::O_CREAT == 0 {
        return existing::open(request, wish);
    }
    // With O_PATH the kernel drops O_CREAT, and no O_PATH descriptor can be given to a caller: a trap filter lets such
    // an open pass. O_DIRECTORY with O_CREAT is refused since Linux 6.4; O_TMPFILE, which has it in it, always was.
    if wish.flags & (libc::O_DIRECTORY | libc::O_PATH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let path = request.target.path(wish.path)?;
    request.saw_text(wish.dirfd, &path);
    let mut place = request.place(From::Caller(wish.dirfd), &path)?;
    let (mut links, mut races) = (0, 0);
    loop {
        if place.is_in_proc()? {
            return open_in_proc(request, &place, wish);
        }
        if place.is_dots() {
            return Err(if wants_new(wish) { Errno::EEXIST } else { Errno::EISDIR }.into());
        }
        if place.wants_folder() {
            return Err(Errno::EISDIR.into());
        }
        let found = openat(place.parent.as_fd(), place.name.c(), libc::O_PATH | libc::O_NOFOLLOW, 0);
        if let Ok(found) = &found {
            request.check_quick(found.as_fd())?;
        }
        match found {
            Ok(_) if wants_new(wish) => return Err(Errno::EEXIST.into()),
            Ok(found) if is_link(&found)? => {
                links += 1;
                if wish.flags & libc::O_NOFOLLOW != 0 || links > MAX_LINKS {
                    return Err(Errno::ELOOP.into());
                }
                let text =
                    PathText::read(|room| name::read_link(found.as_fd(), c"", room).map(|end| end + 1))?;
                place = request.place(From::Folder(place.parent.as_fd()), &text)?;
            }
            Ok(found) => return open_found(request, found, wish),
            Err(Errno::ENOENT) => match create(request, &place, wish) {
                Err(Refusal::Errno(Errno::EEXIST)) if !wants_new(wish) && races < MAX_RACES => races += 1,
                other => return other,
            },
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn wants_new(wish: Wish) -> bool {
    wish.flags & libc::O_EXCL != 0
}

pub(super) fn is_link(found: &OwnedFd) -> Sys<bool> {
    Ok(kind_and_identity(found.as_fd())?.mode & libc::S_IFMT == libc::S_IFLNK)
}

/// Makes a regular file. O_EXCL also keeps the kernel from following a link put there meanwhile.
fn create(request: &mut Request<'_>, place: &Place, wish: Wish) -> Outcome {
    request.check_side(place.parent.as_fd())?;
    request.saw_name(Act::Create, place);
    if let Verdict::Denied(pattern) =
        request.table.judge(place.parent.as_fd(), place.bare(), Making::Other)?
    {
        return Err(Refusal::Denied(pattern));
    }
    process::set_umask(request.target.umask()?);
    request.check_waiting()?;
    let flags = wish.flags | libc::O_CREAT | libc::O_EXCL;
    let opened = openat(place.parent.as_fd(), place.name.c(), flags, wish.mode & 0o7777)?;
    Ok(Done::opened(opened, wish.flags))
}

fn open_in_proc(request: &mut Request<'_>, place: &Place, wish: Wish) -> Outcome {
    let own = own::find(&request.target, place)?;
    request.check_waiting()?;
    if wants_new(wish) {
        return Err(Errno::EEXIST.into());
    }
    match own {
        Own::Descriptor(_) if wish.flags & libc::O_NOFOLLOW != 0 => Err(Errno::ELOOP.into()),
        Own::Descriptor(found) => open_found(request, found, wish),
        Own::Setting(found) => open_now(request, &found, wish),
    }
}

/// Opens what is there. A descriptor of the caller may name a file of init in /proc that the caller itself could
/// hold but not open: init could, so nothing in /proc is opened here.
pub(super) fn open_found(request: &mut Request<'_>, found: OwnedFd, wish: Wish) -> Outcome {
    request.check_side(found.as_fd())?;
    request.saw(act(wish.flags));
    request.saw_found(found.as_fd());
    if name::is_in_proc(found.as_fd())? {
        return Err(Errno::EACCES.into());
    }
    let waits = wish.flags & libc::O_NONBLOCK == 0;
    let access = wish.flags & libc::O_ACCMODE;
    match kind_and_identity(found.as_fd())?.mode & libc::S_IFMT {
        libc::S_IFDIR if reads_alone(wish) => open_now(request, &found, wish),
        libc::S_IFDIR => Err(Errno::EISDIR.into()),
        _ if wish.flags & libc::O_DIRECTORY != 0 => Err(Errno::ENOTDIR.into()),
        libc::S_IFLNK => Err(Errno::ELOOP.into()),
        libc::S_IFSOCK => Err(Errno::ENXIO.into()),
        // A lease or lock of another process makes it wait.
        libc::S_IFREG => open_or_wait(request, &found, wish, Errno::EAGAIN),
        libc::S_IFIFO if waits && access == libc::O_RDONLY => open_later(request, &found, wish),
        // The writing end opens at once when somebody reads.
        libc::S_IFIFO => open_or_wait(request, &found, wish, Errno::ENXIO),
        libc::S_IFCHR => open_character(request, &found, wish),
        _ => open_later(request, &found, wish),
    }
}

fn reads_alone(wish: Wish) -> bool {
    wish.flags & (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC) == libc::O_RDONLY
}

/// What an open of something that is there is for.
pub(super) fn act(flags: i32) -> Act {
    let writes = flags & libc::O_ACCMODE != libc::O_RDONLY;
    match (flags & libc::O_TRUNC != 0, writes, flags & libc::O_APPEND != 0) {
        _ if flags & libc::O_TMPFILE == libc::O_TMPFILE => Act::Create,
        (false, false, _) => Act::Read,
        (false, true, true) => Act::Append,
        _ => Act::Overwrite,
    }
}

fn open_character(request: &mut Request<'_>, found: &OwnedFd, wish: Wish) -> Outcome {
    match name::device(found.as_fd())? {
        // null, zero, full, random, urandom; console and ptmx; terminals.
        (1, 3 | 5 | 7 | 8 | 9) | (5, 1 | 2) | (136..=143, _) => open_now(request, found, wish),
        // /dev/tty is another terminal for each process that opens it.
        (5, 0) => {
            let terminal = request.target.terminal()?;
            request.check_waiting()?;
            open_now(request, &terminal, wish)
        }
        _ => open_later(request, found, wish),
    }
}

fn open_or_wait(request: &mut Request<'_>, found: &OwnedFd, wish: Wish, would_wait: Errno) -> Outcome {
    match open_now(request, found, wish) {
        Err(Refusal::Errno(errno)) if errno == would_wait && wish.flags & libc::O_NONBLOCK == 0 => {
            open_later(request, found, wish)
        }
        other => other,
    }
}

/// Opens without waiting. O_NOCTTY: init must get no terminal.
pub(super) fn open_now(request: &mut Request<'_>, found: &OwnedFd, wish: Wish) -> Outcome {
    request.check_waiting()?;
    let flags = existing_flags(wish.flags);
    let opened = openat(request.target.proc, link_to(found)?.c(), flags | libc::O_NONBLOCK, 0)?;
    if flags & libc::O_NONBLOCK == 0 {
        name::set_status_flags(opened.as_fd(), flags & KEPT_BY_SETFL)?;
    }
    Ok(Done::opened(opened, wish.flags))
}

fn open_later(request: &mut Request<'_>, found: &OwnedFd, wish: Wish) -> Outcome {
    let path = link_to(found)?;
    if request.side == Side::Worker {
        let opened = openat(request.target.proc, path.c(), existing_flags(wish.flags), 0)?;
        return Ok(Done::opened(opened, wish.flags));
    }
    let opening = Opening {
        listener: request.listener,
        id: request.id,
        proc: request.target.proc,
        found: found.as_fd(),
        path: path.c(),
        flags: existing_flags(wish.flags),
        close_on_exec: wish.flags & libc::O_CLOEXEC != 0,
        told: request.teller.as_mut().and_then(|teller| teller.later(request.call, &request.target)),
    };
    request.workers.start(&opening)?;
    Ok(Done::Later)
}

fn existing_flags(flags: i32) -> i32 {
    flags & !(libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW) | libc::O_NOCTTY
}

/// The name in /proc of a descriptor of our own.
pub(super) fn link_to(found: &OwnedFd) -> Sys<Text<32>> {
    Text::of(format_args!("self/fd/{}", found.as_raw_fd()))
}
