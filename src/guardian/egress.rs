//! The way out, as the Guardian sees it: what role `egress` tells becomes records, and what it asks is answered.
//!
//! Of the role nothing is believed but what happened to it: it names no lease, and whose socket a number is the
//! Guardian finds out itself. A role that is gone leaves the sandbox without a way out, never without a guard.

use super::Guardian;
use super::grant::Lease;
use super::record::{self, Through};
use super::request::{Under, Waiter, Wish};
use super::target::{Host, Sent};
use crate::audit::Event;
use crate::audit::network::Network;
use crate::wire::egress::{self, FromEgress, Kind, ToEgress};
use crate::wire::subject::{Asker, Resource};

/// The most characters of a text of the role that a record keeps.
const MOST_TEXT: usize = 300;
/// The most searches for a socket in a second; each takes about as long as there are processes.
const MOST_SEARCHES: u32 = 64;
/// The most leases that are over and still known.
const MOST_OVER: usize = 256;
/// The most protocols and kinds of findings that a record keeps.
const MOST_LISTED: usize = 16;

impl Guardian {
    /// What role `egress` says.
    pub(super) fn egress_said(&mut self, said: FromEgress) {
        match said {
            FromEgress::Event { event } => self.network_event(*event),
            FromEgress::Who { id, inode } => {
                let asker = self.socket_holder(inode);
                self.roles.tell_egress(&ToEgress::Known { id, asker });
            }
            FromEgress::Upload { id, host, port, upload, inode } => {
                let pid = inode.and_then(|inode| self.socket_pid(inode));
                let to = Host { name: host.to_ascii_lowercase(), port };
                self.wish_upload(id, Sent { to, upload: upload.cut() }, pid);
            }
            FromEgress::Withdraw { id } => self.withdraw_upload(id),
            FromEgress::Ask { id, host, port, inode } => {
                let pid = inode.and_then(|inode| self.socket_pid(inode));
                self.wish(Wish {
                    waiter: Waiter::Flow(id),
                    resource: Resource::Host { host, port },
                    actions: Host::actions(),
                    pid,
                    why: None,
                    under: Under::default(),
                    person: None,
                });
            }
            FromEgress::Authority { .. } | FromEgress::Ready {} | FromEgress::Refused { .. } => {
                tracing::warn!("role egress says what belongs before the start");
            }
        }
    }

    /// The role is gone, and its sockets with it: whatever is tried now is refused by the kernel.
    pub(super) fn way_out_lost(&mut self) {
        let lost = Network {
            what: "lost".to_owned(),
            reason: Some("role egress is gone; the sandbox has no way out".to_owned()),
            ..Network::default()
        };
        self.recorder.note(&Event::Network(Box::new(lost)));
    }

    /// Who has this socket open; pid 0 when nobody inside has it any more, or too many were asked about.
    fn socket_holder(&mut self, inode: u64) -> Asker {
        let holder = self.socket_pid(inode);
        holder.map(|pid| self.processes.asker(pid)).unwrap_or_default()
    }

    /// To find it, every descriptor of the sandbox is looked at: an agent that connects all the time must not keep the
    /// Guardian from its other work.
    fn socket_pid(&mut self, inode: u64) -> Option<i32> {
        let (second, count) = &mut self.searches;
        if self.now.as_secs() != *second {
            (*second, *count) = (self.now.as_secs(), 0);
        }
        *count += 1;
        if *count > MOST_SEARCHES { None } else { self.processes.holder_of_socket(inode) }
    }

    /// The lease of a host or an upload that the role names; one that there never was is none.
    fn through(&self, grant: &str) -> Option<Through> {
        let held = self.leases.by_id(grant).and_then(|number| self.leases.get(number));
        let held = held.filter(|lease| lease.at().is_none()).map(Through::of);
        held.or_else(|| self.over.iter().find(|over| over.grant == grant).cloned())
    }

    /// A lease is over: what went through it is still told for a while.
    pub(super) fn keep_over(&mut self, lease: &Lease) {
        if lease.at().is_some() {
            return;
        }
        if self.over.len() >= MOST_OVER {
            self.over.pop_front();
        }
        self.over.push_back(Through::of(lease));
    }

    fn network_event(&mut self, event: egress::Event) {
        let (alert, denied) = (event.kind == Kind::Alert, event.kind == Kind::Denied);
        let through = event.grant.as_deref().and_then(|grant| self.through(grant));
        let mut network = kept(event);
        if let Some(Through { grant, request, token }) = through {
            (network.grant, network.approval, network.token) = (Some(grant), request, token);
        }
        if denied {
            return self.note_refused_connection(network);
        }
        let event = Event::Network(Box::new(network));
        if alert {
            return self.recorder.note(&event);
        }
        self.recorder.note_traffic(&event, self.now);
    }
}

/// What a record keeps of an event: every text cut.
fn kept(event: egress::Event) -> Network {
    let cut = |text: String| match text.char_indices().nth(MOST_TEXT) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned(),
        None => text,
    };
    let maybe = |text: Option<String>| text.map(cut);
    let process = event.process.map(|process| record::seen(&process));
    Network {
        what: word(event.kind).to_owned(),
        flow: event.flow,
        host: cut(event.host),
        port: event.port,
        address: maybe(event.address),
        protocol: cut(event.protocol),
        sni: maybe(event.sni),
        alpn: event.alpn.into_iter().take(MOST_LISTED).map(cut).collect(),
        ech: event.ech,
        process,
        rule: maybe(event.rule),
        grant: None,
        approval: None,
        token: None,
        reason: maybe(event.reason),
        sent: event.sent,
        received: event.received,
        requests: event.requests,
        request: maybe(event.request),
        status: event.status,
        findings: event
            .findings
            .into_iter()
            .take(MOST_LISTED)
            .map(|found| (cut(found.kind), found.count))
            .collect(),
        delay_ms: event.delay_ms,
        took_ms: event.took_ms,
        count: event.count,
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Open => "open",
        Kind::Denied => "denied",
        Kind::Request => "request",
        Kind::Volume => "volume",
        Kind::Close => "close",
        Kind::Alert => "alert",
        Kind::Omitted => "omitted",
    }
}
