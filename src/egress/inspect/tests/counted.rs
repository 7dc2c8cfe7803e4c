//! What counts as sent and received: heads, trailers and bodies, each way.

use super::super::body::Body;
use super::hostile::raw;
use super::rig::{Rig, Seen, Setup};
use http::Response;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const LONG: usize = 5000;

#[test]
fn nothing_goes_either_way_without_a_count() {
    let answer = |_: &Seen| {
        let mut response = Response::new(Body::whole("z".repeat(LONG)));
        response.headers_mut().insert("x-long", "y".repeat(LONG).parse().unwrap());
        response
    };
    let text = "x".repeat(LONG);
    let chunk = format!("{LONG:x}\r\n{text}\r\n");
    let post = "POST / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n";
    for (what, request) in [
        ("a query", format!("GET /?{text} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")),
        ("a header", format!("GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\nX: {text}\r\n\r\n")),
        ("a body", format!("{post}\r\n{chunk}0\r\n\r\n")),
        ("trailers", format!("{post}Trailer: x-t\r\n\r\n0\r\nX-T: {text}\r\n\r\n")),
    ] {
        let rig = Rig::new(Setup { answer: Arc::new(answer), ..Setup::default() });
        raw(&rig, request.as_bytes(), "");
        let sent = rig.way.sent.load(Ordering::Relaxed);
        let most = LONG as u64 + 500;
        assert!((LONG as u64..most).contains(&sent), "{what}: {sent}");
        let received = rig.way.received.load(Ordering::Relaxed);
        assert!((2 * LONG as u64..LONG as u64 + most).contains(&received), "{what}: {received}");
        assert_eq!(rig.requests().len(), 1);
    }
}
