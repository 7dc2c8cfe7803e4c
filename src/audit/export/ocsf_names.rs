//! What goes out as OCSF has only names that OCSF has, of the right types, and all that it requires.
//!
//! `schema/ocsf.json` holds the names of OCSF 1.9.0-dev, as far as exports use them.

use super::golden::{context, item};
use super::samples::all;
use super::{Format, line};
use serde_json::Value;

/// Says what is wrong with an object by the names of its class or type.
fn wrong(names: &Value, known: &Value, object: &Value, at: &str, found: &mut Vec<String>) {
    let Some(fields) = object.as_object() else { return found.push(format!("{at} is no object")) };
    for (name, value) in fields {
        let at = format!("{at}.{name}");
        match known["attributes"][name].as_str() {
            None => found.push(format!("{at} is not in OCSF")),
            Some(kind) => of_kind(names, kind.trim_end_matches('!'), value, &at, found),
        }
    }
    for (name, kind) in known["attributes"].as_object().unwrap() {
        if kind.as_str().unwrap().ends_with('!') && !fields.contains_key(name) {
            found.push(format!("{at} lacks {name}"));
        }
    }
    let one_of = known["one_of"].as_array().unwrap();
    if !one_of.is_empty() && !one_of.iter().any(|name| fields.contains_key(name.as_str().unwrap())) {
        found.push(format!("{at} has none of {one_of:?}"));
    }
}

fn of_kind(names: &Value, kind: &str, value: &Value, at: &str, found: &mut Vec<String>) {
    if let Some(one) = kind.strip_suffix("[]") {
        let Some(items) = value.as_array() else { return found.push(format!("{at} is no list")) };
        return items.iter().for_each(|item| of_kind(names, one, item, at, found));
    }
    let right = match kind {
        "any" => true,
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "boolean" => value.is_boolean(),
        object => return wrong(names, &names["objects"][object], value, at, found),
    };
    if !right {
        found.push(format!("{at} is no {kind}"));
    }
}

#[test]
fn every_sample_is_an_event_of_ocsf() {
    let names: Value = serde_json::from_str(include_str!("../../../schema/ocsf.json")).unwrap();
    for (name, leaf) in all() {
        let event: Value =
            serde_json::from_str(&line(Format::Ocsf, &item(&leaf), context()).unwrap()).unwrap();
        let class = event["class_uid"].to_string();
        let mut found = Vec::new();
        wrong(&names, &names["classes"][&class], &event, "", &mut found);
        let activities = names["activities"][&class].as_array().unwrap();
        assert!(activities.contains(&event["activity_id"]), "{name}: activity {}", event["activity_id"]);
        let known = names["classes"][&class]["profiles"].as_array().unwrap();
        for profile in event["metadata"]["profiles"].as_array().unwrap() {
            assert!(known.contains(profile), "{name}: {profile}");
        }
        assert!(found.is_empty(), "{name}: {found:#?}");
    }
}

#[test]
fn the_check_of_names_finds_what_is_wrong() {
    let names: Value = serde_json::from_str(include_str!("../../../schema/ocsf.json")).unwrap();
    let (_, leaf) = all().into_iter().find(|(name, _)| name == "denial").unwrap();
    let good: Value = serde_json::from_str(&line(Format::Ocsf, &item(&leaf), context()).unwrap()).unwrap();
    let spoil: [fn(&mut Value); 4] = [
        |event| event["file"]["colour"] = "red".into(),
        |event| event["time"] = "now".into(),
        |event| drop(event.as_object_mut().unwrap().remove("file")),
        |event| event["device"] = serde_json::json!({ "type_id": 0 }),
    ];
    for spoil in spoil {
        let (mut event, mut found) = (good.clone(), Vec::new());
        spoil(&mut event);
        wrong(&names, &names["classes"]["1001"], &event, "", &mut found);
        assert!(!found.is_empty(), "{event}");
    }
}
