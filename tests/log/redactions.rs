//! What is personal is taken away for good, and everything else holds as it did.

use crate::openings::{holds, openings};
use crate::{Place, event, messages, segment, step};
use aisandbox::audit::log::{
    Custody, Judge, Openings, Packed, State, Why, Withholding, check_proof, devices_of, held_by, pack, prove,
    verify,
};
use aisandbox::audit::withhold::{Became, Chosen, Done, Windows, redact, retain};
use aisandbox::audit::{AuditError, Record};
use aisandbox::base::{RunId, WallTime};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn why() -> Why {
    Why { reason: "a person asked".into(), by: "redact".into(), uid: 0 }
}

fn all(place: &Place, folder: &Path) -> Done {
    redact(&place.0, &[folder.to_owned()], &Chosen::everything(), (&why(), false)).unwrap().remove(0)
}

fn judged(place: &Place, folder: &Path) -> (State, Openings, Vec<bool>) {
    let judged = Judge::new(&place.runs(), None).run(folder).unwrap();
    (judged.verdict.state, judged.verdict.openings, judged.redactions.iter().map(|(_, done)| *done).collect())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_was_withheld_is_gone_from_the_disk_and_the_log_holds_as_before() {
    for packed in [false, true] {
        let place = Place::new();
        let (_, folder) = place.log(5, true);
        if packed {
            assert!(matches!(pack(&folder).unwrap(), Packed::Done { .. }));
        }
        let (before, log) = (verify(&folder).unwrap(), names(&folder));
        let proof = prove(&folder, 3).unwrap();
        let dry =
            redact(&place.0, std::slice::from_ref(&folder), &Chosen::everything(), (&why(), true)).unwrap();
        assert_eq!((dry[0].became, dry[0].leaves), (Became::Redacted, 5));
        assert_eq!(verify(&folder).unwrap(), before, "a dry run changes nothing");
        let done = all(&place, &folder);
        assert_eq!((done.became, done.leaves), (Became::Redacted, 5));
        let (state, counts, done) = judged(&place, &folder);
        assert_eq!((state, done), (State::Sealed, vec![true]));
        assert_eq!(counts, Openings { open: 0, withheld: 5, missing: 0 });
        assert_eq!(verify(&folder).unwrap().root, before.root);
        assert_eq!(messages(&folder).0, Vec::<String>::new());
        assert_eq!(names(&folder), log, "nothing is left beside");
        for name in names(&folder) {
            assert!(!holds(&fs::read(folder.join(name)).unwrap(), "event "));
        }
        // What was proven before is proven still; what is proven now has no values.
        assert_eq!(check_proof(&proof).unwrap().leaf.data["message"], "event 1");
        let bare = check_proof(&prove(&folder, 3).unwrap()).unwrap();
        assert!(bare.leaf.sd.is_some() && bare.leaf.data.get("message").is_none());
        assert_eq!(all(&place, &folder).became, Became::Nothing, "once is enough");
    }
}

#[test]
fn only_what_was_chosen_is_withheld_and_several_redactions_stand_side_by_side() {
    let place = Place::new();
    let (_, folder) = place.log(6, true);
    let some = Chosen { index: Some(3), ..Chosen::default() };
    let done = redact(&place.0, std::slice::from_ref(&folder), &some, (&why(), false)).unwrap();
    assert_eq!((done[0].became, done[0].leaves), (Became::Redacted, 1));
    let old = Chosen { before: Some(0), ..Chosen::default() };
    let done = redact(&place.0, std::slice::from_ref(&folder), &old, (&why(), false)).unwrap();
    assert_eq!(done[0].became, Became::Nothing, "nothing is that old");
    assert_eq!(judged(&place, &folder).1, Openings { open: 5, withheld: 1, missing: 0 });
    assert_eq!(messages(&folder).0.len(), 5);
    all(&place, &folder);
    let (state, counts, done) = judged(&place, &folder);
    assert_eq!((state, counts.withheld, done), (State::Sealed, 6, vec![true, true]));
}

/// Whoever writes into the file that something was withheld must also be the device.
#[test]
fn what_no_redaction_of_the_device_explains_is_told() {
    let place = Place::new();
    let (_, folder) = place.log(3, true);
    all(&place, &folder);
    let path = openings(&folder);
    let whole = fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(step(2)) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&path, bytes).unwrap();
        assert_ne!(judged(&place, &folder).0, State::Sealed, "byte {at}");
    }
    // Another log of the same device, whose openings somebody replaced by such notes.
    let (_, other) = place.log(3, true);
    let notes: Vec<u8> = whole.clone();
    fs::write(openings(&other), notes).unwrap();
    let (state, counts, _) = judged(&place, &other);
    assert_eq!((state, counts.withheld), (State::Truncated, 3));
}

#[test]
fn a_redaction_that_was_noted_and_not_carried_out_is_told() {
    let place = Place::new();
    let (_, folder) = place.log(3, true);
    let before = fs::read(openings(&folder)).unwrap();
    all(&place, &folder);
    fs::write(openings(&folder), before).unwrap();
    let (state, counts, done) = judged(&place, &folder);
    assert_eq!((state, counts.open, done), (State::Sealed, 3, vec![false]));
    // Done again, it is.
    all(&place, &folder);
    assert_eq!(judged(&place, &folder).1.withheld, 3);
}

#[test]
fn who_withholds_may_be_killed_at_any_moment() {
    let place = Place::new();
    let (_, folder) = place.log(3, true);
    let (verdict, new) = (verify(&folder).unwrap(), folder.join("00000000.openings.new"));
    // While the new form is written, or when it was and nothing was noted yet.
    fs::write(&new, "half of it").unwrap();
    assert_eq!(verify(&folder).unwrap(), verdict);
    let ready = Withholding::prepare(&folder, &mut |_| true).unwrap().unwrap();
    assert!(new.exists());
    assert_eq!(verify(&folder).unwrap(), verdict);
    drop(ready);
    assert!(!new.exists(), "what is not used goes");
    // When the old form was not overwritten yet.
    let old = fs::read(openings(&folder)).unwrap();
    all(&place, &folder);
    fs::write(&new, &old).unwrap();
    assert_eq!(judged(&place, &folder).0, State::Sealed);
    assert_eq!(all(&place, &folder).became, Became::Nothing);
    assert!(!new.exists(), "the next one cleans up");
}

#[test]
fn a_log_that_goes_on_was_changed_or_is_held_stays_as_it_is() {
    let place = Place::new();
    let (run, log) = place.begin();
    assert_eq!(all(&place, &place.folder(run)).became, Became::GoesOn);
    drop(log);
    let (_, changed) = place.log(2, true);
    let mut bytes = fs::read(segment(&changed)).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(segment(&changed), bytes).unwrap();
    let before = fs::read(openings(&changed)).unwrap();
    assert_eq!(all(&place, &changed).became, Became::Tampered);
    assert_eq!(fs::read(openings(&changed)).unwrap(), before);

    let (run, folder) = place.log(2, true);
    let before = fs::read(openings(&folder)).unwrap();
    Custody::open(&place.0).unwrap().hold(run, &why()).unwrap();
    assert_eq!(held_by(&devices_of(&place.0).unwrap(), run), Some(&why()));
    let done = all(&place, &folder);
    assert_eq!((done.became, done.held.as_deref()), (Became::Held, Some("a person asked")));
    // Held since it was made ready: it counts at the last moment as well.
    let ready = Withholding::prepare(&folder, &mut |_| true).unwrap().unwrap();
    assert!(!Custody::open(&place.0).unwrap().withhold(run, ready, &why()).unwrap());
    let far = WallTime(WallTime::now().0 * 10);
    for dry in [true, false] {
        let kept =
            retain(&place.0, std::slice::from_ref(&folder), &Windows::default(), (far, 0, dry)).unwrap();
        assert_eq!(kept[0].became, Became::Held);
    }
    assert_eq!(fs::read(openings(&folder)).unwrap(), before);
    assert_eq!(names(&folder), ["00000000.openings", "00000000.seg"]);
    Custody::open(&place.0).unwrap().release(run, &why()).unwrap();
    assert_eq!(all(&place, &folder).became, Became::Redacted);
}

#[test]
fn while_it_cannot_be_known_what_is_held_nothing_is_withheld() {
    let place = Place::new();
    let (_, folder) = place.log(2, true);
    let (run, _) = place.log(2, true);
    Custody::open(&place.0).unwrap().hold(run, &why()).unwrap();
    let device = segment(&place.device());
    let mut bytes = fs::read(&device).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&device, bytes).unwrap();
    let error =
        redact(&place.0, std::slice::from_ref(&folder), &Chosen::everything(), (&why(), false)).unwrap_err();
    assert!(matches!(error, AuditError::HoldsUnknown { .. }), "{error:?}");
    assert_eq!(messages(&folder).0.len(), 2);
}

/// By what is said to be now, never by the clock of the machine.
#[test]
fn personal_fields_go_after_the_one_window_and_logs_after_the_other() {
    let place = Place::new();
    let (run, folder) = place.log(3, true);
    let now = WallTime::now().0;
    let day = 86_400_000_000_000;
    let windows = Windows::default();
    let after = |days: i128, dry: bool| {
        retain(&place.0, std::slice::from_ref(&folder), &windows, (WallTime(now + days * day), 0, dry))
            .unwrap()
    };
    assert_eq!(after(29, false), []);
    assert_eq!(after(-1, false), []);
    let due = after(31, true);
    assert_eq!((due[0].became, due[0].leaves), (Became::Redacted, 3));
    assert_eq!(messages(&folder).0.len(), 3);
    assert_eq!(after(31, false)[0].became, Became::Redacted);
    assert_eq!(judged(&place, &folder).1.withheld, 3);
    assert_eq!(after(399, false), [], "there is nothing left to withhold");
    let leaves = verify(&folder).unwrap().leaves;
    let due = after(401, true);
    assert_eq!((due[0].became, due[0].leaves), (Became::Pruned, leaves));
    assert!(folder.exists());
    assert_eq!(after(401, false)[0].became, Became::Pruned);
    assert!(!folder.exists());
    let devices = devices_of(&place.0).unwrap();
    let known = &devices[0].runs[&run];
    assert_eq!(known.end.as_ref().unwrap().0, leaves, "the head is kept");
    assert_eq!(known.pruned.as_ref().unwrap().what.by, "retain");
    let never = Windows { personal: None, runs: Some(Duration::MAX) };
    let (_, other) = place.log(1, true);
    let far = WallTime(now * 100);
    assert_eq!(retain(&place.0, &[other], &never, (far, 0, false)).unwrap(), []);
}

/// A run may have begun long ago and still go on, or have just ended.
#[test]
fn a_run_is_as_old_as_its_last_event() {
    let place = Place::new();
    let run = RunId::from_parts(1_000, 7);
    let mut log = aisandbox::audit::Log::create(&place.runs(), run).unwrap();
    log.append(&event("now")).unwrap();
    let windows = Windows::default();
    let due = |now| retain(&place.0, &[place.folder(run)], &windows, (WallTime(now), 0, false)).unwrap();
    assert_eq!(due(WallTime::now().0 * 10), [], "it goes on");
    log.seal().unwrap();
    drop(log);
    assert_eq!(due(WallTime::now().0), [], "it just ended");
    assert_eq!(messages(&place.folder(run)).0, ["now"]);
}

#[test]
fn a_record_with_withheld_fields_is_still_an_event() {
    let place = Place::new();
    let (run, folder) = place.log(1, true);
    all(&place, &folder);
    let mut all = Vec::new();
    aisandbox::audit::log::read(&folder, &mut |found| all.push(Record::of(&run.to_string(), &found)))
        .unwrap();
    let record = all.iter().find(|record| record.event == "launch_failure").unwrap();
    assert!(record.sd.is_some() && record.data.get("message").is_none() && record.data["stage"] == "plan");
    let Some(aisandbox::audit::Event::LaunchFailure(failure)) = record.known_event() else {
        panic!("{record:?}")
    };
    assert_eq!((failure.message.as_str(), failure.stage.as_str()), ("[withheld]", "plan"));
}

/// Where the child of the test below withholds, in a process of its own that has a limit.
const FULL: &str = "AISANDBOX_TEST_FULL_REDACTION";

#[test]
fn child_that_withholds_and_cannot() {
    let Some(dir) = std::env::var_os(FULL) else { return };
    let (state, folder) = (
        PathBuf::from(&dir),
        fs::read_dir(Path::new(&dir).join("runs")).unwrap().next().unwrap().unwrap().path(),
    );
    let done = redact(&state, &[folder], &Chosen { index: Some(1), ..Chosen::default() }, (&why(), false));
    println!("done: {done:?}");
}

/// A file may not be as long as the new form would be: as a full disk, the write fails.
#[test]
fn without_room_for_the_new_form_nothing_is_changed_or_noted() {
    let place = Place::new();
    let (_, folder) = place.log(400, true);
    let before = fs::read(openings(&folder)).unwrap();
    let device = fs::read(segment(&place.device())).unwrap();
    let out = std::process::Command::new("sh")
        .args(["-c", "ulimit -f 8; trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "redactions::child_that_withholds_and_cannot", "--nocapture"])
        .env(FULL, &place.0)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(
        said.contains("done: Err") && said.contains("EFBIG"),
        "{said}{}",
        String::from_utf8_lossy(&out.stderr)
    );
    assert_eq!(fs::read(openings(&folder)).unwrap(), before);
    assert_eq!(names(&folder), ["00000000.openings", "00000000.seg"]);
    assert_eq!(fs::read(segment(&place.device())).unwrap(), device);
}
