//! An attacker: a Python program with system calls by name, run outside for the control and inside for the case.

use crate::support::run::{Output, Run};
use crate::support::{Home, has_program, users};
use std::path::Path;

/// Numbers of the system calls that attackers make, on this machine.
const CALLS: &[(&str, libc::c_long)] = &[
    ("add_key", libc::SYS_add_key),
    ("bpf", libc::SYS_bpf),
    ("chroot", libc::SYS_chroot),
    ("clone", libc::SYS_clone),
    ("clone3", libc::SYS_clone3),
    ("delete_module", libc::SYS_delete_module),
    ("fanotify_init", libc::SYS_fanotify_init),
    ("finit_module", libc::SYS_finit_module),
    ("fsopen", libc::SYS_fsopen),
    ("getpid", libc::SYS_getpid),
    ("init_module", libc::SYS_init_module),
    ("io_uring_enter", libc::SYS_io_uring_enter),
    ("io_uring_register", libc::SYS_io_uring_register),
    ("io_uring_setup", libc::SYS_io_uring_setup),
    ("ioctl", libc::SYS_ioctl),
    ("kexec_load", libc::SYS_kexec_load),
    ("keyctl", libc::SYS_keyctl),
    ("linkat", libc::SYS_linkat),
    ("mkdirat", libc::SYS_mkdirat),
    ("mknodat", libc::SYS_mknodat),
    ("mount", libc::SYS_mount),
    ("mount_setattr", libc::SYS_mount_setattr),
    ("move_mount", libc::SYS_move_mount),
    ("name_to_handle_at", libc::SYS_name_to_handle_at),
    ("open_by_handle_at", libc::SYS_open_by_handle_at),
    ("open_tree", libc::SYS_open_tree),
    ("openat", libc::SYS_openat),
    ("openat2", libc::SYS_openat2),
    ("perf_event_open", libc::SYS_perf_event_open),
    ("personality", libc::SYS_personality),
    ("pidfd_getfd", libc::SYS_pidfd_getfd),
    ("pidfd_open", libc::SYS_pidfd_open),
    ("pivot_root", libc::SYS_pivot_root),
    ("prctl", libc::SYS_prctl),
    ("process_vm_readv", libc::SYS_process_vm_readv),
    ("ptrace", libc::SYS_ptrace),
    ("renameat2", libc::SYS_renameat2),
    ("request_key", libc::SYS_request_key),
    ("seccomp", libc::SYS_seccomp),
    ("setns", libc::SYS_setns),
    ("swapon", libc::SYS_swapon),
    ("symlinkat", libc::SYS_symlinkat),
    ("syslog", libc::SYS_syslog),
    ("umount2", libc::SYS_umount2),
    ("unshare", libc::SYS_unshare),
    ("userfaultfd", libc::SYS_userfaultfd),
];

/// `call(NAME, …)` gives `ok` or the errno's name; `forked` runs a body in a child, where it may break things;
/// `attempt` turns Python's own errors into the same words.
const PRELUDE: &str = r#"
import ctypes, errno, os, signal, socket, stat, subprocess, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
value = 0
def call(name, *args):
    global value
    args = [ctypes.c_char_p(a) if isinstance(a, bytes) else a if isinstance(a, (ctypes.Array, ctypes.c_void_p))
            else ctypes.c_long(a) for a in args]
    value = libc.syscall(ctypes.c_long(CALLS[name]), *args)
    return 'ok' if value >= 0 else errno.errorcode[ctypes.get_errno()]
def attempt(body):
    try:
        body()
        return 'ok'
    except OSError as error:
        return errno.errorcode[error.errno]
def forked(body):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(write, body().encode())
        finally:
            os._exit(0)
    os.close(write)
    said = os.read(read, 4096).decode()
    os.close(read)
    status = os.waitpid(pid, 0)[1]
    return said if not os.WIFSIGNALED(status) else 'signal %d' % os.WTERMSIG(status)
def put(path, text):
    with open(path, 'w') as file:
        file.write(text)
"#;

/// The attacker's program: prelude, then this script.
pub(crate) fn program(script: &str) -> String {
    let calls: Vec<String> = CALLS.iter().map(|(name, number)| format!("'{name}':{number}")).collect();
    format!("CALLS = {{{}}}\n{PRELUDE}\n{script}\nprint('ran')\n", calls.join(","))
}

/// Runs a body for each user where Python is.
pub(crate) fn for_each_attacker(mut body: impl FnMut(Home)) {
    if has_program("python3") {
        for user in users() {
            eprintln!("as uid {}:", user.uid);
            body(Home::of(user));
        }
    }
}

impl Home {
    /// The attacker without a sandbox.
    pub(crate) fn attack_outside(&self, script: &str) -> Run {
        Run::new(Path::new("/usr/bin/env"), self).args(&["python3", "-c", &program(script)])
    }

    /// The attacker in a sandbox.
    pub(crate) fn attack(&self, flags: &[&str], script: &str) -> Run {
        self.aisandbox(&["exec"]).args(flags).args(&["--", "python3", "-c", &program(script)])
    }

    /// Both, with the profile `cowork`: what each said, without the last word.
    pub(crate) fn attack_both(&self, flags: &[&str], script: &str) -> (String, String) {
        (self.attack_outside(script).output().ran(), self.attack(flags, script).output().ran())
    }
}

impl Output {
    /// What the attacker said; fails unless it came to its end.
    #[track_caller]
    pub(crate) fn ran(&self) -> String {
        let said = self.expect_code(0);
        said.strip_suffix("ran\n").unwrap_or_else(|| panic!("it did not come to its end: {said}")).to_owned()
    }
}

/// The lines of a text as pairs of a word and the rest.
pub(crate) fn lines(text: &str) -> Vec<(&str, &str)> {
    text.lines().map(|line| line.split_once(' ').unwrap_or((line, ""))).collect()
}
