//! `schema/events/`: a sample of each event as the log has it, and what it becomes elsewhere.
//!
//! `BLESS=1 cargo test --lib golden` writes the files; otherwise they are compared.

use super::samples::{RUN, all, value};
use super::{Context, Format, Item, line};
use crate::audit::Event;
use crate::audit::log::{Found, Opening, Salted, encode_event, typed};
use crate::audit::schema;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::LazyLock;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schema/events")
}

/// What a run's first events say, with the identity of a device, which no sample can sign.
pub(super) fn context() -> &'static Context {
    static CONTEXT: LazyLock<Context> = LazyLock::new(learned);
    &CONTEXT
}

fn learned() -> Context {
    let mut context = Context::new(RUN);
    for (_, leaf) in all() {
        context.learn(&item(&leaf).record);
    }
    context.device = Some("d0".repeat(32));
    context
}

pub(super) fn item(leaf: &str) -> Item<'_> {
    Item::of(RUN, &Found { index: 42, bytes: leaf.as_bytes(), opening: Opening::None })
}

const ENDS: [(Format, &str); 4] = [
    (Format::Ocsf, "ocsf.json"),
    (Format::Cef, "cef"),
    (Format::Ecs, "ecs.json"),
    (Format::Otlp, "otlp.json"),
];

#[test]
fn golden_samples_are_what_is_exported() {
    let mut wanted = Vec::new();
    for (name, leaf) in all() {
        let item = item(&leaf);
        wanted.push((format!("{name}.json"), format!("{leaf}\n")));
        for (format, end) in ENDS {
            wanted.push((format!("{name}.{end}"), line(format, &item, context()).unwrap() + "\n"));
        }
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::remove_dir_all(folder()).ok();
        std::fs::create_dir_all(folder()).unwrap();
        wanted.iter().for_each(|(name, text)| std::fs::write(folder().join(name), text).unwrap());
    }
    let there: BTreeSet<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(there, wanted.iter().map(|(name, _)| name.clone()).collect());
    for (name, text) in wanted {
        let kept = std::fs::read_to_string(folder().join(&name)).unwrap();
        assert!(kept == text, "{name} is old: BLESS=1 cargo test --lib golden\n{kept}{text}");
    }
}

#[test]
fn every_event_has_a_sample_with_every_field() {
    let names: BTreeSet<String> = all().iter().map(|(_, leaf)| item(leaf).record.event).collect();
    assert_eq!(names, schema::events().iter().map(|event| event.name.to_owned()).collect());
    for event in schema::events() {
        let mut missing: BTreeSet<&str> = event.fields.iter().map(|field| field.path.as_str()).collect();
        for (_, leaf) in all().iter().filter(|(_, leaf)| item(leaf).record.event == event.name) {
            missing.retain(|path| !has(&value(leaf)["data"], path));
        }
        assert!(missing.is_empty(), "{}: no sample has {missing:?}", event.name);
    }
}

fn has(data: &serde_json::Value, path: &str) -> bool {
    let Some((first, rest)) = path.split_once('.') else { return reach(data, path, None) };
    reach(data, first, Some(rest))
}

fn reach(data: &serde_json::Value, step: &str, rest: Option<&str>) -> bool {
    if step == "*" {
        return data.as_object().is_some_and(|fields| !fields.is_empty());
    }
    let name = step.trim_end_matches("[]");
    let mut values: Vec<&serde_json::Value> = data.get(name).into_iter().collect();
    for _ in 0..(step.len() - name.len()) / 2 {
        values = values.into_iter().filter_map(|value| value.as_array()).flatten().collect();
    }
    values.into_iter().any(|value| match rest {
        Some(rest) => has(value, rest),
        None => !value.is_null(),
    })
}

/// What is personal is beside the leaf, and what is beside it makes it whole.
#[test]
fn no_personal_value_of_any_event_is_in_its_leaf() {
    let mut split = 0;
    for (name, sample) in all() {
        let whole = value(&sample);
        let Some(event) = typed::<Event>(whole["event"].as_str().unwrap(), &whole["data"]) else { continue };
        let encoded = encode_event(&event).unwrap();
        let leaf: serde_json::Value = serde_json::from_slice(&encoded.leaf).unwrap();
        let known = schema::event(event.name()).unwrap();
        let mut personal = known.fields.iter().filter(|field| field.class == schema::Class::Personal);
        let left: Vec<_> = personal.clone().filter(|field| has_text(&leaf["data"], &field.path)).collect();
        assert!(left.is_empty(), "{name}: {left:?} in {leaf}");
        let any = personal.any(|field| has_text(&whole["data"], &field.path));
        assert_eq!((any, leaf.get("sd").is_some()), (any, any), "{name}");
        split += usize::from(any);
        let opening = Salted::of(&encoded.opening).map_or(Opening::None, Opening::Open);
        let found = Found { index: 0, bytes: &encoded.leaf, opening };
        assert_eq!(found.leaf().unwrap().data, whole["data"], "{name}");
        assert_eq!(found.leaf().unwrap().sd, None);
    }
    assert!(split > 20, "{split}");
}

/// A place of this path says something: no null, no empty text or list.
fn has_text(data: &serde_json::Value, path: &str) -> bool {
    use serde_json::Value;
    let says = |value: &Value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    };
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    if first == "*" {
        return says(data);
    }
    let name = first.trim_end_matches("[]");
    let mut values: Vec<&Value> = data.get(name).into_iter().collect();
    for _ in 0..(first.len() - name.len()) / 2 {
        values = values.into_iter().filter_map(Value::as_array).flatten().collect();
    }
    values.into_iter().any(|value| rest.map_or_else(|| says(value), |rest| has_text(value, rest)))
}

#[test]
fn every_sample_is_of_its_json_schema() {
    for (title, schema) in [("leaf", schema::json_schema()), ("record", schema::record_schema())] {
        let check = jsonschema::validator_for(&schema).unwrap();
        for (name, leaf) in all() {
            let is_leaf = title == "leaf";
            let shown =
                if is_leaf { value(&leaf) } else { serde_json::to_value(item(&leaf).record).unwrap() };
            let wrong: Vec<String> = check.iter_errors(&shown).map(|error| error.to_string()).collect();
            assert!(wrong.is_empty(), "{title} {name}: {wrong:?}");
            if let Some(event) = typed::<Event>(shown["event"].as_str().unwrap(), &shown["data"]) {
                let split = value(str::from_utf8(&encode_event(&event).unwrap().leaf).unwrap());
                assert!(!is_leaf || check.is_valid(&split), "{name} {split}");
            }
            let mut other = shown;
            other["data"]["password"] = "x".into();
            other["event"] = "made_up".into();
            assert!(!check.is_valid(&other), "{title} {name}");
        }
    }
}

#[test]
fn every_ocsf_type_of_the_table_is_one_that_comes_out_and_no_other() {
    let mut seen: BTreeSet<(String, u64)> = BTreeSet::new();
    for (_, leaf) in all() {
        let item = item(&leaf);
        let text = line(Format::Ocsf, &item, context()).unwrap();
        let event: serde_json::Value = serde_json::from_str(&text).unwrap();
        let type_uid = event["type_uid"].as_u64().unwrap();
        assert_eq!(
            event["class_uid"].as_u64().unwrap() * 100 + event["activity_id"].as_u64().unwrap(),
            type_uid
        );
        seen.insert((item.record.event, type_uid));
    }
    for event in schema::events() {
        let known: BTreeSet<u64> = event.ocsf.iter().map(|type_uid| u64::from(*type_uid)).collect();
        let out: BTreeSet<u64> =
            seen.iter().filter(|(name, _)| name == event.name).map(|(_, type_uid)| *type_uid).collect();
        assert!(out.is_subset(&known) && !out.is_empty(), "{}: {out:?}", event.name);
    }
}
