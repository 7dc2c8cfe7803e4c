//! What is a bundle, and what is none.

use super::*;
use crate::policy::sample;

const POLICY: &str = "package aisandbox.policies.p\nverdict contains {\"outcome\": \"allow\", \"reason\": \"r\"} if input.version == 1\n";

fn read(files: &[(&str, &str)]) -> Result<Bundle, String> {
    let member =
        |(name, text): &(&str, &str)| Member { name: (*name).into(), bytes: text.as_bytes().to_vec() };
    let members: Vec<Member> = files.iter().map(member).collect();
    Bundle::read("b", &members, &Trust::default(), false)
}

fn refused(files: &[(&str, &str)]) -> String {
    read(files).err().unwrap_or_default()
}

#[test]
fn data_lies_where_its_folder_says() {
    let rule = "package aisandbox.policies.p\nverdict contains {\"outcome\": \"deny\", \"reason\": data.a.b.c} if data.top == 1\n";
    let files = [("p.rego", rule), ("a/b/data.json", "{\"c\": \"found\"}"), ("data.json", "{\"top\": 1}")];
    let mut bundle = read(&files).unwrap();
    let said = bundle.engine.verdict(0, &crate::policy::document::of(&sample::read("/a"))).unwrap();
    assert_eq!(said.unwrap()[0]["reason"], "found");
}

#[test]
fn what_is_outside_the_roots_is_refused() {
    let roots = "{\"revision\": \"7\", \"roots\": [\"aisandbox/policies\", \"a/b\"]}";
    let bundle = read(&[(".manifest", roots), ("p.rego", POLICY), ("a/b/data.json", "{\"c\": 1}")]).unwrap();
    assert_eq!((bundle.manifest.revision.as_str(), bundle.policies()), ("7", vec!["p"]));
    assert!(
        refused(&[(".manifest", roots), ("p.rego", POLICY), ("a/data.json", "{\"c\": 1}")]).contains("a/c")
    );
    let other = ("q.rego", "package aisandbox.policiesx.q\nx := 1\n");
    assert!(refused(&[(".manifest", roots), ("p.rego", POLICY), other]).contains("policiesx"));
}

#[test]
fn a_bundle_that_is_not_wholly_understood_is_refused() {
    let cases: [(&[(&str, &str)], &str); 12] = [
        (&[("p.rego", POLICY), ("policy.wasm", "")], "WebAssembly"),
        (&[(".manifest", "{\"wasm\": []}"), ("p.rego", POLICY)], "WebAssembly"),
        (&[("p.rego", POLICY), ("patch.json", "{}")], "delta"),
        (&[("p.rego", POLICY), ("data.yaml", "a: 1")], "YAML"),
        (&[(".manifest", "{\"roots\": 1}"), ("p.rego", POLICY)], ".manifest"),
        (&[(".manifest", "[\"7\"]"), ("p.rego", POLICY)], "not an object"),
        (&[(".manifest", "{\"surprise\": 1}"), ("p.rego", POLICY)], "unknown field"),
        (&[(".manifest", "{\"rego_version\": 0}"), ("p.rego", POLICY)], "rego_version"),
        (
            &[(".manifest", "{\"metadata\": {\"aisandbox\": {\"default\": \"allow\"}}}"), ("p.rego", POLICY)],
            "default",
        ),
        (&[("data.json", "{\"a\": 1}"), ("p.rego", POLICY), ("a/data.json", "{}")], "already"),
        (&[("p.rego", "package aisandbox.policies.p\nverdict contains x if {\n")], "p.rego"),
        (&[("p.rego", "package other\nx := 1\n")], "no policy"),
    ];
    assert!(read(&[("p.rego", POLICY)]).is_ok());
    for (files, why) in cases {
        assert!(refused(files).contains(why), "{files:?}: {}", refused(files));
    }
}

#[test]
fn a_text_that_is_nested_without_end_is_refused() {
    for nested in ["[", "{", "(", "-", "f(", "not ", "1 + ", "1 +\n", "1\n+", "[\"]\", "] {
        let chain = nested.repeat(3000 / nested.len());
        let deep = format!("{POLICY}\nx := {chain}1\n");
        assert!(read(&[("p.rego", &deep)]).is_err(), "{nested}");
    }
}

#[test]
fn a_rule_that_asks_itself_is_refused() {
    let recursive = "package aisandbox.policies.p\nverdict contains x if { some x in verdict }\n";
    let outcome = read(&[("p.rego", recursive)]);
    let asked = outcome.and_then(|mut bundle| {
        bundle.engine.verdict(0, &crate::policy::document::of(&sample::read("/a"))).map(drop)
    });
    assert!(asked.is_err());
}
