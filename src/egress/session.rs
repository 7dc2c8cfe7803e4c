//! What every connection of a session shares.

use super::decide::Rules;
use super::dns::resolver::Resolver;
use super::grants::Grants;
use super::inspect::Engine;
use super::meter::{Seat, Usage};
use super::names::{Meaning, Names};
use super::place::Place;
use super::reason::{self, Denied};
use super::relay::Pipes;
use super::tell::Outbox;
use super::who::Who;
use crate::wire::egress::Limits;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

/// Connections that are read at one time: each may take half a mebibyte.
const MOST_READ: u32 = 1024;

/// What every connection shares.
#[derive(Debug)]
pub(super) struct Session {
    /// The rules.
    rules: RwLock<Rules>,
    /// Names and their addresses inside.
    names: Mutex<Names>,
    /// What the whole session has used.
    pub usage: Arc<Usage>,
    /// Connections at one time, whatever limits say.
    pub most: u32,
    /// Connections that are read.
    read: Arc<Usage>,
    /// Names that were refused, and are looked at before they are told.
    pub refused: Arc<Usage>,
    /// Grants, and connections that live by them.
    pub grants: Grants,
    /// How names are resolved outside.
    pub resolver: Arc<Resolver>,
    /// Addresses of the machine itself.
    pub own: Vec<IpAddr>,
    /// The proxy that everything goes through: host and port.
    pub parent: Option<(String, u16)>,
    /// Where events and questions go.
    pub outbox: Outbox,
    /// Who opened a connection.
    pub who: Who,
    /// What reads inspected connections.
    pub engine: Arc<Engine>,
    /// Pipes for large transfers.
    pub pipes: Pipes,
    /// Sockets of the namespace for connections into it.
    inward: Mutex<Vec<OwnedFd>>,
    last: AtomicU64,
}

/// Parts of a session that setting it up brought.
#[derive(Debug)]
pub(super) struct Parts {
    /// The rules.
    pub rules: Rules,
    /// The names inside.
    pub names: Names,
    /// The limits of the session.
    pub usage: Usage,
    /// How names are resolved outside.
    pub resolver: Resolver,
    /// Addresses of the machine itself.
    pub own: Vec<IpAddr>,
    /// The proxy that everything goes through.
    pub parent: Option<(String, u16)>,
    /// NETLINK_SOCK_DIAG of the namespace.
    pub diag: Option<OwnedFd>,
    /// What reads inspected connections.
    pub engine: Engine,
    /// Sockets of the namespace for connections into it.
    pub inward: Vec<OwnedFd>,
}

impl Session {
    /// A session of these parts, with at most so many connections at one time.
    pub(super) fn new(parts: Parts, most: u32, outbox: Outbox) -> Self {
        Self {
            rules: RwLock::new(parts.rules),
            names: Mutex::new(parts.names),
            usage: Arc::new(parts.usage),
            most,
            read: Arc::new(Usage::of(Limits::default())),
            refused: Arc::new(Usage::of(Limits::default())),
            grants: Grants::default(),
            resolver: Arc::new(parts.resolver),
            own: parts.own,
            parent: parts.parent,
            who: Who::new(parts.diag),
            outbox,
            engine: Arc::new(parts.engine),
            pipes: Pipes::default(),
            inward: Mutex::new(parts.inward),
            last: AtomicU64::new(0),
        }
    }

    /// The rules as they are now.
    pub(super) fn rules(&self) -> RwLockReadGuard<'_, Rules> {
        self.rules.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rules, to add one that denies.
    pub(super) fn rules_mut(&self) -> RwLockWriteGuard<'_, Rules> {
        self.rules.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place among the connections that are read.
    /// # Errors
    /// When there are too many.
    pub(super) fn enter_read(&self) -> Result<Seat, Denied> {
        self.read.enter(MOST_READ).ok_or_else(|| Denied::because(reason::CONNECTIONS))
    }

    /// The number of the next connection.
    pub(super) fn next_flow(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A socket for one connection into the namespace.
    pub(super) fn take_inward(&self) -> Option<OwnedFd> {
        self.inward.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// One more of them.
    pub(super) fn put_inward(&self, socket: OwnedFd) {
        self.inward.lock().unwrap_or_else(PoisonError::into_inner).push(socket);
    }

    /// The address of a name inside.
    /// # Errors
    /// When no rule knows it, or it is one too many below a wildcard.
    pub(super) fn address_of(&self, name: &str) -> Result<Ipv4Addr, Denied> {
        let wild = self.rules().may_be_known(name)?;
        let given = self.with_names(|names| names.give(name, wild, Instant::now()));
        given.ok_or_else(|| Denied::because(reason::NAMES))
    }

    fn with_names<T>(&self, with: impl FnOnce(&mut Names) -> T) -> T {
        with(&mut self.names.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What an address of the inside means.
    /// # Errors
    /// When it is one of ours and no name has it.
    pub(super) fn place_of(&self, ip: IpAddr) -> Result<Place, Denied> {
        let IpAddr::V4(four) = ip.to_canonical() else { return Ok(Place::of_ip(ip)) };
        match self.with_names(|names| names.meaning(four)) {
            Meaning::Name(name) => Ok(Place::Name(name)),
            Meaning::Nobody => Err(Denied::because(reason::NO_NAME)),
            Meaning::Itself => Ok(Place::of_ip(ip)),
        }
    }
}
