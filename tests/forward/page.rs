//! aisandbox-forward(5) has every key and word, and its example is valid.

use crate::support::pages::{marked, page, source};
use std::collections::BTreeSet;

#[test]
fn every_key_and_word_of_the_file_is_in_the_page_and_the_example_is_valid() {
    let (page, code) = (page("aisandbox-forward.5"), source("src/sink/keys.rs"));
    let (mut keys, mut words) = (BTreeSet::new(), BTreeSet::new());
    for line in code.lines().map(str::trim).filter(|line| line.ends_with(',')) {
        if let Some((word, _)) = line.strip_prefix('"').and_then(|rest| rest.split_once("\" => ")) {
            words.insert(word.to_owned());
        } else if let Some((key, _)) = line.split_once(": ").filter(|(key, _)| !key.contains(' ')) {
            keys.insert(key.to_owned());
        }
    }
    assert!(keys.len() > 30 && words.len() > 12, "{keys:?} {words:?}");
    assert_eq!(keys.difference(&marked(&page, "Ic")).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(words.difference(&marked(&page, "Cm")).collect::<Vec<_>>(), Vec::<&String>::new());
    let example =
        page.split("\n.Bd -literal -offset indent\n").nth(1).unwrap().split("\n.Ed").next().unwrap();
    let file = std::env::temp_dir().join(format!("aisandbox-forward-page-{}.yaml", std::process::id()));
    std::fs::write(&file, example).unwrap();
    let read = aisandbox::sink::load(&file);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(read.unwrap_or_else(|errors| panic!("{errors:?}")).sinks.len(), 4);
}
