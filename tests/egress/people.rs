//! Questions to a person, grants, attribution, and ports that lead inside.

use super::guardian::{Role, Setup, echo, name, rule, server};
use aisandbox::sys::{diag, net};
use aisandbox::wire::egress::{Carried, Deny, FromEgress, Kind, Rule, ToEgress};
use aisandbox::wire::subject::{Asker, Process};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;

fn asked(port: u16) -> Rule {
    Rule { ask: true, ..rule(name("a.test"), port) }
}

fn grant(role: &Role, id: u64, grant: &str, host: &str, port: u16) {
    role.say(&ToEgress::Grant { grant: grant.to_owned(), host: host.to_owned(), port }, None);
    role.say(&ToEgress::Answer { id, grant: Some(grant.to_owned()), reason: None }, None);
}

/// Opens a connection while the test answers as the Guardian.
fn open_while<T>(role: &Role, port: u16, answer: impl FnOnce(u64) -> T) -> (Result<TcpStream, u8>, T) {
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| role.socks("a.test", port));
        let answered = loop {
            match role.hear() {
                Some(FromEgress::Ask { id, host, port: at, .. }) => {
                    assert_eq!((&*host, at), ("a.test", port));
                    break answer(id);
                }
                Some(FromEgress::Event { .. }) => {}
                other => panic!("{other:?}"),
            }
        };
        (opening.join().unwrap(), answered)
    })
}

fn echoes(stream: &mut TcpStream) -> bool {
    stream.write_all(b"\0x").and_then(|()| stream.read_exact(&mut [0; 2])).is_ok()
}

#[test]
fn a_connection_waits_for_a_person_lives_by_the_grant_and_ends_with_it() {
    let port = server(echo);
    let role = Role::start(Setup::of([asked(port)]));
    let (stream, ()) = open_while(&role, port, |id| grant(&role, id, "g1", "a.test", port));
    let mut stream = stream.unwrap();
    assert!(echoes(&mut stream));
    let mut second = role.open("a.test", port);
    assert!(echoes(&mut second), "the grant still holds: nobody is asked again");
    role.say(&ToEgress::Revoke { grant: "g1".to_owned() }, None);
    for mut ended in [stream, second] {
        assert!(!matches!(ended.read(&mut [0; 2]), Ok(1..)), "it is aborted");
    }
    assert_eq!(role.event(Kind::Close).reason.as_deref(), Some("revoked"));
    let (again, ()) = open_while(&role, port, |id| {
        let reason = Some("timeout".to_owned());
        role.say(&ToEgress::Answer { id, grant: None, reason }, None);
    });
    assert_eq!(again.unwrap_err(), 2, "it is asked anew");
    assert_eq!(role.event(Kind::Denied).reason.as_deref(), Some("timeout"));
}

#[test]
fn a_grant_never_opens_what_no_rule_asks_about() {
    let port = server(echo);
    let role = Role::start(Setup::of([asked(port)]).deny("test.yaml:9", name("b.test"), None));
    for (grant, host, at) in [("g1", "b.test", port), ("g2", "a.test", port + 1), ("g3", "c.test", port)] {
        role.say(&ToEgress::Grant { grant: grant.to_owned(), host: host.to_owned(), port: at }, None);
        assert_eq!(role.socks(host, at).unwrap_err(), 2, "{host}:{at}");
    }
    // A yes that names a grant for something else is none.
    let (stream, ()) = open_while(&role, port, |id| {
        role.say(&ToEgress::Answer { id, grant: Some("g1".to_owned()), reason: None }, None);
    });
    assert_eq!(stream.unwrap_err(), 2);
}

#[test]
fn a_rule_that_denies_ends_what_goes_on() {
    let port = server(echo);
    let role = Role::start(Setup::of([rule(name("a.test"), port)]));
    let mut stream = role.open("a.test", port);
    assert!(echoes(&mut stream));
    let rule = Deny { id: "later".to_owned(), host: name("a.test"), port: None };
    role.say(&ToEgress::Deny { rule }, None);
    assert!(!matches!(stream.read(&mut [0; 2]), Ok(1..)));
    assert_eq!(role.socks("a.test", port).unwrap_err(), 2);
}

#[test]
fn a_rule_for_programs_waits_for_the_guardian_and_an_unknown_one_matches_none() {
    let port = server(echo);
    let mut only = rule(name("a.test"), port);
    only.programs = vec!["ab".repeat(32)];
    let socket = diag::open().unwrap();
    let role = Role::start_with(Setup::of([only]), &[(Carried::Diag {}, socket.as_fd())]);
    let known = |pid, digest: Option<String>| Process { pid, program: "/bin/x".into(), sha256: digest };
    for (answer, wanted) in [
        (Some(known(7, Some("ab".repeat(32)))), true),
        (Some(known(7, Some("cd".repeat(32)))), false),
        (Some(known(7, None)), false),
        (Some(known(0, Some("ab".repeat(32)))), false),
        (None, false),
    ] {
        let opened = std::thread::scope(|scope| {
            let opening = scope.spawn(|| role.socks("a.test", port));
            let inode = loop {
                match role.hear() {
                    Some(FromEgress::Who { id, inode }) => {
                        if let Some(process) = answer.clone() {
                            let asker = Asker { process, parents: Vec::new() };
                            role.say(&ToEgress::Known { id, asker }, None);
                        }
                        break inode;
                    }
                    Some(FromEgress::Event { .. }) => {}
                    other => panic!("{other:?}"),
                }
            };
            assert_ne!(inode, 0);
            opening.join().unwrap()
        });
        assert_eq!(opened.is_ok(), wanted, "{answer:?}");
    }
}

#[test]
fn a_published_port_leads_to_the_port_inside_while_there_are_sockets_for_it() {
    let inside = server(echo);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let socket = net::unconnected(false).unwrap();
    let publish = Carried::Publish { inside };
    let descriptors = [(publish, listener.as_fd()), (Carried::Inward {}, socket.as_fd())];
    let role = Role::start_with(Setup::default(), &descriptors);
    drop(socket);
    let mut stream = super::guardian::patient(TcpStream::connect(at).unwrap());
    assert!(echoes(&mut stream));
    let mut second = super::guardian::patient(TcpStream::connect(at).unwrap());
    assert!(!echoes(&mut second), "no socket is left");
    assert_eq!(role.event(Kind::Denied).reason.as_deref(), Some("not-available"));
    let more = net::unconnected(false).unwrap();
    role.say(&ToEgress::Take { what: Carried::Inward {} }, Some(more.as_fd()));
    drop(more);
    super::guardian::wait_until("it has the new one", || {
        let mut third = super::guardian::patient(TcpStream::connect(at).unwrap());
        echoes(&mut third)
    });
}
