//! The private folder of a run without namespaces: HOME and TMPDIR of the command, gone when the run ends.
//!
//! Made new, with a mode that only its owner passes; a name that exists already stops the launch.

use crate::base::{HostPath, RunId};
use crate::guardian::session::runtime_folder;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

/// The folder; dropped, it is removed with all that is in it.
#[derive(Debug)]
pub(super) struct PrivateFolder(HostPath);

impl PrivateFolder {
    /// Makes it in $XDG_RUNTIME_DIR, or else in /tmp.
    pub(super) fn make(run: RunId) -> Result<Self, String> {
        let path = runtime_folder().unwrap_or_else(|| "/tmp".into()).join(format!("aisandbox-{run}"));
        let failed = |why: &dyn std::fmt::Display| {
            format!(
                "make the private folder {}: {why}",
                crate::base::escape(path.as_os_str().as_encoded_bytes())
            )
        };
        let host = HostPath::new(&path).map_err(|why| failed(&why))?;
        DirBuilder::new().mode(0o700).create(&path).map_err(|why| failed(&why))?;
        Ok(Self(host))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &HostPath {
        &self.0
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        let place = self.0.as_path();
        let removed = fs::remove_dir_all(place).or_else(|_| {
            open_up(place)?;
            fs::remove_dir_all(place)
        });
        if let Err(error) = removed {
            tracing::warn!("the private folder {} stays: {error}", self.0);
        }
    }
}

/// Gives the owner back what the command took away from folders. Nobody of the run lives any more.
fn open_up(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}
