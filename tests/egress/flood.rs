//! Floods of HTTP/2: each ends its connection or makes its sender wait, takes little memory, and holds up nobody else.

use super::guardian::{LONG, Role, Setup, name, patient, rule, server};
use super::http;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// More memory than this is too much for one connection.
const MOST_KIB: u64 = 32 << 10;
/// More than all buffers of the kernel on the way take.
const MOST_BYTES: usize = 256 << 20;

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The head of a request for this host, in HPACK without its tables.
pub(crate) fn head(method: u8, host: &str) -> Vec<u8> {
    [&[method, 0x86, 0x84, 0x01, u8::try_from(host.len()).unwrap()][..], host.as_bytes()].concat()
}

/// A host that takes everything and says nothing but that it speaks HTTP/2.
fn host(mut stream: TcpStream) {
    stream.write_all(&[frame(4, 0, 0, &[]), frame(4, 1, 0, &[])].concat()).unwrap();
    while matches!(stream.read(&mut [0; 65_536]), Ok(1..)) {}
}

/// How a flood came to its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The connection was ended.
    Ended,
    /// The sender has to wait.
    Waits,
    /// Everything was taken.
    Taken,
}

/// Sends `next` over and over, and reads nothing.
fn flood(role: &Role, port: u16, most: usize, mut next: impl FnMut(usize) -> Vec<u8>) -> End {
    let mut stream = role.open("a.test", port);
    stream.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
    stream.write_all(&[PREFACE, &frame(4, 0, 0, &[])].concat()).unwrap();
    let mut sent = 0;
    for number in 0.. {
        let mut part = Vec::new();
        for inner in 0..256 {
            part.extend(next(number * 256 + inner));
        }
        match stream.write_all(&part) {
            Ok(()) => sent += part.len(),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return End::Waits,
            Err(_) => return End::Ended,
        }
        if sent > most {
            return End::Taken;
        }
    }
    unreachable!()
}

fn setup() -> (Role, u16, u16) {
    let (two, one) = (server(host), server(http::answer));
    let role = Role::start(Setup::of([rule(name("a.test"), two), rule(name("b.test"), one)]));
    (role, two, one)
}

/// Another connection is served, and the role did not grow.
pub(crate) fn is_well(role: &Role, one: u16, before: u64, what: &str) {
    let began = Instant::now();
    let mut other = patient(role.open("b.test", one));
    assert_eq!(http::get(&mut other, &format!("b.test:{one}")), 200, "{what}");
    assert!(began.elapsed() < LONG / 4, "{what}: {:?}", began.elapsed());
    let more = role.memory().saturating_sub(before);
    assert!(more < MOST_KIB, "{what}: {more} KiB more");
}

#[test]
fn a_head_without_an_end_ends_the_connection() {
    let (role, two, one) = setup();
    let before = role.memory();
    let (open, more) = (head(0x82, &format!("a.test:{two}")), vec![0x40; 16_000]);
    let end = flood(&role, two, MOST_BYTES, |number| {
        if number == 0 { frame(1, 1, 1, &open) } else { frame(9, 0, 1, &more) }
    });
    assert_eq!(end, End::Ended);
    is_well(&role, one, before, "CONTINUATION");
    let end =
        flood(
            &role,
            two,
            MOST_BYTES,
            |number| {
                if number == 0 { frame(1, 1, 1, &open) } else { frame(9, 0, 1, &[]) }
            },
        );
    assert_eq!(end, End::Ended);
    is_well(&role, one, before, "empty CONTINUATION");
}

#[test]
fn one_that_asks_for_answers_and_reads_none_waits() {
    let (role, two, one) = setup();
    let before = role.memory();
    for (what, part) in [("PING", frame(6, 0, 0, &[7; 8])), ("SETTINGS", frame(4, 0, 0, &[0, 3, 0, 0, 0, 9]))]
    {
        let end = flood(&role, two, MOST_BYTES, |_| part.clone());
        assert!(matches!(end, End::Waits | End::Ended), "{what}: {end:?}");
        is_well(&role, one, before, what);
    }
}

#[test]
fn requests_that_are_taken_back_at_once_take_nothing() {
    let (role, two, one) = setup();
    let before = role.memory();
    let open = head(0x82, &format!("a.test:{two}"));
    let end = flood(&role, two, 4 << 20, |number| {
        let stream = u32::try_from(2 * number + 1).unwrap();
        [frame(1, 5, stream, &open), frame(3, 0, stream, &8u32.to_be_bytes())].concat()
    });
    is_well(&role, one, before, &format!("RST_STREAM {end:?}"));
    // Streams beyond what is allowed at one time, which all stay.
    let end = flood(&role, two, 4 << 20, |number| frame(1, 4, u32::try_from(2 * number + 1).unwrap(), &open));
    is_well(&role, one, before, &format!("HEADERS {end:?}"));
}

#[test]
fn frames_without_content_are_no_content() {
    let (role, two, one) = setup();
    let before = role.memory();
    let open = head(0x83, &format!("a.test:{two}"));
    for (what, part) in [
        ("DATA", frame(0, 0, 1, &[])),
        ("WINDOW_UPDATE", frame(8, 0, 1, &1u32.to_be_bytes())),
        ("PRIORITY", frame(2, 0, 1, &[0, 0, 0, 0, 9])),
    ] {
        let end = flood(
            &role,
            two,
            8 << 20,
            |number| {
                if number == 0 { frame(1, 4, 1, &open) } else { part.clone() }
            },
        );
        is_well(&role, one, before, &format!("{what} {end:?}"));
    }
}
