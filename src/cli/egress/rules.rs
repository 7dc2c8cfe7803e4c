//! Rules of a profile as role `egress` takes them.
//!
//! Never widens: what cannot be said to the role stops the launch.

use crate::crypto::sha256_file;
use crate::profile::{Allowed, ByProgram, Credential, Denied, Destination, SecretPlace, TlsUse, Traffic};
use crate::wire::egress::{Deny, Host, Limits, Network, Place, Rule, Tls, Unscannable};
use std::fs::File;
use std::os::fd::AsFd;

/// A rule that allows. `credentials` are all of the profile.
/// # Errors
/// In words, when a program it names cannot be read.
pub(super) fn allow(allowed: &Allowed, credentials: &[Credential]) -> Result<Rule, String> {
    let programs: Result<Vec<String>, String> = allowed
        .programs
        .iter()
        .map(|program| match program {
            ByProgram::Digest(digest) => Ok(digest.clone()),
            ByProgram::Path(path) => File::open(path.as_path())
                .and_then(|file| sha256_file(file.as_fd()))
                .map(|digest| digest.to_string())
                .map_err(|error| format!("read the program {path}: {error} ({})", allowed.asked)),
        })
        .collect();
    Ok(Rule {
        id: allowed.asked.to_string(),
        host: host(&allowed.host),
        ports: allowed.ports.clone(),
        tls: match allowed.tls {
            TlsUse::Splice => Tls::Splice,
            TlsUse::Inspect => Tls::Inspect,
            TlsUse::Deny => Tls::Deny,
        },
        methods: allowed.methods.clone(),
        paths: allowed.paths.clone(),
        programs: programs?,
        networks: allowed.networks.iter().filter_map(network).collect(),
        ask: allowed.ask,
        dlp: allowed.scan,
        redact: allowed.redact,
        trace: allowed.trace,
        login: allowed.own_login.then(|| {
            let here = credentials.iter().filter(|one| one.hosts.contains(&allowed.host));
            here.map(|one| one.name.clone()).collect()
        }),
        unscannable: if allowed.unscannable { Unscannable::Allow } else { Unscannable::Block },
        limits: limits(&allowed.limits),
    })
}

/// A rule that denies.
pub(super) fn deny(denied: &Denied) -> Deny {
    Deny { id: denied.asked.to_string(), host: host(&denied.host), port: denied.port }
}

/// A destination.
pub(super) fn host(destination: &Destination) -> Host {
    match destination {
        Destination::Name(name) => Host::Name { name: name.clone() },
        Destination::Below(name) => Host::Below { name: name.clone() },
        Destination::Network { address, bits } => Host::Network { address: address.to_string(), bits: *bits },
        Destination::Loopback => Host::Loopback {},
    }
}

fn network(destination: &Destination) -> Option<Network> {
    match destination {
        Destination::Network { address, bits } => Some(Network { address: address.to_string(), bits: *bits }),
        Destination::Name(_) | Destination::Below(_) | Destination::Loopback => None,
    }
}

/// Limits.
pub(super) fn limits(traffic: &Traffic) -> Limits {
    Limits {
        upload_total: traffic.upload_total,
        upload_rate: traffic.upload_rate,
        upload_burst: traffic.upload_burst,
        download_total: traffic.download_total,
        download_rate: traffic.download_rate,
        request_body: traffic.request_body,
        ask_above: traffic.ask_above,
        connections: traffic.connections,
    }
}

/// Where in a request a placeholder is looked for.
pub(super) fn place(place: SecretPlace) -> Place {
    match place {
        SecretPlace::Header => Place::Header,
        SecretPlace::Query => Place::Query,
        SecretPlace::Body => Place::Body,
    }
}
