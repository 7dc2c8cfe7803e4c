//! The published schema of the broker and the codec know the same messages: whatever the codec takes satisfies the
//! schema, and whatever the types can say passes both.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use aisandbox::wire::broker::{Allowed, Call, Event, Less, Op, Outcome, Return, Welcome};
use aisandbox::wire::codec::{decode, encode};
use aisandbox::wire::denial::{Denial, Reason};
use aisandbox::wire::schema::broker;
use aisandbox::wire::session::Given;
use aisandbox::wire::subject::{Action, Resource};
use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// The schema of one message alone.
fn validator(name: &str) -> Validator {
    let mut schema = broker();
    schema.as_object_mut().unwrap().remove("oneOf");
    schema["$ref"] = format!("#/$defs/{name}").into();
    jsonschema::validator_for(&schema).unwrap()
}

static CALL: LazyLock<Validator> = LazyLock::new(|| validator("Call"));
static ANY: LazyLock<Validator> = LazyLock::new(|| jsonschema::validator_for(&broker()).unwrap());

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), Just("/a/b".to_owned()), Just("\u{202e}\0\"\\".to_owned())]
}

fn action() -> impl Strategy<Value = Action> {
    prop::sample::select(Action::ALL.map(|(action, _)| action).to_vec())
}

fn resource() -> impl Strategy<Value = Resource> {
    prop_oneof![
        text().prop_map(|path| Resource::File { path }),
        text().prop_map(|path| Resource::Program { path }),
        text().prop_map(|name| Resource::Device { name }),
        (text(), any::<u16>()).prop_map(|(host, port)| Resource::Host { host, port }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let actions = prop::collection::vec(action(), 0..4);
    let texts = || prop::collection::vec(text(), 0..4);
    let allowed = (action(), resource()).prop_map(|(action, resource)| Allowed { action, resource });
    let less = (texts(), texts(), any::<bool>(), any::<bool>(), any::<Option<u64>>()).prop_map(
        |(read_only, hidden, no_network, no_requests, seconds)| Less {
            read_only,
            hidden,
            no_network,
            no_requests,
            seconds,
        },
    );
    prop_oneof![
        Just(Op::Ping {}),
        Just(Op::List {}),
        Just(Op::Renew {}),
        (actions, resource(), text(), proptest::option::of(text())).prop_map(
            |(actions, resource, why, traceparent)| Op::Request { actions, resource, why, traceparent }
        ),
        (texts(), action()).prop_map(|(paths, action)| Op::Open { paths, action }),
        (text(), text()).prop_map(|(path, text)| Op::Append { path, text }),
        (texts(), proptest::option::of(text()), less).prop_map(|(argv, chdir, less)| Op::Spawn {
            argv,
            chdir,
            less
        }),
        (text(), text(), text(), text()).prop_map(|(program, argv, environment, chdir)| Op::Transition {
            program,
            argv,
            environment: environment.as_str().into(),
            chdir
        }),
        any::<(u32, i32)>().prop_map(|(call, number)| Op::Signal { call, number }),
        text().prop_map(|id| Op::Explain { id }),
        text().prop_map(|grant| Op::Release { grant }),
        (prop::collection::vec(allowed, 0..4), any::<u64>())
            .prop_map(|(allowed, seconds)| Op::Attenuate { allowed, seconds }),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    (any::<u32>(), text(), op()).prop_map(|(id, token, op)| Call { id, token: token.into(), op })
}

/// What is put in the place of a value.
fn other() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(null),
        json!(0),
        json!(1.0),
        json!(-1),
        json!(u64::MAX),
        json!(true),
        json!(""),
        json!("read"),
        json!([]),
        json!({}),
        json!({"ping": {}}),
        json!({"read": null}),
        json!({"file": {"path": "/a"}}),
        json!(["/a"]),
        json!([["read", {"file": {"path": "/a"}}]]),
    ])
}

/// Every place of a value: how to reach it.
fn places(value: &Value, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, value)| places(value, &format!("{here}/{key}"), found))
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(at, value)| places(value, &format!("{here}/{at}"), found));
        }
        _ => {}
    }
}

/// One change: a value replaced, a field taken away, a field added, a struct written as an array.
fn change(message: &mut Value, place: usize, kind: u8, other: Value) {
    let mut found = Vec::new();
    places(message, "", &mut found);
    let target = message.pointer_mut(&found[place % found.len()]).unwrap();
    match (kind % 4, &mut *target) {
        (0, Value::Object(map)) => {
            let key = map.keys().nth(place % map.len().max(1)).cloned();
            if let Some(key) = key {
                map.shift_remove(&key);
            }
        }
        (1, Value::Object(map)) => drop(map.insert("evil".into(), other)),
        (2, Value::Object(map)) => *target = map.values().cloned().collect(),
        _ => *target = other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_the_types_say_passes_the_schema_and_the_codec(call in call()) {
        let bytes = encode(&call).unwrap();
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        prop_assert!(CALL.is_valid(&value), "{value}");
        prop_assert!(ANY.is_valid(&value), "{value}");
        prop_assert_eq!(decode::<Call>(&bytes), Ok(call));
    }

    #[test]
    fn what_the_codec_takes_satisfies_the_schema(
        call in call(),
        changes in prop::collection::vec((any::<usize>(), any::<u8>(), other()), 1..4),
    ) {
        let mut value = serde_json::to_value(&call).unwrap();
        for (place, kind, other) in changes {
            change(&mut value, place, kind, other);
        }
        let taken = decode::<Call>(&serde_json::to_vec(&value).unwrap()).is_ok();
        prop_assert!(!taken || CALL.is_valid(&value), "the codec takes what the schema refuses: {value}");
        // The other way round a number such as 1.0 is an integer to the schema, and none to the codec; and the schema has
        // no largest number.
        let text = value.to_string();
        let exact = !text.contains("1.0") && !text.contains(&u64::MAX.to_string());
        prop_assert!(taken || !exact || !CALL.is_valid(&value), "the schema takes more: {value}");
    }
}

#[test]
fn a_changed_call_is_sometimes_still_one_and_mostly_not() {
    let mut value = json!({"id": 1, "token": "t", "op": {"request": {"actions": ["read"], "resource": {"file": {"path": "/a"}}, "why": ""}}});
    assert!(decode::<Call>(&serde_json::to_vec(&value).unwrap()).is_ok() && CALL.is_valid(&value));
    value["op"]["request"]["why"] = json!("read");
    assert!(decode::<Call>(&serde_json::to_vec(&value).unwrap()).is_ok(), "a change can be harmless");
    value["op"]["request"]["evil"] = json!(1);
    assert!(!CALL.is_valid(&value));
}

#[test]
fn what_the_guardian_says_satisfies_the_schema() {
    let denial = Denial {
        id: "d1".into(),
        reason: Reason::Ceiling,
        detail: String::new(),
        what: "read /a".into(),
        at: 1,
    };
    let outcomes = [
        Outcome::Done {},
        Outcome::Pending { request: "8F3K-1".into(), seconds: 300 },
        Outcome::Granted { grant: "8F3K-g1".into(), seconds: None, how: Given::Mount },
        Outcome::Opened { opened: vec![true, false], denials: vec![denial.clone()] },
        Outcome::Spawned { run: "R".into() },
        Outcome::Ended { code: 255 },
        Outcome::Token { token: "t".into(), seconds: 60 },
        Outcome::Explained { denial: denial.clone(), hint: String::new() },
        Outcome::Denied { denial },
    ];
    for result in outcomes {
        let value = serde_json::to_value(Return { id: 7, result }).unwrap();
        assert!(validator("Return").is_valid(&value) && ANY.is_valid(&value), "{value}");
        assert!(!CALL.is_valid(&value));
    }
    let events =
        [Event::Revoked { grant: "g".into() }, Event::Rotated { epoch: 1, token: "t".into(), seconds: 300 }];
    for event in events {
        let value = serde_json::to_value(event).unwrap();
        assert!(validator("Event").is_valid(&value) && ANY.is_valid(&value), "{value}");
    }
    let welcome = Welcome {
        run: "R".into(),
        channel: "00".into(),
        secret: "00".into(),
        token: "t".into(),
        seconds: 300,
    };
    assert!(validator("Welcome").is_valid(&serde_json::to_value(welcome).unwrap()));
}
