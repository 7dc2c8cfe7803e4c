//! `audit list`, `show`, `verify`, `prove` and `bundle` on logs made by hand, and the verifier in Python.

use super::{Place, end, event, segment};
use aisandbox::audit::event::{
    Asked, Command, Enforced, Event, FileFacts, KernelFacts, LayerState, ProfileFacts, RunStart,
};
use aisandbox::base::RunId;
use aisandbox::cli::audit;
use aisandbox::crypto::sha256;
use std::fs;

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
        trace: None,
        coverage: None,
    }))
}

fn made(place: &Place, events: &[Event], sealed: bool) -> RunId {
    let (run, mut log) = place.begin();
    events.iter().for_each(|event| log.append(event).unwrap());
    if sealed {
        log.seal().unwrap();
    }
    run
}

fn shown(place: &Place, asked: &str) -> (u8, String) {
    let mut out = Vec::new();
    let code = audit::show(&place.runs(), asked, false, &mut out).unwrap();
    (code, String::from_utf8(out).unwrap())
}

fn verified(place: &Place, asked: &str) -> (u8, String) {
    let mut out = Vec::new();
    let code = audit::verify(&place.runs(), asked, None, false, &mut out).unwrap();
    (code, String::from_utf8(out).unwrap())
}

#[test]
fn a_hostile_argument_stays_one_line_and_reaches_no_terminal() {
    let place = Place::new();
    let hostile = "x\n\u{1b}]52;c;aGk=\u{7}\u{202e}\u{9b}2J\u{200b}";
    let run = made(&place, &[start(&["agent", hostile]), end()], true);
    let mut outputs = vec![shown(&place, &run.to_string()).1];
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
    assert!(outputs[0].contains(r"'x\n\x1b]52;c;aGk=\x07\u{202e}\u{9b}2J\u{200b}'"), "{}", outputs[0]);
}

#[test]
fn the_commands_find_a_run_by_its_beginning_and_say_what_it_did() {
    let place = Place::new();
    let first = made(&place, &[start(&["agent", "--fast"]), end()], true);
    std::thread::sleep(std::time::Duration::from_millis(2));
    let second = made(&place, &[start(&["agent", "two words"])], false);
    let (code, text) = shown(&place, &first.to_string());
    assert_eq!(code, 0);
    let all = [
        "SEALED, ",
        "command: agent --fast",
        "layer seccomp: required, enforced",
        "exit 3",
        "denied protected: 2",
    ];
    for words in all {
        assert!(text.contains(words), "{words} not in {text}");
    }
    let (code, text) = shown(&place, "last");
    assert!(code == 0 && text.contains("'two words'") && text.contains("no end record"), "{text}");
    assert!(audit::verify(&place.runs(), &second.to_string()[..2], None, false, &mut Vec::new()).is_err());
    assert!(audit::verify(&place.runs(), "nonsense", None, false, &mut Vec::new()).is_err());
    assert!(audit::verify(&place.runs(), "a.jsonl", None, false, &mut Vec::new()).is_err());
    fs::write(place.runs().join(format!("{first}.jsonl")), "{}\n").unwrap();
    let mut out = Vec::new();
    assert_eq!(audit::list(&place.runs(), false, &mut out).unwrap(), 0);
    assert!(String::from_utf8(out).unwrap().contains("1 logs of the first format"));
}

#[test]
fn each_state_has_its_exit_code() {
    let place = Place::new();
    let sealed = made(&place, &[end()], true);
    let (open, torn, changed) =
        (made(&place, &[end()], false), made(&place, &[end(), end()], true), made(&place, &[end()], true));
    let path = segment(&place.folder(torn));
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let path = segment(&place.folder(changed));
    let mut bytes = fs::read(&path).unwrap();
    bytes[50] ^= 1;
    fs::write(&path, bytes).unwrap();
    for (run, code, word) in
        [(sealed, 0, "SEALED"), (changed, 1, "TAMPERED"), (torn, 2, "TRUNCATED"), (open, 3, "OPEN")]
    {
        let (found, text) = verified(&place, &run.to_string());
        assert!(found == code && text.contains(word), "{word}: {found}: {text}");
    }
    let mut out = Vec::new();
    assert_eq!(audit::verify_all(&place.runs(), None, false, &mut out).unwrap(), 1);
    assert!(String::from_utf8(out).unwrap().contains("the device's log, whole, "));
}

#[test]
fn what_the_device_knows_shows_a_clean_cut_another_log_and_a_run_that_is_gone() {
    let place = Place::new();
    let (run, other) = (made(&place, &[end(), event("two")], true), made(&place, &[end()], true));
    let path = segment(&place.folder(run));
    let bytes = fs::read(&path).unwrap();
    let places = super::blocks(&bytes);
    fs::write(&path, &bytes[..places[1]]).unwrap();
    let (code, text) = verified(&place, &run.to_string());
    assert!(code == 2 && text.contains("the device's log has its end at "), "{text}");
    fs::write(&path, &bytes).unwrap();
    assert_eq!(verified(&place, &run.to_string()).0, 0, "the control");
    let root = aisandbox::audit::log::Hex([7; 32]);
    let code = audit::verify(&place.runs(), &run.to_string(), Some(root), false, &mut Vec::new()).unwrap();
    assert_eq!(code, 1, "another device was named");
    fs::remove_dir_all(place.folder(other)).unwrap();
    let mut out = Vec::new();
    assert_eq!(audit::verify_all(&place.runs(), None, false, &mut out).unwrap(), 1);
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains(&format!("GONE: run {other}")), "{text}");
}

#[test]
fn a_folder_without_a_segment_is_no_log_and_one_that_was_emptied_is_gone() {
    let place = Place::new();
    let run = made(&place, &[end()], true);
    let killed = aisandbox::audit::new_run_id().unwrap();
    fs::create_dir(place.folder(killed)).unwrap();
    assert_eq!(aisandbox::audit::with_logs(&place.runs()).unwrap(), [run]);
    let mut out = Vec::new();
    assert_eq!(audit::verify_all(&place.runs(), None, false, &mut out).unwrap(), 0);
    fs::remove_file(segment(&place.folder(run))).unwrap();
    assert_eq!(audit::verify_all(&place.runs(), None, false, &mut out).unwrap(), 1);
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains(&format!("GONE: run {run}")) && !text.contains(&killed.to_string()), "{text}");
}

fn python(arguments: &[&str]) -> (Option<i32>, String) {
    let verifier = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/audit/verify.py");
    let ran = std::process::Command::new("python3").arg(verifier).args(arguments).output().unwrap();
    (
        ran.status.code(),
        String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr),
    )
}

/// Written from the manual page alone, by nothing of ours but that.
#[test]
fn the_verifier_in_python_says_the_same() {
    let place = Place::new();
    let run = made(&place, &[start(&["agent", "h\u{e9}"]), event("two"), end()], true);
    let folder = place.folder(run);
    let identity = aisandbox::audit::log::verify(&folder).unwrap().identity.unwrap().to_string();
    let folder_name = folder.to_str().unwrap();
    assert_eq!(
        python(&["--root", &identity, folder_name]),
        (Some(0), format!("SEALED, 8 leaves\nsigned by device {identity} \n"))
    );
    assert_eq!(python(&["--root", &"0".repeat(64), folder_name]).0, Some(1));
    let proof = place.0.join("one.tlog-proof");
    let text = aisandbox::audit::log::prove(&folder, 3).unwrap();
    fs::write(&proof, &text).unwrap();
    let (code, said) = python(&["--root", &identity, "--leaves", proof.to_str().unwrap()]);
    assert!(code == Some(0) && said.contains("PROVEN") && said.contains("\"two\""), "{said}");
    fs::write(&proof, text.replacen("index 3", "index 4", 1)).unwrap();
    assert_eq!(python(&[proof.to_str().unwrap()]).0, Some(1));
    let bytes = fs::read(segment(&folder)).unwrap();
    let last = super::blocks(&bytes).into_iter().rev().nth(1).unwrap();
    for (change, code) in [(bytes.len() - 1, 2), (last, 3)] {
        fs::write(segment(&folder), &bytes[..change]).unwrap();
        assert_eq!(python(&[folder_name]).0, Some(code), "{change}");
    }
    python_sees_every_byte_of_an_epoch(&place);
    for at in (0..last).step_by(last / 25) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(segment(&folder), &changed).unwrap();
        assert_eq!(python(&[folder_name]).0, Some(1), "{at}");
    }
}

fn python_sees_every_byte_of_an_epoch(place: &Place) {
    for sealed in [true, false] {
        let folder = super::epochs::epochs(place, sealed);
        let name = folder.to_str().unwrap();
        let bytes = fs::read(segment(&folder)).unwrap();
        let places = super::blocks(&bytes);
        assert_eq!(python(&[name]).0, Some(if sealed { 0 } else { 3 }));
        for block in [1, 4] {
            let (from, to) = (places[block], places[block + 1]);
            let mut changed = bytes.clone();
            changed[to - 20] ^= 1; // in the signature
            super::support::segment::sum_anew(&mut changed[from..to]);
            fs::write(segment(&folder), &changed).unwrap();
            let (code, said) = python(&[name]);
            assert!(code == Some(1) && said.contains(&format!("byte {from}:")), "{said}");
        }
    }
}
