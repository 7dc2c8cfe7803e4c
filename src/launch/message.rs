//! What launcher and init say to each other: sixteen bytes a message over a SOCK_SEQPACKET pair.
//!
//! Both ends are ours; the agent never holds one. A message of another length or kind is passed over.

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    /// Launcher to init: the record is durable, start the agent.
    Go,
    /// Launcher to init: give the agent's process group this signal.
    Signal(i32),
    /// Launcher to init: put the agent's process group into the foreground of its terminal.
    Foreground,
    /// Init to launcher: one of its namespaces (place in [`NAMESPACES`], inode number).
    Namespace(u16, u32),
    /// Launcher to init: end everything. Only where init is no pid 1, whose own end would do it.
    End,
    /// Init to launcher: the device of this entry's ask mount comes with this message.
    Ask(u16),
    /// Init to launcher: the outer user namespace comes with this message.
    UserNamespace,
    /// Init to launcher: the mount namespace comes with this message.
    MountNamespace,
    /// Init to launcher: a socket for the way out comes with this message (what it is for, its port).
    Socket(u16, u16),
    /// Init to launcher: this way out cannot be laid here (place in `Rung::ALL`, errno).
    Fell(u16, i32),
    /// Init to launcher: this way out holds (place in `Rung::ALL`).
    Holds(u16),
    /// Init to launcher: every stage is done and every probe held.
    Confined,
    /// Init to launcher: the master of the pseudo-terminal comes with this message.
    Terminal,
    /// Init to launcher: the agent exited with this code.
    Exited(i32),
    /// Init to launcher: this signal ended the agent.
    Signaled(i32),
    /// Init to launcher: the agent was stopped by this signal.
    Stopped(i32),
    /// Init to launcher: a creating call on a protected name was refused (pattern, system call number, times).
    Denied {
        /// Which pattern of the plan.
        pattern: u16,
        /// The system call's number.
        call: u16,
        /// How often since the last such message.
        times: u32,
    },
}

/// Links of /proc/self to the namespaces that are told of.
pub(super) const NAMESPACES: [&std::ffi::CStr; 6] =
    [c"ns/cgroup", c"ns/ipc", c"ns/mnt", c"ns/net", c"ns/pid_for_children", c"ns/uts"];

/// Length of every message, bytes.
pub(super) const LENGTH: usize = 16;

impl Message {
    /// As bytes.
    pub(super) fn to_bytes(self) -> [u8; LENGTH] {
        let (kind, a, b, c) = match self {
            Self::Go => (1, 0, 0, 0),
            Self::Signal(signal) => (2, signal, 0, 0),
            Self::Foreground => (9, 0, 0, 0),
            Self::Namespace(which, inode) => (10, i32::from(which), inode, 0),
            Self::Confined => (3, 0, 0, 0),
            Self::Terminal => (4, 0, 0, 0),
            Self::Exited(code) => (5, code, 0, 0),
            Self::Signaled(signal) => (6, signal, 0, 0),
            Self::Stopped(signal) => (7, signal, 0, 0),
            Self::End => (11, 0, 0, 0),
            Self::Ask(entry) => (12, i32::from(entry), 0, 0),
            Self::UserNamespace => (13, 0, 0, 0),
            Self::MountNamespace => (14, 0, 0, 0),
            Self::Socket(kind, port) => (15, i32::from(kind), u32::from(port), 0),
            Self::Fell(rung, errno) => (16, i32::from(rung), errno as u32, 0),
            Self::Holds(rung) => (17, i32::from(rung), 0, 0),
            Self::Denied { pattern, call, times } => (8, i32::from(pattern), u32::from(call), times),
        };
        let mut bytes = [0; LENGTH];
        for (room, word) in bytes.chunks_exact_mut(4).zip([kind, a as u32, b, c]) {
            room.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    /// From bytes; `None` for what is no message.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let words: [u8; LENGTH] = bytes.try_into().ok()?;
        let mut values = words.chunks_exact(4).map(|word| word.try_into().map_or(0, u32::from_ne_bytes));
        let (kind, a, b, c) = (values.next()?, values.next()? as i32, values.next()?, values.next()?);
        Some(match kind {
            1 => Self::Go,
            2 => Self::Signal(a),
            3 => Self::Confined,
            4 => Self::Terminal,
            5 => Self::Exited(a),
            6 => Self::Signaled(a),
            7 => Self::Stopped(a),
            8 => Self::Denied { pattern: u16::try_from(a).ok()?, call: u16::try_from(b).ok()?, times: c },
            9 => Self::Foreground,
            10 => Self::Namespace(u16::try_from(a).ok()?, b),
            11 => Self::End,
            12 => Self::Ask(u16::try_from(a).ok()?),
            13 => Self::UserNamespace,
            14 => Self::MountNamespace,
            15 => Self::Socket(u16::try_from(a).ok()?, u16::try_from(b).ok()?),
            16 => Self::Fell(u16::try_from(a).ok()?, b as i32),
            17 => Self::Holds(u16::try_from(a).ok()?),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_survives_the_socket() {
        let denied = Message::Denied { pattern: 3, call: 257, times: 9 };
        for message in [
            Message::Go,
            Message::Signal(15),
            Message::Foreground,
            Message::Namespace(4, 4_026_531_840),
            Message::Confined,
            Message::Terminal,
            Message::Exited(-1),
            Message::Signaled(9),
            Message::Stopped(20),
            Message::End,
            Message::Ask(65_535),
            Message::UserNamespace,
            Message::MountNamespace,
            Message::Socket(1, 65_535),
            Message::Fell(0, 93),
            Message::Holds(2),
            denied,
        ] {
            assert_eq!(Message::from_bytes(&message.to_bytes()), Some(message));
        }
    }

    #[test]
    fn a_short_message_is_none() {
        assert_eq!(Message::from_bytes(&[1, 0, 0, 0]), None);
    }
}
