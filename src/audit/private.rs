//! Folders that belong to the caller alone, where records and the digest cache lie.
//!
//! Never changes the mode of a folder that exists: a wrong one is an error that says so.

use super::AuditError;
use crate::sys::Errno;
use crate::sys::file::openat;
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Opens a folder of ours, made with its parents (mode 0700) where missing. It must be the caller's own and closed
/// to everyone else's writing; the folder above it too, since who may write there can put another in its place.
/// # Errors
/// [`AuditError::NotPrivate`] says what is wrong with it.
pub fn open_private(path: &Path) -> Result<File, AuditError> {
    let failed = |errno| AuditError::Io { what: "open the folder", path: path.to_owned(), errno };
    let dir = match open_folder(path) {
        Err(Errno::ENOENT) => {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
            made.map_err(|error| AuditError::io("make the folder", path, &error))?;
            open_folder(path)
        }
        other => other,
    };
    let dir = dir.map_err(failed)?;
    let above =
        openat(dir.as_fd(), c"..", libc::O_PATH | libc::O_DIRECTORY, 0).map(File::from).map_err(failed)?;
    check_owner(path, &dir)?;
    check_above(path, &above)?;
    Ok(dir)
}

/// Puts bytes at a path (mode 0600): the old ones stand until the new ones are on the disk. The name itself is on the disk
/// when the folder is synced, which is for who needs it.
/// # Errors
/// As write(2), fsync(2) and rename(2): `ENOSPC` when the disk is full.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    let mut file = options.open(&new)?;
    file.write_all(bytes).and_then(|()| file.sync_all())?;
    std::fs::rename(&new, path)
}

fn open_folder(path: &Path) -> Result<File, Errno> {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW;
    let name = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).map_err(|_| Errno::EINVAL)?;
    crate::sys::file::open(&name, flags).map(File::from)
}

fn facts(path: &Path, dir: &File) -> Result<Metadata, AuditError> {
    dir.metadata().map_err(|error| AuditError::io("look at the folder", path, &error))
}

fn check_owner(path: &Path, dir: &File) -> Result<(), AuditError> {
    let (facts, me) = (facts(path, dir)?, nix::unistd::geteuid().as_raw());
    if facts.uid() != me {
        return Err(not_private(path, format!("belongs to uid {}, not to uid {me}", facts.uid())));
    }
    if facts.mode() & 0o022 != 0 {
        return Err(not_private(
            path,
            format!("others may write to it (mode {:04o})", facts.mode() & 0o7777),
        ));
    }
    Ok(())
}

fn check_above(path: &Path, above: &File) -> Result<(), AuditError> {
    let facts = facts(path, above)?;
    let sticky = facts.mode() & libc::S_ISVTX != 0;
    let owners = [0, nix::unistd::geteuid().as_raw()];
    if !owners.contains(&facts.uid()) || (facts.mode() & 0o022 != 0 && !sticky) {
        let why = format!(
            "others may replace it (the folder above has uid {}, mode {:04o})",
            facts.uid(),
            facts.mode() & 0o7777
        );
        return Err(not_private(path, why));
    }
    Ok(())
}

fn not_private(path: &Path, why: String) -> AuditError {
    AuditError::NotPrivate { path: path.to_owned(), why }
}

/// `$XDG_STATE_HOME/aisandbox/runs`: the logs, one for each run.
/// # Errors
/// When neither the variable nor a home folder is known.
pub fn runs_dir() -> Result<PathBuf, AuditError> {
    place("XDG_STATE_HOME", ".local/state", "aisandbox/runs")
}

/// `$XDG_STATE_HOME/aisandbox/keys`: the keys of this device. No view shows it.
/// # Errors
/// As [`runs_dir`].
pub fn keys_dir() -> Result<PathBuf, AuditError> {
    place("XDG_STATE_HOME", ".local/state", "aisandbox/keys")
}

/// A file of the user's settings: `$XDG_CONFIG_HOME/aisandbox/NAME`.
/// # Errors
/// As [`runs_dir`].
pub fn settings(name: &str) -> Result<PathBuf, AuditError> {
    Ok(place("XDG_CONFIG_HOME", ".config", "aisandbox")?.join(name))
}

/// `$XDG_STATE_HOME/aisandbox/forward`: how far each sink has the records.
/// # Errors
/// As [`runs_dir`].
pub fn forward_dir() -> Result<PathBuf, AuditError> {
    place("XDG_STATE_HOME", ".local/state", "aisandbox/forward")
}

/// `$XDG_STATE_HOME/aisandbox/sessions`: where runs are found while they live, if there is no runtime folder.
/// # Errors
/// As [`runs_dir`].
pub fn sessions_dir() -> Result<PathBuf, AuditError> {
    place("XDG_STATE_HOME", ".local/state", "aisandbox/sessions")
}

/// `$XDG_CACHE_HOME/aisandbox/digests`: digests of files that have not changed since.
/// # Errors
/// As [`runs_dir`].
pub fn digests_dir() -> Result<PathBuf, AuditError> {
    place("XDG_CACHE_HOME", ".cache", "aisandbox/digests")
}

/// `$XDG_CACHE_HOME/aisandbox/proved`: what was proved since the machine started.
/// # Errors
/// As [`runs_dir`].
pub fn proved_dir() -> Result<PathBuf, AuditError> {
    place("XDG_CACHE_HOME", ".cache", "aisandbox/proved")
}

/// `$XDG_CACHE_HOME/aisandbox/reputation`: programs that were answered to be good.
/// # Errors
/// As [`runs_dir`].
pub fn reputation_dir() -> Result<PathBuf, AuditError> {
    place("XDG_CACHE_HOME", ".cache", "aisandbox/reputation")
}

/// Makes our folders where they are missing, so that a view planned afterwards can protect them. A cache that cannot
/// be is gone without; the logs are needed.
/// # Errors
/// When the logs' folder cannot be made, is not the caller's own, or others may write to it.
pub fn make_folders() -> Result<(), AuditError> {
    for dir in [digests_dir(), proved_dir()] {
        if let Err(error) = dir.and_then(|dir| open_private(&dir)) {
            tracing::debug!("no cache: {error}");
        }
    }
    open_private(&keys_dir()?)?;
    open_private(&runs_dir()?).map(drop)
}

/// A relative value of a variable counts as unset, as the XDG base directory specification wants it.
fn place(variable: &'static str, below_home: &str, tail: &str) -> Result<PathBuf, AuditError> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute(variable)
        .or_else(|| absolute("HOME").or_else(account_home).map(|home| home.join(below_home)));
    base.map(|base| base.join(tail)).ok_or(AuditError::NoHome { variable })
}

fn account_home() -> Option<PathBuf> {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten()?;
    Some(user.dir).filter(|dir| dir.is_absolute())
}
