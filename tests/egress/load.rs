//! Many connections, slow ones, and no descriptor left.

use super::guardian::{LONG, Role, Setup, echo, name, patient, rule, server, wait_until};
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
