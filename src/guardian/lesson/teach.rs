//! What lies at a place, sent to role `dlp` by its teaching socket.
//!
//! Never waits without an end: not for a file, not for the role. Never follows a link out of the place.

use crate::sys::{Errno, signal, socket};
use crate::wire::codec::encode;
use crate::wire::dlp::{MOST_CONTENT, ToDlp, head};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// How long the reading may take.
const READING: Duration = Duration::from_secs(10);
/// How long the role may take for one message.
const HEARING: Duration = Duration::from_secs(10);
/// The most files of one lesson.
const MOST_FILES: usize = 512;
/// The most names that are looked at for one; more are counted.
const MOST_NAMES: usize = 8192;
/// The most bytes of one.
const MOST_BYTES: u64 = 32 << 20;
/// The most bytes of one file.
const FILE_BYTES: u64 = 16 << 20;
/// Folders inside each other that are looked into.
const DEEPEST: usize = 6;

/// What became of the files of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Files that were left out because of what they are: too large, too many, too deep, or not to be read by us either.
    pub left_out: u32,
    /// Nothing was left out for want of time.
    pub whole: bool,
}

/// Sends what a file holds, or the files below a folder, the smallest first.
/// # Errors
/// When the role is gone or does not read. It may have half a file then, and must be told nothing more.
pub fn files(role: BorrowedFd<'_>, object: &OwnedFd, label: &str) -> io::Result<Sent> {
    let end = Instant::now() + READING;
    let path = PathBuf::from(format!("/proc/self/fd/{}", object.as_raw_fd()));
    let mut found = Found { end, files: Vec::new(), names: 0, left_out: 0, whole: true };
    match fs::metadata(&path) {
        Ok(about) if about.is_dir() => found.look(&path, 0),
        Ok(about) => found.files.push((about.len(), path)),
        Err(_) => found.whole = false,
    }
    found.files.sort_unstable();
    let (mut sent, mut bytes) = (0, 0u64);
    for (length, path) in std::mem::take(&mut found.files) {
        let fits = length <= FILE_BYTES && bytes.saturating_add(length) <= MOST_BYTES;
        let file = if sent < MOST_FILES && fits && found.has_time() { open(&path) } else { None };
        match file {
            Some(file) => {
                found.send(role, file, label)?;
                (sent, bytes) = (sent + 1, bytes + length);
            }
            None => found.left_out = found.left_out.saturating_add(1),
        }
    }
    Ok(Sent { left_out: found.left_out, whole: found.whole })
}

/// Says that the lesson is over.
/// # Errors
/// As [`files`].
pub fn end(role: BorrowedFd<'_>, lesson: u64, left_out: u32) -> io::Result<()> {
    tell(role, &ToDlp::Taught { lesson, left_out })
}

#[derive(Debug)]
struct Found {
    end: Instant,
    files: Vec<(u64, PathBuf)>,
    names: usize,
    left_out: u32,
    whole: bool,
}

impl Found {
    /// Whether there is time left; without it nothing is whole.
    fn has_time(&mut self) -> bool {
        self.whole &= Instant::now() < self.end;
        self.whole
    }

    fn look(&mut self, folder: &Path, depth: usize) {
        let Ok(entries) = fs::read_dir(folder) else { return self.left_out += 1 };
        for entry in entries.flatten() {
            if !self.has_time() {
                return;
            }
            self.names += 1;
            let fits = self.names <= MOST_NAMES;
            match entry.file_type().ok() {
                Some(kind) if kind.is_dir() && fits && depth < DEEPEST => self.look(&entry.path(), depth + 1),
                Some(kind) if kind.is_file() && fits => {
                    let length = entry.metadata().map_or(u64::MAX, |about| about.len());
                    self.files.push((length, entry.path()));
                }
                Some(kind) if kind.is_dir() || kind.is_file() => {
                    self.left_out = self.left_out.saturating_add(1);
                }
                // A link leads to what is there by its own name, or is not seen inside either.
                _ => {}
            }
        }
    }

    fn send(&mut self, role: BorrowedFd<'_>, file: File, label: &str) -> io::Result<()> {
        tell(role, &ToDlp::File { label: label.to_owned() })?;
        let mut file = file.take(FILE_BYTES);
        let mut part = Zeroizing::new(vec![0; MOST_CONTENT / 2]);
        loop {
            // What cannot be read ends here; the part before it is known.
            let count = if self.has_time() { file.read(&mut part).unwrap_or(0) } else { 0 };
            let bytes = part.get(..count).unwrap_or_default();
            let datagram = Zeroizing::new([&head(0, count == 0)[..], bytes].concat());
            send(role, &datagram)?;
            if count == 0 {
                return Ok(());
            }
        }
    }
}

/// A plain file, which nothing waits for. What is none is not opened: a pipe or a device would notice.
fn open(path: &Path) -> Option<File> {
    let below = !path.starts_with("/proc/self/fd") || path.components().count() > 5;
    if !fs::metadata(path).is_ok_and(|about| about.is_file()) {
        return None;
    }
    let flags = libc::O_NONBLOCK | libc::O_CLOEXEC | if below { libc::O_NOFOLLOW } else { 0 };
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    file.metadata().is_ok_and(|about| about.is_file()).then_some(file)
}

fn tell(role: BorrowedFd<'_>, message: &ToDlp) -> io::Result<()> {
    send(role, &encode(message).map_err(|error| io::Error::other(error.to_string()))?)
}

/// Waits for a role that hashes what it has; one that reads no more is given up.
fn send(role: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<()> {
    let end = Instant::now() + HEARING;
    loop {
        match socket::send(role, bytes, None, false) {
            Err(Errno::EAGAIN) => {}
            sent => return sent.map_err(io::Error::from),
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        let mut waits = [libc::pollfd { events: libc::POLLOUT, ..signal::wants_reading(Some(role)) }];
        signal::poll(&mut waits, signal::poll_time(left))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::dlp::content;
    use std::os::fd::AsFd;

    #[test]
    fn a_folder_is_taught_file_by_file_within_its_bounds() {
        let folder = std::env::temp_dir().join(format!("aisandbox-lesson-{}", std::process::id()));
        fs::create_dir_all(folder.join("deep")).unwrap();
        fs::write(folder.join("long"), vec![b'x'; 100_000]).unwrap();
        fs::write(folder.join("deep/short"), "short").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.join("link")).unwrap();
        File::create(folder.join("huge")).unwrap().set_len(FILE_BYTES + 1).unwrap();
        let object: OwnedFd = File::open(&folder).unwrap().into();
        let (ours, theirs) = socket::message_pair().unwrap();
        let thread = std::thread::spawn(move || {
            let sent = files(ours.as_fd(), &object, "keys")?;
            end(ours.as_fd(), 7, sent.left_out).map(|()| sent)
        });
        let (mut heard, mut buffer) = (Vec::new(), vec![0; 1 << 17]);
        let told = loop {
            let (length, _) = socket::receive(theirs.as_fd(), &mut buffer, true).unwrap();
            let datagram = &buffer[..length];
            if let Some(part) = content(datagram) {
                *heard.last_mut().unwrap() += part.bytes.len();
                continue;
            }
            match crate::wire::codec::decode(datagram).unwrap() {
                ToDlp::File { label } => {
                    assert_eq!(label, "keys");
                    heard.push(0);
                }
                other => break other,
            }
        };
        let sent = thread.join().unwrap().unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(heard, [5, 100_000], "the smallest first, and no link");
        assert_eq!(told, ToDlp::Taught { lesson: 7, left_out: 1 });
        assert_eq!(sent, Sent { left_out: 1, whole: true });
    }

    /// What is sent of a place, as counted by a role that hashes nothing.
    fn sent(object: OwnedFd) -> (Sent, usize) {
        let (ours, theirs) = socket::message_pair().unwrap();
        let thread = std::thread::spawn(move || files(ours.as_fd(), &object, "keys").unwrap());
        let (mut heard, mut buffer) = (0, vec![0; 1 << 17]);
        while let Ok((length @ 1.., _)) = socket::receive(theirs.as_fd(), &mut buffer, true) {
            heard += usize::from(content(&buffer[..length]).is_none());
        }
        (thread.join().unwrap(), heard)
    }

    #[test]
    fn of_a_place_with_far_too_many_files_the_rest_is_counted_and_a_pipe_is_not_waited_for() {
        let folder = std::env::temp_dir().join(format!("aisandbox-lesson-many-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let count = MOST_NAMES + 100;
        (0..count).for_each(|at| fs::write(folder.join(at.to_string()), "x").unwrap());
        let pipe = folder.join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let (told, heard) = sent(File::open(&folder).unwrap().into());
        assert_eq!((told.left_out as usize, told.whole, heard), (count - MOST_FILES, true, MOST_FILES));
        let object = crate::sys::file::open(c"/dev/null", libc::O_PATH).unwrap();
        assert_eq!(sent(object), (Sent { left_out: 1, whole: true }, 0), "no file, so nothing to know");
        let path = std::ffi::CString::new(pipe.to_str().unwrap()).unwrap();
        let object = crate::sys::file::open(&path, libc::O_PATH).unwrap();
        assert_eq!(sent(object), (Sent { left_out: 1, whole: true }, 0), "nor is a pipe");
        fs::remove_dir_all(&folder).unwrap();
    }
}
