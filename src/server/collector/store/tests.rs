//! The store takes what holds, byte by byte, and gives back what does not.

use super::*;
use crate::audit::event::{Event, LaunchFailure};
use crate::audit::log::{Log as Writer, read_device};
use crate::audit::new_run_id;
use crate::crypto::Secret;

struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("aisandbox-store-{}", new_run_id().unwrap()));
        make(&path).unwrap();
        Self(path)
    }

    /// A log with as many events on a device of its own; the device, the run, its bytes.
    fn log(&self, name: &str, events: usize, sealed: bool) -> (Hex<32>, RunId, Vec<u8>) {
        let runs = self.0.join(name).join("runs");
        make(&runs).unwrap();
        let run = new_run_id().unwrap();
        let mut log = Writer::create(&runs, run).unwrap();
        for number in 0..events {
            let event =
                LaunchFailure { stage: "plan".into(), message: format!("event {number}"), errno: None };
            log.append(&Event::LaunchFailure(event)).unwrap();
        }
        if sealed {
            log.seal().unwrap();
        }
        let bytes = std::fs::read(runs.join(run.to_string()).join("00000000.seg")).unwrap();
        let device =
            std::fs::read_dir(self.0.join(name).join("device")).unwrap().next().unwrap().unwrap().path();
        (read_device(&device).unwrap().identity.unwrap(), run, bytes)
    }

    fn store(&self) -> Store {
        Store::open(&self.0.join("store"), 1 << 20).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn cosigner() -> Cosigner {
    Cosigner::new("w", Secret::take(&mut [3; 32]).unwrap()).unwrap()
}

#[test]
fn a_log_comes_in_parts_of_any_length_and_holds_at_its_end() {
    let (place, store) = (Place::new(), Place::new());
    let store = store.store();
    let (device, run, bytes) = place.log("one", 5, true);
    let log = Log::Run(run);
    assert_eq!(store.held(&device, &log), Err(No::None));
    let mut at = 0;
    for part in bytes.chunks(777) {
        let held = store.append(&device, &log, (0, at), part).unwrap();
        at += part.len() as u64;
        assert_eq!(held.segments, [at]);
        assert_ne!(held.state, Some(State::Tampered));
    }
    let held = store.held(&device, &log).unwrap();
    assert_eq!(held.state, Some(State::Sealed));
    // What is there already, or would leave a hole, is no way to go on; the answer says which is.
    for from in [0, at - 1, at + 1] {
        assert_eq!(store.append(&device, &log, (0, from), b"x"), Err(No::At(at)));
    }
    assert!(store.append(&device, &log, (2, 0), b"x").is_err());
    let behind = store.append(&device, &log, (0, at), b"behind the end");
    assert!(matches!(behind, Err(No::Wrong(_))), "{behind:?}");
    assert_eq!(store.held(&device, &log).unwrap(), held, "and nothing of it stays");
}

#[test]
fn a_changed_segment_is_refused_and_the_right_one_goes_on_where_it_held() {
    let place = Place::new();
    let store = place.store();
    let (device, run, bytes) = place.log("one", 6, true);
    let log = Log::Run(run);
    let half = bytes.len() / 2;
    store.append(&device, &log, (0, 0), &bytes[..half]).unwrap();
    let mut changed = bytes[half..].to_vec();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    let told = store.append(&device, &log, (0, half as u64), &changed);
    assert!(matches!(told, Err(No::Wrong(_))), "{told:?}");
    let held = store.held(&device, &log).unwrap();
    assert!(held.segments[0] <= half as u64 + middle as u64, "{held:?}");
    let at = usize::try_from(held.segments[0]).unwrap();
    let held = store.append(&device, &log, (0, at as u64), &bytes[at..]).unwrap();
    assert_eq!(held.state, Some(State::Sealed));
    assert_eq!(store.findings().all().len(), 1);
}

#[test]
fn a_log_of_another_device_leaves_nothing_behind() {
    let place = Place::new();
    let store = place.store();
    let (device, ..) = place.log("one", 1, true);
    let (other, run, bytes) = place.log("two", 1, true);
    assert_ne!(device, other);
    let told = store.append(&device, &Log::Run(run), (0, 0), &bytes);
    assert!(matches!(told, Err(No::Wrong(ref why)) if why.contains("another device")), "{told:?}");
    assert_eq!(store.held(&device, &Log::Run(run)), Err(No::None));
}

#[test]
fn a_head_is_cosigned_once_and_the_witness_is_the_same_after_it_was_killed() {
    let place = Place::new();
    let store = place.store();
    let (device, run, bytes) = place.log("one", 4, true);
    let folder = place.0.join("one/runs").join(run.to_string());
    let asked = Submission::of(&folder, 0).unwrap().unwrap();
    assert_eq!(store.cosign(&device, run, &asked, &cosigner()), Err(No::None), "nothing of it came yet");
    store.append(&device, &Log::Run(run), (0, 0), &bytes).unwrap();
    let lines = store.cosign(&device, run, &asked, &cosigner()).unwrap();
    let cosigned = asked.answered(&lines, &[cosigner().witness().clone()]).unwrap();
    assert_eq!(store.cosigned(&device, run), Some(cosigned.clone()));
    // As if it was killed between keeping and answering: the client asks again as before.
    drop(store);
    let store = place.store();
    let size = cosigned.size();
    assert_eq!(store.cosign(&device, run, &asked, &cosigner()), Err(No::Refused(Refused::Conflict(size))));
    let again = Submission::of(&folder, size).unwrap().unwrap();
    assert!(store.cosign(&device, run, &again, &cosigner()).is_ok());
    assert!(store.findings().all().is_empty(), "that is no finding");
}

#[test]
fn one_collector_has_a_store_and_a_device_no_more_than_its_share() {
    let place = Place::new();
    let store = place.store();
    assert!(Store::open(&place.0.join("store"), 1).unwrap_err().contains("another collector"));
    let (device, run, _) = place.log("one", 1, true);
    let much = vec![0; (1 << 20) + 1];
    assert_eq!(store.append(&device, &Log::Run(run), (0, 0), &much), Err(No::Full));
    assert_eq!(store.held(&device, &Log::Run(run)), Err(No::None));
}
