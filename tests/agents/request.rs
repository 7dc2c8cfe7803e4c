//! `aisandbox request`: exit codes, JSON, and words for people.

use crate::{asking, folder, json, stand_in, text};
use std::time::{Duration, Instant};

#[test]
fn a_yes_is_0_and_a_no_is_1_with_a_stable_reason() {
    let place = folder("request-answers");
    let broker = stand_in::listen_in(&place);
    let ask = |path: &str| {
        asking(&broker).args(["request", "read", path, "--why", "to see", "--json"]).output().unwrap()
    };
    let yes = ask("/granted/a");
    assert_eq!(yes.status.code(), Some(0));
    assert_eq!(
        (json(&yes)["result"].as_str(), json(&yes)["how"].as_str()),
        (Some("granted"), Some("descriptor"))
    );
    let no = ask("/etc/shadow");
    assert_eq!(no.status.code(), Some(1));
    assert_eq!(
        (json(&no)["result"].as_str(), json(&no)["reason"].as_str()),
        (Some("denied"), Some("ceiling"))
    );
    assert_eq!(json(&no)["id"], "8F3K-d1");
    std::fs::remove_dir_all(place).unwrap();
}

#[test]
fn a_wrong_wish_is_2_and_nobody_to_ask_is_125() {
    let place = folder("request-mistakes");
    let broker = stand_in::listen_in(&place);
    for wrong in [
        &["request", "read", "/x"] as &[&str],
        &["request", "steal", "/x", "--why", "w"],
        &["request", "connect", "example.org", "--why", "w"],
        &["request", "read", "/a/../b", "--why", "w"],
        &["request", "read", "/x", "--why", " "],
        &["request", "read", "/x", "--why", "w", "--timeout", "soon"],
    ] {
        assert_eq!(asking(&broker).args(wrong).output().unwrap().status.code(), Some(2), "{wrong:?}");
    }
    let nobody = asking(&broker)
        .env_remove("AISANDBOX_BROKER_PATH")
        .args(["request", "read", "/x", "--why", "w", "--json"])
        .output()
        .unwrap();
    assert_eq!((nobody.status.code(), json(&nobody)["result"].as_str()), (Some(125), Some("no-broker")));
    std::fs::remove_dir_all(place).unwrap();
}

#[test]
fn a_person_who_thinks_is_waited_for_and_patience_has_an_end() {
    let place = folder("request-patience");
    let broker = stand_in::listen_in(&place);
    let ask = |path: &str, more: &[&str]| {
        let begun = Instant::now();
        let output =
            asking(&broker).args(["request", "write", path, "--why", "w"]).args(more).output().unwrap();
        (output, begun.elapsed())
    };
    let (waited, time) = ask("/slow/a", &[]);
    assert_eq!(waited.status.code(), Some(0), "{waited:?}");
    assert!(time >= stand_in::THINKS && text(&waited.stderr).contains("8F3K-1"), "{waited:?}");
    let (silent, time) = ask("/silent", &["--timeout", "1s", "--json"]);
    assert_eq!((silent.status.code(), json(&silent)["reason"].as_str()), (Some(1), Some("timeout")));
    assert!(time >= Duration::from_secs(1) && time < Duration::from_secs(60));
    std::fs::remove_dir_all(place).unwrap();
}

#[test]
fn a_file_given_by_descriptor_is_printed_whole() {
    let place = folder("request-print");
    let broker = stand_in::listen_in(&place);
    let granted = place.join("granted");
    std::fs::write(&granted, vec![b'x'; 300_000]).unwrap();
    let printed = asking(&broker)
        .args(["request", "read", granted.to_str().unwrap(), "--why", "w", "--print"])
        .output()
        .unwrap();
    assert_eq!(
        (printed.status.code(), printed.stdout.len()),
        (Some(0), 300_000),
        "{}",
        text(&printed.stderr)
    );
    let refused = asking(&broker).args(["request", "read", "/no", "--why", "w", "--print"]).output().unwrap();
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(1), 0));
    std::fs::remove_dir_all(place).unwrap();
}

#[test]
fn what_the_guardian_says_reaches_a_terminal_escaped() {
    let place = folder("request-escaped");
    let broker = stand_in::listen_in(&place);
    let denied = asking(&broker).args(["request", "read", "/no", "--why", "w"]).output().unwrap();
    assert!(text(&denied.stderr).contains("no entry of the profile"));
    assert!(!text(&denied.stderr).contains('\u{1b}'), "{denied:?}");
    let explained = asking(&broker).args(["request", "explain", "8F3K-d1"]).output().unwrap();
    assert_eq!(explained.status.code(), Some(0));
    assert!(
        text(&explained.stdout).contains("hint: do without") && !text(&explained.stdout).contains('\u{1b}')
    );
    let listed = asking(&broker).args(["request", "list"]).output().unwrap();
    assert_eq!(text(&listed.stdout), "askable   read /slow\n");
    std::fs::remove_dir_all(place).unwrap();
}

#[test]
fn the_word_of_a_reason_is_explained_where_nobody_can_be_asked() {
    let explained = asking(std::path::Path::new("/nonexistent"))
        .args(["request", "explain", "ceiling", "--json"])
        .output()
        .unwrap();
    assert_eq!((explained.status.code(), json(&explained)["reason"].as_str()), (Some(0), Some("ceiling")));
}
