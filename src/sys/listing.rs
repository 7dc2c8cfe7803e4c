//! What a folder holds, as getdents64(2) gives it.

use super::{Errno, Sys, checked};
use std::ffi::OsString;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;

/// One name of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The inode number.
    pub inode: u64,
    /// DT_DIR and its relatives; DT_UNKNOWN where the file system does not say.
    pub kind: u8,
    /// The name.
    pub name: OsString,
}

/// All names of an open folder but `.` and `..`, read from where it stands.
/// # Errors
/// As getdents64(2); `EOVERFLOW` for more than `most` names.
pub fn names(folder: BorrowedFd<'_>, most: usize) -> Sys<Vec<Listed>> {
    let mut found = Vec::new();
    let mut buffer = vec![0u8; 32 * 1024];
    loop {
        let (raw, room) = (folder.as_raw_fd(), buffer.len());
        // SAFETY: pointer and length of one buffer, which the kernel fills with whole entries.
        let rc = unsafe { libc::syscall(libc::SYS_getdents64, raw, buffer.as_mut_ptr(), room) };
        let filled = usize::try_from(checked(rc)?).unwrap_or(0);
        if filled == 0 {
            return Ok(found);
        }
        found.extend(parsed(buffer.get(..filled).unwrap_or_default()));
        if found.len() > most {
            return Err(Errno::EOVERFLOW);
        }
    }
}

/// Entries as the kernel lays them out: inode, offset (8 bytes each), length (2), type (1), name with a NUL.
fn parsed(mut entries: &[u8]) -> impl Iterator<Item = Listed> {
    std::iter::from_fn(move || {
        let length = entries.get(16..18).and_then(|two| Some(u16::from_ne_bytes(two.try_into().ok()?)))?;
        let (entry, rest) = entries.split_at_checked(usize::from(length))?;
        entries = rest;
        let inode = u64::from_ne_bytes(entry.get(..8)?.try_into().ok()?);
        let kind = *entry.get(18)?;
        let name: Vec<u8> = entry.get(19..)?.iter().copied().take_while(|byte| *byte != 0).collect();
        Some(Listed { inode, kind, name: OsString::from_vec(name) })
    })
    .filter(|one| one.name != "." && one.name != "..")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_folder_has_the_names_that_were_made_in_it() {
        let folder = std::env::temp_dir().join(format!("aisandbox-listing-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        std::fs::create_dir(folder.join("inside")).unwrap();
        let odd = OsString::from_vec(b"a\n\xff".to_vec());
        std::fs::write(folder.join(&odd), "x").unwrap();
        let open = || std::fs::File::open(&folder).unwrap();
        let mut all = names(open().as_fd(), 2).unwrap();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        let shown: Vec<_> = all.into_iter().map(|one| (one.name, one.kind)).collect();
        assert_eq!(shown, [(odd, libc::DT_REG), ("inside".into(), libc::DT_DIR)]);
        assert_eq!(names(open().as_fd(), 1), Err(Errno::EOVERFLOW));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
