//! Whether the files of a log are those that were read: a digest of their names, sizes, times and numbers.
//!
//! Never opens a file, and is no proof: it saves a reading, and who can set the clock or write to the disk itself can
//! keep it. `audit verify` reads.

use crate::crypto::sha256_parts;
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The stamp of a folder.
pub(in crate::audit) fn of(folder: &Path) -> io::Result<Vec<u8>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        match entry.metadata() {
            Ok(facts) => files.push((entry.file_name(), facts)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    files.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    let parts: Vec<[u8; 48]> = files.iter().map(|(_, facts)| numbers(facts)).collect();
    let mut all: Vec<&[u8]> = Vec::new();
    for ((name, _), numbers) in files.iter().zip(&parts) {
        all.extend([name.as_bytes(), b"\0", numbers]);
    }
    Ok(sha256_parts(&all).bytes().to_vec())
}

fn numbers(facts: &Metadata) -> [u8; 48] {
    let fields = [
        facts.dev().cast_signed(),
        facts.ino().cast_signed(),
        facts.len().cast_signed(),
        facts.mtime().wrapping_mul(1_000_000_000).wrapping_add(facts.mtime_nsec()),
        facts.ctime(),
        facts.ctime_nsec(),
    ];
    let mut bytes = [0; 48];
    for (to, field) in bytes.chunks_exact_mut(8).zip(fields) {
        to.copy_from_slice(&field.to_be_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_changes_with_each_change_of_a_file_and_not_by_reading() {
        let dir = std::env::temp_dir().join(format!("aisandbox-stamp-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        let mut seen = vec![of(&dir).unwrap()];
        let mut changed = |what: &str| {
            let now = of(&dir).unwrap();
            assert!(!seen.contains(&now), "{what}");
            seen.push(now);
        };
        std::fs::write(dir.join("a"), "1").unwrap();
        changed("a file more");
        std::fs::write(dir.join("a"), "12").unwrap();
        changed("a longer file");
        std::fs::rename(dir.join("a"), dir.join("b")).unwrap();
        changed("another name");
        let before = of(&dir).unwrap();
        std::fs::read(dir.join("b")).unwrap();
        assert_eq!(of(&dir).unwrap(), before);
        std::fs::remove_dir_all(dir).unwrap();
    }
}
