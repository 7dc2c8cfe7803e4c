//! The role: takes bundles and questions from a socket, and answers.
//!
//! Never opens a file: a bundle comes as a descriptor. A bundle that cannot be used changes nothing: the last good one of
//! its name stays. Memory has a limit; when it is reached the process ends, and then every answer is no.

use super::archive::{self, TOTAL_BYTES};
use super::bundle::{Bundle, Trust};
use super::set::PolicySet;
use super::verdict::Level;
use crate::sys::limits::{Resource, lower};
use crate::sys::{Errno, Sys, file, socket};
use crate::wire::codec::{MOST_BYTES, decode, encode};
use crate::wire::policy::{FromPolicy, ToPolicy};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The most private memory of the role, bytes.
pub const MEMORY_BYTES: u64 = 256 << 20;
/// The most bundles of a run.
const MOST_BUNDLES: usize = 64;

/// Bounds the memory of this process. The role calls it before its filter forbids it.
/// # Errors
/// As setrlimit(2).
pub fn limit_memory() -> Sys<()> {
    lower(Resource::Data, MEMORY_BYTES)
}

/// Serves until the socket closes; gives the exit code.
pub fn serve(socket: OwnedFd) -> u8 {
    match answer_all(socket.as_fd()) {
        Ok(()) => 0,
        Err(_) => 125,
    }
}

fn answer_all(socket: BorrowedFd<'_>) -> Sys<()> {
    let mut set = PolicySet::default();
    let mut buffer = vec![0; MOST_BYTES];
    loop {
        let (length, descriptor) = socket::receive(socket, &mut buffer, true)?;
        let bytes = buffer.get(..length).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(());
        }
        // The Guardian speaks; what it never says means that something is badly wrong.
        let message = decode(bytes).map_err(|_| Errno::EBADMSG)?;
        let answer = answer(&mut set, message, descriptor);
        let bytes = encode(&answer).map_err(|_| Errno::EMSGSIZE)?;
        socket::send(socket, &bytes, None, true)?;
    }
}

fn answer(set: &mut PolicySet, message: ToPolicy, descriptor: Option<OwnedFd>) -> FromPolicy {
    match message {
        ToPolicy::Decide { id, input } => FromPolicy::Decided { id, decision: Box::new(set.decide(&input)) },
        ToPolicy::Load { level, name, signed, keys } => {
            let trust = Trust { required: signed, keys };
            match load(set, &level, &name, &trust, descriptor) {
                Ok(revision) => FromPolicy::Loaded { revision },
                Err(why) => {
                    let why = super::verdict::cut(&crate::base::escape(why.as_bytes()), 4000);
                    FromPolicy::NotLoaded { error: format!("policy {name}: {why}") }
                }
            }
        }
    }
}

fn load(
    set: &mut PolicySet,
    level: &str,
    name: &str,
    trust: &Trust,
    descriptor: Option<OwnedFd>,
) -> Result<String, String> {
    let level = Level::of(level).ok_or_else(|| format!("no level is called {level}"))?;
    let descriptor = descriptor.ok_or("the message carried no descriptor")?;
    let known = set.bundles().any(|(at, bundle)| at == level && bundle.name == name);
    if !known && set.bundles().count() >= MOST_BUNDLES {
        return Err(format!("more than {MOST_BUNDLES} bundles"));
    }
    let members = archive::unpack(&read_all(descriptor.as_fd())?)?;
    let bundle = Bundle::read(name, &members, trust, false)?;
    let revision = bundle.manifest.revision.clone();
    set.put(level, bundle);
    Ok(revision)
}

/// The bytes of a regular file, whatever its position is.
fn read_all(descriptor: BorrowedFd<'_>) -> Result<Vec<u8>, String> {
    let failed = |errno: Errno| format!("cannot be read: {errno}");
    let kind = file::kind_and_identity(descriptor).map_err(failed)?.mode & libc::S_IFMT;
    if kind != libc::S_IFREG {
        return Err("is no plain file".into());
    }
    let mut bytes = Vec::new();
    let mut part = vec![0; 1 << 16];
    while bytes.len() as u64 <= TOTAL_BYTES {
        let offset = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        match nix::sys::uio::pread(descriptor, &mut part, offset) {
            Ok(0) => return Ok(bytes),
            Ok(count) => bytes.extend_from_slice(part.get(..count).unwrap_or_default()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(failed(errno)),
        }
    }
    Err(format!("has more than {TOTAL_BYTES} bytes"))
}
