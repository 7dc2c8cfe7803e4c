//! The kernel's end and the Guardian's end of role `files`, without a mount: any bytes can be a FUSE request.
//!
//! Shared with the fuzz target `fuse_request`. Everything between the two ends is the code that the role runs.

use aisandbox::files;
use aisandbox::sys::socket;
use aisandbox::wire::codec;
use aisandbox::wire::files::{FromFiles, Serve, ToFiles, Verdict};
use aisandbox::wire::subject::Action;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Bytes of the header of a request: length, opcode, number, node, who calls.
pub(crate) const HEADER: usize = 40;
/// FUSE_INIT, which comes first.
const INIT: u32 = 26;
/// FUSE_GETATTR, which is answered at once.
const ATTRIBUTES: u32 = 3;
/// The number of the last request.
const LAST: u64 = 1 << 40;
/// O_PATH.
const PATH_ONLY: i32 = 0o10_000_000;

/// What the role answered: requests that were done, and requests that got an errno.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) done: u32,
    pub(crate) failed: u32,
}

/// A request as the kernel sends it.
pub(crate) fn request(opcode: u32, unique: u64, node: u64, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + body.len()).unwrap();
    let mut message = Vec::with_capacity(HEADER + body.len());
    message.extend_from_slice(&length.to_ne_bytes());
    message.extend_from_slice(&opcode.to_ne_bytes());
    message.extend_from_slice(&unique.to_ne_bytes());
    message.extend_from_slice(&node.to_ne_bytes());
    message.extend_from_slice(&[0; HEADER - 24]);
    message.extend_from_slice(body);
    message
}

/// Bytes as requests: an opcode, a node and a length begin each. An opcode of 240 or more sends what follows as it is.
pub(crate) fn cut(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while let [opcode, node, low, high, rest @ ..] = bytes {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        let (body, after) = rest.split_at(length);
        let unique = 10 + 2 * all.len() as u64;
        all.push(match opcode {
            240.. => body.to_vec(),
            _ => request(u32::from(*opcode), unique, u64::from(*node), body),
        });
        bytes = after;
    }
    all
}

/// Serves a folder under a grant to read, append and create, and sends these requests. Nothing else changes.
pub(crate) fn send(requests: &[Vec<u8>]) -> Answered {
    let folder = Folder::new();
    let (role, guardian) = socket::message_pair().unwrap();
    let (device, kernel) = socket::message_pair().unwrap();
    let serving = std::thread::spawn(move || files::serve(role));
    let serve = Some(Serve::Checked {});
    say(&guardian, &ToFiles::Entry { entry: 7, folder: true, uid: 0, gid: 0, serve }, Some(&device));
    drop(device);
    let actions = vec![Action::Read, Action::Append, Action::Create];
    let real = fs::OpenOptions::new().read(true).custom_flags(PATH_ONLY).open(folder.0.join("real"));
    say(&guardian, &ToFiles::Grant { entry: 7, actions, bytes: None }, Some(&real.unwrap().into()));
    let answered = std::thread::scope(|scope| {
        scope.spawn(|| agree(&guardian));
        let counting = scope.spawn(|| count(&kernel));
        let hello = request(INIT, 2, 0, &init());
        let sent = std::iter::once(&hello).chain(requests).filter(|message| !message.is_empty());
        // The session may end at what no kernel sends.
        let _ended =
            sent.map(|message| socket::send(kernel.as_fd(), message, None, true)).find(Result::is_err);
        // Asked again and again: a session that ended meanwhile is closed at the next message.
        let last = request(ATTRIBUTES, LAST, 1, &[0; 16]);
        while !counting.is_finished() && socket::send(kernel.as_fd(), &last, None, true).is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let answered = counting.join().unwrap();
        end(&guardian);
        answered
    });
    assert_eq!(serving.join().unwrap(), 0, "the role itself goes on until its Guardian goes");
    folder.is_unchanged();
    answered
}

/// Version 7.38, read ahead as much as allowed, no abilities.
fn init() -> Vec<u8> {
    let words = [7u32, 38, 1 << 20, 0].into_iter().chain([0; 12]);
    words.flat_map(u32::to_ne_bytes).collect()
}

fn say(guardian: &OwnedFd, message: &ToFiles, descriptor: Option<&OwnedFd>) {
    let bytes = codec::encode(message).unwrap();
    socket::send(guardian.as_fd(), &bytes, descriptor.map(AsFd::as_fd), true).unwrap();
}

fn end(socket: &OwnedFd) {
    drop(UnixStream::from(socket.try_clone().unwrap()).shutdown(std::net::Shutdown::Both));
}

/// Says yes to every touch until the socket closes.
fn agree(guardian: &OwnedFd) {
    let mut buffer = vec![0; codec::MOST_BYTES];
    while let Ok((length @ 1.., _)) = socket::receive(guardian.as_fd(), &mut buffer, true) {
        let told: FromFiles = codec::decode(&buffer[..length]).expect("the role says what can be read");
        if let FromFiles::Touched { touch, .. } = told {
            let bytes = codec::encode(&ToFiles::Decided { touch, verdict: Verdict::Serve {} }).unwrap();
            let _gone = socket::send(guardian.as_fd(), &bytes, None, true);
        }
    }
}

/// Counts answers until the last is there, or the session has ended. An answer is a length, an errno and the number of its request.
fn count(kernel: &OwnedFd) -> Answered {
    let mut buffer = vec![0; 1 << 20];
    let mut answered = Answered::default();
    while let Ok((length @ 1.., _)) = socket::receive(kernel.as_fd(), &mut buffer, true) {
        assert!(length >= 16, "an answer of {length} bytes");
        if buffer[8..16] == LAST.to_ne_bytes() {
            break;
        }
        match buffer[4..8] {
            [0, 0, 0, 0] => answered.done += 1,
            _ => answered.failed += 1,
        }
    }
    answered
}

/// A folder to serve, with a secret beside it and a link that leads there.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let base = std::env::temp_dir().join(format!("aisandbox-kernel-{}-{number}", std::process::id()));
        fs::create_dir_all(base.join("real")).unwrap();
        fs::write(base.join("secret"), "secret").unwrap();
        fs::write(base.join("real/log"), "before").unwrap();
        std::os::unix::fs::symlink("../secret", base.join("real/link")).unwrap();
        Self(base)
    }

    fn is_unchanged(&self) {
        let read = |path: &Path| fs::read(self.0.join(path)).unwrap();
        assert_eq!(read(Path::new("secret")), b"secret");
        assert_eq!(fs::read_dir(&self.0).unwrap().count(), 2, "something was made beside the folder");
        assert!(read(Path::new("real/log")).starts_with(b"before"), "a granted file only grows");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}
