//! Listeners: each connection gets a seat, then a handshake, then its service.
//!
//! Never lets clients that only connect hold up others for longer than a handshake may take: those have seats of their own.

use super::asked::Peer;
use super::http::{Hall, Service};
use super::tls::Tls;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};

/// After an error of accept(2): out of descriptors, or the client went away meanwhile.
const PAUSE: Duration = Duration::from_millis(50);

impl<S: Service> Hall<S> {
    /// Serves the local socket.
    /// # Errors
    /// When the listener cannot be used.
    pub(super) async fn local(self: Arc<Self>, listener: OwnedFd) -> io::Result<()> {
        let listener = std::os::unix::net::UnixListener::from(listener);
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        while let Some(seat) = self.seat().await {
            let Ok((connection, _)) = listener.accept().await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let Ok(peer) = connection.peer_cred() else { continue };
            let hall = self.clone();
            tokio::spawn(async move {
                hall.serve(Peer::Local { uid: peer.uid() }, connection).await;
                drop(seat);
            });
        }
        Ok(())
    }

    /// Serves clients with a certificate.
    /// # Errors
    /// As [`Hall::local`].
    pub(super) async fn certified(self: Arc<Self>, listener: OwnedFd, tls: Tls) -> io::Result<()> {
        let listener = std::net::TcpListener::from(listener);
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        while let Some(door) = self.door().await {
            let Ok((connection, _)) = listener.accept().await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let (hall, tls) = (self.clone(), tls.clone());
            tokio::spawn(async move {
                let shaken = tls.accept(connection).await;
                let seat = hall.seat().await;
                drop(door);
                match shaken {
                    Ok((peer, stream)) => hall.serve(peer, stream).await,
                    Err(error) => tracing::debug!("a client without a certificate that holds: {error}"),
                }
                drop(seat);
            });
        }
        Ok(())
    }
}
