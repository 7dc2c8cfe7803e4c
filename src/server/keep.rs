//! A small file that is always the old one or the new one, whatever happens between.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Makes a folder of ours (0700) with those above it.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Puts bytes at a path, in a folder that is made where it is missing; both are on the disk when this returns.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    make(folder)?;
    crate::audit::replace(path, bytes)?;
    File::open(folder)?.sync_all()
}
