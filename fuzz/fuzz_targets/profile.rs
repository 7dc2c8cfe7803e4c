//! Any text as a profile: no panic, no hang, and what loads can be shown and read again.
#![no_main]

use aisandbox::profile::{Context, load_str, to_text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let person = Context {
        home: "/home/u".into(),
        pwd: "/home/u/project".into(),
        user: "u".into(),
        uid: 1000,
        env: std::collections::BTreeMap::new(),
        search: Vec::new(),
    };
    match load_str("x.yaml", text, &person) {
        Ok(profile) => {
            let shown = to_text(&profile);
            assert!(load_str("again.yaml", &shown, &person).is_ok(), "{shown}");
        }
        Err(errors) => assert!(!errors.is_empty()),
    }
});
