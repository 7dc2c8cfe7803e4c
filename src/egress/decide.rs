//! Decide: which rule lets a connection out, or why none does. Pure: the same rules and question, the same answer.
//!
//! Never resolves, asks or waits. A rule that denies beats every rule that allows.

use super::meter::Usage;
use super::place::Place;
use super::reason::{self, Denied};
use crate::base::address::{is_within, reserved, stands_for_another};
use crate::wire::egress::{Deny, Host, Network, Rule, is_below};
use std::net::IpAddr;
use std::sync::Arc;

/// The program that connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program<'a> {
    /// Nobody looked yet.
    Unasked,
    /// It could not be found.
    Unknown,
    /// Its digest.
    Digest(&'a str),
}

/// What is to be done with a connection.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It goes out.
    Allow(Chosen),
    /// It goes out when a person says so.
    Ask(Chosen),
    /// That depends on its program: to be asked again with it.
    Who,
    /// It does not go out.
    Deny(Denied),
}

/// The rule that decided.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    /// The rule.
    pub rule: Arc<Rule>,
    /// What it has used of its limits.
    pub usage: Arc<Usage>,
    /// Further rules for the same, of the same rank and with the same treatment of TLS.
    pub also: Vec<Arc<Rule>>,
}

/// Every rule of a session.
#[derive(Debug, Default)]
pub(super) struct Rules {
    allow: Vec<Allow>,
    deny: Vec<(Matcher, Deny)>,
}

#[derive(Debug)]
struct Allow {
    host: Matcher,
    networks: Vec<(IpAddr, u8)>,
    rule: Arc<Rule>,
    usage: Arc<Usage>,
}

/// A host of a rule, read.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Matcher {
    Name(String),
    Below(String),
    Network(IpAddr, u8),
    Here,
}

impl Matcher {
    fn of(host: &Host) -> Option<Self> {
        Some(match host {
            Host::Name { name } => Self::Name(plain(name)?),
            Host::Below { name } => Self::Below(plain(name)?),
            Host::Network { address, bits } => {
                let (first, bits) = network(address, *bits)?;
                Self::Network(first, bits)
            }
            Host::Loopback {} => Self::Here,
        })
    }

    fn matches(&self, place: &Place) -> bool {
        match (self, place) {
            (Self::Name(name), Place::Name(asked)) => name == asked,
            (Self::Below(name), Place::Name(asked)) => is_below(asked, name),
            (Self::Network(first, bits), Place::Address(ip)) => is_within(*ip, *first, *bits),
            (Self::Here, Place::Here) => true,
            _ => false,
        }
    }

    /// The higher, the more exactly it says where to.
    fn rank(&self) -> (u8, usize) {
        match self {
            Self::Name(_) | Self::Here => (2, 0),
            Self::Below(name) => (1, name.len()),
            Self::Network(_, bits) => (0, usize::from(*bits)),
        }
    }
}

/// A name as the wire has it; anything else is a mistake of whoever sent the rule.
fn plain(name: &str) -> Option<String> {
    super::place::plain_name(name).filter(|plain| plain == name)
}

fn network(address: &str, bits: u8) -> Option<(IpAddr, u8)> {
    let first: IpAddr = address.parse().ok()?;
    (bits <= if first.is_ipv4() { 32 } else { 128 }).then_some((first, bits))
}

impl Rules {
    /// Adds a rule that allows.
    /// # Errors
    /// What is wrong with it, for people.
    pub(super) fn allow(&mut self, rule: Rule) -> Result<(), String> {
        let wrong = |what: &str| format!("{}: {what}", rule.id);
        let host = Matcher::of(&rule.host).ok_or_else(|| wrong("not a host"))?;
        let read = |each: &Network| network(&each.address, each.bits).ok_or_else(|| wrong("not a network"));
        let mut networks = rule.networks.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        if let Matcher::Network(first, bits) = host {
            networks.push((first, bits));
        }
        if rule.ports.is_empty() {
            return Err(wrong("no port"));
        }
        let usage = Arc::new(Usage::of(rule.limits));
        self.allow.push(Allow { host, networks, usage, rule: Arc::new(rule) });
        // The most exact first; of the same rank those for certain programs first, then as they were written.
        self.allow.sort_by_key(|allow| {
            let (kind, length) = allow.host.rank();
            std::cmp::Reverse((kind, length, !allow.rule.programs.is_empty()))
        });
        Ok(())
    }

    /// Adds a rule that denies.
    /// # Errors
    /// What is wrong with it, for people.
    pub(super) fn deny(&mut self, rule: Deny) -> Result<(), String> {
        let host = Matcher::of(&rule.host).ok_or_else(|| format!("{}: not a host", rule.id))?;
        self.deny.push((host, rule));
        Ok(())
    }

    /// What is to be done with a connection.
    pub(super) fn decide(&self, place: &Place, port: u16, program: Program<'_>) -> Verdict {
        if let Some(rule) = self.denied(place, Some(port)) {
            return Verdict::Deny(Denied::by(reason::DENIED, rule));
        }
        let fitting = |allow: &&Allow| allow.host.matches(place) && allow.rule.ports.contains(&port);
        let candidates: Vec<&Allow> = self.allow.iter().filter(fitting).collect();
        let mut missed = None;
        for (at, allow) in candidates.iter().enumerate() {
            match (allow.rule.programs.as_slice(), program) {
                ([], _) => {}
                (_, Program::Unasked) => return Verdict::Who,
                (programs, Program::Digest(digest)) if programs.iter().any(|one| one == digest) => {}
                _ => {
                    missed = missed.or(Some(&allow.rule));
                    continue;
                }
            }
            let behind = candidates.get(at + 1..).unwrap_or_default();
            let chosen = Chosen {
                rule: Arc::clone(&allow.rule),
                usage: Arc::clone(&allow.usage),
                also: also(allow, behind, program),
            };
            return if allow.rule.ask { Verdict::Ask(chosen) } else { Verdict::Allow(chosen) };
        }
        Verdict::Deny(
            missed.map_or(Denied::because(reason::NOT_LISTED), |rule| Denied::by(reason::PROGRAM, &rule.id)),
        )
    }

    /// The rule that denies this place at this port; with no port, at every port.
    fn denied(&self, place: &Place, port: Option<u16>) -> Option<&str> {
        let hit = |deny: &Deny| deny.port.is_none() || deny.port == port;
        self.deny.iter().find(|(host, deny)| host.matches(place) && hit(deny)).map(|(_, deny)| &*deny.id)
    }

    /// Whether a rule denies this place at this port.
    pub(super) fn is_denied(&self, place: &Place, port: u16) -> bool {
        self.denied(place, Some(port)).is_some()
    }

    /// Whether a name may be known inside, and whether that is by a wildcard alone.
    /// # Errors
    /// Why not.
    pub(super) fn may_be_known(&self, name: &str) -> Result<bool, Denied> {
        let place = Place::Name(name.to_owned());
        if let Some(rule) = self.denied(&place, None) {
            return Err(Denied::by(reason::DENIED, rule));
        }
        let first = self.allow.iter().find(|allow| allow.host.matches(&place));
        first
            .map(|allow| matches!(allow.host, Matcher::Below(_)))
            .ok_or_else(|| Denied::because(reason::NOT_LISTED))
    }

    /// Whether a connection under this rule may go to this address, which its name leads to. `own` are the addresses of
    /// the machine.
    /// # Errors
    /// Why not.
    pub(super) fn check_address(
        &self,
        rule: &Arc<Rule>,
        ip: IpAddr,
        port: u16,
        own: &[IpAddr],
    ) -> Result<(), Denied> {
        let plain = Place::Address(ip.to_canonical());
        if let Some(rule) =
            [&plain, &Place::Address(ip)].iter().find_map(|place| self.denied(place, Some(port)))
        {
            return Err(Denied::by(reason::DENIED, rule));
        }
        let named = self.allow.iter().find(|allow| Arc::ptr_eq(&allow.rule, rule));
        let named = named
            .is_some_and(|allow| allow.networks.iter().any(|(first, bits)| is_within(ip, *first, *bits)));
        let hidden = matches!(ip, IpAddr::V6(ip) if stands_for_another(ip));
        if !named && (hidden || reserved(ip).is_some() || own.contains(&ip)) {
            return Err(Denied::by(reason::ADDRESS, &rule.id));
        }
        Ok(())
    }

    /// Whether a person is asked about this place at this port: then a grant can name it.
    pub(super) fn may_be_granted(&self, place: &Place, port: u16) -> bool {
        let asks =
            |allow: &Allow| allow.rule.ask && allow.rule.ports.contains(&port) && allow.host.matches(place);
        self.denied(place, Some(port)).is_none() && self.allow.iter().any(asks)
    }
}

/// Rules beside the chosen one that one request may fit instead.
fn also(chosen: &Allow, behind: &[&Allow], program: Program<'_>) -> Vec<Arc<Rule>> {
    let fits = |rule: &Rule| match program {
        _ if rule.programs.is_empty() => true,
        Program::Digest(digest) => rule.programs.iter().any(|one| one == digest),
        Program::Unasked | Program::Unknown => false,
    };
    let same = |other: &&&Allow| {
        other.host.rank() == chosen.host.rank()
            && other.rule.tls == chosen.rule.tls
            && !other.rule.ask
            && fits(&other.rule)
    };
    behind.iter().filter(same).map(|other| Arc::clone(&other.rule)).collect()
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
