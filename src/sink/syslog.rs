//! Syslog: RFC 5424 over TLS with octet counting (RFC 5425).
//!
//! The protocol has no confirmation. A batch counts as arrived when the other side's kernel has all of it and the
//! connection still stands; checkpoints among the messages let the other side prove what it lacks.

use super::config::Syslog;
use super::message::{Form, Message};
use super::tls::{Connection, Peer};
use super::{Deliver, Refused, Trouble};
use std::io::Write;
use std::time::Duration;

/// The greatest sequenceId (RFC 5424, 7.3.1); then it begins anew.
const LAST_SEQUENCE: u32 = 2_147_483_647;

/// The way.
pub(super) struct Way {
    peer: Peer,
    connection: Option<Connection>,
    form: Form,
    facility: u8,
    host: String,
    sequence: u32,
    frames: Vec<u8>,
}

impl Way {
    /// Reads the certificates.
    /// # Errors
    /// In words.
    pub(super) fn new(to: &Syslog, timeout: Duration) -> Result<Self, String> {
        let peer = Peer::new(&to.tls, &to.host, to.port, timeout)?;
        let host =
            nix::unistd::gethostname().map_or_else(|_| "-".to_owned(), |name| name.to_string_lossy().into());
        // What the header and the way there add.
        let form =
            Form { format: to.format, most: to.message.saturating_sub(512), checkpoint: Some(to.checkpoint) };
        let (facility, host) = (to.facility, field(&host, 255));
        Ok(Self { peer, connection: None, form, facility, host, sequence: 0, frames: Vec::new() })
    }

    fn frame(&mut self, message: &Message) {
        self.sequence = if self.sequence >= LAST_SEQUENCE { 1 } else { self.sequence + 1 };
        let priority = u16::from(self.facility) * 8 + severity(message.severity);
        let head = format!(
            "<{priority}>1 {} {} aisandbox - {} [meta sequenceId=\"{}\"] ",
            field(&message.time, 32),
            self.host,
            field(&message.event, 32),
            self.sequence,
        );
        // Writing to a Vec never fails.
        write!(self.frames, "{} {head}", head.len() + message.text.len()).unwrap_or_default();
        self.frames.extend_from_slice(message.text.as_bytes());
    }

    fn send(&mut self) -> Result<(), String> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(self.peer.connect()?),
        };
        connection.write(&self.frames)?;
        connection.settle()
    }
}

impl Deliver for Way {
    fn form(&self) -> Form {
        self.form
    }

    fn deliver(&mut self, batch: &mut Vec<Message>) -> Result<Vec<Refused>, Trouble> {
        self.frames.clear();
        batch.iter().for_each(|message| self.frame(message));
        match self.send() {
            Ok(()) => {
                batch.clear();
                Ok(Vec::new())
            }
            Err(why) => {
                self.connection = None;
                Err(Trouble::later(why))
            }
        }
    }
}

/// A field of the header: printable ASCII without spaces, or `-`.
fn field(text: &str, most: usize) -> String {
    let plain = |letter: char| if letter.is_ascii_graphic() { letter } else { '?' };
    let text: String = text.chars().take(most).map(plain).collect();
    if text.is_empty() { "-".to_owned() } else { text }
}

/// RFC 5424's severity, of that of CEF.
fn severity(cef: u8) -> u16 {
    match cef {
        0..=2 => 6,
        3..=4 => 5,
        5..=6 => 4,
        7..=8 => 3,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_header_are_printable_and_bounded() {
        assert_eq!(field("a b\u{1b}é", 255), "a?b??");
        assert_eq!(field("", 3), "-");
        assert_eq!(field("abcdef", 3), "abc");
        assert_eq!([0, 3, 5, 7, 10].map(severity), [6, 5, 4, 3, 2]);
    }
}
