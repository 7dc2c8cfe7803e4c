//! What is found in source code that others wrote and that holds no secret but those of its tests: the packages that
//! this one is built from, as they lie on this machine.

use aisandbox::dlp::Engine;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// So much of each package at most, and of all.
const MOST_OF_PACKAGE: usize = 400_000;
const MOST: usize = 32_000_000;

/// Prints what was found, by kind, and how much of it a megabyte has.
pub(crate) fn print(engine: &Engine) {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let (mut bytes, mut found) = (0, 0);
    let show = std::env::var_os("AISANDBOX_BENCH_SHOW").is_some();
    for package in packages() {
        let mut left = MOST_OF_PACKAGE.min(MOST - bytes);
        for file in files(&package) {
            let Ok(text) = std::fs::read(&file) else { continue };
            if text.len() > left || text.contains(&0) {
                continue;
            }
            (left, bytes) = (left - text.len(), bytes + text.len());
            for finding in engine.scan(&text) {
                *kinds.entry(finding.kind.to_string()).or_default() += 1;
                found += 1;
                if show {
                    let value = finding.value.unwrap_or_default();
                    println!("    {}: {} {}", file.display(), finding.kind, value.escape_ascii());
                }
            }
        }
    }
    let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    println!(
        "\nsource code of packages: {} MB, {found} findings, {:.2} a MB",
        bytes / 1_000_000,
        found as f64 * 1e6 / bytes.max(1) as f64
    );
    println!("  {}", kinds.join(", "));
}

fn packages() -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    let registries = home.map(|home| listed(&home.join("registry/src"))).unwrap_or_default();
    registries.iter().flat_map(|registry| listed(registry)).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for path in listed(&folder) {
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).map(|list| list.flatten().map(|entry| entry.path()).collect());
    let mut found: Vec<PathBuf> = entries.unwrap_or_default();
    found.sort();
    found
}
