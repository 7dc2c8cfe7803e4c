//! Random bytes from the kernel (getrandom(2)).

use super::{Errno, Sys, checked};

/// As many random bytes as the array holds. Waits, early at boot, until the kernel's pool is ready.
/// # Errors
/// `ENOSYS` before Linux 3.17 or where a filter hides the call.
pub fn random_bytes<const N: usize>() -> Sys<[u8; N]> {
    let mut bytes = [0u8; N];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        // SAFETY: the kernel writes at most `rest.len()` bytes, and `rest` is that long and lent to nobody else.
        let rc = checked(unsafe { libc::syscall(libc::SYS_getrandom, rest.as_mut_ptr(), rest.len(), 0) });
        match rc {
            Ok(count) => filled += usize::try_from(count).map_err(|_| Errno::EIO)?,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_readings_differ() {
        assert_ne!(random_bytes::<16>().unwrap(), random_bytes::<16>().unwrap());
    }
}
