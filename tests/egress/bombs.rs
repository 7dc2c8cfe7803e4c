//! What swells when it is unpacked, through role `dlp`: refused in time and in little memory, by each way it can come.

use super::guardian::{Role, Setup, name, rule, server};
use super::http;
use super::reader::reader;
use aisandbox::wire::egress::{Carried, Rule};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Bytes that a bomb unpacks to: more than may come out of one.
const SWELLS: usize = 40 << 20;

/// How long one request may take, in a build that is not optimized and on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD.encode(bytes).into_bytes()
}

/// The status of one upload on a connection of its own.
fn upload(role: &Role, port: u16, lines: &str, body: &[u8]) -> u16 {
    let mut stream = role.open("a.test", port);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let head = format!("POST / HTTP/1.1\r\nHost: a.test:{port}\r\n{lines}Content-Length: {length}\r\n\r\n");
    http::send(&mut stream, &head, body)
}

/// Answers once the last chunk is there, with what stands behind it.
fn whole(mut stream: TcpStream) {
    let Some((_, mut body)) = http::read_head(&mut stream) else { return };
    let mut part = [0; 4096];
    while !body.ends_with(b"\r\n\r\n") {
        match stream.read(&mut part) {
            Ok(count @ 1..) => body.extend_from_slice(&part[..count]),
            _ => return,
        }
    }
    // A client that went away wants no answer.
    drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
}

/// The status of an upload of two letters with this in a trailer.
fn in_a_trailer(role: &Role, port: u16, value: &[u8]) -> u16 {
    let mut stream = role.open("b.test", port);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!("POST / HTTP/1.1\r\nHost: b.test:{port}\r\nTransfer-Encoding: chunked\r\n\r\n");
    let body = [b"2\r\nhi\r\n0\r\nX: ", value, b"\r\n\r\n"].concat();
    http::send(&mut stream, &head, &body)
}

#[test]
fn what_swells_in_a_trailer_is_refused_too() {
    let port = server(whole);
    let scanned = Rule { dlp: true, ..rule(name("b.test"), port) };
    let (_reader, socket) = reader(&[]);
    let role = Role::start_with(Setup::of([scanned]), &[(Carried::Dlp {}, socket.as_fd())]);
    let bomb = base64(&gzip(&gzip(&vec![0; SWELLS])));
    assert!(bomb.len() < 8 << 10, "{}", bomb.len());
    assert_eq!(in_a_trailer(&role, port, &bomb), 403);
    assert_eq!(in_a_trailer(&role, port, b"plain"), 200);
}

#[test]
fn what_swells_is_refused_and_the_next_request_is_served() {
    let port = server(http::answer);
    let mut scanned = rule(name("a.test"), port);
    scanned.dlp = true;
    let (_reader, socket) = reader(&[]);
    let role = Role::start_with(Setup::of([scanned]), &[(Carried::Dlp {}, socket.as_fd())]);
    let before = role.memory();
    let zeros = vec![0; SWELLS];
    let one = gzip(&zeros);
    let nested = gzip(&[one.as_slice(); 3].concat());
    let bombs = [
        ("a coded body", "Content-Encoding: gzip\r\n", one.clone()),
        ("a coded body, deflate", "Content-Encoding: deflate\r\n", zlib(&zeros)),
        ("a file in a body", "Content-Type: application/gzip\r\n", one.clone()),
        ("files in a file", "", nested),
        ("files one behind the other", "", [one.as_slice(); 8].concat()),
        ("base64 of a file", "Content-Type: text/plain\r\n", base64(&one)),
        ("a bomb in a coded body", "Content-Encoding: gzip\r\n", gzip(&one)),
    ];
    for (what, lines, body) in bombs {
        let began = Instant::now();
        assert_eq!(upload(&role, port, lines, &body), 403, "{what}");
        let more = role.memory().saturating_sub(before);
        assert!(more < 64 << 10, "{what}: {more} KiB more");
        // The control: another upload goes through, once the role is done with this one.
        while upload(&role, port, "", b"plain") != 200 {
            assert!(began.elapsed() < PATIENCE, "{what}: nothing goes out behind it");
        }
        println!("{what}: {:?}", began.elapsed());
    }
}
