//! The man pages and our sources as text, and what macros mark in a page.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where a page is.
pub(crate) fn path(page: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("man").join(page)
}

/// Its text.
pub(crate) fn page(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap()
}

/// A file of the project.
pub(crate) fn source(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The words a macro marks: for `Cm`, those of `.Cm a , b` and of `.It Cm a`, up to the next macro of the line.
pub(crate) fn marked(page: &str, mark: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in page.lines().filter(|line| line.starts_with('.')) {
        let mut on = false;
        for word in line.trim_start_matches('.').split_whitespace() {
            let is_macro = word.len() == 2 && word.starts_with(|first: char| first.is_ascii_uppercase());
            match (is_macro, on) {
                (true, _) => on = word == mark,
                (false, true) => drop(found.insert(word.trim_start_matches("\\&").to_owned())),
                (false, false) => {}
            }
        }
    }
    found
}
