//! Processes: clone3, fork, exec, wait, and the prctl switches of one process.

use super::{Errno, Sys, checked, checked_int};
use std::ffi::{CStr, CString, c_char};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

/// A process id as this process sees it.
pub type Pid = libc::pid_t;

#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Which side of a clone or fork we are.
#[derive(Debug)]
pub enum Side<T> {
    /// The process that called.
    Parent(T),
    /// The new one.
    Child,
}

/// A child by number and by descriptor; the descriptor never means another process (pidfd_open(2)).
#[derive(Debug)]
pub struct ChildProcess {
    /// Its number.
    pub pid: Pid,
    /// Its descriptor; readable once it has ended.
    pub pidfd: OwnedFd,
}

/// Fails unless this process has exactly one thread. After a clone with another thread alive, a lock held by that
/// thread (malloc's, say) would stay held in the child for ever.
/// # Errors
/// `EBUSY` with more than one thread; what reading /proc/self/task gives.
pub fn assert_single_threaded() -> Sys<()> {
    let tasks = std::fs::read_dir("/proc/self/task").map_err(errno_of)?;
    if tasks.count() == 1 { Ok(()) } else { Err(Errno::EBUSY) }
}

fn errno_of(error: std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

/// clone3(2) without sharing memory. `flags` are CLONE_NEW*; CLONE_PIDFD is added; `cgroup` starts the child there.
/// # Errors
/// `ENOSPC` at a namespace limit, `EPERM` where namespaces are refused, `ENOSYS` before Linux 5.3.
pub fn clone_into_namespaces(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> Sys<Side<ChildProcess>> {
    assert_single_threaded()?;
    let mut pidfd: RawFd = -1;
    let mut args = CloneArgs {
        flags: flags | libc::CLONE_PIDFD as u64,
        pidfd: (&raw mut pidfd) as u64,
        exit_signal: libc::SIGCHLD as u64,
        ..CloneArgs::default()
    };
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = u64::from(cgroup.as_raw_fd().unsigned_abs());
    }
    // SAFETY: one thread (checked above), no CLONE_VM: the child has its own copy of all memory and of this stack, so
    // returning twice is as sound as fork(2). `args` and `pidfd` outlive the call.
    let made = checked(unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<CloneArgs>()) });
    let rc = match made {
        // Containers hide clone3, whose flags a filter cannot read. Without namespaces clone(2) does the same.
        Err(Errno::ENOSYS) if flags == 0 && cgroup.is_none() => clone_plainly(&mut pidfd)?,
        other => other?,
    };
    if rc == 0 {
        return Ok(Side::Child);
    }
    // SAFETY: with CLONE_PIDFD the kernel stored a new descriptor of ours there.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Side::Parent(ChildProcess { pid: Pid::try_from(rc).map_err(|_| Errno::EOVERFLOW)?, pidfd }))
}

/// clone(2) with CLONE_PIDFD (Linux 5.2): a fork that also stores a descriptor of the child.
fn clone_plainly(pidfd: &mut RawFd) -> Sys<libc::c_long> {
    let none = ptr::null::<libc::c_void>();
    let flags = libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: no CLONE_VM, no stack: as fork(2) with one thread (the caller checked); `pidfd` outlives the call.
    checked(unsafe { libc::syscall(libc::SYS_clone, flags, none, pidfd as *mut RawFd, none, none) })
}

/// CLONE_INTO_CGROUP of linux/sched.h (Linux 5.7); libc has it as a signed constant that overflows.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// fork(2) without libc's handlers, which lock: fit for the time between clone and exec.
/// # Errors
/// `EAGAIN` at a process limit.
pub fn fork_bare() -> Sys<Side<Pid>> {
    let none = ptr::null::<libc::c_void>();
    // SAFETY: no CLONE_VM, no stack: a plain fork; libc's thread id cache is not used before exec or by init. A caller
    // with a second thread (`spawn::start`) makes system calls only until exec. Refuted by one that allocates or locks.
    let rc = checked(unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, none, none, none, none) })?;
    if rc == 0 { Ok(Side::Child) } else { Ok(Side::Parent(Pid::try_from(rc).map_err(|_| Errno::EOVERFLOW)?)) }
}

/// Strings as execve(2) wants them: an array of pointers with a null at the end, laid out before the clone.
#[derive(Debug)]
pub struct ExecStrings {
    strings: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl ExecStrings {
    /// Lays the array out.
    pub fn new(strings: Vec<CString>) -> Self {
        let pointers = strings.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect();
        Self { strings, pointers }
    }

    /// The strings.
    pub fn strings(&self) -> &[CString] {
        &self.strings
    }
}

/// Becomes another program; returns only on failure.
pub fn execute(program: &CStr, argv: &ExecStrings, envp: &ExecStrings) -> Errno {
    // SAFETY: the program is NUL-terminated; both arrays end with null and point into strings their owner holds.
    unsafe { libc::execve(program.as_ptr(), argv.pointers.as_ptr(), envp.pointers.as_ptr()) };
    Errno::last()
}

/// Becomes the program behind a descriptor (execveat(2) with AT_EMPTY_PATH, Linux 3.19); returns only on failure.
pub fn execute_descriptor(program: BorrowedFd<'_>, argv: &ExecStrings, envp: &ExecStrings) -> Errno {
    let (argv, envp) = (argv.pointers.as_ptr(), envp.pointers.as_ptr());
    let (fd, path, flags) = (program.as_raw_fd(), c"".as_ptr(), libc::AT_EMPTY_PATH);
    // SAFETY: an open descriptor and an empty path; both arrays end with null and point into strings their owner holds.
    unsafe { libc::syscall(libc::SYS_execveat, fd, path, argv, envp, flags) };
    Errno::last()
}

/// Ends this process at once: no destructor, no handler, no flush.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: never returns; nothing of ours needs a destructor to be safe.
    unsafe { libc::_exit(code) }
}

/// How a child changed state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It exited with this code.
    Exited(i32),
    /// This signal ended it.
    Signaled(i32),
    /// This signal stopped it.
    Stopped(i32),
}

/// One state change of any child; `Ok(None)` when there is none now. Stops are told for job control.
/// # Errors
/// `ECHILD` when there is no child at all.
pub fn wait_any() -> Sys<Option<(Pid, Ended)>> {
    wait(-1, libc::WNOHANG | libc::WUNTRACED)
}

/// The end of one child; blocks.
/// # Errors
/// `ECHILD` when it is not ours.
pub fn wait_for(pid: Pid) -> Sys<Ended> {
    match wait(pid, 0)? {
        Some((_, ended)) => Ok(ended),
        None => Err(Errno::ECHILD),
    }
}

fn wait(pid: Pid, options: i32) -> Sys<Option<(Pid, Ended)>> {
    let mut status = 0;
    loop {
        // SAFETY: `status` is an int that outlives the call.
        match checked_int(unsafe { libc::waitpid(pid, &raw mut status, options) }) {
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
            Ok(0) => return Ok(None),
            Ok(pid) => return Ok(Some((pid, decode(status)))),
        }
    }
}

fn decode(status: i32) -> Ended {
    if libc::WIFEXITED(status) {
        Ended::Exited(libc::WEXITSTATUS(status))
    } else if libc::WIFSTOPPED(status) {
        Ended::Stopped(libc::WSTOPSIG(status))
    } else {
        Ended::Signaled(libc::WTERMSIG(status))
    }
}

/// Sends a signal; a negative `pid` means the process group.
/// # Errors
/// `ESRCH` when nobody is there.
pub fn send_signal(pid: Pid, signal: i32) -> Sys<()> {
    // SAFETY: integers only.
    checked_int(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// Sends a signal to the very process the descriptor stands for (pidfd_send_signal(2), Linux 5.1).
/// # Errors
/// `ESRCH` once it has been waited for.
pub fn signal_pidfd(pidfd: BorrowedFd<'_>, signal: i32) -> Sys<()> {
    let none = ptr::null::<libc::siginfo_t>();
    // SAFETY: a descriptor, an integer, a null siginfo.
    let rc = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, none, 0) };
    checked(rc).map(drop)
}

/// One prctl(2) that takes integers only.
fn prctl(option: i32, value: libc::c_ulong) -> Sys<libc::c_int> {
    // SAFETY: private to this file, and called only with options whose arguments are integers.
    checked_int(unsafe { libc::prctl(option, value, 0, 0, 0) })
}

/// No exec gives privileges any more, for good (prctl(2), PR_SET_NO_NEW_PRIVS).
/// # Errors
/// None known.
pub fn enter_no_new_privs() -> Sys<()> {
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1).map(drop)
}

/// Whether others of this uid may trace this process, read its memory, and own its /proc files.
/// # Errors
/// None known.
pub fn set_dumpable(on: bool) -> Sys<()> {
    prctl(libc::PR_SET_DUMPABLE, libc::c_ulong::from(on)).map(drop)
}

/// This signal comes when the thread that made us ends; 0 takes the wish back. A change of credentials clears it (prctl(2)).
/// # Errors
/// `EINVAL` for a number that is no signal.
pub fn die_with_parent(signal: i32) -> Sys<()> {
    prctl(libc::PR_SET_PDEATHSIG, libc::c_ulong::from(signal.unsigned_abs())).map(drop)
}

/// Descendants whose parent ended become children of this process (prctl(2), PR_SET_CHILD_SUBREAPER).
/// # Errors
/// None known.
pub fn adopt_orphans() -> Sys<()> {
    prctl(libc::PR_SET_CHILD_SUBREAPER, 1).map(drop)
}

/// The name `ps` shows, at most 15 bytes.
/// # Errors
/// None known.
pub fn set_name(name: &CStr) -> Sys<()> {
    // SAFETY: PR_SET_NAME reads a NUL-terminated string and keeps at most 16 bytes of it.
    checked_int(unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) }).map(drop)
}

/// New namespaces for this process (unshare(2)).
/// # Errors
/// `ENOSPC` at user.max_user_namespaces, `EPERM` where it is refused.
pub fn unshare(flags: i32) -> Sys<()> {
    // SAFETY: an integer; without CLONE_FILES or CLONE_FS of a multi-threaded process no descriptor changes owner.
    checked_int(unsafe { libc::unshare(flags) }).map(drop)
}

/// Enters the namespace behind a descriptor; `kind` is its CLONE_NEW* (setns(2)).
/// # Errors
/// `EPERM` without CAP_SYS_ADMIN there; `EINVAL` for one of another kind.
pub fn enter_namespace(namespace: BorrowedFd<'_>, kind: i32) -> Sys<()> {
    // SAFETY: a descriptor and an integer; no memory of ours.
    checked_int(unsafe { libc::setns(namespace.as_raw_fd(), kind) }).map(drop)
}

/// A new session with this process as its leader and no controlling terminal.
/// # Errors
/// `EPERM` for a process group leader.
pub fn new_session() -> Sys<()> {
    // SAFETY: takes nothing.
    checked_int(unsafe { libc::setsid() }).map(drop)
}

/// A process group of its own.
/// # Errors
/// As setpgid(2).
pub fn new_process_group() -> Sys<()> {
    // SAFETY: integers only.
    checked_int(unsafe { libc::setpgid(0, 0) }).map(drop)
}

/// An anonymous session keyring instead of the one inherited (keyctl(2), KEYCTL_JOIN_SESSION_KEYRING).
/// # Errors
/// `ENOSYS` where the kernel has no keyrings: then there is none to inherit either.
pub fn new_session_keyring() -> Sys<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_int = 1;
    let anonymous = ptr::null::<c_char>();
    // SAFETY: the operation takes a name or null.
    checked(unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, anonymous) }).map(drop)
}

/// The host name of this uts namespace.
/// # Errors
/// `EPERM` without CAP_SYS_ADMIN there.
pub fn set_host_name(name: &CStr) -> Sys<()> {
    // SAFETY: pointer and length of one NUL-terminated string.
    checked_int(unsafe { libc::sethostname(name.as_ptr(), name.to_bytes().len()) }).map(drop)
}

/// Sets the file mode creation mask and returns nothing: it cannot fail.
pub fn set_umask(mask: u32) -> u32 {
    // SAFETY: takes and returns an integer.
    unsafe { libc::umask(mask) }
}

/// No supplementary group any more.
/// # Errors
/// `EPERM` without CAP_SETGID: an ordinary user cannot give groups up.
pub fn drop_groups() -> Sys<()> {
    // SAFETY: no group, no pointer.
    checked_int(unsafe { libc::setgroups(0, ptr::null()) }).map(drop)
}
