//! Where session folders lie: `aisandbox` in the person's runtime folder, or else below the state folder.
//!
//! Never uses a folder that another user owns, that others may enter, or that a link leads to.

use super::SessionError;
use crate::audit;
use crate::sys::{Errno, file};
use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// An open folder that holds session folders.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) folder: File,
    /// It is on a disk, where removing a folder can take milliseconds: the last one is kept for the next run.
    pub(super) keeps_spare: bool,
}

impl Place {
    /// The place for a new run, made where it is missing.
    pub(super) fn make() -> Result<Self, SessionError> {
        match runtime(false) {
            Some((above, path)) => {
                make_folder(&above, c"aisandbox", &path)?;
                Ok(Self { folder: enter(&above, c"aisandbox", &path)?, path, keeps_spare: false })
            }
            None => {
                let path = audit::sessions_dir().map_err(|_| SessionError::NoPlace)?;
                let above = path.parent().ok_or(SessionError::NoPlace)?;
                let above = audit::open_private(above).map_err(|error| surprise(&path, &error))?;
                make_folder(&above, c"sessions", &path)?;
                Ok(Self { folder: enter(&above, c"sessions", &path)?, path, keeps_spare: true })
            }
        }
    }

    /// Every place where a run of this person may be found, as far as it is there. A place that cannot be believed is
    /// given as the reason.
    pub(super) fn all() -> Vec<Result<Self, SessionError>> {
        let mut found = Vec::new();
        if let Some((above, path)) = runtime(true) {
            found.extend(open_existing(&above, c"aisandbox", path));
        }
        if let Ok(path) = audit::sessions_dir()
            && let Some(above) = path.parent().and_then(|above| open_folder(above).ok())
        {
            found.extend(open_existing(&above, c"sessions", path));
        }
        found
    }
}

/// Paths that no view may show, whether they are there or not.
pub fn places() -> Vec<PathBuf> {
    let usual = Some(usual_runtime());
    let mut all: Vec<PathBuf> =
        named_runtime().into_iter().chain(usual).map(|path| path.join("aisandbox")).collect();
    all.extend(audit::sessions_dir());
    all.dedup();
    all
}

fn usual_runtime() -> PathBuf {
    PathBuf::from(format!("/run/user/{}", me()))
}

/// $XDG_RUNTIME_DIR, if it is this user's own and nobody else may write in it.
pub fn runtime_folder() -> Option<PathBuf> {
    own(named_runtime()?).map(|(_, path)| path)
}

fn named_runtime() -> Option<PathBuf> {
    std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute())
}

/// The runtime folder, if it is this user's own, and the path of our folder there. `guess`: where the variable is not
/// set, as in a cron job, the usual one is tried.
fn runtime(guess: bool) -> Option<(File, PathBuf)> {
    let (folder, path) = own(named_runtime().or_else(|| guess.then(usual_runtime))?)?;
    Some((folder, path.join("aisandbox")))
}

/// A folder of this user that nobody else can write in, opened; no link is followed to it.
fn own(path: PathBuf) -> Option<(File, PathBuf)> {
    let folder = open_folder(&path).ok()?;
    let facts = folder.metadata().ok()?;
    (facts.uid() == me() && facts.mode() & 0o022 == 0).then_some((folder, path))
}

/// This user, as files have it.
pub(super) fn me() -> u32 {
    nix::unistd::geteuid().as_raw()
}

fn open_folder(path: &Path) -> Result<File, Errno> {
    let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)?;
    file::open(&name, libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW).map(File::from)
}

fn open_existing(above: &File, name: &std::ffi::CStr, path: PathBuf) -> Option<Result<Place, SessionError>> {
    match enter(above, name, &path) {
        Err(SessionError::Sys { errno: Errno::ENOENT, .. }) => None,
        other => Some(other.map(|folder| Place { path, folder, keeps_spare: false })),
    }
}

pub(super) fn make_folder(above: &File, name: &std::ffi::CStr, path: &Path) -> Result<(), SessionError> {
    match file::mkdirat(above.as_fd(), name, 0o700) {
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(errno) => Err(failed("make the folder", path, errno)),
    }
}

/// Opens a folder of ours by name: no link, owned by this user, closed to all others.
pub(super) fn enter(above: &File, name: &std::ffi::CStr, path: &Path) -> Result<File, SessionError> {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW;
    let folder = match file::openat(above.as_fd(), name, flags, 0) {
        Ok(folder) => File::from(folder),
        Err(Errno::ELOOP | Errno::ENOTDIR) => return Err(surprise(path, &"is no folder, or a link to one")),
        Err(errno) => return Err(failed("open the folder", path, errno)),
    };
    let facts = folder.metadata().map_err(|error| failed("look at", path, errno_of(&error)))?;
    if facts.uid() != me() {
        return Err(surprise(path, &format_args!("belongs to uid {}, not to uid {}", facts.uid(), me())));
    }
    if facts.mode() & 0o077 != 0 {
        let mode = facts.mode() & 0o7777;
        return Err(surprise(path, &format_args!("is open to others (mode {mode:04o})")));
    }
    Ok(folder)
}

/// Opens the folder of a run that was listed, looked at anew.
pub(super) fn enter_again(path: &Path) -> Result<File, SessionError> {
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(SessionError::NoPlace);
    };
    let name = CString::new(name.as_bytes()).map_err(|_| SessionError::NoPlace)?;
    let above = open_folder(above).map_err(|errno| failed("open the folder", above, errno))?;
    enter(&above, &name, path)
}

pub(super) fn surprise(path: &Path, why: &dyn std::fmt::Display) -> SessionError {
    SessionError::Surprise { path: path.to_owned(), why: why.to_string() }
}

pub(super) fn failed(what: &'static str, path: &Path, errno: Errno) -> SessionError {
    SessionError::Sys { what, path: path.to_owned(), errno }
}

pub(super) fn errno_of(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
