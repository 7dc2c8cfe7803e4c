//! The runs of a person that live now, found by their folders.
//!
//! Never believes a folder: its owner, its lock and its state are looked at each time. A folder without a holder is
//! removed here, by the one who gets its lock.

use super::SessionError;
use super::folder::{LOCK, STATE, UNREADY, named, remove, remove_empty};
use super::place::{Place, enter, errno_of, failed, me, surprise};
use crate::base::{RunId, WallTime};
use crate::sys::{Errno, file};
use crate::wire::codec;
use crate::wire::session::RunState;
use std::fs::{File, TryLockError};
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A folder that is still being made is younger than this, milliseconds.
const MAKING_MS: u64 = 60_000;
/// Folders a launch looks at for what dead runs left; the rest is found by `ps`.
const SOME: usize = 4;

/// A run that lives. It holds no descriptor: a thousand of them must fit into any limit of open files.
#[derive(Debug)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// What it shows.
    pub state: RunState,
    pub(super) path: PathBuf,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Listed {
    /// Runs, oldest first. One that has not written a state yet is left out.
    pub runs: Vec<Run>,
    /// What looks like a run and cannot be believed.
    pub odd: Vec<SessionError>,
    /// Folders of runs that had ended without removing them; they are gone now.
    pub cleaned: usize,
}

/// Lists the runs of this user.
pub fn list() -> Listed {
    list_in(Place::all())
}

pub(super) fn list_in(places: Vec<Result<Place, SessionError>>) -> Listed {
    let mut listed = Listed::default();
    for place in places {
        match place.and_then(|place| Ok((names(&place)?, place))) {
            Ok((names, place)) => names.iter().for_each(|name| listed.take(&place, name)),
            Err(error) => listed.odd.push(error),
        }
    }
    listed.runs.sort_by_key(|run| run.id);
    listed
}

/// Looks at a few folders and removes those of dead runs: cheap enough for every launch. `near` spreads the choice.
pub fn clean_some(near: RunId) {
    for place in Place::all().into_iter().flatten() {
        let Ok(names) = names(&place) else { continue };
        let last = near.to_string().bytes().last().map_or(0, usize::from);
        let first = last % names.len().max(1);
        for name in names.iter().cycle().skip(first).take(SOME.min(names.len())) {
            match look(&place, name) {
                Ok(Found::Dead) => tracing::info!("removed what run {name} had left"),
                Ok(Found::Run(_) | Found::Starting) => {}
                Err(error) => tracing::debug!("{error}"),
            }
        }
    }
}

/// Names of runs, and of what may become one. Nothing else is ours to look at.
fn names(place: &Place) -> Result<Vec<String>, SessionError> {
    let failed = |error: &std::io::Error| failed("read the folder", &place.path, errno_of(error));
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&place.path).map_err(|error| failed(&error))? {
        let name = entry.map_err(|error| failed(&error))?.file_name();
        names.extend(name.to_str().filter(|name| run_of(name).is_some()).map(str::to_owned));
    }
    Ok(names)
}

fn run_of(name: &str) -> Option<RunId> {
    RunId::from_str(name.strip_prefix(UNREADY).unwrap_or(name)).ok()
}

impl Listed {
    fn take(&mut self, place: &Place, name: &str) {
        match look(place, name) {
            Ok(Found::Run(run)) => self.runs.push(*run),
            Ok(Found::Dead) => self.cleaned += 1,
            Ok(Found::Starting) => {}
            Err(error) => self.odd.push(error),
        }
    }
}

enum Found {
    Run(Box<Run>),
    /// It has no state yet, or is being removed.
    Starting,
    /// It was removed.
    Dead,
}

fn look(place: &Place, name: &str) -> Result<Found, SessionError> {
    let path = place.path.join(name);
    let Some(id) = run_of(name) else { return Ok(Found::Starting) };
    // What is being made is not touched: the lock in it is about to be taken by its launcher.
    if name.starts_with(UNREADY) && is_young(id) {
        return Ok(Found::Starting);
    }
    let folder = match enter(&place.folder, &named(name), &path) {
        Err(SessionError::Sys { errno: Errno::ENOENT, .. }) => return Ok(Found::Starting),
        other => other?,
    };
    let flags = libc::O_RDWR | libc::O_NOFOLLOW;
    let lock = match file::openat(folder.as_fd(), LOCK, flags, 0) {
        Ok(lock) => Some(File::from(lock)),
        Err(Errno::ENOENT) => None,
        Err(errno) => return Err(failed("open the lock of", &path, errno)),
    };
    match lock.as_ref().map(File::try_lock) {
        Some(Err(TryLockError::WouldBlock)) => {}
        Some(Err(TryLockError::Error(error))) => {
            return Err(failed("try the lock of", &path, errno_of(&error)));
        }
        // The launcher ended since the names were read, and its folder may be another run's by now.
        Some(Ok(())) if !is_still(place, name, &folder) => return Ok(Found::Starting),
        Some(Ok(())) => {
            remove(&place.folder, &named(name), &folder);
            return Ok(Found::Dead);
        }
        // Only its name is touched: the folder behind it may be another run's by now.
        None => {
            remove_empty(&place.folder, &named(name));
            return Ok(Found::Dead);
        }
    }
    if name.starts_with(UNREADY) {
        return Ok(Found::Starting);
    }
    match read(&folder, &path)? {
        Some(state) if state.run == name && state.version == 1 => {
            Ok(Found::Run(Box::new(Run { id, state, path })))
        }
        Some(_) => Err(surprise(&path, &"state.json is of another run or another version")),
        None => Ok(Found::Starting),
    }
}

/// The name still leads to this folder. It does not change while the lock in it is held by us: only a launcher that
/// lives, and holds it, gives its folder away.
fn is_still(place: &Place, name: &str, folder: &File) -> bool {
    let flags = libc::O_PATH | libc::O_NOFOLLOW;
    let named = file::openat(place.folder.as_fd(), &named(name), flags, 0);
    let identity = |fd: BorrowedFd<'_>| file::kind_and_identity(fd).map(|found| (found.dev, found.ino));
    named.and_then(|named| identity(named.as_fd())).is_ok_and(|found| Ok(found) == identity(folder.as_fd()))
}

fn is_young(id: RunId) -> bool {
    WallTime::now().unix_millis().saturating_sub(id.unix_millis()) < MAKING_MS
}

fn read(folder: &File, path: &Path) -> Result<Option<RunState>, SessionError> {
    let flags = libc::O_RDONLY | libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let state = match file::openat(folder.as_fd(), STATE, flags, 0) {
        Ok(state) => File::from(state),
        Err(Errno::ENOENT) => return Ok(None),
        Err(errno) => return Err(failed("open the state in", path, errno)),
    };
    let look = |error: &std::io::Error| failed("read the state in", path, errno_of(error));
    let facts = state.metadata().map_err(|error| look(&error))?;
    if !facts.is_file() || facts.uid() != me() {
        return Err(surprise(path, &"state.json is no file of this user"));
    }
    let most = codec::MOST_BYTES as u64;
    if facts.len() > most {
        return Err(surprise(
            path,
            &format_args!("state.json has {} bytes; {most} is the most", facts.len()),
        ));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(facts.len()).unwrap_or(0));
    state.take(most + 1).read_to_end(&mut bytes).map_err(|error| look(&error))?;
    codec::decode(&bytes).map(Some).map_err(|error| surprise(path, &format_args!("state.json: {error}")))
}
