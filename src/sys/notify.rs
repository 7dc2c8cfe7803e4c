//! Seccomp notifications (seccomp_unotify(2)): receive a trapped call, read its caller's memory, answer it.
//!
//! Whoever lets the kernel go on with a trapped call has only seen it ([`go_on`]): its memory can change until the kernel
//! reads it again, so such an answer never decides anything.

use super::{Errno, Sys, checked, checked_int};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

/// One trapped call. Its registers cannot change any more; the memory they point to can.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// Names this notification until it is answered or its caller dies.
    pub id: u64,
    /// The calling thread, by its number in the pid namespace of the reader; 0 when it is not in there.
    pub tid: u32,
    /// The number of the system call.
    pub number: i32,
    /// Its arguments.
    pub args: [u64; 6],
}

#[repr(C)]
#[derive(Default)]
struct Notification {
    id: u64,
    pid: u32,
    flags: u32,
    number: i32,
    arch: u32,
    instruction: u64,
    args: [u64; 6],
}

#[repr(C)]
struct Response {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

#[repr(C)]
struct AddDescriptor {
    id: u64,
    flags: u32,
    source: u32,
    target: u32,
    target_flags: u32,
}

#[repr(C)]
struct Sizes {
    notification: u16,
    response: u16,
    data: u16,
}

const RECEIVE: libc::c_ulong = request(3, 0, size_of::<Notification>());
const SEND: libc::c_ulong = request(3, 1, size_of::<Response>());
const ID_VALID: libc::c_ulong = request(1, 2, size_of::<u64>());
const ADD_DESCRIPTOR: libc::c_ulong = request(1, 3, size_of::<AddDescriptor>());
const SET_FLAGS: libc::c_ulong = request(1, 4, size_of::<u64>());
const SYNC_WAKE_UP: u64 = 1;

/// The number of an ioctl of the group `!`, as asm-generic/ioctl.h builds it (1 write, 2 read).
const fn request(direction: libc::c_ulong, number: libc::c_ulong, size: usize) -> libc::c_ulong {
    direction << 30 | (size as libc::c_ulong) << 16 | (b'!' as libc::c_ulong) << 8 | number
}

/// Says whether this kernel's notifications fit the structs of this file (SECCOMP_GET_NOTIF_SIZES, Linux 5.0).
/// # Errors
/// `ENOSYS` or `EINVAL` without notifications; `E2BIG` when the kernel would write more than we have room for.
pub fn check_sizes() -> Sys<()> {
    const GET_NOTIF_SIZES: libc::c_uint = 3;
    let mut sizes = Sizes { notification: 0, response: 0, data: 0 };
    // SAFETY: the kernel writes three u16 there.
    checked(unsafe { libc::syscall(libc::SYS_seccomp, GET_NOTIF_SIZES, 0, &raw mut sizes) })?;
    let fits = usize::from(sizes.notification) <= size_of::<Notification>()
        && usize::from(sizes.response) <= size_of::<Response>();
    if fits { Ok(()) } else { Err(Errno::E2BIG) }
}

/// Wakes caller and reader on the same processor, which makes the round trip shorter (Linux 6.6).
/// # Errors
/// `EINVAL` or `ENOTTY` on older kernels: then it is only slower.
pub fn wake_in_step(listener: BorrowedFd<'_>) -> Sys<()> {
    // SAFETY: this request takes an integer, not a pointer.
    checked_int(unsafe { libc::ioctl(listener.as_raw_fd(), SET_FLAGS, SYNC_WAKE_UP) }).map(drop)
}

/// The next trapped call; `Ok(None)` when its caller died before we came.
/// # Errors
/// As the ioctl: `EBADF` and the like when the listener is none.
pub fn receive(listener: BorrowedFd<'_>) -> Sys<Option<Call>> {
    let mut seen = Notification::default();
    // SAFETY: all zero as the call wants it; `check_sizes` said that the kernel writes no more than this struct.
    match checked_int(unsafe { libc::ioctl(listener.as_raw_fd(), RECEIVE, &raw mut seen) }) {
        Ok(_) => Ok(Some(Call { id: seen.id, tid: seen.pid, number: seen.number, args: seen.args })),
        Err(Errno::ENOENT | Errno::EINTR) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Says whether the caller still waits in this very call. While it says yes, all that was learned from the caller's
/// /proc entries since `receive` was its own and not that of a later process with the same number.
pub fn is_waiting(listener: BorrowedFd<'_>, id: u64) -> bool {
    // SAFETY: the kernel reads eight bytes of `id`.
    unsafe { libc::ioctl(listener.as_raw_fd(), ID_VALID, &raw const id) == 0 }
}

/// Ends the call with a value or an errno.
/// # Errors
/// `ENOENT` when the caller is gone, `EINPROGRESS` when it has its answer.
pub fn answer(listener: BorrowedFd<'_>, id: u64, result: Sys<i64>) -> Sys<()> {
    let (value, error) = match result {
        Ok(value) => (value, 0),
        Err(errno) => (0, -(errno as i32)),
    };
    let response = Response { id, value, error, flags: 0 };
    // SAFETY: the kernel reads this struct, whose size the request number carries.
    checked_int(unsafe { libc::ioctl(listener.as_raw_fd(), SEND, &raw const response) }).map(drop)
}

/// Lets the kernel do the call as if it had not been trapped (Linux 5.5). What was read of it may not be what is done.
/// # Errors
/// As [`answer`].
pub fn go_on(listener: BorrowedFd<'_>, id: u64) -> Sys<()> {
    const CONTINUE: u32 = 1;
    let response = Response { id, value: 0, error: 0, flags: CONTINUE };
    // SAFETY: the kernel reads this struct, whose size the request number carries.
    checked_int(unsafe { libc::ioctl(listener.as_raw_fd(), SEND, &raw const response) }).map(drop)
}

/// Gives the caller a copy of a descriptor, lets go of ours, and only then ends its call with the number (Linux 5.9).
/// In one step the caller could run on while we still hold the file: execve(2) of what it wrote would be `ETXTBSY`.
/// # Errors
/// `EMFILE` when the caller may not have one more: it still waits for its answer then. `ENOENT` when it is gone.
pub fn answer_with(listener: BorrowedFd<'_>, id: u64, fd: OwnedFd, close_on_exec: bool) -> Sys<()> {
    let target_flags = if close_on_exec { libc::O_CLOEXEC.unsigned_abs() } else { 0 };
    let source = fd.as_raw_fd().unsigned_abs();
    let added = AddDescriptor { id, flags: 0, source, target: 0, target_flags };
    // SAFETY: the kernel reads this struct, whose size the request number carries.
    let number = checked_int(unsafe { libc::ioctl(listener.as_raw_fd(), ADD_DESCRIPTOR, &raw const added) })?;
    drop(fd);
    answer(listener, id, Ok(i64::from(number)))
}

/// Copies from the memory of a thread until `buffer` is full or the memory ends; stops early only at a multiple of
/// 4096. How much came is returned.
/// # Errors
/// `EFAULT` when not even the first byte is there, `EPERM` for a process that may not be read, `ESRCH`.
pub fn read_memory(tid: u32, address: u64, buffer: &mut [u8]) -> Sys<usize> {
    let pid = libc::pid_t::try_from(tid).map_err(|_| Errno::ESRCH)?;
    let first = usize::try_from(4096 - address % 4096).unwrap_or(4096).min(buffer.len());
    let after = address.checked_add(first as u64).ok_or(Errno::EFAULT)?;
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // A fault ends the copy between two of these: one each page tells how far the memory goes.
    let remote = [
        libc::iovec { iov_base: ptr::without_provenance_mut(address as usize), iov_len: first },
        libc::iovec { iov_base: ptr::without_provenance_mut(after as usize), iov_len: buffer.len() - first },
    ];
    // SAFETY: writes at most buffer.len() bytes into `buffer`; the remote addresses are never followed in our memory.
    let copied = unsafe { libc::process_vm_readv(pid, &raw const local, 1, remote.as_ptr(), 2, 0) };
    checked(copied as libc::c_long).map(|copied| usize::try_from(copied).unwrap_or(0))
}

/// From now on SIGALRM comes every `ms` milliseconds and does nothing but end a blocking call with `EINTR`.
/// # Errors
/// None known.
pub fn interrupt_every(ms: i64) -> Sys<()> {
    extern "C" fn nothing(_signal: libc::c_int) {}
    // SAFETY: sigaction is a struct of integers, a mask and a pointer that may be null: all zero is a value.
    let mut action = unsafe { MaybeUninit::<libc::sigaction>::zeroed().assume_init() };
    action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
    // SAFETY: the handler touches nothing, so it may run at any moment; without SA_RESTART calls end with EINTR.
    checked_int(unsafe { libc::sigaction(libc::SIGALRM, &raw const action, ptr::null_mut()) })?;
    let every = libc::timeval { tv_sec: 0, tv_usec: ms * 1000 };
    let timer = libc::itimerval { it_interval: every, it_value: every };
    // SAFETY: reads one struct that outlives the call.
    checked_int(unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, ptr::null_mut()) }).map(drop)
}
