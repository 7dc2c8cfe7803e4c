//! The role from its first message to its end.

use super::accept::{self, Door};
use super::dns::server;
use super::link;
use super::session::Session;
use super::setup::{self, Ready};
use super::tell::{Outbox, Outgoing};
use crate::sys::limits::{Resource, hard_limit, lower};
use crate::sys::{Errno, Sys, socket};
use crate::wire::codec::encode;
use crate::wire::egress::FromEgress;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use tokio::net::TcpListener;

/// The most private memory of the role, bytes.
const MEMORY_BYTES: u64 = 1 << 30;
/// Descriptors: as many as the hard limit has, up to this.
const DESCRIPTORS: u64 = 65_536;
/// Connections at one time, whatever limits say.
const MOST_CONNECTIONS: u32 = 8192;
/// Descriptors that are no connection's: listeners, pipes, questions to name servers.
const OTHER_DESCRIPTORS: u64 = 128;

/// Sets the limits of this process; gives how many descriptors it may have. The role calls it before its filter forbids
/// it.
/// # Errors
/// As setrlimit(2).
pub fn set_limits() -> Sys<u64> {
    // Soft and hard become the same: for most users this raises the soft one.
    lower(Resource::OpenFiles, DESCRIPTORS)?;
    lower(Resource::Data, MEMORY_BYTES)?;
    Ok(hard_limit(Resource::OpenFiles)?.min(DESCRIPTORS))
}

/// So many connections as have their two descriptors.
fn most_connections(descriptors: u64) -> u32 {
    let most = descriptors.saturating_sub(OTHER_DESCRIPTORS) / 2;
    u32::try_from(most).unwrap_or(MOST_CONNECTIONS).clamp(1, MOST_CONNECTIONS)
}

/// Serves until the Guardian's socket closes; gives the exit code. `descriptors` is what [`set_limits`] gave.
pub fn serve(socket: OwnedFd, descriptors: u64) -> u8 {
    match setup::hear(socket.as_fd()) {
        Ok(Some(ready)) => match run(socket, ready, most_connections(descriptors)) {
            Ok(()) => 0,
            Err(error) => {
                tracing::debug!("role egress: {error}");
                125
            }
        },
        Ok(None) => 0,
        Err(_) => 125,
    }
}

fn run(guardian: OwnedFd, ready: Ready, most: u32) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (outbox, out) = Outbox::new();
    let session = Arc::new(Session::new(ready.parts, most, outbox));
    runtime.block_on(live(session, guardian, out, ready.doors, ready.dns))
}

async fn live(
    session: Arc<Session>,
    guardian: OwnedFd,
    out: Outgoing,
    doors: Vec<(Door, OwnedFd)>,
    dns: Vec<OwnedFd>,
) -> io::Result<()> {
    for (door, descriptor) in doors {
        let listener = std::net::TcpListener::from(descriptor);
        listener.set_nonblocking(true)?;
        tokio::spawn(accept::listen(Arc::clone(&session), TcpListener::from_std(listener)?, door));
    }
    for descriptor in dns {
        let serving = server::datagrams(Arc::clone(&session), descriptor);
        tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::debug!("DNS: {error}");
            }
        });
    }
    let bytes = encode(&FromEgress::Ready {}).map_err(|_| io::Error::from(Errno::EMSGSIZE))?;
    socket::send(guardian.as_fd(), &bytes, None, true)?;
    link::serve(&session, guardian, out).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connection_that_is_taken_has_its_descriptors() {
        for (descriptors, most) in [(1024, 448), (20_000, 8192), (1 << 40, 8192), (128, 1), (0, 1)] {
            assert_eq!(most_connections(descriptors), most, "{descriptors}");
        }
    }
}
