//! A folder changed while it is looked at. Seen: CVE-2018-15664 (docker cp followed a link swapped in between check and
//! use), CVE-2021-30465 (runc).

use crate::support::for_each_user;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Swaps a folder for a link to another one, and back, until told.
fn swap(real: &Path, target: &Path, done: &AtomicBool) {
    let aside = real.with_extension("aside");
    while !done.load(Ordering::Relaxed) {
        fs::rename(real, &aside).unwrap();
        symlink(target, real).unwrap();
        std::thread::sleep(Duration::from_micros(50));
        fs::remove_file(real).unwrap();
        fs::rename(&aside, real).unwrap();
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// Tells the other thread to end.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(crate) fn while_swapping(real: &Path, target: &Path, mut launch: impl FnMut()) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| swap(real, target, &done));
        let _stop = Stop(&done); // dropped by a failed assertion as well
        for _ in 0..30 {
            launch();
        }
    });
}

#[test]
fn a_folder_with_protected_names_that_is_swapped_for_a_link_shows_nothing_from_outside() {
    for_each_user(|home| {
        home.write("work/.claude/settings.json", "good");
        home.write("elsewhere/settings.json", "secret");
        assert_eq!(home.exec(&[], "cat .claude/settings.json").expect_code(0), "good");
        let mut seen = [0; 2];
        while_swapping(&home.join("work/.claude"), &home.join("elsewhere"), || {
            let ran = home.exec(&[], "for i in 1 2 3 4 5 6 7 8; do cat .claude/settings.json; done; echo in");
            assert!(!ran.stdout().contains("secret"), "{}", ran.stdout());
            seen[usize::from(ran.code == 0)] += 1;
        });
        eprintln!("{} refused, {} started", seen[0], seen[1]);
    });
}

#[test]
fn an_entry_below_a_writable_folder_that_is_swapped_for_a_link_shows_nothing_from_outside() {
    for_each_user(|home| {
        home.write("work/entry/file", "good");
        home.write("elsewhere/file", "secret");
        let entry = home.join("work/entry");
        let flags = ["--ro", entry.to_str().unwrap()];
        assert_eq!(home.exec(&flags, "cat entry/file").expect_code(0), "good");
        while_swapping(&entry, &home.join("elsewhere"), || {
            let ran = home.exec(&flags, "for i in 1 2 3 4 5 6 7 8; do cat entry/file; done; echo in");
            assert!(!ran.stdout().contains("secret"), "{}", ran.stdout());
        });
        assert_eq!(fs::read_to_string(home.join("elsewhere/file")).unwrap(), "secret");
    });
}

#[test]
fn a_working_folder_that_is_moved_during_the_run_stays_the_one_it_was() {
    for_each_user(|home| {
        home.make_folder("up/work");
        home.write("up/work/file", "good");
        let script = "echo in; while [ ! -e go ]; do sleep 0.01; done; cat file; cat ../../secret; ls ..";
        let mut started = home.sandboxed(&[], script).folder(home.join("up/work")).start();
        assert_eq!(started.read_line(), "in");
        fs::rename(home.join("up"), home.join("moved")).unwrap();
        home.write("up/work/file", "other");
        home.write("up/work/go", "");
        std::thread::sleep(Duration::from_millis(50));
        home.write("secret", "secret");
        home.write("moved/work/go", "");
        let said = started.finish().stdout();
        assert!(said.starts_with("good") && !said.contains("secret") && !said.contains("other"), "{said}");
    });
}
