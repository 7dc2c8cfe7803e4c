//! Logs nobody touched, and who may touch them.

use super::{Place, blocks, end, event, messages, segment, state};
use aisandbox::audit::AuditError;
use aisandbox::audit::log::{Log, MOST_BYTES, State, Turn, read};
use aisandbox::audit::new_run_id;
use aisandbox::base::misleads;
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_log_that_ended_is_sealed_and_one_that_did_not_is_open() {
    let place = Place::new();
    let (_, sealed) = place.log(3, true);
    let (texts, verdict) = messages(&sealed);
    assert_eq!((texts.len(), verdict.state, verdict.why), (3, State::Sealed, None));
    let (_, open) = place.log(3, false);
    let (texts, verdict) = messages(&open);
    assert_eq!((texts.len(), verdict.state), (3, State::Open));
    assert!(verdict.why.unwrap().contains("was killed"));
    let (_, mut live) = place.begin();
    live.append(&event("now")).unwrap();
    let (_, verdict) = messages(live.path().parent().unwrap());
    assert_eq!((verdict.state, verdict.why.as_deref()), (State::Open, Some("its run goes on")));
}

#[test]
fn a_log_is_its_owners_alone() {
    let place = Place::new();
    let (run, folder) = place.log(1, true);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let all = [place.runs(), folder.clone(), place.0.join("keys"), place.device()];
    all.iter().for_each(|path| assert_eq!(mode(path), 0o700, "{}", path.display()));
    let all = [segment(&folder), place.0.join("keys/device"), segment(&place.device())];
    all.iter().for_each(|path| assert_eq!(mode(path), 0o600, "{}", path.display()));
    assert!(!folder.join("reserve").exists());
    assert!(matches!(Log::create(&place.runs(), run), Err(AuditError::Io { .. })), "a log that exists");
    let other = new_run_id().unwrap();
    std::os::unix::fs::symlink(place.0.join("elsewhere"), place.folder(other)).unwrap();
    assert!(Log::create(&place.runs(), other).is_err() && !place.0.join("elsewhere").exists());
    fs::set_permissions(place.runs(), fs::Permissions::from_mode(0o770)).unwrap();
    let error = Log::create(&place.runs(), new_run_id().unwrap()).unwrap_err();
    assert!(error.to_string().contains("others may write to it (mode 0770)"), "{error}");
}

#[test]
fn nothing_is_written_after_the_end() {
    let place = Place::new();
    let (run, mut log) = place.begin();
    log.append(&end()).unwrap();
    log.seal().unwrap();
    assert!(matches!(log.append(&end()), Err(AuditError::Closed { .. })));
    assert!(matches!(log.seal(), Err(AuditError::Closed { .. })));
    assert_eq!(state(&place.folder(run)), State::Sealed);
}

#[test]
fn the_log_of_another_run_is_not_taken_for_this_one() {
    let place = Place::new();
    let ((_, one), (_, two)) = (place.log(2, true), place.log(2, true));
    fs::copy(segment(&one), segment(&two)).unwrap();
    let (_, verdict) = messages(&two);
    assert_eq!((verdict.state, verdict.leaves), (State::Tampered, 0));
}

#[test]
fn a_hostile_text_is_one_bounded_leaf_that_a_terminal_can_show_and_comes_back() {
    let place = Place::new();
    let hostile = "x\n\u{1b}]52;c;aGk=\u{7}\u{202e}\u{9b}2J\u{200b}|=\"\\<script>\u{e0041}";
    let (run, mut log) = place.begin();
    log.append(&event(hostile)).unwrap();
    log.append(&event(&hostile.repeat(30_000))).unwrap();
    log.seal().unwrap();
    let mut shown = Vec::new();
    let verdict = read(&place.folder(run), &mut |found| {
        assert!(found.bytes.len() <= MOST_BYTES);
        let text = String::from_utf8(found.bytes.to_vec()).unwrap();
        assert!(!text.chars().any(misleads) && !text.contains('\n'), "{text}");
        shown.push((text, found.leaf().unwrap().cut.is_some()));
    });
    assert_eq!(verdict.unwrap().state, State::Sealed);
    assert_eq!(shown.iter().filter(|(_, cut)| *cut).count(), 1);
    let (texts, _) = messages(&place.folder(run));
    assert_eq!((texts.len(), texts[0].as_str()), (2, hostile));
}

#[test]
fn a_log_goes_on_in_a_next_segment_and_a_missing_one_shows() {
    let place = Place::new();
    let (run, mut log) = place.begin();
    let text = "y".repeat(60_000);
    let mut written = 0;
    while !place.folder(run).join("00000002.seg").exists() {
        let mut batch = aisandbox::audit::log::Batch::new();
        (0..100).for_each(|_| batch.push(text.as_bytes()));
        log.commit(&mut batch, Turn::InTime).unwrap();
        written += 100;
    }
    log.seal().unwrap();
    let folder = place.folder(run);
    let mut count = 0;
    let verdict = read(&folder, &mut |found| count += u32::from(found.bytes.len() == 60_000)).unwrap();
    assert_eq!((verdict.state, count), (State::Sealed, written));
    for number in 0..2 {
        let bytes = fs::read(folder.join(format!("0000000{number}.seg"))).unwrap();
        let end = String::from_utf8_lossy(&bytes[bytes.len() - 1000..]);
        assert!(end.contains("\"log.key\""), "an epoch ends with its segment: {end}");
    }
    fs::remove_file(folder.join("00000001.seg")).unwrap();
    assert_ne!(state(&folder), State::Sealed, "the middle is gone");
    fs::rename(folder.join("00000002.seg"), folder.join("00000001.seg")).unwrap();
    assert_eq!(state(&folder), State::Tampered, "the end stands for the middle");
}

#[test]
fn each_event_of_a_log_without_a_thread_is_a_block_with_a_key_of_its_own() {
    let place = Place::new();
    let (_, folder) = place.log(5, true);
    let bytes = fs::read(segment(&folder)).unwrap();
    assert_eq!(blocks(&bytes).len() - 1, 6, "five events, and the end");
}
