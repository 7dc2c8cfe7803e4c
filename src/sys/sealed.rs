//! Sealed files: bytes in memory that one process of ours hands to another, and that nobody can change any more.

use super::{Errno, Sys, checked_int, fd};
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

const SEALS: libc::c_int = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;

/// A sealed file with these bytes, close-on-exec (memfd_create(2)).
/// # Errors
/// `EMFILE`, `ENOMEM`.
pub fn make(name: &CStr, bytes: &[u8]) -> Sys<OwnedFd> {
    // SAFETY: the name is a C string that outlives the call.
    let raw = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING) };
    let raw = checked_int(raw)?;
    // SAFETY: the kernel just made this descriptor for us.
    let file = unsafe { OwnedFd::from_raw_fd(raw) };
    fd::write_all(file.as_fd(), bytes)?;
    // SAFETY: F_ADD_SEALS takes integers.
    checked_int(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, SEALS) })?;
    Ok(file)
}

/// All bytes of a sealed file, at most `most`.
/// # Errors
/// `EINVAL` for a file that is not sealed, `EFBIG` for one that is too long.
pub fn read(file: BorrowedFd<'_>, most: usize) -> Sys<Vec<u8>> {
    // SAFETY: F_GET_SEALS takes and gives integers.
    let seals = checked_int(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GET_SEALS) })?;
    if seals & SEALS != SEALS {
        return Err(Errno::EINVAL);
    }
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let offset = libc::off_t::try_from(bytes.len()).map_err(|_| Errno::EFBIG)?;
        match nix::sys::uio::pread(file, &mut buffer, offset)? {
            0 => return Ok(bytes),
            length => bytes.extend_from_slice(buffer.get(..length).unwrap_or_default()),
        }
        if bytes.len() > most {
            return Err(Errno::EFBIG);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_read_whole_and_cannot_be_changed() {
        let text = vec![7; 10_000];
        let file = make(c"test", &text).unwrap();
        assert_eq!(read(file.as_fd(), 10_000).unwrap(), text);
        assert_eq!(read(file.as_fd(), 9_999), Err(Errno::EFBIG));
        assert_eq!(fd::write(file.as_fd(), b"x"), Err(Errno::EPERM));
    }

    #[test]
    fn a_plain_file_is_not_taken_for_a_sealed_one() {
        let plain = std::fs::File::open("/proc/self/exe").unwrap();
        assert_eq!(read(plain.as_fd(), 100), Err(Errno::EINVAL));
    }
}
