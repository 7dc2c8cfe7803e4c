//! The session folder of one run, from the launcher's side: made, written, and removed at the end.
//!
//! Never reads what lies in it, and removes only names it knows.

use super::SessionError;
use super::place::{Place, enter, errno_of, failed};
use crate::base::RunId;
use crate::sys::{Errno, fd, file, local};
use crate::wire::codec;
use crate::wire::session::RunState;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// All that is ever in a session folder.
const NAMES: [&CStr; 5] = [STATE, NEW_STATE, c"control", c"broker", LOCK];
pub(super) const LOCK: &CStr = c"lock";
pub(super) const STATE: &CStr = c"state.json";
const NEW_STATE: &CStr = c"state.json.new";
/// How the name of a folder begins that is not ready yet.
pub(super) const UNREADY: &str = ".new-";

/// An empty folder that the last run on a disk left for the next one.
const SPARE: &CStr = c".spare";

/// The session folder; dropped, it is gone.
#[derive(Debug)]
pub struct Session {
    keeps_spare: bool,
    above: File,
    name: CString,
    path: PathBuf,
    folder: File,
    /// Held as long as this process, or one that it forked without closing it, lives.
    _lock: File,
}

impl Session {
    /// Makes the folder. It gets its name when the lock is held, so nobody ever sees it without.
    /// # Errors
    /// When the place is not this user's own, or there is something of that name already.
    pub fn make(run: RunId) -> Result<Self, SessionError> {
        Self::make_in(Place::make()?, run)
    }

    pub(super) fn make_in(place: Place, run: RunId) -> Result<Self, SessionError> {
        let Place { path: above_path, folder: above, keeps_spare } = place;
        let (name, path) = (named(&run.to_string()), above_path.join(run.to_string()));
        let unready = named(&format!("{UNREADY}{run}"));
        let spare = keeps_spare && file::renameat(above.as_fd(), SPARE, &unready).is_ok();
        if !spare {
            file::mkdirat(above.as_fd(), &unready, 0o700)
                .map_err(|errno| failed("make the folder", &path, errno))?;
        }
        let folder = enter(&above, &unready, &path)?;
        let lock = match lock(&folder, &path) {
            Ok(lock) => lock,
            Err(error) => {
                remove(&above, &unready, &folder);
                return Err(error);
            }
        };
        if let Err(errno) = file::renameat(above.as_fd(), &unready, &name) {
            remove(&above, &unready, &folder);
            return Err(failed("name the folder", &path, errno));
        }
        Ok(Self { keeps_spare, above, name, path, folder, _lock: lock })
    }

    /// Where it is on the host.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the state, in place of the one before.
    /// # Errors
    /// `ENOSPC`; `EMSGSIZE` for a state that no message could carry.
    pub fn write(&self, state: &RunState) -> Result<(), SessionError> {
        write(&self.folder, &self.path, state)
    }

    /// A way to write the state from another thread.
    /// # Errors
    /// `EMFILE`.
    pub fn state_file(&self) -> Result<StateFile, SessionError> {
        let folder = self.folder.try_clone();
        let folder = folder.map_err(|error| failed("hold", &self.path, errno_of(&error)))?;
        Ok(StateFile { folder, path: self.path.clone() })
    }

    /// Listens for the person's commands.
    /// # Errors
    /// When the name is taken.
    pub fn listen_control(&self) -> Result<OwnedFd, SessionError> {
        self.listen("control")
    }

    /// Listens for agents; the path of the socket, to be shown inside, is `broker` in [`Self::path`].
    /// # Errors
    /// As [`Self::listen_control`].
    pub fn listen_broker(&self) -> Result<OwnedFd, SessionError> {
        self.listen("broker")
    }

    fn listen(&self, name: &str) -> Result<OwnedFd, SessionError> {
        local::listen(self.folder.as_fd(), name)
            .map_err(|errno| failed("listen at", &self.path.join(name), errno))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.keeps_spare {
            empty(&self.folder);
            // Empty, or it is not moved: another's file keeps its place. A spare that is there already is replaced.
            let nothing_left = std::fs::read_dir(&self.path).is_ok_and(|mut inside| inside.next().is_none());
            if nothing_left && file::renameat(self.above.as_fd(), &self.name, SPARE).is_ok() {
                return;
            }
        }
        remove(&self.above, &self.name, &self.folder);
    }
}

/// Writes the state of a run. The folder stays the launcher's.
#[derive(Debug)]
pub struct StateFile {
    folder: File,
    path: PathBuf,
}

impl StateFile {
    /// As [`Session::write`].
    /// # Errors
    /// The same.
    pub fn write(&self, state: &RunState) -> Result<(), SessionError> {
        write(&self.folder, &self.path, state)
    }
}

/// Readers see the old state or the new one, never a part.
fn write(folder: &File, path: &Path, state: &RunState) -> Result<(), SessionError> {
    let failed = |errno| failed("write the state in", path, errno);
    let bytes = shortened(state).ok_or_else(|| failed(Errno::EMSGSIZE))?;
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC | libc::O_NOFOLLOW;
    let mut new = file::openat(folder.as_fd(), NEW_STATE, flags, 0o600).map(File::from).map_err(failed)?;
    new.write_all(&bytes).map_err(|error| failed(errno_of(&error)))?;
    file::renameat(folder.as_fd(), NEW_STATE, STATE).map_err(failed)
}

/// What a state leaves of a message for the reply around it.
const AROUND: usize = 64;

/// A state fits into one message. What is too long loses its oldest refusals; they are in the record.
fn shortened(state: &RunState) -> Option<Vec<u8>> {
    let encode = |state: &RunState| {
        codec::encode(state).ok().filter(|bytes| bytes.len() <= codec::MOST_BYTES - AROUND)
    };
    if let Some(bytes) = encode(state) {
        return Some(bytes);
    }
    let mut shorter = state.clone();
    loop {
        let drop = shorter.denials.len().div_ceil(2);
        shorter.denials.drain(..drop);
        match encode(&shorter) {
            Some(bytes) => return Some(bytes),
            None if shorter.denials.is_empty() => return None,
            None => {}
        }
    }
}

/// Makes the lock and takes it. Somebody who looks at the run that had this folder before may hold it for a moment.
fn lock(folder: &File, path: &Path) -> Result<File, SessionError> {
    let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
    let made = file::openat(folder.as_fd(), LOCK, flags, 0o600);
    let lock = made.map(File::from).map_err(|errno| failed("make the lock in", path, errno))?;
    fd::lock_soon(&lock).map_err(|errno| failed("take the lock in", path, errno))?;
    Ok(lock)
}

/// Removes what we know, then the folder. With anything else in it, it stays.
pub(super) fn remove(above: &File, name: &CStr, folder: &File) {
    empty(folder);
    remove_empty(above, name);
}

/// Removes the folder of this name, if nothing is in it.
pub(super) fn remove_empty(above: &File, name: &CStr) {
    if let Err(errno) = file::unlinkat(above.as_fd(), name, true) {
        tracing::debug!("a session folder stays: {errno}");
    }
}

/// Removes what we know; the lock last, so that the folder is ours until then.
fn empty(folder: &File) {
    for inside in NAMES {
        match file::unlinkat(folder.as_fd(), inside, false) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => tracing::debug!("{inside:?} of a session folder stays: {errno}"),
        }
    }
}

/// A run id, which has no NUL, as C wants it.
pub(super) fn named(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}
