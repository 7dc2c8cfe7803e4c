//! Every package that is linked or builds this program has a licence that deny.toml allows.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::process::Command;

fn metadata() -> serde_json::Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let out = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--locked", "--offline"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

fn allowed() -> BTreeSet<String> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deny.toml")).unwrap();
    let list = text.split("allow = [").nth(1).unwrap().split("\n]").next().unwrap();
    let names =
        list.lines().filter_map(|line| line.trim().strip_prefix('"')?.split('"').next().map(str::to_owned));
    names.collect()
}

/// Whether an SPDX expression can be met with these licences: AND of ORs, as packages write them; `/` is an old OR.
fn met(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let plain = expression.replace(['(', ')'], "").replace('/', " OR ");
    plain.split(" AND ").all(|part| part.split(" OR ").any(|name| allowed.contains(name.trim())))
}

#[test]
fn every_package_has_a_licence_that_is_allowed() {
    let (metadata, allowed) = (metadata(), allowed());
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let used: BTreeSet<&str> = nodes.iter().filter_map(|node| node["id"].as_str()).collect();
    let packages = metadata["packages"].as_array().unwrap();
    let packages: Vec<_> =
        packages.iter().filter(|package| used.contains(package["id"].as_str().unwrap())).collect();
    assert!(packages.len() > 20);
    for package in packages {
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(met(licence, &allowed), "{}: {licence:?}", package["name"]);
    }
}

#[test]
fn a_licence_that_is_not_listed_is_not_met() {
    let allowed = allowed();
    assert!(allowed.contains("MIT") && !allowed.contains("GPL-3.0"));
    assert!(met("MIT/Apache-2.0", &allowed) && met("(MIT OR GPL-3.0) AND Unicode-3.0", &allowed));
    assert!(!met("GPL-3.0", &allowed) && !met("MIT AND GPL-3.0", &allowed) && !met("", &allowed));
}
