//! execve and execveat: seen, and left to the kernel, since nobody can execute in another's place.
//!
//! Decides nothing: whether a program may run, Landlock, mounts and the filter say, as if the call had not been trapped. What
//! is told is what the caller's memory said at that moment; another thread of its can change that before the kernel reads
//! it again. A caller whose memory cannot be read is refused. What is not there is said so at once.

use super::existing::{self, Found, Wanted};
use super::target::Target;
use super::{Done, Outcome, Request};
use crate::sys::Errno;
use std::os::fd::AsFd;

/// The most arguments that are looked at.
const MOST_ARGUMENTS: usize = 64;
/// The most bytes of them that are kept.
const MOST_BYTES: usize = 4096;
/// The most bytes of one.
const MOST_OF_ONE: usize = 1024;
const POINTER: usize = size_of::<u64>();

pub(super) fn perform(request: &mut Request<'_>, dirfd: i32, path: u64, argv: u64, flags: i32) -> Outcome {
    let path = match request.target.path_or_empty(path) {
        Err(Errno::EPERM) if request.is_the_first_program() => return Ok(Done::Continued),
        path => path?,
    };
    request.is_started();
    request.saw_text(dirfd, &path);
    let no_follow = flags & libc::AT_SYMLINK_NOFOLLOW != 0;
    let found = match path.bytes() {
        [] if flags & libc::AT_EMPTY_PATH != 0 => existing::named_by_number(request, dirfd)?,
        [] => return Err(Errno::ENOENT.into()),
        _ => match existing::find(request, dirfd, &path, Wanted { no_follow, folder: false })? {
            Found::Plain(found) => found,
            Found::Proc(_) => return Err(Errno::EACCES.into()),
        },
    };
    request.saw_found(found.as_fd());
    let pointers = read_pointers(&request.target, argv);
    let count = u32::try_from(pointers.len()).unwrap_or(u32::MAX);
    request.saw_arguments(count, |target, into| read_arguments(target, &pointers, into));
    request.check_waiting()?;
    Ok(Done::Continued)
}

/// Addresses of the arguments, up to the null behind them.
fn read_pointers(target: &Target<'_>, argv: u64) -> Vec<u64> {
    let mut room = [0; POINTER * (MOST_ARGUMENTS + 1)];
    let length = if argv == 0 { 0 } else { target.some_memory(argv, &mut room) };
    let words = room.get(..length).unwrap_or_default().chunks_exact(POINTER);
    let words = words.map(|word| word.try_into().map_or(0, u64::from_ne_bytes));
    words.take_while(|pointer| *pointer != 0).collect()
}

fn read_arguments(target: &Target<'_>, pointers: &[u64], into: &mut Vec<u8>) {
    for pointer in pointers.iter().take(MOST_ARGUMENTS) {
        let mut room = [0; MOST_OF_ONE];
        let length = target.some_memory(*pointer, &mut room);
        let read = room.get(..length).unwrap_or_default();
        let text = read.split(|byte| *byte == 0).next().unwrap_or_default();
        if into.len() + text.len() + 1 > MOST_BYTES {
            return;
        }
        into.extend_from_slice(text);
        into.push(0);
    }
}
