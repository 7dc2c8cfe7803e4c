//! The least that keeps an ask mount alive: attributes of its root, and every touch handed to the test.
//!
//! Numbers as in linux/fuse.h. Serves no file: that is role `files`, with tests of its own.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;

pub(crate) const LOOKUP: u32 = 1;
pub(crate) const OPEN: u32 = 14;
pub(crate) const ACCESS: u32 = 34;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const STATFS: u32 = 17;
/// `ls -l` looks for access lists of the place itself.
const GETXATTR: u32 = 22;
const INIT: u32 = 26;
const INTERRUPT: u32 = 36;
const DESTROY: u32 = 38;
const BATCH_FORGET: u32 = 42;

/// One request that asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Touch {
    pub(crate) entry: u16,
    pub(crate) call: u32,
    pub(crate) pid: u32,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// ESTALE: the kernel walks again.
    Retry,
    /// EACCES.
    Deny,
    /// The device is closed without an answer.
    Die,
}

/// Serves one mount until it is gone or dies.
pub(crate) fn serve(entry: u16, device: OwnedFd, folder: bool, decide: &mut dyn FnMut(Touch) -> Answer) {
    let mut device = File::from(device);
    let mut request = vec![0u8; 1 << 17];
    loop {
        let length = match device.read(&mut request) {
            Ok(length) => length,
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINTR | libc::ENOENT)) => continue,
            Err(_) => return,
        };
        let word = |at: usize| u32::from_ne_bytes(request[at..at + 4].try_into().unwrap());
        assert!(length >= 40);
        let (call, unique, pid) = (word(4), &request[8..16], word(32));
        let (error, body) = match call {
            FORGET | BATCH_FORGET | INTERRUPT | DESTROY => continue,
            INIT => (0, init()),
            GETATTR => (0, attributes(folder)),
            GETXATTR => (libc::ENOSYS, Vec::new()),
            STATFS => (0, vec![0; 80]),
            call => match decide(Touch { entry, call, pid }) {
                Answer::Retry => (libc::ESTALE, Vec::new()),
                Answer::Deny => (libc::EACCES, Vec::new()),
                Answer::Die => return,
            },
        };
        let mut answer = Vec::new();
        answer.extend(u32::try_from(16 + body.len()).unwrap().to_ne_bytes());
        answer.extend((-error).to_ne_bytes());
        answer.extend(unique);
        answer.extend(body);
        drop(device.write(&answer)); // the asker may be gone
    }
}

fn init() -> Vec<u8> {
    let mut body = vec![0; 64];
    body[..4].copy_from_slice(&7u32.to_ne_bytes());
    body[4..8].copy_from_slice(&31u32.to_ne_bytes());
    body[20..24].copy_from_slice(&4096u32.to_ne_bytes()); // max_write
    body
}

fn attributes(folder: bool) -> Vec<u8> {
    let mut body = vec![0; 104];
    let mode = if folder { libc::S_IFDIR | 0o755 } else { libc::S_IFREG | 0o644 };
    body[16..24].copy_from_slice(&1u64.to_ne_bytes()); // inode
    body[76..80].copy_from_slice(&mode.to_ne_bytes());
    body[80..84].copy_from_slice(&1u32.to_ne_bytes()); // links
    body
}
