//! The least of HTTP/1.1 that a test needs on both sides.

use std::io::{Read, Write};
use std::net::TcpStream;

/// Answers every request on a connection with two letters; a body is read by its length.
pub(crate) fn answer(mut stream: TcpStream) {
    while let Some((head, rest)) = read_head(&mut stream) {
        let mut left = content_length(&head).saturating_sub(rest.len());
        let mut buffer = vec![0; 65_536];
        while left > 0 {
            let most = left.min(buffer.len());
            match stream.read(&mut buffer[..most]) {
                Ok(count @ 1..) => left -= count,
                _ => return,
            }
        }
        if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
            return;
        }
    }
}

/// A head, and what came behind it; `None` at the end.
pub(crate) fn read_head(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut all = Vec::new();
    loop {
        if let Some(end) = all.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = all.split_off(end + 4);
            return Some((String::from_utf8(all).unwrap(), rest));
        }
        let mut part = [0; 4096];
        match stream.read(&mut part) {
            Ok(count @ 1..) => all.extend_from_slice(&part[..count]),
            _ => return None,
        }
    }
}

/// What a head says of the length of its body.
pub(crate) fn content_length(head: &str) -> usize {
    let lower = head.to_ascii_lowercase();
    let line = lower.lines().find_map(|line| line.strip_prefix("content-length:"));
    line.map_or(0, |number| number.trim().parse().unwrap())
}

/// One small request on a connection that stays; the status of its answer, 0 at the end.
pub(crate) fn get(stream: &mut TcpStream, host: &str) -> u16 {
    send(stream, &format!("GET /small HTTP/1.1\r\nHost: {host}\r\n\r\n"), b"")
}

/// One request; the status of its answer, whose body is read to its end, 0 when the connection ended instead.
pub(crate) fn send(stream: &mut TcpStream, head: &str, body: &[u8]) -> u16 {
    // One that is refused early hears why and not the end of writing.
    drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)));
    let Some((head, rest)) = read_head(stream) else { return 0 };
    let left = content_length(&head) - rest.len();
    stream.read_exact(&mut vec![0; left]).unwrap();
    head.split(' ').nth(1).unwrap().parse().unwrap()
}
