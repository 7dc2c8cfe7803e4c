//! A bundle: the files of an OPA bundle, read, checked, and ready to be asked.
//!
//! Never takes half of one: a file that is wrong, a package outside the roots, or a signature that does not hold, and
//! nothing of it is used. Data in YAML, WebAssembly and delta bundles are refused.

use super::archive::Member;
use super::engine::Engine;
use super::signature;
use crate::wire::policy::{Outcome, VerifyKey};
use serde::Deserialize;
use serde_json::{Map, Value};

/// What a bundle's signature must be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// A bundle without a signature is refused.
    pub required: bool,
    /// Keys a signature may be by.
    pub keys: Vec<VerifyKey>,
}

/// The rules and data of a bundle.
#[derive(Clone)]
pub struct Bundle {
    /// Its name, for messages and records.
    pub name: String,
    /// `.manifest`.
    pub manifest: Manifest,
    /// The id of the key whose signature holds; `None`: not signed.
    pub signed_by: Option<String>,
    /// It has the package `system.log`, whose rule `mask` says what a record does not tell.
    pub(super) masks: bool,
    pub(super) engine: Engine,
}

/// `.manifest`, as OPA has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Free text that names this state of the bundle.
    #[serde(default)]
    pub revision: String,
    /// The packages and data that belong to this bundle, as paths; everything when not said.
    #[serde(default)]
    pub roots: Option<Vec<String>>,
    /// Only 1 is known.
    #[serde(default)]
    rego_version: Option<u64>,
    /// Free; we read `aisandbox.default`.
    #[serde(default)]
    metadata: Map<String, Value>,
}

impl Bundle {
    /// Reads a bundle. With `tests`, `*_test.rego` is part of it.
    /// # Errors
    /// What is wrong with it, with the file.
    pub fn read(name: &str, members: &[Member], trust: &Trust, tests: bool) -> Result<Self, String> {
        let signed_by = signature::check(members, trust)?;
        let manifest = manifest(members)?;
        let mut modules = Vec::new();
        let mut data = Map::new();
        for Member { name, bytes } in members {
            let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
            match file {
                ".signatures.json" | ".manifest" if folder.is_empty() => {}
                "data.json" => place(&mut data, folder, json(name, bytes)?)?,
                "data.yaml" | "data.yml" => {
                    return Err(format!("{name}: data in YAML is not read here; write it as data.json"));
                }
                "patch.json" if folder.is_empty() => {
                    return Err("patch.json: delta bundles are not read".into());
                }
                _ if file.ends_with(".wasm") => return Err(format!("{name}: WebAssembly is not run")),
                _ if file.ends_with("_test.rego") && !tests => {}
                _ if file.ends_with(".rego") => modules.push((name.clone(), rules(name, bytes)?)),
                _ => {}
            }
        }
        let data = Value::Object(data);
        check_data(&manifest, &data)?;
        let engine = Engine::build(&modules, &data)?;
        let mut masks = false;
        for (file, package) in engine.packages()? {
            masks |= package == ["system", "log"];
            if !manifest.holds(&package) {
                return Err(format!(
                    "{file}: the package {} is outside the bundle's roots",
                    package.join(".")
                ));
            }
        }
        if engine.policies().is_empty() && !tests {
            return Err("has no policy: no package aisandbox.policies.NAME with a rule `verdict`".into());
        }
        Ok(Self { name: name.to_owned(), manifest, signed_by, masks, engine })
    }

    /// What it says when none of its policies speaks.
    pub(super) fn silence(&self) -> Option<Outcome> {
        self.manifest.outcome_of_silence().unwrap_or(Some(Outcome::Deny))
    }

    /// The names of its policies.
    pub fn policies(&self) -> Vec<&str> {
        self.engine.policies().iter().map(|policy| policy.id.as_str()).collect()
    }
}

impl Manifest {
    /// `metadata.aisandbox.default`.
    fn outcome_of_silence(&self) -> Result<Option<Outcome>, String> {
        match self.metadata.get("aisandbox").and_then(|ours| ours.get("default")) {
            None => Ok(None),
            Some(word) if word == "prompt" => Ok(Some(Outcome::Prompt)),
            Some(word) if word == "deny" => Ok(Some(Outcome::Deny)),
            Some(other) => {
                Err(format!(".manifest: metadata.aisandbox.default is {other}, not prompt or deny"))
            }
        }
    }

    /// Says whether one of the roots is this path, or above it.
    fn holds(&self, path: &[String]) -> bool {
        let Some(roots) = &self.roots else { return true };
        roots.iter().any(|root| {
            let parts: Vec<&str> = root.split('/').filter(|part| !part.is_empty()).collect();
            path.len() >= parts.len() && parts.iter().zip(path).all(|(part, there)| part == there)
        })
    }
}

fn manifest(members: &[Member]) -> Result<Manifest, String> {
    let Some(file) = members.iter().find(|member| member.name == ".manifest") else {
        return Ok(Manifest::default());
    };
    let value = json(&file.name, &file.bytes)?;
    if value.get("wasm").is_some() {
        return Err(".manifest: WebAssembly is not run".into());
    }
    if !value.is_object() {
        return Err(".manifest: not an object".into());
    }
    let manifest: Manifest = serde_json::from_value(value).map_err(|error| format!(".manifest: {error}"))?;
    if manifest.rego_version.is_some_and(|version| version != 1) {
        return Err(".manifest: only rego_version 1 is known".into());
    }
    if manifest.revision.len() > 128 || manifest.revision.contains(char::is_control) {
        return Err(".manifest: the revision is longer than 128 bytes, or not plain text".into());
    }
    manifest.outcome_of_silence()?;
    Ok(manifest)
}

/// Puts the content of a data.json where its folder says.
fn place(data: &mut Map<String, Value>, folder: &str, value: Value) -> Result<(), String> {
    let Value::Object(keys) = value else { return Err(format!("{folder}/data.json: not an object")) };
    let mut at = data;
    for part in folder.split('/').filter(|part| !part.is_empty()) {
        let below = at.entry(part.to_owned()).or_insert_with(|| Value::Object(Map::new()));
        at =
            below.as_object_mut().ok_or_else(|| format!("{folder}/data.json: {part} has a value already"))?;
    }
    for (key, value) in keys {
        if at.insert(key.clone(), value).is_some() {
            return Err(format!("{folder}/data.json: {key} has a value already"));
        }
    }
    Ok(())
}

/// Every value must lie below a root: what lies on the way to one is looked into.
fn check_data(manifest: &Manifest, data: &Value) -> Result<(), String> {
    let mut open = vec![(Vec::new(), data)];
    while let Some((path, value)) = open.pop() {
        if !path.is_empty() && manifest.holds(&path) {
            continue;
        }
        match value {
            Value::Object(keys) => {
                let below = |(key, value)| ([path.as_slice(), &[String::clone(key)]].concat(), value);
                open.extend(keys.iter().map(below));
            }
            _ => return Err(format!("data.json: {} is outside the bundle's roots", path.join("/"))),
        }
    }
    Ok(())
}

/// The text of a module.
fn rules(name: &str, bytes: &[u8]) -> Result<String, String> {
    let text = String::from_utf8(bytes.to_vec()).map_err(|_| format!("{name}: not UTF-8"))?;
    match super::depth::too_deep(&text) {
        Some(line) => Err(format!("{name}:{line}: goes deeper than any policy does")),
        None => Ok(text),
    }
}

/// JSON of any shape; serde_json goes at most 128 deep.
pub(super) fn json(name: &str, bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("{name}: {error}"))
}

#[cfg(test)]
#[path = "bundle_tests.rs"]
mod tests;
