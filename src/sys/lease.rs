//! Asks whether anyone has a file open for writing, by a lease that is given back at once (fcntl(2), `F_SETLEASE`).

use super::{Errno, Sys, checked_int};
use std::os::fd::{AsRawFd, BorrowedFd};

/// `F_SETSIG` of fcntl.h: the signal a lease break sends. libc has the number for musl alone.
const F_SETSIG: libc::c_int = 10;

/// Says whether some process has the file open for writing, a writable mapping included. `fd` must be open for
/// reading only.
/// # Errors
/// `EACCES` when the file is not the caller's own and CAP_LEASE is missing; `EINVAL` where the file system has no
/// leases; `EBADF` for an O_PATH descriptor.
pub fn has_writer(fd: BorrowedFd<'_>) -> Sys<bool> {
    // A writer that comes between the two calls below makes the kernel send this signal. The usual one, SIGIO, ends
    // a process that does not expect it; SIGURG is ignored unless asked for.
    command(fd, F_SETSIG, libc::SIGURG)?;
    match command(fd, libc::F_SETLEASE, libc::F_RDLCK) {
        Ok(()) => command(fd, libc::F_SETLEASE, libc::F_UNLCK).map(|()| false),
        Err(Errno::EAGAIN) => Ok(true),
        Err(errno) => Err(errno),
    }
}

fn command(fd: BorrowedFd<'_>, what: libc::c_int, value: libc::c_int) -> Sys<()> {
    // SAFETY: both commands take one integer and touch no memory of ours; neither closes or moves a descriptor.
    checked_int(unsafe { libc::fcntl(fd.as_raw_fd(), what, value) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsFd;

    #[test]
    fn a_writer_is_seen_while_it_has_the_file_open() {
        let path = std::env::temp_dir().join(format!("aisandbox-lease-{}", std::process::id()));
        let writer = File::create(&path).unwrap();
        let reader = File::open(&path).unwrap();
        assert_eq!(has_writer(reader.as_fd()), Ok(true));
        drop(writer);
        assert_eq!(has_writer(reader.as_fd()), Ok(false));
        std::fs::remove_file(&path).unwrap();
    }
}
