//! What comes and goes piece by piece: events, trailers, both ways at once, WebSocket, and what is cut off.

use super::super::body::{Aborted, Body, Parts};
use super::super::frames::{Head, Opcode, read_head, write_frame};
use super::super::tls::Tls;
use super::hostile::raw;
use super::rig::{FAKE, NAME, REAL, Rig, Setup, credential, rule};
use crate::wire::egress::{Limits, Place, Rule};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// Parts that a test gives.
pub(super) struct Given(pub mpsc::UnboundedReceiver<Frame<Bytes>>);

impl Parts for Given {
    async fn next(&mut self) -> Result<Option<Frame<Bytes>>, Aborted> {
        match self.0.recv().await {
            None => Ok(None),
            Some(frame) if frame.data_ref().is_some_and(|data| data == "abort") => Err(Aborted),
            Some(frame) => Ok(Some(frame)),
        }
    }
}

type Feed = Arc<Mutex<Option<mpsc::UnboundedSender<Frame<Bytes>>>>>;

/// A host that answers with what the test feeds.
fn fed(setup: Setup) -> (Rig, Feed) {
    let feed = Feed::default();
    let given = feed.clone();
    let answer = Arc::new(move |_: &super::rig::Seen| {
        let (tell, told) = mpsc::unbounded_channel();
        *given.lock().unwrap() = Some(tell);
        Response::new(Body::parts(Given(told)))
    });
    (Rig::new(Setup { answer, ..setup }), feed)
}

fn send(feed: &Feed, text: &'static str) {
    feed.lock().unwrap().as_ref().unwrap().send(Frame::data(Bytes::from_static(text.as_bytes()))).unwrap();
}

/// A client of HTTP/2.
async fn two(rig: &Rig) -> hyper::client::conn::http2::SendRequest<Body> {
    let tls = Tls::new(rig.pem.as_bytes());
    let stream = TcpStream::connect(rig.address).await.unwrap();
    let (stream, _) = tls.connect(NAME, &[b"h2".to_vec()], stream).await.unwrap();
    let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub(super) fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(std::time::Duration::from_secs(60), work).await.unwrap() })
}

#[test]
fn events_arrive_one_by_one_also_where_secrets_are_taken_out() {
    for credentials in [vec![], vec![credential(NAME, &[Place::Header])]] {
        for version in [false, true] {
            let (rig, feed) =
                fed(Setup { two: version, credentials: credentials.clone(), ..Setup::default() });
            run(async {
                let tls = Tls::new(rig.pem.as_bytes());
                let offer = if version { b"h2".to_vec() } else { b"http/1.1".to_vec() };
                let stream = TcpStream::connect(rig.address).await.unwrap();
                let (stream, _) = tls.connect(NAME, &[offer], stream).await.unwrap();
                let request =
                    Request::get("https://a.example/").header("host", NAME).body(Body::empty()).unwrap();
                let mut response = if version {
                    let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
                    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
                    tokio::spawn(connection);
                    sender.send_request(request).await.unwrap()
                } else {
                    let (mut sender, connection) =
                        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
                    tokio::spawn(connection);
                    sender.send_request(request).await.unwrap()
                };
                // The second is sent only once the first is here; it ends like the beginning of the secret.
                for text in ["data: 1\n\n", "data: gh", "data: 3\n\n"] {
                    send(&feed, text);
                    let mut got = Vec::new();
                    while got.len() < text.len() {
                        let came = super::super::body::read(response.body_mut()).await.unwrap();
                        if let super::super::body::Came::Data(data) = came {
                            got.extend_from_slice(&data);
                        }
                    }
                    assert_eq!(got, text.as_bytes());
                }
            });
        }
    }
}

#[test]
fn both_ways_at_once_with_trailers_as_grpc_has_it() {
    let (rig, feed) = fed(Setup { two: true, ..Setup::default() });
    run(async {
        let mut sender = two(&rig).await;
        let (up, given) = mpsc::unbounded_channel();
        let request = Request::post("https://a.example/s/M")
            .header("te", "trailers")
            .header("content-type", "application/grpc")
            .header("x-early", "1")
            .body(Body::parts(Given(given)))
            .unwrap();
        let mut response = sender.send_request(request).await.unwrap();
        for text in ["one", "two"] {
            up.send(Frame::data(Bytes::from_static(text.as_bytes()))).unwrap();
            let start = std::time::Instant::now();
            while !rig.requests().last().is_some_and(|seen| seen.body.ends_with(text.as_bytes())) {
                assert!(start.elapsed().as_secs() < 30);
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            send(&feed, text);
            let came = super::super::body::read(response.body_mut()).await.unwrap();
            assert!(matches!(came, super::super::body::Came::Data(data) if data == text));
        }
        drop(up);
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        feed.lock().unwrap().take().unwrap().send(Frame::trailers(trailers)).unwrap();
        let came = super::super::body::read(response.body_mut()).await.unwrap();
        assert!(matches!(came, super::super::body::Came::Trailers(map) if map["grpc-status"] == "0"));
    });
    rig.wait("the upload is whole", |rig| rig.requests()[0].whole);
    assert_eq!(rig.requests()[0].headers["te"], "trailers");
}

#[test]
fn a_request_for_another_authority_is_misdirected_on_http_2() {
    let rig = Rig::new(Setup { two: true, ..Setup::default() });
    run(async {
        let mut sender = two(&rig).await;
        for (uri, status) in
            [("https://a.example/", 200), ("https://b.example/", 421), ("https://a.example/", 200)]
        {
            let response = sender.send_request(Request::get(uri).body(Body::empty()).unwrap()).await.unwrap();
            assert_eq!(response.status(), status, "{uri}");
        }
        let request =
            Request::get("https://a.example/").header("host", "b.example").body(Body::empty()).unwrap();
        assert_eq!(sender.send_request(request).await.unwrap().status(), 421);
        let request = Request::connect("a.example:443").body(Body::empty()).unwrap();
        assert_eq!(sender.send_request(request).await.unwrap().status(), 405);
    });
    assert_eq!(rig.requests().len(), 2);
}

#[test]
fn a_cut_upload_is_never_whole() {
    for version in [false, true] {
        let rig = Rig::new(Setup { two: version, ..Setup::default() });
        if version {
            run(async {
                let mut sender = two(&rig).await;
                let (up, given) = mpsc::unbounded_channel();
                up.send(Frame::data(Bytes::from_static(b"half"))).unwrap();
                let request = Request::post("https://a.example/").body(Body::parts(Given(given))).unwrap();
                let sent = tokio::spawn(sender.send_request(request));
                while rig.requests().is_empty() {
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
                up.send(Frame::data(Bytes::from_static(b"abort"))).unwrap();
                assert!(sent.await.unwrap().is_err());
            });
        } else {
            let head = "POST / HTTP/1.1\r\nHost: a.example\r\n";
            run(async {
                let tls = Tls::new(rig.pem.as_bytes());
                let stream = TcpStream::connect(rig.address).await.unwrap();
                let (mut stream, _) = tls.connect(NAME, &[b"http/1.1".to_vec()], stream).await.unwrap();
                let half = format!("{head}Content-Length: 10\r\n\r\nhalf");
                stream.write_all(half.as_bytes()).await.unwrap();
                while rig.requests().is_empty() {
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
            });
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
        assert!(!rig.requests()[0].whole, "{version}");
    }
}

#[test]
fn a_body_beyond_its_maximum_is_refused_or_cut() {
    let limits = Limits { request_body: Some(100), ..Limits::default() };
    let rig = Rig::new(Setup { rule: Rule { limits, ..rule() }, ..Setup::default() });
    let head = "POST / HTTP/1.1\r\nHost: a.example\r\n";
    let told =
        raw(&rig, format!("{head}Content-Length: 101\r\nExpect: 100-continue\r\n\r\n").as_bytes(), "}");
    assert!(told.starts_with("HTTP/1.1 413") && told.contains("limit-body"), "{told}");
    assert!(rig.requests().is_empty());
    let chunks = format!(
        "{head}Transfer-Encoding: chunked\r\n\r\n40\r\n{}\r\n40\r\n{}\r\n0\r\n\r\n",
        "x".repeat(64),
        "y".repeat(64)
    );
    let told = raw(&rig, chunks.as_bytes(), "}");
    assert!(told.starts_with("HTTP/1.1 413"), "{told}");
    assert!(rig.requests().iter().all(|seen| !seen.whole && seen.body.len() <= 100));
}

#[test]
fn a_large_upload_starts_only_once_a_person_agreed() {
    let limits = Limits { ask_above: Some(100), ..Limits::default() };
    for yes in [true, false] {
        let rig = Rig::new(Setup { rule: Rule { limits, ..rule() }, yes, ..Setup::default() });
        let body = "x".repeat(200);
        let request = format!("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 200\r\n\r\n{body}");
        let told = raw(&rig, request.as_bytes(), if yes { "got 200" } else { "}" });
        assert_eq!(told.starts_with("HTTP/1.1 200"), yes, "{told}");
        assert_eq!(rig.requests().len(), usize::from(yes));
    }
}

/// A host that speaks WebSocket: what comes, goes back; text with `leak` comes back with the secret.
pub(super) fn speak(upgrade: OnUpgrade) {
    tokio::spawn(async move {
        let mut stream = TokioIo::new(upgrade.await.unwrap());
        while let Ok(Some(head)) = read_head(&mut stream).await {
            let mut payload = vec![0; head.length as usize];
            stream.read_exact(&mut payload).await.unwrap();
            let mask = head.mask.unwrap();
            payload.iter_mut().enumerate().for_each(|(at, byte)| *byte ^= mask[at % 4]);
            if payload == b"leak" {
                payload = format!("it is {REAL}").into_bytes();
            }
            let back = Head { mask: None, length: payload.len() as u64, ..head };
            write_frame(&mut stream, &back, &payload).await.unwrap();
            if head.opcode == Opcode::CLOSE {
                stream.shutdown().await.unwrap();
                return;
            }
        }
    });
}

pub(super) fn upgrading(seen: &super::rig::Seen) -> Response<Body> {
    let mut response =
        Response::builder().status(101).header("connection", "upgrade").header("upgrade", "websocket");
    for name in ["sec-websocket-extensions"] {
        if let Some(value) = seen.headers.get(name) {
            response = response.header(name, value);
        }
    }
    response.body(Body::empty()).unwrap()
}

pub(super) async fn frame(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> (Head, Vec<u8>) {
    let head = read_head(stream).await.unwrap().unwrap();
    let mut payload = vec![0; head.length as usize];
    stream.read_exact(&mut payload).await.unwrap();
    (head, payload)
}

#[test]
fn websocket_messages_are_read_and_what_must_not_leave_ends_them() {
    let elsewhere = crate::wire::egress::Credential {
        placeholder: "npm_elsewhere000000000".into(),
        secret: "npm_hidden0000000000000".into(),
        ..credential("other.example", &[Place::Header])
    };
    let credentials = vec![credential(NAME, &[Place::Header]), elsewhere];
    let rig = Rig::new(Setup { credentials, answer: Arc::new(upgrading), ..Setup::default() });
    run(async {
        let tls = Tls::new(rig.pem.as_bytes());
        let stream = TcpStream::connect(rig.address).await.unwrap();
        let (mut stream, _) = tls.connect(NAME, &[b"http/1.1".to_vec()], stream).await.unwrap();
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nAuthorization: {FAKE}\r\n\
            Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        assert!(head.starts_with("http/1.1 101") && !head.contains("extensions"), "{head}");
        let mut say = async |fin, opcode, text: &str| {
            let head = Head { fin, opcode, mask: Some([0; 4]), length: text.len() as u64 };
            write_frame(&mut stream, &head, text.as_bytes()).await.unwrap();
            if fin { Some(frame(&mut stream).await) } else { None }
        };
        let (head, back) = say(true, Opcode::TEXT, "hello").await.unwrap();
        assert_eq!((head.fin, head.opcode, back), (true, Opcode::TEXT, b"hello".to_vec()));
        let (_, back) = say(true, Opcode::TEXT, "leak").await.unwrap();
        assert_eq!(back, format!("it is {FAKE}").into_bytes());
        // A placeholder of another host, in two frames.
        say(false, Opcode::TEXT, "npm_else").await;
        let (head, back) = say(true, Opcode::CONTINUATION, "where000000000").await.unwrap();
        let first = (head, back);
        let (head, back) = if first.0.opcode == Opcode::CLOSE { first } else { frame(&mut stream).await };
        assert_eq!(head.opcode, Opcode::CLOSE);
        assert!(String::from_utf8_lossy(&back[2..]).contains("placeholder"), "{back:?}");
    });
    let seen = &rig.requests()[0].headers;
    assert_eq!(seen["authorization"], REAL);
    assert!(!seen.contains_key("sec-websocket-extensions"));
    rig.wait("it is told", |rig| rig.reasons() == ["placeholder"]);
}
