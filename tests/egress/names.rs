//! Names: the server inside, the resolver outside, and one that changes its mind.

use super::guardian::{LONG, Role, Setup, echo, name, rule, server};
use aisandbox::egress::dns::message::{A, AAAA, ask, read_answer};
use aisandbox::sys::{datagram, net};
use aisandbox::wire::egress::{Carried, Host, Kind, Rule, ToEgress};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A role with a name server inside, started by hand: the socket goes before the start.
fn with_dns(setup: Setup) -> (Role, SocketAddr) {
    let socket = datagram::bind("0.0.0.0:0".parse().unwrap()).unwrap();
    let port = net::local_address(socket.as_fd()).unwrap().port();
    let role = Role::start_with(setup, &[(Carried::Dns {}, socket.as_fd())]);
    (role, SocketAddr::from(([127, 0, 0, 1], port)))
}

fn question(at: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    socket.send_to(bytes, at).unwrap();
    let mut buffer = vec![0; 4096];
    let (length, from) = socket.recv_from(&mut buffer).unwrap();
    assert_eq!(from, at, "it comes from the address that was asked");
    buffer.truncate(length);
    buffer
}

fn look_up(at: SocketAddr, name: &str, kind: u16) -> (u8, Vec<IpAddr>) {
    let told = question(at, &ask([1, 2], name, kind).unwrap());
    let answer = read_answer(&told, [1, 2], &name.to_ascii_lowercase(), kind).unwrap();
    (answer.code, answer.addresses)
}

#[test]
fn names_of_the_rules_have_addresses_inside_and_others_are_not_there() {
    let below = Host::Below { name: "wild.test".to_owned() };
    let mut asked = rule(name("ask.test"), 443);
    asked.ask = true;
    let setup = Setup::of([rule(name("a.test"), 443), rule(below, 443), asked]);
    let (role, at) = with_dns(setup.deny("test.yaml:9", name("bad.wild.test"), None));
    let ip = |text: &str| vec![text.parse::<IpAddr>().unwrap()];
    assert_eq!(look_up(at, "a.test", A), (0, ip("198.18.0.2")));
    assert_eq!(look_up(at, "ask.test", A), (0, ip("198.18.0.3")));
    assert_eq!(look_up(at, "A.Test", A), (0, ip("198.18.0.2")));
    assert_eq!(look_up(at, "x.wild.test", A), (0, ip("198.18.0.4")));
    assert_eq!(look_up(at, "localhost", A), (0, ip("127.0.0.1")));
    for kind in [AAAA, 65, 64, 16, 255] {
        assert_eq!(look_up(at, "a.test", kind), (0, vec![]), "type {kind}: there, and without one");
    }
    for nobody in ["b.test", "wild.test", "bad.wild.test", "a.test.evil.test", "test"] {
        assert_eq!(look_up(at, nobody, A), (3, vec![]), "{nobody}");
        let event = role.event(Kind::Denied);
        assert_eq!((&*event.host, &*event.protocol, event.flow), (nobody, "dns", 0));
    }
    let long = format!("{}.wild.test", "x".repeat(41));
    assert_eq!(look_up(at, &long, A), (3, vec![]), "a name that could be a message");
    let known = (0..100).filter(|n| look_up(at, &format!("n{n}.wild.test"), A).0 == 0).count();
    assert_eq!(known, 63, "with the one before, 64 in a minute");
    // The proxies know the same names, and no more of them.
    assert_eq!(role.socks("late.wild.test", 443).unwrap_err(), 2);
    let mut broken = ask([9, 9], "a.test", A).unwrap();
    broken.truncate(15);
    assert_eq!(question(at, &broken)[..4], [9, 9, 0x81, 0x81], "FORMERR");
}

#[test]
fn an_address_of_the_inside_means_its_name() {
    let port = server(echo);
    let (role, at) = with_dns(Setup::of([rule(name("a.test"), port)]));
    assert_eq!(look_up(at, "a.test", A).0, 0);
    let mut stream = role.open("198.18.0.2", port);
    stream.write_all(b"\0x").unwrap();
    stream.read_exact(&mut [0; 2]).unwrap();
    assert_eq!(role.event(Kind::Open).host, "a.test");
    assert_eq!(role.socks("198.18.0.3", port).unwrap_err(), 2, "nobody has that one");
}

/// A name server outside: the addresses that `says` gives for the nth question of type A.
pub(crate) fn outside(says: impl Fn(usize) -> Vec<[u8; 4]> + Send + 'static) -> (String, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = socket.local_addr().unwrap().to_string();
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            let question = &buffer[..length];
            let end = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
            let kind = question[end - 3];
            let found = if kind == 1 { says(seen.fetch_add(1, Ordering::SeqCst)) } else { vec![] };
            let head = [question[0], question[1], 0x81, 0x80, 0, 1, 0, found.len() as u8, 0, 0, 0, 0];
            let records =
                found.iter().flat_map(|ip| [&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4][..], ip].concat());
            let told: Vec<u8> = [&head[..], &question[12..end]].concat().into_iter().chain(records).collect();
            // A forged answer first: another number, another address.
            let mut forged = told.clone();
            forged[0] ^= 1;
            socket.send_to(&forged, peer).unwrap();
            socket.send_to(&told, peer).unwrap();
        }
    });
    (at, count)
}

#[test]
fn a_name_is_resolved_at_each_connection_and_what_it_leads_to_is_checked_each_time() {
    let port = server(echo);
    // First an address that the rule names, then one of the machine that it does not: rebinding.
    let (at, count) = outside(|nth| vec![if nth == 0 { [127, 0, 0, 1] } else { [127, 9, 9, 9] }]);
    let mut narrow = rule(name("moving.test"), port);
    narrow.networks[0].bits = 32;
    narrow.networks[0].address = "127.0.0.1".to_owned();
    let role = Role::start(Setup { servers: vec![at], ..Setup::of([narrow]) });
    assert_eq!(count.load(Ordering::SeqCst), 0, "nothing is asked before a connection");
    let mut stream = role.open("moving.test", port);
    stream.write_all(b"\0x").unwrap();
    stream.read_exact(&mut [0; 2]).unwrap();
    let mut stream = role.open("moving.test", port);
    stream.write_all(b"\0x").unwrap();
    assert!(!matches!(stream.read(&mut [0; 2]), Ok(1..)));
    assert_eq!(role.event(Kind::Denied).reason.as_deref(), Some("address"));
    assert_eq!(count.load(Ordering::SeqCst), 2, "once for each connection");
}

#[test]
fn the_first_address_that_answers_is_taken_and_forbidden_ones_are_left_out() {
    let port = server(echo);
    let (at, _) = outside(|_| vec![[169, 254, 169, 254], [127, 0, 0, 1]]);
    let role = Role::start(Setup { servers: vec![at], ..Setup::of([rule(name("two.test"), port)]) });
    let mut stream = role.open("two.test", port);
    stream.write_all(b"\0x").unwrap();
    stream.read_exact(&mut [0; 2]).unwrap();
    assert_eq!(role.event(Kind::Open).address, Some(format!("127.0.0.1:{port}")));
}

#[test]
fn a_parent_proxy_leads_to_no_private_network_that_no_rule_names() {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    let parent = server(move |mut stream| {
        seen.fetch_add(1, Ordering::SeqCst);
        stream.write_all(b"HTTP/1.1 200 ok\r\n\r\n").unwrap();
        drop(stream);
    });
    let without = |host| Rule { networks: Vec::new(), ..rule(host, 443) };
    let corp = Host::Below { name: "corp".to_owned() };
    let rules = [without(name("metadata.google.internal")), without(corp), rule(name("db.internal"), 443)];
    let role = Role::start(Setup { parent: Some(format!("http://127.0.0.1:{parent}")), ..Setup::of(rules) });
    for (host, reason) in [("metadata.google.internal", "address"), ("x.corp", "address")] {
        let mut stream = role.open(host, 443);
        stream.write_all(b"\0x").unwrap();
        assert!(!matches!(stream.read(&mut [0; 2]), Ok(1..)), "{host}");
        assert_eq!(role.event(Kind::Denied).reason.as_deref(), Some(reason), "{host}");
    }
    for literal in ["169.254.169.254", "10.0.0.1", "::ffff:10.0.0.1", "127.0.0.1"] {
        assert_eq!(role.socks(literal, 443).unwrap_err(), 2, "{literal}");
    }
    assert_eq!(count.load(Ordering::SeqCst), 0, "the proxy was asked for none of them");
    let mut stream = role.open("db.internal", 443);
    stream.write_all(b"\0x").unwrap();
    while matches!(stream.read(&mut [0; 64]), Ok(1..)) {}
    assert_eq!(count.load(Ordering::SeqCst), 1, "the control: with a network it was");
}

#[test]
fn a_parent_proxy_carries_everything_and_resolves_names_itself() {
    let parent = server(|mut stream| {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let accepted = head.starts_with(b"CONNECT far.test:443 HTTP/1.1\r\nHost: far.test:443\r\n");
        let answer: &[u8] = if accepted { b"HTTP/1.1 200 ok\r\n\r\n" } else { b"HTTP/1.1 403 no\r\n\r\n" };
        stream.write_all(answer).unwrap();
        echo(stream);
    });
    let setup = Setup::of([rule(name("far.test"), 443), rule(name("b.test"), 443)]);
    let role = Role::start(Setup { parent: Some(format!("http://127.0.0.1:{parent}")), ..setup });
    let mut stream = role.open("far.test", 443);
    stream.write_all(b"\0x").unwrap();
    stream.read_exact(&mut [0; 2]).unwrap();
    let mut stream = role.open("b.test", 443);
    stream.write_all(b"\0x").unwrap();
    assert!(!matches!(stream.read(&mut [0; 2]), Ok(1..)));
    assert_eq!(role.event(Kind::Denied).reason.as_deref(), Some("parent-proxy"));
    // A role that is told nothing new after its start ends when it is told so.
    role.say(&ToEgress::Start {}, None);
    assert!(std::iter::from_fn(|| role.hear()).count() < 1000, "its socket closes");
}
