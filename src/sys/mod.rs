//! Sys: one thin safe function for each system call, and the only place with `unsafe`.
//!
//! Never decides anything: no policy, no words for people. What may be called between clone and exec neither
//! allocates nor locks; `tests/no_alloc.rs` holds that. Errors are the kernel's [`Errno`].

mod address;
pub mod asker;
pub mod caps;
pub mod datagram;
pub mod diag;
pub mod fd;
pub mod file;
pub mod foreign;
pub mod landlock;
pub mod lease;
pub mod limits;
pub mod listing;
pub mod local;
pub mod memory;
pub mod mount;
pub mod name;
pub mod net;
pub mod netlink;
pub mod notify;
pub mod peer;
pub mod probe;
pub mod process;
pub mod random;
pub mod sealed;
pub mod seccomp;
pub mod signal;
pub mod socket;
pub mod spawn;
pub mod splice;
pub mod stream;
pub mod terminal;

pub use nix::errno::Errno;

/// What a system call gives: its value, or the kernel's errno.
pub type Sys<T> = Result<T, Errno>;

/// Turns the -1 of libc's wrappers into the errno.
fn checked(rc: libc::c_long) -> Sys<libc::c_long> {
    if rc == -1 { Err(Errno::last()) } else { Ok(rc) }
}

/// The same for wrappers that return int.
fn checked_int(rc: libc::c_int) -> Sys<libc::c_int> {
    if rc == -1 { Err(Errno::last()) } else { Ok(rc) }
}
