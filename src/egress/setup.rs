//! What the Guardian says before the role serves: rules, descriptors, secrets. Nothing is served meanwhile, and nothing
//! is half understood: what is missing or wrong is refused, and the launch stops.

use super::accept::Door;
use super::decide::Rules;
use super::dns::resolver::Resolver;
use super::inspect::{Engine, Materials};
use super::meter::Usage;
use super::names::Names;
use super::session::Parts;
use crate::sys::{Errno, Sys, socket};
use crate::wire::codec::{MOST_BYTES, decode, encode};
use crate::wire::egress::{Carried, FromEgress, Limits, ToEgress};
use std::net::IpAddr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Instant;

/// Rules of a session, of each kind.
const MOST_RULES: usize = 4096;
/// Descriptors of a session.
const MOST_DESCRIPTORS: usize = 512;

/// Everything that was said.
#[derive(Debug)]
pub(super) struct Ready {
    /// What connections share.
    pub parts: Parts,
    /// Where connections come from.
    pub doors: Vec<(Door, OwnedFd)>,
    /// UDP 53.
    pub dns: Vec<OwnedFd>,
}

/// How names are resolved, the host's own addresses, and the proxy that everything goes through.
type Outside = (Resolver, Vec<IpAddr>, Option<(String, u16)>);

#[derive(Debug, Default)]
struct Heard {
    rules: Rules,
    count: usize,
    limits: Limits,
    resolver: Option<Outside>,
    doors: Vec<(Door, OwnedFd)>,
    dns: Vec<OwnedFd>,
    diag: Option<OwnedFd>,
    inward: Vec<OwnedFd>,
    engine: Engine,
    materials: Materials,
}

/// Listens until the start; `None` when the Guardian is gone before. A refusal was told.
/// # Errors
/// When the socket breaks, or the Guardian says what it never says.
pub(super) fn hear(guardian: BorrowedFd<'_>) -> Sys<Option<Ready>> {
    let mut heard = Heard::default();
    let mut buffer = vec![0; MOST_BYTES];
    loop {
        let (length, descriptor) = socket::receive(guardian, &mut buffer, true)?;
        if length == 0 {
            return Ok(None);
        }
        let message = decode(buffer.get(..length).unwrap_or_default()).map_err(|_| Errno::EBADMSG)?;
        let done = match message {
            ToEgress::Start {} => return heard.start(guardian),
            ToEgress::Authority { names, until } => match heard.engine.authority(&names, until) {
                Ok(pem) => say(guardian, &FromEgress::Authority { pem }).map(Ok)?,
                Err(why) => Err(why),
            },
            other => heard.take(other, descriptor)?,
        };
        if let Err(why) = done {
            return refuse(guardian, why);
        }
    }
}

/// Says no, and takes what still comes until the Guardian has closed: an end with unread messages would reach it as an
/// error before the word does.
fn refuse(guardian: BorrowedFd<'_>, why: String) -> Sys<Option<Ready>> {
    say(guardian, &FromEgress::Refused { why })?;
    let mut buffer = vec![0; MOST_BYTES];
    while matches!(socket::receive(guardian, &mut buffer, true), Ok((1.., _))) {}
    Ok(None)
}

fn say(guardian: BorrowedFd<'_>, message: &FromEgress) -> Sys<()> {
    let bytes = encode(message).map_err(|_| Errno::EMSGSIZE)?;
    socket::send(guardian, &bytes, None, true)
}

impl Heard {
    /// The outer error ends the role, the inner one is told.
    fn take(&mut self, message: ToEgress, descriptor: Option<OwnedFd>) -> Sys<Result<(), String>> {
        let carries = matches!(message, ToEgress::Take { .. });
        if carries != descriptor.is_some() {
            return Err(Errno::EPROTO);
        }
        self.count += 1;
        if self.count > MOST_RULES + MOST_DESCRIPTORS {
            return Ok(Err("too many rules".to_owned()));
        }
        match (message, descriptor) {
            (ToEgress::Take { what }, Some(descriptor)) => Ok(self.hold(what, descriptor)),
            (ToEgress::Allow { rule }, None) => Ok(self.rules.allow(*rule)),
            (ToEgress::Deny { rule }, None) => Ok(self.rules.deny(rule)),
            (ToEgress::Credential { credential }, None) => {
                self.materials.credentials.push(credential);
                Ok(Ok(()))
            }
            (ToEgress::Limits { limits }, None) => {
                self.limits = limits;
                Ok(Ok(()))
            }
            (ToEgress::Resolver { servers, hosts, own, parent }, None) => {
                Ok(self.resolve_by(&servers, &hosts, &own, parent.as_deref()))
            }
            _ => Err(Errno::EPROTO),
        }
    }

    fn hold(&mut self, what: Carried, descriptor: OwnedFd) -> Result<(), String> {
        if let Some(door) = Door::of(what) {
            self.doors.push((door, descriptor));
            return Ok(());
        }
        let only = match what {
            Carried::Diag {} => &mut self.diag,
            Carried::Roots {} => &mut self.materials.roots,
            Carried::Dlp {} => &mut self.materials.dlp,
            Carried::Dns {} => {
                self.dns.push(descriptor);
                return Ok(());
            }
            _ => {
                self.inward.push(descriptor);
                return Ok(());
            }
        };
        only.replace(descriptor).map_or(Ok(()), |_| Err(format!("{what:?} came twice")))
    }

    fn resolve_by(
        &mut self,
        servers: &[String],
        hosts: &str,
        own: &[String],
        parent: Option<&str>,
    ) -> Result<(), String> {
        let address =
            |text: &String| text.parse().map_err(|_| format!("own address {text:?}: not an address"));
        let own = own.iter().map(address).collect::<Result<_, _>>()?;
        let parent = match parent {
            None => None,
            Some(url) => {
                Some(parent_of(url).ok_or_else(|| format!("parent proxy {url:?}: not http://HOST:PORT"))?)
            }
        };
        self.resolver = Some((Resolver::new(servers, hosts)?, own, parent));
        Ok(())
    }

    fn start(mut self, guardian: BorrowedFd<'_>) -> Sys<Option<Ready>> {
        let engine = self.engine.start(std::mem::take(&mut self.materials));
        let refused = match (engine, &self.resolver) {
            (Err(why), _) => Some(why),
            (Ok(()), None) => Some("nobody said how names are resolved".to_owned()),
            (Ok(()), Some(_)) => None,
        };
        let Some((resolver, own, parent)) = self.resolver.filter(|_| refused.is_none()) else {
            return refuse(guardian, refused.unwrap_or_default());
        };
        let parts = Parts {
            rules: self.rules,
            names: Names::new(Instant::now()),
            usage: Usage::of(self.limits),
            resolver,
            own,
            parent,
            diag: self.diag,
            engine: self.engine,
            inward: self.inward,
        };
        Ok(Some(Ready { parts, doors: self.doors, dns: self.dns }))
    }
}

fn parent_of(url: &str) -> Option<(String, u16)> {
    let (host, port) = url.strip_prefix("http://")?.trim_end_matches('/').rsplit_once(':')?;
    Some((host.to_owned(), port.parse().ok()?))
        .filter(|(host, _)| super::place::Place::of_text(host).is_some())
}
