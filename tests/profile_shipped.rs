//! The shipped profiles: what they open, what they keep closed, that each line is explained, and that what is shown
//! of them means the same again.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use aisandbox::profile::{
    Access, Context, FsEntry, NetworkMode, Observe, Profile, ProfileError, list, load, load_str, to_json,
    to_text, unsupported,
};
use std::path::Path;

const NAMES: [&str; 6] = ["base", "cowork", "offline", "readonly-docs", "regulated", "spreadsheet-write"];

fn person() -> Context {
    Context {
        home: "/home/u".into(),
        pwd: "/home/u/project".into(),
        user: "u".into(),
        uid: 1000,
        env: std::collections::BTreeMap::new(),
        search: Vec::new(),
    }
}

fn words(errors: &[ProfileError]) -> String {
    errors.iter().map(|error| format!("{error}\n")).collect()
}

fn at<'a>(profile: &'a Profile, path: &str) -> Option<&'a FsEntry> {
    profile.filesystem.iter().find(|entry| entry.path.as_path() == Path::new(path))
}

#[test]
fn shipped_profiles_load_and_this_build_can_do_all_they_ask() {
    for name in NAMES {
        let profile = load(name, &person()).unwrap_or_else(|errors| panic!("{}", words(&errors)));
        assert!(unsupported(&profile).is_empty(), "{name}");
        assert!(
            !profile.description.is_empty() && profile.origins.iter().all(|origin| origin.embedded),
            "{name}"
        );
        let writable: Vec<_> = profile.filesystem.iter().filter(|entry| entry.access == Access::Rw).collect();
        match name {
            "cowork" | "offline" | "regulated" => {
                assert!(writable.len() == 1 && writable[0].protect.len() > 50, "{name}")
            }
            "spreadsheet-write" => {
                let output = &at(&profile, "/home/u/project/output").unwrap().access;
                assert!(writable.is_empty() && matches!(output, Access::Ask(_)), "{output:?}");
            }
            _ => assert!(writable.is_empty(), "{name}"),
        }
        for secret in ["/etc/shadow", "/etc/machine-id", "/etc", "/home/u/.ssh", "/sys", "/run/user"] {
            assert!(at(&profile, secret).is_none(), "{name} {secret}");
        }
    }
    assert_eq!(load("offline", &person()).unwrap().network.mode, NetworkMode::None);
    assert_eq!(load("regulated", &person()).unwrap().observe, Observe::All);
}

#[test]
fn every_line_of_a_shipped_profile_is_explained() {
    for name in NAMES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("profiles/{name}.yaml"));
        let text = std::fs::read_to_string(path).unwrap();
        for (number, line) in text.lines().enumerate() {
            let opens = line.trim_end().ends_with(':'); // a heading; what is below it is explained
            let described = line.starts_with("description:") || line.trim().is_empty() || line.contains("# ");
            assert!(opens || described || line.starts_with('#'), "{name}.yaml:{}: {line}", number + 1);
        }
    }
}

#[test]
fn what_is_shown_of_a_profile_means_the_same_when_read() {
    for name in NAMES {
        let profile = load(name, &person()).unwrap();
        let text = to_text(&profile);
        let again = load_str("again.yaml", &text, &person())
            .unwrap_or_else(|errors| panic!("{text}{}", words(&errors)));
        let without_places = |profile: &Profile| {
            let text = to_text(profile);
            text.lines().map(|line| line.split("  # ").next().unwrap_or("").to_owned()).collect::<Vec<_>>()
        };
        let skip =
            |lines: Vec<String>| lines.into_iter().filter(|line| !line.starts_with('#')).collect::<Vec<_>>();
        assert_eq!(skip(without_places(&again)), skip(without_places(&profile)));
        assert_eq!(to_json(&again)["limits"], to_json(&profile)["limits"]);
    }
}

#[test]
fn text_of_a_file_is_shown_so_that_it_cannot_become_anything_else() {
    let text = "version: 1\nenvironment: { set: { A: \"x: [\\e]0;y\\a # $$HOME 'q'\\n\", B: \"1\", C: \"true\" } }\n";
    let profile = load_str("x.yaml", text, &person()).unwrap();
    let shown = to_text(&profile);
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{7}'), "{shown:?}");
    let again = load_str("again.yaml", &shown, &person()).unwrap();
    assert_eq!(again.environment.set, profile.environment.set);
}

#[test]
fn the_list_has_every_shipped_profile_with_its_line() {
    let listed = list(&person());
    assert_eq!(listed.iter().map(|listed| listed.name.as_str()).collect::<Vec<_>>(), NAMES);
    assert!(listed.iter().all(|listed| !listed.description.is_empty() && !listed.shadowed));
}
