//! Hosts that mean harm to who reads them: each flood ends its request or its connection, or makes the host wait; it takes
//! little memory, and holds up nobody else.

use super::flood::{End, PREFACE, frame, head, is_well};
use super::guardian::{LONG, Role, Setup, name, patient, rule, server};
use super::http;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// More than all buffers on the way take.
const MOST_BYTES: usize = 64 << 20;

/// Parts of a flood, by their number.
type Parts = Arc<dyn Fn(usize) -> Vec<u8> + Send + Sync>;

/// Sends parts over and over, and says how that ended.
fn pour(stream: &mut TcpStream, next: &Parts) -> End {
    stream.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
    let mut sent = 0;
    for number in 0.. {
        let part: Vec<u8> = (0..64).flat_map(|inner| next(number * 64 + inner)).collect();
        match stream.write_all(&part) {
            Ok(()) => sent += part.len(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return End::Waits,
            Err(_) => return End::Ended,
        }
        if sent > MOST_BYTES {
            return End::Taken;
        }
    }
    unreachable!()
}

/// A host that pours as soon as something was asked, after `first`; what became of it.
fn host(first: Vec<u8>, next: Parts) -> (u16, Arc<Mutex<Option<End>>>) {
    let ended = Arc::new(Mutex::new(None));
    let told = Arc::clone(&ended);
    let port = server(move |mut stream| {
        let mut seen = [0; 65_536];
        assert!(matches!(stream.read(&mut seen), Ok(1..)));
        let end = if stream.write_all(&first).is_ok() { pour(&mut stream, &next) } else { End::Ended };
        told.lock().unwrap().get_or_insert(end);
    });
    (port, ended)
}

fn setup(evil: u16) -> (Role, u16) {
    let one = server(http::answer);
    (Role::start(Setup::of([rule(name("a.test"), evil), rule(name("b.test"), one)])), one)
}

fn how_it_ended(ended: &Mutex<Option<End>>, what: &str) -> End {
    super::guardian::wait_until(what, || ended.lock().unwrap().is_some());
    ended.lock().unwrap().take().unwrap()
}

/// One request of HTTP/2 to a host that pours; the agent reads until the end, or until nothing comes for a while.
fn asks_two(what: &str, first: Vec<u8>, next: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static) -> End {
    let settings = [frame(4, 0, 0, &[]), frame(4, 1, 0, &[])].concat();
    let (evil, ended) = host([settings, first].concat(), Arc::new(next));
    let (role, one) = setup(evil);
    let before = role.memory();
    let mut agent = role.open("a.test", evil);
    let ask = frame(1, 5, 1, &head(0x82, &format!("a.test:{evil}")));
    agent.write_all(&[PREFACE, &frame(4, 0, 0, &[]), &ask].concat()).unwrap();
    let end = how_it_ended(&ended, what);
    is_well(&role, one, before, what);
    end
}

#[test]
fn a_host_of_http_2_that_floods_is_given_up_or_waits() {
    // `:status: 200`, and a header of 4000 bytes that goes into the table, so that it can be said again by one byte.
    let long = [&[0x88, 0x40, 1, b'x', 0x7f, 0xa1, 0x1e][..], &[b'y'; 4000]].concat();
    let again = vec![0xbe; 60_000];
    let cases: Vec<(&str, Vec<u8>, Parts, &[End])> = vec![
        (
            "CONTINUATION",
            frame(1, 0, 1, &[0x88]),
            Arc::new(|_| frame(9, 0, 1, &[0x40; 16_000])),
            &[End::Ended],
        ),
        ("empty CONTINUATION", frame(1, 0, 1, &[0x88]), Arc::new(|_| frame(9, 0, 1, &[])), &[End::Ended]),
        ("PING", vec![], Arc::new(|_| frame(6, 0, 0, &[7; 8])), &[End::Ended, End::Waits]),
        ("SETTINGS", vec![], Arc::new(|_| frame(4, 0, 0, &[0, 3, 0, 0, 0, 9])), &[End::Ended, End::Waits]),
        (
            "PUSH_PROMISE",
            vec![],
            Arc::new(|_| frame(5, 4, 1, &[0, 0, 0, 2, 0x82, 0x86, 0x84])),
            &[End::Ended],
        ),
        (
            "a table said again",
            frame(1, 0, 1, &long),
            Arc::new(move |_| frame(9, 0, 1, &again)),
            &[End::Ended],
        ),
        ("empty DATA", frame(1, 4, 1, &[0x88]), Arc::new(|_| frame(0, 0, 1, &[])), &[End::Ended, End::Waits]),
        ("DATA of nobody", vec![], Arc::new(|_| frame(0, 0, 99, &[0; 1000])), &[End::Ended]),
        ("WINDOW_UPDATE", vec![], Arc::new(|_| frame(8, 0, 0, &[0x7f, 0xff, 0xff, 0xff])), &[End::Ended]),
        // 103 Early Hints: nothing is kept of them.
        (
            "early hints",
            vec![],
            Arc::new(|_| frame(1, 4, 1, &[0x08, 3, b'1', b'0', b'3'])),
            &[End::Ended, End::Waits, End::Taken],
        ),
    ];
    for (what, first, next, wanted) in cases {
        let end = asks_two(what, first, move |number| next(number));
        assert!(wanted.contains(&end), "{what}: {end:?}");
    }
}

#[test]
fn a_host_of_http_1_whose_head_has_no_end_is_given_up() {
    for (what, first, part) in [
        ("a head", "HTTP/1.1 200 OK\r\n", "x-y: zzzzzzzzzzzzzzzz\r\n"),
        ("a header", "HTTP/1.1 200 OK\r\nx: ", "zzzzzzzzzzzzzzzzzzzz"),
        ("a line", "HTTP/1.1 200 ", "OKOKOKOKOKOKOKOKOKOK"),
        ("the size of a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "ffffffffffffffff"),
        (
            "what stands beside a chunk",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
            "eeeeeeeeeeeeeeee",
        ),
        (
            "trailers",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            "x-y: zzzzzzzzzzzzzzzz\r\n",
        ),
    ] {
        let (evil, ended) = host(first.into(), Arc::new(move |_| part.repeat(64).into_bytes()));
        let (role, one) = setup(evil);
        let before = role.memory();
        let mut agent = patient(role.open("a.test", evil));
        let head = format!("GET / HTTP/1.1\r\nHost: a.test:{evil}\r\nConnection: close\r\n\r\n");
        agent.write_all(head.as_bytes()).unwrap();
        let mut got = vec![0; 65_536];
        while matches!(agent.read(&mut got), Ok(1..)) {}
        assert_eq!(how_it_ended(&ended, what), End::Ended, "{what}");
        is_well(&role, one, before, what);
    }
}

#[test]
fn answers_before_the_answer_are_not_kept() {
    let (evil, ended) =
        host(Vec::new(), Arc::new(|_| b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n".to_vec()));
    let (role, one) = setup(evil);
    let before = role.memory();
    let mut agent = role.open("a.test", evil);
    agent
        .write_all(format!("GET / HTTP/1.1\r\nHost: a.test:{evil}\r\nConnection: close\r\n\r\n").as_bytes())
        .unwrap();
    how_it_ended(&ended, "early hints");
    is_well(&role, one, before, "early hints");
    agent.set_read_timeout(Some(LONG)).unwrap();
    let mut got = Vec::new();
    // It ends without an answer, or with ours; never with one of the host's that is none.
    agent.read_to_end(&mut got).ok();
    assert!(!got.starts_with(b"HTTP/1.1 103"), "{}", String::from_utf8_lossy(&got));
}
