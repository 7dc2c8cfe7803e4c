//! The broker's protocol between two ends: our own client, and a Python program written from aisandbox-broker(7) alone.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod python;
mod sender;
mod stand_in;

use aisandbox::cli::broker::{Broker, BrokerError, Heard};
use aisandbox::sys::socket;
use aisandbox::wire::broker::{Event, Op, Outcome};
use aisandbox::wire::denial::Reason;
use aisandbox::wire::frame::MOST_FRAME;
use aisandbox::wire::limit::{MOST_CALLS, MOST_CHANNELS};
use aisandbox::wire::subject::{Action, Resource};
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

fn door() -> (OwnedFd, std::thread::JoinHandle<stand_in::Seen>) {
    let (guardian, agent) = socket::message_pair().unwrap();
    (agent, stand_in::serve(guardian))
}

fn request(path: &str) -> Op {
    let resource = Resource::File { path: path.into() };
    Op::Request { actions: vec![Action::Read], resource, why: "because".into(), traceparent: None }
}

fn call(broker: &mut Broker, op: Op) -> Outcome {
    broker.call(op, &mut |_, _| {}).unwrap().0
}

#[test]
fn a_request_is_pending_first_and_granted_later_under_new_keys() {
    let (agent, guardian) = door();
    let mut broker = Broker::by_door(agent.as_fd()).unwrap();
    assert_eq!(broker.end().run(), stand_in::RUN);
    assert_eq!(call(&mut broker, Op::Ping {}), Outcome::Done {});
    let mut asked = Vec::new();
    let (outcome, _) = broker
        .call(request("/granted/a"), &mut |request, seconds| asked.push((request.to_owned(), seconds)))
        .unwrap();
    assert!(matches!(outcome, Outcome::Granted { seconds: Some(60), .. }), "{outcome:?}");
    assert_eq!(asked, [("8F3K-1".to_owned(), 300)]);
    assert_eq!(call(&mut broker, Op::Ping {}), Outcome::Done {}, "after a rotation of the keys");
    drop((broker, agent));
    let seen = guardian.join().unwrap();
    assert_eq!((seen.calls, seen.malformed, seen.reasons), (3, 0, vec!["because".to_owned()]));
}

#[test]
fn opened_files_come_with_the_answer_in_their_order() {
    let folder = std::env::temp_dir().join(format!("aisandbox-broker-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    fs::write(path("one"), "1").unwrap();
    fs::write(path("two"), "2").unwrap();
    let (agent, _guardian) = door();
    let mut broker = Broker::by_door(agent.as_fd()).unwrap();
    let op = Op::Open { paths: vec![path("one"), path("none"), path("two")], action: Action::Read };
    let (outcome, descriptors) = broker.call(op, &mut |_, _| {}).unwrap();
    assert!(
        matches!(outcome, Outcome::Opened { opened, denials } if opened == [true, false, true] && denials.len() == 1)
    );
    let texts: Vec<String> = descriptors
        .into_iter()
        .map(|descriptor| {
            let mut text = String::new();
            File::from(descriptor).read_to_string(&mut text).unwrap();
            text
        })
        .collect();
    assert_eq!(texts, ["1", "2"]);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn programs_that_share_the_door_have_a_channel_each() {
    let (agent, guardian) = door();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut broker = Broker::by_door(agent.as_fd()).unwrap();
                for _ in 0..50 {
                    assert_eq!(call(&mut broker, Op::Ping {}), Outcome::Done {});
                }
            });
        }
    });
    drop(agent);
    assert_eq!(guardian.join().unwrap().calls, 400);
}

#[test]
fn the_channels_of_a_run_have_an_end_and_a_closed_one_makes_room() {
    let (agent, _guardian) = door();
    let mut many: Vec<Broker> = (0..MOST_CHANNELS).map(|_| Broker::by_door(agent.as_fd()).unwrap()).collect();
    assert!(matches!(Broker::by_door(agent.as_fd()), Err(BrokerError::Full)));
    many.pop();
    assert_eq!(call(&mut many[0], Op::Ping {}), Outcome::Done {});
    // A program that another test is starting right now may hold a copy of the closed one for a moment.
    let made_room = (0..10_000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        Broker::by_door(agent.as_fd()).is_ok()
    });
    assert!(made_room);
}

#[test]
fn calls_sent_in_one_go_are_answered_in_their_order() {
    let (agent, _guardian) = door();
    let mut broker = Broker::by_door(agent.as_fd()).unwrap();
    let ids: Vec<u32> = (0..MOST_CALLS * 2).map(|_| broker.send(Op::Ping {}).unwrap()).collect();
    for id in ids {
        assert!(matches!(broker.hear().unwrap(), Heard::Answer(answer, _) if answer.id == id));
    }
}

#[test]
fn another_token_is_refused_and_a_bad_path_is_no_end_of_the_channel() {
    let (agent, guardian) = door();
    let mut broker = Broker::by_door(agent.as_fd()).unwrap();
    let refused = |outcome| match outcome {
        Outcome::Denied { denial } => denial.reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(call(&mut broker, request("/granted/../etc"))), Reason::Protocol);
    broker.end().use_token("another".into());
    assert_eq!(refused(call(&mut broker, Op::Ping {})), Reason::Token);
    broker.end().use_token("the-token".into());
    assert_eq!(call(&mut broker, Op::Ping {}), Outcome::Done {});
    drop((broker, agent));
    assert_eq!(guardian.join().unwrap().malformed, 0);
}

#[test]
fn the_first_malformed_message_ends_its_channel_and_no_other() {
    let (agent, guardian) = door();
    let mut other = Broker::by_door(agent.as_fd()).unwrap();
    let mut broker = Broker::by_door(agent.as_fd()).unwrap();
    socket::send(broker.descriptor(), b"AIS1 not a frame", None, true).unwrap();
    assert!(matches!(broker.call(Op::Ping {}, &mut |_, _| {}), Err(BrokerError::Ended)));
    assert_eq!(call(&mut other, Op::Ping {}), Outcome::Done {});
    drop((broker, other, agent));
    assert_eq!(guardian.join().unwrap().malformed, 1);
}

#[test]
fn an_event_is_heard_and_followed() {
    let (agent, _guardian) = door();
    let mut broker = Broker::by_door(agent.as_fd()).unwrap();
    broker.send(request("/granted/b")).unwrap();
    let heard: Vec<Heard> = (0..3).map(|_| broker.hear().unwrap()).collect();
    assert!(matches!(&heard[1], Heard::Event(Event::Rotated { epoch: 1, .. })), "{heard:?}");
}

#[test]
fn a_datagram_that_does_not_fit_ends_its_channel() {
    let (agent, guardian) = door();
    let mut broker = Broker::by_door(agent.as_fd()).unwrap();
    assert_eq!(call(&mut broker, Op::Ping {}), Outcome::Done {});
    let (_, mut frame) = broker.end().call(Op::Ping {}).unwrap();
    frame.resize(MOST_FRAME + 2, 0);
    // The kernel cuts it to what fits, and says so apart: what is left must not be looked at.
    socket::send(broker.descriptor(), &frame, None, true).unwrap();
    assert!(matches!(broker.hear(), Err(BrokerError::Ended)));
    drop((broker, agent));
    let seen = guardian.join().unwrap();
    assert_eq!((seen.calls, seen.malformed), (1, 1));
}

#[test]
fn a_pushed_descriptor_ends_its_channel_and_stays_with_nobody() {
    let (agent, guardian) = door();
    let mut broker = Broker::by_door(agent.as_fd()).unwrap();
    let (mut read, write) = std::io::pipe().unwrap();
    let (_, frame) = broker.end().call(Op::Ping {}).unwrap();
    socket::send(broker.descriptor(), &frame, Some(write.as_fd()), true).unwrap();
    drop(write);
    assert!(matches!(broker.hear(), Err(BrokerError::Ended)));
    assert_eq!(read.read(&mut [0; 1]).unwrap(), 0, "no writer is left");
    drop((broker, agent));
    assert_eq!(guardian.join().unwrap().malformed, 1);
}

/// Trap: who made a pair of sockets is who SO_PEERCRED names, whoever writes. It proves nothing about an agent.
#[test]
fn the_credentials_of_a_socket_pair_are_those_of_its_maker() {
    let (ours, theirs) = socket::message_pair().unwrap();
    let mut child = std::process::Command::new("printf").arg("x").stdout(theirs).spawn().unwrap();
    assert!(child.wait().unwrap().success());
    let (length, _) = socket::receive(ours.as_fd(), &mut [0; 8], true).unwrap();
    let named = aisandbox::sys::local::credentials(ours.as_fd()).unwrap().pid;
    assert_eq!((length, named), (1, std::process::id() as i32));
    assert_ne!(named, child.id() as i32);
}
