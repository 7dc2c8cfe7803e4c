//! The head of a request, judged before anything of it goes out: framing, names, method and path; and what no peer may
//! say through us.
//!
//! Never looks at a body, and knows nothing of connections.

use super::path::Readings;
use super::refuse::Refusal;
use crate::wire::egress::Rule;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri, Version};
use std::net::IpAddr;
use std::sync::Arc;

/// Headers that are about one connection only, or that would make a server answer for another name.
const DROPPED: [&str; 12] = [
    "connection",
    "proxy-connection",
    "keep-alive",
    "proxy-authorization",
    "transfer-encoding",
    "upgrade",
    "expect",
    "http2-settings",
    "forwarded",
    "x-forwarded-host",
    "x-host",
    "alt-used",
];
/// Headers by which frameworks take another method than the one of the request line.
const METHOD_OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];
/// Headers by which frameworks take another path.
const PATH_OVERRIDES: [&str; 3] = ["x-original-url", "x-rewrite-url", "x-original-uri"];
/// Headers by which programs tell each other which work a request belongs to (W3C Trace Context and Baggage, and what was
/// there before): ids of the inside, and words at will.
const TRACES: [&str; 17] = [
    "traceparent",
    "tracestate",
    "baggage",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
    "grpc-trace-bin",
    "sentry-trace",
    "uber-trace-id",
    "x-amzn-trace-id",
    "x-cloud-trace-context",
    "x-datadog-trace-id",
    "x-datadog-parent-id",
    "x-datadog-tags",
];
/// Headers of an answer that are about one connection, or that offer another way to the same host.
const DROPPED_BACK: [&str; 7] = [
    "connection",
    "proxy-connection",
    "keep-alive",
    "proxy-authenticate",
    "transfer-encoding",
    "upgrade",
    "alt-svc",
];

/// Where a connection leads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    /// The name that the connection was made for, lower-case, without a dot at the end.
    pub name: &'a str,
    /// The port.
    pub port: u16,
    /// Whether it is TLS.
    pub tls: bool,
}

/// The rule that a request passes by, and what its head says is for this connection alone.
/// # Errors
/// As [`check_framing`], [`check_names`] and [`permit`].
pub(super) fn admit<'r>(
    request: &Request<()>,
    target: Target<'_>,
    rules: &'r [Arc<Rule>],
) -> Result<&'r Arc<Rule>, Refusal> {
    let headers = request.headers();
    check_framing(request.version(), headers)?;
    if *request.method() != Method::CONNECT {
        check_names(request.version(), request.uri(), headers, target)?;
    }
    permit(rules, request.method(), request.uri().path(), headers)
}

/// Refuses what two servers could cut into requests at different places.
/// # Errors
/// 400 `framing`.
fn check_framing(version: Version, headers: &HeaderMap) -> Result<(), Refusal> {
    let odd = |why: &str| Err(Refusal::new(400, "framing", why));
    let count = |name: HeaderName| headers.get_all(name).iter().count();
    let lengths = count(header::CONTENT_LENGTH);
    let codings = count(header::TRANSFER_ENCODING);
    if count(header::HOST) > 1 {
        return odd("more than one Host");
    }
    if lengths > 1 || lengths == 1 && codings > 0 {
        return odd("more than one statement of the body's length");
    }
    let digits = |value: &HeaderValue| !value.is_empty() && value.as_bytes().iter().all(u8::is_ascii_digit);
    if headers.get(header::CONTENT_LENGTH).is_some_and(|value| !digits(value)) {
        return odd("a Content-Length that is no plain number");
    }
    let chunked = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"chunked");
    if codings > 1 || headers.get(header::TRANSFER_ENCODING).is_some_and(|value| !chunked(value)) {
        return odd("a Transfer-Encoding other than chunked");
    }
    if codings > 0 && version != Version::HTTP_11 {
        return odd("Transfer-Encoding outside HTTP/1.1");
    }
    Ok(())
}

/// Refuses a request that is for another name than its connection.
/// # Errors
/// 421 `name-mismatch`; 400 `no-host` or `scheme`.
fn check_names(version: Version, uri: &Uri, headers: &HeaderMap, target: Target<'_>) -> Result<(), Refusal> {
    let host = headers.get(header::HOST);
    if host.is_none() && uri.authority().is_none() {
        return Err(Refusal::new(400, "no-host", "the request does not name its host"));
    }
    let scheme = if target.tls { "https" } else { "http" };
    if uri.scheme_str().is_some_and(|given| given != scheme) && version >= Version::HTTP_2
        || is_other_scheme(uri)
    {
        return Err(Refusal::new(400, "scheme", "the request's scheme is not that of its connection"));
    }
    let named = host.map(HeaderValue::as_bytes).into_iter();
    let names = named.chain(uri.authority().map(|authority| authority.as_str().as_bytes()));
    for name in names {
        if !is_target(name, target) {
            let why =
                format!("this connection was made for {}, and the request is for another host", target.name);
            return Err(Refusal::new(421, "name-mismatch", why));
        }
    }
    Ok(())
}

/// An absolute target of an ordinary proxy request is `http`; `https` has a CONNECT before it.
fn is_other_scheme(uri: &Uri) -> bool {
    uri.scheme_str().is_some_and(|scheme| scheme != "http" && scheme != "https")
}

/// Whether an authority is this name, with this port or none. User information is no part of a name.
fn is_target(authority: &[u8], target: Target<'_>) -> bool {
    let Ok(text) = std::str::from_utf8(authority) else { return false };
    let (name, port) = match (text.rsplit_once(':'), text.ends_with(']')) {
        (Some((name, port)), false) => (name, Some(port)),
        _ => (text, None),
    };
    let plain_port =
        |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse() == Ok(target.port);
    port.is_none_or(plain_port) && is_name(name, target.name)
}

fn is_name(given: &str, wanted: &str) -> bool {
    let bare = given.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(given);
    if let (Ok(given), Ok(wanted)) = (bare.parse::<IpAddr>(), wanted.parse::<IpAddr>()) {
        return given == wanted;
    }
    given.strip_suffix('.').unwrap_or(given).eq_ignore_ascii_case(wanted)
}

/// The rule that allows this method and path; each method that an override header names must be allowed too.
/// # Errors
/// 405 `connect` for CONNECT; 403 `method`, `path`, `odd-path`, `method-override` or `path-override`.
fn permit<'r>(
    rules: &'r [Arc<Rule>],
    method: &Method,
    path: &str,
    headers: &HeaderMap,
) -> Result<&'r Arc<Rule>, Refusal> {
    if *method == Method::CONNECT {
        return Err(Refusal::new(405, "connect", "no tunnels inside a connection that is read"));
    }
    let mut last = Refusal::new(403, "rule", "no rule allows this host");
    for rule in rules {
        match judge(rule, method, path, headers) {
            Ok(()) => return Ok(rule),
            Err(refusal) => last = refusal.by(rule),
        }
    }
    Err(last)
}

fn judge(rule: &Rule, method: &Method, path: &str, headers: &HeaderMap) -> Result<(), Refusal> {
    let no = |reason: &'static str, why: String| Err(Refusal::new(403, reason, why));
    let is_allowed = |word: &str| rule.methods.iter().any(|allowed| allowed == word);
    if !rule.methods.is_empty() {
        if !is_allowed(method.as_str()) {
            return no("method", format!("the rule allows {}", rule.methods.join(", ")));
        }
        let overrides = METHOD_OVERRIDES.iter().flat_map(|name| headers.get_all(*name));
        for value in overrides {
            if !value.to_str().is_ok_and(|word| is_allowed(word.trim())) {
                return no(
                    "method-override",
                    "a header asks for a method that the rule does not allow".into(),
                );
            }
        }
    }
    if rule.paths.is_empty() {
        return Ok(());
    }
    if PATH_OVERRIDES.iter().any(|name| headers.contains_key(*name)) {
        return no("path-override", "a header asks for another path".into());
    }
    match Readings::of(path) {
        Err(odd) => no("odd-path", format!("the path cannot be judged: {odd}")),
        Ok(readings) if rule.paths.iter().any(|prefix| readings.begin_with(prefix)) => Ok(()),
        Ok(_) => no("path", format!("the rule allows paths below {}", rule.paths.join(", "))),
    }
}

/// Bytes of headers as HTTP/1 has them.
pub(super) fn size(headers: &HeaderMap) -> u64 {
    let one = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 4;
    headers.iter().map(one).sum::<usize>() as u64
}

/// Takes out of a request, or of its trailers, what is about this connection, could change whose request it is, or tells the
/// host of its rule which work inside it belongs to.
pub(super) fn strip_request(rule: &Rule, headers: &mut HeaderMap) {
    strip(headers, &DROPPED);
    if !rule.trace {
        TRACES.iter().for_each(|name| drop(headers.remove(*name)));
    }
    let trailers = headers.get(header::TE).is_some_and(|value| {
        value
            .to_str()
            .is_ok_and(|text| text.split(',').any(|word| word.trim().eq_ignore_ascii_case("trailers")))
    });
    headers.remove(header::TE);
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
}

/// Takes out of an answer what is about that connection, or leads past this one.
pub(super) fn strip_response(headers: &mut HeaderMap) {
    strip(headers, &DROPPED_BACK);
}

fn strip(headers: &mut HeaderMap, fixed: &[&str]) {
    let listed = headers.get_all(header::CONNECTION);
    let listed: Vec<HeaderName> = listed
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .filter_map(|word| HeaderName::from_bytes(word.trim().as_bytes()).ok())
        .filter(|name| !KEPT.contains(&name.as_str()))
        .collect();
    for name in listed {
        headers.remove(name);
    }
    for name in fixed {
        headers.remove(*name);
    }
}

/// What `Connection` cannot take out: the request would be another one without it.
const KEPT: [&str; 9] = [
    "host",
    "content-length",
    "content-type",
    "content-encoding",
    "authorization",
    "cookie",
    "te",
    "set-cookie",
    "date",
];

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
