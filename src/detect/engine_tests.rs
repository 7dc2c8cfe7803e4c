//! The engine on rules of its own, on the shipped ones, and on what is hostile.

use super::*;
use crate::audit::log::typed;
use crate::audit::{Event, Record};
use crate::base::WallTime;
use crate::detect::{Level, engine, shipped};
use std::collections::BTreeSet;
use std::path::Path;

fn leaf(ts: u64, mono: u64, event: &str, data: &str) -> Vec<u8> {
    format!("{{\"v\":2,\"ts\":{ts},\"mono\":{mono},\"event\":\"{event}\",\"data\":{data}}}").into_bytes()
}

/// The records of a file, as leaves with their runs.
fn events(file: &str) -> Vec<(String, u64, Vec<u8>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/detect").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let one = |line: &str| {
        let record: Record = serde_json::from_str(line).unwrap();
        assert!(typed::<Event>(&record.event, &record.data).is_some(), "{file}: no such event: {line}");
        let ts = u64::try_from(record.time.parse::<WallTime>().unwrap().0).unwrap();
        let leaf = leaf(ts, record.boot_ms * 1_000_000, &record.event, &record.data.to_string());
        (record.run, record.seq, leaf)
    };
    text.lines().map(one).collect()
}

fn found(engine: &mut Engine, events: &[(String, u64, Vec<u8>)]) -> Vec<Finding> {
    let mut found = Vec::new();
    for (run, seq, leaf) in events {
        engine.take(run, *seq, (leaf, &[]), &mut found).unwrap();
    }
    found
}

#[test]
fn every_shipped_rule_finds_its_positive_events_and_nothing_in_its_negative_ones() {
    let engine_of = || engine(&shipped()).unwrap_or_else(|errors| panic!("{errors:#?}"));
    let about = engine_of().rules().to_vec();
    let engine = engine_of();
    let telling: BTreeSet<&str> = engine.telling().map(|about| &*about.name).collect();
    assert!(telling.len() >= 11, "{telling:?}");
    for name in telling {
        let names = |kind: &str| {
            let events = events(&format!("{name}.{kind}.jsonl"));
            let found = found(&mut engine_of(), &events);
            let of_rule: Vec<Finding> =
                found.into_iter().filter(|found| about[found.rule].name == name).collect();
            (of_rule, events)
        };
        let (positive, events) = names("positive");
        assert_eq!(positive.len(), 1, "{name}: {positive:?}");
        let (run, last, _) = events.last().unwrap();
        assert_eq!(positive[0].last, (run.clone(), *last), "{name}: the last event is what it is found by");
        assert_eq!(names("negative").0, [], "{name}");
    }
}

#[test]
fn every_file_of_events_is_of_a_rule() {
    let engine = engine(&shipped()).unwrap();
    let rules: BTreeSet<&str> = engine.rules().iter().map(|rule| &*rule.name).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/detect");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some((rule, _)) = name.split_once('.').filter(|_| name.ends_with(".jsonl")) else { continue };
        assert!(rules.contains(rule), "{name}");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/siem/sigma");
    let there = std::fs::read_dir(folder).unwrap().count();
    assert_eq!(there, shipped().len(), "every rule file is compiled in");
}

const HEAD: &str = "level: high\nlogsource: { product: aisandbox }\n";

fn plain(number: u32, name: &str, detection: &str) -> String {
    format!(
        "title: T\nid: 6f1c2b1e-0000-4000-8000-{number:012}\nname: {name}\n{HEAD}detection: {{ a: {detection}, condition: a }}\n"
    )
}

fn several(number: u32, name: &str, correlation: &str) -> String {
    format!(
        "title: T\nid: 6f1c2b1e-0000-4000-8000-{number:012}\nname: {name}\nlevel: high\ncorrelation: {{ {correlation} }}\n"
    )
}

fn of(documents: &[String]) -> Result<Engine, Vec<ProfileError>> {
    Engine::new([("x.yml", &*documents.join("---\n"))])
}

#[test]
fn a_correlation_can_be_made_of_correlations_and_its_parts_are_silent() {
    let mut engine = of(&[
        several(1, "outer", "type: temporal_ordered, rules: [inner, sent], group-by: [run], timespan: 1m"),
        several(
            2,
            "inner",
            "type: event_count, rules: [denied], group-by: [run], timespan: 1m, condition: { gte: 2 }",
        ),
        plain(3, "denied", "{ event: denial }"),
        plain(4, "sent", "{ event: network }"),
    ])
    .unwrap();
    let mut found = Vec::new();
    for (seq, event) in ["denial", "network", "denial", "network"].into_iter().enumerate() {
        let leaf = leaf(0, seq as u64 * 1_000_000_000, event, "{}");
        engine.take("r", seq as u64, (&leaf, &[]), &mut found).unwrap();
    }
    assert_eq!(found.len(), 1);
    assert_eq!((&*engine.rules()[found[0].rule].name, found[0].first.1, found[0].last.1), ("outer", 2, 3));
}

#[test]
fn rules_that_do_not_fit_together_are_refused() {
    let denied = plain(3, "denied", "{ event: denial }");
    let count = "type: event_count, rules: [nobody], timespan: 1m, condition: { gte: 2 }";
    assert!(of(&[several(1, "a", count), denied.clone()]).is_err(), "an unknown name");
    let [one, other] = ["b", "a"].map(|of| format!("type: temporal, rules: [{of}], timespan: 1m"));
    assert!(of(&[several(1, "a", &one), several(2, "b", &other)]).is_err(), "a circle");
    assert!(of(&[denied.clone(), denied.clone()]).is_err(), "one name twice");
    let many: Vec<String> = (0..=MOST_RULES as u32)
        .map(|number| plain(number, &format!("r{number}"), "{ event: denial }"))
        .collect();
    let files = |rules: &[String]| Engine::new(rules.iter().map(|rule| ("x.yml", &**rule))).map(drop);
    assert!(files(&many).is_err(), "too many");
    assert!(files(&many[1..]).is_ok());
}

#[test]
fn a_clock_that_is_set_moves_nothing_within_a_run() {
    let count = "type: event_count, rules: [denied], group-by: [run], timespan: 1m, condition: { gte: 2 }";
    let mut engine = of(&[several(1, "many", count), plain(3, "denied", "{ event: denial }")]).unwrap();
    let mut found = Vec::new();
    engine.take("r", 0, (&leaf(5_000_000_000_000, 1_000_000_000, "denial", "{}"), &[]), &mut found).unwrap();
    engine.take("r", 1, (&leaf(1, 300_000_000_000, "denial", "{}"), &[]), &mut found).unwrap();
    assert_eq!(found, [], "five minutes passed, whatever the clock says");
    engine
        .take("r", 2, (&leaf(9_000_000_000_000, 301_000_000_000, "denial", "{}"), &[]), &mut found)
        .unwrap();
    assert_eq!(found.len(), 1);
}

#[test]
fn hostile_text_of_an_event_is_only_ever_compared_and_shown_short() {
    let mut rule = plain(1, "shown", "{ event: network }");
    rule.insert_str(rule.find("level").unwrap(), "fields: [data.host]\n");
    let mut engine = of(&[rule]).unwrap();
    let hostile = format!("\\u001b]0;x\\u0007|=\\\"{}", "é".repeat(30_000));
    let mut found = Vec::new();
    engine
        .take("r", 0, (&leaf(0, 0, "network", &format!("{{\"host\":\"{hostile}\"}}")), &[]), &mut found)
        .unwrap();
    let (_, value) = &found[0].about[0];
    assert!(value.chars().count() <= 129 && value.ends_with('…'), "{value}");
    for garbage in [
        "",
        "{\"v\":2",
        "\u{0}",
        "{\"v\":2,\"ts\":99999999999999999999,\"mono\":0,\"event\":\"a\",\"data\":{}}",
    ] {
        assert_eq!(engine.take("r", 1, (garbage.as_bytes(), &[]), &mut found), Err(Unreadable));
    }
    assert_eq!(engine.take("r", 1, (&leaf(0, 0, "network", "{\"host\":"), &[]), &mut found), Err(Unreadable));
}

#[test]
fn levels_are_ordered_as_sigma_has_them() {
    let levels: Vec<Level> = Level::WORDS.iter().map(|(_, level)| *level).collect();
    assert!(levels.is_sorted());
    for (word, level) in Level::WORDS {
        assert_eq!((Level::of(word), level.word()), (Some(level), word));
    }
}
