//! A port of the host that leads into the sandbox: each connection takes one of the sockets that were made inside.

use super::meter::{Meter, Usage};
use super::reason;
use super::relay::{self, Broken, Sides, abort};
use super::session::Session;
use super::tell::Teller;
use crate::wire::egress::{Kind, Limits};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// How long the program inside has to accept.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves a connection from outside to port `inside` of the sandbox's loopback.
pub(super) async fn serve(session: Arc<Session>, stream: TcpStream, inside: u16) {
    // What comes in is not sent to a host: its counts are its own, and no limit of the session is about it.
    let usage = || Arc::new(Usage::of(Limits::default()));
    let meter = Meter::new(usage(), usage());
    let tell = Teller::new(session.outbox.clone(), session.next_flow(), "inside", inside).with(meter.clone());
    let opened = match session.take_inward() {
        Some(socket) => connect(socket, inside).await,
        None => Err(reason::NOT_AVAILABLE),
    };
    let agent = match opened {
        Ok(agent) => agent,
        Err(why) => {
            abort(&stream);
            return tell.event(Kind::Denied, |event| event.reason = Some(why.to_owned()));
        }
    };
    tell.event(Kind::Open, |_| {});
    let mut sides = Sides { agent: &agent, host: &stream, whole: false };
    let moved = relay::relay(&sides, &meter, &session.pipes, async { Ok::<_, Broken>(Vec::new()) }).await;
    sides.whole = moved.is_ok();
    tell.event(Kind::Close, |_| {});
}

async fn connect(socket: OwnedFd, inside: u16) -> Result<TcpStream, &'static str> {
    let unreachable = |_| reason::UNREACHABLE;
    // Unconnected as it is; the type alone says otherwise.
    let socket = std::net::TcpStream::from(socket);
    socket.set_nonblocking(true).map_err(unreachable)?;
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, inside));
    let connected = timeout(PATIENCE, TcpSocket::from_std_stream(socket).connect(to)).await;
    connected.map_err(|_| reason::UNREACHABLE)?.map_err(|_| reason::UNREACHABLE)
}
