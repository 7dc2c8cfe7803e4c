//! Floods, slow clients and long requests have an end, and another client is served meanwhile.

use super::{Server, readings, story, with_runs};
use crate::support::for_each_user;
use crate::support::run::{PATIENCE, comes_true};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

#[test]
fn a_flood_of_questions_ends_in_refusals_and_records_no_more_than_it_answers() {
    for_each_user(|home| {
        with_runs(&home, &[(&[story::start(&["x"])], true)]);
        let server = Server::start(&home, &[]);
        let mut stream = UnixStream::connect(&server.socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (mut answered, mut refused) = (0, 0);
        while refused < 20 && answered < 2000 {
            stream.write_all(b"GET /v1/sessions HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
            match answer(&mut stream) {
                200 => answered += 1,
                429 => refused += 1,
                other => panic!("{other}"),
            }
        }
        assert!(refused >= 1 || answered == 2000, "{answered} {refused}");
        assert!(answered >= 100);
        // The log tells the last thousand.
        assert_eq!(readings(&home).len(), answered.min(1000));
    });
}

/// Reads one answer; gives its status.
fn answer(stream: &mut UnixStream) -> u16 {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&head));
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length: usize = super::header(&head, "content-length").unwrap().parse().unwrap();
    stream.read_exact(&mut vec![0; length]).unwrap();
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn clients_that_say_nothing_or_half_of_it_are_given_up_and_others_are_served() {
    for_each_user(|home| {
        with_runs(&home, &[(&[story::start(&["x"])], true)]);
        let server = Server::start(&home, &[]);
        let connect = || UnixStream::connect(&server.socket).unwrap();
        let mut slow: Vec<UnixStream> = (0..80).map(|_| connect()).collect();
        for (place, stream) in slow.iter_mut().enumerate() {
            let part: &[u8] = if place % 2 == 0 { b"" } else { b"GET /v1/sess" };
            stream.write_all(part).unwrap();
        }
        // More of them than there are seats: they are given up, one after the other, and then this one is heard.
        assert!(comes_true(PATIENCE, || server.get(&home, "/v1/health", &["--max-time", "60"]).0 == 200));
        for stream in &mut slow {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut rest = Vec::new();
            // The end, or a reset: it was given up either way.
            drop(stream.read_to_end(&mut rest));
            assert!(!String::from_utf8_lossy(&rest).contains(" 200 "));
        }
    });
}

#[test]
fn a_client_that_does_not_read_is_given_up() {
    for_each_user(|home| {
        let many: Vec<_> =
            (0..1500).map(|number| story::denial("d", &format!("/{}{number}", "x".repeat(200)), 1)).collect();
        with_runs(&home, &[(&many, true)]);
        let server = Server::start(&home, &[]);
        let mut stream = UnixStream::connect(&server.socket).unwrap();
        for _ in 0..40 {
            stream.write_all(b"GET /v1/export?limit=1500 HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        }
        stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        // It sends until its patience ends; a server that waits for ever would never close.
        let closed = comes_true(PATIENCE, || {
            use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
            matches!(stream.write(b"GET"), Err(error) if [BrokenPipe, ConnectionReset].contains(&error.kind()))
        });
        assert!(closed);
        assert_eq!(server.get(&home, "/v1/health", &[]).0, 200);
    });
}

#[test]
fn heads_and_targets_that_are_too_long_are_refused() {
    for_each_user(|home| {
        with_runs(&home, &[(&[story::start(&["x"])], true)]);
        let server = Server::start(&home, &[]);
        let long = format!("/v1/sessions/{}", "a".repeat(9_000));
        assert_eq!(server.get(&home, &long, &[]).0, 400);
        let header = format!("x: {}", "y".repeat(20_000));
        assert_eq!(server.get(&home, "/v1/health", &["-H", &header]).0, 431);
        let many: Vec<String> =
            (0..100).flat_map(|number| ["-H".to_owned(), format!("x-{number}: y")]).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(server.get(&home, "/v1/health", &many).0, 431);
        assert_eq!(server.get(&home, "/v1/health", &[]).0, 200);
    });
}
