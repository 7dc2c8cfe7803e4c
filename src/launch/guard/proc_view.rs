//! What a caller reaches in /proc when calls are observed: what it could open there itself, and no more.
//!
//! `/proc/self` is init for init, so whatever says "init" there is read as "the caller", by its canonical path, and so is
//! a path that spells init's number. Init could read of itself what the caller could not; of others it has the caller's
//! rights. A magic link is followed only for the caller itself.

use super::resolve::Place;
use super::target::Target;
use super::text::{PathText, Text, number};
use crate::sys::file::{RESOLVE_NO_MAGICLINKS, kind_and_identity, openat, openat2};
use crate::sys::{Errno, Sys, name};
use std::fmt::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Something in /proc, as O_PATH.
pub(super) struct Entry {
    pub(super) found: OwnedFd,
    /// It sets something of the caller's own.
    pub(super) settable: bool,
}

/// What a name in /proc is for the caller.
pub(super) enum Look {
    /// A file or folder there.
    Entry(Entry),
    /// What a magic link of the caller's own leads to.
    Outside(OwnedFd),
    /// A link with this text.
    Link(Box<PathText>),
}

/// Files by which a process sets something of its own.
const SETTINGS: [&[u8]; 5] = [b"clear_refs", b"comm", b"coredump_filter", b"oom_score_adj", b"timerslack_ns"];

/// Files of a process that all may read, whoever they are: of init too, when it is asked for by its number.
const OPEN_TO_ALL: [&[u8]; 7] =
    [b"cgroup", b"cmdline", b"comm", b"oom_score_adj", b"stat", b"statm", b"status"];

/// One of these files of init, as O_PATH; `None` for every other path.
pub(super) fn of_init(target: &Target<'_>, path: &PathText) -> Option<Sys<OwnedFd>> {
    let rest = path.bytes().strip_prefix(b"/proc/")?;
    let (who, file) = rest.split_at_checked(rest.iter().position(|byte| *byte == b'/')?)?;
    let file = file.get(1..).filter(|file| is_init(who) && OPEN_TO_ALL.contains(file))?;
    let file = std::str::from_utf8(file).ok()?;
    let open = |name: Text<48>| {
        let flags = libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        openat2(target.proc, name.c(), flags, 0, RESOLVE_NO_MAGICLINKS)
    };
    Some(Text::<48>::of(format_args!("{}/{file}", std::process::id())).and_then(open))
}

/// A path that begins with the name of who asks, with the caller's number in its place: below init's own folder, tasks and
/// descriptors of the caller are not found. `None` for every other path.
pub(super) fn named_anew(target: &Target<'_>, path: &PathText) -> Sys<Option<PathText>> {
    let Some(rest) = path.bytes().strip_prefix(b"/proc/") else { return Ok(None) };
    let end = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
    let (who, rest) = rest.split_at_checked(end).unwrap_or((rest, b""));
    let tgid = || target.tgid();
    let anew = match who {
        b"self" if !rest.is_empty() => Text::<48>::of(format_args!("/proc/{}", tgid()?))?,
        b"thread-self" if !rest.is_empty() => {
            Text::of(format_args!("/proc/{}/task/{}", tgid()?, target.tid()))?
        }
        _ => return Ok(None),
    };
    PathText::of_bytes(&[anew.bytes(), rest].concat()).map(Some)
}

/// Looks a place in /proc up for the caller.
/// # Errors
/// `EACCES` for a magic link of somebody else; otherwise as the kernel gives them.
pub(super) fn look(target: &Target<'_>, place: &Place, follow: bool) -> Sys<Look> {
    let folder = Folder::of(target, place)?;
    match (folder.kind, place.bare()) {
        (Kind::Root, b"self") if follow => folder.entry(target, format_args!("{}", target.tgid()?), false),
        (Kind::Root, b"thread-self") if follow => {
            folder.entry(target, format_args!("{}/task/{}", target.tgid()?, target.tid()), false)
        }
        (Kind::Root, digits) if is_init(digits) => {
            folder.entry(target, format_args!("{}", target.tgid()?), false)
        }
        (_, b"..") => folder.entry(target, format_args!("{}/..", folder.path()), false),
        (Kind::Descriptors, digits) if follow && digits != b"." => {
            folder.check_own()?;
            let number = number(digits, 10).and_then(|number| i32::try_from(number).ok());
            target.descriptor(number.ok_or(Errno::ENOENT)?).map(Look::Outside)
        }
        (Kind::Process, b"exe" | b"cwd" | b"root") if follow => {
            folder.check_own()?;
            openat(target.own_folder(), place.name.c(), libc::O_PATH, 0).map(Look::Outside)
        }
        (Kind::Magic, text) if follow && text != b"." => Err(Errno::EACCES),
        (kind, text) => {
            let settable = kind == Kind::Process && folder.own && SETTINGS.contains(&text);
            let text = std::str::from_utf8(text).map_err(|_| Errno::ENOENT)?;
            folder.entry(target, format_args!("{}/{text}", folder.path()), settable)
        }
    }
}

fn is_init(digits: &[u8]) -> bool {
    number(digits, 10).is_some_and(|pid| pid == std::process::id())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// /proc itself.
    Root,
    /// Of a process or thread.
    Process,
    /// Its descriptors: magic links.
    Descriptors,
    /// Other magic links.
    Magic,
    /// Anything else.
    Other,
}

/// A folder of /proc, as the caller means it.
struct Folder {
    /// Below /proc, without a slash in front.
    path: Text<256>,
    kind: Kind,
    /// It is the caller's own.
    own: bool,
}

impl Folder {
    fn of(target: &Target<'_>, place: &Place) -> Sys<Self> {
        let text = Text::<48>::of(format_args!("self/fd/{}", place.parent.as_raw_fd()))?;
        let mut room = [0u8; 512];
        let length = name::read_link(target.proc, text.c(), &mut room)?;
        let whole = room.get(..length).unwrap_or_default().strip_prefix(b"/proc").ok_or(Errno::EACCES)?;
        let mut path = Text::<256>::of(format_args!(""))?;
        let mut own = false;
        let mut parts: [&[u8]; 5] = [b""; 5];
        let mut count = 0;
        for part in whole.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
            let said = match count {
                0 if is_init(part) => Some(target.tgid()?),
                2 if is_init(part) && parts.get(1) == Some(&&b"task"[..]) => Some(target.tid()),
                _ => None,
            };
            let slash = if count == 0 { "" } else { "/" };
            let text = std::str::from_utf8(part).map_err(|_| Errno::ENOENT)?;
            let put = match said {
                Some(pid) => write!(path, "{slash}{pid}"),
                None => write!(path, "{slash}{text}"),
            };
            put.map_err(|std::fmt::Error| Errno::ENAMETOOLONG)?;
            if count == 0 {
                own = said.is_some() || number(part, 10).is_some_and(|pid| target.is_called(pid));
            }
            if let Some(room) = parts.get_mut(count) {
                *room = part;
            }
            count += 1;
        }
        let parts = parts.get(..count.min(5)).unwrap_or_default();
        Ok(Self { path, kind: kind_of(parts), own })
    }

    fn path(&self) -> &str {
        match std::str::from_utf8(self.path.bytes()) {
            Ok("") | Err(_) => ".",
            Ok(path) => path,
        }
    }

    fn check_own(&self) -> Sys<()> {
        if self.own { Ok(()) } else { Err(Errno::EACCES) }
    }

    fn entry(&self, target: &Target<'_>, path: std::fmt::Arguments<'_>, settable: bool) -> Sys<Look> {
        let path = Text::<512>::of(path)?;
        let flags = libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        let found = openat2(target.proc, path.c(), flags, 0, RESOLVE_NO_MAGICLINKS)?;
        if kind_and_identity(found.as_fd())?.mode & libc::S_IFMT == libc::S_IFLNK {
            let text = PathText::read(|room| name::read_link(found.as_fd(), c"", room).map(|end| end + 1))?;
            return Ok(Look::Link(Box::new(text)));
        }
        Ok(Look::Entry(Entry { found, settable }))
    }
}

fn kind_of(parts: &[&[u8]]) -> Kind {
    let process = |part: &[u8]| number(part, 10).is_some();
    let rest = match parts {
        [] => return Kind::Root,
        [pid, rest @ ..] if process(pid) => match rest {
            [task, thread, rest @ ..] if *task == b"task" && process(thread) => rest,
            rest => rest,
        },
        _ => return Kind::Other,
    };
    match rest {
        [] => Kind::Process,
        [fd] if *fd == b"fd" => Kind::Descriptors,
        [magic] if [&b"ns"[..], b"map_files"].contains(magic) => Kind::Magic,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_with_magic_links_are_known() {
        let kind = |path: &str| {
            let parts: Vec<&[u8]> =
                path.split('/').filter(|part| !part.is_empty()).map(str::as_bytes).collect();
            kind_of(&parts)
        };
        for (path, wanted) in [
            ("", Kind::Root),
            ("7", Kind::Process),
            ("7/task/8", Kind::Process),
            ("7/fd", Kind::Descriptors),
            ("7/task/8/fd", Kind::Descriptors),
            ("7/ns", Kind::Magic),
            ("7/map_files", Kind::Magic),
            ("7/fdinfo", Kind::Other),
            ("7/task", Kind::Other),
            ("sys/kernel", Kind::Other),
        ] {
            assert_eq!(kind(path), wanted, "{path}");
        }
    }
}
