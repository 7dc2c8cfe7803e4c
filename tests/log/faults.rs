//! A full disk, a limit, a file that is replaced: denied, and a signed last word.

use super::inject::{self, Rule};
use super::openings::openings;
use super::{Place, event, messages, segment};
use aisandbox::audit::AuditError;
use aisandbox::audit::log::{Log, State, verify};
use aisandbox::base::RunId;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

#[test]
fn a_segment_that_was_replaced_removed_or_changed_is_never_written_to_again() {
    let changes: [fn(&Path); 4] = [
        |path| fs::remove_file(path).unwrap(),
        |path| {
            let bytes = fs::read(path).unwrap();
            fs::remove_file(path).unwrap();
            fs::write(path, bytes).unwrap();
        },
        |path| fs::write(path, b"").unwrap(),
        |path| fs::write(path, [fs::read(path).unwrap(), b"more".to_vec()].concat()).unwrap(),
    ];
    for (number, change) in changes.iter().enumerate() {
        let place = Place::new();
        let (run, mut log) = place.begin();
        log.append(&event("one")).unwrap();
        change(&segment(&place.folder(run)));
        let error = log.append(&event("two")).unwrap_err();
        assert!(matches!(error, AuditError::Replaced { .. }), "{number}: {error:?}");
        assert!(matches!(log.append(&event("three")), Err(AuditError::Closed { .. })));
        let word = fs::read(place.folder(run).join("00000001.seg")).unwrap();
        assert!(String::from_utf8_lossy(&word).contains("log.suspended"), "{number}");
        let device = aisandbox::audit::log::read_device(&place.device()).unwrap();
        assert_eq!(device.runs[&run].end.as_ref().unwrap().2, aisandbox::audit::log::Ending::Suspended);
    }
}

/// Where the child of the tests below writes, in a process of its own that has a limit.
const FULL: &str = "AISANDBOX_TEST_FULL_DISK";

#[test]
fn child_that_writes_until_it_cannot() {
    let Some(dir) = std::env::var_os(FULL) else { return };
    let mut log = match Log::create(&Path::new(&dir).join("runs"), RunId::from_parts(1, 1)) {
        Ok(log) => log,
        Err(error) => return println!("create: {error:?}"),
    };
    let text = "x".repeat(1000);
    let mut kept = 0;
    let failed = (0..400).find_map(|_| {
        log.append(&event(&text)).err().or_else(|| {
            kept += 1;
            None
        })
    });
    println!("kept {kept}, first: {failed:?}");
    println!("second: {:?}", log.append(&event("late")));
}

/// Runs the child above by a shell line that ends in `"$0" "$@"`, and gives what it said and its place.
fn full_disk(line: &str) -> Option<(String, Place)> {
    let place = Place::new();
    fs::DirBuilder::new().mode(0o700).create(place.0.join("full")).unwrap();
    let mut shell = std::process::Command::new("sh");
    shell.arg("-c").arg(line).arg(std::env::current_exe().unwrap());
    shell.args(["--exact", "faults::child_that_writes_until_it_cannot", "--nocapture"]);
    let output = shell.env(FULL, place.0.join("full")).env("COPY", &place.0).output().unwrap();
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(std::env::var_os("AISANDBOX_MUST_RUN").is_none(), "{why}");
        eprintln!("skipped: {why}");
        return None;
    }
    Some((String::from_utf8(output.stdout).unwrap(), place))
}

fn kept(said: &str) -> usize {
    let number = said.split("kept ").nth(1).unwrap().split(',').next().unwrap();
    number.parse().unwrap()
}

#[test]
fn a_file_size_limit_denies_and_the_last_word_is_in_the_next_segment() {
    let run = RunId::from_parts(1, 1).to_string();
    let (said, place) = full_disk("exec \"$0\" \"$@\"").unwrap();
    assert!(said.contains("kept 400, first: None") && said.contains("second: Ok"), "the control: {said}");
    drop(place);
    let (said, place) = full_disk("trap '' XFSZ; ulimit -f 200; exec \"$0\" \"$@\"").unwrap();
    assert!(said.contains("errno: EFBIG") && said.contains("second: Err(Closed {"), "{said}");
    let (texts, verdict) = messages(&place.0.join("full/runs").join(&run));
    assert_eq!((verdict.state, texts.len()), (State::Sealed, kept(&said)), "{verdict:?}");
    assert!(verdict.why.unwrap().contains("EFBIG"));
}

#[test]
fn a_full_disk_denies_keeps_what_was_promised_and_has_room_for_the_last_word() {
    let line = r#"exec unshare -rm sh -c '
        mount -t tmpfs -o size=512k,mode=700 t "$AISANDBOX_TEST_FULL_DISK" && "$0" "$@" &&
        cp -r "$AISANDBOX_TEST_FULL_DISK"/runs "$COPY/copy"' "$0" "$@""#;
    let Some((said, place)) = full_disk(line) else { return };
    assert!(said.contains("errno: ENOSPC") && said.contains("second: Err(Closed {"), "{said}");
    let folder = place.0.join("copy").join(RunId::from_parts(1, 1).to_string());
    let (texts, verdict) = messages(&folder);
    assert_eq!((verdict.state, texts.len()), (State::Sealed, kept(&said)), "{verdict:?}");
    assert!(verdict.why.unwrap().contains("ENOSPC"));
}

#[test]
fn without_room_for_a_reserve_or_on_a_read_only_disk_there_is_no_log() {
    for options in ["size=24k", "size=1m,ro"] {
        let line = format!(
            r#"exec unshare -rm sh -c '
            mount -t tmpfs -o {options},mode=700 t "$AISANDBOX_TEST_FULL_DISK" && "$0" "$@"' "$0" "$@""#
        );
        let Some((said, _place)) = full_disk(&line) else { return };
        assert!(said.contains("create: "), "{options}: {said}");
    }
}

/// Where the child of the next test writes.
const BROKEN: &str = "AISANDBOX_TEST_BROKEN_DISK";

#[test]
fn child_that_writes_to_a_disk_that_breaks() {
    let Some(dir) = std::env::var_os(BROKEN) else { return };
    let run = RunId::from_parts(1, 1);
    let mut log = Log::create(&Path::new(&dir).join("runs"), run).unwrap();
    (0..5).for_each(|_| log.append(&event("kept")).unwrap());
    let folder = Path::new(&dir).join("runs").join(run.to_string());
    let number = |mine: std::path::PathBuf| {
        let is_mine =
            |number: &i64| fs::read_link(format!("/proc/self/fd/{number}")).is_ok_and(|path| path == mine);
        (0..100).find(is_mine).unwrap()
    };
    inject::install(&[match std::env::var("CALL").unwrap().as_str() {
        "write" => Rule::on(libc::SYS_write).with(0, number(segment(&folder))).fails(libc::EIO),
        "openings" => Rule::on(libc::SYS_write).with(0, number(openings(&folder))).fails(libc::ENOSPC),
        _ => Rule::on(libc::SYS_fdatasync).fails(libc::EIO),
    }]);
    println!("first: {:?}", log.append(&event("lost")).and_then(|()| log.sync()));
    println!("second: {:?}", log.append(&event("late")));
}

#[test]
fn a_disk_that_breaks_denies_and_what_was_kept_before_is_whole() {
    for call in ["write", "fdatasync", "openings"] {
        let place = Place::new();
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "faults::child_that_writes_to_a_disk_that_breaks", "--nocapture"]);
        let output = child.env(BROKEN, &place.0).env("CALL", call).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let errno = if call == "openings" { "errno: ENOSPC" } else { "errno: EIO" };
        assert!(said.contains("first: Err(Io {") && said.contains(errno), "{call}: {said}");
        assert!(said.contains("second: Err(Closed {"), "{call}: {said}");
        let (texts, verdict) = messages(&place.folder(RunId::from_parts(1, 1)));
        assert_eq!(texts[..5], ["kept"; 5], "{call}");
        assert!(!texts.contains(&"late".into()), "{call}: {texts:?}");
        // No leaf is ever there without what opens it.
        assert_eq!(
            (call == "openings" && texts.len() > 5, verdict.openings.missing),
            (false, 0),
            "{texts:?}"
        );
        println!("{call}: {:?} {:?} {texts:?}", verdict.state, verdict.why);
    }
}

#[test]
fn a_log_that_cannot_be_read_is_an_error_and_no_verdict() {
    let place = Place::new();
    assert!(verify(&place.0).is_err());
    let folder = place.0.join(RunId::from_parts(1, 1).to_string());
    fs::create_dir_all(segment(&folder)).unwrap();
    assert!(verify(&folder).is_err());
    fs::remove_dir(segment(&folder)).unwrap();
    nix::unistd::mkfifo(&segment(&folder), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(verify(&folder).is_err());
}
