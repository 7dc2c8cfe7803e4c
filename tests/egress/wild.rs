//! Names below a wildcard, which the agent makes up: what they say is read before anybody outside hears of them.

use super::guardian::{Role, Setup, echo, hello, rule, server};
use super::names::outside;
use super::reader::reader;
use aisandbox::egress::dns::message::{A, ask};
use aisandbox::sys::{datagram, net};
use aisandbox::wire::dlp::ToDlp;
use aisandbox::wire::egress::{Carried, Event, FromEgress, Host, Kind, Rule, ToEgress};
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;

const SECRET: &str = "sk-live-0123456789ABCdefGHIj";

fn below(port: u16) -> Rule {
    Rule { dlp: true, ..rule(Host::Below { name: "wild.test".to_owned() }, port) }
}

fn known() -> ToDlp {
    ToDlp::Known { label: "api".to_owned(), secret: SECRET.to_owned(), canary: false }
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 4648 without `=`, in the letters that a name has.
fn base32(text: &str) -> String {
    let bits: String = text.bytes().map(|byte| format!("{byte:08b}")).collect();
    let letter = |five: &[u8]| {
        let five = std::str::from_utf8(five).unwrap();
        let number = usize::from_str_radix(&format!("{five:0<5}"), 2).unwrap();
        char::from(b"abcdefghijklmnopqrstuvwxyz234567"[number])
    };
    bits.as_bytes().chunks(5).map(letter).collect()
}

/// Whether a connection to this name below the wildcard gets through.
fn leads_out(role: &Role, label: &str, port: u16) -> bool {
    let mut stream = role.open(&format!("{label}.wild.test"), port);
    let sent = stream.write_all(b"\0x");
    sent.is_ok() && stream.read_exact(&mut [0; 2]).is_ok()
}

/// The next event of a refusal.
fn refusal(role: &Role) -> Event {
    loop {
        match role.hear() {
            Some(FromEgress::Event { event }) if [Kind::Denied, Kind::Alert].contains(&event.kind) => {
                return *event;
            }
            Some(FromEgress::Event { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_name_that_says_a_secret_is_never_looked_up_although_nothing_else_is_read() {
    let port = server(echo);
    let (at, lookups) = outside(|_| vec![[127, 0, 0, 1]]);
    let (_reader, socket) = reader(&[known()]);
    let setup = Setup { servers: vec![at], ..Setup::of([below(port)]) };
    let role = Role::start_with(setup, &[(Carried::Dlp {}, socket.as_fd())]);
    let (hex, base32) = (hex(SECRET), base32(SECRET));
    let in_labels = |text: &str, each: usize| {
        let labels: Vec<&str> = (0..text.len().div_ceil(each))
            .map(|part| &text[part * each..text.len().min((part + 1) * each)])
            .collect();
        labels.join(".")
    };
    for label in [
        SECRET.to_owned(),
        SECRET.to_uppercase(),
        format!("a.{SECRET}.b"),
        in_labels(&hex, 30),
        in_labels(&hex.to_uppercase(), 11),
        in_labels(&base32, 40),
        in_labels(&base32, 9),
    ] {
        assert!(!leads_out(&role, &label, port), "{label}");
        let event = refusal(&role);
        assert_eq!((event.kind, event.reason.as_deref()), (Kind::Alert, Some("dlp")), "{label}");
        assert_eq!((&*event.host, event.sni), ("*.wild.test", None), "no record has the name");
        assert_eq!(event.rule.as_deref(), Some("test.yaml:1"));
    }
    assert_eq!(lookups.load(Ordering::SeqCst), 0, "nobody outside heard of one");
    // The control.
    assert!(leads_out(&role, "plain", port) && leads_out(&role, "plain", port));
    assert_eq!(role.event(Kind::Open).host, "plain.wild.test");
    assert_eq!(lookups.load(Ordering::SeqCst), 2);
}

#[test]
fn a_secret_in_parts_is_found_in_the_name_that_completes_it() {
    let port = server(echo);
    let (_reader, socket) = reader(&[known()]);
    let (at, lookups) = outside(|_| vec![[127, 0, 0, 1]]);
    let setup = Setup { servers: vec![at], ..Setup::of([below(port)]) };
    let role = Role::start_with(setup, &[(Carried::Dlp {}, socket.as_fd())]);
    let hex = hex(SECRET);
    let parts: Vec<&str> = hex.as_bytes().chunks(20).map(|part| std::str::from_utf8(part).unwrap()).collect();
    let (last, first) = parts.split_last().unwrap();
    for part in first {
        assert!(leads_out(&role, part, port), "{part} alone says nothing");
        assert!(leads_out(&role, part, port), "nor does it again");
    }
    let before = lookups.load(Ordering::SeqCst);
    assert!(!leads_out(&role, last, port));
    assert_eq!(refusal(&role).kind, Kind::Alert);
    assert!(!leads_out(&role, last, port), "it is not known by having been tried");
    assert_eq!(lookups.load(Ordering::SeqCst), before);
    assert!(leads_out(&role, "other", port), "what does not complete it goes on");
}

#[test]
fn a_name_that_nobody_can_read_is_not_looked_up() {
    let port = server(echo);
    let (at, lookups) = outside(|_| vec![[127, 0, 0, 1]]);
    let role = Role::start(Setup { servers: vec![at.clone()], ..Setup::of([below(port)]) });
    assert!(!leads_out(&role, "plain", port));
    assert_eq!(refusal(&role).reason.as_deref(), Some("dlp-unscannable"));
    assert_eq!(lookups.load(Ordering::SeqCst), 0);
    let unscanned = Rule { dlp: false, ..below(port) };
    let role = Role::start(Setup { servers: vec![at], ..Setup::of([unscanned]) });
    assert!(leads_out(&role, SECRET, port), "where a rule wants nothing scanned, nothing is");
}

#[test]
fn a_person_is_asked_about_no_name_that_says_a_secret() {
    let port = server(echo);
    let (_reader, socket) = reader(&[known()]);
    let asked = Rule { ask: true, ..below(port) };
    let role = Role::start_with(Setup::of([asked]), &[(Carried::Dlp {}, socket.as_fd())]);
    assert_eq!(role.socks(&format!("{SECRET}.wild.test"), port).unwrap_err(), 2);
    let event = refusal(&role);
    assert_eq!(
        (event.kind, event.reason.as_deref(), &*event.host),
        (Kind::Alert, Some("dlp"), "*.wild.test")
    );
    // The control: what says nothing is asked about. Nothing was asked before it.
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| role.socks("c.wild.test", port));
        let id = loop {
            match role.hear() {
                Some(FromEgress::Ask { id, host, .. }) => {
                    assert_eq!(host, "c.wild.test");
                    break id;
                }
                Some(FromEgress::Event { .. }) => {}
                other => panic!("{other:?}"),
            }
        };
        role.say(&ToEgress::Answer { id, grant: None, reason: Some("refused".to_owned()) }, None);
        assert_eq!(opening.join().unwrap().unwrap_err(), 2);
    });
}

#[test]
fn a_secret_in_a_name_that_no_rule_allows_is_an_alert_and_in_no_record() {
    let port = server(echo);
    let (_reader, socket) = reader(&[known()]);
    let dns = datagram::bind("0.0.0.0:0".parse().unwrap()).unwrap();
    let at = ("127.0.0.1", net::local_address(dns.as_fd()).unwrap().port());
    let descriptors = [(Carried::Dlp {}, socket.as_fd()), (Carried::Dns {}, dns.as_fd())];
    let role = Role::start_with(Setup::of([below(port)]), &descriptors);
    let asks = UdpSocket::bind("127.0.0.1:0").unwrap();
    for (name, alert, shown) in [
        (format!("{SECRET}.unlisted.test"), true, "*.unlisted.test"),
        (format!("{}.unlisted.test", hex(SECRET)), true, "*.unlisted.test"),
        (format!("x.{}", SECRET.replace("0123", "0.123")), true, "*"),
        (format!("x.y.{SECRET}"), true, "*"),
        ("plain.unlisted.test".to_owned(), false, "plain.unlisted.test"),
    ] {
        let kind = if alert { Kind::Alert } else { Kind::Denied };
        asks.send_to(&ask([1, 2], &name, A).unwrap(), at).unwrap();
        let event = refusal(&role);
        assert_eq!((event.kind, event.reason.as_deref(), &*event.host), (kind, Some("not-listed"), shown));
        assert_eq!(event.protocol, "dns");
        assert_eq!(role.socks(&name, port).unwrap_err(), 2);
        let event = refusal(&role);
        assert_eq!((event.kind, &*event.host, event.port), (kind, shown, port));
    }
    // In a hello for another name.
    let mut stream = role.open("c.wild.test", port);
    stream.write_all(&hello(Some(&format!("{}.unlisted.test", SECRET.to_lowercase())))).unwrap();
    let event = refusal(&role);
    assert_eq!((event.kind, event.reason.as_deref(), event.sni), (Kind::Alert, Some("name-mismatch"), None));
    let mut stream = role.open("c.wild.test", port);
    stream.write_all(&hello(Some("plain.unlisted.test"))).unwrap();
    assert_eq!(refusal(&role).sni.as_deref(), Some("plain.unlisted.test"));
    // A port that the rule does not have, for a name that it has.
    assert_eq!(role.socks(&format!("{SECRET}.wild.test"), port + 1).unwrap_err(), 2);
    assert_eq!((refusal(&role).host.as_str()), "*.wild.test");
}
