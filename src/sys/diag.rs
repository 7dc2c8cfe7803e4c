//! Who holds the agent's end of a TCP connection, by its two addresses (sock_diag(7)).
//!
//! Never lists sockets: asks about one. The socket answers for the network namespace it was made in, wherever it is
//! asked from.

use super::netlink::{self, HEADER, Part};
use super::{Errno, Sys};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

/// Opens one here.
/// # Errors
/// `EPROTONOSUPPORT` when the kernel has no sock_diag.
pub fn open() -> Sys<OwnedFd> {
    netlink::open(Part::Sockets)
}

/// Who holds a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The socket's inode, as `/proc/PID/fd` names it: `socket:[INODE]`. 0 when no process has it any more.
    pub inode: u32,
    /// Its user, as the user namespace has it in which the diag socket was made.
    pub uid: u32,
}

/// Finds the socket with this own address, connected to that one. `None` when there is none: its process is gone.
/// # Errors
/// What the kernel said; `EINVAL` for an IPv4 and an IPv6 address together, `EPROTO` for an answer that is none.
pub fn lookup(socket: BorrowedFd<'_>, own: SocketAddr, other: SocketAddr) -> Sys<Option<Owner>> {
    static SEQUENCE: AtomicU32 = AtomicU32::new(1);
    let sequence = SEQUENCE.fetch_add(1, Ordering::Relaxed);
    netlink::send(socket, &request(own, other, sequence)?)?;
    let mut buffer = [0; 1024];
    loop {
        let length = netlink::receive(socket, &mut buffer)?;
        let told = netlink::messages(buffer.get(..length).unwrap_or_default())
            .find(|message| message.sequence == sequence);
        match told.map(|message| (message.outcome(), message.body)) {
            None => {} // the answer to a question that was given up
            Some((Some(Err(Errno::ENOENT)), _)) => return Ok(None),
            Some((Some(Err(errno)), _)) => return Err(errno),
            Some((Some(Ok(())), _)) => return Err(Errno::EPROTO),
            Some((None, body)) => return owner(body, own.port(), other.port()).ok_or(Errno::EPROTO),
        }
    }
}

/// SOCK_DIAG_BY_FAMILY of linux/sock_diag.h.
const BY_FAMILY: u16 = 20;
/// struct inet_diag_req_v2, bytes.
const REQUEST: usize = 56;

/// Header, family and protocol, states, then the two ports, the two addresses, the interface and a cookie that is none.
fn request(own: SocketAddr, other: SocketAddr, sequence: u32) -> Sys<[u8; HEADER + REQUEST]> {
    let (family, own_ip, other_ip) = match (own.ip(), other.ip()) {
        (IpAddr::V4(own), IpAddr::V4(other)) => (libc::AF_INET, padded(own.octets()), padded(other.octets())),
        (IpAddr::V6(own), IpAddr::V6(other)) => (libc::AF_INET6, own.octets(), other.octets()),
        _ => return Err(Errno::EINVAL),
    };
    let mut bytes = [0; HEADER + REQUEST];
    let mut rest = bytes.as_mut_slice();
    let mut put = |part: &[u8]| {
        let (room, after) = std::mem::take(&mut rest).split_at_mut_checked(part.len()).unwrap_or_default();
        if room.len() == part.len() {
            room.copy_from_slice(part);
        }
        rest = after;
    };
    put(&((HEADER + REQUEST) as u32).to_ne_bytes());
    put(&BY_FAMILY.to_ne_bytes());
    put(&(libc::NLM_F_REQUEST as u16).to_ne_bytes());
    put(&sequence.to_ne_bytes());
    put(&[0; 4]);
    put(&[family as u8, libc::IPPROTO_TCP as u8, 0, 0]);
    put(&u32::MAX.to_ne_bytes());
    put(&own.port().to_be_bytes());
    put(&other.port().to_be_bytes());
    put(&own_ip);
    put(&other_ip);
    put(&[0; 4]);
    put(&[0xFF; 8]);
    Ok(bytes)
}

fn padded(ip: [u8; 4]) -> [u8; 16] {
    let mut room = [0; 16];
    room[..4].copy_from_slice(&ip);
    room
}

/// Reads struct inet_diag_msg. A listener, which the kernel gives when no connection is left, is nobody's connection.
#[expect(clippy::option_option, reason = "the outer one: no such struct")]
fn owner(body: &[u8], own: u16, other: u16) -> Option<Option<Owner>> {
    const LISTENS: u8 = 10;
    let word = |at: usize| body.get(at..at + 4).and_then(|word| word.try_into().ok()).map(u32::from_ne_bytes);
    let port = |at: usize| body.get(at..at + 2).and_then(|port| port.try_into().ok()).map(u16::from_be_bytes);
    let (uid, inode) = (word(64)?, word(68)?);
    let this = *body.get(1)? != LISTENS && (port(4)?, port(6)?) == (own, other);
    Some(this.then_some(Owner { inode, uid }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_connection_leads_to_the_inode_of_its_socket() {
        let diag = open().unwrap();
        for at in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(at) else { continue };
            let server = listener.local_addr().unwrap();
            let client = TcpStream::connect(server).unwrap();
            let own = client.local_addr().unwrap();
            let inode =
                std::fs::metadata(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&client)));
            let wanted = Owner { inode: inode.unwrap().ino() as u32, uid: nix::unistd::getuid().as_raw() };
            assert_eq!(lookup(diag.as_fd(), own, server), Ok(Some(wanted)));
            assert_eq!(lookup(diag.as_fd(), server, "127.0.0.1:1".parse().unwrap()).unwrap_or(None), None);
        }
        assert_eq!(
            lookup(diag.as_fd(), "127.0.0.1:1".parse().unwrap(), "[::1]:1".parse().unwrap()),
            Err(Errno::EINVAL)
        );
    }

    #[test]
    fn a_listener_is_nobodys_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let diag = open().unwrap();
        let found = lookup(diag.as_fd(), listener.local_addr().unwrap(), "127.0.0.1:9".parse().unwrap());
        assert_eq!(found, Ok(None));
    }

    #[test]
    fn an_answer_that_is_cut_is_none() {
        assert_eq!(owner(&[2, 1, 0, 0], 1, 2), None);
        assert_eq!(owner(&[0; 71], 0, 0), None);
        assert_eq!(owner(&[0; 72], 0, 0), Some(Some(Owner { inode: 0, uid: 0 })));
    }
}
