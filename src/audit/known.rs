//! Programs that were answered to be good, so that whoever knows them need not be asked at every start.
//!
//! Never keeps a no, and never an answer of somebody else: the name of an entry is made of who was asked and the content.
//! An entry that is older than the profile allows, from the future or unreadable is none.

use super::AuditError;
use super::private::open_private;
use crate::base::WallTime;
use crate::crypto::sha256;
use crate::sys::file::{openat, unlinkat};
use crate::sys::random::random_bytes;
use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The most entries; beyond it the oldest go.
const MOST: usize = 1024;

/// A folder with one small file for each answer.
#[derive(Debug)]
pub struct KnownGood {
    folder: File,
    path: PathBuf,
    by: String,
    holds: Duration,
}

impl KnownGood {
    /// Opens the folder (mode 0700), making it where missing. `by` says who is asked, and an answer holds so long.
    /// # Errors
    /// When the folder is not the caller's own or others may write to it. Asking each time is then right.
    pub fn open(dir: &Path, by: String, holds: Duration) -> Result<Self, AuditError> {
        Ok(Self { folder: open_private(dir)?, path: dir.to_owned(), by, holds })
    }

    /// Whether this content was answered to be good a short enough time ago.
    pub fn has(&self, digest: &str) -> bool {
        self.age(digest, WallTime::now()).is_some_and(|age| age < self.holds)
    }

    fn age(&self, digest: &str, now: WallTime) -> Option<Duration> {
        let flags = libc::O_RDONLY | libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = openat(self.folder.as_fd(), &self.name(digest)?, flags, 0).ok()?;
        let mut text = String::new();
        File::from(file).take(32).read_to_string(&mut text).ok()?;
        let at: u64 = text.strip_suffix('\n')?.parse().ok()?;
        now.unix_millis().checked_sub(at).map(Duration::from_millis)
    }

    /// Keeps that it was answered to be good now. Trouble is no error: it is asked about again.
    pub fn add(&self, digest: &str) {
        if self.write(digest).is_none() {
            tracing::debug!("the answer about {digest} could not be kept");
        }
        self.forget_oldest();
    }

    /// Writes aside and renames: a reader sees a whole entry or none.
    fn write(&self, digest: &str) -> Option<()> {
        let random = u64::from_le_bytes(random_bytes().ok()?);
        let (name, aside) = (self.name(digest)?, CString::new(format!(".new-{random:016x}")).ok()?);
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
        let mut file = openat(self.folder.as_fd(), &aside, flags, 0o600).map(File::from).ok()?;
        file.write_all(format!("{}\n", WallTime::now().unix_millis()).as_bytes()).ok()?;
        nix::fcntl::renameat(&self.folder, aside.as_c_str(), &self.folder, name.as_c_str()).ok()
    }

    fn forget_oldest(&self) {
        let names: Vec<_> = std::fs::read_dir(&self.path).into_iter().flatten().flatten().collect();
        if names.len() <= MOST {
            return;
        }
        let mut by_age: Vec<_> =
            names.iter().filter_map(|name| Some((name.metadata().ok()?.modified().ok()?, name))).collect();
        by_age.sort_unstable_by_key(|(modified, _)| *modified);
        for (_, entry) in by_age.iter().take(names.len() - MOST * 3 / 4) {
            let Ok(name) = CString::new(entry.file_name().as_encoded_bytes()) else { continue };
            if unlinkat(self.folder.as_fd(), &name, false).is_err() {
                return;
            }
        }
    }

    fn name(&self, digest: &str) -> Option<CString> {
        CString::new(sha256(format!("{}\0{digest}", self.by).as_bytes()).to_string()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_answer_is_kept_for_its_time_its_content_and_who_gave_it() {
        let dir = std::env::temp_dir().join(format!("aisandbox-known-{}", std::process::id()));
        let of =
            |by: &str, seconds| KnownGood::open(&dir, by.to_owned(), Duration::from_secs(seconds)).unwrap();
        let known = of("a", 3600);
        assert!(!known.has("d1"));
        known.add("d1");
        assert!(known.has("d1") && !known.has("d2"));
        assert!(!of("b", 3600).has("d1"), "another was asked");
        assert!(!of("a", 0).has("d1"), "it is too old");
        let name = known.name("d1").unwrap().into_string().unwrap();
        for wrong in ["", "x\n", "99999999999999\n", "1"] {
            std::fs::write(dir.join(&name), wrong).unwrap();
            assert!(!known.has("d1"), "{wrong:?}");
        }
        std::fs::remove_dir_all(dir).unwrap();
    }
}
