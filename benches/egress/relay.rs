//! Role `egress` between a client and a server on loopback, beside the same without it: connect and echo, throughput
//! spliced, small connections a second.
//!
//! The client connects to 127.0.0.2, which the role takes as one port of every address; no packet filter is in between.

use super::turns;
use aisandbox::sys::process::ExecStrings;
use aisandbox::sys::{socket, spawn};
use aisandbox::wire::codec::{decode, encode};
use aisandbox::wire::egress::{Carried, FromEgress, Host, Limits, Rule, Tls, ToEgress, Unscannable};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of one transfer.
const TRANSFER: usize = 512 << 20;

pub(super) fn run() {
    let (port, server) = server();
    let front = TcpListener::bind(("127.0.0.2", port)).unwrap();
    let role = start(&front, port);
    let direct = SocketAddr::from(([127, 0, 0, 1], port));
    let through = SocketAddr::from(([127, 0, 0, 2], port));
    let count = turns(3000, 30);
    let (mut near, mut far) = (echoes(direct, count), echoes(through, count));
    let (near, far) = (median(&mut near), median(&mut far));
    let times = far.as_secs_f64() / near.as_secs_f64();
    println!("connect + echo, p50: direct {near:?}, through {far:?}, {times:.1} times (wanted: 5, better 3)");
    let size = TRANSFER / turns(1, 64);
    for (way, letter) in [("down", b'D'), ("up", b'U')] {
        let best = |at| (0..turns(3, 1)).map(|_| transfer(at, letter, size)).fold(0.0, f64::max);
        let (near, far) = (best(direct), best(through));
        let share = far / near;
        println!(
            "{way}: direct {near:.1} Gbit/s, spliced {far:.1}, {share:.2} of it (wanted: 0.40, better 0.6)"
        );
    }
    for (name, at) in [("direct", direct), ("through", through)] {
        let (each, began) = (turns(5000, 50), Instant::now());
        let busy: Vec<_> = (0..4).map(|_| thread::spawn(move || echoes(at, each).len())).collect();
        let done: usize = busy.into_iter().map(|one| one.join().unwrap()).sum();
        let a_second = done as f64 / began.elapsed().as_secs_f64();
        println!("connections with one echo, four at a time, {name}: {a_second:.0} a second (wanted: 5,000)");
    }
    drop(role);
    drop(server);
}

/// The role that serves this listener for this port, and its socket.
fn start(front: &TcpListener, port: u16) -> OwnedFd {
    let (ours, theirs) = socket::message_pair().unwrap();
    let program = File::open(env!("CARGO_BIN_EXE_aisandbox")).unwrap();
    let argv = ExecStrings::new(vec![c"aisandbox".into(), c"__role".into(), c"egress".into()]);
    spawn::start(program.as_fd(), &argv, &ExecStrings::new(Vec::new()), theirs.as_fd(), None).unwrap();
    drop(theirs);
    let say = |message: &ToEgress, descriptor: Option<BorrowedFd<'_>>| {
        socket::send(ours.as_fd(), &encode(message).unwrap(), descriptor, true).unwrap();
    };
    say(&ToEgress::Take { what: Carried::Port { port } }, Some(front.as_fd()));
    let (servers, hosts, own) = (Vec::new(), String::new(), Vec::new());
    say(&ToEgress::Resolver { servers, hosts, own, parent: None }, None);
    say(&ToEgress::Allow { rule: Box::new(rule(port)) }, None);
    say(&ToEgress::Start {}, None);
    let mut buffer = vec![0; 65_536];
    let (length, _) = socket::receive(ours.as_fd(), &mut buffer, true).unwrap();
    assert_eq!(decode::<FromEgress>(&buffer[..length]), Ok(FromEgress::Ready {}));
    let events = ours.try_clone().unwrap();
    thread::spawn(
        move || while matches!(socket::receive(events.as_fd(), &mut buffer, true), Ok((1.., _))) {},
    );
    ours
}

fn rule(port: u16) -> Rule {
    Rule {
        id: "bench".to_owned(),
        host: Host::Loopback {},
        ports: vec![port],
        tls: Tls::Splice,
        methods: Vec::new(),
        paths: Vec::new(),
        programs: Vec::new(),
        networks: Vec::new(),
        ask: false,
        dlp: false,
        redact: false,
        unscannable: Unscannable::Block,
        login: None,
        limits: Limits::default(),
    }
}

/// A server: the first two bytes say whether it echoes, sends, or takes and confirms.
fn server() -> (u16, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let handle = thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || serve(stream));
        }
    });
    (port, handle)
}

fn serve(mut stream: TcpStream) {
    let mut word = [0; 10];
    if stream.read_exact(&mut word).is_err() {
        return;
    }
    let mut buffer = vec![0; 256 << 10];
    match word[1] {
        b'D' => {
            let mut left = usize::from_le_bytes(word[2..].try_into().unwrap());
            while left > 0 {
                let part = left.min(buffer.len());
                stream.write_all(&buffer[..part]).unwrap();
                left -= part;
            }
        }
        b'U' => {
            while matches!(stream.read(&mut buffer), Ok(1..)) {}
            stream.write_all(b"!").unwrap();
        }
        _ => drop(stream.write_all(&word)),
    }
}

/// So many connections with one echo each, one after the other.
fn echoes(at: SocketAddr, count: usize) -> Vec<Duration> {
    let once = || {
        let began = Instant::now();
        let mut stream = TcpStream::connect(at).unwrap();
        stream.write_all(b"\0E12345678").unwrap();
        stream.read_exact(&mut [0; 10]).unwrap();
        began.elapsed()
    };
    (0..count).map(|_| once()).collect()
}

fn median(all: &mut [Duration]) -> Duration {
    all.sort_unstable();
    all[all.len() / 2]
}

/// Gbit/s of one transfer.
fn transfer(at: SocketAddr, letter: u8, size: usize) -> f64 {
    let mut stream = TcpStream::connect(at).unwrap();
    let mut buffer = vec![0; 256 << 10];
    let began = Instant::now();
    stream.write_all(&[&[0, letter][..], &size.to_le_bytes()].concat()).unwrap();
    if letter == b'U' {
        let mut left = size;
        while left > 0 {
            let part = left.min(buffer.len());
            stream.write_all(&buffer[..part]).unwrap();
            left -= part;
        }
        stream.shutdown(Shutdown::Write).unwrap();
    }
    while matches!(stream.read(&mut buffer), Ok(1..)) {}
    size as f64 * 8.0 / began.elapsed().as_secs_f64() / 1e9
}
