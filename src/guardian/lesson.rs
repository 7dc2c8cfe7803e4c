//! Files that must not leave: before an agent can read a place that is marked as sensitive, role `dlp` knows what is in it.
//!
//! Never reads in the Guardian's loop: a thread reads, as far as bounds go, and sends the content; the role keeps hashes.
//! Where the role is gone nothing is read, and nothing leaves either.

use super::Guardian;
use super::ceiling::Actions;
use super::grant::Lease;
use super::label;
use crate::audit::{Event, access};
use crate::sys::{fd, socket};
use crate::wire::codec::encode;
use crate::wire::dlp::{MOST_CONTENT, ToDlp, head};
use crate::wire::subject::Action;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// How long a lease waits for its lesson. What was not learned by then is not known.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the reading may take.
const READING: Duration = Duration::from_secs(3);
/// The most files of one lesson.
const MOST_FILES: usize = 512;
/// The most names that are looked at for one.
const MOST_NAMES: usize = 8192;
/// The most bytes of one.
const MOST_BYTES: u64 = 32 << 20;
/// The most bytes of one file.
const FILE_BYTES: u64 = 16 << 20;
/// Folders inside each other that are looked into.
const DEEPEST: usize = 6;

/// A lease that waits until what it gives is known.
#[derive(Debug)]
pub(super) struct Lesson {
    request: u64,
    lease: Lease,
    label: String,
    until: Duration,
}

/// Whether what lies at such a place must not leave. What runs at a login is no secret.
pub fn is_confidential(label: &str) -> bool {
    !matches!(label, "" | "startup")
}

impl Guardian {
    /// Puts a lease in force, once what it gives to read is known where that must be.
    pub(super) fn put_in_force_known(&mut self, request: u64, lease: Lease) {
        let reads = lease.actions.has_all(Actions::of(&[Action::Read]));
        let at = lease.at().filter(|_| reads);
        let label = at.map_or("", |at| label::of(Path::new(&at.host)));
        let (Some(at), Some(link)) = (at.filter(|_| is_confidential(label)), &self.roles.dlp) else {
            return self.put_in_force(request, lease);
        };
        let held = fd::duplicate_above(at.object.as_fd(), 3)
            .and_then(|object| Ok((object, fd::duplicate_above(link.descriptor(), 3)?)));
        let lesson = lease.number;
        let name = label.to_owned();
        let started = held.map_err(io::Error::from).and_then(|(object, role)| {
            let thread = std::thread::Builder::new().name("lesson".to_owned());
            thread.spawn(move || {
                if let Err(error) = teach(role.as_fd(), &object, &name, lesson) {
                    tracing::warn!("role dlp could not be taught what a place holds: {error}");
                }
            })
        });
        if let Err(error) = started {
            tracing::warn!("role dlp cannot be taught what a place holds: {error}");
            return self.put_in_force(request, lease);
        }
        let (label, until) = (label.to_owned(), self.now + PATIENCE);
        self.lessons.insert(lesson, Lesson { request, lease, label, until });
    }

    /// Role `dlp` knows what it was taught: files that are known, and files that were left out.
    pub(super) fn learned(&mut self, lesson: u64, (files, left_out): (u32, u32)) {
        let Some(Lesson { request, lease, label, .. }) = self.lessons.remove(&lesson) else { return };
        let grant = lease.id.clone();
        self.recorder.note(&Event::KnownFiles(access::KnownFiles { grant, label, files, left_out }));
        if self.requests.contains_key(&request) {
            return self.put_in_force(request, lease);
        }
        self.record_end(&lease.id, "failed", Vec::new(), "leave");
    }

    /// Role `dlp` is gone: nothing that it reads leaves any more, and nobody waits for it.
    pub(super) fn nobody_learns(&mut self) {
        for lesson in self.lessons.keys().copied().collect::<Vec<_>>() {
            self.learned(lesson, (0, 0));
        }
    }

    /// Lessons that took too long.
    pub(super) fn late_lessons(&mut self) {
        let late = self.lessons.iter().filter(|(_, lesson)| lesson.until <= self.now);
        for lesson in late.map(|(number, _)| *number).collect::<Vec<_>>() {
            tracing::warn!("role dlp was not taught all that a place holds in time");
            self.learned(lesson, (0, 0));
        }
    }

    /// When the next one has taken too long.
    pub(super) fn lesson_due(&self) -> Option<Duration> {
        self.lessons.values().map(|lesson| lesson.until).min()
    }
}

/// Sends what a file holds, or the files below a folder, the smallest first, and the end of the lesson.
/// # Errors
/// When the role is gone, or what is there cannot be looked at.
pub fn teach(role: BorrowedFd<'_>, object: &OwnedFd, label: &str, lesson: u64) -> io::Result<()> {
    let end = Instant::now() + READING;
    let path = PathBuf::from(format!("/proc/self/fd/{}", object.as_raw_fd()));
    let mut found = Found::default();
    if fs::metadata(&path)?.is_dir() {
        found.look(&path, 0, end);
        found.files.sort_unstable();
    } else {
        found.files.push((fs::metadata(&path)?.len(), path));
    }
    let (mut sent, mut bytes) = (0, 0u64);
    for (length, path) in &found.files {
        let fits = *length <= FILE_BYTES && bytes.saturating_add(*length) <= MOST_BYTES;
        if sent >= MOST_FILES || !fits || Instant::now() >= end {
            found.left_out = found.left_out.saturating_add(1);
            continue;
        }
        match open(path) {
            Some(file) => {
                send_file(role, file, label)?;
                (sent, bytes) = (sent + 1, bytes + *length);
            }
            None => found.left_out = found.left_out.saturating_add(1),
        }
    }
    tell(role, &ToDlp::Taught { lesson, left_out: found.left_out })
}

#[derive(Debug, Default)]
struct Found {
    files: Vec<(u64, PathBuf)>,
    names: usize,
    left_out: u32,
}

impl Found {
    fn look(&mut self, folder: &Path, depth: usize, end: Instant) {
        let Ok(entries) = fs::read_dir(folder) else { return self.left_out += 1 };
        for entry in entries.flatten() {
            self.names += 1;
            let kind = entry.file_type().ok();
            if self.names > MOST_NAMES || Instant::now() >= end {
                self.left_out = self.left_out.saturating_add(1);
                return;
            }
            match kind {
                Some(kind) if kind.is_dir() && depth < DEEPEST => self.look(&entry.path(), depth + 1, end),
                Some(kind) if kind.is_dir() => self.left_out = self.left_out.saturating_add(1),
                Some(kind) if kind.is_file() => {
                    let length = entry.metadata().map_or(u64::MAX, |about| about.len());
                    self.files.push((length, entry.path()));
                }
                // A link leads to what is there by its own name, or is not seen inside either.
                _ => {}
            }
        }
    }
}

/// A plain file, which nothing waits for.
fn open(path: &Path) -> Option<File> {
    let below = !path.starts_with("/proc/self/fd") || path.components().count() > 5;
    let flags = libc::O_NONBLOCK | libc::O_CLOEXEC | if below { libc::O_NOFOLLOW } else { 0 };
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    file.metadata().is_ok_and(|about| about.is_file()).then_some(file)
}

fn send_file(role: BorrowedFd<'_>, file: File, label: &str) -> io::Result<()> {
    tell(role, &ToDlp::File { label: label.to_owned() })?;
    let mut file = file.take(FILE_BYTES);
    let mut part = Zeroizing::new(vec![0; MOST_CONTENT / 2]);
    loop {
        // What cannot be read ends here; the part before it is known.
        let count = file.read(&mut part).unwrap_or(0);
        let bytes = part.get(..count).unwrap_or_default();
        let datagram = Zeroizing::new([&head(0, count == 0)[..], bytes].concat());
        socket::send(role, &datagram, None, true).map_err(io::Error::from)?;
        if count == 0 {
            return Ok(());
        }
    }
}

fn tell(role: BorrowedFd<'_>, message: &ToDlp) -> io::Result<()> {
    let bytes = encode(message).map_err(|error| io::Error::other(error.to_string()))?;
    socket::send(role, &bytes, None, true).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::dlp::content;

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
        let thread = std::thread::spawn(move || teach(ours.as_fd(), &object, "keys", 7));
        let (mut files, mut buffer) = (Vec::new(), vec![0; 1 << 17]);
        let told = loop {
            let (length, _) = socket::receive(theirs.as_fd(), &mut buffer, true).unwrap();
            let datagram = &buffer[..length];
            if let Some(part) = content(datagram) {
                *files.last_mut().unwrap() += part.bytes.len();
                continue;
            }
            match crate::wire::codec::decode(datagram).unwrap() {
                ToDlp::File { label } => {
                    assert_eq!(label, "keys");
                    files.push(0);
                }
                other => break other,
            }
        };
        thread.join().unwrap().unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(files, [5, 100_000], "the smallest first, and no link");
        assert_eq!(told, ToDlp::Taught { lesson: 7, left_out: 1 });
    }

    #[test]
    fn what_runs_at_a_login_is_no_secret() {
        assert!(is_confidential("keys") && !is_confidential("") && !is_confidential("startup"));
    }
}
