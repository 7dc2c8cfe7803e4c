//! Personal fields that were withheld: gone from every answer, while every record goes on being proven.

use crate::browser::Browser;
use crate::support::run::{PATIENCE, comes_true};
use crate::support::{Home, for_each_user};
use crate::{ask, json, runs, story, with_runs};
use std::fs;
use std::path::Path;

const REASON: &str = "request 12 of a person \u{1b}[31m";

fn contains(path: &Path, text: &str) -> bool {
    let Ok(bytes) = fs::read(path) else { return false };
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

/// Every file below a folder that has this text in it.
fn with_text(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(with_text(&path, text));
        } else if contains(&path, text) {
            found.push(path.display().to_string());
        }
    }
    found
}

fn state(home: &Home) -> std::path::PathBuf {
    home.join(".local/state/aisandbox")
}

#[test]
fn what_was_withheld_is_in_no_answer_and_the_record_is_proven_as_before() {
    for_each_user(|home| {
        let run = with_runs(&home, &[(&story::whole(), true)])[0].to_string();
        assert!(ask(&home, &["audit", "touched", "/home/u/.gnupg"]).expect_code(0).contains(".gnupg"));
        assert!(!with_text(&state(&home), "id_ed25519").is_empty(), "the control: it is there");
        let words = ["audit", "redact", &run, "--path", "/home/u/.ssh/**", "--reason", REASON];
        let dry = ask(&home, &[&words[..], &["--dry-run"]].concat()).expect_code(0);
        assert!(dry.contains("personal fields of 1 events would be withheld"), "{dry}");
        assert!(!with_text(&state(&home), "id_ed25519").is_empty());
        let done = json(&home, &[&words[..], &["--json"]].concat());
        assert_eq!((&done["runs"][0]["became"], &done["runs"][0]["leaves"]), (&"redacted".into(), &1.into()));
        assert_eq!(
            with_text(&state(&home), "id_ed25519"),
            Vec::<String>::new(),
            "gone, from the index as well"
        );
        ask(&home, &words).expect_code(1);
        // What was not meant is there.
        assert!(ask(&home, &["audit", "touched", "/home/u/.gnupg"]).expect_code(0).contains(".gnupg"));
        assert!(
            ask(&home, &["audit", "touched", "/home/u/.ssh/**"])
                .stdout()
                .lines()
                .all(|line| !line.contains("id_ed25519"))
        );
        let host = ["audit", "redact", &run, "--host", "*.example.com", "--reason", "x"];
        assert!(ask(&home, &host).expect_code(0).contains("personal fields of 4 events withheld"));
        assert!(!ask(&home, &["audit", "last"]).expect_code(0).contains("example.com"));
        ask(&home, &["audit", "redact", &run, "--reason", "all of it"]).expect_code(0);
        for text in ["gnupg", "sign the release", "paste.example.net", "two words", "/home/u/work"] {
            assert_eq!(with_text(&state(&home), text), Vec::<String>::new(), "{text}");
        }

        let verified = ask(&home, &["audit", "verify", &run]).expect_code(0);
        assert!(verified.contains("SEALED") && verified.contains("commitments intact"), "{verified}");
        assert!(verified.contains("request 12 of a person") && !verified.contains('\u{1b}'), "{verified}");
        assert!(ask(&home, &["audit", "verify", "--all"]).expect_code(0).contains("SEALED"));
        let told = json(&home, &["audit", "verify", &run, "--json"]);
        assert_eq!(
            (&told["redactions"][0]["count"], &told["redactions"][2]["carried_out"]),
            (&1.into(), &true.into())
        );
        assert!(told["openings"]["withheld"].as_u64().unwrap() > 10 && !told["openings"]["open"].is_null());
        let shown = ask(&home, &["audit", "show", &run]).expect_code(0);
        assert!(shown.contains("[withheld]") && shown.contains("8F3K-g1"), "{shown}");
        for format in ["jsonl", "ocsf", "cef", "ecs", "otlp"] {
            let out = ask(&home, &["audit", "export", &run, "--format", format]).expect_code(0);
            assert!(out.contains("8F3K-g1") && !out.contains("gnupg"), "{format}: {out}");
        }
        let proof =
            home.write("work/proof", &ask(&home, &["audit", "prove", &format!("{run}:3")]).expect_code(0));
        assert!(
            ask(&home, &["audit", "verify", "--proof", proof.to_str().unwrap()])
                .expect_code(0)
                .contains("PROVEN")
        );
        let report = ask(&home, &["audit", "report", &run]).expect_code(0);
        assert!(!report.contains("gnupg") && report.contains("SEALED"), "{report}");
        assert!(
            ask(&home, &["audit", "who-approved", "8F3K-g1", "--prove"]).expect_code(0).contains("proven")
        );

        let bundle = home.join("bundle");
        ask(&home, &["audit", "bundle", &run, "--out", bundle.to_str().unwrap()]).expect_code(0);
        let checked = home.outside(&format!("cd {} && python3 verify.py .", bundle.display()));
        assert!(
            checked.stdout().contains("SEALED")
                && checked.stdout().contains("values withheld, commitments intact"),
            "{checked:?}"
        );
        let Some(browser) = Browser::start(&std::env::temp_dir()) else { return };
        let file = home.work().join("page.html");
        ask(&home, &["audit", "report", &run, "--html", file.to_str().unwrap()]).expect_code(0);
        let found = browser.open(&file);
        let text = browser.eval("document.body.innerText").as_str().unwrap().to_owned();
        assert_eq!((&found["badge"], &found["recount"]), (&"good".into(), &"same".into()), "{found} {text}");
        assert!(text.contains("were withheld by a redaction") && !text.contains("gnupg"), "{text}");
    });
}

#[test]
fn the_verifier_of_one_page_opens_what_is_there_and_finds_what_was_changed() {
    for_each_user(|home| {
        let run = with_runs(&home, &[(&story::whole(), true)])[0].to_string();
        let bundle = home.join("bundle");
        ask(&home, &["audit", "bundle", &run, "--out", bundle.to_str().unwrap()]).expect_code(0);
        let check =
            |words: &str| home.outside(&format!("cd {} && python3 verify.py {words} .", bundle.display()));
        assert!(check("--leaves").expect_code(0).contains("/home/u/.ssh/id_ed25519"));
        let proof = home.write("proof", &ask(&home, &["audit", "prove", &format!("{run}:7")]).expect_code(0));
        let proven =
            home.outside(&format!("python3 {}/verify.py --leaves {}", bundle.display(), proof.display()));
        assert!(proven.expect_code(0).contains("to sign the release"), "{proven:?}");
        let path = bundle.join("00000000.openings");
        let whole = fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(97) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(&path, bytes).unwrap();
            let told = check("");
            assert!(
                told.stdout().contains("TAMPERED") || told.stdout().contains("TRUNCATED"),
                "byte {at}: {told:?}"
            );
        }
        fs::write(&path, b"").unwrap();
        assert!(check("").expect_code(2).contains("no redaction took them"));
        fs::remove_file(&path).unwrap();
        assert!(check("").expect_code(0).contains("no redaction took them"), "a copy of the leaves alone");
    });
}

#[test]
fn a_run_that_is_held_stays_until_it_is_released_and_old_ones_go() {
    for_each_user(|home| {
        let made = with_runs(&home, &[(&story::whole(), true), (&[story::end()], true)]);
        let (run, other) = (made[0].to_string(), made[1].to_string());
        assert!(ask(&home, &["audit", "hold", &run, "--reason", "case 17"]).expect_code(0).contains("held"));
        ask(&home, &["audit", "hold", &run, "--reason", "again"]).expect_code(1);
        let said = ask(&home, &["audit", "redact", &run, "--reason", "x"]).expect_code(1);
        assert!(said.contains("held (case 17)"), "{said}");
        let config = home.write("retention.conf", "personal = 7d\nruns = 1d # later\n");
        let retain = |words: &[&str]| {
            let all = [&["audit", "retain", "--config", config.to_str().unwrap(), "--json"], words].concat();
            json(&home, &all)["runs"].clone()
        };
        assert_eq!(retain(&["--dry-run"]), serde_json::json!([]), "nothing is old");
        let due = retain(&["--dry-run", "--now", "2099-01-01"]);
        assert_eq!((&due[0]["became"], &due[1]["became"]), (&"held".into(), &"pruned".into()), "{due}");
        ask(&home, &["audit", "retain", "--now", "2099-01-01"]).expect_code(125);
        let none = home.write("never.conf", "personal = 1s\nruns = 1s\n");
        let words = ["audit", "retain", "--config", none.to_str().unwrap()];
        let due = || ask(&home, &[&words[..], &["--dry-run"]].concat()).stdout().contains("would be removed");
        assert!(comes_true(PATIENCE, due), "a second passes");
        let said = ask(&home, &words).expect_code(0);
        assert!(said.contains("held (case 17)") && said.contains("removed, "), "{said}");
        assert!(runs(&home).join(&run).exists() && !runs(&home).join(&other).exists());
        let told = ask(&home, &["audit", "verify", "--all"]).expect_code(0);
        assert!(told.contains(&format!("PRUNED: run {other}")) && !told.contains("GONE"), "{told}");
        assert!(!ask(&home, &["audit", "list"]).stdout().contains(&other[..26]));
        ask(&home, &["audit", "hold", &run, "--release"]).expect_code(0);
        ask(&home, &["audit", "hold", &run, "--release"]).expect_code(1);
        assert!(ask(&home, &words).expect_code(0).contains("removed, "));
        assert!(!runs(&home).join(&run).exists());
        ask(&home, &["audit", "verify", "--all"]).expect_code(0);
        for wrong in [&["--class", "internal"][..], &["--older-than", "soon"], &["--path", ""]] {
            let words = [&["audit", "redact", "--all", "--reason", "x"], wrong].concat();
            ask(&home, &words).expect_code(125);
        }
    });
}
