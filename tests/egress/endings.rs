//! How connections end: one way at a time, whole, or by a reset, and never one for the other.

use super::guardian::{Role, Setup, echo, name, rule, server};
use aisandbox::sys::stream::abort_on_close;
use aisandbox::wire::egress::Kind;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::sync::mpsc;

#[test]
fn an_upload_that_ends_still_gets_its_answer() {
    let port = server(|mut stream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        stream.write_all(format!("got {}", all.len()).as_bytes()).unwrap();
    });
    let role = Role::start(Setup::of([rule(name("a.test"), port)]));
    // Small, and large enough for the pipe.
    for size in [1, 100_000, 20_000_000] {
        let mut stream = role.open("a.test", port);
        stream.write_all(&vec![0; size]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, format!("got {size}"));
        let event = role.event(Kind::Close);
        assert_eq!((event.sent, event.received), (size as u64, answer.len() as u64));
        assert_eq!((event.reason, event.rule.as_deref()), (None, Some("test.yaml:1")));
    }
}

#[test]
fn a_large_answer_arrives_whole_byte_for_byte() {
    let bytes: Vec<u8> = (0..10_000_000_u32).flat_map(|n| n.to_le_bytes()).take(30_000_000).collect();
    let sent = bytes.clone();
    let port = server(move |mut stream| stream.write_all(&sent).unwrap());
    let role = Role::start(Setup::of([rule(name("a.test"), port)]));
    let mut got = Vec::new();
    role.open("a.test", port).read_to_end(&mut got).unwrap();
    assert!(got == bytes, "{} bytes of {}", got.len(), bytes.len());
}

#[test]
fn a_server_that_speaks_first_is_heard_and_one_byte_at_a_time_arrives() {
    let port = server(|mut stream| {
        stream.write_all(b"220 hello\r\n").unwrap();
        echo(stream);
    });
    let role = Role::start(Setup::of([rule(name("a.test"), port)]));
    let mut stream = role.open("a.test", port);
    let mut banner = [0; 11];
    stream.read_exact(&mut banner).unwrap();
    assert_eq!(&banner, b"220 hello\r\n");
    for byte in b"EHLO me\r\n" {
        stream.write_all(&[*byte]).unwrap();
    }
    let mut back = [0; 9];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"EHLO me\r\n");
}

#[test]
fn a_reset_of_the_host_is_a_reset_for_the_agent() {
    let port = server(|mut stream| {
        stream.read_exact(&mut [0; 2]).unwrap();
        stream.write_all(b"part").unwrap();
        stream.read_exact(&mut [0; 2]).unwrap();
        abort_on_close(stream.as_fd()).unwrap();
    });
    let role = Role::start(Setup::of([rule(name("a.test"), port)]));
    let mut stream = role.open("a.test", port);
    stream.write_all(b"\0a").unwrap();
    stream.read_exact(&mut [0; 4]).unwrap();
    stream.write_all(b"\0b").unwrap();
    assert_eq!(stream.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    role.event(Kind::Close);
}

#[test]
fn a_reset_of_the_agent_is_a_reset_for_the_host() {
    let (ended, end) = mpsc::channel();
    let port = server(move |mut stream| {
        stream.read_exact(&mut [0; 2]).unwrap();
        stream.write_all(b"on").unwrap();
        ended.send(stream.read(&mut [0; 8]).map_err(|error| error.kind())).unwrap();
    });
    let role = Role::start(Setup::of([rule(name("a.test"), port)]));
    let mut stream = role.open("a.test", port);
    stream.write_all(b"\0a").unwrap();
    stream.read_exact(&mut [0; 2]).unwrap();
    abort_on_close(stream.as_fd()).unwrap();
    drop(stream);
    assert_eq!(end.recv().unwrap(), Err(ErrorKind::ConnectionReset), "not an end that looks whole");
}

#[test]
fn the_end_of_the_guardian_is_the_end_of_every_connection() {
    let port = server(echo);
    let role = Role::start(Setup::of([rule(name("a.test"), port)]));
    let mut stream = role.open("a.test", port);
    stream.write_all(b"\0a").unwrap();
    stream.read_exact(&mut [0; 2]).unwrap();
    assert_eq!(role.end(), Some(0));
    assert!(!matches!(stream.read(&mut [0; 8]), Ok(1..)));
}
