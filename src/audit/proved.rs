//! What was proved since the machine started: a fact about this kernel and one filter, which holds until the next boot.
//!
//! An empty file for each. The folder is the caller's own; whoever may write to it may also run without a sandbox.

use super::error::AuditError;
use super::private::open_private;
use crate::crypto::sha256;
use crate::sys::Errno;
use crate::sys::file::openat;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// The facts proved since boot.
#[derive(Debug)]
pub struct Proved {
    folder: File,
    path: PathBuf,
    boot: String,
}

impl Proved {
    /// Opens the folder (0700), making it where missing.
    /// # Errors
    /// When the folder is not the caller's own, or the boot has no id. Proving again is then right.
    pub fn open(dir: &Path) -> Result<Self, AuditError> {
        let boot =
            std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map_err(|error| AuditError::Io {
                what: "read",
                path: PathBuf::from("/proc/sys/kernel/random/boot_id"),
                errno: error.raw_os_error().map_or(Errno::EIO, Errno::from_raw),
            })?;
        Ok(Self { folder: open_private(dir)?, path: dir.to_owned(), boot: boot.trim().to_owned() })
    }

    /// Whether this was proved since the machine started.
    pub fn has(&self, what: &[u8]) -> bool {
        self.name(what).is_some_and(|name| {
            openat(self.folder.as_fd(), &name, libc::O_PATH | libc::O_NOFOLLOW, 0).is_ok()
        })
    }

    /// Notes that it is proved, and forgets what earlier boots proved.
    pub fn add(&self, what: &[u8]) {
        let Some(name) = self.name(what) else { return };
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_NOFOLLOW;
        if let Err(errno) = openat(self.folder.as_fd(), &name, flags, 0o600) {
            tracing::debug!("a proof could not be noted: {errno}");
        }
        for entry in std::fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let old = !entry.file_name().to_string_lossy().starts_with(&self.boot);
            if old && let Err(error) = std::fs::remove_file(entry.path()) {
                tracing::debug!("an old proof stays: {error}");
            }
        }
    }

    fn name(&self, what: &[u8]) -> Option<CString> {
        CString::new(format!("{}-{}", self.boot, sha256(what))).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_known_until_the_next_boot() {
        let dir = std::env::temp_dir().join(format!("aisandbox-proved-{}", std::process::id()));
        let proved = Proved::open(&dir).unwrap();
        assert!(!proved.has(b"filter"));
        proved.add(b"filter");
        assert!(proved.has(b"filter") && !proved.has(b"another"));
        let later =
            Proved { boot: "another boot".into(), folder: open_private(&dir).unwrap(), path: dir.clone() };
        assert!(!later.has(b"filter"));
        later.add(b"filter");
        assert!(!proved.has(b"filter"), "what an earlier boot proved is forgotten");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
