//! An entry under what no honest kernel would send, and with a Guardian that does not answer.

use super::call::{Answer, Call, Change, ROOT};
use super::entry::{Caller, Entry, Place};
use super::opened::Write;
use super::report::Report;
use super::served::Grant;
use crate::sys::{Errno, file, socket};
use crate::wire::files::{Serve, Verdict};
use crate::wire::subject::Action;
use proptest::prelude::*;
use std::ffi::{CString, OsString};
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

fn entry() -> (Entry, OwnedFd) {
    let (role, guardian) = socket::message_pair().unwrap();
    let serve = Some(Serve::Checked {});
    let place = Place { number: 7, folder: true, uid: 0, gid: 0, serve };
    (Entry::new(place, Arc::new(Report::new(role))).unwrap(), guardian)
}

fn call(entry: &Entry, unique: u64, call: Call) -> Receiver<Answer> {
    let (sender, receiver) = channel();
    entry.call(Caller { unique, pid: 1 }, call, Box::new(move |answer| drop(sender.send(answer))));
    receiver
}

fn touch(entry: &Entry, unique: u64) -> Receiver<Answer> {
    call(entry, unique, Call::OpenFolder { node: ROOT })
}

fn fail(errno: Errno) -> Result<Answer, std::sync::mpsc::TryRecvError> {
    Ok(Answer::Fail(errno))
}

#[test]
fn a_question_nobody_answers_ends_at_its_deadline_with_no() {
    let (entry, _guardian) = entry();
    let waits = touch(&entry, 1);
    assert!(entry.overdue(Duration::from_secs(60)).is_some());
    assert!(waits.try_recv().is_err(), "it waits");
    assert_eq!(entry.overdue(Duration::ZERO), None);
    assert_eq!(waits.try_recv(), fail(Errno::EACCES));
}

#[test]
fn no_more_than_so_many_wait_and_all_of_them_are_answered() {
    let (entry, _guardian) = entry();
    let all: Vec<_> = (0..1100).map(|unique| touch(&entry, unique)).collect();
    assert_eq!(all[1024].try_recv(), fail(Errno::EAGAIN));
    entry.close();
    assert_eq!(all[0].try_recv(), fail(Errno::EIO));
    assert_eq!(all[1023].try_recv(), fail(Errno::EIO));
    assert_eq!(touch(&entry, 5000).try_recv(), fail(Errno::EIO));
}

#[test]
fn a_guardian_that_does_not_read_is_a_no_and_not_a_wait() {
    let (entry, _guardian) = entry();
    // Each question is given up, so each touch asks again, until the socket is full.
    let full = (0..100_000).find(|unique| {
        touch(&entry, *unique).try_recv() == fail(Errno::EACCES) || {
            entry.overdue(Duration::ZERO);
            false
        }
    });
    assert!(full.is_some());
    assert_eq!(touch(&entry, 1 << 40).try_recv(), fail(Errno::EACCES));
}

#[test]
fn an_interrupt_that_overtakes_its_call_ends_it_too() {
    let (entry, _guardian) = entry();
    entry.interrupt(9);
    assert_eq!(touch(&entry, 9).try_recv(), fail(Errno::EINTR));
    assert!(touch(&entry, 10).try_recv().is_err(), "the control: another waits");
}

#[test]
fn a_verdict_to_serve_without_a_grant_serves_nothing() {
    let (entry, _guardian) = entry();
    let waits = touch(&entry, 1);
    (0..10_000).for_each(|number| entry.decide(number, Verdict::Serve {}));
    assert_eq!(waits.try_recv(), fail(Errno::EIO));
}

fn name() -> impl Strategy<Value = OsString> {
    let odd = prop::sample::select(vec!["..", ".", "", "log", "link", "new", "f/../../secret", "/etc"]);
    let bytes = prop::collection::vec(any::<u8>(), 0..300).prop_map(OsString::from_vec);
    prop_oneof![odd.prop_map(OsString::from), bytes]
}

fn calls() -> impl Strategy<Value = Call> {
    let node = || prop_oneof![Just(ROOT), 0u64..12, any::<u64>()];
    let flags = || prop_oneof![0i32..4, any::<i32>()];
    prop_oneof![
        (node(), name()).prop_map(|(parent, name)| Call::Lookup { parent, name }),
        (node(), node()).prop_map(|(node, handle)| Call::Attributes { node, handle: Some(handle) }),
        (node(), any::<u64>(), any::<u32>()).prop_map(|(node, size, mode)| Call::Change {
            node,
            handle: None,
            change: Change { size: Some(size), mode: Some(mode), ..Change::default() }
        }),
        node().prop_map(|node| Call::ReadLink { node }),
        (node(), name(), any::<u32>()).prop_map(|(parent, name, mode)| Call::Make { parent, name, mode }),
        (node(), name(), any::<u32>()).prop_map(|(parent, name, mode)| Call::MakeFolder {
            parent,
            name,
            mode
        }),
        (node(), name()).prop_map(|(parent, name)| Call::MakeOther { parent, name }),
        (node(), name(), any::<bool>()).prop_map(|(parent, name, folder)| Call::Remove {
            parent,
            name,
            folder
        }),
        (node(), name(), node(), name(), any::<u32>()).prop_map(
            |(parent, name, new_parent, new_name, flags)| {
                Call::Rename { parent, name, new_parent, new_name, flags }
            }
        ),
        (node(), flags()).prop_map(|(node, flags)| Call::Open { node, flags }),
        node().prop_map(|node| Call::OpenFolder { node }),
        (node(), any::<i32>()).prop_map(|(node, mask)| Call::Access { node, mask }),
        (node(), name(), any::<u32>(), flags()).prop_map(|(parent, name, mode, flags)| Call::Create {
            parent,
            name,
            mode,
            flags
        }),
    ]
}

fn folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let base = std::env::temp_dir().join(format!("aisandbox-hostile-{}-{number}", std::process::id()));
    fs::create_dir_all(base.join("real")).unwrap();
    fs::write(base.join("secret"), "secret").unwrap();
    fs::write(base.join("real/log"), "before").unwrap();
    std::os::unix::fs::symlink("../secret", base.join("real/link")).unwrap();
    base
}

fn path_fd(path: &Path) -> OwnedFd {
    file::open(&CString::new(path.as_os_str().as_bytes()).unwrap(), libc::O_PATH).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_called_nothing_outside_changes_and_nothing_is_overwritten(
        all in prop::collection::vec(calls(), 1..60), offset: u64, data: Vec<u8>, mapped: bool, at_end: bool
    ) {
        let base = folder();
        let (entry, _guardian) = entry();
        let actions = vec![Action::Read, Action::Append, Action::Create];
        entry.grant(Grant { object: path_fd(&base.join("real")), actions, bytes: None });
        let served = entry.served().unwrap();
        for (unique, one) in all.into_iter().enumerate() {
            let answer = call(&entry, unique as u64, one).try_recv().expect("answered at once");
            if let Answer::Opened(handle) | Answer::Created(_, handle) = answer {
                let _read = served.read(handle, offset, 4096, 1);
                let _written = served.write(&Write { handle, offset, data: &data, mapped, at_end, pid: 1 });
                let _listed = served.list(handle, offset, |_, _| false);
            }
        }
        prop_assert_eq!(fs::read(base.join("secret")).unwrap(), b"secret");
        prop_assert_eq!(fs::read_dir(&base).unwrap().count(), 2);
        prop_assert!(fs::read(base.join("real/log")).unwrap().starts_with(b"before"));
        fs::remove_dir_all(&base).unwrap();
    }
}
