//! Entries that ask, as they are written: what is understood, what is refused, and what is shown again.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use aisandbox::base::Action;
use aisandbox::profile::{
    Access, AskWish, Context, OnRevoke, Profile, ProfileError, load_str, to_text, unsupported,
};
use std::time::Duration;

fn read(text: &str) -> Result<Profile, Vec<ProfileError>> {
    let context = Context {
        home: "/home/u".into(),
        pwd: "/home/u/work".into(),
        user: "u".into(),
        uid: 1000,
        env: Default::default(),
        search: Vec::new(),
    };
    load_str("x.yaml", &format!("version: 1\n{text}"), &context)
}

fn wish(keys: &str) -> AskWish {
    let profile = read(&format!("filesystem: [{{ path: /a, access: ask, {keys} }}]\n")).unwrap();
    let Access::Ask(wish) = &profile.filesystem[0].access else { panic!() };
    wish.clone()
}

const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn every_key_of_an_entry_that_asks_is_understood() {
    let plain = wish("actions: [delete, read, read]");
    assert_eq!(plain.actions, [Action::Read, Action::Delete]);
    assert_eq!(plain, AskWish { actions: plain.actions.clone(), ..AskWish::default() });
    let full = wish(
        "actions: [read], lease: 2h, uses: 3, bytes: 1K, transform: redact, rules: ['a+'], on_revoke: kill, revocable: true",
    );
    let wanted = AskWish {
        actions: vec![Action::Read],
        lease: Some(Duration::from_secs(7200)),
        uses: Some(3),
        bytes: Some(1024),
        redact: Some(vec!["a+".into()]),
        programs: Vec::new(),
        on_revoke: OnRevoke::Kill,
        revocable: true,
    };
    assert_eq!(full, wanted);
    let programs = wish(&format!("actions: [read, execute], programs: [{DIGEST}], on_revoke: stop"));
    assert_eq!((programs.programs, programs.on_revoke), (vec![DIGEST.to_owned()], OnRevoke::Stop));
}

#[test]
fn keys_that_cannot_mean_anything_together_are_refused() {
    for (keys, told) in [
        ("actions: []", "`actions` is missing"),
        ("actions: [connect]", "unknown action `connect`"),
        ("actions: [read, overwrite], transform: redact", "what is redacted cannot be changed"),
        ("actions: [execute], transform: redact", "is about reading"),
        ("actions: [read], rules: ['a']", "`rules` without `transform`"),
        ("actions: [read], transform: redact, rules: ['']", "1 to 1024 bytes"),
        ("actions: [read], programs: [DIGEST]", "is about what can be executed"),
        ("actions: [read, execute, append], programs: [DIGEST]", "must stay as it is"),
        ("actions: [read, execute], transform: redact, programs: [DIGEST]", "another digest"),
        ("actions: [read, execute], programs: []", "lists none"),
        ("actions: [read, execute], programs: [abc]", "not a SHA-256"),
        ("actions: [read, execute], noexec: true", "`noexec` with the action execute"),
        ("actions: [read], bytes: 0", "in 0 bytes"),
        ("actions: [read], uses: 0", "x.yaml:2"),
        ("actions: [read], on_revoke: maybe", "unknown answer `maybe`"),
    ] {
        let keys = keys.replace("DIGEST", DIGEST);
        let errors = read(&format!("filesystem: [{{ path: /a, access: ask, {keys} }}]\n")).unwrap_err();
        let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert!(said.join("\n").contains(told), "{keys}: {said:?}");
    }
    for key in [
        "uses: 1",
        "bytes: 1",
        "transform: redact",
        "rules: [a]",
        "programs: []",
        "on_revoke: stop",
        "revocable: true",
    ] {
        let errors = read(&format!("filesystem: [{{ path: /a, access: ro, {key} }}]\n")).unwrap_err();
        assert!(errors[0].message.contains("means nothing with `access: ro`"), "{key}: {errors:?}");
    }
}

#[test]
fn what_is_shown_of_it_is_the_same_again() {
    let text = format!(
        "guardian: true\nfilesystem:\n  - {{ path: /a, access: ask, actions: [read], lease: 90s, uses: 2, bytes: 5, transform: redact, rules: ['\\d$'], on_revoke: stop, revocable: true }}\n  \
         - {{ path: /b, access: ask, actions: [read, execute], programs: [{DIGEST}], on_revoke: kill }}\n"
    );
    let profile = read(&text).unwrap();
    let again = load_again(&to_text(&profile));
    let wishes = |profile: &Profile| {
        let wish = |entry: &aisandbox::profile::FsEntry| entry.access.clone();
        profile.filesystem.iter().map(wish).collect::<Vec<_>>()
    };
    assert_eq!(wishes(&again), wishes(&profile));
    assert!(again.guardian && unsupported(&profile).is_empty());
}

fn load_again(text: &str) -> Profile {
    read(text.strip_prefix("# from x.yaml\nversion: 1\n").unwrap()).unwrap()
}

#[test]
fn a_run_is_guarded_when_something_can_be_asked_for_or_it_is_wished() {
    assert!(!read("").unwrap().guarded());
    assert!(read("guardian: true\n").unwrap().guarded());
    let asks = read("filesystem: [{ path: /a, access: ask, actions: [read] }]\n").unwrap();
    assert!(asks.guarded() && asks.asks() && !asks.guardian);
}
