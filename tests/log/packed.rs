//! Logs that are packed: read as before, and no change of them goes unseen.

use crate::{Place, segment, step};
use aisandbox::audit::log::{Packed, State, pack, prove, read, segments, verify};
use std::fs;
use std::path::Path;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| name.contains(".seg"));
    names.sort();
    names
}

fn leaves(folder: &Path) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    read(folder, &mut |leaf| all.push(leaf.bytes.to_vec())).unwrap();
    all
}

#[test]
fn a_packed_log_is_read_as_before() {
    let place = Place::new();
    let (_, folder) = place.log(200, true);
    let (verdict, said, proof) = (verify(&folder).unwrap(), leaves(&folder), prove(&folder, 7).unwrap());
    let plain = fs::read(segment(&folder)).unwrap();
    let beside = fs::read(folder.join("00000000.openings")).unwrap();
    let Packed::Done { before, after } = pack(&folder).unwrap() else { panic!() };
    assert_eq!((before, verdict.state), ((plain.len() + beside.len()) as u64, State::Sealed));
    assert!(after < before, "{after} of {before}");
    assert_eq!(names(&folder), ["00000000.seg.zst"]);
    let size = |name: &str| fs::metadata(folder.join(name)).unwrap().len();
    assert_eq!(size("00000000.seg.zst") + size("00000000.openings.zst"), after);
    assert_eq!(verify(&folder).unwrap(), verdict);
    assert_eq!(leaves(&folder), said);
    assert_eq!(prove(&folder, 7).unwrap(), proof);
    let mut again: Vec<Vec<u8>> = Vec::new();
    segments(&folder, &mut |name, bytes| {
        assert_eq!(name, ["00000000.seg", "00000000.openings"][again.len()]);
        again.push(bytes.to_vec());
        Ok(())
    })
    .unwrap();
    assert_eq!(again, [plain, beside]);
    assert_eq!(pack(&folder).unwrap(), Packed::Already);
}

#[test]
fn a_log_that_goes_on_or_does_not_hold_stays_as_it_is() {
    let place = Place::new();
    let (run, log) = place.begin();
    let open = place.folder(run);
    assert_eq!(pack(&open).unwrap(), Packed::Not(State::Open));
    drop(log);
    let (_, killed) = place.log(3, false);
    let (_, changed) = place.log(3, true);
    let mut bytes = fs::read(segment(&changed)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(segment(&changed), bytes).unwrap();
    for (folder, state) in [(&open, State::Open), (&killed, State::Open), (&changed, State::Tampered)] {
        let before = fs::read(segment(folder)).unwrap();
        assert_eq!(pack(folder).unwrap(), Packed::Not(state));
        assert_eq!(fs::read(segment(folder)).unwrap(), before);
        assert_eq!(names(folder), ["00000000.seg"]);
    }
}

#[test]
fn who_packs_may_be_killed_at_any_moment() {
    let place = Place::new();
    let (_, folder) = place.log(50, true);
    let (verdict, plain) = (verify(&folder).unwrap(), fs::read(segment(&folder)).unwrap());
    let new = folder.join("00000000.seg.zst.new");
    // While the packed form is written.
    fs::write(&new, "half of it").unwrap();
    assert_eq!(verify(&folder).unwrap(), verdict);
    assert!(matches!(pack(&folder).unwrap(), Packed::Done { .. }));
    assert_eq!(names(&folder), ["00000000.seg.zst"]);
    // Before the plain one is gone: it counts, whatever the other is.
    fs::write(segment(&folder), &plain).unwrap();
    assert_eq!(verify(&folder).unwrap(), verdict);
    fs::write(folder.join("00000000.seg.zst"), "nonsense").unwrap();
    assert_eq!(verify(&folder).unwrap(), verdict);
    assert!(matches!(pack(&folder).unwrap(), Packed::Done { .. }));
    assert_eq!(verify(&folder).unwrap(), verdict);
    // Somebody else does it.
    let other = fs::File::open(&folder).unwrap();
    other.try_lock().unwrap();
    assert_eq!(pack(&folder).unwrap(), Packed::Busy);
}

/// A change of the packed form either changes nothing of what it holds, or is seen.
#[test]
fn no_byte_of_a_packed_log_changes_unseen() {
    let place = Place::new();
    let (_, folder) = place.log(12, true);
    let verdict = verify(&folder).unwrap();
    pack(&folder).unwrap();
    let path = folder.join("00000000.seg.zst");
    let whole = fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(step(41)) {
        fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(verify(&folder).unwrap().state, State::Tampered, "cut to {length}");
    }
    let (mut seen, mut all) = (0, 0);
    for at in (0..whole.len()).step_by(step(17)) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&path, bytes).unwrap();
        let now = verify(&folder).unwrap();
        assert!(now.state == State::Tampered || now == verdict, "byte {at}: {now:?}");
        seen += usize::from(now.state == State::Tampered);
        all += 1;
    }
    assert!(seen * 10 > all * 9, "{seen} of {all}");
    fs::write(&path, [&whole[..], b"x"].concat()).unwrap();
    assert_eq!(verify(&folder).unwrap().state, State::Tampered, "bytes behind the frame");
}

#[test]
fn what_unpacks_to_more_than_a_segment_is_read_no_further() {
    let place = Place::new();
    let (_, folder) = place.log(3, true);
    pack(&folder).unwrap();
    let bomb = aisandbox::base::zstd::pack(&vec![0; 300 << 20]);
    fs::write(folder.join("00000000.seg.zst"), bomb).unwrap();
    assert_eq!(verify(&folder).unwrap().state, State::Tampered);
}
