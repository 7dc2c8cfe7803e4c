//! One connection that a rule lets out: its counts, its events, and the way to its host.

use super::inspect::Engine;
use super::meter::Meter;
use super::reason::{self, Denied};
use super::tell::Teller;
use crate::wire::egress::Rule;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// A connection that a rule lets out. Clones are the same connection.
#[derive(Debug, Clone)]
pub(super) struct Flow {
    /// Counts from 1 in a session.
    pub id: u64,
    /// The name it is for, lower-case and without a dot at the end, or a literal address. `localhost` is the host's own.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// The rule that lets it out.
    pub rule: Arc<Rule>,
    /// Further rules that let it out as well, with the same treatment of TLS: one request may fit one of them alone.
    pub also: Vec<Arc<Rule>>,
    /// It came as a request to a proxy: another request on it may be for another host, so it ends after each.
    pub proxied: bool,
    /// Its counts.
    pub meter: Meter,
    /// Its events. `Open`, `Volume`, `Close` and the `Denied` of an error that is returned are told by who accepted it.
    pub tell: Teller,
    /// True once it must end at once.
    over: watch::Receiver<bool>,
    engine: Arc<Engine>,
}

impl Flow {
    /// Connects to its host: the name is resolved outside, once, its addresses are checked, and one that passed is
    /// connected to. Tells `Open`. Through the proxy of the outside where there is one.
    /// # Errors
    /// Why not.
    pub(super) async fn connect(&self) -> Result<TcpStream, Denied> {
        Err(Denied::because(reason::NOT_AVAILABLE))
    }

    /// Asks a person before a large upload starts.
    /// # Errors
    /// When the answer is no, or nobody can be asked.
    pub(super) async fn ask_upload(&self, bytes: u64) -> Result<(), Denied> {
        let _ = bytes;
        Err(Denied::because(reason::NOT_AVAILABLE))
    }

    /// Waits until the connection must end at once, because its grant was taken back. What was spawned for it selects on
    /// this; the future of the connection itself is dropped then.
    pub(super) async fn over(&self) {
        let mut over = self.over.clone();
        if over.wait_for(|over| *over).await.is_err() {
            // The session is gone, and with it the runtime.
            std::future::pending::<()>().await;
        }
    }

    /// What reads inspected connections.
    pub(super) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }
}
