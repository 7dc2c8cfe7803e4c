//! `aisandbox token` and `aisandbox broker schema`, by the real binary.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use aisandbox::base::to_hex;
use aisandbox::guardian::token::{Signer, Statement, Tokens};
use aisandbox::wire::broker::Allowed;
use aisandbox::wire::frame::ChannelId;
use aisandbox::wire::subject::{Action, Resource};
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

fn aisandbox(words: &[&str], stdin: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_aisandbox"))
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdin.take().unwrap().write_all(stdin.as_bytes())); // it may stop reading before the end
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn pair(path: &str) -> Vec<Allowed> {
    vec![Allowed { action: Action::Read, resource: Resource::File { path: path.into() } }]
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn a_token_of_a_channel_is_shown_and_said_to_be_unchecked() {
    let tokens = Tokens::new("01KB0000000000000000000000").unwrap();
    let text = tokens.mint(ChannelId([7; 16]), pair("/a/\u{202e}\u{1b}[2Jb"), 300, 0).unwrap().text;
    let (code, shown, _) = aisandbox(&["token", "-"], &format!("{}\n", &*text));
    assert_eq!(code, 0);
    assert!(shown.contains("nothing was checked") && shown.contains(&"07".repeat(16)), "{shown}");
    assert!(!shown.contains('\u{202e}') && !shown.contains('\u{1b}'), "{shown:?}");
    let (code, shown, _) = aisandbox(&["token", "--json", &text], "");
    assert!(!shown.contains('\u{202e}') && !shown.contains('\u{1b}'), "{shown:?}");
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(
        (code, &shown["checked"], &shown["run"]),
        (0, &false.into(), &"01KB0000000000000000000000".into())
    );
    assert_eq!(shown["allowed"][0]["resource"]["file"]["path"], "/a/\u{202e}\u{1b}[2Jb");
    let key = to_hex(&[9; 32]);
    assert_eq!(
        aisandbox(&["token", "--public-key", &key, &text], "").0,
        1,
        "no key but the Guardian's checks it"
    );
}

fn statement() -> Statement {
    Statement {
        grant: "8F3K-g1".into(),
        approved_by: "ui\u{1b}[2J".into(),
        allowed: pair("/a"),
        until: None,
        audience: "backend:mail".into(),
    }
}

#[test]
fn a_signed_token_is_checked_with_the_public_key_alone() {
    let (signer, stranger) = (Signer::new().unwrap(), Signer::new().unwrap());
    let (key, other) = (signer.public_hex(), stranger.public_hex());
    let (text, _) = signer.sign("RUN", statement(), now()).unwrap();
    let (code, shown, _) = aisandbox(&["token", "--public-key", &key, &text], "");
    assert!(code == 0 && shown.contains("signature checked") && shown.contains("backend:mail"), "{shown}");
    assert!(shown.contains("8F3K-g1") && !shown.contains('\u{1b}'), "{shown:?}");
    let (code, shown, error) = aisandbox(&["token", "--public-key", &other, &text], "");
    assert!(code == 1 && shown.is_empty() && error.contains("show a token"), "{error}");
    let for_whom = |name: &str| aisandbox(&["token", "--public-key", &key, "--audience", name, &text], "");
    assert_eq!(for_whom("backend:mail").0, 0);
    let (code, shown, error) = for_whom("backend:files");
    assert!(code == 1 && shown.is_empty() && error.contains("somebody else"), "{error}");
    assert_eq!(aisandbox(&["token", "--audience", "backend:mail", &text], "").0, 125, "nothing was checked");
    let (old, _) = signer.sign("RUN", statement(), now() - 1000).unwrap();
    let (code, shown, _) = aisandbox(&["token", "--public-key", &key, &old], "");
    assert!(code == 1 && shown.contains("its time is over"), "{shown}");
    assert_eq!(aisandbox(&["token", &old], "").0, 0, "looking alone judges nothing");
}

#[test]
fn what_is_no_token_or_no_key_is_said() {
    for bad in ["", "AAAA", "not a token", "\u{202e}"] {
        let (code, shown, error) = aisandbox(&["token", "-"], bad);
        assert!(code == 1 && shown.is_empty() && !error.is_empty(), "{bad:?}: {error}");
    }
    assert_eq!(aisandbox(&["token", "-"], &"A".repeat(100_000)).0, 1);
    assert_eq!(aisandbox(&["token", "--public-key", "00", "AAAA"], "").0, 125);
}

#[test]
fn the_schema_of_the_broker_is_printed() {
    let (code, text, _) = aisandbox(&["broker", "schema"], "");
    let schema: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(code, 0);
    assert_eq!(schema, aisandbox::wire::schema::broker());
    assert_eq!(schema["$defs"]["Call"]["additionalProperties"], false);
}
