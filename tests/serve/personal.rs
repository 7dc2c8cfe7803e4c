//! What is personal and a collector: it stays on the device, and what is withheld there changes nothing here.

use super::collector::World;
use super::{runs, story, with_runs};
use crate::support::for_each_user;
use crate::support::run::{PATIENCE, comes_true};
use std::fs;
use std::path::{Path, PathBuf};

/// Files below a folder that have this text in them.
fn with_text(folder: &Path, text: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let of = |path: PathBuf| match path.is_dir() {
        true => with_text(&path, text),
        false => {
            let bytes = fs::read(&path).unwrap();
            let has = bytes.windows(text.len()).any(|part| part == text.as_bytes());
            Some(path).filter(|_| has).into_iter().collect()
        }
    };
    entries.flat_map(of).collect()
}

#[test]
fn what_is_personal_stays_on_the_device_and_what_is_withheld_there_changes_nothing_at_the_collector() {
    for_each_user(|home| {
        let run = with_runs(&home, &[(&story::whole(), true)])[0].to_string();
        let world = World::new(&home);
        world.mirror(&[]).expect_code(0);
        let state = home.join(".local/state/aisandbox");
        for text in ["/home/u/.gnupg", "to sign the release", "paste.example.net"] {
            assert!(!with_text(&state, text).is_empty(), "the control: {text} is at home");
            assert_eq!(with_text(&world.store, text), Vec::<PathBuf>::new(), "{text}");
        }
        let copy = world.mirrored(&run);
        let verified = || home.aisandbox(&["audit", "verify", copy.to_str().unwrap()]).output();
        let before = verified().expect_code(0);
        assert!(
            before.contains("SEALED") && before.contains("this is a copy of the leaves alone"),
            "{before}"
        );
        let shown = home.aisandbox(&["audit", "show", copy.to_str().unwrap()]).output().expect_code(0);
        assert!(shown.contains("[withheld]") && !shown.contains("gnupg"), "{shown}");
        home.aisandbox(&["audit", "redact", &run, "--reason", "x"]).output().expect_code(0);
        home.aisandbox(&["audit", "verify", &run]).output().expect_code(0);
        world.mirror(&[]).expect_code(0);
        world.status(&[]).expect_code(0);
        let after = verified().expect_code(0);
        assert!(
            after.starts_with(&before) && after.contains("redaction ") && !after.contains("NOT"),
            "{after}"
        );
        // A run that was removed since is known by the device's log, and missed by nobody.
        let config = home.write("retention.conf", "personal = never\nruns = 1s\n");
        let words = ["audit", "retain", "--config", config.to_str().unwrap()];
        let pruned = || {
            home.aisandbox(&words).output().expect_code(0);
            !runs(&home).join(&run).exists()
        };
        assert!(comes_true(PATIENCE, pruned), "a second passes");
        world.mirror(&[]).expect_code(0);
        world.status(&[]).expect_code(0);
    });
}
