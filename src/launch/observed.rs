//! What init tells of the calls that it observed: one message a call, over a SOCK_SEQPACKET pair of its own.
//!
//! Both ends are ours. Init waits while the launcher does not read, and the agent's calls with it: nothing is dropped.
//! Never holds what was read or written.

use crate::sys::{Errno, Sys, socket};
use std::os::fd::{BorrowedFd, OwnedFd};

/// What was done, or wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Opened to be read.
    Read = 1,
    /// Opened to be added to.
    Append = 2,
    /// Opened to be changed, or cut.
    Overwrite = 3,
    /// A name that was not there.
    Create = 4,
    /// A name that is gone.
    Delete = 5,
    /// Moved to another name.
    Rename = 6,
    /// Its mode was set.
    Mode = 7,
    /// Executed.
    Execute = 8,
}

impl Act {
    const ALL: [Self; 8] = [
        Self::Read,
        Self::Append,
        Self::Overwrite,
        Self::Create,
        Self::Delete,
        Self::Rename,
        Self::Mode,
        Self::Execute,
    ];

    fn of(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|act| *act as u32 == number)
    }
}

/// One observed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// What.
    pub act: Act,
    /// The number of the system call.
    pub call: u32,
    /// Its error; `None`: it was done, or for a program, the kernel went on with it.
    pub error: Option<Errno>,
    /// The caller's process, as the sandbox numbers it; 0 where it was gone.
    pub pid: u32,
    /// The caller's program, as the sandbox sees it.
    pub program: Vec<u8>,
    /// On what.
    pub path: Vec<u8>,
    /// The other name of what has two.
    pub other: Vec<u8>,
    /// Arguments of what is executed, a NUL after each.
    pub arguments: Vec<u8>,
    /// How many there were.
    pub count: u32,
}

/// The longest text of a message, bytes.
pub(super) const MOST_TEXT: usize = 4096;
/// Numbers before the texts.
const HEAD: usize = 9 * 4;
/// The longest message, bytes.
const LONGEST: usize = HEAD + 4 * MOST_TEXT;

/// The parts of a message, as init has them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'a> {
    pub(super) act: Act,
    pub(super) call: i32,
    pub(super) error: i32,
    pub(super) pid: u32,
    pub(super) count: u32,
    pub(super) texts: [&'a [u8]; 4],
}

impl Parts<'_> {
    /// The message; texts are cut where they are too long.
    pub(super) fn write(&self, message: &mut Vec<u8>) {
        message.clear();
        let texts = self.texts.map(|text| text.get(..MOST_TEXT).unwrap_or(text));
        let [a, b, c, d] = texts.map(|text| text.len() as u32);
        let numbers =
            [self.act as u32, self.call as u32, self.error as u32, self.pid, self.count, a, b, c, d];
        numbers.iter().for_each(|number| message.extend_from_slice(&number.to_ne_bytes()));
        texts.iter().for_each(|text| message.extend_from_slice(text));
    }
}

/// Where in a message its error stands.
const ERROR_AT: usize = 2 * 4;

/// Puts another error into a finished message.
pub(super) fn set_error(message: &mut [u8], error: i32) {
    if let Some(room) = message.get_mut(ERROR_AT..ERROR_AT + 4) {
        room.copy_from_slice(&error.to_ne_bytes());
    }
}

impl Observed {
    /// From a message; `None` for what is none.
    fn from_bytes(message: &[u8]) -> Option<Self> {
        let (head, mut rest) = message.split_at_checked(HEAD)?;
        let mut numbers = head.chunks_exact(4).map(|word| word.try_into().map_or(0, u32::from_ne_bytes));
        let mut number = || numbers.next();
        let act = Act::of(number()?)?;
        let (call, error, pid, count) = (number()?, number()? as i32, number()?, number()?);
        let mut text = || {
            let (text, after) = rest.split_at_checked(usize::try_from(number()?).ok()?)?;
            rest = after;
            Some(text.to_vec())
        };
        let (program, path, other, arguments) = (text()?, text()?, text()?, text()?);
        let error = (error != 0).then(|| Errno::from_raw(error));
        Some(Self { act, call, error, pid, program, path, other, arguments, count })
    }
}

/// The launcher's end.
#[derive(Debug)]
pub struct Observations(OwnedFd);

impl Observations {
    /// From the socket whose other end init has.
    pub fn new(socket: OwnedFd) -> Self {
        Self(socket)
    }

    /// To wait for the next one.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(&self.0)
    }

    /// The next one, and a descriptor of the caller's process when it is met for the first time: then init waits for
    /// [`Self::met`], so that the process is still there. `None` when init and all its workers are gone.
    /// # Errors
    /// `EAGAIN` when there is none now; `EBADMSG` for what is no message, which only a mistake of ours can be.
    pub fn next(&self, room: &mut Vec<u8>) -> Sys<Option<(Observed, Option<OwnedFd>)>> {
        room.resize(LONGEST, 0);
        match socket::receive(self.descriptor(), room, false) {
            Ok((0, _)) | Err(Errno::ECONNRESET) => Ok(None),
            Ok((length, process)) => {
                let told = Observed::from_bytes(room.get(..length).unwrap_or_default());
                Ok(Some((told.ok_or(Errno::EBADMSG)?, process)))
            }
            Err(errno) => Err(errno),
        }
    }

    /// The process that was met is known: init goes on.
    /// # Errors
    /// `EPIPE` when init is gone.
    pub fn met(&self) -> Sys<()> {
        socket::send(self.descriptor(), &[1], None, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn what_init_tells_arrives_and_its_error_can_come_later() {
        let (ours, theirs) = socket::message_pair().unwrap();
        let observations = Observations::new(ours);
        assert_eq!(observations.next(&mut Vec::new()).unwrap_err(), Errno::EAGAIN);
        let long = vec![b'x'; MOST_TEXT + 1];
        let texts = [&b"/bin/sh"[..], &long, b"", b"sh\0-c\0"];
        let mut message = Vec::new();
        Parts { act: Act::Execute, call: 59, error: 0, pid: 7, count: 2, texts }.write(&mut message);
        set_error(&mut message, libc::EACCES);
        socket::send(theirs.as_fd(), &message, None, true).unwrap();
        let (told, process) = observations.next(&mut Vec::new()).unwrap().unwrap();
        assert_eq!((told.act, told.call, told.pid, told.count), (Act::Execute, 59, 7, 2));
        assert_eq!((told.error, told.path.len()), (Some(Errno::EACCES), MOST_TEXT));
        assert_eq!((told.program.as_slice(), told.arguments.as_slice()), (&b"/bin/sh"[..], &b"sh\0-c\0"[..]));
        assert!(process.is_none() && told.other.is_empty());
        for end in 0..message.len().min(60) {
            assert!(Observed::from_bytes(&message[..end]).is_none(), "{end}");
        }
        drop(theirs);
        assert!(observations.next(&mut Vec::new()).unwrap().is_none());
    }
}
