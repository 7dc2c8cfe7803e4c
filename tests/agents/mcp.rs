//! `aisandbox mcp`, tried with the client library that agents use, and with lines no client sends.

use crate::support::skip;
use crate::{asking, folder, stand_in, text};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A Python with the package `mcp`, in the folder of clients that `.ci/run` makes and names.
fn python() -> Option<PathBuf> {
    let Some(tools) = std::env::var_os("AISANDBOX_TEST_TOOLS").map(PathBuf::from) else {
        skip("AISANDBOX_TEST_TOOLS names no folder with clients, which .ci/run makes");
        return None;
    };
    let python = tools.join("python/bin/python");
    let has =
        Command::new(&python).args(["-c", "import mcp"]).output().is_ok_and(|output| output.status.success());
    if !has {
        skip(&format!("{} has no package mcp", python.display()));
    }
    has.then_some(python)
}

#[test]
fn a_real_mcp_client_requests_lists_and_explains_while_a_person_thinks() {
    let Some(python) = python() else { return };
    let place = folder("mcp-client");
    let broker = stand_in::listen_in(&place);
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents/client.py");
    let output = Command::new(python)
        .arg(client)
        .arg(env!("CARGO_BIN_EXE_aisandbox"))
        .env("AISANDBOX_BROKER_PATH", &broker)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["tools"], serde_json::json!(["request_access", "list_access", "explain_denial"]));
    assert_eq!(
        (told["denied"]["result"].as_str(), told["denied"]["reason"].as_str()),
        (Some("denied"), Some("ceiling"))
    );
    assert_eq!(
        (told["slow"]["result"].as_str(), told["pending"]["result"].as_str()),
        (Some("granted"), Some("pending"))
    );
    assert_eq!(told["explained"]["hint"], "do without");
    assert_eq!(told["listed"]["askable"][0]["resource"]["file"]["path"], "/slow");
    assert_eq!(told["wrong"], "error");
    let thinks = stand_in::THINKS.as_secs_f64();
    assert!(told["between"].as_f64().unwrap() < thinks, "{told}");
    assert!(told["after"].as_f64().unwrap() >= thinks, "{told}");
    std::fs::remove_dir_all(place).unwrap();
}

/// What the server answers to these lines.
fn talk(broker: &Path, lines: &[&[u8]]) -> Vec<serde_json::Value> {
    let mut server = asking(broker)
        .arg("mcp")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = server.stdin.take().unwrap();
    for line in lines {
        input.write_all(line).unwrap();
        input.write_all(b"\n").unwrap();
    }
    drop(input);
    let output = server.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const HELLO: &[u8] = br#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;

#[test]
fn the_server_survives_every_malformed_line() {
    let long = vec![b'['; 300_000];
    let deep =
        [b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":".as_slice(), &[b'['; 100]].concat();
    let ping = br#"{"jsonrpc":"2.0","id":9,"method":"ping"}"#;
    let answers =
        talk(Path::new("/nonexistent"), &[HELLO, &long, &deep, b"\xff\xfe", b"{}", b"[]", b"null", ping]);
    assert_eq!(answers.len(), 8, "{answers:?}");
    assert!(answers[1..7].iter().all(|answer| answer["error"]["code"].is_i64()), "{answers:?}");
    assert_eq!((&answers[7]["id"], &answers[7]["result"]), (&9.into(), &serde_json::json!({})));
}

#[test]
fn without_a_guardian_a_tool_says_so_and_the_server_goes_on() {
    let wish = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"request_access","arguments":{"action":"read","resource":"/x","why":"w"}}}"#;
    let explain = br#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"explain_denial","arguments":{"id":"policy"}}}"#;
    let answers = talk(Path::new("/nonexistent"), &[HELLO, wish, explain]);
    assert_eq!(answers[1]["result"]["isError"], true);
    assert_eq!(answers[1]["result"]["structuredContent"]["result"], "no-broker");
    assert_eq!(answers[2]["result"]["isError"], false);
}
