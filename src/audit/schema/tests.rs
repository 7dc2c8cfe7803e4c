//! The table and the types say the same, both ways.

use super::*;
use std::collections::{BTreeMap, BTreeSet};

fn of_types() -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    for mut variant in json_schema::variants() {
        let name = json_schema::name_of(&variant).expect("a variant has a name").to_owned();
        let mut paths = BTreeSet::new();
        let data = variant.pointer_mut("/properties/data").expect("and data");
        json_schema::each_value(data, "", &mut |path, _| {
            paths.insert(path.to_owned());
        });
        assert!(found.insert(name.clone(), paths).is_none(), "{name} comes twice");
    }
    found
}

#[test]
fn every_event_and_field_of_the_types_is_in_the_table_and_no_other() {
    let types = of_types();
    let table: BTreeMap<String, BTreeSet<String>> = events()
        .iter()
        .map(|event| (event.name.to_owned(), event.fields.iter().map(|field| field.path.clone()).collect()))
        .collect();
    assert!(types.len() >= 30, "{} events were found: are the types still read?", types.len());
    assert_eq!(types.keys().collect::<Vec<_>>(), table.keys().collect::<Vec<_>>());
    for (name, fields) in types {
        assert_eq!(fields, table[&name], "{name}");
    }
    let rows: usize = events().iter().map(|event| event.fields.len()).sum();
    let distinct: usize = table.values().map(BTreeSet::len).sum();
    assert_eq!(rows, distinct, "a field is said twice");
}

#[test]
fn what_must_never_be_stored_has_no_field() {
    assert!(events().iter().flat_map(|event| &event.fields).all(|field| field.class < Class::Secret));
}

#[test]
fn every_value_in_the_schema_says_who_may_read_it() {
    for mut variant in json_schema::variants() {
        let name = json_schema::name_of(&variant).expect("a variant has a name").to_owned();
        json_schema::each_value(&mut variant["properties"]["data"], "", &mut |path, value| {
            let classes = Class::ALL.map(Class::word);
            assert!(
                classes.contains(&value["x-class"].as_str().unwrap_or_default()),
                "{name} {path}: {value}"
            );
        });
    }
}

#[test]
fn a_pointer_finds_the_class_of_its_field_and_of_what_is_around_it() {
    assert_eq!(class_of("request", "/who/process/pid"), Class::Internal);
    assert_eq!(class_of("request", "/who/parents/0/sha256"), Class::Public);
    assert_eq!(class_of("request", "/who"), Class::Internal);
    assert_eq!(class_of("request", ""), Class::Personal);
    assert_eq!(class_of("network", "/findings/3/1"), Class::Public);
    assert_eq!(class_of("run_end", "/denied/~1home~1u~1.ssh"), Class::Personal);
    assert_eq!(class_of("device.end", "/how/recovered/cut"), Class::Public);
    assert_eq!(class_of("grant", "scope"), Class::Public);
}

#[test]
fn what_is_not_known_is_withheld() {
    for (name, pointer) in [
        ("request", "/who/process/environment"),
        ("request", "/who/parents/x/sha256"),
        ("grant", "/scope/0"),
        ("nothing", "/scope"),
        ("network", "/findings//1"),
    ] {
        assert_eq!(class_of(name, pointer), Class::Personal, "{name} {pointer}");
    }
}

#[test]
fn what_others_call_an_event_can_be_said() {
    for event in events() {
        let (low, high) = event.cef.severity;
        assert!(low <= high && high <= 10 && event.version >= 1, "{}", event.name);
        assert!(!event.ocsf.is_empty() && !event.ecs.types.is_empty(), "{}", event.name);
        assert!(
            event.meaning.ends_with('.') && event.meaning.len() <= 100,
            "{}: {}",
            event.name,
            event.meaning
        );
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        assert!(plain(event.cef.name) && !event.cef.name.contains(['|', '\\', '=']), "{}", event.name);
        for type_uid in event.ocsf {
            assert!((1000..10_000).contains(&(type_uid / 100)), "{}: {type_uid}", event.name);
        }
        let own = ["log.", "device.", "forward."].iter().any(|start| event.name.starts_with(start));
        assert_eq!(own, event.durability == Durability::Meta, "{}", event.name);
    }
}

#[test]
fn the_names_of_the_log_are_those_of_the_table() {
    for name in ["run_start", "network", "log.start", "device.end"] {
        assert!(event(name).is_some(), "{name}");
    }
    assert!(event("unreadable").is_none());
}
