//! `network`, `credentials` and `dlp` of a finished profile with the keys of the format.
//!
//! Never shows a secret: a profile has none.

use super::network::{ByProgram, Credential, Dlp, Network, NetworkWay, SecretSource, Traffic};
use super::show::size;
use crate::profile::{Allowed, Denied, TlsUse};
use serde_json::{Map, Value, json};

/// `network`.
pub(super) fn network(network: &Network) -> Value {
    let mut keys = Map::new();
    keys.insert("mode".into(), json!(network.mode));
    if network.way != NetworkWay::Auto {
        keys.insert("way".into(), json!(network.way));
    }
    if network.connect_tcp.is_some() || network.bind_tcp.is_some() {
        let mut tcp = Map::new();
        tcp.extend(network.connect_tcp.as_ref().map(|ports| ("connect".to_owned(), json!(ports))));
        tcp.extend(network.bind_tcp.as_ref().map(|ports| ("bind".to_owned(), json!(ports))));
        keys.insert("tcp".into(), tcp.into());
    }
    if !network.allow.is_empty() {
        keys.insert("allow".into(), network.allow.iter().map(allowed).collect());
    }
    if !network.deny.is_empty() {
        keys.insert("deny".into(), network.deny.iter().map(denied).collect());
    }
    if network.limits != Traffic::default() {
        keys.insert("limits".into(), traffic(&network.limits));
    }
    if !network.publish.is_empty() {
        let ports = network.publish.iter().map(|one| json!({ "inside": one.inside, "port": one.port }));
        keys.insert("publish".into(), ports.collect());
    }
    if let Some((place, _)) = &network.parent_proxy {
        keys.insert("parent_proxy".into(), format!("http://{place}").into());
    }
    keys.into()
}

fn allowed(rule: &Allowed) -> Value {
    let mut keys = Map::new();
    keys.insert("host".into(), rule.host.to_string().into());
    keys.insert("ports".into(), json!(rule.ports));
    if rule.ask {
        keys.insert("access".into(), "ask".into());
    }
    for (key, words) in [("methods", &rule.methods), ("paths", &rule.paths)] {
        if !words.is_empty() {
            keys.insert(key.into(), json!(words));
        }
    }
    if rule.tls != TlsUse::Splice {
        keys.insert("tls".into(), json!(rule.tls));
    }
    if !rule.programs.is_empty() {
        let programs = rule.programs.iter().map(|program| match program {
            ByProgram::Digest(digest) => Value::from(digest.as_str()),
            ByProgram::Path(path) => path.as_path().to_string_lossy().replace('$', "$$").into(),
        });
        keys.insert("programs".into(), programs.collect());
    }
    if !rule.networks.is_empty() {
        keys.insert(
            "networks".into(),
            rule.networks.iter().map(|one| Value::from(one.to_string())).collect(),
        );
    }
    if !rule.scan {
        keys.insert("scan".into(), false.into());
    }
    if rule.redact {
        keys.insert("findings".into(), "redact".into());
    }
    if rule.own_login {
        keys.insert("login".into(), "own".into());
    }
    if rule.trace {
        keys.insert("trace".into(), "keep".into());
    }
    if rule.unscannable {
        keys.insert("unscannable".into(), "allow".into());
    }
    if rule.limits != Traffic::default() {
        keys.insert("limits".into(), traffic(&rule.limits));
    }
    keys.into()
}

fn denied(rule: &Denied) -> Value {
    match rule.port {
        Some(port) => json!({ "host": rule.host.to_string(), "port": port }),
        None => json!({ "host": rule.host.to_string() }),
    }
}

fn traffic(traffic: &Traffic) -> Value {
    let rows = [
        ("upload_total", traffic.upload_total),
        ("upload_rate", traffic.upload_rate),
        ("upload_burst", traffic.upload_burst),
        ("download_total", traffic.download_total),
        ("download_rate", traffic.download_rate),
        ("request_body", traffic.request_body),
        ("ask_above", traffic.ask_above),
    ];
    let rows = rows.into_iter().filter_map(|(key, bytes)| Some((key.to_owned(), size(bytes?).into())));
    let mut keys: Map<String, Value> = rows.collect();
    keys.extend(traffic.connections.map(|count| ("connections".to_owned(), count.into())));
    keys.into()
}

/// `credentials`.
pub(super) fn credentials(network: &Network) -> Value {
    network.credentials.iter().map(credential).collect()
}

fn credential(credential: &Credential) -> Value {
    let plain = |text: &str| Value::from(text.replace('$', "$$"));
    let source = match &credential.source {
        SecretSource::Environment(name) => json!({ "environment": name }),
        SecretSource::File(path) => json!({ "file": plain(&path.as_path().to_string_lossy()) }),
        SecretSource::Command(words) => {
            json!({ "command": words.iter().map(|word| plain(word)).collect::<Vec<_>>() })
        }
        SecretSource::Keyring(pairs) => {
            let pairs = pairs.iter().map(|(name, value)| (name.clone(), plain(value)));
            json!({ "keyring": pairs.collect::<Map<_, _>>() })
        }
    };
    let mut keys = Map::new();
    keys.insert("name".into(), credential.name.as_str().into());
    keys.insert("source".into(), source);
    keys.insert("hosts".into(), credential.hosts.iter().map(|host| Value::from(host.to_string())).collect());
    keys.insert("places".into(), json!(credential.places));
    keys.extend(credential.variable.as_ref().map(|name| ("variable".to_owned(), name.as_str().into())));
    keys.extend(credential.optional.then(|| ("optional".to_owned(), true.into())));
    keys.into()
}

/// `dlp`.
pub(super) fn dlp(dlp: &Dlp) -> Value {
    let mut keys = Map::new();
    if !dlp.actions.is_empty() {
        let actions = dlp.actions.iter().map(|(kind, word)| (kind.clone(), Value::from(*word)));
        keys.insert("actions".into(), actions.collect::<Map<_, _>>().into());
    }
    if !dlp.rules.is_empty() {
        let rules = dlp.rules.iter().map(|(path, _)| path.as_path().to_string_lossy().replace('$', "$$"));
        keys.insert("rules".into(), rules.map(Value::from).collect());
    }
    if !dlp.canaries {
        keys.insert("canaries".into(), false.into());
    }
    keys.into()
}
