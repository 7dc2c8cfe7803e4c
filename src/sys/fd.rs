//! Descriptors: close-on-exec in bulk, duplication to a fixed number, plain reads and writes.

use super::{Errno, Sys, checked, checked_int};
use std::fs::{File, TryLockError};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

/// The longest that a lock which others hold for moments is waited for.
const MOMENTS: Duration = Duration::from_secs(5);
/// Between two tries of it.
const BETWEEN: Duration = Duration::from_millis(1);

/// Marks every descriptor from `first` on close-on-exec (close_range(2), `CLOSE_RANGE_CLOEXEC`, Linux 5.11).
/// # Errors
/// `ENOSYS` or `EINVAL` on older kernels; then [`mark_close_on_exec`] for each does the same.
pub fn close_on_exec_from(first: u32) -> Sys<()> {
    // SAFETY: takes three integers and no memory of ours; with this flag the call marks and closes nothing, so
    // every OwnedFd stays valid. Refuted if CLOSE_RANGE_CLOEXEC closed a descriptor.
    let rc = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    checked(rc).map(drop)
}

/// Takes the lock of a file (flock(2)) that others hold for moments only.
/// # Errors
/// `EWOULDBLOCK` when one of them held it for five seconds.
pub fn lock_soon(file: &File) -> Sys<()> {
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if begun.elapsed() < MOMENTS => std::thread::sleep(BETWEEN),
            Err(TryLockError::WouldBlock) => return Err(Errno::EWOULDBLOCK),
            Err(TryLockError::Error(error)) => {
                return Err(error.raw_os_error().map_or(Errno::EIO, Errno::from_raw));
            }
        }
    }
}

/// Marks one descriptor, given by its number, close-on-exec, or takes the mark away.
/// # Errors
/// `EBADF` when there is no such descriptor.
pub fn mark_close_on_exec(raw: RawFd, on: bool) -> Sys<()> {
    // SAFETY: F_SETFD takes integers only and cannot close or move a descriptor.
    checked_int(unsafe { libc::fcntl(raw, libc::F_SETFD, if on { libc::FD_CLOEXEC } else { 0 }) }).map(drop)
}

/// Says whether a descriptor of this number is open.
pub fn is_open(raw: RawFd) -> bool {
    // SAFETY: F_GETFD reads one flag and touches no memory.
    unsafe { libc::fcntl(raw, libc::F_GETFD) != -1 }
}

/// Says whether a descriptor of this number is an open folder.
pub fn is_folder(raw: RawFd) -> bool {
    let mut stat = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the buffer is of the type and size fstat writes.
    if unsafe { libc::fstat(raw, stat.as_mut_ptr()) } == -1 {
        return false;
    }
    // SAFETY: fstat succeeded and so filled all of it.
    unsafe { stat.assume_init() }.st_mode & libc::S_IFMT == libc::S_IFDIR
}

/// Takes over a descriptor the caller of this program handed us by number. Refused for stdio, which others use.
/// # Errors
/// `EBADF` when it is not open, or below 3.
pub fn adopt(raw: RawFd) -> Sys<OwnedFd> {
    if raw < 3 || !is_open(raw) {
        return Err(Errno::EBADF);
    }
    // SAFETY: it is open, above stdio, and nobody else in this process owns it: the number came from our command
    // line, and every descriptor we made ourselves since has a number that was free. Refuted by adopting one twice.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Closes every descriptor from `first` to `last` in a process that is about to be init. Owners of these numbers
/// must not be dropped afterwards: init ends by `_exit`, which runs no destructor.
/// Before Linux 5.9, or where a filter hides close_range(2), each is closed by its number from /proc/self/fd.
/// # Errors
/// Without close_range(2): what opening /proc/self/fd gives.
pub fn close_between(first: RawFd, last: u32) -> Sys<()> {
    // SAFETY: only called in the forked child, which ends by _exit or exec; no OwnedFd of it is dropped after.
    // Refuted by a destructor that runs in the child after this call.
    match checked(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) }) {
        Err(Errno::ENOSYS) => close_listed(first, RawFd::try_from(last).unwrap_or(RawFd::MAX)),
        other => other.map(drop),
    }
}

/// The same one by one, without allocating. A pass can miss entries that closing moved, so passes go on until one
/// closes nothing.
fn close_listed(first: RawFd, last: RawFd) -> Sys<()> {
    let list = super::file::open(c"/proc/self/fd", libc::O_RDONLY | libc::O_DIRECTORY)?;
    loop {
        // SAFETY: integers only.
        checked(unsafe { libc::lseek(list.as_raw_fd(), 0, libc::SEEK_SET) })?;
        let mut closed = 0;
        let mut buffer = [0u8; 2048];
        loop {
            // SAFETY: pointer and length of one buffer, which the kernel fills with whole entries.
            let rc = unsafe {
                libc::syscall(libc::SYS_getdents64, list.as_raw_fd(), buffer.as_mut_ptr(), buffer.len())
            };
            let filled = usize::try_from(checked(rc)?).unwrap_or(0);
            if filled == 0 {
                break;
            }
            for number in numbers(buffer.get(..filled).unwrap_or_default()) {
                if (first..=last).contains(&number) && number != list.as_raw_fd() {
                    // SAFETY: as for close_range above: no owner of this number is dropped afterwards.
                    unsafe { libc::close(number) };
                    closed += 1;
                }
            }
        }
        if closed == 0 {
            return Ok(());
        }
    }
}

/// The names that are numbers in what getdents64(2) gives: inode, offset (8 bytes each), length (2), type, name.
fn numbers(mut entries: &[u8]) -> impl Iterator<Item = RawFd> {
    std::iter::from_fn(move || {
        let &[low, high] = entries.get(16..18)? else { return None };
        let (entry, rest) = entries.split_at_checked(usize::from(u16::from_ne_bytes([low, high])))?;
        entries = rest;
        entry.get(19..)
    })
    .filter_map(|name| {
        let mut digits = name.iter().take_while(|byte| byte.is_ascii_digit());
        let end = digits.clone().count();
        if end == 0 || name.get(end) != Some(&0) {
            return None;
        }
        digits.try_fold(0, |sum: RawFd, digit| sum.checked_mul(10)?.checked_add(RawFd::from(digit - b'0')))
    })
}

/// Makes `to` name what `from` names; close-on-exec is off for the copy.
/// # Errors
/// `EBADF`, `EINTR`, `EMFILE` as dup2(2).
pub fn duplicate_onto(from: BorrowedFd<'_>, to: RawFd) -> Sys<()> {
    if from.as_raw_fd() == to {
        return mark_close_on_exec(to, false);
    }
    // SAFETY: two integers; `to` is one of stdio, which no OwnedFd of ours owns. Refuted by an owner of 0, 1 or 2.
    checked_int(unsafe { libc::dup2(from.as_raw_fd(), to) }).map(drop)
}

/// Another descriptor for the same file, close-on-exec, numbered at least `least`.
/// # Errors
/// `EMFILE`, `EBADF`.
pub fn duplicate_above(from: BorrowedFd<'_>, least: RawFd) -> Sys<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC makes a new descriptor from integers.
    let rc = checked_int(unsafe { libc::fcntl(from.as_raw_fd(), libc::F_DUPFD_CLOEXEC, least) })?;
    // SAFETY: the kernel just made this number for us.
    Ok(unsafe { OwnedFd::from_raw_fd(rc) })
}

/// A descriptor of our own, close-on-exec, for the open file that an inherited number names. The number itself stays.
/// # Errors
/// `EBADF`, `EMFILE`.
pub fn copy_of(raw: RawFd) -> Sys<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC makes a new descriptor from integers; nobody's ownership of `raw` changes.
    let copy = checked_int(unsafe { libc::fcntl(raw, libc::F_DUPFD_CLOEXEC, 3) })?;
    // SAFETY: the kernel just made this number for us.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// A pipe, close-on-exec: the end to read and the end to write.
/// # Errors
/// `EMFILE`.
pub fn pipe() -> Sys<(OwnedFd, OwnedFd)> {
    let mut pair: [RawFd; 2] = [-1; 2];
    // SAFETY: room for the two descriptors the call writes.
    checked_int(unsafe { libc::pipe2(pair.as_mut_ptr(), libc::O_CLOEXEC) })?;
    // SAFETY: the kernel just made it for us.
    let reading = unsafe { OwnedFd::from_raw_fd(pair[0]) };
    // SAFETY: the same for the other end.
    Ok((reading, unsafe { OwnedFd::from_raw_fd(pair[1]) }))
}

/// Reads once; 0 is the end.
/// # Errors
/// As read(2); `EINTR` is retried.
pub fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Sys<usize> {
    loop {
        match nix::unistd::read(fd, buffer) {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}

/// Writes once, which may be less than all of it.
/// # Errors
/// As write(2); `EINTR` is retried.
pub fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> Sys<usize> {
    loop {
        match nix::unistd::write(fd, bytes) {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}

/// Writes all of it.
/// # Errors
/// As write(2).
pub fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> Sys<()> {
    while !bytes.is_empty() {
        let wrote = write(fd, bytes)?;
        bytes = bytes.get(wrote..).unwrap_or_default();
    }
    Ok(())
}

/// Turns O_NONBLOCK on for the open file description.
/// # Errors
/// As fcntl(2).
pub fn set_nonblocking(fd: BorrowedFd<'_>) -> Sys<()> {
    // SAFETY: F_GETFL takes and gives integers.
    let flags = checked_int(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })?;
    // SAFETY: F_SETFL takes integers.
    checked_int(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) }).map(drop)
}
