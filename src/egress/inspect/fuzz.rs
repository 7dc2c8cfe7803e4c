//! What any bytes of an agent pass as, without a host: for the fuzz target `http_head`.
//!
//! Never does more than the way of a request up to its head: the same reader, the same checks.

use super::body::{Aborted, Body, Came, read};
use super::head::{Target, admit, strip_request};
use super::serve::{Busy, drive};
use super::tls::Spoken;
use crate::wire::egress::{Host, Rule, Tls};
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncWriteExt, duplex};

/// The host that the connection was made for.
pub const HOST: &str = "a.example";
/// What its rule allows.
pub const METHODS: [&str; 2] = ["GET", "POST"];
/// Where.
pub const PATH: &str = "/api";

/// A request whose head was let through.
#[derive(Debug)]
pub struct Passed {
    /// The method.
    pub method: String,
    /// The path without its query.
    pub path: String,
    /// The headers as they came.
    pub came: Vec<(String, Vec<u8>)>,
    /// The headers that would go on.
    pub goes: Vec<(String, Vec<u8>)>,
    /// Bytes of the body; `None` when it was cut off.
    pub body: Option<u64>,
}

/// The requests of these bytes that pass, as HTTP/1 or, with its preface, as HTTP/2.
pub fn requests(bytes: &[u8]) -> Vec<Passed> {
    let spoken = if bytes.starts_with(super::PREFACE) { Spoken::Two } else { Spoken::One };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() else {
        return Vec::new();
    };
    let passed = Arc::new(Mutex::new(Vec::new()));
    let (rule, seen) = (Arc::new(rule()), passed.clone());
    let service = service_fn(move |request| take(request, rule.clone(), seen.clone()));
    runtime.block_on(async {
        // Room for what is asked and for what is answered: neither waits for the other.
        let (mut agent, ours) = duplex(3 * bytes.len() + (1 << 20));
        if agent.write_all(bytes).await.and(agent.shutdown().await).is_ok() {
            drive(spoken, true, ours, service, &Busy::default()).await;
        }
    });
    std::mem::take(&mut *passed.lock().unwrap_or_else(PoisonError::into_inner))
}

fn rule() -> Rule {
    Rule {
        tls: Tls::Inspect,
        methods: METHODS.map(str::to_owned).to_vec(),
        paths: vec![PATH.to_owned()],
        ..Rule::plain("fuzz", Host::Name { name: HOST.to_owned() }, &[443])
    }
}

async fn take(
    request: Request<Incoming>,
    rule: Arc<Rule>,
    passed: Arc<Mutex<Vec<Passed>>>,
) -> Result<Response<Body>, Aborted> {
    let (parts, mut incoming) = request.into_parts();
    let head = Request::from_parts(parts.clone(), ());
    let target = Target { name: HOST, port: 443, tls: true };
    if admit(&head, target, std::slice::from_ref(&rule)).is_ok() {
        let mut goes = parts.headers.clone();
        strip_request(&rule, &mut goes);
        let one = Passed {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            came: lines(&parts.headers),
            goes: lines(&goes),
            body: length(&mut incoming).await,
        };
        passed.lock().unwrap_or_else(PoisonError::into_inner).push(one);
    }
    Ok(Response::new(Body::empty()))
}

fn lines(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect()
}

async fn length(incoming: &mut Incoming) -> Option<u64> {
    let mut length = 0;
    loop {
        match read(incoming).await {
            Ok(Came::Data(data)) => length += data.len() as u64,
            Ok(Came::Trailers(_) | Came::End) => return Some(length),
            Err(Aborted) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn holds(bytes: &[u8]) {
        for one in requests(bytes) {
            let all = |name: &str| -> Vec<&[u8]> {
                one.came
                    .iter()
                    .filter(|(named, _)| named == name)
                    .map(|(_, value)| value.as_slice())
                    .collect()
            };
            assert!(METHODS.contains(&&*one.method) && one.path.starts_with(PATH), "{one:?}");
            assert!(!one.path.contains(".."), "{one:?}");
            let (lengths, codings) = (all("content-length"), all("transfer-encoding"));
            assert!(lengths.len() + codings.len() <= 1 && all("host").len() <= 1, "{one:?}");
            if let (Some(length), Some(body)) = (lengths.first(), one.body) {
                assert_eq!(std::str::from_utf8(length).unwrap().parse(), Ok(body), "{one:?}");
            }
            for (name, value) in &one.goes {
                assert!(!value.iter().any(|byte| b"\r\n\0".contains(byte)), "{one:?}");
                assert!(!["connection", "transfer-encoding", "upgrade"].contains(&&**name), "{one:?}");
            }
        }
    }

    #[test]
    fn what_passes_was_said_plainly() {
        let passes = |text: &str| requests(text.as_bytes()).len();
        let good = "POST /api/x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi";
        assert_eq!(passes(good), 1);
        assert_eq!(passes(&good.repeat(3)), 3, "one behind the other");
        for bad in ["/api/../x", "/x", "/api//x"] {
            assert_eq!(passes(&good.replace("/api/x", bad)), 0, "{bad}");
        }
        assert_eq!(passes(&good.replace("a.example", "b.example")), 0);
        assert_eq!(passes(&good.replace("\r\n\r\n", "\r\nContent-Length: 1\r\n\r\n")), 0);
        assert_eq!(passes(&good.replace("\r\n\r\n", "\r\nHost: a.example\r\n\r\n")), 0);
        let body = |text: &str| requests(text.as_bytes()).first().map(|one| one.body);
        assert_eq!(body(&good.replace("2\r", "3\r")), Some(None), "it was cut off");
        let chunked = good.replace("Content-Length: 2", "Transfer-Encoding: chunked");
        assert_eq!(body(&chunked.replace("hi", "2\r\nhi\r\n0\r\n\r\n")), Some(Some(2)));
        assert_eq!(requests(&[super::super::PREFACE, b".0\r\n\r\nSM\r\n\r\n"].concat()).len(), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

        #[test]
        fn nothing_else_passes_however_heads_are_put_together(parts in proptest::collection::vec(0..PARTS.len(), 1..24)) {
            let text: String = parts.into_iter().filter_map(|part| PARTS.get(part)).copied().collect();
            holds(text.as_bytes());
        }
    }

    const PARTS: [&str; 30] = [
        "GET /api HTTP/1.1\r\n",
        "POST /api/x?y HTTP/1.1\r\n",
        "POST /api HTTP/1.0\r\n",
        "PUT /api HTTP/1.1\r\n",
        "GET /api/../x HTTP/1.1\r\n",
        "GET http://a.example/api HTTP/1.1\r\n",
        "GET //a.example/api HTTP/1.1\r\n",
        "Host: a.example\r\n",
        "Host: a.example\r\n",
        "host:a.example:443\r\n",
        "Host: b.example\r\n",
        "Content-Length: 2\r\n",
        "Content-Length: 02\r\n",
        "Content-Length: 2, 2\r\n",
        "content-length:\t2\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: Chunked\r\n",
        "Transfer-Encoding:\x0bchunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Connection: close, host\r\n",
        "Upgrade: h2c\r\n",
        "X: y\n",
        " folded\r\n",
        "\r\n",
        "\r\n",
        "hi",
        "2\r\nhi\r\n",
        "0\r\n\r\n",
        "\n",
    ];
}
