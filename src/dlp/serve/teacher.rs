//! The socket by which files become known while streams are served: the content comes as bytes, since the role opens
//! nothing and waits for no disk.
//!
//! Never keeps content longer than until its pieces are hashed. Never goes on without its teacher, or after nonsense of it:
//! then what must not leave would not be known, and the process ends.

use super::setup::FILE_BYTES;
use crate::dlp::exact::Known;
use crate::sys::{Errno, Sys, socket};
use crate::wire::codec::{MOST_BYTES, decode, encode};
use crate::wire::dlp::{FromDlp, ToDlp, content};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, PoisonError, RwLock};
use zeroize::Zeroizing;

/// The most messages that are heard before streams are served again.
const MOST_AT_ONCE: usize = 16;

/// Who teaches, and what of a file came so far.
pub(super) struct Teacher {
    socket: Option<OwnedFd>,
    known: Arc<RwLock<Known>>,
    file: Option<File>,
    learned: u32,
    left_out: u32,
}

struct File {
    label: String,
    bytes: Zeroizing<Vec<u8>>,
    too_large: bool,
}

impl Teacher {
    /// With the socket, if there is one.
    pub(super) fn new(socket: Option<OwnedFd>, known: Arc<RwLock<Known>>) -> Self {
        Self { socket, known, file: None, learned: 0, left_out: 0 }
    }

    /// What is to be waited for.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// Hears what is there.
    /// # Errors
    /// `EPIPE` when nobody teaches any more, `EBADMSG` for what makes no sense.
    pub(super) fn hear(&mut self) -> Sys<()> {
        let mut buffer = Zeroizing::new(vec![0; MOST_BYTES]);
        for _ in 0..MOST_AT_ONCE {
            if !self.hear_one(&mut buffer)? {
                break;
            }
        }
        Ok(())
    }

    fn hear_one(&mut self, buffer: &mut [u8]) -> Sys<bool> {
        let Some(socket) = &self.socket else { return Ok(false) };
        let length = match socket::receive(socket.as_fd(), buffer, false) {
            Ok((0, _)) => return Err(Errno::EPIPE),
            Ok((length, None)) => length,
            Ok((_, Some(_))) => return Err(Errno::EBADMSG),
            Err(Errno::EAGAIN) => return Ok(false),
            Err(errno) => return Err(errno),
        };
        let datagram = buffer.get(..length).unwrap_or_default();
        if datagram.first() == Some(&0) {
            let part = content(datagram).ok_or(Errno::EBADMSG)?;
            self.part(part.bytes, part.last)?;
            return Ok(true);
        }
        match decode(datagram).map_err(|_| Errno::EBADMSG)? {
            ToDlp::File { label } if self.file.is_none() => {
                self.file = Some(File { label, bytes: Zeroizing::new(Vec::new()), too_large: false });
            }
            ToDlp::Taught { lesson, left_out } if self.file.is_none() => {
                let left_out = std::mem::take(&mut self.left_out).saturating_add(left_out);
                let files = std::mem::take(&mut self.learned);
                let told = encode(&FromDlp::Learned { lesson, files, left_out });
                let told = told.map_err(|_| Errno::EMSGSIZE)?;
                socket::send(socket.as_fd(), &told, None, false)?;
            }
            _ => return Err(Errno::EBADMSG),
        }
        Ok(true)
    }

    fn part(&mut self, bytes: &[u8], last: bool) -> Sys<()> {
        let file = self.file.as_mut().ok_or(Errno::EBADMSG)?;
        file.too_large |= file.bytes.len() + bytes.len() > FILE_BYTES;
        if !file.too_large {
            file.bytes.extend_from_slice(bytes);
        }
        if last && let Some(file) = self.file.take() {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            let added = !file.too_large && known.add_file(&file.label, &file.bytes).is_ok();
            self.learned += u32::from(added);
            self.left_out += u32::from(!added);
        }
        Ok(())
    }
}
