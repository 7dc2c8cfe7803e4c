//! Mounts by descriptor (Linux 5.2 and 5.12), and the classic calls for kernels and filters without them.

use super::{Errno, Sys, checked, checked_int};
use std::ffi::{CStr, c_char};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

/// Attributes of a mount, as mount_setattr(2) numbers them.
pub mod attr {
    /// Read-only.
    pub const RDONLY: u64 = 0x1;
    /// Set-user-ID bits have no effect.
    pub const NOSUID: u64 = 0x2;
    /// Device nodes cannot be opened.
    pub const NODEV: u64 = 0x4;
    /// Nothing can be executed.
    pub const NOEXEC: u64 = 0x8;
}

const OPEN_TREE_CLONE: libc::c_uint = 1;
const AT_RECURSIVE: libc::c_uint = 0x8000;
const MOVE_MOUNT_F_EMPTY_PATH: libc::c_uint = 0x4;
const MOVE_MOUNT_T_EMPTY_PATH: libc::c_uint = 0x40;
const MOVE_MOUNT_BENEATH: libc::c_uint = 0x200;
const FSCONFIG_SET_FLAG: libc::c_uint = 0;
const FSCONFIG_SET_STRING: libc::c_uint = 1;
const FSCONFIG_CMD_CREATE: libc::c_uint = 6;
const CLOEXEC: libc::c_uint = 1;

#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns_fd: u64,
}

/// A detached copy of the mount tree at `path`, not following a symlink at its end (open_tree(2), Linux 5.2).
/// # Errors
/// `ENOSYS` without the new mount API; `ELOOP` never: a symlink is cloned as itself and then fails to attach.
pub fn clone_tree(dir: BorrowedFd<'_>, path: &CStr, recursive: bool) -> Sys<OwnedFd> {
    let mut flags =
        OPEN_TREE_CLONE | libc::O_CLOEXEC as libc::c_uint | libc::AT_SYMLINK_NOFOLLOW as libc::c_uint;
    flags |= libc::AT_EMPTY_PATH as libc::c_uint;
    if recursive {
        flags |= AT_RECURSIVE;
    }
    // SAFETY: `path` is NUL-terminated; the rest are integers.
    own(checked(unsafe { libc::syscall(libc::SYS_open_tree, dir.as_raw_fd(), path.as_ptr(), flags) })?)
}

/// Sets attributes on a mount, and on all below it when `recursive` (mount_setattr(2), Linux 5.12).
/// # Errors
/// `ENOSYS` on older kernels; `EPERM` for what the mount's owner locked.
pub fn set_attributes(mount: BorrowedFd<'_>, set: u64, recursive: bool) -> Sys<()> {
    change_attributes(mount, set, 0, recursive)
}

/// Makes this mount and all below it private: nothing mounted later crosses over, either way.
/// # Errors
/// As [`set_attributes`].
pub fn make_private(mount: BorrowedFd<'_>) -> Sys<()> {
    change_attributes(mount, 0, libc::MS_PRIVATE, true)
}

fn change_attributes(mount: BorrowedFd<'_>, set: u64, propagation: u64, recursive: bool) -> Sys<()> {
    let attributes = MountAttr { set, clear: 0, propagation, userns_fd: 0 };
    let flags = libc::AT_EMPTY_PATH as libc::c_uint | if recursive { AT_RECURSIVE } else { 0 };
    // SAFETY: an empty NUL-terminated path, and a struct that lives through the call with its own size.
    let rc = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<MountAttr>(),
        )
    };
    checked(rc).map(drop)
}

/// Attaches a detached mount onto what `target` names.
/// # Errors
/// As move_mount(2): `EINVAL` for a symlink, `ENOTDIR` when only one of the two is a folder.
pub fn attach(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> Sys<()> {
    put(mount, target, 0)
}

/// Attaches a detached mount beneath the topmost mount at `target`, which is the root of that mount (move_mount(2),
/// Linux 6.5). What waits in a lookup there holds the lock of its folder, so nothing can be mounted on top meanwhile.
/// # Errors
/// `EINVAL` before Linux 6.5, or where `target` is no mount's root or a mount that was locked.
pub fn attach_beneath(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> Sys<()> {
    put(mount, target, MOVE_MOUNT_BENEATH)
}

fn put(mount: BorrowedFd<'_>, target: BorrowedFd<'_>, how: libc::c_uint) -> Sys<()> {
    let flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH | how;
    // SAFETY: two descriptors and two empty NUL-terminated paths.
    let rc = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            mount.as_raw_fd(),
            c"".as_ptr(),
            target.as_raw_fd(),
            c"".as_ptr(),
            flags,
        )
    };
    checked(rc).map(drop)
}

/// One parameter of a new filesystem. A value of `None` is a flag.
pub type Parameter<'a> = (&'a CStr, Option<&'a CStr>);

/// Makes a new filesystem of `kind`, detached (fsopen, fsconfig, fsmount; Linux 5.2).
/// # Errors
/// `ENOSYS` on older kernels; `EPERM` where procfs would show more than the one we see (mount_too_revealing).
pub fn new_filesystem(kind: &CStr, parameters: &[Parameter<'_>], attributes: u64) -> Sys<OwnedFd> {
    // SAFETY: `kind` is NUL-terminated.
    let context = own(checked(unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), CLOEXEC) })?)?;
    for (key, value) in parameters {
        match value {
            Some(value) => configure(&context, FSCONFIG_SET_STRING, key.as_ptr(), value.as_ptr())?,
            None => configure(&context, FSCONFIG_SET_FLAG, key.as_ptr(), ptr::null())?,
        }
    }
    configure(&context, FSCONFIG_CMD_CREATE, ptr::null(), ptr::null())?;
    // SAFETY: integers only.
    own(checked(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), CLOEXEC, attributes) })?)
}

/// Opens /dev/fuse, in the user namespace whose mount it will serve: the kernel wants both to be of one.
/// # Errors
/// `ENOENT` without FUSE, `EACCES` where the device is not for this user.
pub fn open_fuse_device() -> Sys<OwnedFd> {
    super::file::open(c"/dev/fuse", libc::O_RDWR)
}

/// Makes a FUSE filesystem, detached, whose requests come to `device`. Its root, a folder or a file, belongs to uid 0 of
/// this user namespace, and only that user may use it. Without `default_permissions`: an access(2) and a chdir(2) are
/// requests too. Makes system calls only, on memory of its own.
/// # Errors
/// `EINVAL` for a device of another user namespace; `EPERM` before Linux 4.18.
pub fn new_fuse(device: BorrowedFd<'_>, folder: bool, attributes: u64) -> Sys<OwnedFd> {
    let mut digits = [0u8; 12];
    let number = decimal(device.as_raw_fd().unsigned_abs(), &mut digits)?;
    let mode = if folder { c"40000" } else { c"100000" };
    let parameters = [
        (c"fd", Some(number)),
        (c"rootmode", Some(mode)),
        (c"user_id", Some(c"0")),
        (c"group_id", Some(c"0")),
    ];
    new_filesystem(c"fuse", &parameters, attributes)
}

/// The number as text with its NUL.
fn decimal(mut number: u32, room: &mut [u8; 12]) -> Sys<&CStr> {
    let mut at = room.len() - 1;
    loop {
        at -= 1;
        *room.get_mut(at).ok_or(Errno::EOVERFLOW)? = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    CStr::from_bytes_until_nul(room.get(at..).unwrap_or_default()).map_err(|_| Errno::EINVAL)
}

fn configure(context: &OwnedFd, command: libc::c_uint, key: *const c_char, value: *const c_char) -> Sys<()> {
    // SAFETY: private to this file; both pointers are null or come from a CStr that outlives the call.
    let rc = unsafe { libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), command, key, value, 0) };
    checked(rc).map(drop)
}

/// mount(2), for kernels without the calls above. Paths are strings; give `/proc/self/fd/N` to mean a descriptor.
/// # Errors
/// As mount(2).
pub fn classic(
    source: &CStr,
    target: &CStr,
    kind: Option<&CStr>,
    flags: u64,
    data: Option<&CStr>,
) -> Sys<()> {
    let kind = kind.map_or(ptr::null(), CStr::as_ptr);
    let data = data.map_or(ptr::null(), CStr::as_ptr).cast();
    // SAFETY: every pointer is null or NUL-terminated and outlives the call.
    checked_int(unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind, flags, data) }).map(drop)
}

/// Makes the working folder the root and stacks the old root on it; [`detach_working_folder`] then removes that.
/// # Errors
/// `EINVAL` where the root is the initramfs; `EPERM` without CAP_SYS_ADMIN.
pub fn pivot_to_working_folder() -> Sys<()> {
    // SAFETY: two NUL-terminated constants (the `.`, `.` form of pivot_root(2)).
    checked(unsafe { libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()) }).map(drop)
}

/// Detaches the mount at the working folder, lazily.
/// # Errors
/// As umount2(2).
pub fn detach_working_folder() -> Sys<()> {
    // SAFETY: a NUL-terminated constant.
    checked_int(unsafe { libc::umount2(c".".as_ptr(), libc::MNT_DETACH) }).map(drop)
}

/// Detaches the topmost mount at a path that was looked up without following a link, lazily: who is in it stays in it.
/// # Errors
/// `EINVAL` when nothing is mounted exactly there; otherwise as umount2(2).
pub fn detach(path: &CStr) -> Sys<()> {
    // SAFETY: `path` is NUL-terminated.
    checked_int(unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH | libc::UMOUNT_NOFOLLOW) }).map(drop)
}

fn own(rc: libc::c_long) -> Sys<OwnedFd> {
    let raw = RawFd::try_from(rc).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}
