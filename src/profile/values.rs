//! Values of the format that are neither words nor amounts: the version, hosts, variables with their values.
//!
//! Never takes what only looks right: each says in its hint what would be.

use super::decode::{At, Decode, Decoder, schema, shown};
use super::destination::Destination;
use super::model::{AuditMode, Layer, NetworkMode};
use super::network::{NetworkWay, SecretPlace, TlsUse};
use super::observe::Observe;
use super::parse::{Node, Value};
use std::collections::HashMap;

/// The version of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version;

/// A destination of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host(pub(crate) Destination);

/// Variables with their values; numbers and truth values are taken as their text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Settings(pub(crate) Vec<(String, At<String>)>);

/// A SHA-256 as 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sha256(pub(crate) String);

impl Decode for Version {
    fn decode(node: Node, decoder: &mut Decoder) -> Option<Self> {
        match node.value {
            Value::Int(1) => Some(Self),
            other => {
                let hint = Some("this build knows version 1: write `version: 1`".into());
                decoder.refuse(node.line, format!("unknown version {} of the format", shown(&other)), hint)
            }
        }
    }
}

impl Decode for Host {
    fn decode(node: Node, decoder: &mut Decoder) -> Option<Self> {
        let line = node.line;
        let text = decoder.text(node)?.value;
        match Destination::parse(&text) {
            Ok(destination) => Some(Self(destination)),
            Err(hint) => decoder.refuse(line, format!("not a host: `{text}`"), Some(hint.into())),
        }
    }
}

impl Decode for Sha256 {
    fn decode(node: Node, decoder: &mut Decoder) -> Option<Self> {
        let line = node.line;
        let text = decoder.text(node)?.value;
        let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == 64 && text.bytes().all(digit) {
            return Some(Self(text));
        }
        let hint = Some("64 lower-case hex digits, as `sha256sum FILE` prints them".into());
        decoder.refuse(line, format!("not a SHA-256: `{text}`"), hint)
    }
}

impl Decode for Settings {
    fn decode(node: Node, decoder: &mut Decoder) -> Option<Self> {
        let mut settings: Vec<(String, At<String>)> = Vec::new();
        let mut lines: HashMap<String, u32> = HashMap::new();
        for (key, node) in decoder.map(node)? {
            if !variable_name(&key.name) {
                decoder.refuse::<()>(key.line, format!("not a variable's name: `{}`", key.name), None);
            } else if let Some(first) = lines.insert(key.name.clone(), key.line) {
                let message = format!("`{}` comes twice, first on line {first}", key.name);
                decoder.refuse::<()>(key.line, message, Some("keep one".into()));
            } else if let Some(value) = scalar(node, decoder) {
                settings.push((key.name, value));
            }
        }
        Some(Self(settings))
    }
}

/// A name that shells can set: letters, digits and `_`, no digit first.
pub(super) fn variable_name(name: &str) -> bool {
    let fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(fit) && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

fn scalar(node: Node, decoder: &mut Decoder) -> Option<At<String>> {
    let asked = decoder.source(node.line);
    let value = match node.value {
        Value::Int(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        _ => return decoder.text(node),
    };
    Some(At { value, asked })
}

macro_rules! model_words {
    ($name:ident, $what:literal, $($word:literal => $variant:ident),*) => {
        impl Decode for $name {
            fn decode(node: Node, decoder: &mut Decoder) -> Option<Self> {
                decoder.word(node, $what, &[$(($word, Self::$variant)),*])
            }
        }
    };
}

model_words!(NetworkMode, "mode", "none" => None, "loopback" => Loopback, "filtered" => Filtered, "host" => Host);
model_words!(NetworkWay, "way", "auto" => Auto, "redirect" => Redirect, "anyip" => AnyIp, "proxy" => Proxy);
model_words!(TlsUse, "tls", "splice" => Splice, "inspect" => Inspect, "deny" => Deny);
model_words!(SecretPlace, "place", "header" => Header, "query" => Query, "body" => Body);
model_words!(AuditMode, "mode", "durable" => Durable, "buffered" => Buffered);
model_words!(Layer, "layer", "namespaces" => Namespaces, "landlock-filesystem" => LandlockFilesystem,
    "landlock-network" => LandlockNetwork, "landlock-scopes" => LandlockScopes, "seccomp" => Seccomp,
    "protect-new" => ProtectNew, "cgroup" => Cgroup,
    "ask-mounts" => AskMounts, "egress" => Egress, "observe" => Observe);
model_words!(Observe, "level", "deny" => Deny, "writes" => Writes, "all" => All, "strict" => Strict);

schema!(Version, { "const": 1 });
schema!(Host, { "type": "string", "pattern": "^(\\*\\.)?[a-z0-9_.:-]+(/[0-9]+)?$" });
schema!(Sha256, { "type": "string", "pattern": "^[0-9a-f]{64}$" });
schema!(Settings, {
    "type": "object",
    "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" },
    "additionalProperties": { "type": ["string", "integer", "boolean"] }
});
