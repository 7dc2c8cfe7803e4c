//! What the digest cache keeps, and what it must never give.

use super::*;
use crate::crypto::sha256;
use std::fs;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::time::{Duration, SystemTime};

/// A private folder, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("aisandbox-cache-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        Self(path)
    }

    fn cache(&self) -> DigestCache {
        DigestCache::open(&self.0.join("digests")).unwrap()
    }

    /// Entries of the cache, without those still being written.
    fn entries(&self) -> usize {
        fs::read_dir(self.0.join("digests")).unwrap().count()
    }

    fn file(&self, bytes: &[u8]) -> PathBuf {
        let path = self.0.join("program");
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// The cache holds to honest file systems only; elsewhere these tests can prove nothing.
fn honest_or_skip(place: &Place) -> bool {
    let honest = has_honest_times(File::open(&place.0).unwrap().as_fd());
    assert!(
        honest || std::env::var_os("AISANDBOX_MUST_RUN").is_none(),
        "{} is on another file system",
        place.0.display()
    );
    if !honest {
        eprintln!("skipped: {} is on a file system the cache does not trust", place.0.display());
    }
    honest
}

fn wait_until_old() {
    std::thread::sleep(Duration::from_millis(2_100));
}

#[test]
fn a_file_that_rested_is_remembered_and_a_changed_one_is_read_again() {
    let place = Place::new("rested");
    if !honest_or_skip(&place) {
        return;
    }
    let (cache, path) = (place.cache(), place.file(b"one"));
    wait_until_old();
    assert_eq!(cache.digest_of(File::open(&path).unwrap().as_fd()).unwrap(), sha256(b"one"));
    assert_eq!(place.entries(), 1);
    let entry = fs::read_dir(place.0.join("digests")).unwrap().next().unwrap().unwrap().path();
    fs::write(&entry, format!("{}\n", sha256(b"planted"))).unwrap();
    let file = File::open(&path).unwrap();
    assert_eq!(
        cache.digest_of(file.as_fd()).unwrap(),
        sha256(b"planted"),
        "the control: it is the cache that answers"
    );
    let modified = file.metadata().unwrap().modified().unwrap();
    fs::write(&path, b"two").unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    assert_eq!(cache.digest_of(File::open(&path).unwrap().as_fd()).unwrap(), sha256(b"two"));
}

#[test]
fn a_file_changed_just_now_or_open_for_writing_is_not_remembered() {
    let place = Place::new("fresh");
    let (cache, path) = (place.cache(), place.file(b"one"));
    cache.digest_of(File::open(&path).unwrap().as_fd()).unwrap();
    assert_eq!(place.entries(), 0);
    let writer = File::options().write(true).open(&path).unwrap();
    wait_until_old();
    cache.digest_of(File::open(&path).unwrap().as_fd()).unwrap();
    assert_eq!(place.entries(), 0);
    writer.write_all_at(b"two", 0).unwrap();
    assert_eq!(cache.digest_of(File::open(&path).unwrap().as_fd()).unwrap(), sha256(b"two"));
}

#[test]
fn an_entry_with_bad_content_is_written_anew() {
    let place = Place::new("bad");
    if !honest_or_skip(&place) {
        return;
    }
    let (cache, path) = (place.cache(), place.file(b"one"));
    wait_until_old();
    let digest = || cache.digest_of(File::open(&path).unwrap().as_fd()).unwrap();
    digest();
    let entry = fs::read_dir(place.0.join("digests")).unwrap().next().unwrap().unwrap().path();
    for bad in ["", "x\n", &format!("{}\n\n", sha256(b"other"))] {
        fs::write(&entry, bad).unwrap();
        assert_eq!(digest(), sha256(b"one"));
        assert_eq!(fs::read_to_string(&entry).unwrap(), format!("{}\n", sha256(b"one")));
    }
}

#[test]
fn the_oldest_entries_go_when_there_are_too_many() {
    let place = Place::new("bound");
    let cache = place.cache();
    let start = SystemTime::UNIX_EPOCH;
    for number in 0..=MAX_ENTRIES as u64 {
        let path = place.0.join("digests").join(format!("{number:x}"));
        let file = File::options().write(true).create_new(true).mode(0o600).open(path).unwrap();
        file.set_modified(start + Duration::from_secs(number)).unwrap();
    }
    cache.forget_oldest();
    assert_eq!(place.entries(), MAX_ENTRIES * 3 / 4);
    assert!(!place.0.join("digests/0").exists() && place.0.join("digests/200").exists());
}

#[test]
fn a_folder_others_may_write_to_is_refused() {
    let place = Place::new("open");
    place.cache();
    for (folder, mode) in [("digests", 0o770), ("", 0o777)] {
        let folder = place.0.join(folder);
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
        let refused = DigestCache::open(&place.0.join("digests"));
        assert!(matches!(refused, Err(AuditError::NotPrivate { .. })), "{refused:?}");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    }
}
