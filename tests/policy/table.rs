//! A stored table of questions and what each shipped policy decides about them.
//!
//! tests/policy/table.json was written by this program (`BLESS=1 cargo test --test policy`) and then compared with what
//! each policy means to say. It holds the policies and the interpreter still; no other engine made it.

use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};

const POLICIES: [&str; 3] = ["readonly-docs", "spreadsheet-write", "network-allowlist"];

fn question(actions: &[&str], resource: Value) -> Value {
    json!({
        "version": 1, "actions": actions, "resource": resource, "path": null, "label": "", "size": null,
        "asker": { "process": { "pid": 7, "program": "/usr/bin/python3", "sha256": null }, "parents": [] },
        "profile": "cowork", "run": "r", "depth": 0, "uid": 1000, "now": 1_700_000_000, "grants": [],
    })
}

fn with(mut question: Value, key: &str, value: Value) -> Value {
    question[key] = value;
    question
}

fn questions() -> Vec<(&'static str, Value)> {
    let file = |path: &str| json!({ "file": { "path": path } });
    let host = |name: &str, port: u16| json!({ "host": { "host": name, "port": port } });
    let held = json!([{ "actions": ["overwrite"], "resource": { "file": { "path": "/home/u/a.csv" } } }]);
    let write = || question(&["overwrite"], json!({ "file": { "path": "/home/u/a.csv" } }));
    vec![
        ("read a document", question(&["read"], file("/home/u/a.pdf"))),
        (
            "read a sensitive document",
            with(question(&["read"], file("/home/u/tax.pdf")), "label", json!("tax")),
        ),
        ("read a key", question(&["read"], file("/home/u/.ssh/id_ed25519"))),
        ("read and write a document", question(&["read", "overwrite"], file("/home/u/a.pdf"))),
        ("write a table", write()),
        ("write a large table", with(write(), "size", json!(60_000_000))),
        ("write a table by a lease", with(write(), "grants", held)),
        ("create a script", question(&["create"], file("/home/u/a.sh"))),
        ("delete a table", question(&["delete"], file("/home/u/a.csv"))),
        ("a path that leads out", question(&["read"], file("/home/u/../../etc/passwd.txt"))),
        ("run a program", question(&["execute"], json!({ "program": { "path": "/usr/bin/curl" } }))),
        ("use the camera", question(&["use"], json!({ "device": { "name": "camera" } }))),
        ("connect to a listed host", question(&["connect"], host("docs.python.org", 443))),
        ("connect to it without TLS", question(&["connect"], host("docs.python.org", 80))),
        ("connect below a star", question(&["connect"], host("en.wikipedia.org", 443))),
        ("connect elsewhere", question(&["connect"], host("example.org", 443))),
        ("connect to metadata", question(&["connect"], host("::ffff:169.254.169.254", 80))),
        ("connect with a number", question(&["connect"], host("2130706433", 443))),
    ]
}

fn decide(policy: &str, question: &Value) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aisandbox"));
    command.args(["policy", "eval", policy]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let decision: Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
    let ttl = decision["ttl_s"].as_u64().map(|ttl| format!(" {ttl}s")).unwrap_or_default();
    format!("{}{ttl} by {}", decision["outcome"].as_str().unwrap(), decision["policy"].as_str().unwrap())
}

#[test]
fn each_question_is_decided_as_the_table_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/policy/table.json");
    let mut table = serde_json::Map::new();
    for (name, question) in questions() {
        let row =
            POLICIES.iter().map(|policy| ((*policy).to_owned(), Value::from(decide(policy, &question))));
        table.insert(name.into(), Value::Object(row.collect()));
    }
    let made = format!("{:#}\n", Value::Object(table));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), made);
}
