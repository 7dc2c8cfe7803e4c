//! One connection that a rule lets out: its counts, its events, and the way to its host.

use super::inspect::Engine;
use super::meter::Meter;
use super::outward;
use super::place::Place;
use super::race::{First, race};
use super::reason::{self, Denied};
use super::session::Session;
use super::tell::Teller;
use crate::wire::denial::Reason;
use crate::wire::egress::{FromEgress, Kind, Rule};
use crate::wire::upload::Upload;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep;

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
    /// Both addresses of that socket: its own, and what it connected to.
    pub(super) ends: Option<(SocketAddr, SocketAddr)>,
    /// True once it must end at once.
    pub(super) end: watch::Receiver<bool>,
    pub(super) session: Arc<Session>,
}

/// How often it is looked whether the agent still waits for an answer.
const LOOK: Duration = Duration::from_millis(500);

/// A question about an upload, which is taken back with this when it has no answer yet.
struct Asked<'a> {
    session: &'a Session,
    id: u64,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        // Where the queue is full, the person is asked until the time is over.
        if self.session.grants.withdraw(self.id) {
            drop(self.session.outbox.ask(FromEgress::Withdraw { id: self.id }));
        }
    }
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

    /// Asks a person before this is sent; gives the lease of a yes. The question is taken back when nobody waits for it
    /// any more.
    /// # Errors
    /// When the answer is no, or nobody can be asked.
    pub(super) async fn ask_upload(&self, upload: Upload) -> Result<String, Denied> {
        let by_rule = |reason| Denied::by(reason, &self.rule.id);
        let put = self.session.grants.put(&self.place, self.port, Some(self.id))?;
        let Some(id) = put.new else { return Err(by_rule(reason::REFUSED)) };
        let asked = Asked { session: &self.session, id };
        let (host, port) = (self.host.clone(), self.port);
        let inode = self.inode.or_else(|| self.socket());
        let upload = Box::new(upload);
        self.session.outbox.ask(FromEgress::Upload { id, host, port, upload, inode })?;
        let answer = match race(put.answer, self.agent_gone(inode)).await {
            First::Left(answer) => answer.map_err(|_| by_rule(reason::REFUSED))?,
            First::Right(()) => Err(Reason::Withdrawn.id()),
        };
        drop(asked);
        answer.map_err(by_rule)
    }

    /// The inode of the agent's socket, while a process has it open.
    fn socket(&self) -> Option<u64> {
        self.ends.and_then(|(own, other)| self.session.who.inode(own, other))
    }

    /// Waits until no process has the agent's socket open any more. A connection that only says no more looks the same
    /// from here as one that is gone, so the socket itself is looked for; where it never was found, for ever.
    async fn agent_gone(&self, found: Option<u64>) {
        if found.is_none() || self.socket().is_none() {
            return std::future::pending().await;
        }
        let mut missed = 0;
        while missed < 2 {
            sleep(LOOK).await;
            missed = if self.socket().is_some() { 0 } else { missed + 1 };
        }
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
