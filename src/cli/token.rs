//! `token`: what a capability token says; with a public key, also whether it is that key's. `--export` has a run's
//! Guardian sign a statement of a grant.
//!
//! Never says that a token holds on a channel: only the Guardian of that run can. Never signs anything itself.

use super::args;
use super::output::{complain, print};
use crate::base::{BootInstant, WallTime, escape, unhex};
use crate::guardian::token::{Bound, Claims, ISSUER, MOST_TEXT, TokenError, check_signed, peek};
use crate::wire::broker::Allowed;
use crate::wire::subject::Resource;
use serde_json::json;
use std::io::Read;

/// It is no token, not by that key, or its time is over.
const WRONG: u8 = 1;
/// It could not be looked at.
const FAILED: u8 = 125;

/// Shows a token; the exit code.
pub(super) fn run(wish: &args::Token) -> u8 {
    if let Some(grant) = &wish.export {
        return super::people::export(grant, wish.audience.as_deref().unwrap_or_default(), wish.json);
    }
    let text = match read(wish.token.as_deref().unwrap_or_default()) {
        Ok(text) => text,
        Err(error) => {
            complain(&format!("read a token from stdin: {error}"), None);
            return FAILED;
        }
    };
    let key = match wish.public_key.as_deref().map(key_of) {
        Some(None) => {
            complain("the public key is not 64 lower-case hexadecimal digits", None);
            return FAILED;
        }
        other => other.flatten(),
    };
    if wish.audience.is_some() && key.is_none() {
        complain("--audience says nothing of a token that is not checked", Some("--public-key checks one"));
        return FAILED;
    }
    match key.map_or_else(|| peek(&text), |key| check_signed(&text, &key)) {
        Ok(claims) if wish.audience.is_some() && wish.audience.as_deref() != audience(&claims) => {
            complain("show a token: it was made for somebody else", None);
            WRONG
        }
        Ok(claims) => show(&claims, key.is_some(), wish.json),
        Err(error) => {
            let hint = matches!(error, TokenError::Malformed(_))
                .then_some("a public key checks signed tokens alone");
            complain(&format!("show a token: {error}"), hint.filter(|_| key.is_some()));
            WRONG
        }
    }
}

fn audience(claims: &Claims) -> Option<&str> {
    match &claims.bound {
        Bound::Audience { name, .. } => Some(name),
        Bound::Channel { .. } => None,
    }
}

fn read(word: &str) -> std::io::Result<String> {
    if word != "-" {
        return Ok(word.to_owned());
    }
    let mut text = String::new();
    let most = u64::try_from(MOST_TEXT + 2).unwrap_or(u64::MAX);
    std::io::stdin().lock().take(most).read_to_string(&mut text)?;
    Ok(text.trim_end_matches('\n').to_owned())
}

fn key_of(hex: &str) -> Option<[u8; 32]> {
    unhex(hex)?.try_into().ok()
}

fn show(claims: &Claims, checked: bool, json: bool) -> u8 {
    let over = claims.expires <= now(&claims.bound);
    let printed = print(&if json { as_json(claims, checked, over) } else { as_text(claims, checked, over) });
    if printed == 0 && checked && over { WRONG } else { printed }
}

/// Now, by the clock that the token's times are of.
fn now(bound: &Bound) -> u64 {
    match bound {
        Bound::Channel { .. } => BootInstant::now().since_boot().as_secs(),
        Bound::Audience { .. } => WallTime::now().unix_seconds(),
    }
}

fn as_json(claims: &Claims, checked: bool, over: bool) -> String {
    let bound = match &claims.bound {
        Bound::Channel { channel, epoch } => json!({ "channel": channel.to_string(), "epoch": epoch }),
        Bound::Audience { name, grant, approved_by } => {
            json!({ "audience": name, "grant": grant, "approved_by": approved_by })
        }
    };
    let shown = json!({
        "checked": checked,
        "over": over,
        "issuer": ISSUER,
        "run": claims.run,
        "bound": bound,
        "id": claims.id.to_string(),
        "root": claims.root.to_string(),
        "depth": claims.depth,
        "issued": claims.issued,
        "expires": claims.expires,
        "allowed": claims.allowed,
    });
    // Strings that would mislead a reader are written as \uXXXX there.
    crate::audit::json(&shown).map_or_else(|error| error.to_string(), |line| line + "\n")
}

fn as_text(claims: &Claims, checked: bool, over: bool) -> String {
    let word = if checked { "signature checked" } else { "nothing was checked" };
    let (place, clock) = match &claims.bound {
        Bound::Channel { channel, epoch } => {
            (format!("channel {channel}, token epoch {epoch}"), "CLOCK_BOOTTIME")
        }
        Bound::Audience { name, grant, approved_by } => {
            let [name, grant, by] = [name, grant, approved_by].map(|text| escape(text.as_bytes()));
            (format!("audience {name}, of grant {grant}, approved by {by}"), "since 1970")
        }
    };
    let state = if over { "is over" } else { "is not over" };
    let mut text = format!("token {} ({word})\n", claims.id);
    text += &format!("  run {}\n  {place}\n", escape(claims.run.as_bytes()));
    text += &format!("  from {} to {} seconds ({clock}): its time {state}\n", claims.issued, claims.expires);
    text += &format!("  root {}, attenuated {} times\n", claims.root, claims.depth);
    text += "  does not stand in the way of:\n";
    for pair in &claims.allowed {
        text += &format!("    {}\n", pair_text(pair));
    }
    text
}

fn pair_text(pair: &Allowed) -> String {
    let (kind, name) = match &pair.resource {
        Resource::File { path } => ("file", path.clone()),
        Resource::Program { path } => ("program", path.clone()),
        Resource::Device { name } => ("device", name.clone()),
        Resource::Host { host, port } => ("host", format!("{host} port {port}")),
        Resource::Upload { host, port } => ("upload to", format!("{host} port {port}")),
    };
    format!("{} {kind} {}", pair.action.word(), escape(name.as_bytes()))
}
