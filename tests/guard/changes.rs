//! Opens of what is there, and changes, with and without an observing guard: the same answers.

use crate::differential::{FLAGS, NAMES, alike, describe, is_apart, kind, make_zoo};
use crate::harness::{c, close, said, shell};
use std::fmt::Write;

/// The same without O_CREAT: what is there.
fn open_existing(out: &mut String) {
    make_zoo();
    // The way through a magic link to no folder has another errno.
    for name in NAMES.iter().filter(|name| **name != "out/x") {
        for flags in FLAGS {
            // SAFETY: a NUL-terminated path and integers.
            let raw = unsafe { libc::open(c(name).as_ptr(), *flags, 0o640) };
            let said = said(raw);
            // SAFETY: integers.
            let (status, own) = unsafe { (libc::fcntl(raw, libc::F_GETFL), libc::fcntl(raw, libc::F_GETFD)) };
            let kept = status & !libc::O_NOFOLLOW;
            writeln!(out, "open {name:?} {flags:o}: {said} {kept:o} {own} {}", describe("file")).unwrap();
            close(raw);
        }
    }
}

#[test]
fn opens_of_what_is_there_are_alike() {
    alike("existing", open_existing);
}

#[test]
fn names_are_removed_and_files_cut_and_modes_set_alike() {
    alike("change", |out| {
        make_zoo();
        for name in NAMES.iter().filter(|name| !is_apart(name) && **name != "/" && **name != "//") {
            for flags in [0, libc::AT_REMOVEDIR, 1] {
                // SAFETY: a NUL-terminated path and integers.
                let rc = unsafe { libc::unlinkat(libc::AT_FDCWD, c(name).as_ptr(), flags) };
                writeln!(out, "unlink {name:?} {flags}: {} {}", said(rc), kind(name)).unwrap();
                if rc == 0 {
                    shell("chmod -R u+rwX . 2>/dev/null; rm -rf ./*")();
                    make_zoo();
                }
            }
            for length in [0, 5, 100_000, -1] {
                // SAFETY: a NUL-terminated path and an integer.
                let rc = unsafe { libc::truncate(c(name).as_ptr(), length) };
                writeln!(out, "truncate {name:?} {length}: {} {}", said(rc), kind(name)).unwrap();
            }
            for (mode, flags) in [(0o604, 0), (0o4711, 0), (0o644, libc::AT_SYMLINK_NOFOLLOW)] {
                let (cwd, path) = (libc::AT_FDCWD, c(name));
                // SAFETY: a NUL-terminated path and integers; fchmodat2 of Linux 6.6.
                let rc = unsafe { libc::syscall(452, cwd, path.as_ptr(), mode, flags) } as i32;
                writeln!(out, "chmod {name:?} {mode:o} {flags}: {} {}", said(rc), kind(name)).unwrap();
            }
            shell("chmod -R u+rwX . 2>/dev/null; chmod 555 locked; chmod 600 nosearch")();
        }
    });
}
