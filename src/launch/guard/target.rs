//! The caller of a trapped call: its memory, folders, descriptors, umask and terminal, read for it by init.
//!
//! Everything here is the caller's own and is reached by its thread number through one /proc folder that is held
//! open; a held folder of a dead thread answers `ESRCH` or `ENOENT`, never with a later thread of that number.
//! RACE: what is read is the caller's only if it still waits afterwards: `serve_one` asks before it acts.

use super::text::{PathText, Text, number, number_after};
use crate::sys::file::{RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, kind_and_identity, openat, openat2};
use crate::sys::{Errno, Sys, limits, name, notify, peer};
use std::cell::{Cell, OnceCell};
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How many callers are kept at hand: their /proc folder and status file stay open between calls.
const KEPT: usize = 8;

/// The name of an entry of /proc.
type Short = Text<48>;

struct Known {
    tid: u32,
    folder: OwnedFd,
    status: OnceCell<OwnedFd>,
    tgid: OnceCell<u32>,
    /// The launcher was told which process this is.
    told: Cell<bool>,
}

/// The callers met last.
pub(super) struct Callers {
    proc: OwnedFd,
    known: Vec<Known>,
    next: usize,
}

/// One caller.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    /// The folder /proc.
    pub(super) proc: BorrowedFd<'a>,
    known: &'a Known,
}

impl Callers {
    pub(super) fn new(proc: OwnedFd) -> Self {
        Self { proc, known: Vec::with_capacity(KEPT), next: 0 }
    }

    /// Looks a caller up.
    /// # Errors
    /// `ESRCH` when it is gone.
    pub(super) fn meet(&mut self, tid: u32) -> Sys<Target<'_>> {
        let met = self.known.iter().position(|known| known.tid == tid);
        let place = met.unwrap_or(self.next % KEPT);
        let alive = |known: &Known| name::exists(known.folder.as_fd(), c"cwd");
        if met.is_none() || !self.known.get(place).is_some_and(alive) {
            self.open(place, tid)?;
        }
        if met.is_none() {
            self.next = place + 1;
        }
        let known = self.known.get(place).ok_or(Errno::ESRCH)?;
        Ok(Target { proc: self.proc.as_fd(), known })
    }

    /// The caller of this number that was met last, alive or not: what was done for it is told all the same.
    pub(super) fn met(&self, tid: u32) -> Option<Target<'_>> {
        let known = self.known.iter().find(|known| known.tid == tid)?;
        Some(Target { proc: self.proc.as_fd(), known })
    }

    fn open(&mut self, place: usize, tid: u32) -> Sys<()> {
        let name = Short::of(format_args!("{tid}"))?;
        let folder = openat(self.proc.as_fd(), name.c(), libc::O_PATH | libc::O_DIRECTORY, 0)?;
        let known =
            Known { tid, folder, status: OnceCell::new(), tgid: OnceCell::new(), told: Cell::new(false) };
        match self.known.get_mut(place) {
            Some(slot) => *slot = known,
            None => self.known.push(known),
        }
        Ok(())
    }
}

impl Target<'_> {
    /// Says whether this number is its thread or its process.
    pub(super) fn is_called(&self, number: u32) -> bool {
        number == self.known.tid || self.tgid() == Ok(number)
    }

    /// Its number.
    pub(super) fn tid(&self) -> u32 {
        self.known.tid
    }

    /// Its process number.
    pub(super) fn tgid(&self) -> Sys<u32> {
        if let Some(known) = self.known.tgid.get() {
            return Ok(*known);
        }
        let tgid = self.status(b"\nTgid:\t", 10)?;
        Ok(*self.known.tgid.get_or_init(|| tgid))
    }

    /// Its program's path, into this buffer; empty when it may not be known.
    pub(super) fn program<'b>(&self, room: &'b mut [u8]) -> &'b [u8] {
        let length = name::read_link(self.own_folder(), c"exe", room).unwrap_or(0);
        room.get(..length).unwrap_or_default()
    }

    /// A descriptor for its process, once for each time that it is met anew.
    pub(super) fn introduce(&self) -> Option<OwnedFd> {
        if self.known.told.replace(true) { None } else { peer::open_process(self.tgid().ok()?).ok() }
    }

    /// Bytes a file of its may grow to.
    pub(super) fn most_of_a_file(&self) -> Sys<u64> {
        limits::of_thread(self.known.tid, limits::Resource::FileSize)
    }

    /// Its file mode creation mask.
    pub(super) fn umask(&self) -> Sys<u32> {
        self.status(b"\nUmask:\t", 8)
    }

    /// A line of status (proc_pid_status(5)). This read is the dearest step of a call, so it is done when needed.
    fn status(&self, label: &[u8], radix: u32) -> Sys<u32> {
        if self.known.status.get().is_none() {
            let opened = openat(self.own_folder(), c"status", libc::O_RDONLY | libc::O_NOFOLLOW, 0)?;
            self.known.status.set(opened).map_err(|_| Errno::EIO)?;
        }
        let status = self.known.status.get().ok_or(Errno::EIO)?;
        let mut text = [0u8; 256];
        let length = name::read_from_start(status.as_fd(), &mut text)?;
        number_after(text.get(..length).unwrap_or_default(), label, radix).ok_or(Errno::EIO)
    }

    /// Its folder in /proc.
    pub(super) fn own_folder(&self) -> BorrowedFd<'_> {
        self.known.folder.as_fd()
    }

    /// A path from the caller's memory, copied once.
    /// # Errors
    /// `EFAULT`, `ENAMETOOLONG` and `ENOENT` (an empty path) as the kernel gives them.
    pub(super) fn path(&self, address: u64) -> Sys<PathText> {
        let text = PathText::read(|room| notify::read_memory(self.known.tid, address, room))?;
        if text.bytes().is_empty() { Err(Errno::ENOENT) } else { Ok(text) }
    }

    /// Like [`Self::path`], and an empty one is fine.
    pub(super) fn path_or_empty(&self, address: u64) -> Sys<PathText> {
        PathText::read(|room| notify::read_memory(self.known.tid, address, room))
    }

    /// Bytes from the caller's memory, exactly as many as there is room for.
    /// # Errors
    /// `EFAULT` when they are not all there.
    pub(super) fn memory(&self, address: u64, room: &mut [u8]) -> Sys<()> {
        let wanted = room.len();
        let copied = if wanted == 0 { 0 } else { notify::read_memory(self.known.tid, address, room)? };
        if copied == wanted { Ok(()) } else { Err(Errno::EFAULT) }
    }

    /// Bytes from the caller's memory, as many as there are; how many came.
    pub(super) fn some_memory(&self, address: u64, room: &mut [u8]) -> usize {
        notify::read_memory(self.known.tid, address, room).unwrap_or(0)
    }

    /// The caller's own socket: the same one, not another of its kind.
    /// # Errors
    /// `EBADF` when it has no such descriptor.
    pub(super) fn socket(&self, number: i32) -> Sys<OwnedFd> {
        let process = peer::open_thread(self.known.tid, || self.tgid())?;
        peer::take_descriptor(process.as_fd(), number)
    }

    /// The folder a relative path starts from.
    /// # Errors
    /// `EBADF` when the caller has no such descriptor, `ENOTDIR` when it is no folder.
    pub(super) fn folder(&self, dirfd: i32) -> Sys<OwnedFd> {
        let flags = libc::O_PATH | libc::O_DIRECTORY;
        match dirfd {
            libc::AT_FDCWD => openat(self.own_folder(), c"cwd", flags, 0),
            number => self.open_descriptor(number, flags).map_err(|errno| match errno {
                Errno::ENOENT => Errno::EBADF,
                other => other,
            }),
        }
    }

    /// What the caller's descriptor `number` names, as O_PATH.
    /// # Errors
    /// `ENOENT` when there is none.
    pub(super) fn descriptor(&self, number: i32) -> Sys<OwnedFd> {
        self.open_descriptor(number, libc::O_PATH)
    }

    fn open_descriptor(&self, number: i32, flags: i32) -> Sys<OwnedFd> {
        let number = u32::try_from(number).map_err(|_| Errno::EBADF)?;
        openat(self.own_folder(), Short::of(format_args!("fd/{number}"))?.c(), flags, 0)
    }

    /// The caller's controlling terminal, as O_PATH: one of its standard descriptors, or the name in /dev/pts.
    /// # Errors
    /// `ENXIO` when it has none, as for /dev/tty.
    pub(super) fn terminal(&self) -> Sys<OwnedFd> {
        let device = self.terminal_device()?;
        for number in 0..3 {
            if let Ok(found) = self.descriptor(number)
                && is_terminal(&found, device)
            {
                return Ok(found);
            }
        }
        let path = Short::of(format_args!("/dev/pts/{}", device.1))?;
        let resolve = RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
        let found = openat2(self.proc, path.c(), libc::O_PATH | libc::O_CLOEXEC, 0, resolve);
        found.ok().filter(|found| is_terminal(found, device)).ok_or(Errno::ENXIO)
    }

    /// Field 7 of stat (proc_pid_stat(5)); the name before it may hold anything but ends with the last `)`.
    fn terminal_device(&self) -> Sys<(u32, u32)> {
        let stat = openat(self.own_folder(), c"stat", libc::O_RDONLY | libc::O_NOFOLLOW, 0)?;
        let mut text = [0u8; 512];
        let length = name::read_from_start(stat.as_fd(), &mut text)?;
        let text = text.get(..length).unwrap_or_default();
        let after = text.iter().rposition(|byte| *byte == b')').and_then(|end| text.get(end + 2..));
        let word = after.and_then(|rest| rest.split(|byte| *byte == b' ').nth(4)).ok_or(Errno::ENXIO)?;
        let number = number(word, 10).ok_or(Errno::ENXIO)?;
        match (number >> 8 & 0xfff, number & 0xff | number >> 12 & 0xfff00) {
            (0, _) => Err(Errno::ENXIO),
            device => Ok(device),
        }
    }

    /// One of the files in /proc by which a process sets something of its own, as O_PATH.
    pub(super) fn own_setting(&self, file: &CStr) -> Sys<OwnedFd> {
        let folder = openat(
            self.proc,
            Short::of(format_args!("{}", self.tgid()?))?.c(),
            libc::O_PATH | libc::O_DIRECTORY,
            0,
        )?;
        let resolve = RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
        openat2(folder.as_fd(), file, libc::O_PATH | libc::O_CLOEXEC, 0, resolve)
    }
}

fn is_terminal(found: &OwnedFd, device: (u32, u32)) -> bool {
    let character = kind_and_identity(found.as_fd()).is_ok_and(|id| id.mode & libc::S_IFMT == libc::S_IFCHR);
    character && name::device(found.as_fd()) == Ok(device)
}
