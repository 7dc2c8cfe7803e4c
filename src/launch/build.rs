//! Building the view in the child: a new root on tmpfs, each step by descriptor, then the pivot.
//!
//! Never follows a symlink below the new root, and makes names only in what is ours (the plan saw to that). Runs
//! between clone and exec: no allocation.

use super::child::{At, Staged, entry_failure, pivot};
use super::classic;
use super::message::Message;
use super::ready::{Ready, ReadyAct, ReadyStep};
use super::stage::Stage;
use crate::sys::mount::{self, attr};
use crate::sys::{Errno, Sys, fd, file, socket};
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The most the new root itself holds: folders, links and the bytes of `file` entries.
const ROOT_SIZE: &CStr = c"67108864";
const ROOT_MODE: &CStr = c"755";
const EMPTY_FILE: &CStr = c".empty-file";
const EMPTY_FOLDER: &CStr = c".empty-folder";
pub(super) const DATA: &CStr = c".data";

/// Builds the view and enters it; the old root is gone afterwards.
pub(super) fn new_root(ready: &Ready) -> Staged<()> {
    if ready.classic_mounts {
        return classic::new_root(ready);
    }
    let old = file::open(c"/", libc::O_PATH | libc::O_DIRECTORY).at(Stage::NewRoot)?;
    mount::make_private(old.as_fd()).at(Stage::NewRoot)?;
    let parameters = [(c"size", Some(ROOT_SIZE)), (c"mode", Some(ROOT_MODE))];
    let root = mount::new_filesystem(c"tmpfs", &parameters, attr::NOSUID | attr::NODEV).at(Stage::NewRoot)?;
    mount::attach(root.as_fd(), old.as_fd()).at(Stage::NewRoot)?;
    let covers = make_covers(root.as_fd()).at(Stage::NewRoot)?;
    let site = Site { root: root.as_fd(), old: old.as_fd(), covers, control: ready.control.as_fd() };
    for step in &ready.steps {
        site.carry_out(step).map_err(entry_failure(Stage::Entry, step.entry))?;
    }
    remove_covers(root.as_fd()).at(Stage::NewRoot)?;
    file::enter_folder(root.as_fd()).at(Stage::Pivot)?;
    pivot().at(Stage::Pivot)?;
    mount::set_attributes(root.as_fd(), attr::RDONLY, false).at(Stage::SealRoot)
}

/// What masks are made of.
pub(super) struct Covers {
    file: OwnedFd,
    folder: OwnedFd,
}

impl Covers {
    pub(super) fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    pub(super) fn folder(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}

/// Makes the empty file and the empty folder; nobody can read, enter or write them.
pub(super) fn make_covers(root: BorrowedFd<'_>) -> Sys<Covers> {
    file::openat(root, EMPTY_FILE, libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY, 0o444)?;
    file::mkdirat(root, EMPTY_FOLDER, 0o555)?;
    Ok(Covers {
        file: file::open_beneath(root, EMPTY_FILE)?,
        folder: file::open_beneath(root, EMPTY_FOLDER)?,
    })
}

/// Takes their names away; mounts of them stay.
pub(super) fn remove_covers(root: BorrowedFd<'_>) -> Sys<()> {
    file::unlinkat(root, EMPTY_FILE, false)?;
    file::unlinkat(root, EMPTY_FOLDER, true)
}

struct Site<'a> {
    root: BorrowedFd<'a>,
    old: BorrowedFd<'a>,
    covers: Covers,
    control: BorrowedFd<'a>,
}

impl Site<'_> {
    fn carry_out(&self, step: &ReadyStep) -> Sys<()> {
        match &step.act {
            ReadyAct::Folder => make_folder(self.root, &step.at),
            ReadyAct::EmptyFile => make_empty_file(self.root, &step.at),
            ReadyAct::Symlink(target) => make_symlink(self.root, &step.at, target),
            ReadyAct::Bind { source, dev, ino, attributes, .. } => {
                let tree = mount::clone_tree(self.old, relative(source), true)?;
                check_same(tree.as_fd(), *dev, *ino)?;
                mount::set_attributes(tree.as_fd(), *attributes, true)?;
                self.put(tree, &step.at)
            }
            ReadyAct::Filesystem { kind, parameters, attributes, .. } => {
                self.put(new_filesystem(kind, parameters, *attributes)?, &step.at)
            }
            ReadyAct::Data(bytes) => {
                make_data(self.root, bytes)?;
                let tree = mount::clone_tree(self.root, DATA, false)?;
                self.cover(tree, &step.at)?;
                file::unlinkat(self.root, DATA, false) // only now: an unlinked file cannot be attached (ENOENT)
            }
            ReadyAct::Ask { number, folder } => {
                let device = mount::open_fuse_device()?;
                let asks = mount::new_fuse(device.as_fd(), *folder, attr::NOSUID | attr::NODEV)?;
                self.put(asks, &step.at)?;
                socket::send(self.control, &Message::Ask(*number).to_bytes(), Some(device.as_fd()), true)
            }
            ReadyAct::MaskFolder => {
                self.cover(mount::clone_tree(self.covers.folder(), c"", false)?, &step.at)
            }
            ReadyAct::MaskFile(optional) => {
                let tree = mount::clone_tree(self.covers.file(), c"", false)?;
                if_there(self.cover(tree, &step.at), *optional)
            }
            ReadyAct::ReadOnlyIfThere => match file::open_beneath(self.root, &step.at) {
                Err(Errno::ENOENT) => Ok(()),
                Err(errno) => Err(errno),
                Ok(there) => self.cover(mount::clone_tree(there.as_fd(), c"", true)?, &step.at),
            },
        }
    }

    fn cover(&self, tree: OwnedFd, at: &CStr) -> Sys<()> {
        let read_only = attr::RDONLY | attr::NOSUID | attr::NODEV | attr::NOEXEC;
        mount::set_attributes(tree.as_fd(), read_only, true)?;
        self.put(tree, at)
    }

    fn put(&self, tree: OwnedFd, at: &CStr) -> Sys<()> {
        let target = file::open_beneath(self.root, at)?;
        mount::attach(tree.as_fd(), target.as_fd())
    }
}

/// Nothing to cover is no failure, where the step says so.
pub(super) fn if_there(done: Sys<()>, optional: bool) -> Sys<()> {
    match done {
        Err(Errno::ENOENT) if optional => Ok(()),
        other => other,
    }
}

/// A canonical path without its first slash, to be walked from the old root's descriptor.
fn relative(path: &CStr) -> &CStr {
    let bytes = path.to_bytes_with_nul();
    match bytes {
        [b'/', rest @ ..] if rest.len() > 1 => CStr::from_bytes_with_nul(rest).unwrap_or(c"."),
        _ => c".",
    }
}

/// The object is the one the plan saw: it was held open since, so its inode number means no other file.
pub(super) fn check_same(fd: BorrowedFd<'_>, dev: u64, ino: u64) -> Sys<()> {
    let found = file::kind_and_identity(fd)?;
    if (found.dev, found.ino) == (dev, ino) { Ok(()) } else { Err(Errno::ESTALE) }
}

fn new_filesystem(
    kind: &CStr,
    parameters: &[(&'static CStr, std::ffi::CString)],
    attributes: u64,
) -> Sys<OwnedFd> {
    let empty: mount::Parameter<'_> = (c"", None);
    let mut list = [empty; 4];
    let room = list.get_mut(..parameters.len()).ok_or(Errno::E2BIG)?;
    for (slot, (key, value)) in room.iter_mut().zip(parameters) {
        *slot = (key, Some(value));
    }
    mount::new_filesystem(kind, room, attributes)
}

/// Splits the last component off and opens the folder that holds it. `last` gets the name.
fn holder<'a>(root: BorrowedFd<'_>, at: &'a CStr, above: &mut [u8; 4096]) -> Sys<(OwnedFd, &'a CStr)> {
    let bytes = at.to_bytes_with_nul();
    let Some(slash) = at.to_bytes().iter().rposition(|byte| *byte == b'/') else {
        return Ok((file::open_beneath(root, c".")?, at));
    };
    let (folder, name) = (bytes.get(..slash), bytes.get(slash + 1..));
    let (folder, name) = (folder.ok_or(Errno::EINVAL)?, name.ok_or(Errno::EINVAL)?);
    above.get_mut(..slash).ok_or(Errno::ENAMETOOLONG)?.copy_from_slice(folder);
    *above.get_mut(slash).ok_or(Errno::ENAMETOOLONG)? = 0;
    let folder = CStr::from_bytes_until_nul(above).map_err(|_| Errno::EINVAL)?;
    let name = CStr::from_bytes_with_nul(name).map_err(|_| Errno::EINVAL)?;
    Ok((file::open_beneath(root, folder)?, name))
}

/// mkdir beneath the new root; one that is there already serves as well.
pub(super) fn make_folder(root: BorrowedFd<'_>, at: &CStr) -> Sys<()> {
    let (folder, name) = holder(root, at, &mut [0; 4096])?;
    match file::mkdirat(folder.as_fd(), name, 0o755) {
        Err(Errno::EEXIST) => Ok(()),
        other => other,
    }
}

/// An empty file beneath the new root.
pub(super) fn make_empty_file(root: BorrowedFd<'_>, at: &CStr) -> Sys<()> {
    let (folder, name) = holder(root, at, &mut [0; 4096])?;
    match file::openat(folder.as_fd(), name, libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY, 0o444) {
        Err(Errno::EEXIST) => Ok(()),
        other => other.map(drop),
    }
}

/// A symlink beneath the new root.
pub(super) fn make_symlink(root: BorrowedFd<'_>, at: &CStr, target: &CStr) -> Sys<()> {
    let (folder, name) = holder(root, at, &mut [0; 4096])?;
    file::symlinkat(target, folder.as_fd(), name)
}

/// A file with these bytes, under a name that is taken away again once it is mounted.
pub(super) fn make_data(root: BorrowedFd<'_>, bytes: &[u8]) -> Sys<()> {
    let data = file::openat(root, DATA, libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY, 0o444)?;
    fd::write_all(data.as_fd(), bytes)
}
