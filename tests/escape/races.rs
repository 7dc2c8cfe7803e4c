//! A folder changed while it is looked at. Seen: CVE-2018-15664 (docker cp followed a link swapped in between check and
//! use), CVE-2021-30465 (runc).

use crate::support::for_each_user;
use aisandbox::base::{HostPath, InnerPath};
use aisandbox::host::{FakeTree, Kind, Object, Tree};
use aisandbox::plan::{entry_of_flag, view};
use aisandbox::profile::Access;
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
        for _ in 0..60 {
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

/// A tree in which one path is a link to another folder at its first look, and a folder of its own from then on.
struct Swapped(FakeTree, AtomicBool);

impl Tree for Swapped {
    fn open(&self, path: &HostPath, follow: bool) -> std::io::Result<Object> {
        let first =
            follow && path.as_path() == Path::new("/w/entry") && !self.1.swap(true, Ordering::Relaxed);
        if first { self.0.open(&HostPath::new("/secret").unwrap(), true) } else { self.0.open(path, follow) }
    }

    fn read_link(&self, path: &HostPath) -> std::io::Result<std::path::PathBuf> {
        self.0.read_link(path)
    }
}

#[test]
fn what_was_opened_is_what_is_mounted_and_lies_where_its_path_says() {
    let entry = |flag, path| {
        let access = if flag == "--rw" { Access::Rw } else { Access::Ro };
        entry_of_flag(flag, InnerPath::new(path).unwrap(), access)
    };
    let entries = [entry("--rw", "/w"), entry("--ro", "/w/entry")];
    let tree = || FakeTree::new().with("/w/entry/file", Kind::File).with("/secret/file", Kind::File);
    let swapped = |already| view::build(&entries, true, &Swapped(tree(), AtomicBool::new(already)));
    assert!(swapped(true).is_ok()); // the control: nothing is swapped any more
    let refused = swapped(false).unwrap_err();
    assert!(
        refused[0].message.contains("through a link in the writable folder /w"),
        "{}",
        refused[0].message
    );
}

#[test]
fn a_link_that_an_agent_left_is_not_followed_while_its_folder_is_writable() {
    for_each_user(|home| {
        home.write("secret/file", "secret");
        symlink(home.join("secret"), home.join("work/docs")).unwrap();
        let (docs, script) = (home.join("work/docs"), "cat /docs/file; echo in");
        let bind = ["--ro-bind", docs.to_str().unwrap(), "/docs"];
        let refused = home.exec(&bind, script);
        assert_eq!(refused.expect_code(125), "");
        refused.expect_said("is reached through a link in the writable folder");
        // The control, and the limit: where the agent may not write now, the owner's path is followed.
        let mut alone = vec!["--profile", "base"];
        alone.extend(bind);
        assert_eq!(home.exec(&alone, script).expect_code(0), "secretin\n");
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
