//! A client in another language, written from aisandbox-broker(7) alone, against the real state machine.

use crate::stand_in;
use aisandbox::sys::{fd, peer, socket};
use serde_json::{Value, json};
use std::os::fd::{AsFd, AsRawFd};
use std::process::Command;

const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/broker_client.py");

/// Runs the client with one door and these calls; gives a line for each result.
fn results(variable: &str, value: &str, ops: &[Value]) -> Option<Vec<Value>> {
    let mut command = Command::new("python3");
    command
        .arg(CLIENT)
        .args(ops.iter().map(Value::to_string))
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin");
    let out = match command.env(variable, value).output() {
        Ok(out) => out,
        Err(error) => {
            let must = std::env::var("AISANDBOX_MUST_RUN").is_ok_and(|value| value == "1");
            assert!(!must, "must run, but: python3: {error}");
            eprintln!("skipped: python3: {error}");
            return None;
        }
    };
    let (text, errors) = (String::from_utf8(out.stdout).unwrap(), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{errors}");
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn conversation(file: &str) -> [Value; 4] {
    let request = json!({"actions": ["read"], "resource": {"file": {"path": "/granted/a"}}, "why": "to see"});
    [
        json!({"ping": {}}),
        json!({ "request": request }),
        json!({"open": {"paths": [file, "/none"], "action": "read"}}),
        json!({"release": {"grant": "8F3K-g1"}}),
    ]
}

fn check(lines: &[Value]) {
    assert_eq!(lines.len(), 5, "{lines:?}");
    assert!(lines.iter().all(|line| line["run"] == stand_in::RUN));
    assert_eq!(lines[0]["result"], json!({"done": {}}));
    assert_eq!(lines[1]["result"]["pending"]["seconds"], 300);
    assert_eq!(lines[2]["result"]["granted"]["how"], "descriptor");
    assert_eq!(
        lines[3]["result"]["opened"]["opened"],
        json!([true, false]),
        "under the keys of the rotation"
    );
    assert_eq!(lines[3]["texts"], json!(["what it holds"]));
    assert_eq!(lines[4]["result"]["denied"]["denial"]["reason"], "ceiling");
}

fn file(name: &str) -> String {
    let path = std::env::temp_dir().join(format!("aisandbox-broker-{name}-{}", std::process::id()));
    std::fs::write(&path, "what it holds").unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_client_written_from_the_page_is_served_at_the_shared_door() {
    let (guardian, agent) = socket::message_pair().unwrap();
    fd::mark_close_on_exec(agent.as_raw_fd(), false).unwrap();
    let file = file("door");
    let served = stand_in::serve(guardian);
    let lines = results("AISANDBOX_BROKER", &agent.as_raw_fd().to_string(), &conversation(&file));
    drop(agent);
    std::fs::remove_file(file).unwrap();
    let Some(lines) = lines else { return };
    check(&lines);
    let seen = served.join().unwrap();
    assert_eq!((seen.calls, seen.malformed, seen.reasons), (4, 0, vec!["to see".to_owned()]));
}

#[test]
fn a_client_written_from_the_page_is_served_at_the_path() {
    let path = std::env::temp_dir().join(format!("aisandbox-broker-path-{}", std::process::id()));
    let listener = socket::open_message().unwrap();
    peer::bind_name(listener.as_fd(), path.as_os_str().as_encoded_bytes()).unwrap();
    nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(4).unwrap()).unwrap();
    let file = file("by-path");
    let served = stand_in::serve_path(listener, 2);
    let lines = results("AISANDBOX_BROKER_PATH", path.to_str().unwrap(), &conversation(&file));
    // Our own client goes the same way.
    let mut broker = aisandbox::cli::broker::Broker::by_path(path.as_os_str().as_encoded_bytes()).unwrap();
    assert_eq!(
        crate::call(&mut broker, aisandbox::wire::broker::Op::Ping {}),
        aisandbox::wire::broker::Outcome::Done {}
    );
    std::fs::remove_file(file).unwrap();
    std::fs::remove_file(path).unwrap();
    let Some(lines) = lines else { return };
    check(&lines);
    drop(broker);
    assert_eq!(served.join().unwrap().calls, 5);
}
