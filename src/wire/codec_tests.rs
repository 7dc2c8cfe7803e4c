//! Tests of the codec: each hole of serde is shown to be there, and not here.

use super::*;
use crate::wire::broker::{Allowed, Call, Less, Op, Return, Welcome};
use crate::wire::session::Command;
use crate::wire::subject::{Action, Resource};
use serde::Deserialize;

fn call(op: &str) -> String {
    format!("{{\"id\":1,\"token\":\"t\",\"op\":{op}}}")
}

fn is_call(text: &str) -> bool {
    decode::<Call>(text.as_bytes()).is_ok()
}

/// serde alone takes it: what makes the test above it mean something.
fn serde_takes<T: DeserializeOwned>(text: &str) -> bool {
    serde_json::from_str::<T>(text).is_ok()
}

#[test]
fn what_is_encoded_comes_back() {
    let op = Op::Request {
        actions: vec![Action::Read, Action::Append],
        resource: Resource::Host { host: "a\"\u{202e}\\".into(), port: 443 },
        why: "because\n".into(),
        traceparent: Some("00-\u{7}".into()),
    };
    let sent = Call { id: u32::MAX, token: "".into(), op };
    assert_eq!(decode::<Call>(&encode(&sent).unwrap()), Ok(sent));
    let less = Less { seconds: Some(u64::MAX), hidden: vec!["/a".into()], ..Less::default() };
    let spawn =
        Call { id: 0, token: "t".into(), op: Op::Spawn { argv: vec!["sh".into()], chdir: None, less } };
    assert_eq!(decode::<Call>(&encode(&spawn).unwrap()), Ok(spawn));
}

#[test]
fn an_array_is_no_struct_at_any_depth() {
    let open = r#"{"open":{"paths":["/x"],"action":"read"}}"#;
    assert!(is_call(&call(open)), "the control");
    for bad in [
        format!("[1,\"t\",{open}]"),
        call(r#"{"open":[["/x"],"read"]}"#),
        call(r#"{"request":{"actions":["read"],"resource":{"file":["/x"]},"why":""}}"#),
        call(r#"{"attenuate":{"allowed":[["read",{"file":{"path":"/x"}}]],"seconds":60}}"#),
        call(r#"{"spawn":{"argv":["a"],"chdir":null,"less":[[],[],false,false,null]}}"#),
    ] {
        assert!(serde_takes::<Call>(&bad), "serde's hole: {bad}");
        assert!(!is_call(&bad), "{bad}");
    }
    let answer = r#"{"answer":{"id":"a","answer":{"allow":[{"once":{}}]}}}"#;
    assert!(serde_takes::<Command>(answer) && decode::<Command>(answer.as_bytes()).is_err());
    let boxed = r#"{"id":1,"result":{"denied":[["d","token","","",0]]}}"#;
    assert!(serde_takes::<Return>(boxed) && decode::<Return>(boxed.as_bytes()).is_err());
}

#[test]
fn an_unknown_field_is_refused_even_where_a_type_forgot_to() {
    #[derive(Debug, Deserialize)]
    struct Forgot {
        #[expect(dead_code, reason = "read by serde alone")]
        a: u32,
    }
    assert!(decode::<Forgot>(br#"{"a":1}"#).is_ok());
    let extra = r#"{"a":1,"evil":1}"#;
    assert!(serde_takes::<Forgot>(extra) && decode::<Forgot>(extra.as_bytes()).is_err());
    for bad in [call(r#"{"ping":{"evil":1}}"#), call(r#"{"ping":{},"evil":{}}"#), call(r#"{"evil":{}}"#)] {
        assert!(!is_call(&bad), "{bad}");
    }
    assert!(!is_call(r#"{"id":1,"token":"t","op":{"ping":{}},"evil":1}"#));
}

#[test]
fn types_whose_unknown_fields_serde_cannot_refuse_are_no_messages() {
    #[derive(Debug, Deserialize)]
    #[serde(tag = "t", deny_unknown_fields)]
    enum Tagged {
        Ping,
    }
    let evil = r#"{"t":"Ping","evil":1}"#;
    assert!(matches!(serde_json::from_str(evil), Ok(Tagged::Ping)), "serde's hole");
    assert!(decode::<Tagged>(evil.as_bytes()).is_err());
    assert!(decode::<Tagged>(br#"{"t":"Ping"}"#).is_err(), "such a type is found at its first test");
    assert!(decode::<serde_json::Value>(b"{}").is_err(), "a free value would keep the last of equal keys");
    assert!(decode::<std::collections::BTreeMap<String, u8>>(br#"{"a":1,"a":2}"#).is_err());
}

#[test]
fn a_word_is_a_word_and_nothing_else() {
    let open = |action: &str| call(&format!("{{\"open\":{{\"paths\":[],\"action\":{action}}}}}"));
    assert!(is_call(&open("\"read\"")));
    for bad in
        [r#"{"read":null}"#, r#"{"read":{}}"#, r#"{"read":[]}"#, "0", "null", r#""Read""#, "[\"read\"]"]
    {
        assert!(!is_call(&open(bad)), "{bad}");
    }
    assert!(serde_takes::<Call>(&open(r#"{"read":null}"#)), "serde's hole");
    assert!(!is_call(&call("\"ping\"")), "and an object is an object");
}

#[test]
fn equal_keys_are_refused() {
    assert!(!is_call(r#"{"id":1,"id":2,"token":"t","op":{"ping":{}}}"#));
    assert!(!is_call(&call(r#"{"ping":{},"ping":{}}"#)));
    assert!(!is_call(&call(r#"{"explain":{"id":"a","id":"a"}}"#)));
    assert!(!is_call(&call(r#"{"explain":{"id":"a","\u0069d":"a"}}"#)), "not by another spelling either");
}

#[test]
fn no_byte_stands_before_or_after() {
    let good = call(r#"{"ping":{}}"#);
    assert!(is_call(&good));
    for bad in ["{}", "\0", " ", "\n", "x", "]", "}"] {
        assert!(!is_call(&format!("{good}{bad}")), "{bad:?} behind");
        assert!(!is_call(&format!("{bad}{good}")), "{bad:?} before");
    }
    assert!(!is_call(&format!("\u{feff}{good}")));
    assert!(!is_call(""));
}

#[test]
fn numbers_and_strings_are_what_json_says_and_within_their_type() {
    for bad in ["-1", "4294967296", "1.0", "1e0", "01", "\"1\"", "null", "true", "NaN"] {
        assert!(!is_call(&format!("{{\"id\":{bad},\"token\":\"t\",\"op\":{{\"ping\":{{}}}}}}")), "{bad}");
    }
    for bad in [&b"\"\xff\""[..], b"\"\\ud800\"", b"\"\n\"", b"'t'", b"\"\\x41\""] {
        let mut text = b"{\"id\":1,\"token\":".to_vec();
        text.extend_from_slice(bad);
        text.extend_from_slice(b",\"op\":{\"ping\":{}}}");
        assert!(decode::<Call>(&text).is_err(), "{}", bad.escape_ascii());
    }
}

#[test]
fn depth_and_size_have_an_end() {
    for deep in ["[".repeat(60_000), call(&"{\"ping\":".repeat(5_000)), call(&"[".repeat(60_000))] {
        assert!(!is_call(&deep));
    }
    let long = Call { id: 1, token: "t".repeat(MOST_BYTES).into(), op: Op::Ping {} };
    assert!(matches!(encode(&long), Err(CodecError::TooLong { .. })));
    let text = call(&format!("{{\"explain\":{{\"id\":\"{}\"}}}}", "x".repeat(MOST_BYTES)));
    assert_eq!(decode::<Call>(text.as_bytes()), Err(CodecError::TooLong { bytes: text.len() }));
}

#[test]
fn an_error_shows_the_senders_bytes_escaped() {
    let error = decode::<Call>("{\"\u{202e}\u{1b}[2J\":1}".as_bytes()).unwrap_err();
    let error2 = decode::<Welcome>("{\"\u{202e}evil\":1}".as_bytes()).unwrap_err();
    for text in [error.to_string(), error2.to_string()] {
        assert!(!text.contains('\u{202e}') && !text.contains('\u{1b}'), "{text:?}");
    }
}

#[test]
fn an_option_may_be_missing_and_what_is_in_it_is_strict() {
    assert!(is_call(&call(
        r#"{"spawn":{"argv":[],"less":{"read_only":[],"hidden":[],"no_network":true,"no_requests":false}}}"#
    )));
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        inner: Option<Box<Allowed>>,
    }
    let good = r#"{"inner":{"action":"read","resource":{"device":{"name":"x"}}}}"#;
    assert!(decode::<Outer>(good.as_bytes()).unwrap().inner.is_some());
    assert_eq!(decode::<Outer>(b"{}"), Ok(Outer { inner: None }));
    assert!(decode::<Outer>(br#"{"inner":["read",{"device":{"name":"x"}}]}"#).is_err());
}

#[test]
fn ten_thousand_mutations_of_messages_do_no_harm_and_what_is_taken_comes_back() {
    let calls = [
        call(
            r#"{"request":{"actions":["read"],"resource":{"host":{"host":"a","port":443}},"why":"\\u00e9"}}"#,
        ),
        call(
            r#"{"spawn":{"argv":["a"],"chdir":null,"less":{"read_only":[],"hidden":["/a"],"no_network":true,"no_requests":false,"seconds":60}}}"#,
        ),
        call(
            r#"{"attenuate":{"allowed":[{"action":"read","resource":{"file":{"path":"/x"}}}],"seconds":60}}"#,
        ),
    ];
    let pieces: [&[u8]; 12] =
        [b"{", b"}", b"[", b"]", b",", b":", b"\"", b"null", b"0", b"\\ud800", b"\xff", b"{\"read\":null}"];
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    let mut taken = 0;
    for turn in 0..10_000 {
        let mut bytes = calls[turn % calls.len()].clone().into_bytes();
        for _ in 0..=random(3) {
            let (at, other) = (random(bytes.len()), random(bytes.len()));
            match random(4) {
                0 => bytes[at] = u8::try_from(random(256)).unwrap(),
                1 => drop(bytes.remove(at)),
                2 => drop(bytes.splice(at..at, pieces[random(pieces.len())].iter().copied())),
                _ => bytes.swap(at, other),
            }
        }
        if let Ok(message) = decode::<Call>(&bytes) {
            taken += 1;
            assert_eq!(decode(&encode(&message).unwrap()), Ok(message), "{}", bytes.escape_ascii());
        }
    }
    assert!((100..9_000).contains(&taken), "{taken} were taken: some changes are harmless, most are not");
}
