//! The device's log and keys: runs that are gone, entries that are gone, launchers that were killed.

use super::{Place, event, segment, state, step, verify};
use aisandbox::audit::log::{Ending, State, read_device};
use std::fs;
use std::os::unix::fs::FileExt;

#[test]
fn every_run_has_its_beginning_and_its_end_in_the_devices_log() {
    let place = Place::new();
    let runs: Vec<_> = (0..20).map(|_| place.log(1, true)).collect();
    let device = read_device(&place.device()).unwrap();
    assert_eq!((device.state, device.entries, device.missing), (State::Open, 40, 0));
    for (run, folder) in runs {
        let verdict = verify(&folder).unwrap();
        assert_eq!(verdict.identity, device.identity);
        let known = &device.runs[&run];
        assert_eq!(known.end, Some((verdict.leaves, verdict.root, Ending::Sealed)));
    }
    fs::remove_dir_all(place.runs()).unwrap();
    place.log(1, true);
    assert_eq!(read_device(&place.device()).unwrap().runs.len(), 21, "what was removed is still known");
}

#[test]
fn runs_that_begin_at_the_same_time_have_one_entry_each() {
    let place = Place::new();
    std::thread::scope(|scope| {
        (0..6).for_each(|_| drop(scope.spawn(|| (0..5).for_each(|_| drop(place.log(2, true))))));
    });
    let device = read_device(&place.device()).unwrap();
    assert_eq!((device.state, device.entries, device.missing, device.runs.len()), (State::Open, 60, 0, 30));
}

#[test]
fn a_killed_launchers_run_is_recovered_by_the_next_and_its_torn_end_is_moved_aside() {
    let place = Place::new();
    let (run, folder) = place.log(3, false);
    let bytes = fs::read(segment(&folder)).unwrap();
    fs::write(segment(&folder), &bytes[..bytes.len() - 40]).unwrap();
    assert_eq!(state(&folder), State::Truncated);
    place.log(1, true);
    let device = read_device(&place.device()).unwrap();
    let (size, root, how) = device.runs[&run].end.clone().unwrap();
    let verdict = verify(&folder).unwrap();
    assert_eq!((verdict.state, verdict.leaves, verdict.root), (State::Open, size, root));
    let aside = fs::read(folder.join("torn.quarantine")).unwrap();
    assert_eq!(how, Ending::Recovered { cut: aside.len() as u64 });
    assert_eq!([fs::read(segment(&folder)).unwrap(), aside].concat(), bytes[..bytes.len() - 40]);
}

#[test]
fn a_run_that_goes_on_is_left_alone_and_a_changed_one_is_never_repaired() {
    let place = Place::new();
    let (live, mut log) = place.begin();
    log.append(&event("one")).unwrap();
    let (run, folder) = place.log(3, false);
    let mut bytes = fs::read(segment(&folder)).unwrap();
    bytes[100] ^= 1;
    fs::write(segment(&folder), &bytes).unwrap();
    let (gone, folder_gone) = place.log(1, false);
    fs::remove_dir_all(folder_gone).unwrap();
    place.log(1, true);
    let device = read_device(&place.device()).unwrap();
    assert_eq!(device.runs[&live].end, None);
    assert_eq!(device.runs[&run].end.as_ref().unwrap().2, Ending::Tampered);
    assert_eq!(device.runs[&gone].end.as_ref().unwrap().2, Ending::Missing);
    assert_eq!(fs::read(segment(&folder)).unwrap(), bytes);
    log.append(&event("two")).unwrap();
    log.seal().unwrap();
    assert_eq!(state(&place.folder(live)), State::Sealed);
}

#[test]
fn an_entry_that_is_removed_or_changed_shows() {
    let place = Place::new();
    (0..4).for_each(|_| drop(place.log(1, true)));
    let path = segment(&place.device());
    let bytes = fs::read(&path).unwrap();
    let places = super::blocks(&bytes);
    let read = || read_device(&place.device()).unwrap();
    fs::write(&path, [&bytes[..places[2]], &bytes[places[3]..]].concat()).unwrap();
    assert_eq!(read().state, State::Tampered);
    for at in (0..places[7]).step_by(step(17) * 11) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(&path, &changed).unwrap();
        assert_eq!(read().state, State::Tampered, "byte {at}");
    }
    // Cut off at the end, as a power loss does: the next entry's key says that some are missing.
    fs::write(&path, &bytes[..places[6] + 9]).unwrap();
    assert_eq!(read().state, State::Truncated);
    place.log(1, true);
    let found = read();
    assert_eq!((found.state, found.missing, found.entries), (State::Truncated, 2, 8));
}

#[test]
fn keys_that_are_behind_the_log_go_on_after_it_and_never_sign_twice() {
    let place = Place::new();
    place.log(1, true);
    let keys = fs::read(place.0.join("keys/device")).unwrap();
    place.log(1, true);
    fs::write(place.0.join("keys/device"), keys).unwrap(); // killed before they were written
    place.log(1, true);
    let device = read_device(&place.device()).unwrap();
    assert_eq!((device.state, device.entries, device.missing), (State::Open, 6, 0));
}

#[test]
fn damaged_keys_and_a_changed_log_begin_another_device_and_leave_the_old_log_as_it_is() {
    let place = Place::new();
    place.log(1, true);
    let first = place.device();
    let before = fs::read(segment(&first)).unwrap();
    fs::File::options().write(true).open(place.0.join("keys/device")).unwrap().write_all_at(b"x", 9).unwrap();
    place.log(1, true);
    assert_eq!((place.devices().len(), fs::read(segment(&first)).unwrap()), (2, before));
    let second = place.devices().into_iter().find(|path| *path != first).unwrap();
    let mut bytes = fs::read(segment(&second)).unwrap();
    bytes[40] ^= 1;
    bytes.push(0);
    fs::write(segment(&second), &bytes).unwrap();
    place.log(1, true);
    assert_eq!((place.devices().len(), fs::read(segment(&second)).unwrap()), (3, bytes));
    let states: Vec<State> = place.devices().iter().map(|path| read_device(path).unwrap().state).collect();
    assert_eq!(states.iter().filter(|state| **state == State::Tampered).count(), 1, "{states:?}");
}
