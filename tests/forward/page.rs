//! aisandbox-forward(5) has every key and word, and its example is valid.

use std::collections::BTreeSet;
use std::path::Path;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The words that a macro marks, up to the next macro of the line.
fn marked<'a>(page: &'a str, mark: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    for line in page.lines().filter(|line| line.starts_with('.')) {
        let mut on = false;
        for word in line.trim_start_matches('.').split_whitespace() {
            let is_macro = word.len() == 2 && word.starts_with(|first: char| first.is_ascii_uppercase());
            match (is_macro, on) {
                (true, _) => on = word == mark,
                (false, true) => drop(found.insert(word)),
                (false, false) => {}
            }
        }
    }
    found
}

#[test]
fn every_key_and_word_of_the_file_is_in_the_page_and_the_example_is_valid() {
    let (page, code) = (read("man/aisandbox-forward.5"), read("src/sink/keys.rs"));
    let (mut keys, mut words) = (BTreeSet::new(), BTreeSet::new());
    for line in code.lines().map(str::trim).filter(|line| line.ends_with(',')) {
        if let Some((word, _)) = line.strip_prefix('"').and_then(|rest| rest.split_once("\" => ")) {
            words.insert(word);
        } else if let Some((key, _)) = line.split_once(": ").filter(|(key, _)| !key.contains(' ')) {
            keys.insert(key);
        }
    }
    assert!(keys.len() > 30 && words.len() > 12, "{keys:?} {words:?}");
    assert_eq!(keys.difference(&marked(&page, "Ic")).collect::<Vec<_>>(), Vec::<&&str>::new());
    assert_eq!(words.difference(&marked(&page, "Cm")).collect::<Vec<_>>(), Vec::<&&str>::new());
    let example =
        page.split("\n.Bd -literal -offset indent\n").nth(1).unwrap().split("\n.Ed").next().unwrap();
    let file = std::env::temp_dir().join(format!("aisandbox-forward-page-{}.yaml", std::process::id()));
    std::fs::write(&file, example).unwrap();
    let read = aisandbox::sink::load(&file);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(read.unwrap_or_else(|errors| panic!("{errors:?}")).sinks.len(), 4);
}
