//! What a caller reaches in /proc by a creating open: its own descriptors (`/dev/stdout`, `/dev/fd/3`,
//! `/proc/self/fd/3`) and two settings of its own. Anything else there is refused.
//!
//! `/proc/self` is init for init. So the folder found is named by its canonical path, and whatever says "init" there
//! is read as "the caller": the worst an agent can gain by it is a descriptor of its own.

use super::resolve::Place;
use super::target::Target;
use super::text::{Text, number};
use crate::sys::{Errno, Sys, name};
use std::os::fd::{AsRawFd, OwnedFd};

/// What a name in /proc is for the caller, as O_PATH.
pub(super) enum Own {
    /// What one of its descriptors names; reached by a magic link.
    Descriptor(OwnedFd),
    /// A file that sets something of the caller.
    Setting(OwnedFd),
}

/// Finds what a place in /proc is for the caller.
/// # Errors
/// `EACCES` for all that is neither; `ENOENT` for a descriptor it does not have.
pub(super) fn find(target: &Target<'_>, place: &Place) -> Sys<Own> {
    let text = Text::<48>::of(format_args!("self/fd/{}", place.parent.as_raw_fd()))?;
    let mut room = [0u8; 256];
    let length = name::read_link(target.proc, text.c(), &mut room)?;
    let path = room.get(..length).unwrap_or_default();
    match (folder_kind(target, path).ok_or(Errno::EACCES)?, place.name.bytes()) {
        (Folder::Descriptors, digits) => {
            let number = number(digits, 10).and_then(|number| i32::try_from(number).ok());
            target.descriptor(number.ok_or(Errno::ENOENT)?).map(Own::Descriptor)
        }
        (Folder::Process, b"comm") => target.own_setting(c"comm").map(Own::Setting),
        (Folder::Process, b"oom_score_adj") => target.own_setting(c"oom_score_adj").map(Own::Setting),
        _ => Err(Errno::EACCES),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Folder {
    Process,
    Descriptors,
}

fn folder_kind(target: &Target<'_>, path: &[u8]) -> Option<Folder> {
    let mut parts = path.strip_prefix(b"/proc/")?.split(|byte| *byte == b'/');
    let is_own =
        |part: &[u8]| number(part, 10).is_some_and(|pid| pid == std::process::id() || target.is_called(pid));
    if !is_own(parts.next()?) {
        return None;
    }
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (None, ..) => Some(Folder::Process),
        (Some(b"fd"), None, ..) => Some(Folder::Descriptors),
        (Some(b"task"), Some(thread), None, _) if is_own(thread) => Some(Folder::Process),
        (Some(b"task"), Some(thread), Some(b"fd"), None) if is_own(thread) => Some(Folder::Descriptors),
        _ => None,
    }
}
