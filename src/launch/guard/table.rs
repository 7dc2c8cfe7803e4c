//! The table of guarded folders: each held open, so that its inode can be no other, with the names watched in it.
//!
//! Never looks at a path: a folder is known by device and inode, whichever name led there. The table has one place
//! for each folder of the plan, so nothing an agent does makes it grow.

use super::fold::folds_to;
use super::plan::{GuardPlan, GuardedFolder, GuardedName, NameKind};
use crate::sys::file::{RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, kind_and_identity, openat2};
use crate::sys::{Errno, Sys};
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What is to be made of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Making {
    /// A folder, by mkdir.
    Folder,
    /// Anything else, or anything that is moved or linked there.
    Other,
}

/// What the table says of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may be made.
    Free,
    /// It may be made, and is then a folder of the plan: tell [`Table::made`].
    Way,
    /// It may not be made, for this pattern.
    Denied(u16),
}

struct Held {
    folder: OwnedFd,
    dev: u64,
    ino: u64,
}

pub(super) struct Table {
    folders: Vec<GuardedFolder>,
    held: Vec<Option<Held>>,
}

impl Table {
    /// Opens every folder of the plan that is there now.
    /// # Errors
    /// What opening a folder with a path gives; a way that is not there yet is no error.
    pub(super) fn open(plan: &GuardPlan, root: BorrowedFd<'_>) -> Sys<Self> {
        let held = plan.folders.iter().map(|_| None).collect();
        let mut table = Self { folders: plan.folders.clone(), held };
        for place in 0..table.folders.len() {
            if let Some(path) = table.folders.get(place).and_then(|folder| folder.path.clone()) {
                let folder = open_folder(root, &path, 0)?;
                table.hold(place, folder)?;
            }
            table.open_ways(place)?;
        }
        Ok(table)
    }

    /// Holds the folders that lie in this one already. A symlink there is followed: what it leads to is guarded.
    fn open_ways(&mut self, place: usize) -> Sys<()> {
        let Some(Some(Held { folder, .. })) = self.held.get(place) else { return Ok(()) };
        let mut found = Vec::new();
        for name in self.folders.get(place).iter().flat_map(|folder| &folder.names) {
            if let NameKind::Way(next) = name.kind {
                match open_folder(folder.as_fd(), &name.name, 0) {
                    Ok(below) => found.push((next, below)),
                    Err(Errno::ENOENT | Errno::ENOTDIR) => {}
                    Err(errno) => return Err(errno),
                }
            }
        }
        found.into_iter().try_for_each(|(next, below)| self.hold(next, below))
    }

    fn hold(&mut self, place: usize, folder: OwnedFd) -> Sys<()> {
        let id = kind_and_identity(folder.as_fd())?;
        if let Some(held) = self.held.get_mut(place) {
            *held = Some(Held { folder, dev: id.dev, ino: id.ino });
        }
        Ok(())
    }

    /// What may become of `name` in this folder.
    pub(super) fn judge(&self, folder: BorrowedFd<'_>, name: &[u8], making: Making) -> Sys<Verdict> {
        let mut verdict = Verdict::Free;
        for watched in self.watched(folder, name)? {
            // Another spelling of a way is no way: made after it, it would take its place in the table.
            let exact = watched.name.as_bytes() == name;
            match watched.kind {
                NameKind::Way(_) if exact && making == Making::Folder => verdict = Verdict::Way,
                _ => return Ok(Verdict::Denied(watched.pattern)),
            }
        }
        Ok(verdict)
    }

    /// What the plan says of this name; more than one line when two paths of the plan lead to one folder.
    fn watched<'a>(
        &'a self,
        folder: BorrowedFd<'_>,
        name: &'a [u8],
    ) -> Sys<impl Iterator<Item = &'a GuardedName>> {
        let id = kind_and_identity(folder)?;
        let same = move |held: &Held| held.ino == id.ino && held.dev == id.dev;
        let here = self.held.iter().zip(&self.folders);
        let here = here.filter(move |(held, _)| held.as_ref().is_some_and(&same));
        let names = here.flat_map(|(_, folder)| &folder.names);
        Ok(names.filter(move |known| folds_to(name, known.name.to_bytes())))
    }

    /// Holds the folder that mkdir just made. What held its place before is elsewhere now or gone, and can come
    /// back to the name only by a rename, which is denied.
    pub(super) fn made(&mut self, parent: BorrowedFd<'_>, name: &CStr) -> Sys<()> {
        let ways: Vec<NameKind> =
            self.watched(parent, name.to_bytes())?.map(|watched| watched.kind).collect();
        for way in ways {
            let NameKind::Way(place) = way else { continue };
            match open_folder(parent, name, RESOLVE_NO_SYMLINKS) {
                Ok(folder) => self.hold(place, folder)?,
                // Only rmdir is not ours to see; after it there is nothing to guard.
                Err(Errno::ENOENT) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

fn open_folder(dir: BorrowedFd<'_>, path: &CStr, resolve: u64) -> Sys<OwnedFd> {
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    openat2(dir, path, flags, 0, RESOLVE_NO_MAGICLINKS | resolve)
}

#[cfg(test)]
mod tests {
    use super::super::plan::Missing;
    use super::*;
    use crate::base::InnerPath;
    use crate::sys::file::open;
    use std::path::PathBuf;

    fn plan(folder: &str, below: &str) -> GuardPlan {
        let folder = InnerPath::new(folder).unwrap();
        GuardPlan::from_missing(&[Missing { folder, below: PathBuf::from(below), pattern: 7 }])
    }

    #[test]
    fn a_folder_that_cannot_be_opened_stops_the_guard() {
        let root = open(c"/", libc::O_PATH).unwrap();
        assert_eq!(Table::open(&plan("/missing/folder", "x"), root.as_fd()).err(), Some(Errno::ENOENT));
        assert!(Table::open(&plan("/", "missing/folder"), root.as_fd()).is_ok());
    }

    #[test]
    fn a_way_is_for_mkdir_only_and_a_name_elsewhere_is_free() {
        let root = open(c"/", libc::O_PATH).unwrap();
        let elsewhere = open(c"/proc", libc::O_PATH).unwrap();
        let table = Table::open(&plan("/", "way/x"), root.as_fd()).unwrap();
        assert_eq!(table.judge(root.as_fd(), b"way", Making::Folder), Ok(Verdict::Way));
        assert_eq!(table.judge(root.as_fd(), b"way", Making::Other), Ok(Verdict::Denied(7)));
        assert_eq!(table.judge(root.as_fd(), b"WAY", Making::Folder), Ok(Verdict::Denied(7)));
        assert_eq!(table.judge(elsewhere.as_fd(), b"way", Making::Other), Ok(Verdict::Free));
    }
}
