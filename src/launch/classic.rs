//! Building the view with mount(2), for kernels and filters without the mount API by descriptor (Linux before 5.12).
//!
//! The same steps as `build`. Descriptors become paths through /proc/self/fd, so a path is still looked up once; each
//! submount gets its flags by a remount of its own, from the table the launcher laid out. No allocation.

use super::build::{self, Covers};
use super::child::{At, Staged, entry_failure, pivot};
use super::ready::{Ready, ReadyAct, ReadyStep};
use super::stage::Stage;
use crate::sys::mount::{self, attr};
use crate::sys::{Errno, Sys, file};
use std::ffi::CStr;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Builds the view and enters it.
pub(super) fn new_root(ready: &Ready) -> Staged<()> {
    // Not MS_SLAVE: what the host mounts later would appear inside, without our flags.
    let private = libc::MS_PRIVATE | libc::MS_REC;
    mount::classic(c"none", c"/", None, private, None).at(Stage::NewRoot)?;
    let flags = libc::MS_NOSUID | libc::MS_NODEV;
    mount::classic(c"tmpfs", c"/", Some(c"tmpfs"), flags, Some(c"size=64m,mode=755")).at(Stage::NewRoot)?;
    // The working root is still below the new mount; `/..` of a fresh lookup reaches its top.
    let root = file::open(c"/..", libc::O_PATH | libc::O_DIRECTORY).at(Stage::NewRoot)?;
    let covers = build::make_covers(root.as_fd()).at(Stage::NewRoot)?;
    for step in &ready.steps {
        carry_out(root.as_fd(), &covers, step).map_err(entry_failure(Stage::Entry, step.entry))?;
    }
    build::remove_covers(root.as_fd()).at(Stage::NewRoot)?;
    file::enter_folder(root.as_fd()).at(Stage::Pivot)?;
    pivot().at(Stage::Pivot)?;
    let sealed = libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY | flags;
    mount::classic(c"none", c"/", None, sealed, None).at(Stage::SealRoot)
}

fn carry_out(root: BorrowedFd<'_>, covers: &Covers, step: &ReadyStep) -> Sys<()> {
    let read_only = attr::RDONLY | attr::NOSUID | attr::NODEV | attr::NOEXEC;
    match &step.act {
        ReadyAct::Folder => build::make_folder(root, &step.at),
        ReadyAct::EmptyFile => build::make_empty_file(root, &step.at),
        ReadyAct::Symlink(target) => build::make_symlink(root, &step.at, target),
        ReadyAct::Bind { source, dev, ino, remounts, .. } => {
            let object = file::open(source, libc::O_PATH | libc::O_NOFOLLOW)?;
            build::check_same(object.as_fd(), *dev, *ino)?;
            let at = attach(root, object.as_fd(), &step.at)?;
            remounts.iter().try_for_each(|(below, flags)| remount_below(at.as_fd(), below, *flags))
        }
        ReadyAct::Filesystem { kind, data, attributes, .. } => {
            let target = file::open_beneath(root, &step.at)?;
            let data = if data.is_empty() { None } else { Some(data.as_c_str()) };
            mount::classic(
                kind,
                Name::of(target.as_fd()).as_c(),
                Some(kind),
                classic_flags(*attributes),
                data,
            )
        }
        ReadyAct::Data(bytes) => {
            build::make_data(root, bytes)?;
            let data = file::open_beneath(root, build::DATA)?;
            bind(root, data.as_fd(), &step.at, read_only)?;
            file::unlinkat(root, build::DATA, false)
        }
        ReadyAct::Ask { .. } => Err(Errno::ENOSYS), // the plan has none without the mount API
        ReadyAct::MaskFolder => bind(root, covers.folder(), &step.at, read_only),
        ReadyAct::MaskFile(optional) => {
            build::if_there(bind(root, covers.file(), &step.at, read_only), *optional)
        }
        ReadyAct::ReadOnlyIfThere => match file::open_beneath(root, &step.at) {
            Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno),
            Ok(there) => bind(root, there.as_fd(), &step.at, read_only),
        },
    }
}

/// One mount of a tree that was attached. One that cannot be found is covered by another, and stays so: nobody inside
/// can take mounts away.
fn remount_below(at: BorrowedFd<'_>, below: &CStr, flags: u64) -> Sys<()> {
    if below == c"." {
        return remount(at, flags); // it may be a file, which has no `.`
    }
    match file::open_beneath(at, below) {
        Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(()),
        Err(errno) => Err(errno),
        Ok(submount) => remount(submount.as_fd(), flags),
    }
}

fn bind(root: BorrowedFd<'_>, object: BorrowedFd<'_>, at: &CStr, attributes: u64) -> Sys<()> {
    let mounted = attach(root, object, at)?;
    remount(mounted.as_fd(), classic_flags(attributes))
}

/// Attaches an object, with all mounted below it, and gives the top of what is attached.
fn attach(root: BorrowedFd<'_>, object: BorrowedFd<'_>, at: &CStr) -> Sys<OwnedFd> {
    let target = file::open_beneath(root, at)?;
    let flags = libc::MS_BIND | libc::MS_REC;
    mount::classic(Name::of(object).as_c(), Name::of(target.as_fd()).as_c(), None, flags, None)?;
    // `target` still means what is underneath; a new lookup finds the mount.
    file::open_beneath(root, at)
}

fn remount(mounted: BorrowedFd<'_>, flags: u64) -> Sys<()> {
    let flags = libc::MS_REMOUNT | libc::MS_BIND | flags;
    mount::classic(c"none", Name::of(mounted).as_c(), None, flags, None)
}

/// The flags of mount(2) for attributes of mount_setattr(2).
pub(super) fn classic_flags(attributes: u64) -> u64 {
    [
        (attr::RDONLY, libc::MS_RDONLY),
        (attr::NOSUID, libc::MS_NOSUID),
        (attr::NODEV, libc::MS_NODEV),
        (attr::NOEXEC, libc::MS_NOEXEC),
    ]
    .iter()
    .filter(|(attribute, _)| attributes & attribute != 0)
    .fold(0, |flags, (_, flag)| flags | flag)
}

/// `/proc/self/fd/N`, on the stack.
struct Name([u8; 32]);

impl Name {
    fn of(fd: BorrowedFd<'_>) -> Self {
        let mut text = [0; 32];
        let written = write!(text.as_mut_slice(), "/proc/self/fd/{}\0", fd.as_raw_fd());
        // 32 bytes hold the longest number; were they too few, the empty path would name nothing and fail.
        if written.is_err() { Self([0; 32]) } else { Self(text) }
    }

    fn as_c(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or(c"")
    }
}
