//! Totals, rates and numbers of connections.

use super::guardian::{Role, Setup, echo, name, patient, rule, server};
use super::http;
use aisandbox::wire::egress::{Kind, Limits};
use std::io::{ErrorKind, Read, Write};
use std::sync::mpsc;
use std::time::{Duration, Instant};

#[test]
fn what_is_over_a_total_is_not_sent_and_the_upload_does_not_look_whole() {
    for of_session in [false, true] {
        let (ended, end) = mpsc::channel();
        let port = server(move |mut stream| {
            let (mut all, mut buffer) = (0, vec![0; 65_536]);
            let why = loop {
                match stream.read(&mut buffer) {
                    Ok(0) => break None,
                    Ok(count) => all += count,
                    Err(error) => break Some(error.kind()),
                }
            };
            ended.send((all, why)).unwrap();
        });
        let limits = Limits { upload_total: Some(1_000_000), ..Limits::default() };
        let mut of_rule = rule(name("a.test"), port);
        let setup = if of_session {
            Setup::of([of_rule]).limits(limits)
        } else {
            of_rule.limits = limits;
            Setup::of([of_rule])
        };
        let role = Role::start(setup);
        let mut stream = role.open("a.test", port);
        // It breaks somewhere, or fits into the buffers of the kernel before it does.
        let written = stream.write_all(&vec![0; 30_000_000]);
        let (all, why) = end.recv().unwrap();
        assert!(all <= 1_000_000, "{all}");
        assert_eq!(why, Some(ErrorKind::ConnectionReset), "{written:?}");
        let event = role.event(Kind::Denied);
        assert_eq!(event.reason.as_deref(), Some("limit-upload"));
        assert!(event.sent <= 1_000_000 && event.sent >= all as u64, "{}", event.sent);
        // The next connection has what is left, which is less than a buffer.
        let mut again = role.open("a.test", port);
        again.write_all(&vec![0; 300_000]).unwrap();
        assert!(!matches!(again.read(&mut [0; 8]), Ok(1..)));
    }
}

#[test]
fn a_download_over_its_total_is_cut() {
    let port = server(|mut stream| drop(stream.write_all(&vec![0; 10_000_000])));
    let mut limited = rule(name("a.test"), port);
    limited.limits.download_total = Some(100_000);
    let role = Role::start(Setup::of([limited]));
    let mut got = Vec::new();
    let ended = role.open("a.test", port).read_to_end(&mut got);
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(got.len() <= 100_000);
    assert_eq!(role.event(Kind::Denied).reason.as_deref(), Some("limit-download"));
}

#[test]
fn a_rate_holds_bytes_back_and_the_delay_is_told() {
    let port = server(echo);
    let mut limited = rule(name("a.test"), port);
    limited.limits.upload_rate = Some(100_000);
    limited.limits.upload_burst = Some(50_000);
    let role = Role::start(Setup::of([limited]));
    let began = Instant::now();
    let mut stream = role.open("a.test", port);
    let mut reader = stream.try_clone().unwrap();
    let all = std::thread::spawn(move || reader.read_exact(&mut [0; 150_000]).unwrap());
    stream.write_all(&[0; 150_000]).unwrap();
    all.join().unwrap();
    let took = began.elapsed();
    // 150,000 bytes less the 50,000 at once, at 100,000 a second.
    assert!(took >= Duration::from_millis(900), "{took:?}");
    drop(stream);
    let event = role.event(Kind::Close);
    // What the bytes took on their way is time gained, so it is less than all of it.
    assert!(event.delay_ms >= 200, "{}", event.delay_ms);
}

#[test]
fn a_request_that_would_wait_long_is_told_when_to_come_again() {
    let port = server(http::answer);
    let mut slow = rule(name("a.test"), port);
    // What is read at once takes more than a minute at this rate.
    slow.limits.upload_rate = Some(50);
    slow.limits.upload_burst = Some(5000);
    let role = Role::start(Setup::of([slow, rule(name("b.test"), port)]));
    let mut large = patient(role.open("a.test", port));
    let head = format!("POST / HTTP/1.1\r\nHost: a.test:{port}\r\nContent-Length: 100000\r\n\r\n");
    large.write_all(head.as_bytes()).and_then(|()| large.write_all(&[b'x'; 100_000])).unwrap();
    let ask = || {
        let mut stream = patient(role.open("a.test", port));
        let head = format!("GET / HTTP/1.1\r\nHost: a.test:{port}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let mut answer = String::new();
    super::guardian::wait_until("so much waits", || {
        answer = ask();
        answer.starts_with("HTTP/1.1 429")
    });
    let line = answer.lines().find_map(|line| line.strip_prefix("retry-after: ")).unwrap_or_default();
    assert!((30..=3000).contains(&line.parse::<u64>().unwrap()), "{answer}");
    assert!(answer.contains("\"reason\":\"limit-rate\",\"rule\":\"test.yaml:1\""), "{answer}");
    assert_eq!(role.event(Kind::Denied).reason.as_deref(), Some("limit-rate"));
    let mut other = patient(role.open("b.test", port));
    assert_eq!(http::get(&mut other, &format!("b.test:{port}")), 200, "another host waits for nobody");
}

#[test]
fn connections_at_one_time_have_an_end_for_a_rule_and_for_the_session() {
    let port = server(echo);
    let mut limited = rule(name("a.test"), port);
    limited.limits.connections = Some(2);
    let setup = Setup::of([limited, rule(name("b.test"), port)]);
    let role = Role::start(setup.limits(Limits { connections: Some(5), ..Limits::default() }));
    let live = |host: &str| {
        let mut stream = role.open(host, port);
        let answered = stream.write_all(b"\0").and_then(|()| stream.read_exact(&mut [0])).is_ok();
        answered.then_some(stream)
    };
    let first: Vec<_> = (0..2).map(|_| live("a.test").unwrap()).collect();
    assert!(live("a.test").is_none(), "the rule has two");
    assert_eq!(role.event(Kind::Denied).reason.as_deref(), Some("limit-connections"));
    let more: Vec<_> = (0..3).map(|_| live("b.test").unwrap()).collect();
    let mut refused = std::net::TcpStream::connect(role.socks).unwrap();
    let seen = refused.write_all(&[5, 1, 0]).and_then(|()| refused.read_exact(&mut [0; 2]));
    assert!(seen.is_err(), "the session has five");
    drop(first);
    super::guardian::wait_until("a place is free again", || live_again(&role, port));
    drop(more);
}

pub(crate) fn live_again(role: &Role, port: u16) -> bool {
    let Ok(mut stream) = std::net::TcpStream::connect(role.socks) else { return false };
    let asked = stream.write_all(&[5, 1, 0]).and_then(|()| stream.read_exact(&mut [0; 2]));
    asked.is_ok() && port != 0
}
