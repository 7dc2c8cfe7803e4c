//! The JSON Schema of leaves and records, made from the types that are written and read.
//!
//! Never written by hand: a field that an event has is in it, and none besides. Each value carries who may read it.

use super::event;
use crate::audit::Forwarded;
use crate::audit::event::Event;
use crate::audit::log::{Before, Cut, Entry, Own};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";
/// The word that carries a value's class.
const CLASS: &str = "x-class";

/// The schema (draft 2020-12) of a leaf, as it is hashed.
pub fn json_schema() -> Value {
    let leaf = json!({
        "v": { "type": "integer", "const": 2, "description": "Version of the leaf." },
        "ts": { "type": "integer", "minimum": 0, "description": "Nanoseconds since 1970, UTC." },
        "mono": { "type": "integer", "minimum": 0, "description": "Nanoseconds of CLOCK_BOOTTIME." },
    });
    schema("aisandbox audit leaf, version 2", leaf)
}

/// The schema of a record, as `audit show --json` and `audit export` print it: a leaf with its place.
pub fn record_schema() -> Value {
    let record = json!({
        "v": { "type": "integer", "const": 2, "description": "Version of the leaf." },
        "seq": { "type": "integer", "minimum": 0, "description": "Its index in the log, from 0." },
        "time": { "type": "string", "format": "date-time", "description": "Wall time, RFC 3339 in UTC." },
        "boot_ms": { "type": "integer", "minimum": 0, "description": "Milliseconds of CLOCK_BOOTTIME." },
        "run": { "type": "string", "description": "The run." },
        "span": hex_of(8, "The W3C span it is in; of a request, a lease, a connection, an agent, or the run."),
        "parent": hex_of(8, "The span around that, within the run."),
    });
    schema("aisandbox audit record, version 2", record)
}

fn hex_of(bytes: u8, meaning: &str) -> Value {
    json!({ "type": "string", "pattern": format!("^[0-9a-f]{{{}}}$", bytes * 2), "description": meaning })
}

fn schema(title: &str, head: Value) -> Value {
    let required: Vec<String> =
        head.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    let required = required.iter().filter(|name| *name != "parent");
    let required: Vec<&str> = required.map(String::as_str).chain(["event", "data"]).collect();
    let mut properties = Map::new();
    properties.extend(head.as_object().cloned().unwrap_or_default());
    properties.insert("event".to_owned(), json!({ "type": "string" }));
    properties.insert("data".to_owned(), json!({ "type": "object" }));
    properties.insert("cut".to_owned(), of::<Cut>());
    properties.insert(
        "sd".to_owned(),
        json!({
            "type": "object",
            "description": "Commitments to fields that are not here; `data` is that to all that is personal.",
            "additionalProperties": { "type": "string", "pattern": "^[A-Za-z0-9_-]{43}$" },
        }),
    );
    json!({
        "$schema": DRAFT,
        "title": title,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
        "oneOf": variants().into_iter().map(relaxed).collect::<Vec<_>>(),
    })
}

/// One schema for each event, with its name as a constant: every type that a log holds, and what forwarders say.
pub(super) fn variants() -> Vec<Value> {
    let all = [of::<Event>(), of::<Own>(), of::<Entry>(), of::<Before>(), of::<Forwarded>()];
    let mut found: Vec<Value> =
        all.iter().filter_map(|schema| schema.get("oneOf")?.as_array()).flatten().cloned().collect();
    found.iter_mut().for_each(annotate);
    found
}

fn relaxed(mut variant: Value) -> Value {
    relax(&mut variant);
    variant
}

/// Whether a value, or each that it is made of, is personal.
fn is_personal(value: &Value) -> bool {
    let each = [value.get("items"), value.get("additionalProperties")];
    let parts = value.get("prefixItems").and_then(Value::as_array);
    value.get(CLASS).is_some_and(|class| class == "personal")
        || each.into_iter().flatten().any(is_personal)
        || parts.is_some_and(|parts| !parts.is_empty() && parts.iter().all(is_personal))
}

/// What is personal need not be there: it is beside the leaf, and may be withheld.
fn relax(schema: &mut Value) {
    let names: Vec<String> = match schema.get("properties").and_then(Value::as_object) {
        Some(fields) => {
            fields.iter().filter(|(_, field)| is_personal(field)).map(|(name, _)| name.clone()).collect()
        }
        None => Vec::new(),
    };
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| !names.iter().any(|personal| name == personal));
    }
    match schema {
        Value::Object(fields) => fields.values_mut().for_each(relax),
        Value::Array(items) => items.iter_mut().for_each(relax),
        _ => {}
    }
}

fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut generator: SchemaGenerator = settings.into_generator();
    T::json_schema(&mut generator).to_value()
}

/// The name of the event that a variant is of.
pub(super) fn name_of(variant: &Value) -> Option<&str> {
    variant.pointer("/properties/event/const")?.as_str()
}

fn annotate(variant: &mut Value) {
    let Some(known) = name_of(variant).and_then(event) else { return };
    let version = known.version;
    if let Some(fields) = variant.as_object_mut() {
        fields.insert("x-version".to_owned(), version.into());
        fields.insert("x-durability".to_owned(), known.durability.word().into());
    }
    let Some(data) = variant.pointer_mut("/properties/data") else { return };
    each_value(data, "", &mut |path, value| {
        let class = known.fields.iter().find(|field| field.path == path).map(|field| field.class.word());
        if let (Some(class), Some(fields)) = (class, value.as_object_mut()) {
            fields.insert(CLASS.to_owned(), class.into());
        }
    });
}

/// Calls with the path of each place that holds a value by itself, and its schema.
pub(super) fn each_value(schema: &mut Value, path: &str, each: &mut dyn FnMut(&str, &mut Value)) {
    let Some(words) = schema.as_object_mut() else { return };
    let mut inner = false;
    for (word, below) in words.iter_mut() {
        match (word.as_str(), below) {
            ("properties", Value::Object(fields)) => {
                inner = true;
                for (name, field) in fields {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    each_value(field, &path, each);
                }
            }
            ("items", items @ Value::Object(_)) => {
                inner = true;
                each_value(items, &format!("{path}[]"), each);
            }
            ("prefixItems", Value::Array(items)) => {
                inner = true;
                items.iter_mut().for_each(|item| each_value(item, &format!("{path}[]"), each));
            }
            ("additionalProperties", values @ Value::Object(_)) => {
                inner = true;
                each_value(values, &format!("{path}.*"), each);
            }
            ("anyOf" | "oneOf" | "allOf", Value::Array(ways)) => {
                inner = true;
                ways.iter_mut().for_each(|way| each_value(way, path, each));
            }
            _ => {}
        }
    }
    let nothing = words.get("type").is_some_and(|kind| kind == "null" || kind == "object");
    if !inner && !nothing && !path.is_empty() {
        each(path, schema);
    }
}
