//! Placeholders in requests, secrets at the host, placeholders in answers.

use super::super::body::Body;
use super::super::coding::{Coding, Deflate, Inflate};
use super::hostile::raw;
use super::rig::{FAKE, NAME, REAL, Rig, Setup, credential, rule};
use crate::wire::egress::{Kind, Place, Rule};
use http::Response;
use std::sync::Arc;

const ALL: [Place; 3] = [Place::Header, Place::Query, Place::Body];

fn post(rig: &Rig, target: &str, headers: &str, body: &[u8], enough: &str) -> String {
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: a.example\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    raw(rig, &[head.as_bytes(), body].concat(), enough)
}

fn echo() -> super::rig::Answer {
    Arc::new(|seen| {
        let mut response = Response::new(Body::whole(seen.body.clone()));
        if let Some(value) = seen.headers.get("authorization") {
            response.headers_mut().insert("x-echo", value.clone());
        }
        for name in ["content-encoding", "x-coding"] {
            if let Some(value) = seen.headers.get(name) {
                response.headers_mut().insert("content-encoding", value.clone());
            }
        }
        response
    })
}

#[test]
fn the_host_sees_the_secret_and_the_agent_never_does() {
    let rig =
        Rig::new(Setup { credentials: vec![credential(NAME, &ALL)], answer: echo(), ..Setup::default() });
    let body = format!("{{\"token\":\"{FAKE}\"}}");
    let headers = format!("Authorization: Bearer {FAKE}\r\nAccept-Encoding: gzip\r\n");
    let told = post(&rig, &format!("/x?k={FAKE}"), &headers, body.as_bytes(), "}");
    let seen = &rig.requests()[0];
    assert_eq!(seen.line, format!("POST /x?k={REAL}"));
    assert_eq!(seen.headers["authorization"], format!("Bearer {REAL}"));
    assert_eq!(seen.headers["accept-encoding"], "identity");
    assert_eq!(seen.body, format!("{{\"token\":\"{REAL}\"}}").as_bytes());
    assert!(told.contains(&format!("x-echo: Bearer {FAKE}")) && told.ends_with(&body), "{told}");
    assert!(!told.contains(REAL));
}

#[test]
fn compressed_bodies_are_opened_swapped_and_closed_again() {
    let rig =
        Rig::new(Setup { credentials: vec![credential(NAME, &ALL)], answer: echo(), ..Setup::default() });
    let text = format!("{} {FAKE} {FAKE}", "filler ".repeat(1000));
    for (coding, name) in [(Coding::Gzip, "gzip"), (Coding::Deflate, "deflate")] {
        let closed = Deflate::new(coding).unwrap().feed(text.as_bytes(), true).unwrap();
        let told = post(&rig, "/", &format!("Content-Encoding: {name}\r\n"), &closed, "0\r\n\r\n");
        let seen = rig.requests().pop().unwrap();
        let mut inflate = Inflate::new(coding).unwrap();
        let (mut input, mut opened) = (seen.body.as_slice(), Vec::new());
        while !input.is_empty() {
            opened.extend(inflate.block(&mut input).unwrap());
        }
        opened.extend(inflate.finish().unwrap());
        assert!(opened == text.replace(FAKE, REAL).as_bytes(), "{name}");
        // The echo was compressed by the host; the agent gets it open, and without the secret.
        assert!(!told.to_lowercase().contains("content-encoding") && told.contains(FAKE), "{name}");
        assert!(!told.contains(REAL));
    }
    let told = post(&rig, "/", "X-Coding: br\r\n", b"x", "}");
    assert!(told.starts_with("HTTP/1.1 502") && told.contains("undecodable"), "{told}");
    let told = post(&rig, "/", "Content-Encoding: gzip\r\n", b"no gzip", "}");
    assert!(told.starts_with("HTTP/1.1 403"), "{told}");
}

#[test]
fn a_large_body_is_swapped_across_its_parts() {
    let rig = Rig::new(Setup { credentials: vec![credential(NAME, &ALL)], ..Setup::default() });
    let text = format!("{FAKE}{}", "z".repeat(1237)).repeat(1500);
    let told = post(&rig, "/", "", text.as_bytes(), "got");
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    let seen = rig.requests().pop().unwrap();
    assert!(seen.whole && seen.body == text.replace(FAKE, REAL).as_bytes());
    assert!(!seen.headers.contains_key("content-length"), "its length was not known before");
}

#[test]
fn a_placeholder_of_another_host_is_refused_and_an_alert() {
    let rig = Rig::new(Setup { credentials: vec![credential("other.example", &ALL)], ..Setup::default() });
    let bearer = format!("Authorization: Bearer {FAKE}\r\n");
    let long = [&vec![b'x'; 2 << 20][..], FAKE.as_bytes(), &vec![b'y'; 1 << 20]].concat();
    let closed = Deflate::new(Coding::Gzip).unwrap().feed(FAKE.as_bytes(), true).unwrap();
    let cases: [(&str, &str, &[u8]); 5] = [
        ("/", &bearer, b""),
        (&format!("/{FAKE}"), "", b""),
        ("/", "", FAKE.as_bytes()),
        ("/", "Content-Encoding: gzip\r\n", &closed),
        ("/", "", &long),
    ];
    for (target, headers, body) in cases {
        let told = post(&rig, target, headers, body, "}");
        assert!(told.starts_with("HTTP/1.1 403") && told.contains("\"reason\":\"placeholder\""), "{told}");
    }
    let requests = rig.requests();
    assert!(requests.iter().all(|seen| !seen.whole), "{}", requests.len());
    assert!(requests.iter().all(|seen| !String::from_utf8_lossy(&seen.body).contains("ghp_")));
    rig.wait("each is told", |rig| rig.reasons().len() == 5);
    assert!(rig.way.events.lock().unwrap().iter().all(|told| told.kind == Kind::Alert));
    assert!(!format!("{:?}", rig.way).contains("ghp_"), "no event holds a placeholder");
}

#[test]
fn without_tls_no_host_gets_a_secret() {
    let rig = Rig::new(Setup { credentials: vec![credential(NAME, &ALL)], tls: false, ..Setup::default() });
    let ask = |headers: &str| {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(rig.address).unwrap();
        write!(stream, "GET / HTTP/1.1\r\nHost: a.example:443\r\nConnection: close\r\n{headers}\r\n")
            .unwrap();
        let mut told = String::new();
        stream.read_to_string(&mut told).unwrap();
        told
    };
    assert!(ask("").starts_with("HTTP/1.1 200"));
    let told = ask(&format!("Authorization: {FAKE}\r\n"));
    assert!(told.starts_with("HTTP/1.1 403") && told.contains("placeholder"), "{told}");
    assert_eq!(rig.requests().len(), 1);
}

#[test]
fn where_the_login_is_to_be_ones_own_another_never_reaches_the_host() {
    let own = Rule { login: Some(vec!["github".to_owned()]), ..rule() };
    let rig = Rig::new(Setup {
        rule: own.clone(),
        credentials: vec![credential(NAME, &[Place::Header, Place::Query])],
        answer: echo(),
        ..Setup::default()
    });
    let post = |target: &str, headers: &str, enough: &str| post(&rig, target, headers, b"x", enough);
    for (target, headers) in [
        ("/", String::new()),
        ("/", "Authorization: Bearer sk-of-somebody-else\r\n".to_owned()),
        ("/", format!("Authorization: Bearer {FAKE}\r\nX-Api-Key: sk-of-somebody-else\r\n")),
        ("/", format!("Authorization: Bearer {FAKE}\r\nAuthorization: Bearer sk-of-somebody-else\r\n")),
        ("/", format!("Authorization: Bearer {FAKE}x\r\n")),
        ("/", format!("Authorization: Bearer sk-of-somebody-else {FAKE}\r\n")),
        ("/", format!("X-Note: {FAKE}\r\n")),
        ("/?key=sk-of-somebody-else", format!("Authorization: Bearer {FAKE}\r\n")),
        ("/?%6bey=sk-of-somebody-else", format!("Authorization: Bearer {FAKE}\r\n")),
        ("/?a=1;api_key=sk-of-somebody-else", format!("Authorization: Bearer {FAKE}\r\n")),
        ("/?ACCESS-TOKEN=sk-of-somebody-else", format!("Authorization: Bearer {FAKE}\r\n")),
    ] {
        let told = post(target, &headers, "}");
        assert!(
            told.starts_with("HTTP/1.1 403") && told.contains("\"reason\":\"login\""),
            "{target} {headers}: {told}"
        );
    }
    assert!(rig.requests().is_empty(), "{:?}", rig.requests().len());
    for (target, headers) in [
        ("/", format!("Authorization: Bearer {FAKE}\r\nCookie: theirs=sk-of-somebody-else\r\n")),
        ("/", format!("X-Api-Key: {FAKE}\r\nSec-WebSocket-Protocol: key.sk-of-somebody-else\r\n")),
        (&*format!("/?key={FAKE}&alt=sse"), String::new()),
    ] {
        assert!(post(target, &headers, "\r\n\r\n").starts_with("HTTP/1.1 200"), "{target} {headers}");
        let seen = rig.requests().pop().unwrap();
        let all = format!("{} {:?}", seen.line, seen.headers);
        assert!(all.contains(REAL) && !all.contains("somebody-else"), "{all}");
    }
    let looked = raw(&rig, b"GET /health HTTP/1.1\r\nHost: a.example\r\n\r\n", "\r\n\r\n");
    assert!(looked.starts_with("HTTP/1.1 200"), "to look without a login tells nobody anything: {looked}");
    let nobody = Rig::new(Setup { rule: own, ..Setup::default() });
    let told = raw(&nobody, b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\n\r\nx", "}");
    assert!(told.contains("here the credential is github, and none was found outside"), "{told}");
}
