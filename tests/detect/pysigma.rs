//! The shipped rules, read and asked by pySigma and SQLite: an engine that shares nothing with ours.

use crate::source;
use crate::support::skip;
use aisandbox::detect::{engine, shipped};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

fn python() -> Option<PathBuf> {
    let Some(tools) = std::env::var_os("AISANDBOX_TEST_TOOLS").map(PathBuf::from) else {
        skip("AISANDBOX_TEST_TOOLS names no folder with pySigma, which .ci/run makes");
        return None;
    };
    Some(tools.join("python/bin/python"))
}

/// How often each rule holds in each of its event files, by the map when there is one; `None` where there is no pySigma.
pub(crate) fn counts(events: &Path, map: Option<&Path>) -> Option<BTreeMap<(String, String), u64>> {
    let output = Command::new(python()?)
        .args([&source("tests/detect/pysigma.py"), &source("packaging/siem/sigma"), events])
        .args(map)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let count = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        ((words[0].to_owned(), words[1].to_owned()), words[2].parse().unwrap())
    };
    Some(text.lines().map(count).collect())
}

#[test]
fn pysigma_finds_with_every_shipped_rule_what_our_engine_finds() {
    let Some(counts) = counts(&source("tests/detect"), None) else { return };
    // What ours finds in these files is proved beside the engine: one finding in each positive file, none in the others.
    let engine = engine(&shipped()).unwrap();
    let telling: Vec<&str> = engine.telling().map(|rule| &*rule.name).collect();
    assert_eq!(counts.len(), 2 * telling.len(), "{counts:?}");
    for name in telling {
        let count = |kind: &str| counts.get(&(name.to_owned(), kind.to_owned())).copied();
        assert_eq!((count("positive"), count("negative")), (Some(1), Some(0)), "{name}");
    }
}
