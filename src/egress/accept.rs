//! Takes connections from the listeners of the namespace, and finds out where each wanted to go.
//!
//! Never stops because descriptors or memory are short: it waits and goes on.

use super::client::Client;
use super::connection::{Arrived, Wanted};
use super::dns::server;
use super::place::Place;
use super::proxy;
use super::publish;
use super::reason::{self, Denied};
use super::relay::abort;
use super::session::Session;
use crate::sys::net::{local_address, original_destination};
use crate::wire::egress::Carried;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// How long to wait when there is no descriptor left.
const BREATH: Duration = Duration::from_millis(50);
/// Names are asked for there.
const DNS_PORT: u16 = 53;

/// What a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// Every TCP port, redirected.
    Redirected,
    /// One port of every address.
    Port,
    /// The HTTP proxy.
    Connect,
    /// The SOCKS5 proxy.
    Socks,
    /// A port of the host that leads inside.
    Publish(u16),
}

impl Door {
    /// The door that a descriptor is, when it is a listener.
    pub(super) fn of(what: Carried) -> Option<Self> {
        match what {
            Carried::Redirected {} => Some(Self::Redirected),
            Carried::Port { .. } => Some(Self::Port),
            Carried::Connect {} => Some(Self::Connect),
            Carried::Socks {} => Some(Self::Socks),
            Carried::Publish { inside } => Some(Self::Publish(inside)),
            Carried::Dns {} | Carried::Diag {} | Carried::Inward {} | Carried::Roots {} | Carried::Dlp {} => {
                None
            }
        }
    }
}

/// Takes connections for ever.
pub(super) async fn listen(session: Arc<Session>, listener: TcpListener, door: Door) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                tokio::spawn(enter(Arc::clone(&session), stream, peer, door));
            }
            Err(error) => {
                // EMFILE, ENFILE, ENOBUFS, ENOMEM: the connection stays in the queue. Others are about one that is gone.
                tracing::debug!("accept: {error}");
                sleep(BREATH).await;
            }
        }
    }
}

async fn enter(session: Arc<Session>, stream: TcpStream, peer: SocketAddr, door: Door) {
    let Some(_seat) = session.usage.enter(session.most) else {
        abort(&stream);
        let wanted = Wanted {
            place: Err(Denied::because(reason::CONNECTIONS)),
            said: String::new(),
            port: 0,
            ends: None,
            proxied: false,
        };
        return Arrived::new(session, wanted).denied(&Denied::because(reason::CONNECTIONS)).await;
    };
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("a connection without its switches: {error}");
    }
    let own = local_address(stream.as_fd());
    let meant = match door {
        // Of a connection that nobody redirected, its own address says it.
        Door::Redirected => original_destination(stream.as_fd()).or(own),
        _ => own,
    };
    let Ok(meant) = meant else { return abort(&stream) };
    // A peer of IPv4 on a listener of IPv6 has a socket of IPv4.
    let ends = Some((SocketAddr::new(peer.ip().to_canonical(), peer.port()), meant));
    match door {
        Door::Redirected | Door::Port if meant.port() == DNS_PORT => {
            if let Err(error) = server::connection(&session, stream).await {
                tracing::debug!("DNS over TCP: {error}");
            }
        }
        Door::Redirected | Door::Port => direct(session, stream, meant, ends).await,
        Door::Connect => proxy::serve_http(session, stream, ends).await,
        Door::Socks => proxy::serve_socks(session, stream, ends).await,
        Door::Publish(inside) => publish::serve(session, stream, inside).await,
    }
}

async fn direct(
    session: Arc<Session>,
    stream: TcpStream,
    meant: SocketAddr,
    ends: Option<(SocketAddr, SocketAddr)>,
) {
    let place = session.place_of(meant.ip());
    let said = place.as_ref().map_or_else(|_| meant.ip().to_string(), Place::to_string);
    let wanted = Wanted { place, said, port: meant.port(), ends, proxied: false };
    let client = Client::new(stream);
    match Arrived::new(session, wanted).admit().await {
        Ok(admitted) => admitted.serve(client).await,
        Err((arrived, denied)) => arrived.refuse(client, denied).await,
    }
}
