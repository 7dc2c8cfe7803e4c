//! Probes: which calls this kernel answers, and a child in which something is tried that the caller must not undergo.
//!
//! Never changes the calling process: every probe either fails by its arguments or happens in a child that exits.

use super::process::{self, Ended, Side};
use super::{Errno, Sys, checked, checked_int, socket};
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

/// Calls that a launch would like and can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Linux 5.2.
    OpenTree,
    /// Linux 5.12.
    MountSetattr,
    /// Linux 5.6.
    Openat2,
    /// Linux 5.3.
    Clone3,
    /// Linux 5.9; `CLOSE_RANGE_CLOEXEC` needs 5.11.
    CloseRange,
}

/// Whether the kernel answers this call, and no filter above hides it as `ENOSYS` or refuses it as `EPERM`.
pub fn answers(call: Call) -> bool {
    let (number, first) = match call {
        Call::OpenTree => (libc::SYS_open_tree, -1),
        Call::MountSetattr => (libc::SYS_mount_setattr, -1),
        Call::Openat2 => (libc::SYS_openat2, -1),
        Call::Clone3 => (libc::SYS_clone3, 0),
        Call::CloseRange => (libc::SYS_close_range, 1),
    };
    let zero = 0usize;
    // SAFETY: with these arguments each of the five fails before it acts: open_tree `EFAULT` (null path), mount_setattr,
    // openat2 and clone3 `EINVAL` (struct of size 0), close_range `EINVAL` (from 1 to 0). Refuted by a kernel for which
    // one of them succeeds.
    let rc = unsafe { libc::syscall(number, first as libc::c_long, zero, zero, zero, zero) };
    !matches!(checked(rc), Err(Errno::ENOSYS | Errno::EPERM))
}

/// Release and machine of the running kernel (uname(2)).
/// # Errors
/// None known.
pub fn kernel_names() -> Sys<(String, String)> {
    let mut names = MaybeUninit::<libc::utsname>::uninit();
    // SAFETY: the buffer has the type the call fills.
    checked_int(unsafe { libc::uname(names.as_mut_ptr()) })?;
    // SAFETY: the call succeeded and so filled it.
    let names = unsafe { names.assume_init() };
    Ok((text(&names.release), text(&names.machine)))
}

fn text(field: &[libc::c_char]) -> String {
    let bytes: Vec<u8> =
        field.iter().take_while(|byte| **byte != 0).map(|byte| byte.to_ne_bytes()[0]).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The set of Landlock fixes this kernel has, one bit each (Linux 6.15); 0 on kernels that cannot say.
pub fn landlock_errata() -> u32 {
    const CREATE_RULESET_ERRATA: libc::c_uint = 2;
    let none = ptr::null::<u8>();
    // SAFETY: the query takes a null attribute of size zero and makes no descriptor.
    let rc = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0usize, CREATE_RULESET_ERRATA) };
    u32::try_from(rc).unwrap_or(0)
}

/// What a trial ruleset handles: the bits of struct landlock_ruleset_attr.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Handled {
    /// Rights on files (ABI 1).
    pub files: u64,
    /// Rights on TCP ports (ABI 4).
    pub ports: u64,
    /// Scopes (ABI 6).
    pub scopes: u64,
}

/// A ruleset without a rule: it denies all that it handles.
/// # Errors
/// `ENOSYS`, `EOPNOTSUPP` without Landlock; `EINVAL` or `E2BIG` for bits this kernel does not know.
pub fn denying_ruleset(handled: Handled) -> Sys<OwnedFd> {
    // SAFETY: the struct outlives the call, with its own size; kernels that know fewer fields take zeros there.
    let rc = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, &raw const handled, size_of::<Handled>(), 0)
    };
    let raw = RawFd::try_from(checked(rc)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Whether filters may use USER_NOTIF (seccomp(2), SECCOMP_GET_ACTION_AVAIL; Linux 5.0).
pub fn has_user_notif() -> bool {
    const GET_ACTION_AVAIL: libc::c_uint = 2;
    const RET_USER_NOTIF: u32 = 0x7fc0_0000;
    let action = RET_USER_NOTIF;
    // SAFETY: the operation reads one u32 that outlives the call.
    unsafe { libc::syscall(libc::SYS_seccomp, GET_ACTION_AVAIL, 0, &raw const action) == 0 }
}

/// Whether a listener can make its targets wait killably (SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, Linux 5.19).
pub fn has_wait_killable() -> bool {
    const SET_MODE_FILTER: libc::c_uint = 1;
    const NEW_LISTENER_WAIT_KILLABLE: libc::c_ulong = 1 << 3 | 1 << 5;
    let none = ptr::null::<u8>();
    // SAFETY: a null program installs nothing; known flags give `EFAULT`, unknown ones `EINVAL`.
    let rc = unsafe { libc::syscall(libc::SYS_seccomp, SET_MODE_FILTER, NEW_LISTENER_WAIT_KILLABLE, none) };
    checked(rc) == Err(Errno::EFAULT)
}

/// Whether this process is under a filter already (prctl(2), PR_GET_SECCOMP); a filter that refuses to say is one.
pub fn is_filtered() -> bool {
    // SAFETY: the option takes no argument.
    unsafe { libc::prctl(libc::PR_GET_SECCOMP, 0, 0, 0, 0) != 0 }
}

/// Whether this listener can answer a call with a descriptor in one step (SECCOMP_ADDFD_FLAG_SEND, Linux 5.14).
pub fn has_addfd_send(listener: BorrowedFd<'_>) -> bool {
    #[repr(C)]
    struct AddFd {
        id: u64,
        flags: u32,
        source: u32,
        new: u32,
        new_flags: u32,
    }
    const NOTIF_ADDFD: libc::c_ulong = 0x4018_2103;
    const FLAG_SEND: u32 = 2;
    let request = AddFd { id: 0, flags: FLAG_SEND, source: u32::MAX, new: 0, new_flags: 0 };
    // SAFETY: the struct outlives the call and has the size in the request's number. The source is no descriptor, so
    // nothing is sent: a known flag gives `EBADF`, an unknown one `EINVAL`.
    let rc = unsafe { libc::ioctl(listener.as_raw_fd(), NOTIF_ADDFD as _, &raw const request) };
    checked_int(rc) == Err(Errno::EBADF)
}

/// A socket to the packet filter's configuration, as proof that the kernel has one (netlink(7)).
/// # Errors
/// `EPROTONOSUPPORT` without nfnetlink.
pub fn packet_filter_socket() -> Sys<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: integers only.
    let raw = checked_int(unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_NETFILTER) })?;
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// getpgid(2) of ourselves through the kernel: a call that a trial filter can answer without harm.
/// # Errors
/// Only what a filter says.
pub fn harmless_call() -> Sys<()> {
    // SAFETY: integers only; the call changes nothing.
    checked(unsafe { libc::syscall(libc::SYS_getpgid, 0) }).map(drop)
}

/// The number of [`harmless_call`], for a trial filter.
pub const HARMLESS_CALL: u32 = libc::SYS_getpgid as u32;

/// Whether a path may be written, by our effective ids (faccessat(2), AT_EACCESS).
pub fn may_write(path: &CStr) -> bool {
    // SAFETY: `path` is NUL-terminated; the rest are integers.
    unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::W_OK, libc::AT_EACCESS) == 0 }
}

/// A step that failed: a number the caller gave meaning to, and the kernel's word.
pub type StepFailure = (u8, Errno);

/// How a trial ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial {
    /// Every step held.
    Held,
    /// This step failed.
    Failed(u8, Errno),
    /// This signal ended the child.
    Killed(i32),
    /// The child ended without a word.
    Silent,
}

/// Runs `work` in a child, in new namespaces (`flags` of CLONE_NEW*; 0 for none), born in `cgroup` when given.
/// # Errors
/// `EBUSY` when this process has more than one thread; as clone3(2).
pub fn in_child(
    flags: u64,
    cgroup: Option<BorrowedFd<'_>>,
    work: impl FnOnce() -> Result<(), StepFailure>,
) -> Sys<Trial> {
    let (ours, theirs) = socket::message_pair()?;
    match process::clone_into_namespaces(flags, cgroup)? {
        Side::Child => {
            let (step, errno) = match work() {
                Ok(()) => (0, 0),
                Err((step, errno)) => (step, errno as i32),
            };
            let [a, b, c, d] = errno.to_ne_bytes();
            let sent = socket::send(theirs.as_fd(), &[step, a, b, c, d], None, true);
            process::exit_now(i32::from(sent.is_err()))
        }
        Side::Parent(child) => {
            drop(theirs);
            let mut word = [0u8; 5];
            let received = socket::receive(ours.as_fd(), &mut word, true);
            let ended = process::wait_for(child.pid)?;
            Ok(read_word(received.map_or(0, |(length, _)| length), word, ended))
        }
    }
}

fn read_word(length: usize, [step, a, b, c, d]: [u8; 5], ended: Ended) -> Trial {
    match (length, i32::from_ne_bytes([a, b, c, d]), ended) {
        (5, 0, _) => Trial::Held,
        (5, errno, _) => Trial::Failed(step, Errno::from_raw(errno)),
        (_, _, Ended::Signaled(signal)) => Trial::Killed(signal),
        _ => Trial::Silent,
    }
}
