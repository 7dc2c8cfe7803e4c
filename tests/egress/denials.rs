//! What is refused, in which words, and that it reached no server.

use super::guardian::{Role, Setup, echo, hello, name, patient, rule, server};
use aisandbox::wire::egress::{Event, Host, Kind, Tls};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A server that counts its connections and echoes.
fn counted() -> (u16, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    let port = server(move |stream| {
        seen.fetch_add(1, Ordering::SeqCst);
        echo(stream);
    });
    (port, count)
}

fn reason(event: &Event) -> (&str, Option<&str>) {
    (event.reason.as_deref().unwrap_or_default(), event.rule.as_deref())
}

#[test]
fn what_no_rule_names_is_refused_and_what_one_names_arrives() {
    let (port, count) = counted();
    let setup = Setup::of([rule(name("a.test"), port), rule(Host::Below { name: "wild.test".into() }, port)]);
    let role = Role::start(setup.deny("test.yaml:9", name("bad.wild.test"), None));
    let rule = Some("test.yaml:1");
    for (host, at, wanted) in [
        ("b.test", port, ("not-listed", None)),
        ("a.test", port + 1, ("not-listed", None)),
        ("wild.test", port, ("not-listed", None)),
        ("a.test.evil.test", port, ("not-listed", None)),
        ("bad.wild.test", port, ("denied", Some("test.yaml:9"))),
        ("127.0.0.1", port, ("not-listed", None)),
        ("localhost", port, ("not-listed", None)),
        ("[::1]", port, ("not-listed", None)),
        ("169.254.169.254", 80, ("not-listed", None)),
        ("198.18.0.77", port, ("no-name", None)),
        ("0x7f.1", port, ("not-listed", None)),
        ("a.test\0.b", port, ("not-listed", None)),
        ("", port, ("not-listed", None)),
    ] {
        assert_eq!(role.socks(host, at).unwrap_err(), 2, "{host}:{at}");
        let event = role.event(Kind::Denied);
        assert_eq!(reason(&event), wanted, "{host}:{at}");
    }
    assert_eq!(count.load(Ordering::SeqCst), 0, "nothing was let out");
    for host in ["a.test", "A.TEST.", "c.wild.test"] {
        let mut stream = role.open(host, port);
        stream.write_all(b"\0there").unwrap();
        let mut back = [0; 6];
        stream.read_exact(&mut back).unwrap();
        assert_eq!(&back, b"\0there");
        let event = role.event(Kind::Open);
        assert_eq!((event.rule.as_deref(), event.port), (rule, port));
        assert_eq!(event.address, Some(format!("127.0.0.1:{port}")));
    }
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[test]
fn a_name_that_leads_inside_is_refused_when_it_is_connected_to() {
    let (port, count) = counted();
    let bare = |host| {
        let mut rule = rule(name(host), port);
        rule.networks.clear();
        rule
    };
    let setup = Setup::of([bare("a.test"), bare("inner.test"), bare("gone.test"), bare("form.test")]);
    let hosts = format!("{}::ffff:127.0.0.1 form.test\n", setup.hosts);
    let role = Role::start(Setup { hosts, ..setup });
    for (host, wanted) in [
        ("a.test", "address"),
        ("inner.test", "address"),
        ("form.test", "address"),
        ("gone.test", "unresolved"),
    ] {
        let mut stream = role.open(host, port);
        stream.write_all(b"\0").unwrap();
        assert!(!matches!(stream.read(&mut [0; 8]), Ok(1..)), "{host}");
        assert_eq!(reason(&role.event(Kind::Denied)), (wanted, Some("test.yaml:1")), "{host}");
    }
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[test]
fn a_hello_must_name_the_host_that_was_decided_about() {
    let (port, count) = counted();
    let mut plain = rule(name("b.test"), port);
    plain.tls = Tls::Deny;
    let role = Role::start(Setup::of([rule(name("a.test"), port), plain]));
    for (host, sni, wanted) in [
        ("a.test", Some("b.test"), "name-mismatch"),
        ("a.test", None, "no-sni"),
        ("b.test", Some("b.test"), "tls"),
    ] {
        let mut stream = role.open(host, port);
        stream.write_all(&hello(sni)).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, [21, 3, 3, 0, 2, 2, 49], "access_denied");
        drop(stream);
        let event = role.event(Kind::Denied);
        assert_eq!((reason(&event).0, event.sni.as_deref(), &*event.protocol), (wanted, sni, "tls"));
    }
    assert_eq!(count.load(Ordering::SeqCst), 0);
    let right = hello(Some("A.test"));
    let mut stream = role.open("a.test", port);
    // In two parts, as a large hello comes.
    stream.write_all(&right[..7]).unwrap();
    stream.write_all(&right[7..]).unwrap();
    let mut back = vec![0; right.len()];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(back, right);
}

#[test]
fn a_hello_that_comes_late_is_looked_at_as_well() {
    let (port, _) = counted();
    let role = Role::start(Setup::of([rule(name("a.test"), port)]));
    let mut stream = role.open("a.test", port);
    // The host is let speak first: from here on silence was given up.
    role.event(Kind::Open);
    stream.write_all(&hello(Some("b.test"))).unwrap();
    assert!(!matches!(stream.read(&mut [0; 8]), Ok(1..)), "it does not reach the echo");
    assert_eq!(reason(&role.event(Kind::Denied)).0, "name-mismatch");
}

#[test]
fn a_refused_client_of_each_protocol_reads_why() {
    let role = Role::start(Setup::default());
    let mut stream = patient(TcpStream::connect(role.connect).unwrap());
    stream.write_all(b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(answer.contains(r#""reason":"not-listed""#), "{answer}");
    let mut stream = patient(TcpStream::connect(role.connect).unwrap());
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[test]
fn a_tunnel_of_the_http_proxy_is_decided_about_and_looked_at_like_any_other() {
    let (port, count) = counted();
    let role = Role::start(Setup::of([rule(name("a.test"), port)]));
    let tunnel = |first: &[u8]| {
        let mut stream = patient(TcpStream::connect(role.connect).unwrap());
        let head = format!("CONNECT a.test:{port} HTTP/1.1\r\nHost: a.test:{port}\r\n\r\n");
        // What follows may come in one piece with the head.
        stream.write_all(&[head.as_bytes(), first].concat()).unwrap();
        let mut answer = [0; 39];
        stream.read_exact(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(b"\r\n\r\n"));
        stream
    };
    let right = hello(Some("a.test"));
    let mut back = vec![0; right.len()];
    tunnel(&right).read_exact(&mut back).unwrap();
    assert_eq!(back, right);
    let mut answer = Vec::new();
    tunnel(&hello(Some("b.test"))).read_to_end(&mut answer).unwrap();
    assert_eq!(answer, [21, 3, 3, 0, 2, 2, 49], "the hello names another host");
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[test]
fn a_connection_that_must_be_read_is_refused_when_it_cannot_be() {
    let (port, count) = counted();
    let mut read = rule(name("a.test"), port);
    read.tls = Tls::Inspect;
    let mut methods = rule(name("b.test"), port);
    methods.methods = vec!["GET".to_owned()];
    let role = Role::start(Setup::of([read, methods]));
    for host in ["a.test", "b.test"] {
        let mut stream = role.open(host, port);
        stream.write_all(b"\0binary").unwrap();
        assert!(!matches!(stream.read(&mut [0; 8]), Ok(1..)), "{host}");
        assert_eq!(reason(&role.event(Kind::Denied)).0, "unreadable", "{host}");
    }
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[test]
fn what_the_guardian_got_wrong_stops_the_launch() {
    let start = |setup| Role::try_start(setup).err();
    let mut none = rule(name("a.test"), 443);
    none.ports.clear();
    assert!(start(Setup::of([none])).unwrap().contains("no port"));
    assert!(start(Setup::of([rule(name("A.test"), 443)])).unwrap().contains("not a host"));
    let bad = |servers: &str| Setup { servers: vec![servers.to_owned()], ..Setup::default() };
    assert!(start(bad("dns.test")).unwrap().contains("not an address"));
    let parent = Setup { parent: Some("socks5://a.test:1080".to_owned()), ..Setup::default() };
    assert!(start(parent).unwrap().contains("parent proxy"));
    assert_eq!(start(Setup::default()), None);
}
