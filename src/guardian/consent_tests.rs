//! Tests of the questions that wait: who shows them, and whose answer counts.

use super::consent::{Consent, Kind};
use crate::wire::consent::{Question, Show};
use crate::wire::subject::{Asker, Resource};
use std::time::Duration;

const TERMINAL: u64 = 1;
const NOTIFICATION: u64 = 2;
const UI: u64 = 3;
const NOW: Duration = Duration::from_secs(10);
const LATER: Duration = Duration::from_secs(300);

fn question(id: &str) -> Question {
    Question {
        id: id.to_owned(),
        run: String::new(),
        profile: String::new(),
        chain: Vec::new(),
        asker: Asker::default(),
        actions: Vec::new(),
        resource: Resource::File { path: "/d".to_owned() },
        object: None,
        why: None,
        upload: None,
        lease_s: None,
        asked_at: 0,
        until: 0,
        policy: None,
    }
}

fn asked(sends: &[(u64, Show)]) -> Vec<(u64, String)> {
    let id = |show: &Show| match show {
        Show::Ask { question, .. } => question.id.clone(),
        Show::Withdraw { id } => format!("-{id}"),
        Show::Alert { alert } => format!("!{}", alert.id),
    };
    sends.iter().map(|(way, show)| (*way, id(show))).collect()
}

fn with_ways(order: &[Kind], ways: &[(u64, Kind)]) -> Consent {
    let mut consent = Consent::new(order.to_vec());
    for (id, kind) in ways {
        consent.attach(*id, *kind);
    }
    consent
}

#[test]
fn without_a_way_nobody_is_asked() {
    let mut consent = with_ways(&[Kind::Terminal], &[]);
    assert!(!consent.ask(1, question("A"), "n".into(), LATER));
    let mut waits = with_ways(&[Kind::Ui], &[]);
    assert!(waits.ask(1, question("A"), "n".into(), LATER), "with `ui` it waits for `approve`");
}

#[test]
fn the_first_way_of_the_profile_asks_and_the_next_when_it_cannot() {
    let ways = [(TERMINAL, Kind::Terminal), (NOTIFICATION, Kind::Notification)];
    let mut consent = with_ways(&[Kind::Notification, Kind::Terminal], &ways);
    assert!(consent.ask(1, question("A"), "n".into(), LATER));
    assert_eq!(asked(&consent.next_shows()), [(NOTIFICATION, "A".to_owned())]);
    assert_eq!(consent.unable(NOTIFICATION, "A"), None);
    assert_eq!(asked(&consent.next_shows()), [(TERMINAL, "A".to_owned())]);
    assert_eq!(consent.unable(TERMINAL, "A"), Some(1), "nobody is left");
}

#[test]
fn a_way_shows_one_question_at_a_time() {
    let mut consent = with_ways(&[Kind::Terminal], &[(TERMINAL, Kind::Terminal)]);
    consent.ask(1, question("A"), "n".into(), LATER);
    consent.ask(2, question("B"), "m".into(), LATER);
    assert_eq!(asked(&consent.next_shows()), [(TERMINAL, "A".to_owned())]);
    assert_eq!(asked(&consent.next_shows()), []);
    assert_eq!(asked(&consent.close(1)), [(TERMINAL, "-A".to_owned())]);
    assert_eq!(asked(&consent.next_shows()), [(TERMINAL, "B".to_owned())]);
}

#[test]
fn an_answer_counts_only_from_who_shows_the_question_and_with_its_nonce() {
    let ways = [(TERMINAL, Kind::Terminal), (UI, Kind::Ui)];
    let mut consent = with_ways(&[Kind::Terminal, Kind::Ui], &ways);
    consent.ask(1, question("A"), "n".into(), LATER);
    assert_eq!(consent.answer(TERMINAL, "A", "n", NOW), None, "it was not shown yet");
    assert_eq!(consent.next_shows().len(), 2);
    assert_eq!(consent.answer(TERMINAL, "A", "m", NOW), None);
    assert_eq!(consent.answer(TERMINAL, "B", "n", NOW), None);
    assert_eq!(consent.answer(9, "A", "n", NOW), None);
    consent.visible(UI, "A", Duration::from_secs(4));
    let (heard, kind) = consent.answer(UI, "A", "n", NOW).unwrap();
    assert_eq!((heard.request, heard.shown, kind), (1, Some(Duration::from_secs(6)), Kind::Ui));
    assert_eq!(asked(&consent.close(1)), [(TERMINAL, "-A".to_owned()), (UI, "-A".to_owned())]);
    assert_eq!(consent.answer(TERMINAL, "A", "n", NOW), None, "the first answer won");
}

#[test]
fn a_way_that_goes_leaves_its_question_to_the_next() {
    let ways = [(TERMINAL, Kind::Terminal), (NOTIFICATION, Kind::Notification)];
    let mut consent = with_ways(&[Kind::Terminal, Kind::Notification], &ways);
    consent.ask(1, question("A"), "n".into(), LATER);
    assert_eq!(asked(&consent.next_shows()), [(TERMINAL, "A".to_owned())]);
    consent.detach(TERMINAL);
    assert_eq!(asked(&consent.next_shows()), [(NOTIFICATION, "A".to_owned())]);
    consent.detach(NOTIFICATION);
    assert_eq!(consent.unreachable(), [1]);
}

#[test]
fn a_question_ends_when_its_time_is_over() {
    let mut consent = with_ways(&[Kind::Ui], &[]);
    consent.ask(1, question("A"), "n".into(), NOW);
    assert_eq!(consent.next_deadline(), Some(NOW));
    assert_eq!(consent.overdue(NOW - Duration::from_millis(1)), [0; 0]);
    assert_eq!(consent.overdue(NOW), [1]);
}

#[test]
fn a_reason_that_comes_later_is_shown_and_an_answer_to_what_stood_there_before_is_none() {
    let mut consent = with_ways(&[Kind::Terminal, Kind::Ui], &[(TERMINAL, Kind::Terminal)]);
    assert!(consent.ask(1, question("A"), "old".into(), LATER));
    assert_eq!(asked(&consent.next_shows()), [(TERMINAL, "A".into())]);
    consent.visible(TERMINAL, "A", NOW);
    assert_eq!(asked(&consent.explain(1, "the totals".into(), "new".into())), [(TERMINAL, "-A".into())]);
    assert_eq!(consent.answer(TERMINAL, "A", "old", NOW), None, "nothing is on the screen now");
    let shown = consent.next_shows();
    let [(TERMINAL, Show::Ask { question, nonce })] = &shown[..] else { panic!("{shown:?}") };
    assert_eq!((question.why.as_deref(), nonce.as_str()), (Some("the totals"), "new"));
    assert_eq!(consent.answer(TERMINAL, "A", "old", NOW), None, "an answer to the one before");
    let (heard, _) = consent.answer(TERMINAL, "A", "new", NOW).unwrap();
    assert_eq!(heard.shown, None, "how long it was seen counts anew");
    assert_eq!(asked(&consent.explain(7, "w".into(), "n".into())), []);
}
