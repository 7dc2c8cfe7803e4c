//! Streams within their bounds, and answers within theirs.

use super::super::edit::Edit;
use super::super::finding::{Finding, Unscannable};
use super::super::rule::Rules;
use super::super::stream::Step;
use super::super::{Options, classify};
use super::*;
use crate::crypto::Secret;
use crate::wire::dlp::Act;
use std::sync::Arc;

fn engine() -> Engine {
    let key = Arc::new(Secret::take(&mut [7; 32]).unwrap());
    Engine::new(Rules::shipped().unwrap(), Options::new(key, classify::score))
}

fn streams(engine: &Engine, most_bytes: usize) -> Streams<'_> {
    Streams { engine, held: HashMap::new(), bytes: 0, most_bytes, open: 0 }
}

fn finding(start: u64, end: u64, action: Act) -> Finding {
    Finding {
        kind: "email".into(),
        rule: "email".into(),
        value_hash: "00".repeat(8),
        start,
        end,
        decoded_from: vec!["base64"; 4],
        action,
        length: 8,
        confidence: 1.0,
        value: None,
    }
}

fn edit(start: u64, end: u64) -> Edit {
    Edit { start, end, with: b"[AIS:email:0000]".to_vec(), token: false }
}

fn word(told: &FromDlp) -> Option<&str> {
    let FromDlp::Step { unscannable, .. } = told else { panic!("{told:?}") };
    unscannable.as_deref()
}

#[test]
fn what_all_streams_hold_back_has_an_end_and_comes_back() {
    let engine = engine();
    let mut streams = streams(&engine, 600_000);
    let piece = vec![b'Q'; 60_000];
    let content = |stream, last| Content { stream, last, bytes: &piece };
    for stream in 0..3 {
        streams.open(stream, false).unwrap();
    }
    let mut full = None;
    for round in 0..20 {
        for stream in 0..3 {
            let told = streams.feed(content(stream, false)).unwrap();
            assert!(streams.bytes <= streams.most_bytes, "round {round}");
            if word(&told).is_some() {
                full.get_or_insert(stream);
                assert_eq!(word(&told), Some("too-large"));
            }
        }
    }
    let full = full.expect("one has to be given up");
    // It stays given up, and what it held is free.
    assert_eq!(word(&streams.feed(content(full, true)).unwrap()), Some("too-large"));
    assert_eq!(streams.feed(content(full, false)).unwrap_err(), Errno::EBADMSG, "it has ended");
    for stream in 0..3 {
        streams.take(ToDlp::Close { stream }).unwrap();
    }
    assert_eq!((streams.bytes, streams.open, streams.held.len()), (0, 0, 0));
}

#[test]
fn a_stream_that_could_not_be_looked_into_is_not_looked_into_any_more() {
    let engine = engine();
    let mut streams = streams(&engine, MOST_HELD);
    streams.open(1, false).unwrap();
    let locked = b"PK\x03\x04\x14\0\x01\0\x08\0".repeat(400);
    let told = streams.feed(Content { stream: 1, last: false, bytes: &locked }).unwrap();
    assert_eq!(word(&told), Some("encrypted"));
    assert_eq!((streams.bytes, streams.open), (0, 0), "nothing is held for it");
    let FromDlp::Step { release_to: before, .. } = told else { panic!() };
    let told = streams.feed(Content { stream: 1, last: true, bytes: b"card 4556 7375 8689 9855" }).unwrap();
    let FromDlp::Step { findings, release_to, unscannable, .. } = told else { panic!() };
    assert_eq!((findings.len(), release_to, unscannable.as_deref()), (0, before, Some("encrypted")));
}

#[test]
fn more_streams_than_can_be_looked_into_are_unread_and_far_more_are_refused() {
    let engine = engine();
    let mut streams = streams(&engine, MOST_HELD);
    for stream in 0..MOST_NUMBERS as u64 {
        streams.open(stream, false).unwrap();
    }
    assert_eq!(streams.open(9999, false), Err(Errno::EBADMSG));
    let late = MOST_STREAMS as u64;
    let told = streams.feed(Content { stream: late, last: true, bytes: b"x" }).unwrap();
    assert_eq!(word(&told), Some("too-many-streams"));
    streams.take(ToDlp::Close { stream: 0 }).unwrap();
    streams.take(ToDlp::Close { stream: late }).unwrap();
    streams.open(9999, false).unwrap();
    let told = streams.feed(Content { stream: 9999, last: true, bytes: b"x" }).unwrap();
    assert_eq!(word(&told), None, "there is room again");
}

#[test]
fn an_edit_that_cannot_be_made_whole_stops_everything() {
    let one =
        |findings, edits, blocked| answer(1, 10, Step { release_to: 100, findings, edits, blocked }, false);
    let redact = |start, end| finding(start, end, Act::Redact);
    // Made as it is told, and made longer for a second finding in it.
    let FromDlp::Step { edits, release_to, .. } =
        one(vec![redact(20, 30), redact(25, 40)], vec![edit(20, 30)], None)
    else {
        panic!()
    };
    assert_eq!((release_to, edits.len(), edits[0].start, edits[0].end), (100, 1, 20, 40));
    for (name, findings, edits, blocked) in [
        ("went out", vec![redact(5, 15)], vec![edit(5, 15)], None),
        ("not released", vec![redact(90, 110)], vec![edit(90, 110)], None),
        ("no edit", vec![redact(20, 30)], vec![], None),
        ("out of order", vec![], vec![edit(30, 40), edit(20, 25)], None),
        ("unscannable", vec![redact(20, 30)], vec![edit(20, 30)], Some(Unscannable::TooDeep)),
    ] {
        let FromDlp::Step { release_to, edits, findings, unscannable, .. } = one(findings, edits, blocked)
        else {
            panic!()
        };
        assert_eq!((release_to, edits.len()), (10, 0), "{name}");
        assert!(unscannable.is_some(), "{name}");
        assert!(findings.iter().any(|finding| finding.act == Act::Block), "{name}");
    }
    assert_eq!(word(&one(vec![], vec![], Some(Unscannable::TooMuchWork))), Some("too-much-work"));
}

#[test]
fn of_too_many_findings_the_strictest_are_told() {
    let mut findings: Vec<Finding> = (0..5000).map(|at| finding(at * 10, at * 10 + 8, Act::Log)).collect();
    findings.push(Finding { kind: "canary".into(), ..finding(60_000, 60_010, Act::Block) });
    findings.push(finding(60_020, 60_030, Act::Ask));
    let step = Step { release_to: 70_000, findings, edits: vec![], blocked: None };
    let told = answer(1, 0, step.clone(), false);
    assert!(encode(&told).is_ok());
    let FromDlp::Step { findings, release_to: 70_000, unscannable: None, .. } = told else { panic!() };
    assert_eq!(findings.len(), 64);
    assert_eq!(findings.iter().filter(|finding| finding.critical).count(), 1);
    assert!(findings.iter().any(|finding| finding.act == Act::Ask));
    assert!(findings.is_sorted_by_key(|finding| finding.start));
    // More questions than can be told: nobody could say yes to all.
    let findings = (0..5000).map(|at| finding(at * 10, at * 10 + 8, Act::Ask)).collect();
    let FromDlp::Step { findings, .. } = answer(1, 0, Step { findings, ..step }, false) else { panic!() };
    assert!(findings.len() <= 64 && findings.iter().any(|finding| finding.act == Act::Block));
}
