//! The way out of a run whose network is filtered: role `egress` before the plan, what it is told before the agent starts.
//!
//! Never lets an agent start whose way out could not be put in force as its profile says.

mod about;
mod authorities;
mod dlp;
mod early;
pub(super) mod known;
mod outside;
mod rules;
mod secrets;

use crate::audit::network::NetworkStart;
use crate::audit::{Event, SharedLog};
use crate::crypto::sha256;
use crate::guardian::ceiling::{AskedHost, AskedUpload};
use crate::guardian::introduce;
use crate::launch::Running;
use crate::launch::egress::Handed;
use crate::plan::Plan;
use crate::plan::egress::{CONNECT_PORT, SOCKS_PORT};
use crate::profile::{Allowed, Credential, Network, NetworkMode, Profile, TlsUse};
use crate::role::Started;
use crate::wire::egress::{self as wire, Carried, FromEgress, ToEgress};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

pub(super) use about::about;
pub(super) use early::{Early, decoys_of};
pub(super) use known::lines as known_of;

/// How long the role may take to be ready.
const PATIENCE: Duration = Duration::from_secs(10);

/// Hosts that may be asked for: rules of `network.allow` with `access: ask`.
pub(super) fn asked_hosts(profile: &Profile) -> Vec<AskedHost> {
    if profile.network.mode != NetworkMode::Filtered {
        return Vec::new();
    }
    let asked = profile.network.allow.iter().filter(|rule| rule.ask);
    asked
        .map(|rule| AskedHost {
            host: rules::host(&rule.host),
            ports: rule.ports.clone(),
            asked: rule.asked.to_string(),
        })
        .collect()
}

/// Uploads that may be asked about: where a rule says from which size on, and where something may be found that a person is
/// asked about.
pub(super) fn asked_uploads(profile: &Profile) -> Vec<AskedUpload> {
    let network = &profile.network;
    if network.mode != NetworkMode::Filtered {
        return Vec::new();
    }
    // What a file of rules says only role `dlp` reads.
    let asks = !network.dlp.rules.is_empty() || network.dlp.actions.iter().any(|(_, word)| *word == "ask");
    let uploads = network.allow.iter().map(|rule| AskedUpload {
        host: rules::host(&rule.host),
        ports: rule.ports.clone(),
        above: rule.limits.ask_above,
        findings: asks && rule.scan,
        asked: rule.asked.to_string(),
    });
    uploads.filter(|asked| asked.above.is_some() || asked.findings).collect()
}

/// Tells role `egress` the rest, and lets it serve.
/// # Errors
/// In words; then the agent must not start.
pub(super) fn serve(
    early: Early,
    running: &mut Running,
    plan: &Plan,
    log: &SharedLog,
) -> Result<Vec<Started>, String> {
    let Some(handed) = running.take_egress() else {
        return Err("the sandbox gave no sockets for its way out".to_owned());
    };
    let Early { role, credentials, authority, roots, scanner } = early;
    record(plan, &handed, &credentials, authority.as_deref(), log)?;
    for loaded in scanner.iter().flat_map(dlp::Starting::loaded) {
        let recorded = log.append(&Event::PolicyLoaded(loaded.clone()));
        recorded.map_err(|error| format!("no record, no run: {error}"))?;
    }
    let told = Teller(role.socket.as_fd());
    told.rules(&plan.profile)?;
    told.sockets(handed)?;
    told.published(&plan.profile)?;
    let (scanner, socket) = scanner.map(dlp::Starting::ready).transpose()?.unzip();
    if let Some(scanner) = &scanner {
        known::teach(scanner.socket.as_fd(), plan, log)?;
    }
    if let Some(socket) = socket {
        told.hand(Carried::Dlp {}, socket)?;
    }
    for credential in credentials {
        told.tell(&ToEgress::Credential { credential }, None)?;
    }
    if let Some(roots) = roots {
        told.hand(Carried::Roots {}, roots)?;
    }
    match introduce::ask(role.socket.as_fd(), "egress", &ToEgress::Start {}, None, PATIENCE)? {
        FromEgress::Ready {} => Ok([role].into_iter().chain(scanner).collect()),
        FromEgress::Refused { why } => Err(format!("role egress: {why}")),
        _ => Err("role egress says what it was not asked".to_owned()),
    }
}

/// Rules as lines, for records and for people; none where the network is not filtered.
pub(super) fn rules_of(network: &Network) -> Vec<String> {
    if network.mode != NetworkMode::Filtered {
        return Vec::new();
    }
    let allow = network.allow.iter().map(|rule| {
        let ports: Vec<String> = rule.ports.iter().map(u16::to_string).collect();
        let ask = if rule.ask { "ask" } else { "allow" };
        format!("{ask} {}:{}{} ({})", rule.host, ports.join(","), treatment(rule), rule.asked)
    });
    let deny = network.deny.iter().map(|rule| {
        let port = rule.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("deny {}{port} ({})", rule.host, rule.asked)
    });
    allow.chain(deny).collect()
}

/// What is let through there.
fn treatment(rule: &Allowed) -> String {
    let tls = match rule.tls {
        TlsUse::Splice => None,
        TlsUse::Inspect => Some("read".to_owned()),
        TlsUse::Deny => Some("without TLS".to_owned()),
    };
    let list = |words: &[String]| (!words.is_empty()).then(|| words.join(" "));
    let login = rule.own_login.then(|| "own login alone".to_owned());
    let parts = [tls, list(&rule.methods), list(&rule.paths), login].into_iter().flatten();
    parts.map(|part| format!(", {part}")).collect()
}

/// Credentials as lines, for people: where each comes from, and whether it is there, as far as that can be told.
pub(super) fn credentials_of(network: &Network) -> Vec<String> {
    let line = |one: &Credential| {
        let hosts: Vec<String> = one.hosts.iter().map(ToString::to_string).collect();
        format!("{} for {}: {} ({})", one.name, hosts.join(", "), secrets::about(&one.source), one.asked)
    };
    let listed = network.credentials.iter().filter(|_| network.mode == NetworkMode::Filtered);
    listed.map(line).collect()
}

fn record(
    plan: &Plan,
    handed: &Handed,
    credentials: &[wire::Credential],
    authority: Option<&str>,
    log: &SharedLog,
) -> Result<(), String> {
    let network = &plan.profile.network;
    let start = NetworkStart {
        way: handed.rung.name().to_owned(),
        rules: rules_of(network),
        credentials: credentials.iter().map(|credential| credential.name.clone()).collect(),
        authority: authority.map(|pem| sha256(pem.as_bytes()).to_string()),
    };
    log.append(&Event::NetworkStart(start)).map_err(|error| error.to_string())
}

/// Speaks to the role before it serves.
struct Teller<'a>(BorrowedFd<'a>);

impl Teller<'_> {
    fn tell(&self, message: &ToEgress, carried: Option<OwnedFd>) -> Result<(), String> {
        introduce::tell(self.0, message, carried.as_ref().map(AsFd::as_fd))
    }

    fn hand(&self, what: Carried, descriptor: OwnedFd) -> Result<(), String> {
        self.tell(&ToEgress::Take { what }, Some(descriptor))
    }

    fn rules(&self, profile: &Profile) -> Result<(), String> {
        let network = &profile.network;
        let parent = network.parent_proxy.as_ref().map(|(place, _)| place.as_str());
        self.tell(&outside::resolver(parent)?, None)?;
        self.tell(&ToEgress::Limits { limits: rules::limits(&network.limits) }, None)?;
        for denied in &network.deny {
            self.tell(&ToEgress::Deny { rule: rules::deny(denied) }, None)?;
        }
        for allowed in &network.allow {
            self.tell(
                &ToEgress::Allow { rule: Box::new(rules::allow(allowed, &network.credentials)?) },
                None,
            )?;
        }
        Ok(())
    }

    fn sockets(&self, handed: Handed) -> Result<(), String> {
        for (port, listener) in handed.tcp {
            let what = match port {
                None => Carried::Redirected {},
                Some(CONNECT_PORT) => Carried::Connect {},
                Some(SOCKS_PORT) => Carried::Socks {},
                Some(port) => Carried::Port { port },
            };
            self.hand(what, listener)?;
        }
        for socket in handed.udp {
            self.hand(Carried::Dns {}, socket)?;
        }
        if let Some(diag) = handed.diag {
            self.hand(Carried::Diag {}, diag)?;
        }
        for socket in handed.inward {
            self.hand(Carried::Inward {}, socket)?;
        }
        Ok(())
    }

    fn published(&self, profile: &Profile) -> Result<(), String> {
        for published in &profile.network.publish {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, published.port)).map_err(|error| {
                format!("publish port {} of 127.0.0.1: {error} ({})", published.port, published.asked)
            })?;
            self.hand(Carried::Publish { inside: published.inside }, listener.into())?;
        }
        Ok(())
    }
}
