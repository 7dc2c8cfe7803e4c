//! Many connections, slow ones, and no descriptor left.

use super::guardian::{LONG, Role, Setup, echo, name, patient, rule, server, wait_until};
use super::http;
use super::stream::is_slow;
use aisandbox::wire::egress::{FromEgress, Kind};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

#[test]
fn ten_thousand_small_connections_are_all_counted() {
    const COUNT: u64 = 10_000;
    let port = server(echo);
    let role = Role::start(Setup::of([rule(name("a.test"), port)]));
    std::thread::scope(|scope| {
        let listening = scope.spawn(|| {
            let mut seen = 0;
            while seen < 2 * COUNT {
                match role.hear() {
                    Some(FromEgress::Event { event }) => match event.kind {
                        Kind::Omitted => seen += event.count,
                        Kind::Open | Kind::Close => seen += 1,
                        other => panic!("{other:?}"),
                    },
                    other => panic!("{other:?}"),
                }
            }
            seen
        });
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..COUNT / 4 {
                        let mut stream = role.open("a.test", port);
                        stream.write_all(b"\0x").unwrap();
                        let mut back = [0; 2];
                        stream.read_exact(&mut back).unwrap();
                        assert_eq!(&back, b"\0x");
                    }
                })
            })
            .collect();
        clients.into_iter().for_each(|client| client.join().unwrap());
        assert_eq!(listening.join().unwrap(), 2 * COUNT);
    });
}

#[test]
fn a_hundred_thousand_requests_are_all_answered_and_counted() {
    const CLIENTS: u64 = 8;
    let each: u64 = if is_slow() { 12_500 } else { 500 };
    let port = server(http::answer);
    let role = Role::start(Setup::of([rule(name("a.test"), port)]));
    let before = role.memory();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let mut stream = patient(role.open("a.test", port));
                    stream.set_nodelay(true).unwrap();
                    for _ in 0..each {
                        assert_eq!(http::get(&mut stream, &format!("a.test:{port}")), 200);
                    }
                })
            })
            .collect();
        let (mut told, mut counted, mut ended) = (0, 0, 0);
        while ended < CLIENTS || told < CLIENTS * (each + 2) {
            let Some(FromEgress::Event { event }) = role.hear() else { panic!("the role is gone") };
            match event.kind {
                Kind::Omitted => told += event.count,
                Kind::Open | Kind::Request => told += 1,
                Kind::Close => {
                    (told, counted, ended) = (told + 1, counted + event.requests, ended + 1);
                }
                Kind::Volume => {} // once a minute, of connections that go on
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((told, counted), (CLIENTS * (each + 2), CLIENTS * each));
        clients.into_iter().for_each(|client| client.join().unwrap());
    });
    let more = role.memory().saturating_sub(before);
    assert!(more < 16 << 10, "{more} KiB");
}

#[test]
fn connections_beyond_what_there_are_descriptors_for_are_refused() {
    let port = server(echo);
    // 128 are kept for other things, and each connection takes two.
    let role = Role::start_within(Setup::of([rule(name("a.test"), port)]), 200);
    let live = || {
        let mut stream = role.socks("a.test", port).ok()?;
        let answered = stream.write_all(b"\0x").and_then(|()| stream.read_exact(&mut [0; 2]));
        answered.ok().map(|()| stream)
    };
    let held: Vec<TcpStream> = (0..36).map(|_| live().unwrap()).collect();
    for _ in 0..100 {
        let mut refused = patient(TcpStream::connect(role.socks).unwrap());
        let seen = refused.write_all(&[5, 1, 0]).and_then(|()| refused.read_exact(&mut [0; 2]));
        assert!(seen.is_err());
    }
    assert_eq!(role.event(Kind::Denied).reason.as_deref(), Some("limit-connections"));
    drop(held);
    wait_until("there is room again", || super::limits::live_again(&role, port));
    assert!(live().is_some());
}

#[test]
fn one_that_sends_nothing_or_half_a_hello_holds_up_nobody_and_has_an_end() {
    let port = server(echo);
    let role = Role::start(Setup::of([rule(name("a.test"), port)]));
    let began = Instant::now();
    let mut half = role.open("a.test", port);
    half.write_all(b"\x16\x03\x01\x01\x00\x01\x00").unwrap();
    let silent: Vec<TcpStream> = (0..100).map(|_| patient(TcpStream::connect(role.socks).unwrap())).collect();
    let mut live = role.open("a.test", port);
    live.write_all(b"\0x").unwrap();
    live.read_exact(&mut [0; 2]).unwrap();
    assert!(!matches!(half.read(&mut [0; 8]), Ok(1..)), "it is given up");
    assert_eq!(role.event(Kind::Denied).reason.as_deref(), Some("too-slow"));
    for mut stream in silent {
        assert!(!matches!(stream.read(&mut [0; 8]), Ok(1..)));
    }
    assert!(began.elapsed() < LONG, "each has its own time");
}

#[test]
fn a_role_without_a_descriptor_left_goes_on_when_one_is_free() {
    let port = server(echo);
    let role = Role::start(Setup::of([rule(name("a.test"), port)]));
    let folder = format!("/proc/{}/fd", role.pid);
    let open = || std::fs::read_dir(&folder).map(Iterator::count);
    // Undumpable: only root sees its descriptors. A limit just above what it has is set from outside.
    let Ok(now) = open() else { return eprintln!("skipped: /proc/PID/fd of the role is not readable") };
    let most = libc::rlimit { rlim_cur: now as u64 + 8, rlim_max: now as u64 + 8 };
    // SAFETY: the struct outlives the call, and the old limit is not asked for.
    let set = unsafe { libc::prlimit(role.pid, libc::RLIMIT_NOFILE, &raw const most, std::ptr::null_mut()) };
    assert_eq!(set, 0);
    let waiting: Vec<TcpStream> = (0..40).map(|_| patient(TcpStream::connect(role.socks).unwrap())).collect();
    wait_until("it has none left", || open().unwrap() >= now + 8);
    drop(waiting);
    let mut stream = role.open("a.test", port);
    stream.write_all(b"\0x").unwrap();
    stream.read_exact(&mut [0; 2]).unwrap();
}
