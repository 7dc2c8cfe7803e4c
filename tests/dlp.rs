//! `dlp scan` and `dlp rules` as a person calls them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// A token of GitHub with a right sum, put together so that no file of ours holds one.
fn token() -> String {
    ["ghp", "_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17"].concat()
}

fn run(args: &[&str], stdin: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_aisandbox"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The program may end before it has read all.
    drop(child.stdin.take().unwrap().write_all(stdin));
    child.wait_with_output().unwrap()
}

fn stdout(out: &Output) -> String {
    String::from_utf8(out.stdout.clone()).unwrap()
}

#[test]
fn a_secret_is_found_and_never_printed_unless_asked_for() {
    let text = format!("a line\ntoken = {}\n", token());
    let out = run(&["dlp", "scan", "-"], text.as_bytes());
    assert_eq!(out.status.code(), Some(1), "{out:?}");
    assert!(
        stdout(&out).starts_with("-:15-55: github-token (github-token) block, 40 bytes, hash "),
        "{out:?}"
    );
    assert!(!stdout(&out).contains(&token()));
    assert!(stdout(&run(&["dlp", "scan", "--show-values", "-"], text.as_bytes())).contains(&token()));
    let clean = run(&["dlp", "scan", "-"], b"nothing to see\n");
    assert_eq!((clean.status.code(), stdout(&clean).as_str()), (Some(0), ""));
}

#[test]
fn records_come_back_one_line_for_each() {
    let input =
        format!("{{\"id\": 7, \"text\": \"x {} y\"}}\n\n{{\"id\": \"b\", \"text\": \"clean\"}}\n", token());
    let out = run(&["dlp", "scan", "--jsonl", "--show-values", "-"], input.as_bytes());
    assert_eq!(out.status.code(), Some(1), "{out:?}");
    let text = stdout(&out);
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["id"], 7);
    let finding = &lines[0]["findings"][0];
    assert_eq!(
        (&finding["kind"], &finding["start"], &finding["end"]),
        (&"github-token".into(), &2.into(), &42.into())
    );
    assert_eq!((&finding["value"], &finding["decoded_from"]), (&token().into(), &serde_json::json!([])));
    assert_eq!(lines[1], serde_json::json!({ "id": "b", "findings": [] }));
    for wrong in ["{", "{\"id\": 1}", "{\"text\": \"a\"}", "[]"] {
        let out = run(&["dlp", "scan", "--jsonl", "-"], wrong.as_bytes());
        assert_eq!(out.status.code(), Some(125), "{wrong}");
        assert!(String::from_utf8_lossy(&out.stderr).contains("line 1"), "{out:?}");
    }
}

#[test]
fn a_name_and_a_value_of_somebody_else_do_not_reach_the_terminal_as_they_are() {
    let folder = std::env::temp_dir().join(format!("aisandbox-dlp-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("a\x1b[2J\n.txt");
    std::fs::write(&file, "password = \"tR7#kq9!L\x1b]0;z\"").unwrap();
    let out = run(&["dlp", "scan", "--show-values", file.to_str().unwrap()], b"");
    let missing = run(&["dlp", "scan", "/nowhere/\x1b[2J"], b"");
    let is_folder = run(&["dlp", "scan", folder.to_str().unwrap()], b"");
    std::fs::remove_dir_all(&folder).unwrap();
    for out in [&out, &missing] {
        assert!(!out.stdout.contains(&0x1b) && !out.stderr.contains(&0x1b), "{out:?}");
    }
    assert_eq!((missing.status.code(), is_folder.status.code()), (Some(125), Some(125)));
}

#[test]
fn shipped_rules_pass_and_rules_of_others_are_translated() {
    let shipped = run(&["dlp", "rules", "test"], b"");
    assert_eq!(shipped.status.code(), Some(0), "{}", stdout(&shipped));
    let list = run(&["dlp", "rules", "list", "--json"], b"");
    let list: serde_json::Value = serde_json::from_slice(&list.stdout).unwrap();
    assert!(list.as_array().unwrap().len() > 100);
    let gitleaks = "[[rules]]\nid = \"acme\"\nregex = '''acme_[a-z0-9]{20}'''\nkeywords = [\"acme_\"]\n";
    let out = run(&["dlp", "rules", "import", "--from", "gitleaks", "-"], gitleaks.as_bytes());
    assert_eq!((out.status.code(), stdout(&out).as_str()), (Some(0), "1 of 1 rules can be used\n"));
    let kingfisher =
        "rules:\n- id: x.acme.1\n  name: Acme\n  pattern: 'acme_[a-z0-9]{20}'\n  examples: [none]\n";
    let out = run(&["dlp", "rules", "import", "--from", "kingfisher", "-"], kingfisher.as_bytes());
    assert_eq!(out.status.code(), Some(1), "{out:?}");
    assert!(stdout(&out).ends_with("0 of 1 rules can be used\n"), "{out:?}");
    let wrong = run(&["dlp", "rules", "test", "/dev/null", "-"], b"[[rule]]\nid = \"A\"\nabout = \"\"\n");
    assert_eq!(wrong.status.code(), Some(125));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("line 1"), "{wrong:?}");
}
