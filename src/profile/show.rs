//! A finished profile as text and as JSON: what its files come to once they are merged.
//!
//! Never shows a value in a form that would mean something else when read again: the text is a profile itself.

use super::detection::{self, Detection};
use super::network_shown;
use super::parse::resolve;
use super::policies::{self, Policies};
use super::programs::{self, Programs};
use super::protect;
use super::rates;
use super::template;
use crate::profile::{Access, Dlp, FsEntry, Layer, Limits, Profile, Protect};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The profile with the keys of the format, variables replaced. Entries say who asked for them (`asked`).
pub fn to_json(profile: &Profile) -> Value {
    let mut all = Map::new();
    all.insert("version".into(), 1.into());
    all.insert("description".into(), profile.description.as_str().into());
    all.insert("filesystem".into(), profile.filesystem.iter().map(entry).collect());
    all.insert("network".into(), network_shown::network(&profile.network));
    if !profile.network.credentials.is_empty() {
        all.insert("credentials".into(), network_shown::credentials(&profile.network));
    }
    if profile.network.dlp != Dlp::default() {
        all.insert("dlp".into(), network_shown::dlp(&profile.network.dlp));
    }
    let set: Map<String, Value> = profile
        .environment
        .set
        .iter()
        .map(|(name, value)| (name.clone(), value.replace('$', "$$").into()))
        .collect();
    all.insert("environment".into(), json!({ "keep": profile.environment.keep, "set": set }));
    all.insert("limits".into(), limits(&profile.limits));
    all.insert("seccomp".into(), profile.seccomp.value.replace('$', "$$").into());
    let wish = profile.landlock;
    let parts = [("filesystem", wish.filesystem), ("network", wish.network), ("scopes", wish.scopes)];
    let parts: Vec<&str> = parts.iter().filter(|(_, wanted)| *wanted).map(|(name, _)| *name).collect();
    all.insert("landlock".into(), json!({ "require": parts }));
    let layers: Vec<Layer> = profile.degraded.iter().map(|(layer, _)| *layer).collect();
    all.insert("allow_degraded".into(), json!(layers));
    all.insert("namespaces".into(), json!({ "time": profile.time_namespace }));
    all.insert("hostname".into(), profile.hostname.as_str().into());
    let say = |allowed: bool| if allowed { "allow" } else { "deny" };
    let terminal = profile.terminal;
    all.insert(
        "terminal".into(),
        json!({ "clipboard": say(terminal.clipboard), "title": say(terminal.title) }),
    );
    all.insert("consent".into(), consent(profile));
    all.insert("audit".into(), json!({ "mode": profile.audit, "observe": profile.observe }));
    if profile.guardian {
        all.insert("guardian".into(), true.into());
    }
    if let Some(agents) = profile.agents {
        all.insert("agents".into(), json!({ "most": agents.most, "depth": agents.depth }));
    }
    if profile.programs != Programs::default() {
        all.insert("programs".into(), programs::shown(&profile.programs));
    }
    if profile.policies != Policies::default() {
        all.insert("policy".into(), policies::shown(&profile.policies));
    }
    if profile.detection != Detection::default() {
        all.insert("detection".into(), detection::shown(&profile.detection));
    }
    all.into()
}

/// The same as text that is a profile itself; comments name the files and where each entry was written.
pub fn to_text(profile: &Profile) -> String {
    let mut text = String::new();
    for origin in &profile.origins {
        let built_in = if origin.embedded { " (built in)" } else { "" };
        text.push_str(&format!("# from {}{built_in}\n", origin.name.escape_debug()));
    }
    for wish in &profile.later {
        text.push_str(&format!("# not in this build: {} ({})\n", wish.value.escape_debug(), wish.asked));
    }
    let Value::Object(all) = to_json(profile) else { return text };
    for (key, value) in &all {
        section(&mut text, key, value);
    }
    text
}

fn section(text: &mut String, key: &str, value: &Value) {
    match value {
        Value::Array(list) if list.iter().any(Value::is_object) => {
            text.push_str(&format!("{key}:\n"));
            for item in list {
                let asked = item.get("asked").and_then(Value::as_str).unwrap_or("");
                text.push_str(&format!("  - {}  # {asked}\n", flow(item)));
            }
        }
        Value::Object(map) if !map.is_empty() => {
            text.push_str(&format!("{key}:\n"));
            for (key, value) in map {
                text.push_str(&format!("  {}: {}\n", scalar(key), flow(value)));
            }
        }
        other => text.push_str(&format!("{key}: {}\n", flow(other))),
    }
}

/// A value on one line, as YAML in flow style.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(list) => format!("[{}]", list.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(map) if map.is_empty() => "{}".into(),
        Value::Object(map) => {
            let shown = map.iter().filter(|(key, _)| *key != "asked");
            let parts: Vec<String> =
                shown.map(|(key, value)| format!("{}: {}", scalar(key), flow(value))).collect();
            format!("{{ {} }}", parts.join(", "))
        }
        other => other.to_string(),
    }
}

/// Text without quotes where that is safe, else in double quotes with everything unusual escaped.
fn scalar(text: &str) -> String {
    let safe = |letter: char| letter.is_ascii_alphanumeric() || "/._-+$".contains(letter);
    let first = text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '/' || first == '$');
    if first && resolve(text).is_none() && text.chars().all(safe) {
        return text.to_owned();
    }
    let mut out = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\'' => out.push('\''),
            other if other.escape_debug().count() == 1 => out.push(other),
            other => out.push_str(&format!("\\U{:08x}", u32::from(other))),
        }
    }
    out.push('"');
    out
}

fn entry(entry: &FsEntry) -> Value {
    let path = |path: &std::path::Path| Value::from(path.to_string_lossy().replace('$', "$$"));
    let mut keys = Map::new();
    keys.insert("path".into(), path(entry.path.as_path()));
    keys.insert("access".into(), access(&entry.access).into());
    if let Some(source) = &entry.source {
        keys.insert("source".into(), path(source.as_path()));
    }
    match &entry.access {
        Access::Tmpfs { size_bytes, mode } => {
            keys.extend(size_bytes.map(|bytes| ("size".to_owned(), size(bytes).into())));
            keys.extend(mode.map(|mode| ("mode".to_owned(), format!("{mode:04o}").into())));
        }
        Access::File { content } => {
            keys.insert("content".into(), String::from_utf8_lossy(content).into());
        }
        Access::Symlink { target } => {
            keys.insert("target".into(), target.replace('$', "$$").into());
        }
        Access::Ask(ask) => {
            super::ask::show(ask, &mut keys);
        }
        _ => {}
    }
    for (key, set) in [("optional", entry.optional), ("noexec", entry.noexec)] {
        if set {
            keys.insert(key.into(), true.into());
        }
    }
    if !entry.protect.is_empty() {
        keys.insert("protect".into(), json!(protected(&entry.protect)));
    }
    keys.insert("asked".into(), entry.asked.to_string().into());
    keys.into()
}

fn access(access: &Access) -> &'static str {
    match access {
        Access::Ro => "ro",
        Access::Rw => "rw",
        Access::Dev => "dev",
        Access::Stage => "stage",
        Access::Ask(_) => "ask",
        Access::Tmpfs { .. } => "tmpfs",
        Access::Dir => "dir",
        Access::File { .. } => "file",
        Access::Symlink { .. } => "symlink",
        Access::Mask => "mask",
        Access::DevFs => "devfs",
        Access::Proc => "proc",
    }
}

/// Groups by name, then the profile's own paths.
fn protected(protects: &[Protect]) -> Vec<String> {
    let named = |group: &&str| protects.iter().any(|protect| protect.group == Some(*group));
    let groups = protect::names().into_iter().filter(named).map(str::to_owned);
    let own = protects
        .iter()
        .filter(|protect| protect.group.is_none())
        .map(|protect| format!("./{}", protect.path));
    groups.chain(own).collect()
}

fn limits(limits: &Limits) -> Value {
    let rows = [
        ("memory", limits.memory_bytes.map(|bytes| size(bytes).into())),
        ("processes", limits.processes.map(Value::from)),
        (
            "cpu",
            limits
                .cpu_millis
                .and_then(|millis| u32::try_from(millis).ok())
                .map(|millis| json!(f64::from(millis) / 1000.0)),
        ),
        ("open_files", limits.open_files.map(Value::from)),
        ("file_size", limits.file_size_bytes.map(|bytes| size(bytes).into())),
        ("core_size", limits.core_size_bytes.map(|bytes| size(bytes).into())),
        ("wall_time", limits.wall_time.map(|limit| time(limit).into())),
    ];
    rows.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect::<Map<_, _>>().into()
}

fn consent(profile: &Profile) -> Value {
    let mut keys = Map::new();
    if !profile.consent.channels.is_empty() {
        keys.insert("channels".into(), json!(profile.consent.channels));
    }
    keys.extend(profile.consent.timeout.map(|timeout| ("timeout".to_owned(), time(timeout).into())));
    keys.extend(rates::to_json(&profile.consent.rates).map(|rates| ("rates".to_owned(), rates)));
    if !profile.consent.templates.is_empty() {
        let templates: Value = profile.consent.templates.iter().map(template::to_json).collect();
        keys.insert("templates".into(), templates);
    }
    keys.into()
}

/// Bytes in the greatest unit that loses nothing.
pub(super) fn size(bytes: u64) -> String {
    let fits = |shift: u32| bytes != 0 && bytes.is_multiple_of(1 << shift);
    let unit = [(40, "T"), (30, "G"), (20, "M"), (10, "K")].into_iter().find(|(shift, _)| fits(*shift));
    unit.map_or_else(|| bytes.to_string(), |(shift, unit)| format!("{}{unit}", bytes >> shift))
}

/// A time as the format writes it.
pub(super) fn time(time: Duration) -> String {
    let mut seconds = time.as_secs();
    let mut text = String::new();
    for (unit, letter) in [(86_400, 'd'), (3600, 'h'), (60, 'm'), (1, 's')] {
        if seconds >= unit {
            text.push_str(&format!("{}{letter}", seconds / unit));
            seconds %= unit;
        }
    }
    text
}
