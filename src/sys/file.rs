//! Files and folders by descriptor: openat2 with its resolve flags, and what is created beneath a folder.

use super::{Errno, Sys, checked, checked_int};
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Never follow a magic link such as `/proc/self/exe` (openat2(2), Linux 5.6).
pub const RESOLVE_NO_MAGICLINKS: u64 = 0x02;
/// Fail on any symlink.
pub const RESOLVE_NO_SYMLINKS: u64 = 0x04;
/// Never leave the folder, neither by `..` nor by an absolute link.
pub const RESOLVE_BENEATH: u64 = 0x08;
/// Treat the folder as the root of the walk: `..` and absolute links stay inside.
pub const RESOLVE_IN_ROOT: u64 = 0x10;

/// Fail with EAGAIN rather than ask a filesystem for anything (Linux 5.12).
pub const RESOLVE_CACHED: u64 = 0x20;

#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// Opens `path` with openat2(2).
/// # Errors
/// `ENOSYS` before Linux 5.6 or where a filter hides the call; `ELOOP` for a refused link; `EXDEV` for an escape.
pub fn openat2(dir: BorrowedFd<'_>, path: &CStr, flags: i32, mode: u32, resolve: u64) -> Sys<OwnedFd> {
    let how = OpenHow { flags: flags as u32 as u64, mode: u64::from(mode), resolve };
    // SAFETY: `path` is NUL-terminated and `how` lives through the call; the size given is the struct's own.
    let rc = unsafe {
        libc::syscall(libc::SYS_openat2, dir.as_raw_fd(), path.as_ptr(), &raw const how, size_of::<OpenHow>())
    };
    own(checked(rc)?)
}

/// Opens `path` with openat(2). `O_CLOEXEC` is always added.
/// # Errors
/// As openat(2).
pub fn openat(dir: BorrowedFd<'_>, path: &CStr, flags: i32, mode: u32) -> Sys<OwnedFd> {
    // SAFETY: `path` is NUL-terminated; the other arguments are integers.
    let rc = unsafe { libc::openat(dir.as_raw_fd(), path.as_ptr(), flags | libc::O_CLOEXEC, mode) };
    own(libc::c_long::from(checked_int(rc)?))
}

/// Opens an absolute path, or one from the working folder.
/// # Errors
/// As open(2).
pub fn open(path: &CStr, flags: i32) -> Sys<OwnedFd> {
    openat(working_folder(), path, flags, 0)
}

/// What every *at call takes for "the working folder"; an absolute path ignores it.
pub fn working_folder() -> BorrowedFd<'static> {
    // SAFETY: AT_FDCWD is a constant and no descriptor: nothing owns or closes it.
    unsafe { BorrowedFd::borrow_raw(libc::AT_FDCWD) }
}

fn own(rc: libc::c_long) -> Sys<OwnedFd> {
    let raw = RawFd::try_from(rc).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel just made this descriptor for us, and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Opens what a path names inside `root`, as O_PATH, without leaving it and without following any symlink. Walks
/// component by component where openat2 is not to be had; an O_PATH walk needs only search permission.
/// # Errors
/// `ELOOP` or `ENOTDIR` for a symlink on the way, `ENOENT`, `EACCES`.
pub fn open_beneath(root: BorrowedFd<'_>, path: &CStr) -> Sys<OwnedFd> {
    let flags = libc::O_PATH | libc::O_CLOEXEC | libc::O_NOFOLLOW;
    let resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
    match openat2(root, path, flags, 0, resolve) {
        Err(Errno::ENOSYS | Errno::EPERM) => walk_beneath(root, path),
        other => other,
    }
}

fn walk_beneath(root: BorrowedFd<'_>, path: &CStr) -> Sys<OwnedFd> {
    let mut at = openat(root, c".", libc::O_PATH | libc::O_DIRECTORY, 0)?;
    let mut component = [0u8; 256];
    for part in path.to_bytes().split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".") {
        if part == b".." {
            return Err(Errno::EXDEV);
        }
        let room = component.get_mut(..part.len()).ok_or(Errno::ENAMETOOLONG)?;
        room.copy_from_slice(part);
        *component.get_mut(part.len()).ok_or(Errno::ENAMETOOLONG)? = 0;
        let name = CStr::from_bytes_until_nul(&component).map_err(|_| Errno::EINVAL)?;
        at = openat(std::os::fd::AsFd::as_fd(&at), name, libc::O_PATH | libc::O_NOFOLLOW, 0)?;
        if kind_and_identity(std::os::fd::AsFd::as_fd(&at))?.mode & libc::S_IFMT == libc::S_IFLNK {
            return Err(Errno::ELOOP);
        }
    }
    Ok(at)
}

/// What identifies a file while it is held open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The device number, as stat(2) gives it.
    pub dev: u64,
    /// The inode number.
    pub ino: u64,
    /// Type and permission bits.
    pub mode: u32,
}

/// Type and identity of an open file (works for O_PATH).
/// # Errors
/// As fstat(2).
pub fn kind_and_identity(fd: BorrowedFd<'_>) -> Sys<Identity> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the buffer is of the type and size fstat writes.
    checked_int(unsafe { libc::fstat(fd.as_raw_fd(), stat.as_mut_ptr()) })?;
    // SAFETY: fstat succeeded and so filled all of it.
    let stat = unsafe { stat.assume_init() };
    Ok(Identity { dev: stat.st_dev, ino: stat.st_ino, mode: stat.st_mode })
}

/// The device of an open file as this kernel knows it, without asking its filesystem, which may be slow to answer
/// (statx(2) with AT_STATX_DONT_SYNC).
/// # Errors
/// As statx(2).
pub fn device_unasked(fd: BorrowedFd<'_>) -> Sys<u64> {
    let mut found = MaybeUninit::<libc::statx>::zeroed();
    let flags = libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC;
    // SAFETY: an empty NUL-terminated path, and a buffer of the type the call fills.
    checked_int(unsafe { libc::statx(fd.as_raw_fd(), c"".as_ptr(), flags, 0, found.as_mut_ptr()) })?;
    // SAFETY: it is made of integers, zeroed before and filled by the call.
    let found = unsafe { found.assume_init() };
    Ok(libc::makedev(found.stx_dev_major, found.stx_dev_minor))
}

/// The number of the mount that a path of /proc leads to (statx(2), STATX_MNT_ID, Linux 5.8). The filesystem behind it
/// is asked for nothing.
/// # Errors
/// `ENOENT` or `EACCES` for what is gone or may not be seen.
pub fn mount_of(path: &str) -> Sys<u64> {
    let path = std::ffi::CString::new(path).map_err(|_| Errno::EINVAL)?;
    let mut found = MaybeUninit::<libc::statx>::zeroed();
    let (flags, mask) = (libc::AT_STATX_DONT_SYNC, libc::STATX_MNT_ID);
    // SAFETY: a NUL-terminated path, and a buffer of the type the call fills.
    checked_int(unsafe { libc::statx(libc::AT_FDCWD, path.as_ptr(), flags, mask, found.as_mut_ptr()) })?;
    // SAFETY: it is made of integers, zeroed before and filled by the call.
    Ok(unsafe { found.assume_init() }.stx_mnt_id)
}

/// Makes a folder beneath `dir`.
/// # Errors
/// `EEXIST` and the rest of mkdirat(2).
pub fn mkdirat(dir: BorrowedFd<'_>, name: &CStr, mode: u32) -> Sys<()> {
    // SAFETY: `name` is NUL-terminated.
    checked_int(unsafe { libc::mkdirat(dir.as_raw_fd(), name.as_ptr(), mode) }).map(drop)
}

/// Gives what stands at `from` beneath `dir` the name `to` there, in one step.
/// # Errors
/// As renameat(2).
pub fn renameat(dir: BorrowedFd<'_>, from: &CStr, to: &CStr) -> Sys<()> {
    let raw = dir.as_raw_fd();
    // SAFETY: both names are NUL-terminated.
    checked_int(unsafe { libc::renameat(raw, from.as_ptr(), raw, to.as_ptr()) }).map(drop)
}

/// Exchanges what stands at two names beneath `dir`, in one step.
/// # Errors
/// As renameat2(2); `EINVAL` where the file system cannot.
pub fn exchange(dir: BorrowedFd<'_>, one: &CStr, other: &CStr) -> Sys<()> {
    let (raw, flags) = (dir.as_raw_fd(), libc::RENAME_EXCHANGE);
    // SAFETY: both names are NUL-terminated; the rest are integers.
    let rc = unsafe { libc::syscall(libc::SYS_renameat2, raw, one.as_ptr(), raw, other.as_ptr(), flags) };
    checked(rc).map(drop)
}

/// Lets the kernel begin to write what it has of a file, without waiting. A hint: where it cannot, nothing is lost.
pub fn begin_writeback(file: BorrowedFd<'_>) {
    // SAFETY: takes a descriptor and three integers, and no memory of ours.
    unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
}

/// Waits until the kernel has handed to the disk what it has of a file: its bytes, not its length or place, nor what the disk
/// itself holds back. Only with [`commits_together`] and an fdatasync(2) of another file afterwards is it kept.
/// # Errors
/// As sync_file_range(2).
pub fn write_out(file: BorrowedFd<'_>) -> Sys<()> {
    let flags =
        libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    // SAFETY: takes a descriptor and three integers, and no memory of ours.
    checked_int(unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, flags) }).map(drop)
}

/// Whether fdatasync(2) of a file that grew keeps every earlier change of lengths in its file system as well: XFS, and ext4
/// with a journal, have one order for all of them.
pub fn commits_together(file: BorrowedFd<'_>) -> bool {
    use nix::sys::statfs::{EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, fstatfs};
    let Ok(facts) = fstatfs(file) else { return false };
    match facts.filesystem_type() {
        XFS_SUPER_MAGIC => true,
        // Also ext2 and ext3. A journal has a thread, which is told of here.
        EXT4_SUPER_MAGIC => has_journal(file).unwrap_or(false),
        _ => false,
    }
}

fn has_journal(file: BorrowedFd<'_>) -> Option<bool> {
    let device = nix::sys::stat::fstat(file).ok()?.st_dev;
    let (major, minor) = (libc::major(device), libc::minor(device));
    let device = std::fs::read_link(format!("/sys/dev/block/{major}:{minor}")).ok()?;
    let folder = std::path::Path::new("/sys/fs/ext4").join(device.file_name()?);
    Some(folder.join("journal_task").exists())
}

/// Makes a symlink beneath `dir`.
/// # Errors
/// As symlinkat(2).
pub fn symlinkat(target: &CStr, dir: BorrowedFd<'_>, name: &CStr) -> Sys<()> {
    // SAFETY: both strings are NUL-terminated.
    checked_int(unsafe { libc::symlinkat(target.as_ptr(), dir.as_raw_fd(), name.as_ptr()) }).map(drop)
}

/// Removes a name beneath `dir`; `folder` removes an empty folder.
/// # Errors
/// As unlinkat(2).
pub fn unlinkat(dir: BorrowedFd<'_>, name: &CStr, folder: bool) -> Sys<()> {
    let flags = if folder { libc::AT_REMOVEDIR } else { 0 };
    // SAFETY: `name` is NUL-terminated.
    checked_int(unsafe { libc::unlinkat(dir.as_raw_fd(), name.as_ptr(), flags) }).map(drop)
}

/// Cuts or lengthens the file of this path.
/// # Errors
/// As truncate(2).
pub fn truncate(path: &CStr, length: i64) -> Sys<()> {
    // SAFETY: `path` is NUL-terminated.
    checked_int(unsafe { libc::truncate(path.as_ptr(), length) }).map(drop)
}

/// Sets the mode of what `name` leads to.
/// # Errors
/// As fchmodat(2).
pub fn set_mode(dir: BorrowedFd<'_>, name: &CStr, mode: u32) -> Sys<()> {
    // SAFETY: `name` is NUL-terminated.
    checked_int(unsafe { libc::fchmodat(dir.as_raw_fd(), name.as_ptr(), mode, 0) }).map(drop)
}

/// Makes `dir` the working folder.
/// # Errors
/// As fchdir(2).
pub fn enter_folder(dir: BorrowedFd<'_>) -> Sys<()> {
    nix::unistd::fchdir(dir)
}

/// Makes the folder of this path the working folder.
/// # Errors
/// As chdir(2).
pub fn enter_folder_named(path: &CStr) -> Sys<()> {
    // SAFETY: `path` is NUL-terminated.
    checked_int(unsafe { libc::chdir(path.as_ptr()) }).map(drop)
}
