//! One connection that a rule lets out: its counts, its events, and the way to its host.

use super::inspect::Engine;
use super::meter::Meter;
use super::outward;
use super::place::Place;
use super::reason::{self, Denied};
use super::session::Session;
use super::tell::Teller;
use crate::wire::egress::{FromEgress, Kind, Rule};
use std::fmt;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// A connection that a rule lets out. Clones are the same connection.
#[derive(Clone)]
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
    /// Where it goes.
    pub(super) place: Place,
    /// The inode of the agent's socket, where it is known.
    pub(super) inode: Option<u64>,
    /// True once it must end at once.
    pub(super) end: watch::Receiver<bool>,
    pub(super) session: Arc<Session>,
}

impl fmt::Debug for Flow {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Flow {} to {}:{}", self.id, self.host, self.port)
    }
}

impl Flow {
    /// Connects to its host: the name is resolved outside, once, its addresses are checked, and one that passed is
    /// connected to. Tells `Open`. Through the proxy of the outside where there is one.
    /// # Errors
    /// Why not.
    pub(super) async fn connect(&self) -> Result<TcpStream, Denied> {
        let (stream, at) = outward::connect(&self.session, &self.place, self.port, &self.rule).await?;
        self.tell.note(|event| event.address = Some(at.to_string()));
        self.tell.event(Kind::Open, |_| {});
        Ok(stream)
    }

    /// Asks a person before a large upload starts.
    /// # Errors
    /// When the answer is no, or nobody can be asked.
    pub(super) async fn ask_upload(&self, bytes: u64) -> Result<(), Denied> {
        let put = self.session.grants.put(&self.place, self.port, true)?;
        if let Some(id) = put.new {
            let (host, port) = (self.host.clone(), self.port);
            let ask = FromEgress::Ask { id, host, port, upload: Some(bytes), inode: self.inode };
            self.session.outbox.ask(ask)?;
        }
        let by_rule = |reason| Denied::by(reason, &self.rule.id);
        let answer = put.answer.await.map_err(|_| by_rule(reason::REFUSED))?;
        answer.map(drop).map_err(by_rule)
    }

    /// Waits until the connection must end at once, because its grant was taken back. What was spawned for it selects on
    /// this; the future of the connection itself is dropped then.
    pub(super) async fn over(&self) {
        let mut end = self.end.clone();
        if end.wait_for(|over| *over).await.is_err() {
            // It left the list, so nobody ends it any more.
            std::future::pending::<()>().await;
        }
    }

    /// What reads inspected connections.
    pub(super) fn engine(&self) -> &Arc<Engine> {
        &self.session.engine
    }
}
