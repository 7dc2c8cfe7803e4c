//! A case in a process of its own, for tests that launch by the library: a launch wants one thread, and changes the process.
#![allow(clippy::unwrap_used, reason = "a test ends by panicking")]

use aisandbox::sys::process::{self, Ended};

/// Runs a body in a process of its own. A panic is exit code 101; what takes longer than this hangs, and is ended.
pub(crate) fn in_child(seconds: u32, body: impl FnOnce()) -> Ended {
    process::assert_single_threaded().unwrap();
    // SAFETY: one thread, as checked; the child ends by _exit.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: an integer; the signal's default ends this process.
        unsafe { libc::alarm(seconds) };
        // In whichever thread.
        std::panic::set_hook(Box::new(|panic| {
            eprintln!("{panic}");
            process::exit_now(101)
        }));
        body();
        process::exit_now(0)
    }
    process::wait_for(pid).unwrap()
}
