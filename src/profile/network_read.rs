//! `network`, `credentials` and `dlp`: how their keys become rules.
//!
//! Never resolves a name and never reads a secret.

use super::context::Context;
use super::decode::At;
use super::destination::Destination;
use super::entry::{expand, host_path};
use super::model::NetworkMode;
use super::network::{
    Allowed, ByProgram, Credential, Denied, Dlp, Network, Published, SecretPlace, SecretSource, TlsUse,
    Traffic,
};
use super::values::{Host, variable_name};
use super::written_network::{
    ActWord, AllowKeys, CredentialKeys, DestinationWord, DlpKeys, FindingsWord, LoginWord, NetworkKeys,
    PublishKeys, SourceKeys, TraceWord, TrafficKeys, UnscannableWord,
};
use crate::base::Source;
use crate::profile::ProfileError;

/// What a file's keys are laid over.
pub(super) struct Reader<'a> {
    pub(super) context: &'a Context,
    pub(super) errors: &'a mut Vec<ProfileError>,
}

impl Reader<'_> {
    fn refuse(&mut self, asked: &Source, message: impl Into<String>, hint: &str) {
        self.errors.push(ProfileError::new(asked.clone(), message).hint(hint));
    }

    fn keep<T>(&mut self, made: Result<T, Vec<ProfileError>>) -> Option<T> {
        made.map_err(|wrong| self.errors.extend(wrong)).ok()
    }

    /// Puts the keys of `network` on top of what came before.
    pub(super) fn network(&mut self, network: &mut Network, keys: NetworkKeys) {
        if let Some(At { value, asked }) = keys.mode {
            network.mode = value;
            network.asked = asked;
            if value != NetworkMode::Filtered {
                network.forget_allowed();
            }
        }
        network.way = keys.way.unwrap_or(network.way);
        let tcp = keys.tcp.unwrap_or_default();
        network.connect_tcp = tcp.connect.or(network.connect_tcp.take());
        network.bind_tcp = tcp.bind.or(network.bind_tcp.take());
        for At { value, asked } in keys.deny.unwrap_or_default() {
            let Some(Host(host)) = value.host else { continue };
            network.deny.push(Denied { host, port: value.port, asked });
        }
        let allow = keys.allow.unwrap_or_default().into_iter();
        let allow: Vec<Allowed> = allow.flat_map(|rule| self.allowed(rule)).collect();
        let same = |one: &Allowed, other: &Allowed| {
            one.host == other.host && one.ports.iter().any(|port| other.ports.contains(port))
        };
        network.allow.retain(|known| !allow.iter().any(|new| same(known, new)));
        network.allow.extend(allow);
        merge_traffic(&mut network.limits, keys.limits.unwrap_or_default());
        for published in keys.publish.unwrap_or_default() {
            self.publish(network, published);
        }
        if let Some(At { value, asked }) = keys.parent_proxy {
            let place = value.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
            match place.filter(|place| is_authority(place)) {
                Some(place) => network.parent_proxy = Some((place.to_owned(), asked)),
                None => self.refuse(&asked, format!("not a proxy: `{value}`"), "write http://HOST:PORT"),
            }
        }
    }

    /// A rule for each host that is named.
    fn allowed(&mut self, At { mut value, asked }: At<AllowKeys>) -> Vec<Allowed> {
        let hosts = match (value.host.take(), value.hosts.take()) {
            (Some(host), None) => vec![host],
            (None, Some(hosts)) if !hosts.is_empty() => hosts,
            _ => {
                self.refuse(&asked, "needs either `host` or `hosts`", "host: example.org");
                return Vec::new();
            }
        };
        let loopback = hosts.iter().any(|host| host.value.0 == Destination::Loopback);
        let Some(ports) = self.ports(value.port, value.ports.take(), loopback, &asked) else {
            return Vec::new();
        };
        let Some(first) = self.rule(hosts.first().cloned(), value, ports, &asked) else { return Vec::new() };
        let rules =
            hosts.into_iter().map(|At { value: Host(host), asked }| Allowed { host, asked, ..first.clone() });
        rules.collect()
    }

    fn ports(
        &mut self,
        port: Option<u16>,
        ports: Option<Vec<u16>>,
        loopback: bool,
        asked: &Source,
    ) -> Option<Vec<u16>> {
        let ports = match (port, ports) {
            (Some(port), None) => vec![port],
            (None, Some(ports)) if !ports.is_empty() => ports,
            (None, None) if loopback => {
                self.refuse(asked, "localhost without a port", "name the port of the service: port: 5432");
                return None;
            }
            (None, None) => vec![443],
            _ => {
                self.refuse(asked, "needs either `port` or `ports`", "keep one");
                return None;
            }
        };
        if ports.contains(&0) {
            self.refuse(asked, "port 0 leads nowhere", "ports are 1 to 65535");
            return None;
        }
        Some(ports)
    }

    fn rule(
        &mut self,
        host: Option<At<Host>>,
        value: AllowKeys,
        ports: Vec<u16>,
        asked: &Source,
    ) -> Option<Allowed> {
        let At { value: Host(host), .. } = host?;
        let tls = value.tls.unwrap_or(TlsUse::Splice);
        let (methods, paths) = (value.methods.unwrap_or_default(), value.paths.unwrap_or_default());
        if tls == TlsUse::Splice && !(methods.is_empty() && paths.is_empty()) {
            self.refuse(asked, "what is not read has no methods or paths", "add tls: inspect");
        }
        let letters = |word: &String| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase());
        if let Some(wrong) = methods.iter().find(|word| !letters(word)) {
            self.refuse(asked, format!("not an HTTP method: `{wrong}`"), "write it in capitals: GET");
        }
        let plain = |path: &&String| is_plain_path(path);
        if let Some(wrong) = paths.iter().find(|path| !plain(path)) {
            let hint = "it begins with `/` and has no `..`, `//`, `%`, `?` or `#`; `*` is one whole part";
            self.refuse(asked, format!("not the beginning of a path: `{wrong}`"), hint);
        }
        let own_login = value.login == Some(LoginWord::Own);
        if tls != TlsUse::Inspect && own_login {
            self.refuse(asked, "what is not read has no login that could be judged", "add tls: inspect");
        }
        let programs = value.programs.unwrap_or_default();
        let programs = programs.into_iter().filter_map(|program| self.program(&program)).collect();
        let networks = value.networks.unwrap_or_default().into_iter();
        let networks = networks.filter_map(|At { value: Host(network), asked }| match network {
            Destination::Network { .. } => Some(network),
            _ => {
                self.refuse(&asked, format!("not a network: `{network}`"), "write addresses: 10.0.0.0/8");
                None
            }
        });
        let mut limits = Traffic::default();
        merge_traffic(&mut limits, value.limits.unwrap_or_default());
        Some(Allowed {
            networks: networks.collect(),
            host,
            ports,
            ask: value.access == Some(DestinationWord::Ask),
            methods,
            paths,
            tls,
            programs,
            scan: value.scan.unwrap_or(true),
            redact: value.findings == Some(FindingsWord::Redact),
            unscannable: value.unscannable == Some(UnscannableWord::Allow),
            own_login,
            trace: value.trace == Some(TraceWord::Keep),
            limits,
            asked: asked.clone(),
        })
    }

    fn program(&mut self, text: &At<String>) -> Option<ByProgram> {
        let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.value.len() == 64 && text.value.bytes().all(digit) {
            return Some(ByProgram::Digest(text.value.clone()));
        }
        let path = host_path(text, self.context);
        self.keep(path).map(ByProgram::Path)
    }

    fn publish(&mut self, network: &mut Network, At { value, asked }: At<PublishKeys>) {
        let Some(inside) = value.inside else { return };
        let port = value.port.unwrap_or(inside);
        if inside == 0 || port < 1024 {
            self.refuse(&asked, format!("port {port} cannot be published"), "use 1024 to 65535");
        } else if network.publish.iter().any(|other| other.port == port && other.inside != inside) {
            self.refuse(&asked, format!("port {port} is published twice"), "give one of them another `port`");
        } else if !network.publish.iter().any(|other| other.port == port) {
            network.publish.push(Published { inside, port, asked });
        }
    }

    /// Puts the keys of `credentials` on top; one of a name that is there takes its place.
    pub(super) fn credentials(&mut self, network: &mut Network, keys: Vec<At<CredentialKeys>>) {
        for At { value, asked } in keys {
            let Some(made) = self.credential(value, asked) else { continue };
            match network.credentials.iter_mut().find(|known| known.name == made.name) {
                Some(known) => *known = made,
                None => network.credentials.push(made),
            }
        }
    }

    fn credential(&mut self, keys: CredentialKeys, asked: Source) -> Option<Credential> {
        let name = keys.name?.value;
        let fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(fit) {
            self.refuse(&asked, format!("not a name: `{name}`"), "at most 64 letters, digits, `-`, `_`, `.`");
            return None;
        }
        let source = self.source(keys.source?)?;
        let hosts: Vec<Destination> =
            keys.hosts.unwrap_or_default().into_iter().map(|host| host.value.0).collect();
        if hosts.is_empty() {
            self.refuse(&asked, format!("`{name}` has no host"), "name the hosts that get it");
            return None;
        }
        if let Some(At { value, asked }) = keys.variable.as_ref().filter(|name| !variable_name(&name.value)) {
            self.refuse(asked, format!("not a variable's name: `{value}`"), "such as API_KEY");
        }
        Some(Credential {
            name,
            source,
            hosts,
            places: keys.places.unwrap_or_else(|| vec![SecretPlace::Header]),
            variable: keys.variable.map(|name| name.value),
            optional: keys.optional.unwrap_or(false),
            asked,
        })
    }

    fn source(&mut self, At { value, asked }: At<SourceKeys>) -> Option<SecretSource> {
        let SourceKeys { environment, file, command, keyring } = value;
        match (environment, file, command, keyring) {
            (Some(name), None, None, None) if variable_name(&name.value) => {
                Some(SecretSource::Environment(name.value))
            }
            (None, Some(path), None, None) => {
                let path = host_path(&path, self.context);
                self.keep(path).map(SecretSource::File)
            }
            (None, None, Some(words), None) => {
                let words: Result<Vec<_>, _> =
                    words.value.iter().map(|word| expand(word, self.context)).collect();
                let words = self.keep(words)?;
                if !words.first().is_some_and(|program| program.starts_with('/')) {
                    self.refuse(
                        &asked,
                        "a command has an absolute path",
                        "command: [/usr/bin/pass, show, key]",
                    );
                    return None;
                }
                Some(SecretSource::Command(words))
            }
            (None, None, None, Some(attributes)) if !attributes.value.0.is_empty() => {
                let pairs = attributes.value.0.into_iter().map(|(name, value)| (name, value.value));
                Some(SecretSource::Keyring(pairs.collect()))
            }
            _ => {
                self.refuse(
                    &asked,
                    "a secret has one source",
                    "one of environment: NAME, file: PATH, command: [PROGRAM, …], keyring: { attribute: value }",
                );
                None
            }
        }
    }

    /// Puts the keys of `dlp` on top.
    pub(super) fn dlp(&mut self, dlp: &mut Dlp, keys: DlpKeys) {
        for (kind, act) in keys.actions.unwrap_or_default().0 {
            let words = ActWord::WORDS;
            let Some((word, _)) = words.iter().find(|(_, other)| *other == act.value) else { continue };
            match dlp.actions.iter_mut().find(|(known, _)| *known == kind) {
                Some(known) => known.1 = word,
                None => dlp.actions.push((kind, word)),
            }
        }
        for path in keys.rules.unwrap_or_default() {
            let made = host_path(&path, self.context);
            let made = self.keep(made);
            dlp.rules.extend(made.map(|file| (file, path.asked)));
        }
        dlp.canaries = keys.canaries.unwrap_or(dlp.canaries);
    }
}

/// What is true of a finished profile alone: a placeholder is exchanged only in what is read.
pub(super) fn check(network: &Network) -> Vec<ProfileError> {
    if network.mode != NetworkMode::Filtered {
        return Vec::new();
    }
    let read = |host: &Destination| {
        network.allow.iter().any(|rule| rule.tls != TlsUse::Splice && rule.host == *host)
    };
    let mut errors = Vec::new();
    for credential in &network.credentials {
        for host in credential.hosts.iter().filter(|host| !read(host)) {
            let message = format!("`{}` for {host}, which is not read", credential.name);
            let hint = format!("network.allow: {{ host: \"{host}\", tls: inspect }}");
            errors.push(ProfileError::new(credential.asked.clone(), message).hint(&hint));
        }
    }
    let has_one = |host: &Destination| network.credentials.iter().any(|one| one.hosts.contains(host));
    for rule in network.allow.iter().filter(|rule| rule.own_login && !has_one(&rule.host)) {
        let message = format!("`login: own` for {}, which no credential is for", rule.host);
        let hint = format!("credentials: {{ …, hosts: [\"{}\"] }}", rule.host);
        errors.push(ProfileError::new(rule.asked.clone(), message).hint(&hint));
    }
    errors
}

fn merge_traffic(traffic: &mut Traffic, keys: TrafficKeys) {
    let bytes =
        |value: Option<super::units::Bytes>, before: Option<u64>| value.map(|bytes| bytes.0).or(before);
    traffic.upload_total = bytes(keys.upload_total, traffic.upload_total);
    traffic.upload_rate = bytes(keys.upload_rate, traffic.upload_rate);
    traffic.upload_burst = bytes(keys.upload_burst, traffic.upload_burst);
    traffic.download_total = bytes(keys.download_total, traffic.download_total);
    traffic.download_rate = bytes(keys.download_rate, traffic.download_rate);
    traffic.request_body = bytes(keys.request_body, traffic.request_body);
    traffic.ask_above = bytes(keys.ask_above, traffic.ask_above);
    let count = keys.connections.map(|count| u32::try_from(count.0).unwrap_or(u32::MAX));
    traffic.connections = count.or(traffic.connections);
}

/// The beginning of an HTTP path that every server reads in the same way.
fn is_plain_path(path: &str) -> bool {
    let below = path.strip_prefix('/');
    let fit = |byte: u8| byte.is_ascii_graphic() && !b"%?#\\\"<>".contains(&byte);
    let whole = |part: &str| part == "*" || !part.contains('*');
    below.is_some_and(|below| {
        let mut parts = below.split('/').rev().skip(1).chain(below.rsplit('/').next());
        path.bytes().all(fit)
            && !path.contains("//")
            && below.split('/').all(whole)
            && !parts.any(|part| matches!(part, "." | ".."))
    })
}

/// `HOST:PORT`.
fn is_authority(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let bare = host.strip_prefix('[').and_then(|inside| inside.strip_suffix(']'));
    let host =
        bare.map_or_else(|| Destination::parse(host).is_ok(), |v6| v6.parse::<std::net::Ipv6Addr>().is_ok());
    host && port.parse::<u16>().is_ok_and(|port| port != 0)
}
