//! Tests of both ends of a channel against each other, and against whoever stands between them.

use super::*;
use crate::wire::agent::{AgentEnd, Message, Welcomed, hello};
use crate::wire::broker::Op;
use crate::wire::codec::MOST_BYTES;
use crate::wire::frame::MOST_FRAME;

fn pair() -> (GuardianEnd, AgentEnd) {
    let (guardian, welcome) = GuardianEnd::open(ChannelId::random().unwrap(), "RUN", "token-0", 300).unwrap();
    match AgentEnd::open(&welcome).unwrap() {
        Welcomed::Open(agent) => (guardian, *agent),
        Welcomed::Full => panic!("a channel is free"),
    }
}

fn call_of(received: Result<Received, ChannelError>) -> Call {
    match received.unwrap() {
        Received::Call(call) => call,
        Received::Surplus { id } => panic!("surplus {id}"),
    }
}

#[test]
fn a_call_is_answered_under_its_number() {
    let (mut guardian, mut agent) = pair();
    assert_eq!(check_hello(&hello()), Ok(()));
    assert_eq!((agent.run(), agent.token(), agent.id()), ("RUN", "token-0", guardian.id()));
    for turn in 0..3 {
        let (id, frame) = agent.call(Op::Ping {}).unwrap();
        let call = call_of(guardian.receive(&frame));
        assert_eq!((call.id, &*call.token, call.op), (turn, "token-0", Op::Ping {}));
        let frame = guardian.answer(id, Outcome::Done {}).unwrap();
        assert_eq!(agent.receive(&frame), Ok(Message::Return(Return { id, result: Outcome::Done {} })));
        assert_eq!(guardian.answer(id, Outcome::Done {}), Err(ChannelError::NoSuchCall { id }));
    }
}

#[test]
fn a_call_waits_on_while_a_person_is_asked() {
    let (mut guardian, mut agent) = pair();
    let (id, frame) = agent.call(Op::Ping {}).unwrap();
    call_of(guardian.receive(&frame));
    let pending = Outcome::Pending { request: "8F3K-1".into(), seconds: 300 };
    agent.receive(&guardian.answer(id, pending).unwrap()).unwrap();
    assert_eq!(guardian.waiting(), 1);
    agent.receive(&guardian.answer(id, Outcome::Done {}).unwrap()).unwrap();
    assert_eq!(guardian.waiting(), 0);
}

#[test]
fn any_changed_bit_of_a_frame_is_refused_and_ends_the_channel() {
    let (_, mut agent) = pair();
    let (_, frame) = agent.call(Op::Explain { id: "d1".into() }).unwrap();
    for bit in 0..frame.len() * 8 {
        let (mut guardian, mut agent) = pair();
        let (_, mut frame) = agent.call(Op::Explain { id: "d1".into() }).unwrap();
        let good = frame.clone();
        frame[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(guardian.receive(&frame), Err(ChannelError::Frame(_))), "bit {bit}");
        assert_eq!(guardian.receive(&good), Err(ChannelError::Dead), "bit {bit}");
        assert_eq!(guardian.revoked("g"), Err(ChannelError::Dead));
    }
}

#[test]
fn what_is_wrong_is_found_in_the_order_of_the_page() {
    let (mut guardian, mut agent) = pair();
    let (_, good) = agent.call(Op::Ping {}).unwrap();
    // Each change is made on top of the ones before: the earlier check speaks.
    let (mut bad, mut told) = (good.clone(), Vec::new());
    let changes: [fn(&mut Vec<u8>); 4] =
        [|bad| bad[40] ^= 1, |bad| bad[5] = 2, |bad| bad[6] = 1, |bad| bad.push(0)];
    for change in changes {
        change(&mut bad);
        guardian.dead = false;
        told.push(guardian.receive(&bad).unwrap_err());
    }
    let order = [FrameError::Forged, FrameError::Unexpected, FrameError::Header, FrameError::Length];
    assert_eq!(told, order.map(ChannelError::Frame));
    guardian.dead = false;
    assert!(guardian.receive(&good).is_ok(), "the control");
}

#[test]
fn the_code_is_checked_before_the_order_and_the_order_before_the_payload() {
    let (mut guardian, _) = pair();
    let (key, id) = (Direction::ToGuardian.key(&guardian.secret, guardian.id, 0).unwrap(), guardian.id);
    let frame = |sequence| seal(&key, id, (Kind::Call, Direction::ToGuardian), sequence, b"no json");
    assert_eq!(guardian.receive(&frame(7)), Err(FrameError::Sequence.into()));
    guardian.dead = false;
    assert!(matches!(guardian.receive(&frame(0)), Err(ChannelError::Frame(FrameError::Payload(_)))));
    guardian.dead = false;
    let mut forged = frame(8);
    forged[30] ^= 1;
    assert_eq!(guardian.receive(&forged), Err(FrameError::Forged.into()));
}

#[test]
fn a_frame_that_is_repeated_left_out_or_moved_is_refused() {
    let frames = |agent: &mut AgentEnd| [(); 3].map(|()| agent.call(Op::Ping {}).unwrap().1);
    for order in [vec![0, 0], vec![1], vec![0, 2], vec![1, 0]] {
        let (mut guardian, mut agent) = pair();
        let frames = frames(&mut agent);
        let last = order.iter().map(|place| guardian.receive(&frames[*place])).last().unwrap();
        let wrong = if order == [1, 0] { ChannelError::Dead } else { FrameError::Sequence.into() };
        assert_eq!(last, Err(wrong), "{order:?}");
    }
}

#[test]
fn a_frame_of_another_channel_or_sent_back_is_refused() {
    let ((mut one, mut agent), (mut other, mut stranger)) = (pair(), pair());
    let (id, frame) = agent.call(Op::Ping {}).unwrap();
    assert_eq!(other.receive(&frame), Err(FrameError::Forged.into()));
    call_of(one.receive(&frame));
    let answer = one.answer(id, Outcome::Done {}).unwrap();
    assert_eq!(one.receive(&answer), Err(FrameError::Unexpected.into()), "reflected to the Guardian");
    assert_eq!(stranger.receive(&answer), Err(FrameError::Forged.into()));
    assert_eq!(agent.receive(&frame), Err(FrameError::Unexpected.into()), "reflected to the agent");
}

#[test]
fn a_frame_that_says_it_came_from_the_other_side_has_the_wrong_key() {
    let (mut guardian, mut agent) = pair();
    let (_, frame) = agent.call(Op::Ping {}).unwrap();
    call_of(guardian.receive(&frame));
    let mut answer = guardian.answer(0, Outcome::Done {}).unwrap();
    (answer[5], answer[7]) = (1, 0);
    assert_eq!(guardian.receive(&answer), Err(FrameError::Forged.into()));
}

#[test]
fn a_number_in_use_is_refused_and_can_be_used_again_later() {
    let (mut guardian, mut agent) = pair();
    let (id, first) = agent.call(Op::Ping {}).unwrap();
    call_of(guardian.receive(&first));
    guardian.answer(id, Outcome::Done {}).unwrap();
    agent.next_call_for_test(id);
    call_of(guardian.receive(&agent.call(Op::Ping {}).unwrap().1));
    agent.next_call_for_test(id);
    assert_eq!(guardian.receive(&agent.call(Op::Ping {}).unwrap().1), Err(ChannelError::InUse { id }));
}

#[test]
fn a_call_too_many_is_told_apart() {
    let (mut guardian, mut agent) = pair();
    for _ in 0..MOST_CALLS {
        call_of(guardian.receive(&agent.call(Op::Ping {}).unwrap().1));
    }
    let (id, frame) = agent.call(Op::Ping {}).unwrap();
    assert_eq!(guardian.receive(&frame), Ok(Received::Surplus { id }));
    guardian.answer(id, Outcome::Done {}).unwrap();
    assert_eq!(guardian.waiting(), MOST_CALLS);
}

#[test]
fn the_keys_change_with_a_rotation_in_both_directions() {
    let (mut guardian, mut agent) = pair();
    let (_, early) = agent.call(Op::Ping {}).unwrap();
    let rotated = guardian.rotated("token-1", 300).unwrap();
    let after = guardian.revoked("g1").unwrap();
    call_of(guardian.receive(&early)); // it was on its way
    assert!(agent.receive(&rotated).is_ok());
    assert_eq!(agent.token(), "token-1");
    assert_eq!(agent.receive(&after), Ok(Message::Event(Event::Revoked { grant: "g1".into() })));
    assert_eq!(&*call_of(guardian.receive(&agent.call(Op::Ping {}).unwrap().1)).token, "token-1");
    let old = Direction::ToGuardian.key(&guardian.secret, guardian.id, 0).unwrap();
    let late = seal(&old, guardian.id, (Kind::Call, Direction::ToGuardian), 2, b"{}");
    assert_eq!(guardian.receive(&late), Err(FrameError::Forged.into()), "the old key is gone");
}

#[test]
fn an_agent_that_says_nothing_can_be_told_of_many_rotations() {
    let (mut guardian, mut agent) = pair();
    let told: Vec<Vec<u8>> =
        (0..100).map(|turn| guardian.rotated(&format!("token-{turn}"), 300).unwrap()).collect();
    for frame in &told {
        agent.receive(frame).unwrap();
    }
    assert_eq!((agent.token(), guardian.epoch), ("token-99", 1));
    call_of(guardian.receive(&agent.call(Op::Ping {}).unwrap().1));
    agent.receive(&guardian.rotated("last", 300).unwrap()).unwrap();
    assert_eq!(guardian.epoch, 2);
    call_of(guardian.receive(&agent.call(Op::Ping {}).unwrap().1));
}

#[test]
fn an_epoch_that_jumps_is_refused() {
    let (mut guardian, mut agent) = pair();
    let event = |epoch| Event::Rotated { epoch, token: "t".into(), seconds: 1 };
    let frame = guardian.send(Kind::Event, &event(2)).unwrap();
    assert_eq!(agent.receive(&frame), Err(FrameError::Sequence.into()));
}

#[test]
fn a_hello_is_twenty_fixed_bytes() {
    let good = hello();
    for bit in 0..good.len() * 8 {
        let mut bad = good;
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(check_hello(&bad).is_err(), "bit {bit}");
    }
    assert!(check_hello(&good[..19]).is_err() && check_hello(&[&good[..], &[0]].concat()).is_err());
    assert!(check_hello(b"").is_err());
}

#[test]
fn a_full_run_is_no_open_channel_and_a_bad_welcome_is_none_at_all() {
    assert!(matches!(AgentEnd::open(&full()), Ok(Welcomed::Full)));
    let (_, welcome) = GuardianEnd::open(ChannelId([7; 16]), "RUN", "t", 1).unwrap();
    let text = String::from_utf8_lossy(&welcome[HEADER_BYTES..]).into_owned();
    assert!(text.contains("07070707"));
    for (from, to) in [("0707", "07G7"), ("\"secret\":\"", "\"secret\":\"0"), ("{", "[")] {
        let payload = text.replacen(from, to, 1);
        let header = header(Kind::Welcome, Direction::ToAgent, payload.len(), 0);
        assert!(AgentEnd::open(&[&header[..], payload.as_bytes()].concat()).is_err(), "{payload}");
    }
}

#[test]
fn the_longest_frame_is_accepted_and_a_longer_one_is_not_made() {
    let (mut guardian, mut agent) = pair();
    let (_, empty) = agent.call(Op::Append { path: "/a".into(), text: String::new() }).unwrap();
    call_of(guardian.receive(&empty));
    let room = MOST_FRAME - empty.len();
    let text = |bytes| Op::Append { path: "/a".into(), text: "x".repeat(bytes) };
    let (_, frame) = agent.call(text(room)).unwrap();
    assert_eq!(frame.len(), MOST_FRAME);
    call_of(guardian.receive(&frame));
    assert!(matches!(agent.call(text(room + 1)), Err(ChannelError::Frame(FrameError::Payload(_)))));
    let long = vec![0u8; MOST_BYTES + 1];
    let (guardian2, _) = pair();
    let frame = seal(&guardian2.incoming, guardian2.id, (Kind::Call, Direction::ToGuardian), 0, &long);
    let mut guardian2 = guardian2;
    assert_eq!(guardian2.receive(&frame), Err(FrameError::Length.into()));
}

#[test]
fn ten_thousand_mutations_of_a_frame_are_refused() {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    let (mut guardian, mut agent) = pair();
    let (_, good) = agent.call(Op::Explain { id: "d".repeat(50) }).unwrap();
    for turn in 0..10_000 {
        let mut bad = good.clone();
        for _ in 0..=random(3) {
            match random(4) {
                0 => bad.truncate(random(bad.len() + 1)),
                1 => bad.insert(random(bad.len() + 1), u8::try_from(random(256)).unwrap()),
                2 if !bad.is_empty() => drop(bad.remove(random(bad.len()))),
                _ if !bad.is_empty() => {
                    let at = random(bad.len());
                    bad[at] = u8::try_from(random(256)).unwrap();
                }
                _ => {}
            }
        }
        if bad != good {
            assert!(guardian.receive(&bad).is_err(), "turn {turn}: {}", bad.escape_ascii());
            guardian.dead = false;
        }
    }
    call_of(guardian.receive(&good));
}
