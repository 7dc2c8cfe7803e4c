//! The drawing of ARCHITECTURE.md is compared with the code, and the rules about where things may be are held.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Packages that are named in one file only, or in one folder, and that place.
/// One that comes twice has two places.
const HEAVY: &[(&str, &str)] = &[
    ("zbus", "src/consent/notify.rs"),
    ("ratatui", "src/consent/ui.rs"),
    ("fuser", "src/files/session.rs"),
    ("serde_yaml", "src/profile/parse.rs"),
    ("clap", "src/cli/args/"),
    ("clap_complete", "src/cli/args/mod.rs"),
    ("seccompiler", "src/plan/filter.rs"),
    ("ring", "src/crypto/provider.rs"),
    ("coset", "src/guardian/token/cose.rs"),
    ("landlock", "src/launch/ruleset.rs"),
    ("procfs", "src/host/mounts.rs"),
    ("tracing_subscriber", "src/cli/trace.rs"),
    ("regorus", "src/policy/engine.rs"),
    ("ureq", "src/reputation/endpoint.rs"),
    ("flate2", "src/policy/archive.rs"),
    ("flate2", "src/egress/inspect/coding.rs"),
    ("flate2", "src/sink/http.rs"),
    ("ureq", "src/sink/http.rs"),
    ("rustls", "src/sink/tls.rs"),
    ("tar", "src/policy/archive.rs"),
    ("psl", "src/profile/destination.rs"),
    // Twice: the agent's connections, and those of who reads records. The two share no process and no way of it.
    ("tokio", "src/egress/"),
    ("tokio", "src/server/"),
    ("hyper", "src/egress/inspect/"),
    ("hyper", "src/server/"),
    ("hyper_util", "src/egress/inspect/"),
    ("hyper_util", "src/server/"),
    ("rustls", "src/egress/inspect/tls.rs"),
    ("rustls", "src/server/tls.rs"),
    ("tokio_rustls", "src/egress/inspect/tls.rs"),
    ("tokio_rustls", "src/server/tls.rs"),
    ("rcgen", "src/egress/inspect/authority.rs"),
    ("aho_corasick", "src/egress/inspect/needle.rs"),
    ("aho_corasick", "src/dlp/context.rs"),
    ("flate2", "src/dlp/"),
    ("flate2", "src/cli/audit/report/pack.rs"),
    ("ruzstd", "src/base/zstd.rs"),
    ("brotli_decompressor", "src/dlp/containers.rs"),
    ("toml", "src/dlp/rule_file.rs"),
    ("rusqlite", "src/audit/index/"),
];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] = ["utils", "util", "common", "helpers", "helper", "misc", "shared", "types"];

/// The most lines a file has.
const MOST_LINES: usize = 400;

#[test]
fn every_arrow_between_modules_points_down_the_drawing() {
    let lines = drawing();
    let mut wrong = Vec::new();
    let mut count = 0;
    for file in rust_files("src") {
        let Some(from) = module(&file) else { continue };
        for to in arrows(&file) {
            count += usize::from(to != from);
            if to == from || is_allowed(&lines, &from, &to) {
                continue;
            }
            wrong.push(format!("{}: {from} may not use {to}", shown(&file)));
        }
    }
    assert!(count > 50, "only {count} arrows were found: does this test still read the code?");
    assert!(wrong.is_empty(), "against the drawing in ARCHITECTURE.md:\n{}", wrong.join("\n"));
}

#[test]
fn the_drawing_names_every_module_and_no_other() {
    let drawn: Vec<String> = drawing().into_keys().collect();
    let folders = fs::read_dir(root().join("src")).unwrap().map(|entry| entry.unwrap().path());
    let mut there: Vec<String> = folders.filter(|path| path.is_dir()).map(|path| name(&path)).collect();
    there.sort();
    assert_eq!(drawn, there);
}

#[test]
fn the_search_for_arrows_finds_each_way_to_write_one() {
    let text = "//! See crate::cli.\nuse crate::{a::X, b};\nuse crate::c::{Y, Z};\n    crate::d::f(\"crate::e\");\n\
                use super::super::g::h;\n";
    assert_eq!(arrows_in(text, 2), ["a", "b", "c", "d", "g"]);
}

#[test]
fn unsafe_is_in_sys_alone() {
    let uses = |file: &PathBuf| words(&code(&read(file))).any(|word| word == "unsafe");
    let (sys, others): (Vec<PathBuf>, Vec<PathBuf>) =
        rust_files("src").into_iter().filter(uses).partition(|file| module(file).as_deref() == Some("sys"));
    assert!(!sys.is_empty(), "the search finds it where it is");
    assert_eq!(others, Vec::<PathBuf>::new());
}

#[test]
fn a_heavy_package_is_named_in_one_place() {
    for (package, _) in HEAVY {
        let homes: Vec<&str> =
            HEAVY.iter().filter(|(other, _)| other == package).map(|(_, home)| *home).collect();
        let naming: Vec<String> = rust_files("src")
            .iter()
            .filter(|file| names_package(&read(file), package))
            .map(|file| shown(file))
            .collect();
        let is_home = |file: &String| {
            homes.iter().any(|home| *file == *home || home.ends_with('/') && file.starts_with(home))
        };
        let strays = naming.iter().filter(|file| !is_home(file));
        assert!(!naming.is_empty() && strays.count() == 0, "{package} belongs in {homes:?}: {naming:?}");
    }
}

#[test]
fn every_package_of_the_launcher_is_used() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let table = manifest.split("\n[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let packages =
        table.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.replace('-', "_"));
    let all: String = rust_files("src").iter().map(|file| code(&read(file))).collect();
    for package in packages {
        assert!(all.contains(&format!("{package}::")), "{package} is in Cargo.toml and nowhere in src");
    }
}

#[test]
fn every_file_says_what_it_is_and_stays_short() {
    let files = ["src", "tests", "benches", "fuzz/fuzz_targets"].into_iter().flat_map(rust_files);
    for file in files {
        let text = read(&file);
        assert!(text.starts_with("//!"), "{} does not start with what it is", shown(&file));
        let lines = text.lines().count();
        assert!(lines <= MOST_LINES, "{} has {lines} lines; look for the second subject", shown(&file));
        let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
        let above = name(file.parent().unwrap());
        assert!(!EMPTY_NAMES.contains(&&*stem) && !EMPTY_NAMES.contains(&&*above), "{}", shown(&file));
    }
}

#[test]
fn the_architecture_names_only_files_that_are_there() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let is_file = |word: &&str| word.ends_with(".rs") || word.ends_with(".md");
    let named: Vec<&str> = text.split('`').skip(1).step_by(2).filter(is_file).collect();
    assert!(named.len() > 20, "{named:?}");
    for word in named {
        let there = [root().join(word), root().join("src").join(word)].iter().any(|path| path.exists());
        assert!(there, "{word}");
    }
}

#[test]
fn the_lock_file_is_part_of_the_project() {
    assert!(root().join("Cargo.lock").exists());
    let ignored = fs::read_to_string(root().join(".gitignore")).unwrap_or_default();
    assert!(!ignored.lines().any(|line| line.trim_start_matches('/') == "Cargo.lock"));
}

/// Each module with its line in the drawing; `sys ─► base` on one line is the arrow that one line may hold.
fn drawing() -> BTreeMap<String, (u32, Option<String>)> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let section = text.split("\n## Modules").nth(1).unwrap();
    let block = section.split("\n```").nth(1).unwrap();
    let mut modules = BTreeMap::new();
    for line in block.lines().skip(1).filter(|line| !line.trim().is_empty()) {
        let (level, names) = line.trim().split_once(' ').unwrap();
        let level: u32 = level.parse().unwrap();
        for group in names.split('·') {
            let chain: Vec<&str> = group.split("─►").map(str::trim).collect();
            for (place, module) in chain.iter().enumerate() {
                let beside = chain.get(place + 1).map(|next| (*next).to_owned());
                modules.insert((*module).to_owned(), (level, beside));
            }
        }
    }
    modules
}

fn is_allowed(drawing: &BTreeMap<String, (u32, Option<String>)>, from: &str, to: &str) -> bool {
    match (drawing.get(from), drawing.get(to)) {
        (Some((upper, beside)), Some((lower, _))) => upper > lower || beside.as_deref() == Some(to),
        _ => false,
    }
}

fn arrows(file: &Path) -> Vec<String> {
    let inside = file.strip_prefix(root().join("src")).unwrap();
    let depth = inside.components().count() - usize::from(file.ends_with("mod.rs"));
    arrows_in(&read(file), depth)
}

/// Top modules that code names: `crate::x`, `crate::{x, y}`, and as many `super::` as lead out of the module.
/// Tests inside the file are one module deeper.
fn arrows_in(text: &str, depth: usize) -> Vec<String> {
    let code = code(text);
    let (main, tests) = code.split_once("#[cfg(test)]\nmod tests").unwrap_or((&code, ""));
    let mut found: Vec<String> = starts(&code, "crate::");
    for (part, depth) in [(main, depth), (tests, depth + 1)] {
        found.extend(starts(part, &"super::".repeat(depth)).into_iter().filter(|name| name != "super"));
    }
    found.sort();
    found.dedup();
    found
}

fn starts(code: &str, prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        if code[..at].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(group_heads(group)),
            None => found.extend(words(rest).next().filter(|_| !rest.starts_with('*')).map(str::to_owned)),
        }
    }
    found
}

/// The first words of the entries of a `{…}`, whose opening brace is gone.
fn group_heads(group: &str) -> Vec<String> {
    let mut depth = 0;
    let mut heads = Vec::new();
    let mut entry = String::new();
    for letter in group.chars() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.push(std::mem::take(&mut entry)),
            _ => entry.push(letter),
        }
    }
    heads.push(entry);
    heads.iter().filter_map(|entry| words(entry).next().map(str::to_owned)).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|word| !word.is_empty())
}

/// A package is meant by `use name::`, `name::` at the start of a path, or `::name::`; a module of ours of the same
/// name (`sys::landlock`) is not, once it was brought in by a path of our own.
fn names_package(text: &str, package: &str) -> bool {
    let code = code(text);
    let path = format!("{package}::");
    let brought_in = |text: &str| text.contains("use crate::") && words(text).any(|word| word == package);
    let ours = code.split(';').any(brought_in) || code.contains(&format!("mod {package};"));
    code.match_indices(&path).any(|(at, _)| {
        let before = &code[..at];
        let joined =
            before.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':');
        let whole = before.ends_with("use ") || !ours;
        !joined && whole
    })
}

/// The text without comments and without what stands between quotes.
fn code(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut quoted = false;
        let mut letters = line.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '\\' if quoted => drop(letters.next()),
                '"' => quoted = !quoted,
                '\'' if letters.peek() == Some(&'"') => drop(letters.next()),
                '/' if !quoted && letters.peek() == Some(&'/') => break,
                letter if !quoted => out.push(letter),
                _ => {}
            }
        }
        out.push('\n');
    }
    out
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(below: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(below)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(path);
            }
        }
    }
    assert!(below != "src" || found.len() > 50, "the search finds the code");
    found.sort();
    found
}

/// The top module a file belongs to; `None` for main.rs and lib.rs.
fn module(file: &Path) -> Option<String> {
    let inside = file.strip_prefix(root().join("src")).unwrap();
    let mut parts = inside.components();
    let first = parts.next()?.as_os_str().to_string_lossy().into_owned();
    parts.next().map(|_| first)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap()
}

fn shown(file: &Path) -> String {
    file.strip_prefix(root()).unwrap().display().to_string()
}
