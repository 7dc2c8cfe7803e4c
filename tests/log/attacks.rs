//! Who wants to see what was withheld, to make it look tampered with, or to be at it at the same time.

use crate::openings::{holds, openings};
use crate::{Place, end, event, messages, segment};
use aisandbox::audit::log::{
    Custody, Follow, Judge, Opening, Openings, Packed, State, Why, devices_of, pack, read, verify,
};
use aisandbox::audit::withhold::{Became, Chosen, Done, Windows, redact, retain};
use aisandbox::base::WallTime;
use std::fs;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::time::{Duration, Instant};

fn why() -> Why {
    Why { reason: "a person asked".into(), by: "redact".into(), uid: 0 }
}

fn all(state: &Path, folder: &Path) -> Done {
    redact(state, &[folder.to_owned()], &Chosen::everything(), (&why(), false)).unwrap().remove(0)
}

fn judged(place: &Place, folder: &Path) -> (State, Openings) {
    let verdict = Judge::new(&place.runs(), None).run(folder).unwrap().verdict;
    (verdict.state, verdict.openings)
}

/// Files below a folder that have this text in them.
fn with_text(folder: &Path, text: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let of = |path: PathBuf| match path.is_dir() {
        true => with_text(&path, text),
        false => Some(path).filter(|path| holds(&fs::read(path).unwrap(), text)).into_iter().collect(),
    };
    entries.flat_map(of).collect()
}

#[test]
fn openings_of_another_run_or_through_a_link_are_none() {
    let place = Place::new();
    let ((_, one), (_, other)) = (place.log(4, true), place.log(4, true));
    let own = fs::read(openings(&one)).unwrap();
    fs::copy(openings(&other), openings(&one)).unwrap();
    let (said, verdict) = messages(&one);
    assert_eq!((said.len(), verdict.state, verdict.openings.open), (0, State::Tampered, 0), "{verdict:?}");
    // Even one to what was there before is not what was written.
    fs::write(place.0.join("moved"), &own).unwrap();
    for target in ["moved", "nothing", "runs"] {
        fs::remove_file(openings(&one)).unwrap();
        std::os::unix::fs::symlink(place.0.join(target), openings(&one)).unwrap();
        let (said, verdict) = messages(&one);
        assert_eq!((said.len(), verdict.state), (0, State::Tampered), "{target}: {verdict:?}");
    }
    fs::remove_file(openings(&one)).unwrap();
    fs::create_dir(openings(&one)).unwrap();
    assert_eq!(verify(&one).unwrap().state, State::Tampered);
    fs::remove_dir(openings(&one)).unwrap();
    fs::write(openings(&one), own).unwrap();
    assert_eq!(messages(&one).0.len(), 4);
}

#[test]
fn a_copy_of_the_leaves_alone_holds_and_says_so_and_at_home_what_is_missing_is_damage() {
    let place = Place::new();
    let (run, folder) = place.log(4, true);
    let copy = place.0.join("copies/runs").join(run.to_string());
    fs::create_dir_all(&copy).unwrap();
    fs::copy(segment(&folder), segment(&copy)).unwrap();
    let (said, verdict) = messages(&copy);
    let why = verdict.why.clone().unwrap();
    assert_eq!((said.len(), verdict.state, verdict.openings.missing), (0, State::Sealed, 4), "{why}");
    assert!(why.contains("not here: this is a copy of the leaves alone"), "{why}");
    // Part of them is no copy of the leaves alone.
    fs::write(openings(&copy), b"").unwrap();
    assert_eq!(verify(&copy).unwrap().state, State::Truncated);
    fs::remove_file(openings(&folder)).unwrap();
    let verdict = verify(&folder).unwrap();
    assert_eq!(verdict.state, State::Truncated, "{verdict:?}");
    assert!(verdict.why.unwrap().contains("no redaction says that it took it"));
}

/// Another file takes the place of the openings while somebody has read half of the log.
#[test]
fn who_follows_a_log_goes_on_when_its_openings_are_withheld_or_packed() {
    for packed in [false, true] {
        let place = Place::new();
        let (run, mut log) = place.begin();
        let folder = place.folder(run);
        for number in 0..5 {
            log.append(&event(&format!("event {number}"))).unwrap();
        }
        let (mut follow, mut seen) = (Follow::open(&folder).unwrap(), Vec::new());
        follow
            .more(&mut |found| seen.push((found.index, matches!(found.opening, Opening::Open(_)))))
            .unwrap();
        let half = seen.len();
        for number in 5..9 {
            log.append(&event(&format!("event {number}"))).unwrap();
        }
        log.append(&end()).unwrap();
        log.seal().unwrap();
        drop(log);
        if packed {
            assert!(matches!(pack(&folder).unwrap(), Packed::Done { .. }));
        }
        let mut open = Vec::new();
        read(&folder, &mut |found| {
            open.extend(found.leaf().filter(|leaf| leaf.event == "launch_failure").map(|_| found.index))
        })
        .unwrap();
        let last = Chosen { index: open.last().copied(), ..Chosen::default() };
        assert_eq!(
            redact(&place.0, std::slice::from_ref(&folder), &last, (&why(), false)).unwrap()[0].leaves,
            1
        );
        let verdict = follow
            .more(&mut |found| seen.push((found.index, matches!(found.opening, Opening::Open(_)))))
            .unwrap();
        assert_eq!(verdict.state, State::Sealed, "{verdict:?}");
        assert!(half > 4 && seen.iter().zip(0..).all(|((index, _), wanted)| *index == wanted), "{seen:?}");
        let whole = verify(&folder).unwrap();
        assert_eq!((verdict.root, verdict.openings.withheld), (whole.root, 1));
        assert_eq!(verdict.openings, whole.openings);
    }
}

/// Where the child of the tests below withholds, in a process of its own.
const STATE: &str = "AISANDBOX_TEST_REDACTION";

#[test]
fn child_that_withholds_until_it_is_killed() {
    let Some(state) = std::env::var_os(STATE).map(PathBuf::from) else { return };
    let folder = fs::read_dir(state.join("runs")).unwrap().next().unwrap().unwrap().path();
    println!("\nready");
    println!("\n{:?}", all(&state, &folder).became);
}

fn child(place: &Place) -> std::process::Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "attacks::child_that_withholds_until_it_is_killed", "--nocapture"])
        .env(STATE, &place.0)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = child.stdout.as_mut().unwrap();
    let mut lines = std::io::BufReader::new(out).lines();
    assert!(lines.any(|line| line.unwrap() == "ready"));
    child
}

#[test]
fn a_kill_at_any_moment_leaves_a_log_that_holds_and_the_next_redaction_finishes() {
    let place = Place::new();
    place.log(300, true);
    let began = Instant::now();
    assert!(child(&place).wait().unwrap().success());
    let (took, rounds) = (began.elapsed(), if crate::step(2) == 1 { 200 } else { 24 });
    let mut met = [0; 2];
    for round in 0..rounds {
        let place = Place::new();
        let (_, folder) = place.log(300, true);
        let root = verify(&folder).unwrap().root;
        let mut child = child(&place);
        std::thread::sleep(took * round / rounds);
        child.kill().unwrap();
        child.wait().unwrap();
        let (state, counts) = judged(&place, &folder);
        assert_eq!(
            (state, counts.missing, counts.open + counts.withheld),
            (State::Sealed, 0, 300),
            "{round}"
        );
        assert!(counts.open == 0 || counts.withheld == 0, "{counts:?}");
        met[usize::from(counts.withheld > 0)] += 1;
        all(&place.0, &folder);
        assert_eq!(judged(&place, &folder), (State::Sealed, Openings { open: 0, withheld: 300, missing: 0 }));
        assert_eq!(verify(&folder).unwrap().root, root);
        assert_eq!(with_text(&place.0, "event "), Vec::<PathBuf>::new(), "{round}");
    }
    println!("killed before {} times, behind {} times", met[0], met[1]);
}

#[test]
fn what_a_killed_redaction_left_goes_with_the_next_retention() {
    let place = Place::new();
    let (_, folder) = place.log(3, true);
    let old = fs::read(openings(&folder)).unwrap();
    all(&place.0, &folder);
    fs::write(folder.join("00000000.openings.new"), old).unwrap();
    let now = WallTime::now();
    retain(&place.0, std::slice::from_ref(&folder), &Windows::default(), (now, 0, true)).unwrap();
    assert_eq!(with_text(&place.0, "event ").len(), 1, "a dry run leaves it");
    assert_eq!(
        retain(&place.0, std::slice::from_ref(&folder), &Windows::default(), (now, 0, false)).unwrap(),
        []
    );
    assert_eq!(with_text(&place.0, "event "), Vec::<PathBuf>::new());
}

#[test]
fn redactions_and_packing_at_once_do_not_disturb_each_other() {
    for _ in 0..4 {
        let place = Place::new();
        let (_, folder) = place.log(60, true);
        let start = Barrier::new(4);
        let became: Vec<Became> = std::thread::scope(|scope| {
            let packs = scope.spawn(|| {
                start.wait();
                pack(&folder).unwrap()
            });
            let work = || {
                start.wait();
                all(&place.0, &folder).became
            };
            let all: Vec<_> = (0..3).map(|_| scope.spawn(work)).collect();
            let became = all.into_iter().map(|one| one.join().unwrap()).collect();
            packs.join().unwrap();
            became
        });
        let fine = [Became::Redacted, Became::Busy, Became::Nothing];
        assert!(became.iter().all(|one| fine.contains(one)), "{became:?}");
        all(&place.0, &folder);
        assert_eq!(judged(&place, &folder), (State::Sealed, Openings { open: 0, withheld: 60, missing: 0 }));
        assert_eq!(with_text(&place.0, "event "), Vec::<PathBuf>::new());
    }
}

#[test]
fn what_was_held_in_time_stays_and_nothing_between_is_possible() {
    let far = WallTime(WallTime::now().0 * 10);
    let windows = Windows { personal: Some(Duration::ZERO), runs: None };
    for _ in 0..6 {
        let place = Place::new();
        let (run, folder) = place.log(20, true);
        let before = fs::read(openings(&folder)).unwrap();
        let start = Barrier::new(2);
        let done = std::thread::scope(|scope| {
            let holds = scope.spawn(|| {
                start.wait();
                Custody::open(&place.0).unwrap().hold(run, &why()).unwrap();
            });
            start.wait();
            let done = retain(&place.0, std::slice::from_ref(&folder), &windows, (far, 0, false)).unwrap();
            holds.join().unwrap();
            done
        });
        assert!(devices_of(&place.0).unwrap()[0].runs[&run].held.is_some());
        match done[0].became {
            Became::Held => assert_eq!(fs::read(openings(&folder)).unwrap(), before),
            Became::Redacted => assert_eq!(judged(&place, &folder).1.withheld, 20),
            other => panic!("{other:?}"),
        }
        assert_eq!(judged(&place, &folder).0, State::Sealed);
    }
}

/// Everything of a leaf is known but six letters of a path, and still no digest in it tells whether a guess is right.
#[test]
fn no_digest_of_a_leaf_can_be_guessed_against() {
    let place = Place::new();
    let (run, mut log) = place.begin();
    // One that fits, and one of which only the beginning does.
    let texts = ["/home/u/abcdef".to_owned(), format!("/home/u/abcdef{}", "x".repeat(200_000))];
    let events = texts.clone().map(|text| event(&text));
    for each in &events {
        log.append(each).unwrap();
    }
    log.seal().unwrap();
    let folder = place.folder(run);
    let (mut leaves, mut cut) = (Vec::new(), 0);
    read(&folder, &mut |found| {
        let leaf = found.leaf().unwrap();
        if leaf.event == "launch_failure" {
            cut += usize::from(leaf.cut.is_some());
            leaves.push(String::from_utf8(found.bytes.to_vec()).unwrap());
        }
    })
    .unwrap();
    assert_eq!((leaves.len(), cut), (2, 1));
    for (leaf, (each, text)) in leaves.iter().zip(events.iter().zip(&texts)) {
        assert!(!leaf.contains("abcdef"), "{leaf}");
        let json = aisandbox::audit::json(each).unwrap();
        let value = serde_json::json!({ "/message": text }).to_string();
        for guess in [json.as_bytes(), text.as_bytes(), value.as_bytes()] {
            let digest = aisandbox::crypto::sha256(guess);
            use base64::Engine;
            let short = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest.bytes());
            assert!(!leaf.contains(&digest.to_string()) && !leaf.contains(&short), "{leaf}");
        }
    }
}
