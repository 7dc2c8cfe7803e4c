//! Raw bytes of an agent that wants more than its rule gives, and hosts that are not who they say.

use super::super::body::Body;
use super::super::tls::Tls;
use super::rig::{NAME, Rig, Setup, rule};
use http::Response;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends bytes over TLS, and reads until the end or until `enough` is in the answer.
pub(super) fn raw(rig: &Rig, bytes: &[u8], enough: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let tls = Tls::new(rig.pem.as_bytes());
        let stream = TcpStream::connect(rig.address).await.unwrap();
        let (mut stream, _) = tls.connect(NAME, &[b"http/1.1".to_vec()], stream).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(count) = stream.read(&mut buffer).await {
            answer.extend_from_slice(&buffer[..count]);
            if count == 0 || !enough.is_empty() && String::from_utf8_lossy(&answer).contains(enough) {
                break;
            }
        }
        String::from_utf8_lossy(&answer).into_owned()
    })
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or(answer)
}

#[test]
fn framing_that_could_be_cut_elsewhere_never_reaches_the_host() {
    let rig = Rig::new(Setup::default());
    let head = "POST /first HTTP/1.1\r\nHost: a.example\r\n";
    for lines in [
        "Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
        "Content-Length: +3\r\n\r\nabc",
        "Content-Length: 3, 3\r\n\r\nabc",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
        " Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "X: y\r\n continued\r\n\r\n",
        "Host: b.example\r\n\r\n",
        "Content-Length: 99999999999999999999999\r\n\r\n",
    ] {
        let answer = raw(&rig, format!("{head}{lines}").as_bytes(), "\r\n\r\n");
        assert!(status(&answer) == "400", "{lines:?}: {answer}");
    }
    let answer =
        raw(&rig, b"POST / HTTP/1.0\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "");
    assert_eq!(status(&answer), "400");
    let chunk = format!("{head}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx");
    raw(&rig, chunk.as_bytes(), "\r\n\r\n");
    rig.wait("a broken chunk is no whole body", |rig| rig.requests().iter().all(|seen| !seen.whole));
    // hyper takes the length away where chunks are said; what goes out says chunks alone, and nothing is reused.
    let both = format!(
        "{head}Content-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /second HTTP/1.1\r\nX: y\r\n\r\n"
    );
    raw(&rig, both.as_bytes(), "");
    let seen = rig.requests();
    assert!(seen.iter().all(|seen| seen.line == "POST /first"), "{seen:?}");
    assert!(
        seen.iter().all(|seen| seen.body.is_empty() && !seen.headers.contains_key("content-length")),
        "{seen:?}"
    );
    // The control: the same head, well framed.
    let answer = raw(&rig, format!("{head}Content-Length: 3\r\n\r\nabc").as_bytes(), "got 3");
    assert_eq!(status(&answer), "200");
    assert_eq!(rig.requests().last().unwrap().line, "POST /first");
}

#[test]
fn every_request_on_a_connection_is_for_its_name() {
    let rig = Rig::new(Setup::default());
    let good = "GET /1 HTTP/1.1\r\nHost: a.example\r\n\r\n";
    for (bad, code) in [
        ("GET /2 HTTP/1.1\r\nHost: b.example\r\n\r\n", "421"),
        ("GET http://b.example/2 HTTP/1.1\r\nHost: a.example\r\n\r\n", "421"),
        ("GET /2 HTTP/1.1\r\nHost: a.example:444\r\n\r\n", "421"),
        ("GET /2 HTTP/1.1\r\n\r\n", "400"),
        ("CONNECT b.example:443 HTTP/1.1\r\nHost: b.example:443\r\n\r\n", "405"),
    ] {
        let answer = raw(&rig, format!("{good}{bad}").as_bytes(), "\"error\"");
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.contains(&format!("HTTP/1.1 {code}")),
            "{bad}: {answer}"
        );
    }
    assert!(rig.requests().iter().all(|seen| seen.line == "GET /1"));
    assert!(rig.reasons().contains(&"name-mismatch") && rig.reasons().contains(&"connect"));
}

#[test]
fn a_rule_of_methods_and_paths_says_which_rule_and_why() {
    let rule =
        crate::wire::egress::Rule { methods: vec!["GET".into()], paths: vec!["/api".into()], ..rule() };
    let rig = Rig::new(Setup { rule, ..Setup::default() });
    let ask = |line: &str| raw(&rig, format!("{line} HTTP/1.1\r\nHost: a.example\r\n\r\n").as_bytes(), "}");
    for (line, reason) in [
        ("POST /api", "method"),
        ("GET /", "path"),
        ("GET /apix", "path"),
        ("GET /api/../x", "odd-path"),
        ("GET /api/%2e%2e/x", "odd-path"),
        ("GET /api//x", "odd-path"),
        ("GET /api/..%2fx", "odd-path"),
    ] {
        let answer = ask(line);
        assert!(
            answer.starts_with("HTTP/1.1 403") && answer.contains("application/json"),
            "{line}: {answer}"
        );
        assert!(
            answer.contains(&format!("\"reason\":\"{reason}\",\"rule\":\"p.yaml:7\"")),
            "{line}: {answer}"
        );
    }
    assert!(rig.requests().is_empty());
    let answer = raw(&rig, b"GET /api/x?q=1 HTTP/1.1\r\nHost: a.example\r\n\r\n", "got 0");
    assert_eq!(status(&answer), "200");
    assert_eq!(rig.requests()[0].line, "GET /api/x?q=1");
}

#[test]
fn heads_that_are_large_or_slow_end_the_connection() {
    let rig = Rig::new(Setup::default());
    let many: String = (0..200).map(|number| format!("x-{number}: 1\r\n")).collect();
    for extra in [format!("x: {}\r\n", "y".repeat(100_000)), many] {
        let answer =
            raw(&rig, format!("GET / HTTP/1.1\r\nHost: a.example\r\n{extra}\r\n").as_bytes(), "\r\n\r\n");
        assert!(answer.is_empty() || status(&answer) == "431", "{answer}");
    }
    let start = std::time::Instant::now();
    let answer = raw(&rig, b"GET / HTTP/1.1\r\nHost: a.exa", "");
    assert!(!answer.contains("200") && start.elapsed().as_secs() < 30, "{answer}");
    assert!(rig.requests().is_empty());
}

#[test]
fn a_host_that_cannot_be_verified_hears_nothing() {
    let rig = Rig::new(Setup { certificate: "b.example", ..Setup::default() });
    let answer = raw(&rig, b"GET / HTTP/1.1\r\nHost: a.example\r\nAuthorization: x\r\n\r\n", "}");
    assert!(answer.starts_with("HTTP/1.1 502") && answer.contains("\"reason\":\"certificate\""), "{answer}");
    assert!(rig.requests().is_empty());
    assert_eq!(rig.reasons(), ["certificate"]);
}

#[test]
fn a_hello_without_the_name_gets_an_alert() {
    let rig = Rig::new(Setup::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for name in ["b.example", "127.0.0.1"] {
        let error = runtime.block_on(async {
            let stream = TcpStream::connect(rig.address).await.unwrap();
            Tls::new(rig.pem.as_bytes()).connect(name, &[], stream).await.unwrap_err()
        });
        assert!(error.contains("AccessDenied"), "{error}");
    }
    rig.wait("both are told", |rig| rig.reasons().len() == 2);
    assert_eq!(rig.reasons(), ["name-mismatch", "no-sni"]);
}

#[test]
fn what_is_about_one_hop_or_leads_past_us_does_not_come_back() {
    let answer = |_: &super::rig::Seen| {
        let mut response = Response::new(Body::whole("x"));
        for (name, value) in [("alt-svc", "h3=\":443\""), ("keep-alive", "timeout=5"), ("x-kept", "1")] {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        response
    };
    let rig = Rig::new(Setup { answer: Arc::new(answer), ..Setup::default() });
    let request = b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: x-own\r\nX-Own: 1\r\nProxy-Authorization: y\r\n\r\n";
    let answer = raw(&rig, request, "\r\n\r\nx").to_lowercase();
    assert!(
        answer.contains("x-kept: 1") && !answer.contains("alt-svc") && !answer.contains("keep-alive"),
        "{answer}"
    );
    let seen = &rig.requests()[0].headers;
    assert!(!seen.contains_key("x-own") && !seen.contains_key("proxy-authorization"), "{seen:?}");
}
