//! The Guardian's socket while the role serves: what it says is done, questions and events go out. Its end is ours.
//!
//! Never takes a rule that allows: those came before the start.

use super::session::Session;
use super::tell::{Outgoing, blank};
use crate::sys::{Errno, Sys, socket};
use crate::wire::codec::{MOST_BYTES, decode, encode};
use crate::wire::egress::{Carried, FromEgress, Kind, ToEgress};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UnixDatagram;
use tokio::time::{MissedTickBehavior, interval};

use super::place::Place;
use super::race::{First, race};

/// How often the number of omitted events is told.
const TICK: Duration = Duration::from_secs(1);

/// Serves the socket until it closes.
/// # Errors
/// When it breaks, or the Guardian says what it never says.
pub(super) async fn serve(session: &Arc<Session>, socket: OwnedFd, out: Outgoing) -> io::Result<()> {
    // Whole messages, as the type says; that they also come in order it need not know.
    let socket = std::os::unix::net::UnixDatagram::from(socket);
    socket.set_nonblocking(true)?;
    let socket = UnixDatagram::from_std(socket)?;
    match race(hear(session, &socket), say(session, &socket, out)).await {
        First::Left(ended) | First::Right(ended) => ended,
    }
}

async fn hear(session: &Arc<Session>, guardian: &UnixDatagram) -> io::Result<()> {
    let mut buffer = vec![0; MOST_BYTES];
    loop {
        guardian.readable().await?;
        let next = || Ok(socket::receive(guardian.as_fd(), &mut buffer, false)?);
        match guardian.try_io(Interest::READABLE, next) {
            Ok((0, _)) => return Ok(()),
            Ok((length, descriptor)) => {
                let message = decode(buffer.get(..length).unwrap_or_default());
                let message = message.map_err(|_| io::Error::from(Errno::EBADMSG))?;
                obey(session, message, descriptor)?;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

fn obey(session: &Arc<Session>, message: ToEgress, descriptor: Option<OwnedFd>) -> Sys<()> {
    match message {
        ToEgress::Grant { grant, host, port } => {
            let place = Place::of_text(&host).ok_or(Errno::EPROTO)?;
            // Only what a rule asks about: the Guardian knows that, and it is looked at again.
            if session.rules().may_be_granted(&place, port) {
                session.grants.begin(grant, place, port);
            }
        }
        ToEgress::Revoke { grant } => session.grants.end(&grant),
        ToEgress::Answer { id, grant, reason } => session.grants.answer(id, grant, reason.as_deref()),
        ToEgress::Upload { id, grant, reason } => {
            session.grants.answer_upload(id, grant, reason.as_deref());
        }
        ToEgress::Known { id, asker } => session.who.answer(id, asker.process),
        ToEgress::Deny { rule } => {
            session.rules_mut().deny(rule).map_err(|_| Errno::EPROTO)?;
            let rules = session.rules();
            session.grants.end_where(|place, port| rules.is_denied(place, port));
        }
        ToEgress::Take { what: Carried::Inward {} } => {
            session.put_inward(descriptor.ok_or(Errno::EPROTO)?);
        }
        ToEgress::Authority { .. }
        | ToEgress::Take { .. }
        | ToEgress::Allow { .. }
        | ToEgress::Credential { .. }
        | ToEgress::Resolver { .. }
        | ToEgress::Limits { .. }
        | ToEgress::Start {} => return Err(Errno::EPROTO),
    }
    Ok(())
}

async fn say(session: &Arc<Session>, guardian: &UnixDatagram, mut out: Outgoing) -> io::Result<()> {
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        match race(out.next(), tick.tick()).await {
            First::Left(Some(message)) => send(guardian, &message).await?,
            First::Left(None) => return Ok(()),
            First::Right(_) => {
                let count = session.outbox.omitted();
                if count > 0 {
                    let event = crate::wire::egress::Event { kind: Kind::Omitted, count, ..blank() };
                    send(guardian, &FromEgress::Event { event: Box::new(event) }).await?;
                }
            }
        }
    }
}

async fn send(guardian: &UnixDatagram, message: &FromEgress) -> io::Result<()> {
    let bytes = encode(message).map_err(|_| io::Error::from(Errno::EMSGSIZE))?;
    loop {
        guardian.writable().await?;
        let once = || Ok(socket::send(guardian.as_fd(), &bytes, None, false)?);
        match guardian.try_io(Interest::WRITABLE, once) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
    }
}
