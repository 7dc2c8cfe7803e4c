//! The way to a host outside: resolve once, check every address, connect to one that passed.
//!
//! Never connects to an address that was not checked, and never looks a name up twice for one connection.

use super::place::Place;
use super::reason::{self, Denied};
use super::session::Session;
use crate::base::address::is_private_name;
use crate::sys::stream;
use crate::wire::egress::Rule;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::race::{First, race};

/// How long a connection may take to come about.
const PATIENCE: Duration = Duration::from_secs(20);
/// The head start of one address before the next is tried beside it.
const HEAD_START: Duration = Duration::from_millis(300);
/// Addresses that are tried.
const MOST_ADDRESSES: usize = 8;
/// The most bytes of the answer of a parent proxy.
const MOST_ANSWER: usize = 8 << 10;

/// A connection to a place under a rule, and the address it goes to.
/// # Errors
/// Why not.
pub(super) async fn connect(
    session: &Session,
    place: &Place,
    port: u16,
    rule: &Arc<Rule>,
) -> Result<(TcpStream, SocketAddr), Denied> {
    let slow = |_| Denied::by(reason::UNREACHABLE, &rule.id);
    timeout(PATIENCE, open(session, place, port, rule)).await.map_err(slow)?
}

async fn open(
    session: &Session,
    place: &Place,
    port: u16,
    rule: &Arc<Rule>,
) -> Result<(TcpStream, SocketAddr), Denied> {
    let by = |denied: Denied| Denied { rule: Some(rule.id.clone()), ..denied };
    let found = match (place, &session.parent) {
        (Place::Here, _) => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        (Place::Address(ip), None) => checked(session, &[*ip], port, rule)?,
        (Place::Address(ip), Some(parent)) => {
            checked(session, &[*ip], port, rule)?;
            return by_parent(session, parent, place, port).await.map_err(by);
        }
        (Place::Name(name), Some(parent)) => {
            // Nobody here sees the address, so what is left is the name's form.
            if rule.networks.is_empty() && is_private_name(name) {
                return Err(Denied::by(reason::ADDRESS, &rule.id));
            }
            return by_parent(session, parent, place, port).await.map_err(by);
        }
        (Place::Name(name), None) => {
            let found = session.resolver.resolve(name).await.map_err(by)?;
            checked(session, &found, port, rule)?
        }
    };
    first_of(&found, port).await.map_err(by)
}

/// The addresses that passed; when none did, why the first did not.
fn checked(session: &Session, found: &[IpAddr], port: u16, rule: &Arc<Rule>) -> Result<Vec<IpAddr>, Denied> {
    let rules = session.rules();
    let (mut passed, mut why) = (Vec::new(), None);
    for ip in found {
        match rules.check_address(rule, *ip, port, &session.own) {
            Ok(()) => passed.push(*ip),
            Err(denied) => why = why.or(Some(denied)),
        }
    }
    match why {
        Some(denied) if passed.is_empty() => Err(denied),
        _ => Ok(passed),
    }
}

/// Tries the addresses, each with a head start before the next; both kinds in turn.
async fn first_of(found: &[IpAddr], port: u16) -> Result<(TcpStream, SocketAddr), Denied> {
    let (four, six): (Vec<IpAddr>, Vec<IpAddr>) = found.iter().partition(|ip| ip.is_ipv4());
    let mut turns = Vec::new();
    for place in 0..four.len().max(six.len()) {
        turns.extend([four.get(place), six.get(place)].into_iter().flatten().copied());
    }
    let mut next = turns.into_iter().take(MOST_ADDRESSES);
    let mut tries = JoinSet::new();
    // The first, which is most often enough, without a task of its own.
    if let Some(ip) = next.next() {
        let mut first = Box::pin(attempt(SocketAddr::new(ip, port)));
        match race(first.as_mut(), sleep(HEAD_START)).await {
            First::Left(Ok((stream, at))) => return Ok((ready(stream), at)),
            First::Left(Err(error)) => tracing::debug!("connect: {error}"),
            First::Right(()) => drop(tries.spawn(first)),
        }
    }
    loop {
        let more = match next.next() {
            Some(ip) => {
                tries.spawn(attempt(SocketAddr::new(ip, port)));
                true
            }
            None => false,
        };
        let ended = match (more, tries.is_empty()) {
            (false, true) => return Err(Denied::because(reason::UNREACHABLE)),
            (false, false) => tries.join_next().await,
            (true, _) => match race(tries.join_next(), sleep(HEAD_START)).await {
                First::Left(ended) => ended,
                First::Right(()) => continue,
            },
        };
        match ended {
            Some(Ok(Ok((stream, at)))) => return Ok((ready(stream), at)),
            Some(Ok(Err(error))) => tracing::debug!("connect: {error}"),
            Some(Err(_)) | None => {}
        }
    }
}

async fn attempt(at: SocketAddr) -> io::Result<(TcpStream, SocketAddr)> {
    Ok((TcpStream::connect(at).await?, at))
}

/// Small writes go at once, and a peer that is gone is noticed.
fn ready(connection: TcpStream) -> TcpStream {
    if connection.set_nodelay(true).is_err() || stream::keep_alive(connection.as_fd()).is_err() {
        tracing::debug!("a connection without its switches");
    }
    connection
}

/// Through the proxy outside, by CONNECT: it resolves the name.
async fn by_parent(
    session: &Session,
    (host, proxy_port): &(String, u16),
    place: &Place,
    port: u16,
) -> Result<(TcpStream, SocketAddr), Denied> {
    // The person named it, so its address may be private.
    let found = match Place::of_text(host) {
        Some(Place::Address(ip)) => vec![ip],
        Some(Place::Here) => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        Some(Place::Name(name)) => session.resolver.resolve(&name).await?,
        None => return Err(Denied::because(reason::PARENT)),
    };
    let (mut connection, at) = first_of(&found, *proxy_port).await?;
    let refused = |_| Denied::because(reason::PARENT);
    let authority = match place {
        Place::Address(IpAddr::V6(ip)) => format!("[{ip}]:{port}"),
        place => format!("{place}:{port}"),
    };
    let request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
    connection.write_all(request.as_bytes()).await.map_err(refused)?;
    // Byte by byte, so that nothing of the host's is taken.
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() == MOST_ANSWER {
            return Err(Denied::because(reason::PARENT));
        }
        answer.push(connection.read_u8().await.map_err(refused)?);
    }
    let accepted = answer.starts_with(b"HTTP/1.1 200") || answer.starts_with(b"HTTP/1.0 200");
    accepted.then_some((connection, at)).ok_or_else(|| Denied::because(reason::PARENT))
}
