//! The tool inside a real sandbox: it asks, a person outside answers, and both read JSON.

use crate::support::for_each_user;
use crate::{DOCS, Guarded, WAITS, event, profile};
use serde_json::Value;

const TOOL: &str = "/run/aisandbox/aisandbox";

#[test]
fn a_request_from_inside_waits_for_a_person_outside() {
    for_each_user(|home| {
        home.write("work/docs/note", "real\n");
        let path = profile(&home, DOCS, WAITS);
        let script = format!(
            "{TOOL} request read docs --why 'the \"notes\"' --json; echo $?; cat docs/note; {TOOL} request read /etc/shadow --why x --json; echo $?"
        );
        let guarded = Guarded::start(&home, &path, &script);
        let id = guarded.asked();
        let asked = guarded.json(&["requests", "--json"]);
        assert_eq!(asked[0]["why"], "the \"notes\"", "{asked}");
        let given = guarded.json(&["approve", &id, "--for", "10m", "--json"]);
        assert!(given.is_object(), "{given}");
        let output = guarded.end();
        let text = output.stdout();
        let lines: Vec<&str> = text.lines().collect();
        let at = lines.iter().position(|line| *line == "real").unwrap_or_else(|| panic!("{output:?}"));
        assert_eq!((lines[at - 1], *lines.last().unwrap()), ("0", "1"), "{output:?}");
        assert!(lines[..at - 1].iter().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{text}");
        assert!(lines[at + 1].contains("\"ceiling\""), "{text}");
        assert_eq!(event(&home, "grant")["lease_s"], 600);
    });
}

#[test]
fn mcp_from_inside_waits_for_a_person_outside() {
    for_each_user(|home| {
        home.write("work/docs/note", "real\n");
        let path = profile(&home, DOCS, WAITS);
        let docs = home.join("work/docs").display().to_string();
        let call = |id: u8, method: &str, params: Value| {
            serde_json::json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()
        };
        let about = serde_json::json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let ask = serde_json::json!({"name": "request_access", "arguments": {"action": "read", "resource": docs, "why": "notes"}});
        let text = [
            call(1, "initialize", about),
            call(2, "tools/list", serde_json::json!({})),
            call(3, "tools/call", ask),
        ];
        home.write("work/calls", &(text.join("\n") + "\n"));
        // Its input ends when the last answer is there.
        let wait = "until grep -q isError out; do sleep 0.1; done";
        let script = format!("(cat calls; {wait}) | {TOOL} mcp > out; cat out docs/note");
        let guarded = Guarded::start(&home, &path, &script);
        let id = guarded.asked();
        guarded.person(&["approve", &id]).expect_code(0);
        let output = guarded.end();
        let said = output.stdout();
        assert!(said.ends_with("real\n"), "{output:?}");
        let answer = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let answer = answer.into_iter().find(|line| line["id"] == 3).unwrap_or_else(|| panic!("{output:?}"));
        assert_eq!(answer["result"]["isError"], false, "{answer}");
        assert_eq!(event(&home, "request")["why"], "notes");
    });
}

#[test]
fn a_program_runs_at_its_first_touch_and_after_a_request() {
    for_each_user(|home| {
        home.write_program("work/tool", "#!/bin/sh\necho tool ran\n");
        let entry = "  - { path: $PWD/tool, access: ask, actions: [read, execute] }";
        let path = profile(&home, entry, WAITS);
        for script in ["./tool".to_owned(), format!("{TOOL} request exec tool --why x > /dev/null; ./tool")] {
            let guarded = Guarded::start(&home, &path, &script);
            let id = guarded.asked();
            let asked = guarded.json(&["requests", "--json"]);
            assert_eq!(asked[0]["actions"], serde_json::json!(["read", "execute"]), "{asked}");
            guarded.person(&["approve", &id]).expect_code(0);
            assert_eq!(guarded.end().stdout(), "tool ran\n", "{script}");
        }
    });
}
