//! The published JSON Schema and the decoder know the same keys and the same words, in both directions.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use aisandbox::profile::{Context, ProfileError, load_str, schema};
use serde_json::Value;

fn errors(text: &str) -> Vec<ProfileError> {
    let person = Context {
        home: "/home/u".into(),
        pwd: "/home/u/project".into(),
        user: "u".into(),
        uid: 1000,
        env: std::collections::BTreeMap::new(),
        search: Vec::new(),
    };
    load_str("x.yaml", text, &person).err().unwrap_or_default()
}

/// A place in the format: how to write a value there, and what the schema says of it.
struct Spot {
    name: String,
    before: String,
    after: String,
    schema: Value,
}

/// Every place of the schema, the root first.
fn spots() -> Vec<Spot> {
    let mut all = Vec::new();
    let root = Spot { name: "profile".into(), before: String::new(), after: String::new(), schema: schema() };
    let mut open = vec![root];
    while let Some(spot) = open.pop() {
        let within = |name: String, before: &str, after: &str, schema: &Value| Spot {
            name,
            before: format!("{}{before}", spot.before),
            after: format!("{after}{}", spot.after),
            schema: schema.clone(),
        };
        for (key, schema) in spot.schema["properties"].as_object().into_iter().flatten() {
            open.push(within(format!("{}.{key}", spot.name), &format!("{{ {key}: "), " }", schema));
        }
        if let Some(items) = spot.schema.get("items") {
            open.push(within(format!("{}[]", spot.name), "[ ", " ]", items));
        }
        all.push(spot);
    }
    all
}

fn write(spot: &Spot, value: &str) -> String {
    format!("{}{value}{}\n", spot.before, spot.after)
}

/// The words that an error says are known, from `known here: a, b`.
fn known(text: &str, told: &str) -> Option<Vec<String>> {
    let errors = errors(text);
    let error = errors.iter().find(|error| error.message.contains(told))?;
    let words = error.hint.as_ref()?.strip_prefix("known here: ")?;
    let mut words: Vec<String> = words.split(", ").map(str::to_owned).collect();
    words.sort();
    Some(words)
}

/// The words a schema allows, in the forms that `enum` and `oneOf` of constants have.
fn words(schema: &Value) -> Option<Vec<String>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut words: Vec<String> = match (&schema["enum"], &schema["oneOf"]) {
        (Value::Array(words), _) => words.iter().filter_map(text).collect(),
        (_, Value::Array(choices)) => {
            let plain = |choice: &Value| choice["const"].as_str().map(str::to_owned);
            let listed =
                |choice: &Value| choice["enum"].as_array().into_iter().flatten().filter_map(text).collect();
            let either = |choice: &Value| plain(choice).map_or_else(|| listed(choice), |word| vec![word]);
            choices.iter().flat_map(either).collect()
        }
        _ => return None,
    };
    words.sort();
    Some(words)
}

#[test]
fn the_decoder_knows_the_keys_of_the_schema_and_no_others() {
    let mut mappings = 0;
    for spot in spots() {
        let Some(properties) = spot.schema["properties"].as_object() else { continue };
        assert_eq!(spot.schema["additionalProperties"], false, "{}", spot.name);
        let mut keys: Vec<String> = properties.keys().cloned().collect();
        keys.sort();
        let told = known(&write(&spot, "{ qqqqqqqqqqqq: 1 }"), "unknown key `qqqqqqqqqqqq`");
        assert_eq!(told, Some(keys), "{}", spot.name);
        mappings += 1;
    }
    assert!(mappings > 12, "only {mappings} mappings: the walk is broken");
}

#[test]
fn the_decoder_demands_what_the_schema_requires_and_nothing_else() {
    for spot in spots().iter().filter(|spot| spot.schema["properties"].is_object()) {
        let told: Vec<String> =
            errors(&write(spot, "{}")).iter().map(|error| error.message.clone()).collect();
        let required = spot.schema["required"].as_array().cloned().unwrap_or_default();
        for key in spot.schema["properties"].as_object().unwrap().keys() {
            let demanded = told.contains(&format!("`{key}` is missing"));
            // `version` belongs to the root, which is around every spot.
            let around = key == "version" && spot.name == "profile";
            assert_eq!(demanded, required.contains(&key.as_str().into()) || around, "{} {key}", spot.name);
        }
    }
}

#[test]
fn the_decoder_knows_the_words_of_the_schema_and_no_others() {
    let mut lists = 0;
    for spot in spots() {
        let Some(words) = words(&spot.schema) else { continue };
        assert_eq!(
            known(&write(&spot, "qqqqqqqqqqqq"), "`qqqqqqqqqqqq`"),
            Some(words.clone()),
            "{}",
            spot.name
        );
        for word in words {
            let wrong =
                errors(&write(&spot, &word)).into_iter().find(|error| error.message.contains("unknown"));
            assert_eq!(wrong, None, "{} {word}", spot.name);
        }
        lists += 1;
    }
    assert!(lists > 10, "only {lists} lists of words: the walk is broken");
}

#[test]
fn a_value_of_a_type_the_schema_refuses_is_refused() {
    for spot in spots() {
        let wrong = |value: &str, kind: &str| {
            let types = &spot.schema["type"];
            let has = |name: &str| {
                types == name || types.as_array().is_some_and(|types| types.contains(&name.into()))
            };
            let number = kind == "integer" && has("number");
            if types.is_null() || has(kind) || number {
                return;
            }
            let told = errors(&write(&spot, value));
            assert!(
                told.iter().any(|error| !error.message.ends_with("is missing")),
                "{} takes {value}",
                spot.name
            );
        };
        wrong("[ 1 ]", "array");
        wrong("{ a: 1 }", "object");
        wrong("true", "boolean");
        wrong("7", "integer");
        wrong("~", "null");
        wrong("1.5", "number");
    }
}

#[test]
fn the_schema_describes_every_key() {
    for spot in spots() {
        for (key, schema) in spot.schema["properties"].as_object().into_iter().flatten() {
            assert!(schema["description"].as_str().is_some_and(|text| text.len() > 5), "{}.{key}", spot.name);
        }
    }
}
