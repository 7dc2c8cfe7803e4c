//! `.signatures.json` of a bundle, as OPA's documentation has it: one JWT that lists every file with its hash.
//!
//! Never chooses the algorithm by what the signature says: a key has one. Never takes a file that the signature does
//! not list, nor a list with a file that is not there.

use super::archive::Member;
use super::bundle::{Trust, json};
use crate::crypto::base64url;
use crate::crypto::{PublicKey, sha256};
use serde::Deserialize;
use serde_json::Value;
use std::fmt::Write;

/// The file with the signature.
const FILE: &str = ".signatures.json";

#[derive(Deserialize)]
struct Signatures {
    signatures: Vec<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
}

#[derive(Deserialize)]
struct Payload {
    files: Vec<Listed>,
    keyid: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    name: String,
    hash: String,
    algorithm: String,
}

/// Checks the signature; the id of its key, or `None` for a bundle without one where none is required.
/// # Errors
/// Every reason why it does not hold. A signed bundle is refused too when no key was named.
pub(super) fn check(members: &[Member], trust: &Trust) -> Result<Option<String>, String> {
    let Some(file) = members.iter().find(|member| member.name == FILE) else {
        return if trust.required {
            Err("is not signed, and a signature is required".into())
        } else {
            Ok(None)
        };
    };
    verify(file, members, trust).map(Some).map_err(|why| format!("{FILE}: {why}"))
}

fn verify(file: &Member, members: &[Member], trust: &Trust) -> Result<String, String> {
    if trust.keys.is_empty() {
        return Err("the bundle is signed, and no key to check it by is named".into());
    }
    let signatures: Signatures = typed(json(FILE, &file.bytes)?)?;
    let [token] = signatures.signatures.as_slice() else {
        return Err("holds not exactly one signature".into());
    };
    let (signed, code) = token.rsplit_once('.').ok_or("not a JWT")?;
    let (header, payload) = signed.split_once('.').ok_or("not a JWT")?;
    let header: Header = typed(part(header)?)?;
    // The payload is looked into for the key's name only; nothing else of it counts before the signature holds.
    let payload: Payload = typed(part(payload)?)?;
    let wanted = payload.keyid.or(header.kid);
    let mut keys = trust.keys.iter().filter(|key| wanted.as_ref().is_none_or(|id| *id == key.id));
    let key = keys.next().ok_or("is by a key that is not named here")?;
    if wanted.is_none() && keys.next().is_some() {
        return Err("names no key, and several are named here".into());
    }
    let public = PublicKey::from_pem(&key.pem).map_err(|why| format!("the key {}: {why}", key.id))?;
    if header.alg != public.algorithm() {
        return Err(format!("uses {}, and the key {} is for {}", header.alg, key.id, public.algorithm()));
    }
    let code = base64url(code).ok_or("not a JWT")?;
    public.check(signed.as_bytes(), &code).map_err(|_| format!("the key {} did not make it", key.id))?;
    compare(&payload.files, members)?;
    Ok(key.id.clone())
}

fn part(text: &str) -> Result<Value, String> {
    let bytes = base64url(text).ok_or("not a JWT")?;
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}

/// A struct from an object; serde takes an array for one too.
fn typed<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, String> {
    if !value.is_object() {
        return Err("not an object".into());
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}

fn compare(listed: &[Listed], members: &[Member]) -> Result<(), String> {
    for (place, one) in listed.iter().enumerate() {
        let known = members.iter().any(|member| member.name != FILE && member.name == one.name);
        if !known || listed.iter().take(place).any(|other| other.name == one.name) {
            return Err(format!(
                "lists {}, which is not in the bundle, or twice",
                crate::base::escape(one.name.as_bytes())
            ));
        }
    }
    for member in members.iter().filter(|member| member.name != FILE) {
        let one = listed.iter().find(|one| one.name == member.name);
        let one = one.ok_or_else(|| format!("does not list {}", member.name))?;
        if one.algorithm != "SHA-256" {
            return Err(format!("{}: hashed by another algorithm than SHA-256", member.name));
        }
        if one.hash != hash(member)? {
            return Err(format!("{}: not the file that was signed", member.name));
        }
    }
    Ok(())
}

/// The hash of a file: of its bytes, or for data and manifest of the canonical form of what it says.
fn hash(member: &Member) -> Result<String, String> {
    let file = member.name.rsplit('/').next().unwrap_or_default();
    if !matches!(file, "data.json" | ".manifest") {
        return Ok(sha256(&member.bytes).to_string());
    }
    let mut text = String::new();
    canonical(&json(&member.name, &member.bytes)?, &mut text);
    Ok(sha256(text.as_bytes()).to_string())
}

/// As OPA writes it: names sorted, no space. Numbers stand as serde_json writes them, so a fraction in another form
/// makes the hash differ and the bundle is refused.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(keys) => {
            let mut sorted: Vec<(&String, &Value)> = keys.iter().collect();
            sorted.sort_by(|one, other| one.0.as_bytes().cmp(other.0.as_bytes()));
            out.push('{');
            for (place, (key, value)) in sorted.into_iter().enumerate() {
                out.push_str(if place == 0 { "" } else { "," });
                string(key, out);
                out.push(':');
                canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(list) => {
            out.push('[');
            for (place, value) in list.iter().enumerate() {
                out.push_str(if place == 0 { "" } else { "," });
                canonical(value, out);
            }
            out.push(']');
        }
        Value::String(text) => string(text, out),
        other => out.push_str(&other.to_string()),
    }
}

/// A string as Go writes it: as serde_json does, and the two line separators escaped.
fn string(text: &str, out: &mut String) {
    for letter in Value::from(text).to_string().chars() {
        match letter {
            '\u{2028}' | '\u{2029}' => {
                write!(out, "\\u{:04x}", u32::from(letter)).unwrap_or_default();
            }
            other => out.push(other),
        }
    }
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
