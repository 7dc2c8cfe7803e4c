//! By whose login a request goes: where a rule names credentials, by one of them and by no other.
//!
//! A host of many people is a way out for whoever has a login of his own there: what is sent under it, he reads. Never lets
//! a request pass with a login that is not wholly a placeholder of the rule's credentials.

use super::credential::{Keys, unescape};
use super::refuse::Refusal;
use crate::wire::egress::Rule;
use http::header::{self, HeaderMap};
use http::{Method, Uri};

/// Headers by which an agent says who it is.
pub(super) const LOGINS: [&str; 9] = [
    "authorization",
    "cookie",
    "x-api-key",
    "api-key",
    "apikey",
    "private-token",
    "x-goog-api-key",
    "x-auth-token",
    "x-access-token",
];
/// Parts of a query by which hosts take a login, in lower case and without `-` and `_`.
const QUERY: [&str; 7] = ["key", "apikey", "accesstoken", "token", "oauthtoken", "auth", "authorization"];
/// Headers that may hold a login beside those, and that no rule with credentials needs: cookies of a distribution network,
/// keys among the protocols of a WebSocket.
const DROPPED: [&str; 2] = ["cookie", "sec-websocket-protocol"];

/// Refuses a request with a login of its own, or without any where it could change something.
/// # Errors
/// 403 `login`.
pub(super) fn check(
    rule: &Rule,
    keys: &Keys,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), Refusal> {
    let Some(names) = &rule.login else { return Ok(()) };
    let ours = keys.placeholders_of(names);
    let told = |why: &str| {
        let unset = if ours.is_empty() { ", and none was found outside" } else { "" };
        let names = names.join(" or ");
        Refusal::new(403, "login", format!("{why}: here the credential is {names}{unset}")).by(rule)
    };
    let mut logins = 0;
    let named = LOGINS.iter().filter(|name| !DROPPED.contains(name));
    for value in named.flat_map(|name| headers.get_all(*name)) {
        if !ours.iter().any(|ours| is_login(value.as_bytes(), ours)) {
            return Err(told("the request has a login of its own"));
        }
        logins += 1;
    }
    for part in uri.query().unwrap_or_default().split(['&', ';']) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let name: Vec<u8> = unescape(name.as_bytes()).to_ascii_lowercase();
        let name: Vec<u8> = name.into_iter().filter(|byte| !b"-_".contains(byte)).collect();
        if !QUERY.iter().any(|known| known.as_bytes() == name) {
            continue;
        }
        if !ours.contains(&unescape(value.as_bytes()).as_slice()) {
            return Err(told("the query has a login of its own"));
        }
        logins += 1;
    }
    let looks = *method == Method::GET || *method == Method::HEAD || *method == Method::OPTIONS;
    let sends = !looks || headers.contains_key(header::UPGRADE);
    if logins == 0 && sends {
        return Err(told("the request has no login"));
    }
    Ok(())
}

/// Takes out of the head what no check understands.
pub(super) fn strip(rule: &Rule, headers: &mut HeaderMap) {
    if rule.login.is_some() {
        DROPPED.iter().for_each(|name| drop(headers.remove(*name)));
    }
}

/// Whether a header's value is this placeholder, behind a scheme of one word or alone.
fn is_login(value: &[u8], ours: &[u8]) -> bool {
    let Some(scheme) = value.strip_suffix(ours) else { return false };
    let Some(word) = scheme.strip_suffix(b" ") else { return scheme.is_empty() };
    (1..=16).contains(&word.len()) && word.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_a_placeholder_and_nothing_beside_it() {
        for value in ["sk-1", "Bearer sk-1", "Token sk-1"] {
            assert!(is_login(value.as_bytes(), b"sk-1"), "{value}");
        }
        for value in [
            "",
            "sk-2",
            "Bearer sk-12",
            "sk-2 sk-1 ",
            "sk-2, Bearer sk-1",
            "Bearer  sk-1",
            " sk-1",
            "a:sk-1",
            "Basic c2stMQ==",
        ] {
            assert!(!is_login(value.as_bytes(), b"sk-1"), "{value}");
        }
    }
}
