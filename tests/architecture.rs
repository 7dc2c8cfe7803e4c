//! The drawing in ARCHITECTURE.md and the code say the same; what may stand in one place only stands nowhere else.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file of src/ with its text.
fn sources() -> Vec<(PathBuf, String)> {
    let mut open = vec![root().join("src")];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

/// The part of a file that is code: no comments.
fn code(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

fn module_of(path: &Path) -> Option<String> {
    let first = path.strip_prefix(root().join("src")).unwrap().components().next()?;
    let name = first.as_os_str().to_str()?;
    (!name.ends_with(".rs")).then(|| name.to_owned())
}

/// Module to line, from the drawing: `4   cli`.
fn drawing() -> BTreeMap<String, u32> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let block = text.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let mut lines = BTreeMap::new();
    for line in block.lines() {
        let (number, names) = line.split_once(' ').unwrap();
        for name in names.split([' ', '·', '─', '►']).filter(|name| !name.is_empty()) {
            lines.insert(name.to_owned(), number.parse().unwrap());
        }
    }
    lines
}

/// The modules of this crate that a text uses.
fn used(text: &str, all: &BTreeMap<String, u32>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for part in code(text).split("crate::").skip(1) {
        if let Some(group) = part.strip_prefix('{') {
            let inner = group.split('}').next().unwrap_or_default();
            let names = inner.split(',').map(|name| name.trim().split("::").next().unwrap_or_default());
            found.extend(names.map(str::to_owned));
        }
        let end = part.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(part.len());
        found.insert(part[..end].to_owned());
    }
    found.into_iter().filter(|name| all.contains_key(name)).collect()
}

#[test]
fn the_drawing_has_every_module_and_no_other() {
    let drawn: BTreeSet<String> = drawing().into_keys().collect();
    let there: BTreeSet<String> = sources().iter().filter_map(|(path, _)| module_of(path)).collect();
    assert_eq!(drawn, there);
}

#[test]
fn a_module_uses_lines_below_its_own_only() {
    let lines = drawing();
    let mut arrows = 0;
    for (path, text) in sources() {
        let Some(module) = module_of(&path) else { continue };
        for other in used(&text, &lines).into_iter().filter(|other| *other != module) {
            arrows += 1;
            let allowed = lines[&other] < lines[&module] || (module == "sys" && other == "base");
            assert!(allowed, "{}: {module} uses {other}", path.display());
        }
    }
    assert!(arrows > 50, "only {arrows} uses were found: does this test still read the code?");
}

#[test]
fn unsafe_stands_in_sys_only() {
    let mut seen = 0;
    for (path, text) in sources() {
        let code = code(&text);
        let words = code.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        let count = words.filter(|word| *word == "unsafe").count();
        assert!(count == 0 || module_of(&path).as_deref() == Some("sys"), "{}", path.display());
        seen += count;
    }
    assert!(seen > 0);
}

#[test]
fn a_heavy_package_is_named_in_one_file() {
    for (package, home) in [
        ("clap::", "cli/args.rs"),
        ("serde_yaml::", "profile/parse.rs"),
        ("seccompiler::", "plan/filter.rs"),
        ("landlock::{", "launch/ruleset.rs"),
        ("ring::", "audit/digest.rs"),
    ] {
        let named = |text: &str| {
            code(text).lines().any(|line| {
                let at = line.find(package);
                at.is_some_and(|at| {
                    !line[..at].ends_with(|letter: char| letter.is_alphanumeric() || ":_".contains(letter))
                })
            })
        };
        let homes: Vec<_> =
            sources().into_iter().filter(|(_, text)| named(text)).map(|(path, _)| path).collect();
        assert_eq!(homes, [root().join("src").join(home)], "{package}");
    }
}

#[test]
fn every_module_file_says_what_it_is() {
    for (path, text) in sources() {
        assert!(text.starts_with("//!"), "{}", path.display());
    }
}

#[test]
fn the_architecture_names_only_files_that_are_there() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut count = 0;
    for word in
        text.split('`').skip(1).step_by(2).filter(|word| word.ends_with(".rs") || word.ends_with(".md"))
    {
        count += 1;
        let there = [root().join(word), root().join("src").join(word)].iter().any(|path| path.exists());
        assert!(there, "{word}");
    }
    assert!(count > 20);
}
