//! What an agent wrote, what somebody changed, and what a full disk does.

use crate::support::{for_each_user, skip};
use crate::{ask, json, runs, story, with_runs};
use std::fs;

const HOSTILE: &str = "x\n\u{1b}]52;c;aGk=\u{7}\u{202e}\u{9b}2J\u{200b}'; DROP TABLE ev; --<script>";

#[test]
fn no_answer_sends_a_byte_of_an_agent_to_the_terminal() {
    for_each_user(|home| {
        let path = format!("/home/u/{HOSTILE}");
        let mut events = vec![story::start(&["agent", HOSTILE]), story::denial("8F3K-d1", &path, 1)];
        let mut network = story::network("close", HOSTILE, 1, 5);
        network.findings = vec![(HOSTILE.into(), 1)];
        network.reason = Some(HOSTILE.into());
        network.what = "denied".into();
        events.push(aisandbox::audit::Event::Network(Box::new(network)));
        let run = with_runs(&home, &[(&events, true)])[0].to_string();
        let event = format!("{run}:2");
        let all: &[&[&str]] = &[
            &["audit", "last"],
            &["audit", "list"],
            &["audit", "show", &run],
            &["audit", "show", &event],
            &["audit", "touched", "/**"],
            &["audit", "who-approved", "8F3K-d1"],
            &["audit", "who-approved", HOSTILE],
            &["audit", "moved", &run],
            &["audit", "moved"],
            &["audit", "moved", HOSTILE],
            &["audit", "explain", &run],
            &["audit", "explain", "8F3K-d1"],
            &["audit", "tail"],
            &["audit", "stats"],
            &["audit", "touched", HOSTILE],
            &["audit", "report"],
        ];
        for words in all {
            for json in [false, true] {
                let words: Vec<&str> = words.iter().copied().chain(json.then_some("--json")).collect();
                let output = ask(&home, &words);
                let told = output.stdout() + &output.stderr();
                let bad = |letter: &char| {
                    *letter != '\n' && (letter.is_control() || "\u{202e}\u{200b}\u{9b}".contains(*letter))
                };
                assert_eq!(told.chars().find(bad), None, "{words:?}: {told}");
                assert!(!told.is_empty(), "{words:?}");
            }
        }
        let rows = json(&home, &["audit", "touched", "/home/u/*", "--json"]);
        assert_eq!(rows["rows"][0]["name"], path, "and it comes back as it was");
    });
}

#[test]
fn what_was_changed_is_said_in_every_answer() {
    for_each_user(|home| {
        let run = with_runs(&home, &[(&story::whole(), true)])[0].to_string();
        ask(&home, &["audit", "last"]).expect_code(0);
        let segment = runs(&home).join(&run).join("00000000.seg");
        let mut bytes = fs::read(&segment).unwrap();
        let at = bytes.len() * 3 / 4;
        bytes[at] ^= 1;
        fs::write(&segment, bytes).unwrap();
        let text = ask(&home, &["audit", "last"]).expect_code(1);
        assert!(text.contains("TAMPERED, ") && text.contains("from byte "), "{text}");
        assert!(ask(&home, &["audit", "list"]).expect_code(1).contains("TAMPERED"));
        assert!(ask(&home, &["audit", "touched", ".gnupg"]).expect_code(0).contains("TAMPERED"));
        assert_eq!(json(&home, &["audit", "touched", ".gnupg", "--json"])["rows"][0]["state"], "tampered");
        let proven = json(&home, &["audit", "touched", ".gnupg", "--json", "--prove"]);
        for row in proven["rows"].as_array().unwrap() {
            assert!(row["proof"]["proven"] == true || row["proof"]["why"].is_string(), "{row}");
        }
        assert!(ask(&home, &["audit", "who-approved", "8F3K-g1"]).expect_code(0).contains("TAMPERED"));
    });
}

#[test]
fn an_index_that_lies_is_found_out_by_its_proof() {
    for_each_user(|home| {
        let run = with_runs(&home, &[(&story::whole(), true)])[0].to_string();
        ask(&home, &["audit", "last"]).expect_code(0);
        let file = home.join(".local/state/aisandbox/index/index.sqlite");
        let db = fs::read(&file).unwrap();
        let (real, lie) = (b"/home/u/.gnupg/ring", b"/home/u/.gnupg/king");
        let mut changed = db.clone();
        let places: Vec<usize> =
            (0..db.len() - real.len()).filter(|at| &db[*at..*at + real.len()] == real).collect();
        assert!(!places.is_empty());
        places.iter().for_each(|at| changed[*at..*at + lie.len()].copy_from_slice(lie));
        fs::write(&file, changed).unwrap();
        let told = json(&home, &["audit", "touched", "king", "--json", "--prove"]);
        let row = &told["rows"][0];
        assert_eq!(
            (row["run"].as_str(), row["proof"]["proven"].as_bool()),
            (Some(&*run), Some(false)),
            "{told}"
        );
        assert!(row["proof"]["why"].as_str().unwrap().contains("something else than the index"));
    });
}

#[test]
fn on_a_full_disk_the_question_is_answered_all_the_same() {
    if !nix::unistd::getuid().is_root() {
        return skip("only root mounts a small disk");
    }
    for_each_user(|home| {
        let state = home.make_folder(".local/state/aisandbox");
        let mount = format!("mount -t tmpfs -o size=1200k,mode=0700,uid=0 none {}", state.display());
        if !std::process::Command::new("sh").args(["-c", &mount]).status().unwrap().success() {
            return skip("no tmpfs can be mounted here");
        }
        let done = std::panic::catch_unwind(|| {
            with_runs(&home, &[(&story::whole(), true)]);
            drop(fs::write(state.join("filler"), vec![1; 2 << 20]).unwrap_err());
            let output = ask(&home, &["audit", "last"]);
            assert!(output.expect_code(0).contains("MOVED     1.8 MB out"));
            output.expect_said("the index cannot be kept");
        });
        nix::mount::umount(&state).unwrap();
        done.unwrap();
    });
}
