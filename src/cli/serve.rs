//! `audit serve`: two processes. This one opens the sockets, records each reading with the device's keys, and reads nothing
//! of a client; the other is confined, reads what clients send, and answers.
//!
//! Never serves before the other half is confined, and ends with it.

use super::args::Serve;
use super::audit::{ask, report};
use super::confine;
use super::output::complain;
use crate::audit::log::{Reading, note_read};
use crate::audit::{AuditError, index, open_private, runs_dir};
use crate::base::Escaped;
use crate::guardian::session::runtime_folder;
use crate::launch::ruleset;
use crate::role;
use crate::server::api::{self, Words};
use crate::sys::signal::{self, SignalSet};
use crate::sys::{Errno, fd, process, socket, spawn};
use crate::wire::codec::{MOST_BYTES, decode, encode};
use crate::wire::serve::{FromServer, ToServer};
use nix::sys::stat::{Mode, umask};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// What is put in words here.
const WORDS: Words = Words { page: report::page, session };

fn session(runs: &Path, run: &str, limit: usize) -> Result<serde_json::Value, AuditError> {
    let answer = ask::last::summary(runs, run, limit)?;
    serde_json::to_value(answer).map_err(|error| AuditError::Encode { why: error.to_string() })
}

/// The confined half: `__serve`.
pub(super) fn run_confined() -> u8 {
    let Ok(socket) = fd::adopt(spawn::SOCKET) else {
        complain("this command is `audit serve`'s own", Some("see aisandbox audit serve --help"));
        return 125;
    };
    let ruleset = fd::adopt(spawn::BESIDE).ok();
    let ready = process::die_with_parent(libc::SIGKILL).and_then(|()| crate::server::set_limits());
    if ready.is_err() || confine::enter_server(ruleset).is_err() {
        return 125;
    }
    api::serve(socket, WORDS)
}

/// Runs `audit serve` until it is ended; gives the exit code.
pub(super) fn run(wish: &Serve) -> u8 {
    match serve(wish) {
        Ok(()) => 0,
        Err(why) => {
            complain(&why, None);
            125
        }
    }
}

fn serve(wish: &Serve) -> Result<(), String> {
    let runs = runs_dir().map_err(|error| error.to_string())?;
    let open = |path: &Path| open_private(path).map_err(|error| error.to_string());
    let state = runs.parent().unwrap_or(&runs);
    let read = [open(&runs)?, open(&state.join("device"))?, open(&state.join("witness"))?];
    let rules =
        ruleset::of_server(&read.each_ref().map(AsFd::as_fd), open(&index::folder_of(&runs))?.as_fd());
    let rules = rules.map_err(|error| format!("Landlock: {error}"))?;
    let place = Place::bind(wish.socket.as_deref())?;
    let far = Far::open(wish)?;
    let started = role::start_server(rules.as_ref().map(AsFd::as_fd));
    let ends = SignalSet::of(&[libc::SIGTERM, libc::SIGINT, libc::SIGHUP]);
    let ends = ends.block().and_then(|_| ends.descriptor()).map_err(|errno| errno.to_string())?;
    let (_, _, half) = started.map_err(|errno| format!("start the half that serves: {errno}"))?;
    let home = std::env::var("HOME").ok().filter(|home| home.starts_with('/'));
    let text = runs.to_str().ok_or("the folder of the logs has no name in UTF-8")?.to_owned();
    let begin = ToServer::Begin { runs: text, home, local: true, tls: far.is_some() };
    let mut with = vec![place.listener.as_fd()];
    with.extend(far.iter().flat_map(|far| far.handed.iter().map(AsFd::as_fd)));
    tell(half.as_fd(), &begin, &with)?;
    let at = Escaped(place.path.as_os_str().as_encoded_bytes()).to_string();
    let at = far.as_ref().map_or_else(|| at.clone(), |far| format!("{at} and https://{}", far.at));
    attend(half.as_fd(), ends.as_fd(), state, &at)
}

/// Answers the half that serves until it ends.
fn attend(half: BorrowedFd<'_>, ends: BorrowedFd<'_>, state: &Path, at: &str) -> Result<(), String> {
    let mut buffer = vec![0; MOST_BYTES];
    loop {
        let mut watched = [signal::wants_reading(Some(half)), signal::wants_reading(Some(ends))];
        signal::poll(&mut watched, -1).map_err(|errno| errno.to_string())?;
        if signal::next(ends).is_ok_and(|ended| ended.is_some()) {
            return Ok(());
        }
        if watched.first().is_none_or(|first| first.revents == 0) {
            continue;
        }
        let (length, _) = socket::receive(half, &mut buffer, true).map_err(|errno| errno.to_string())?;
        if length == 0 {
            return Err("the half that serves ended".to_owned());
        }
        match decode(buffer.get(..length).unwrap_or_default()).map_err(|error| error.to_string())? {
            FromServer::Ready {} => {
                complain(&format!("serving records at {at}"), None);
            }
            FromServer::Failed { why } => return Err(format!("serve: {}", Escaped(why.as_bytes()))),
            FromServer::Note { client, uid, role, form, runs, all } => {
                let uid = uid.unwrap_or_else(|| nix::unistd::geteuid().as_raw());
                let (by, role) = ("serve".to_owned(), Some(role));
                let reading = Reading { by, uid, format: form, runs, all, role, client };
                let answer = match note_read(state, &reading) {
                    Ok(()) => ToServer::Noted {},
                    Err(error) => {
                        complain(&format!("a reading is refused: it cannot be recorded: {error}"), None);
                        ToServer::NotNoted { why: error.to_string() }
                    }
                };
                tell(half, &answer, &[])?;
            }
        }
    }
}

fn tell(half: BorrowedFd<'_>, message: &ToServer, with: &[BorrowedFd<'_>]) -> Result<(), String> {
    let bytes = encode(message).map_err(|error| error.to_string())?;
    let sent = socket::send_with(half, &bytes, with, true);
    sent.map_err(|errno: Errno| format!("tell the half that serves: {errno}"))
}

/// The listener of HTTPS, and the files of it, as they are handed over.
struct Far {
    at: SocketAddr,
    handed: Vec<OwnedFd>,
}

impl Far {
    fn open(wish: &Serve) -> Result<Option<Self>, String> {
        let Some(address) = wish.listen else { return Ok(None) };
        let listener = TcpListener::bind(address).map_err(|error| format!("listen at {address}: {error}"))?;
        let at = listener.local_addr().map_err(|error| error.to_string())?;
        let mut handed = vec![OwnedFd::from(listener)];
        for path in [&wish.cert, &wish.key, &wish.client_ca, &wish.roles].into_iter().flatten() {
            let name = Escaped(path.as_os_str().as_encoded_bytes());
            handed.push(std::fs::File::open(path).map_err(|error| format!("open {name}: {error}"))?.into());
        }
        Ok(Some(Self { at, handed }))
    }
}

/// The local socket, which goes with this.
struct Place {
    listener: OwnedFd,
    path: PathBuf,
    identity: (u64, u64),
}

impl Place {
    /// Binds the socket, mode 0600, in a folder that is this user's alone. One that nobody listens at any more is replaced.
    fn bind(wish: Option<&Path>) -> Result<Self, String> {
        let path = match wish {
            Some(path) => std::path::absolute(path).map_err(|error| error.to_string())?,
            None => {
                let folder =
                    runtime_folder().ok_or("there is no runtime folder of this user's: name a --socket")?;
                folder.join("aisandbox/audit.sock")
            }
        };
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            format!("{what} {}: {error}", Escaped(path.as_os_str().as_encoded_bytes()))
        };
        let folder = path.parent().ok_or("a socket has a folder")?;
        open_private(folder).map_err(|error| error.to_string())?;
        match std::fs::symlink_metadata(&path) {
            Ok(there) if !there.file_type().is_socket() => {
                return Err(failed("replace", &"it is there and no socket"));
            }
            Ok(_) if UnixStream::connect(&path).is_ok() => {
                return Err(failed("listen at", &"somebody does already"));
            }
            Ok(_) => std::fs::remove_file(&path).map_err(|error| failed("replace", &error))?,
            Err(_) => {}
        }
        let before = umask(Mode::from_bits_truncate(0o177));
        let bound = UnixListener::bind(&path);
        umask(before);
        let listener = bound.map_err(|error| failed("listen at", &error))?;
        let facts = std::fs::symlink_metadata(&path).map_err(|error| failed("look at", &error))?;
        let identity = (facts.dev(), facts.ino());
        Ok(Self { listener: listener.into(), path, identity })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let own = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|facts| (facts.dev(), facts.ino()) == self.identity);
        if own && let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!("the socket stays: {error}");
        }
    }
}
