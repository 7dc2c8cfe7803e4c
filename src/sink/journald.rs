//! The journal of this machine, by its native protocol: a datagram of fields for each event.
//!
//! A message arrived when the journal's socket took it. What is too long for a datagram goes as a sealed file.

use super::message::{Form, Message};
use super::{Deliver, Refused, Trouble};
use crate::audit::export::Format;
use crate::sys::{Errno, sealed, socket};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the journal listens.
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";

/// The way.
pub(super) struct Way {
    place: PathBuf,
    socket: Option<UnixDatagram>,
    form: Form,
    timeout: Duration,
}

impl Way {
    pub(super) fn new(place: &Path, format: Format, timeout: Duration) -> Self {
        let form = Form { format, most: usize::MAX, checkpoint: None };
        Self { place: place.to_owned(), socket: None, form, timeout }
    }

    fn socket(&mut self) -> std::io::Result<&UnixDatagram> {
        match &mut self.socket {
            Some(socket) => Ok(socket),
            none => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(&self.place)?;
                socket.set_write_timeout(Some(self.timeout))?;
                Ok(none.insert(socket))
            }
        }
    }

    fn send(&mut self, message: &Message) -> Result<(), String> {
        let bytes = fields(message);
        let place = self.place.display().to_string();
        let failed = |why: &dyn std::fmt::Display| format!("send to {place}: {why}");
        let socket = self.socket().map_err(|error| failed(&error))?;
        match send(socket.as_fd(), &bytes) {
            Ok(()) => Ok(()),
            Err(errno) => {
                self.socket = None;
                Err(failed(&errno.desc()))
            }
        }
    }
}

fn send(to: BorrowedFd<'_>, bytes: &[u8]) -> Result<(), Errno> {
    match socket::send(to, bytes, None, true) {
        Err(Errno::EMSGSIZE | Errno::ENOBUFS) => {
            let file = sealed::make(c"aisandbox-journal", bytes)?;
            socket::send(to, &[], Some(file.as_fd()), true)
        }
        other => other,
    }
}

/// The fields, each with its length: no value can begin another field.
fn fields(message: &Message) -> Vec<u8> {
    let run = message.id.split(':').next().unwrap_or_default();
    let priority = match message.severity {
        0..=2 => "6",
        3..=4 => "5",
        5..=6 => "4",
        7..=8 => "3",
        _ => "2",
    };
    let mut bytes = Vec::with_capacity(message.text.len() + 256);
    for (name, value) in [
        ("MESSAGE", message.text.as_str()),
        ("PRIORITY", priority),
        ("SYSLOG_IDENTIFIER", "aisandbox"),
        ("AISANDBOX_ID", &message.id),
        ("AISANDBOX_RUN", run),
        ("AISANDBOX_EVENT", &message.event),
        ("AISANDBOX_TIME", &message.time),
    ] {
        bytes.extend(name.as_bytes());
        bytes.push(b'\n');
        bytes.extend((value.len() as u64).to_le_bytes());
        bytes.extend(value.as_bytes());
        bytes.push(b'\n');
    }
    bytes
}

impl Deliver for Way {
    fn form(&self) -> Form {
        self.form
    }

    fn deliver(&mut self, batch: &mut Vec<Message>) -> Result<Vec<Refused>, Trouble> {
        let mut arrived = 0;
        let sent = batch.iter().try_for_each(|message| {
            self.send(message)?;
            arrived += 1;
            Ok(())
        });
        batch.drain(..arrived);
        sent.map(|()| Vec::new()).map_err(|why: String| Trouble::later(why))
    }
}
