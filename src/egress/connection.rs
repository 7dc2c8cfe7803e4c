//! The life of one connection, from the first look at where it wants to go until its last event.

use super::client::Client;
use super::decide::{Chosen, Program, Verdict};
use super::flow::Flow;
use super::inspect;
use super::meter::{Meter, Seat};
use super::peek::{self, Seen};
use super::place::Place;
use super::race::{First, race};
use super::reason::{self, Denied};
use super::refuse;
use super::relay::{self, Broken, Sides};
use super::session::Session;
use super::tell::Teller;
use super::who::MOST_WAIT;
use crate::wire::egress::{FromEgress, Kind, Rule, Tls};
use crate::wire::subject::Process;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// How long the first byte is waited for before the host is let speak first.
const FIRST: Duration = Duration::from_millis(300);
/// The same where the host never speaks first.
const FIRST_READ: Duration = Duration::from_secs(60);
/// Between two events about the volume of a connection.
const VOLUME: Duration = Duration::from_secs(60);

/// What a connection wants.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Where to, or why there is no such place.
    pub place: Result<Place, Denied>,
    /// The same as it was said.
    pub said: String,
    /// The TCP port.
    pub port: u16,
    /// Both addresses of the agent's socket: its own, and what it connected to.
    pub ends: Option<(SocketAddr, SocketAddr)>,
    /// It came by a proxy's request.
    pub proxied: bool,
}

/// A yes.
#[derive(Debug)]
struct Permit {
    chosen: Chosen,
    grant: Option<String>,
    inode: Option<u64>,
}

/// A connection before it was decided.
#[derive(Debug)]
pub(super) struct Arrived {
    session: Arc<Session>,
    wanted: Wanted,
    id: u64,
    tell: Teller,
}

/// A connection that may go out.
#[derive(Debug)]
pub(super) struct Admitted {
    arrived: Arrived,
    place: Place,
    permit: Permit,
}

impl Arrived {
    /// A new one.
    pub(super) fn new(session: Arc<Session>, wanted: Wanted) -> Self {
        let id = session.next_flow();
        let tell = Teller::new(session.outbox.clone(), id, &wanted.said, wanted.port);
        Self { session, wanted, id, tell }
    }

    /// Where it wants to, as it was said.
    pub(super) fn said(&self) -> &str {
        &self.wanted.said
    }

    /// Tells that it was refused, without a name that must not be told.
    pub(super) async fn denied(&self, denied: &Denied) {
        let shown =
            if denied.is_of_a_name() { inspect::shown(&self.session, &self.wanted.said).await } else { None };
        self.tell.denied_as(denied, shown);
    }

    /// Decides about it; a person and the Guardian are asked where the rules say so.
    /// # Errors
    /// Why it goes no further; the event is not told yet.
    pub(super) async fn admit(self) -> Result<Admitted, (Self, Denied)> {
        let place = match &self.wanted.place {
            Ok(place) => place.clone(),
            Err(denied) => {
                let denied = denied.clone();
                return Err((self, denied));
            }
        };
        match permit(&self, &place).await {
            Ok(permit) => Ok(Admitted { arrived: self, place, permit }),
            Err(denied) => Err((self, denied)),
        }
    }

    /// Refuses it in its own protocol, which its first bytes say.
    pub(super) async fn refuse(self, client: Client, mut denied: Denied) {
        let (mut front, stream) = client.into_parts();
        let seen = peek::look(&stream, &mut front, FIRST).await.unwrap_or(Seen::Other);
        self.tell.seen(&seen);
        denied.alert |= inspect::hide_sni(&self.session, &self.tell, &seen, &denied).await;
        self.denied(&denied).await;
        refuse::tell(stream, &seen, (&self.wanted.said, self.wanted.port), &denied).await;
    }
}

async fn permit(arrived: &Arrived, place: &Place) -> Result<Permit, Denied> {
    let (session, port) = (&arrived.session, arrived.wanted.port);
    let inode = || arrived.wanted.ends.and_then(|(own, other)| session.who.inode(own, other));
    let first = session.rules().decide(place, port, Program::Unasked);
    let (verdict, inode) = match first {
        Verdict::Who => {
            let inode = inode();
            let process = match inode {
                Some(inode) => whose(session, inode).await,
                None => None,
            };
            let digest = process.as_ref().and_then(|process| process.sha256.clone());
            arrived.tell.note(|event| event.process = process);
            let program = digest.as_deref().map_or(Program::Unknown, Program::Digest);
            (session.rules().decide(place, port, program), inode)
        }
        Verdict::Deny(denied) => return Err(denied),
        Verdict::Ask(_) => (first, inode()),
        Verdict::Allow(_) => {
            learn_later(arrived);
            (first, None)
        }
    };
    match verdict {
        Verdict::Allow(chosen) => Ok(Permit { chosen, grant: None, inode }),
        Verdict::Ask(chosen) => {
            // A person is asked about no name that must not be said.
            let rules: Vec<Arc<Rule>> = std::iter::once(&chosen.rule).chain(&chosen.also).cloned().collect();
            inspect::name_before(&session.engine, &place.to_string(), &rules, &arrived.tell).await?;
            let grant = granted(session, place, port, inode).await;
            let grant = grant.map_err(|why| Denied::by(why.reason, &chosen.rule.id))?;
            Ok(Permit { chosen, grant: Some(grant), inode })
        }
        Verdict::Deny(denied) => Err(denied),
        Verdict::Who => Err(Denied::because(reason::PROGRAM)),
    }
}

async fn granted(session: &Session, place: &Place, port: u16, inode: Option<u64>) -> Result<String, Denied> {
    if let Some(grant) = session.grants.holding(place, port) {
        return Ok(grant);
    }
    let put = session.grants.put(place, port, None)?;
    if let Some(id) = put.new {
        let ask = FromEgress::Ask { id, host: place.to_string(), port, inode };
        if let Err(denied) = session.outbox.ask(ask) {
            session.grants.answer(id, None, Some(denied.reason));
        }
    }
    put.answer.await.map_err(|_| reason::REFUSED).and_then(|answer| answer).map_err(Denied::because)
}

async fn whose(session: &Session, inode: u64) -> Option<Process> {
    let (id, answer) = session.who.put(false)?;
    let asked = session.outbox.ask(FromEgress::Who { id, inode });
    let process = match asked {
        Ok(()) => timeout(MOST_WAIT, answer).await.ok().and_then(Result::ok).flatten(),
        Err(_) => None,
    };
    session.who.forget(id);
    process
}

/// Nothing waits for it; a later event has it.
fn learn_later(arrived: &Arrived) {
    let (session, tell) = (Arc::clone(&arrived.session), arrived.tell.clone());
    let Some((own, other)) = arrived.wanted.ends else { return };
    let Some((id, answer)) = session.who.put(true) else { return };
    let asked = session.who.inode(own, other).map(|inode| session.outbox.ask(FromEgress::Who { id, inode }));
    if !matches!(asked, Some(Ok(()))) {
        return session.who.forget(id);
    }
    tokio::spawn(async move {
        if let Ok(Ok(process)) = timeout(MOST_WAIT * 10, answer).await {
            tell.note(|event| event.process = process);
        }
        session.who.forget(id);
    });
}

impl Admitted {
    /// Serves it until its end.
    pub(super) async fn serve(self, client: Client) {
        let Self { arrived, place, permit } = self;
        let Arrived { session, wanted, id, tell } = arrived;
        let meter = Meter::new(Arc::clone(&permit.chosen.usage), Arc::clone(&session.usage));
        let tell = tell.with(meter.clone());
        tell.note(|event| {
            event.rule = Some(permit.chosen.rule.id.clone());
            event.grant.clone_from(&permit.grant);
        });
        let listed = session.grants.list(id, permit.grant, &place, wanted.port);
        let seat = permit.chosen.usage.enter(u32::MAX);
        let (listed, _seat) = match (listed, seat) {
            (Ok(listed), Some(seat)) => (listed, seat),
            (Err(denied), _) => return refuse_late(&tell, client, &wanted, denied).await,
            (_, None) => {
                let denied = Denied::because(reason::CONNECTIONS);
                return refuse_late(&tell, client, &wanted, denied).await;
            }
        };
        let flow = Flow {
            id,
            host: place.to_string(),
            port: wanted.port,
            rule: permit.chosen.rule,
            also: permit.chosen.also,
            proxied: wanted.proxied,
            meter,
            tell: tell.clone(),
            place,
            inode: permit.inode,
            ends: wanted.ends,
            end: listed.over.clone(),
            session: Arc::clone(&session),
        };
        let life = race(carry(&flow, client), race(flow.over(), volumes(&tell)));
        match life.await {
            First::Left(Ok(())) => tell.event(Kind::Close, |_| {}),
            First::Left(Err(denied)) => {
                tell.denied(&denied);
            }
            First::Right(_) => {
                tell.event(Kind::Close, |event| event.reason = Some(reason::REVOKED.to_owned()))
            }
        }
    }
}

async fn refuse_late(tell: &Teller, client: Client, wanted: &Wanted, denied: Denied) {
    tell.denied(&denied);
    let (mut front, stream) = client.into_parts();
    let seen = peek::look(&stream, &mut front, FIRST).await.unwrap_or(Seen::Other);
    refuse::tell(stream, &seen, (&wanted.said, wanted.port), &denied).await;
}

/// Once a minute, for ever.
async fn volumes(tell: &Teller) {
    loop {
        sleep(VOLUME).await;
        tell.event(Kind::Volume, |_| {});
    }
}

/// Whether the rule can hold only for what is read.
fn must_be_read(flow: &Flow) -> bool {
    let rule = &flow.rule;
    rule.tls == Tls::Inspect || !rule.methods.is_empty() || !rule.paths.is_empty()
}

async fn carry(flow: &Flow, client: Client) -> Result<(), Denied> {
    let first = if must_be_read(flow) { FIRST_READ } else { FIRST };
    let (mut front, stream) = client.into_parts();
    let seen = match peek::look(&stream, &mut front, first).await {
        Ok(seen) => seen,
        Err(denied) => {
            relay::abort(&stream);
            return Err(Denied::by(denied.reason, &flow.rule.id));
        }
    };
    flow.tell.seen(&seen);
    match (check(flow, &seen).and_then(|()| reader(flow, &seen)), seen) {
        (_, Seen::Closed) => Ok(()),
        (Err(mut denied), seen) => {
            denied.alert |= inspect::hide_sni(&flow.session, &flow.tell, &seen, &denied).await;
            refuse::tell(stream, &seen, (&flow.host, flow.port), &denied).await;
            Err(denied)
        }
        (Ok(_seat), Seen::Tls(hello)) if flow.rule.tls == Tls::Inspect => {
            read(inspect::tls(flow.clone(), Client::with(stream, front), hello)).await
        }
        (Ok(_seat), Seen::Http { .. }) => {
            read(inspect::plain(flow.clone(), Client::with(stream, front))).await
        }
        (Ok(_), seen) => splice(flow, stream, front, &seen).await,
    }
}

/// Whether what begins is what the rule is for, and for the name that was decided about.
fn check(flow: &Flow, seen: &Seen) -> Result<(), Denied> {
    let no = |reason| Err(Denied::by(reason, &flow.rule.id));
    match seen {
        Seen::Tls(_) if flow.rule.tls == Tls::Deny => no(reason::TLS),
        Seen::Tls(_) if flow.rule.tls == Tls::Splice && must_be_read(flow) => no(reason::UNREADABLE),
        Seen::Tls(hello) => match &hello.sni {
            // A literal address has no name to agree with; a hello never names one (RFC 6066, 3).
            None if matches!(flow.place, Place::Address(_)) => Ok(()),
            None => no(reason::NO_SNI),
            Some(name) if *name == flow.host => Ok(()),
            Some(_) => no(reason::MISMATCH),
        },
        Seen::Http { .. } | Seen::Closed => Ok(()),
        Seen::Ssh | Seen::Other | Seen::Silent if must_be_read(flow) => no(reason::UNREADABLE),
        Seen::Ssh | Seen::Other | Seen::Silent => Ok(()),
    }
}

/// A place among the connections that are read, for one that is.
fn reader(flow: &Flow, seen: &Seen) -> Result<Option<Seat>, Denied> {
    let is_read = match seen {
        Seen::Tls(_) => flow.rule.tls == Tls::Inspect,
        Seen::Http { .. } => true,
        Seen::Ssh | Seen::Other | Seen::Silent | Seen::Closed => false,
    };
    is_read.then(|| flow.session.enter_read()).transpose()
}

/// Passes it on unread. Where nothing came from the agent yet, what comes is still looked at.
async fn splice(flow: &Flow, stream: TcpStream, front: Vec<u8>, seen: &Seen) -> Result<(), Denied> {
    let silent = *seen == Seen::Silent;
    let connected = match inspect::name(flow).await {
        Ok(()) => flow.connect().await,
        Err(denied) => Err(denied),
    };
    let host = match connected {
        Ok(host) => host,
        Err(denied) => {
            refuse::tell(stream, seen, (&flow.host, flow.port), &denied).await;
            return Err(denied);
        }
    };
    let mut sides = Sides { agent: &stream, host: &host, whole: false };
    let moved = {
        let gate = async { if silent { late(flow, &stream).await } else { Ok(front) } };
        relay::relay(&sides, &flow.meter, &flow.session.pipes, gate).await
    };
    sides.whole = matches!(moved, Ok(()) | Err(Broken::Http(_)));
    drop(sides);
    match moved {
        Ok(()) => Ok(()),
        Err(Broken::Connection(error)) => {
            // A peer that resets its connection has ended it; the other side was reset too.
            tracing::debug!("a connection broke: {error}");
            Ok(())
        }
        Err(Broken::Cut(cut)) => Err(Denied::by(cut.0, &flow.rule.id)),
        Err(Broken::Refused(denied)) => Err(denied),
        Err(Broken::Http(front)) => {
            relay::abort(&host);
            drop(host);
            let _seat = flow.session.enter_read()?;
            read(inspect::plain(flow.clone(), Client::with(stream, front))).await
        }
    }
}

/// On its own, so that a connection that is passed on unread takes less memory.
fn read(
    work: impl Future<Output = Result<(), Denied>>,
) -> Pin<Box<impl Future<Output = Result<(), Denied>>>> {
    Box::pin(work)
}

/// What an agent says that was silent at first.
async fn late(flow: &Flow, agent: &TcpStream) -> Result<Vec<u8>, Broken> {
    let mut front = Vec::new();
    let seen = peek::look(agent, &mut front, Duration::from_secs(365 * 24 * 3600)).await;
    let seen = seen.map_err(|denied| Broken::Refused(Denied::by(denied.reason, &flow.rule.id)))?;
    flow.tell.seen(&seen);
    if let Err(mut denied) = check(flow, &seen) {
        denied.alert |= inspect::hide_sni(&flow.session, &flow.tell, &seen, &denied).await;
        return Err(Broken::Refused(denied));
    }
    let (_, received, ..) = flow.meter.so_far();
    match seen {
        Seen::Http { .. } if received == 0 => Err(Broken::Http(front)),
        Seen::Http { .. } => Err(Broken::Refused(Denied::by(reason::UNREADABLE, &flow.rule.id))),
        _ => Ok(front),
    }
}
