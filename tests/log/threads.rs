//! The queue and its thread.

use super::{Place, event, messages};
use aisandbox::audit::AuditError;
use aisandbox::audit::log::{SharedLog, State, verify};
use std::fs;

#[test]
fn events_of_many_threads_are_all_there_each_in_its_threads_order() {
    for threaded in [false, true] {
        let place = Place::new();
        let (run, log) = place.begin();
        let log = SharedLog::new(log);
        if threaded {
            log.start_thread(true).unwrap();
        }
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let log = log.clone();
                scope.spawn(move || {
                    for number in 0..50 {
                        let event = event(&format!("{thread} {number}"));
                        match number % 10 {
                            0 => log.append_durable(&event).unwrap(),
                            1..=5 => log.note(&event).unwrap(),
                            _ => log.append(&event).unwrap(),
                        }
                    }
                });
            }
        });
        log.sync().unwrap();
        log.seal().unwrap();
        let (texts, verdict) = messages(&place.folder(run));
        assert_eq!((verdict.state, texts.len()), (State::Sealed, 400));
        for thread in 0..8 {
            let mine: Vec<&String> =
                texts.iter().filter(|text| text.starts_with(&format!("{thread} "))).collect();
            assert!(mine.iter().enumerate().all(|(number, text)| **text == format!("{thread} {number}")));
        }
        assert!(matches!(log.append(&event("late")), Err(AuditError::Closed { .. })));
    }
}

/// The file is replaced under the writer, which then fails. A producer that waits for room, or for its record, hears it.
#[test]
fn everybody_who_waits_is_told_when_the_log_fails() {
    let place = Place::new();
    let (run, log) = place.begin();
    let log = SharedLog::new(log);
    log.start_thread(true).unwrap();
    log.append_durable(&event("first")).unwrap();
    let text = "z".repeat(50_000);
    let failed = std::thread::scope(|scope| {
        let producers: Vec<_> = (0..6)
            .map(|number| {
                let (log, text) = (log.clone(), &text);
                scope.spawn(move || {
                    let write = |log: &SharedLog, event: &_| match number % 3 {
                        0 => log.note(event),
                        1 => log.append(event),
                        _ => log.append_durable(event),
                    };
                    (0..100_000).find_map(|_| write(&log, &event(text)).err())
                })
            })
            .collect();
        let path = place.folder(run).join("00000000.seg");
        fs::rename(&path, place.0.join("taken")).unwrap();
        producers.into_iter().map(|producer| producer.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(failed.iter().all(Option::is_some), "{failed:?}");
    assert!(log.append_durable(&event("late")).is_err() && log.seal().is_err());
}

/// `audit list` takes a shared lock to see whether a writer lives, of logs that are just being made too.
#[test]
fn logs_begin_while_others_read_them() {
    let place = Place::new();
    fs::create_dir_all(place.runs()).unwrap();
    let mut permissions = fs::metadata(place.runs()).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o700);
    fs::set_permissions(place.runs(), permissions).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                for entry in fs::read_dir(place.runs()).unwrap().flatten() {
                    seen += usize::from(verify(&entry.path()).is_ok()); // one that was just made has no segment yet
                }
            }
            seen
        });
        for _ in 0..300 {
            let (run, mut log) = place.begin();
            log.append(&event("first")).unwrap();
            log.seal().unwrap();
            drop(log);
            fs::remove_dir_all(place.folder(run)).unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        reader.join().unwrap()
    });
    assert!(seen > 0, "nobody read");
}
