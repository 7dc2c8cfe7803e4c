//! `aisandbox policy`: the commands a person writes and checks policies with.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../support/dice.rs"]
mod dice;
mod mutations;
mod table;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn aisandbox(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_aisandbox")).args(args).output().unwrap()
}

fn stdout(out: &Output) -> String {
    String::from_utf8(out.stdout.clone()).unwrap()
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let path = std::env::temp_dir().join(format!("aisandbox-policy-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        for (file, text) in files {
            std::fs::write(path.join(file), text).unwrap();
        }
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

const POLICY: &str = "package aisandbox.policies.p\nverdict contains {\"outcome\": \"allow\", \"reason\": \"r\"} if input.uid == 1000\n";

#[test]
fn the_tests_of_the_shipped_policies_pass_from_the_program_and_from_the_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    for name in ["readonly-docs", "spreadsheet-write", "network-allowlist"] {
        for bundle in [name, folder.join(name).to_str().unwrap()] {
            let out = aisandbox(&["policy", "test", bundle]);
            assert_eq!(out.status.code(), Some(0), "{bundle}: {}", stdout(&out));
            assert_eq!(aisandbox(&["policy", "check", bundle]).status.code(), Some(0), "{bundle}");
        }
    }
}

#[test]
fn a_test_that_is_undefined_fails_and_so_does_no_test() {
    let right = "package aisandbox.policies.p.tests\ntest_yes if 1 == 1\n";
    let undefined = "package aisandbox.policies.p.tests\ntest_yes if 1 == 1\ntest_gone if input.nothing\n";
    for (tests, code, lines) in
        [(right, 0, "PASS: 1/1"), (undefined, 2, "FAIL: 1/2"), ("package t\n", 2, "PASS: 0/0")]
    {
        let folder = Folder::new("tests", &[("p.rego", POLICY), ("p_test.rego", tests)]);
        let out = aisandbox(&["policy", "test", folder.path()]);
        assert_eq!(out.status.code(), Some(code), "{}", stdout(&out));
        assert!(stdout(&out).contains(lines), "{}", stdout(&out));
    }
    let folder = Folder::new("json", &[("p_test.rego", undefined)]);
    let all: Value =
        serde_json::from_slice(&aisandbox(&["policy", "test", "--json", folder.path()]).stdout).unwrap();
    assert_eq!((&all[0]["pass"], &all[0]["failure"]), (&Value::Bool(false), &Value::from("undefined")));
}

#[test]
fn a_wrong_bundle_is_told_with_its_file_and_line() {
    let folder =
        Folder::new("wrong", &[("p.rego", "package aisandbox.policies.p\n\nverdict contains x if {\n")]);
    let out = aisandbox(&["policy", "check", folder.path()]);
    let said = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(1));
    assert!(said.contains("p.rego:"), "{said}");
}

#[test]
fn a_signature_is_checked_with_the_key_that_was_named() {
    let all: Value = serde_json::from_str(include_str!("signed.json")).unwrap();
    let token = &all["tokens"][0];
    let signatures = serde_json::json!({ "signatures": [token["token"]] }).to_string();
    let text = |name: &str| all["members"][name].as_str().unwrap().to_owned();
    let (manifest, data, rego) = (text(".manifest"), text("data.json"), text("p.rego"));
    let files = [
        (".manifest", &*manifest),
        ("data.json", &data),
        ("p.rego", &rego),
        (".signatures.json", &signatures),
    ];
    let folder = Folder::new("signed", &files);
    let keys = Folder::new("keys", &[("ed.pem", token["pem"].as_str().unwrap())]);
    let key = format!("{}/ed.pem", keys.path());
    let code = |args: &[&str]| aisandbox(args).status.code();
    assert_eq!(code(&["policy", "check", "--require-signature", "--key", &key, folder.path()]), Some(0));
    assert_eq!(code(&["policy", "check", folder.path()]), Some(1), "signed, and no key");
    std::fs::write(folder.0.join("q.rego"), "package aisandbox.q\n").unwrap();
    assert_eq!(code(&["policy", "check", "--key", &key, folder.path()]), Some(1), "a file more");
    std::fs::remove_file(folder.0.join("q.rego")).unwrap();
    std::fs::remove_file(folder.0.join(".signatures.json")).unwrap();
    assert_eq!(code(&["policy", "check", "--require-signature", "--key", &key, folder.path()]), Some(1));
    assert_eq!(code(&["policy", "check", "--key", &key, folder.path()]), Some(0), "the control");
}

#[test]
fn what_is_listed_has_the_shipped_policies() {
    let out = aisandbox(&["policy", "list", "--json"]);
    let rows: Value = serde_json::from_slice(&out.stdout).unwrap();
    let shipped = rows.as_array().unwrap().iter().filter(|row| row["level"] == "shipped");
    assert_eq!(shipped.filter(|row| row["policies"].as_array().unwrap().len() == 1).count(), 3);
}
