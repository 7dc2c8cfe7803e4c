//! The record of a run: what a change of it shows, and what a full disk does.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

use aisandbox::audit::event::{
    Asked, Command, Degraded, EndReason, Enforced, Event, Exit, FileFacts, KernelFacts, LayerState,
    ProfileFacts, RunEnd, RunStart,
};
use aisandbox::audit::{AuditError, Log, Verdict, new_run_id, verify};
use aisandbox::base::RunId;
use aisandbox::cli::audit;
use aisandbox::crypto::sha256;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A private folder of one test, removed at its end.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("aisandbox-audit-{}", new_run_id().unwrap()));
        fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
        Self(path)
    }

    fn runs(&self) -> PathBuf {
        self.0.join("runs")
    }

    /// Writes a log of these events and gives its run and path.
    fn log(&self, events: &[Event]) -> (RunId, PathBuf) {
        let run = new_run_id().unwrap();
        let mut log = Log::create(&self.runs(), run).unwrap();
        for event in events {
            log.append(event).unwrap();
        }
        log.sync().unwrap();
        (run, log.path().to_owned())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn start(argv: &[&str]) -> Event {
    let layer = LayerState {
        layer: "seccomp".into(),
        asked: Asked::Required,
        state: Enforced::Enforced,
        detail: String::new(),
    };
    Event::RunStart(Box::new(RunStart {
        aisandbox_version: "0.1.0".into(),
        binary: FileFacts { path: "/usr/bin/aisandbox".into(), sha256: Some(sha256(b"binary")) },
        program: FileFacts { path: "/usr/bin/agent".into(), sha256: None },
        command: Command::of(argv),
        profile: ProfileFacts { name: "cowork".into(), origins: Vec::new() },
        kernel: KernelFacts { release: "6.12".into(), machine: "x86_64".into(), landlock_abi: 6, lsms: None },
        uid: 1000,
        gid: 1000,
        cwd: "/home/u".into(),
        layers: vec![layer],
        chain: Vec::new(),
    }))
}

fn degraded(why: &str) -> Event {
    Event::Degraded(Degraded { layer: "cgroup".into(), why: why.into(), accepted_by: "cowork.yaml:3".into() })
}

fn end() -> Event {
    let denied = [("protected".to_owned(), 2)].into();
    Event::RunEnd(RunEnd { exit: Exit::Code(3), reason: EndReason::Exited, duration_ms: 12, denied })
}

fn whole_run() -> [Event; 4] {
    [start(&["agent", "--fast"]), degraded("one"), degraded("two"), end()]
}

/// Rewrites a log and gives the verdict on it.
fn after(path: &Path, change: impl FnOnce(Vec<&str>) -> String) -> Verdict {
    let text = fs::read_to_string(path).unwrap();
    fs::write(path, change(text.split_inclusive('\n').collect())).unwrap();
    verify(path).unwrap()
}

fn shown(place: &Place, asked: &str) -> (u8, String) {
    let mut out = Vec::new();
    let code = audit::show(&place.runs(), asked, false, &mut out).unwrap();
    (code, String::from_utf8(out).unwrap())
}

#[test]
fn a_log_nobody_touched_is_whole() {
    let place = Place::new();
    let (_, path) = place.log(&whole_run());
    assert_eq!(verify(&path).unwrap(), Verdict::Whole { events: 4 });
}

#[test]
fn a_log_is_its_owners_alone() {
    let place = Place::new();
    let (_, path) = place.log(&whole_run());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(fs::metadata(place.runs()).unwrap().permissions().mode() & 0o7777, 0o700);
}

#[test]
fn a_log_that_exists_is_never_opened_again() {
    let place = Place::new();
    let (run, path) = place.log(&whole_run());
    let again = Log::create(&place.runs(), run);
    assert!(matches!(again, Err(AuditError::Io { .. })), "{again:?}");
    assert_eq!(verify(&path).unwrap(), Verdict::Whole { events: 4 });
    let other = new_run_id().unwrap();
    std::os::unix::fs::symlink(place.0.join("elsewhere"), place.runs().join(format!("{other}.jsonl")))
        .unwrap();
    assert!(Log::create(&place.runs(), other).is_err());
    assert!(!place.0.join("elsewhere").exists());
}

#[test]
fn a_folder_others_may_write_to_keeps_no_log() {
    let place = Place::new();
    place.log(&whole_run());
    fs::set_permissions(place.runs(), fs::Permissions::from_mode(0o770)).unwrap();
    let error = Log::create(&place.runs(), new_run_id().unwrap()).unwrap_err();
    assert!(error.to_string().contains("others may write to it (mode 0770)"), "{error}");
}

#[test]
fn every_changed_byte_shows() {
    let place = Place::new();
    let (_, path) = place.log(&whole_run());
    let bytes = fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(&path, &changed).unwrap();
        let verdict = verify(&path).unwrap();
        let last = at == bytes.len() - 1;
        assert!(matches!(verdict, Verdict::Broken { .. }) != last, "byte {at}: {verdict:?}");
        assert!(matches!(verdict, Verdict::Torn { .. }) == last, "byte {at}: {verdict:?}");
    }
}

#[test]
fn a_line_that_was_removed_swapped_or_doubled_shows() {
    let place = Place::new();
    let broken_at = |change: fn(Vec<&str>) -> String| {
        let (_, path) = place.log(&whole_run());
        match after(&path, change) {
            Verdict::Broken { line, .. } => line,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(broken_at(|lines| lines[1..].concat()), 1);
    assert_eq!(broken_at(|lines| [lines[0], lines[2], lines[3]].concat()), 2);
    assert_eq!(broken_at(|lines| [lines[0], lines[2], lines[1], lines[3]].concat()), 2);
    assert_eq!(broken_at(|lines| [lines[0], lines[0]].concat()), 2);
    assert_eq!(broken_at(|_| String::new()), 1);
    assert_eq!(broken_at(|lines| [lines[0], "\n", lines[1]].concat()), 2);
}

#[test]
fn a_line_made_anew_with_a_right_sum_still_does_not_carry_the_next() {
    let place = Place::new();
    let (_, path) = place.log(&whole_run());
    let forged = |line: &str| {
        let body = line.split_once(",\"sum\":").unwrap().0.replace("\"one\"", "\"few\"");
        format!("{body},\"sum\":\"{}\"}}\n", sha256(body.as_bytes()))
    };
    let verdict = after(&path, |lines| [lines[0], &forged(lines[1]), lines[2], lines[3]].concat());
    let Verdict::Broken { line: 3, why } = verdict else { panic!("{verdict:?}") };
    assert!(why.contains("does not follow"), "{why}");
}

#[test]
fn the_log_of_another_run_is_not_taken_for_this_one() {
    let place = Place::new();
    let ((_, one), (_, two)) = (place.log(&whole_run()), place.log(&whole_run()));
    fs::copy(&one, &two).unwrap();
    assert!(matches!(verify(&two).unwrap(), Verdict::Broken { line: 1, .. }));
}

#[test]
fn a_torn_last_line_is_torn_and_a_cut_between_lines_is_a_missing_end() {
    let place = Place::new();
    let (run, path) = place.log(&whole_run());
    assert!(!shown(&place, &run.to_string()).1.contains("no end record"), "the control");
    assert_eq!(after(&path, |lines| lines.concat().trim_end().to_owned()), Verdict::Torn { line: 4 });
    assert_eq!(after(&path, |lines| lines[..3].concat()), Verdict::Whole { events: 3 });
    let (code, text) = shown(&place, &run.to_string());
    assert!(code == 0 && text.contains("no end record: still running, or killed"), "{text}");
}

#[test]
fn a_hostile_argument_stays_one_line_and_reaches_no_terminal() {
    let place = Place::new();
    let hostile = "x\n\u{1b}]52;c;aGk=\u{7}\u{202e}\u{9b}2J\u{200b}";
    let (run, path) = place.log(&[start(&["agent", hostile]), end()]);
    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 2);
    let mut outputs = vec![String::from_utf8(bytes).unwrap(), shown(&place, &run.to_string()).1];
    for as_json in [false, true] {
        let mut out = Vec::new();
        audit::list(&place.runs(), as_json, &mut out).unwrap();
        audit::show(&place.runs(), "last", as_json, &mut out).unwrap();
        outputs.push(String::from_utf8(out).unwrap());
    }
    for output in &outputs {
        let bad =
            |letter: &char| *letter != '\n' && (letter.is_control() || "\u{202e}\u{200b}".contains(*letter));
        assert_eq!(output.chars().find(bad), None, "{output}");
    }
    assert!(outputs[1].contains(r"'x\n\x1b]52;c;aGk=\x07\u{202e}\u{9b}2J\u{200b}'"), "{}", outputs[1]);
}

#[test]
fn the_commands_find_a_run_by_its_beginning_and_say_what_it_did() {
    let place = Place::new();
    let (first, _) = place.log(&whole_run());
    std::thread::sleep(std::time::Duration::from_millis(2));
    let (second, path) = place.log(&[start(&["agent", "two words"])]);
    let (code, text) = shown(&place, &first.to_string());
    assert_eq!(code, 0);
    let all = [
        "whole, 4 events",
        "command: agent --fast",
        "layer seccomp: required, enforced",
        "exit 3",
        "denied protected: 2",
    ];
    for words in all {
        assert!(text.contains(words), "{words} not in {text}");
    }
    assert!(shown(&place, "last").1.contains("'two words'"));
    let mut out = Vec::new();
    assert!(
        audit::verify(&place.runs(), &second.to_string()[..2], false, &mut out).is_err(),
        "two runs begin so"
    );
    assert_eq!(audit::verify(&place.runs(), path.to_str().unwrap(), false, &mut out).unwrap(), 0);
    assert!(audit::verify(&place.runs(), "nonsense", false, &mut out).is_err());
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(audit::list(&place.runs(), false, &mut Vec::new()).unwrap(), 1, "a folder in a log's place");
    fs::remove_dir(&path).unwrap();
    fs::write(&path, "{}\n").unwrap();
    assert_eq!(audit::verify(&place.runs(), "last", true, &mut out).unwrap(), 1);
    assert_eq!(audit::list(&place.runs(), false, &mut out).unwrap(), 1);
    assert!(String::from_utf8(out).unwrap().contains("BROKEN: line 1"));
}

#[test]
fn a_log_may_be_synced_by_another_thread() {
    let place = Place::new();
    let mut log = Log::create(&place.runs(), new_run_id().unwrap()).unwrap();
    log.append(&start(&["agent"])).unwrap();
    std::thread::scope(|threads| threads.spawn(|| log.sync()).join().unwrap()).unwrap();
    log.append(&end()).unwrap();
    assert_eq!(verify(log.path()).unwrap(), Verdict::Whole { events: 2 });
}

/// Where the child of the two tests below writes, in a process of its own that has a limit.
const FULL: &str = "AISANDBOX_TEST_FULL_DISK";

#[test]
fn child_that_writes_until_it_cannot() {
    let Some(dir) = std::env::var_os(FULL) else { return };
    let mut log = Log::create(Path::new(&dir), RunId::from_parts(1, 1)).unwrap();
    let failed = (0..40).find_map(|_| log.append(&degraded(&"x".repeat(1_000))).err());
    println!("first: {failed:?}");
    println!("second: {:?}", log.append(&end()));
}

/// Runs the child above by a shell line that ends in `"$0" "$@"`, and gives what it said and the verdict on its log.
fn full_disk(line: &str) -> Option<(String, Verdict)> {
    let place = Place::new();
    fs::DirBuilder::new().mode(0o700).create(place.runs()).unwrap();
    let mut shell = std::process::Command::new("sh");
    shell.arg("-c").arg(line).arg(std::env::current_exe().unwrap());
    shell.args(["--exact", "child_that_writes_until_it_cannot", "--nocapture"]);
    let output = shell.env(FULL, place.runs()).env("COPY", &place.0).output().unwrap();
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(std::env::var_os("AISANDBOX_MUST_RUN").is_none(), "{why}");
        eprintln!("skipped: {why}");
        return None;
    }
    let name = format!("{}.jsonl", RunId::from_parts(1, 1));
    let copy =
        [place.0.join(&name), place.runs().join(&name)].into_iter().find(|path| path.exists()).unwrap();
    Some((String::from_utf8(output.stdout).unwrap(), verify(&copy).unwrap()))
}

#[test]
fn a_file_size_limit_fails_the_append_and_every_later_one() {
    let (free, verdict) = full_disk("exec \"$0\" \"$@\"").unwrap();
    assert!(free.contains("first: None") && free.contains("second: Ok"), "the control: {free}");
    assert_eq!(verdict, Verdict::Whole { events: 41 });
    let (said, verdict) = full_disk("trap '' XFSZ; ulimit -f 4; exec \"$0\" \"$@\"").unwrap();
    assert!(said.contains("first: Some(Short {") && said.contains("second: Err(Closed {"), "{said}");
    assert!(matches!(verdict, Verdict::Torn { .. }), "{verdict:?}");
}

#[test]
fn a_full_disk_fails_the_append_and_every_later_one() {
    let line = r#"exec unshare -rm sh -c '
        mount -t tmpfs -o size=8k,mode=700 t "$AISANDBOX_TEST_FULL_DISK" && "$0" "$@" &&
        cp "$AISANDBOX_TEST_FULL_DISK"/*.jsonl "$COPY"' "$0" "$@""#;
    let Some((said, verdict)) = full_disk(line) else { return };
    assert!(said.contains("first: Some(") && said.contains("second: Err(Closed {"), "{said}");
    assert!(matches!(verdict, Verdict::Torn { .. }), "{verdict:?}");
}
