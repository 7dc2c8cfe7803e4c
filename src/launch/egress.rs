//! The way out of a filtered network: the child makes its sockets in its own network namespace and hands them to the
//! launcher; none stays inside. What is made out of them is the proxy's affair.
//!
//! Never lets anything out by itself: where a part is missing, or its holder ends, connections are refused.

use super::child::{At, Staged};
use super::message::Message;
use super::stage::{Stage, StageFailure};
use crate::plan::egress::{
    ADDRESS, Batches, CONNECT_PORT, MOST_PORTS, NAME_PORT, REDIRECTED_PORT, SOCKS_PORT, Way, proxy_variables,
};
use crate::plan::environment;
use crate::sys::netlink::{self, Part};
use crate::sys::process::ExecStrings;
use crate::sys::{Errno, Sys, datagram, diag, net, socket};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

pub use crate::plan::egress::Rung;

/// Connections that wait to be accepted; the kernel takes net.core.somaxconn when that is less.
const BACKLOG: i32 = 4096;

/// What the child lays its way out with.
#[derive(Debug)]
pub struct ReadyEgress {
    rungs: Vec<Rung>,
    batches: Batches,
    ports: Vec<u16>,
    local: Vec<u16>,
    inward: u16,
    /// The environment on the rung on which programs must be told of a proxy.
    pub(super) proxied: ExecStrings,
}

impl ReadyEgress {
    /// Lays out the way with the agent's environment.
    pub(super) fn new(way: &Way, environment: &BTreeMap<OsString, OsString>) -> Self {
        let mut environment = environment.clone();
        environment.extend(proxy_variables().into_iter().map(|(name, value)| (name.into(), value.into())));
        // The two endpoints are there on every rung, at these ports.
        let (ports, local) = (listened_on(&way.ports), listened_on(&way.local));
        Self {
            rungs: way.rungs.clone(),
            batches: Batches::new(),
            ports,
            local,
            inward: way.inward,
            proxied: ExecStrings::new(environment::strings(&environment)),
        }
    }

    /// In the child: tries the rungs in order, and hands out the sockets of the first that holds.
    pub(super) fn lay(&self, control: BorrowedFd<'_>) -> Staged<Rung> {
        net::loopback_up().at(Stage::Loopback)?;
        let rung = self.reach(control)?;
        self.hand_out(rung, &Hand(control)).at(Stage::Egress)?;
        socket::send(control, &Message::Holds(rung as u16).to_bytes(), None, true).at(Stage::Egress)?;
        Ok(rung)
    }

    /// What needs more of the kernel than sockets. A rung that fails leaves nothing that a lower one minds: the filter's
    /// table is put in force whole or not at all.
    fn reach(&self, control: BorrowedFd<'_>) -> Staged<Rung> {
        let mut last = Errno::EOPNOTSUPP;
        for rung in &self.rungs {
            let Err(errno) = self.reach_by(*rung) else { return Ok(*rung) };
            let fell = Message::Fell(*rung as u16, errno as i32);
            socket::send(control, &fell.to_bytes(), None, true).at(Stage::Egress)?;
            last = errno;
        }
        Err(StageFailure { stage: Stage::Egress, entry: 0, errno: last })
    }

    fn reach_by(&self, rung: Rung) -> Sys<()> {
        if rung == Rung::Proxy {
            return Ok(());
        }
        make(&self.batches.address)?;
        make(&self.batches.everything)?;
        // Without IPv6, or with it switched off, no program can use it either.
        let _no_ipv6 = make(&self.batches.everything_of_ipv6).is_err();
        if rung == Rung::Redirect { netlink::carry_out(Part::Netfilter, &self.batches.table) } else { Ok(()) }
    }

    fn hand_out(&self, rung: Rung, hand: &Hand<'_>) -> Sys<()> {
        match rung {
            Rung::Redirect => hand.over(Kind::Redirected, 0, listen_everywhere(REDIRECTED_PORT)?)?,
            Rung::AnyIp => {
                for port in &self.ports {
                    hand.over(Kind::Port, *port, listen_everywhere(*port)?)?;
                }
            }
            Rung::Proxy => {}
        }
        if rung != Rung::AnyIp {
            for port in &self.local {
                hand.over(Kind::Port, *port, net::listen((Ipv4Addr::LOCALHOST, *port).into(), BACKLOG)?)?;
                if let Ok(listener) = net::listen((Ipv6Addr::LOCALHOST, *port).into(), BACKLOG) {
                    hand.over(Kind::Port, *port, listener)?;
                }
            }
        }
        let endpoints = if rung == Rung::Proxy { Ipv4Addr::LOCALHOST } else { ADDRESS };
        for port in [CONNECT_PORT, SOCKS_PORT] {
            hand.over(Kind::Port, port, net::listen((endpoints, port).into(), BACKLOG)?)?;
        }
        if rung != Rung::Proxy {
            hand.over(Kind::Name, 0, datagram::bind((Ipv4Addr::UNSPECIFIED, NAME_PORT).into())?)?;
            if let Ok(name) = datagram::bind((Ipv6Addr::UNSPECIFIED, NAME_PORT).into()) {
                hand.over(Kind::Name, 0, name)?;
            }
        }
        // Without it no connection has a known program, and rules by program match none.
        if let Ok(diag) = diag::open() {
            hand.over(Kind::Diag, 0, diag)?;
        }
        (0..self.inward).try_for_each(|_| hand.over(Kind::Inward, 0, net::unconnected(false)?))
    }
}

/// Ports with listeners of their own: each once, without those of the two endpoints.
fn listened_on(ports: &[u16]) -> Vec<u16> {
    let mut ports: Vec<u16> =
        ports.iter().copied().filter(|port| ![CONNECT_PORT, SOCKS_PORT].contains(port)).collect();
    ports.sort_unstable();
    ports.dedup();
    ports.truncate(MOST_PORTS);
    ports
}

/// A rung above may have made it already.
fn make(batch: &[u8]) -> Sys<()> {
    match netlink::carry_out(Part::Route, batch) {
        Err(Errno::EEXIST) => Ok(()),
        other => other,
    }
}

/// On every address, of both kinds where the kernel has IPv6.
fn listen_everywhere(port: u16) -> Sys<OwnedFd> {
    let both = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    match net::listen(both, BACKLOG) {
        Err(Errno::EAFNOSUPPORT) => net::listen((Ipv4Addr::UNSPECIFIED, port).into(), BACKLOG),
        other => other,
    }
}

/// What a socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
enum Kind {
    Redirected,
    Port,
    Name,
    Diag,
    Inward,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Redirected, Self::Port, Self::Name, Self::Diag, Self::Inward];
}

/// Sends sockets to the launcher.
struct Hand<'a>(BorrowedFd<'a>);

impl Hand<'_> {
    /// Ours is closed: the launcher's alone is left.
    fn over(&self, kind: Kind, port: u16, made: OwnedFd) -> Sys<()> {
        let message = Message::Socket(kind as u16, port);
        socket::send(self.0, &message.to_bytes(), Some(made.as_fd()), true)
    }
}

/// The sockets of a filtered run's network namespace. Each is close-on-exec and never waits. When they are closed,
/// everything is refused inside.
#[derive(Debug)]
pub struct Handed {
    /// What holds.
    pub rung: Rung,
    /// What did not hold before it, and why.
    pub fell: Vec<(Rung, Errno)>,
    /// TCP listeners. Without a port: every redirected connection. With [`CONNECT_PORT`] or [`SOCKS_PORT`]: the
    /// endpoint. With another port: connections to every address at this port.
    pub tcp: Vec<(Option<u16>, OwnedFd)>,
    /// UDP sockets at port 53 of every address, IPv4 and IPv6; none on [`Rung::Proxy`].
    pub udp: Vec<OwnedFd>,
    /// NETLINK_SOCK_DIAG, where the kernel has it.
    pub diag: Option<OwnedFd>,
    /// Unconnected TCP sockets (IPv4), each for one connection into the namespace.
    pub inward: Vec<OwnedFd>,
}

/// What was told so far.
#[derive(Debug, Default)]
pub(super) struct Receiving {
    fell: Vec<(Rung, Errno)>,
    sockets: Vec<(Kind, u16, OwnedFd)>,
    holds: Option<Rung>,
}

impl Receiving {
    /// A socket came.
    pub(super) fn socket(&mut self, kind: u16, port: u16, socket: Option<OwnedFd>) {
        let kind = Kind::ALL.get(usize::from(kind)).copied();
        self.sockets.extend(kind.zip(socket).map(|(kind, socket)| (kind, port, socket)));
    }

    /// A rung did not hold.
    pub(super) fn fell(&mut self, rung: u16, errno: i32) {
        self.fell.extend(Rung::ALL.get(usize::from(rung)).map(|rung| (*rung, Errno::from_raw(errno))));
    }

    /// A rung holds.
    pub(super) fn holds(&mut self, rung: u16) {
        self.holds = Rung::ALL.get(usize::from(rung)).copied();
    }

    /// Which rung holds, and why not those above.
    pub(super) fn rung(&self) -> Option<(Rung, &[(Rung, Errno)])> {
        self.holds.map(|rung| (rung, self.fell.as_slice()))
    }

    /// All of it, once a rung holds.
    pub(super) fn into_handed(self) -> Option<Handed> {
        let mut handed = Handed {
            rung: self.holds?,
            fell: self.fell,
            tcp: Vec::new(),
            udp: Vec::new(),
            diag: None,
            inward: Vec::new(),
        };
        for (kind, port, socket) in self.sockets {
            match kind {
                Kind::Redirected => handed.tcp.push((None, socket)),
                Kind::Port => handed.tcp.push((Some(port), socket)),
                Kind::Name => handed.udp.push(socket),
                Kind::Diag => handed.diag = Some(socket),
                Kind::Inward => handed.inward.push(socket),
            }
        }
        Some(handed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any() -> Option<OwnedFd> {
        socket::open_local().ok()
    }

    #[test]
    fn what_fell_and_what_was_handed_is_told_once_a_rung_holds() {
        let mut told = Receiving::default();
        told.fell(Rung::Redirect as u16, libc::EPROTONOSUPPORT);
        told.socket(Kind::Port as u16, 443, any());
        told.socket(Kind::Name as u16, 0, any());
        told.socket(99, 0, any());
        assert!(told.rung().is_none());
        told.holds(Rung::AnyIp as u16);
        let handed = told.into_handed().unwrap();
        assert_eq!((handed.rung, handed.fell), (Rung::AnyIp, vec![(Rung::Redirect, Errno::EPROTONOSUPPORT)]));
        assert_eq!(handed.tcp.iter().map(|(port, _)| *port).collect::<Vec<_>>(), [Some(443)]);
        assert_eq!((handed.udp.len(), handed.diag.is_none(), handed.inward.len()), (1, true, 0));
    }

    #[test]
    fn nothing_is_handed_before_a_rung_holds() {
        let mut told = Receiving::default();
        told.socket(Kind::Redirected as u16, 0, any());
        told.holds(77);
        assert!(told.into_handed().is_none());
    }

    #[test]
    fn the_numbers_of_messages_are_places_in_the_lists() {
        for (place, rung) in Rung::ALL.into_iter().enumerate() {
            assert_eq!(rung as usize, place);
        }
        for (place, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place);
        }
    }
}
