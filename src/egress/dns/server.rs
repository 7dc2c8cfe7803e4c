//! The name server inside: names of the rules have an address there, and nothing else is known.
//!
//! Never asks anyone outside.

use super::super::inspect;
use super::super::place::{Place, plain_name};
use super::super::reason::Denied;
use super::super::session::Session;
use super::super::tell::{Teller, cut};
use super::message::{A, AAAA, Asked, MOST_DATAGRAM, NOERROR, NOTIMP, NXDOMAIN, Query, answer, query};
use crate::sys::{Errno, datagram};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// Life of an answer, seconds: long enough for one connection.
const TTL: u32 = 5;
/// The most bytes of a question.
const MOST_QUESTION: usize = 4096;
/// Datagrams between two looks at the rest of the role.
const AT_ONCE: usize = 64;
/// How long a connection may be silent.
const IDLE: Duration = Duration::from_secs(10);
/// Refused names that are looked at before they are told; more are counted.
const MOST_REFUSED: u32 = 256;
/// Questions on one connection.
const MOST_A_CONNECTION: usize = 1000;

/// The answer to these bytes; `None` when they get none.
pub(in super::super) fn respond(session: &Arc<Session>, bytes: &[u8]) -> Option<Vec<u8>> {
    match query(bytes) {
        Asked::Nothing => None,
        Asked::Refused(answer) => Some(answer),
        Asked::Query(query) => Some(look_up(session, &query)),
    }
}

fn look_up(session: &Arc<Session>, asked: &Query) -> Vec<u8> {
    if !asked.internet {
        return answer(asked, NOTIMP, &[], TTL);
    }
    let nothing = answer(asked, NXDOMAIN, &[], TTL);
    let Some(name) = asked.name.as_deref().and_then(plain_name) else { return nothing };
    if Place::of_text(&name) == Some(Place::Here) {
        let here: Option<IpAddr> = match asked.kind {
            A => Some(Ipv4Addr::LOCALHOST.into()),
            AAAA => Some(Ipv6Addr::LOCALHOST.into()),
            _ => None,
        };
        return answer(asked, NOERROR, here.as_slice(), TTL);
    }
    match session.address_of(&name) {
        // IPv6, HTTPS, SVCB and all else: the name is there and has none. So nobody learns of HTTP/3 or of a key for
        // Encrypted Client Hello.
        Ok(ip) if asked.kind == A => answer(asked, NOERROR, &[ip.into()], TTL),
        Ok(_) => answer(asked, NOERROR, &[], TTL),
        Err(denied) => {
            tell(session, &name, denied);
            nothing
        }
    }
}

/// Tells that a name was refused, without one that must not be told: it is looked at while the answer is on its way.
fn tell(session: &Arc<Session>, name: &str, denied: Denied) {
    let Some(seat) = session.refused.enter(MOST_REFUSED) else { return session.outbox.omit() };
    let (session, name) = (Arc::clone(session), name.to_owned());
    tokio::spawn(async move {
        let shown = inspect::shown(&session, &name).await;
        let teller = Teller::new(session.outbox.clone(), 0, &cut(&name), 0);
        teller.note(|event| "dns".clone_into(&mut event.protocol));
        teller.denied_as(&denied, shown);
        drop(seat);
    });
}

/// Serves one UDP socket for ever.
/// # Errors
/// When it cannot be read any more.
pub(in super::super) async fn datagrams(session: Arc<Session>, socket: OwnedFd) -> io::Result<()> {
    let socket = std::net::UdpSocket::from(socket);
    socket.set_nonblocking(true)?;
    let socket = UdpSocket::from_std(socket)?;
    let mut buffer = vec![0; MOST_QUESTION];
    loop {
        socket.readable().await?;
        for _ in 0..AT_ONCE {
            let next = || Ok(datagram::receive(socket.as_fd(), &mut buffer)?);
            match socket.try_io(Interest::READABLE, next) {
                Ok(received) => one(&session, &socket, buffer.get(..received.length), &received),
                Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                    Some(Errno::EAGAIN) => break,
                    // Too long, or without a destination: it is gone, and the next one comes.
                    Some(Errno::EMSGSIZE | Errno::ENODATA | Errno::EINTR | Errno::ECONNREFUSED) => {}
                    None if error.kind() == io::ErrorKind::WouldBlock => break,
                    _ => return Err(error),
                },
            }
        }
        tokio::task::yield_now().await;
    }
}

fn one(session: &Arc<Session>, socket: &UdpSocket, bytes: Option<&[u8]>, received: &datagram::Received) {
    let answer = bytes.and_then(|bytes| respond(session, bytes));
    if let Some(answer) = answer.filter(|answer| answer.len() <= MOST_DATAGRAM)
        && let Err(errno) = datagram::send(socket.as_fd(), &answer, received.peer, received.to)
    {
        tracing::debug!("an answer of DNS was lost: {errno}");
    }
}

/// Serves a connection: each message with its length in front.
/// # Errors
/// When it ends other than by its peer, or is silent for too long.
pub(in super::super) async fn connection(session: &Arc<Session>, mut stream: TcpStream) -> io::Result<()> {
    for _ in 0..MOST_A_CONNECTION {
        let length = timeout(IDLE, stream.read_u16()).await??;
        let mut question = vec![0; usize::from(length).min(MOST_QUESTION)];
        timeout(IDLE, stream.read_exact(&mut question)).await??;
        if usize::from(length) > MOST_QUESTION {
            break;
        }
        let Some(answer) = respond(session, &question) else { break };
        let length = u16::try_from(answer.len()).map_err(|_| io::ErrorKind::InvalidData)?;
        timeout(IDLE, stream.write_all(&[&length.to_be_bytes()[..], &answer].concat())).await??;
    }
    Ok(())
}
