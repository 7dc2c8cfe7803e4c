//! The shipped filters in force: what the kernel makes of them, in a child of their own.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use aisandbox::plan::{Program, compile, trap_filter};
use aisandbox::profile::{Arch, Observe, ShippedFilter};
use aisandbox::sys::Errno;
use aisandbox::sys::seccomp::{Instruction, install};
use std::io::{PipeReader, PipeWriter, Read};
use std::os::fd::AsRawFd;

/// How a child ended, and the errno of each call it made (0: it succeeded).
struct Ended {
    errnos: Vec<i32>,
    status: i32,
}

type Call = (libc::c_long, [libc::c_long; 4]);

/// Makes the calls in a child under the filter. After the fork the child makes system calls and nothing else.
fn under(filter: &[Instruction], calls: &[Call], last: fn()) -> Ended {
    let (mut reader, writer): (PipeReader, PipeWriter) = std::io::pipe().unwrap();
    // SAFETY: takes no memory; the child makes system calls on memory laid out before, and ends in _exit.
    let child = unsafe { libc::fork() };
    if child == 0 {
        run_child(filter, calls, last, writer.as_raw_fd());
    }
    assert!(child > 0, "fork");
    drop(writer);
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    let mut status = 0;
    // SAFETY: `child` is ours and not waited for yet; `status` is a valid int for the call.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(waited, child);
    let errnos = bytes.chunks(4).map(|word| i32::from_ne_bytes(word.try_into().unwrap())).collect();
    Ended { errnos, status }
}

fn run_child(filter: &[Instruction], calls: &[Call], last: fn(), pipe: i32) -> ! {
    // SAFETY: PR_SET_NO_NEW_PRIVS takes integers only.
    let rc = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    if rc != 0 || (!filter.is_empty() && install(filter).is_err()) {
        exit(99);
    }
    for (number, [a, b, c, d]) in calls {
        // SAFETY: every pointer the tests pass is null or an integer that the kernel checks itself.
        let rc = unsafe { libc::syscall(*number, *a, *b, *c, *d) };
        let errno = if rc == -1 { Errno::last_raw() } else { 0 };
        let bytes = errno.to_ne_bytes();
        // SAFETY: four bytes that live here, and a descriptor that the parent reads.
        let written = unsafe { libc::write(pipe, bytes.as_ptr().cast(), 4) };
        if written != 4 {
            exit(98);
        }
    }
    last();
    exit(0)
}

fn exit(code: i32) -> ! {
    // SAFETY: ends the child at once; nothing of the parent's is flushed or dropped.
    unsafe { libc::_exit(code) }
}

fn program(filter: ShippedFilter) -> Program {
    compile(&filter.file().unwrap(), Arch::host()).unwrap()
}

/// Says why a test proves nothing here; with AISANDBOX_MUST_RUN=1 that is a failure.
fn skip(why: &str) {
    assert!(std::env::var_os("AISANDBOX_MUST_RUN").is_none_or(|value| value != "1"), "must run: {why}");
    println!("skipped: {why}");
}

const SOCKET: libc::c_long = libc::SYS_socket;
const STREAM: libc::c_long = libc::SOCK_STREAM as libc::c_long;
const NO_FD: libc::c_long = -1;

#[test]
fn the_kernel_answers_as_the_agent_filter_says() {
    let program = program(ShippedFilter::Agent);
    let calls = [
        (libc::SYS_getpid, [0; 4]),
        (libc::SYS_mount, [0; 4]),
        (1000, [0; 4]),
        (libc::SYS_clone3, [0; 4]),
        (libc::SYS_unshare, [libc::c_long::from(libc::CLONE_NEWUSER), 0, 0, 0]),
        (libc::SYS_ioctl, [NO_FD, 0x5412 | 1 << 32, 0, 0]),
        (libc::SYS_ioctl, [NO_FD, 0x5413, 0, 0]),
        (SOCKET, [1, STREAM, 0, 0]),
        (SOCKET, [2, STREAM, 0, 0]),
        (SOCKET, [38, 5, 0, 0]),
        (SOCKET, [16, 3, 15, 0]),
        (SOCKET, [2, STREAM, 132, 0]),
        (libc::SYS_prctl, [libc::c_long::from(libc::PR_SET_DUMPABLE), 0, 0, 0]),
        (libc::SYS_prctl, [libc::c_long::from(libc::PR_SET_MM), 0, 0, 0]),
        (libc::SYS_io_uring_setup, [1, 0, 0, 0]),
        (libc::SYS_personality, [0xFFFF_FFFF, 0, 0, 0]),
        (libc::SYS_personality, [0x40_0000, 0, 0, 0]),
    ];
    let expected = [
        0,
        libc::EPERM,
        libc::ENOSYS,
        libc::ENOSYS,
        libc::EPERM,
        libc::EPERM,
        libc::EBADF,
        0,
        0,
        libc::EAFNOSUPPORT,
        libc::EAFNOSUPPORT,
        libc::EPROTONOSUPPORT,
        0,
        libc::EPERM,
        libc::ENOSYS,
        0,
        libc::EPERM,
    ];
    let ended = under(&program.instructions, &calls, || {});
    assert_eq!(ended.status, 0);
    assert_eq!(ended.errnos, expected);
    // The control: without the filter the kernel refuses other things, or nothing.
    let free = under(&[], &calls, || {});
    assert_eq!(free.status, 0);
    assert_eq!(free.errnos[5], libc::EBADF);
    assert_ne!(free.errnos[16], libc::EPERM);
}

#[test]
fn the_strict_filter_leaves_local_sockets_only() {
    let program = program(ShippedFilter::Strict);
    let calls = [(SOCKET, [1, STREAM, 0, 0]), (SOCKET, [2, STREAM, 0, 0]), (libc::SYS_ptrace, [0; 4])];
    assert_eq!(under(&program.instructions, &calls, || {}).errnos, [0, libc::EAFNOSUPPORT, libc::EPERM]);
    assert_eq!(under(&[], &calls[..2], || {}).errnos, [0, 0]);
}

#[test]
fn the_kernel_takes_the_trap_filter_and_lets_other_calls_pass() {
    let trap = trap_filter(Arch::host(), Observe::Deny);
    let calls =
        [(libc::SYS_getpid, [0; 4]), (libc::SYS_openat, [NO_FD, 0, 0, 0]), (libc::SYS_openat2, [0; 4])];
    let ended = under(&trap.instructions, &calls, || {});
    assert_eq!(ended.errnos, [0, libc::EFAULT, libc::ENOSYS]);
    // Without a listener the kernel answers ENOSYS to what would wait for one.
    let create = libc::c_long::from(libc::O_CREAT);
    let creating = [(libc::SYS_openat, [NO_FD, 0, create, 0]), (libc::SYS_mkdirat, [NO_FD, 0, 0, 0])];
    assert_eq!(under(&trap.instructions, &creating, || {}).errnos, [libc::ENOSYS; 2]);
    assert_eq!(under(&[], &creating, || {}).errnos, [libc::EFAULT; 2]);
}

#[cfg(target_arch = "x86_64")]
mod foreign {
    use super::*;

    /// getpid of i386, number 20.
    fn i386_call() {
        let _pid: u64;
        // SAFETY: i386's getpid takes no argument and touches no memory of ours; rax alone is written.
        unsafe {
            std::arch::asm!("int 0x80", inlateout("rax") 20_u64 => _pid, out("r8") _, out("r9") _, out("r10") _, out("r11") _)
        };
    }

    /// getpid of x32.
    fn x32_call() {
        // SAFETY: getpid takes no argument.
        let rc = unsafe { libc::syscall(libc::SYS_getpid | 0x4000_0000) };
        if rc == -1 {
            exit(3);
        }
    }

    #[test]
    fn a_call_of_i386_ends_the_process() {
        let free = under(&[], &[], i386_call);
        let ended = under(&program(ShippedFilter::Agent).instructions, &[], i386_call);
        if free.status != 0 {
            return skip("this kernel has no i386 calls");
        }
        assert!(libc::WIFSIGNALED(ended.status));
        assert_eq!(libc::WTERMSIG(ended.status), libc::SIGSYS);
    }

    #[test]
    fn a_call_of_x32_ends_the_process_even_where_the_kernel_has_none() {
        let free = under(&[], &[], x32_call);
        assert!(libc::WIFEXITED(free.status));
        let ended = under(&program(ShippedFilter::Agent).instructions, &[], x32_call);
        assert!(libc::WIFSIGNALED(ended.status));
        assert_eq!(libc::WTERMSIG(ended.status), libc::SIGSYS);
    }
}
