//! An entry nobody said yes to: what asks, what does not, and how each verdict reaches those who wait.

use crate::place::{Place, agent, errno, got, inside, path_fd};
use aisandbox::wire::files::Verdict;
use aisandbox::wire::subject::Action;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const NO: Verdict = Verdict::Deny { for_ms: 0 };

#[test]
fn a_place_shows_itself_without_asking_and_everything_in_it_asks() {
    inside("touch::a_place_shows_itself_without_asking_and_everything_in_it_asks", |home| {
        let place = Place::new(home, true, None);
        let shown = fs::metadata(&place.at).unwrap();
        assert_eq!((shown.mode(), shown.len(), shown.uid(), shown.mtime()), (0o40755, 0, 0, 0));
        let listed = Command::new("ls").arg("-la").arg(home).output().unwrap();
        assert!(String::from_utf8_lossy(&listed.stdout).contains("ask"));
        nix::sys::statfs::statfs(&place.at).unwrap();
        place.hears_nothing();
        for (act, action, name) in [
            ("cat ask/x", Action::Read, "x"),
            ("ls ask", Action::Read, ""),
            ("test -r ask", Action::Read, ""),
            ("test -w ask", Action::Overwrite, ""),
            ("cd ask", Action::Read, ""),
            ("mkdir ask/n", Action::Read, "n"),
            ("echo > 'ask/a\nb'", Action::Read, "a\\nb"),
        ] {
            let folder = home.to_owned();
            let run =
                agent(move || Command::new("sh").args(["-c", act]).current_dir(folder).output().unwrap());
            let touched = place.touched();
            assert_eq!((touched.1, touched.2.as_str()), (action, name), "{act}");
            place.decide(touched.0, NO);
            // A shell may touch more than once.
            while let Ok(touch) = place.try_touched(&run) {
                place.decide(touch, NO);
            }
        }
    });
}

/// What is done at a place, and whether it succeeds once the real thing stands there.
type Act = (&'static str, fn(&Path) -> std::io::Result<()>);

fn access(path: &Path) -> std::io::Result<()> {
    nix::unistd::access(path, nix::unistd::AccessFlags::R_OK).map_err(Into::into)
}

fn truncate(path: &Path) -> std::io::Result<()> {
    nix::unistd::truncate(path, 0).map_err(Into::into)
}

/// Every way in, and that it goes on by itself after the real thing came.
const FOLDER_ACTS: &[Act] = &[
    ("open", |at| File::open(at.join("file")).map(drop)),
    ("stat", |at| fs::metadata(at.join("file")).map(drop)),
    ("statx", |at| fs::symlink_metadata(at.join("file")).map(drop)),
    ("access below", |at| access(&at.join("file"))),
    ("access itself", access),
    ("opendir", |at| fs::read_dir(at).map(drop)),
    ("O_PATH below", |at| {
        nix::fcntl::open(&at.join("file"), nix::fcntl::OFlag::O_PATH, nix::sys::stat::Mode::empty())
            .map(drop)
            .map_err(Into::into)
    }),
    ("O_CREAT", |at| File::create(at.join("new")).map(drop)),
    ("O_CREAT|O_EXCL", |at| File::create_new(at.join("new2")).map(drop)),
    ("append", |at| OpenOptions::new().append(true).open(at.join("file"))?.write_all(b"x")),
    ("mkdir", |at| fs::create_dir(at.join("folder"))),
    ("unlink", |at| fs::remove_file(at.join("gone"))),
    ("rename within", |at| fs::rename(at.join("old"), at.join("older"))),
    ("symlink", |at| std::os::unix::fs::symlink("x", at.join("link"))),
    ("truncate", |at| truncate(&at.join("file"))),
    ("chmod", |at| fs::set_permissions(at.join("file"), std::os::unix::fs::PermissionsExt::from_mode(0o600))),
    ("exec", |at| Command::new(at.join("true")).status().map(drop)),
    ("chdir by a child", |at| Command::new("/bin/true").current_dir(at).status().map(drop)),
];

#[test]
fn every_way_into_a_folder_goes_on_by_itself_once_the_real_one_stands_there() {
    inside("touch::every_way_into_a_folder_goes_on_by_itself_once_the_real_one_stands_there", |home| {
        for (number, (what, act)) in FOLDER_ACTS.iter().enumerate() {
            eprintln!("{what}");
            let home = home.join(number.to_string());
            fs::create_dir(&home).unwrap();
            let place = Place::new(&home, true, None);
            for name in ["file", "gone", "old"] {
                fs::write(place.real.join(name), "content").unwrap();
            }
            fs::copy("/bin/true", place.real.join("true")).unwrap();
            fs::write(home.join("beside"), "").unwrap();
            let (at, act) = (place.at.clone(), *act);
            let run = agent(move || act(&at));
            let (touch, ..) = place.touched();
            place.send_grant(&[Action::Read, Action::Overwrite], None);
            place.attach_real();
            place.decide(touch, Verdict::Retry {});
            let result = got(&run).map_err(|error| error.raw_os_error().unwrap());
            assert_eq!(result, Ok(()), "{what}");
            // Another mount: rename(2) says so without a touch, as it does for any mount.
            assert_eq!(errno(fs::rename(home.join("beside"), place.at.join("in"))), libc::EXDEV);
            assert_eq!(fs::metadata(&place.at).unwrap().ino(), fs::metadata(&place.real).unwrap().ino());
        }
    });
}

#[test]
fn a_file_that_asks_is_the_real_one_after_a_yes_and_an_older_handle_is_served() {
    inside("touch::a_file_that_asks_is_the_real_one_after_a_yes_and_an_older_handle_is_served", |home| {
        let place = Place::new(home, false, None);
        fs::write(&place.real, "content").unwrap();
        let before = path_fd(&place.at);
        let at = place.at.clone();
        let run = agent(move || fs::read_to_string(at));
        let (touch, action, name) = place.touched();
        assert_eq!((action, name.as_str()), (Action::Read, ""));
        place.send_grant(&[Action::Read], None);
        place.attach_real();
        place.decide(touch, Verdict::Retry {});
        assert_eq!(got(&run).unwrap(), "content");
        // What was looked up before stays where it was: the kernel has no other place to walk to. It is served there.
        let old = PathBuf::from(format!("/proc/self/fd/{}", before.as_raw_fd()));
        assert_eq!(fs::read_to_string(&old).unwrap(), "content");
        assert_eq!(errno(OpenOptions::new().write(true).open(&old)), libc::EACCES);
        assert_eq!(place.refused(), (Action::Overwrite, String::new(), false));
    });
}

#[test]
fn concurrent_touches_are_one_question_and_all_get_its_answer() {
    inside("touch::concurrent_touches_are_one_question_and_all_get_its_answer", |home| {
        let place = Place::new(home, true, None);
        let waiting: Vec<_> = (0..50)
            .map(|number| {
                let at = place.at.join(number.to_string());
                agent(move || errno(File::open(at)))
            })
            .collect();
        let (touch, ..) = place.touched();
        place.hears_nothing();
        place.decide(touch + 1, NO); // not the touch that is asked about
        place.decide(touch, Verdict::Deny { for_ms: 600_000 });
        for one in &waiting {
            assert_eq!(got(one), libc::EACCES);
        }
        // The answer is remembered for as long as was said.
        assert_eq!(errno(fs::read_dir(&place.at)), libc::EACCES);
        place.hears_nothing();
    });
}

#[test]
fn after_the_time_of_a_no_the_question_comes_again() {
    inside("touch::after_the_time_of_a_no_the_question_comes_again", |home| {
        let place = Place::new(home, true, None);
        for for_ms in [50, 0] {
            let at = place.at.clone();
            let run = agent(move || errno(fs::read_dir(&at)));
            place.decide(place.touched().0, Verdict::Deny { for_ms });
            assert_eq!(got(&run), libc::EACCES);
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    });
}

#[test]
fn a_killed_caller_is_gone_at_once_and_the_question_stays_for_others() {
    inside("touch::a_killed_caller_is_gone_at_once_and_the_question_stays_for_others", |home| {
        let place = Place::new(home, true, None);
        let mut child = Command::new("cat").arg(place.at.join("x")).spawn().unwrap();
        let (touch, ..) = place.touched();
        assert!(child.try_wait().unwrap().is_none(), "it waits");
        child.kill().unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || drop(sender.send(child.wait())));
        got(&receiver).unwrap();
        let at = place.at.clone();
        let run = agent(move || errno(fs::read_dir(at)));
        place.hears_nothing(); // it joined the question that stands
        place.decide(touch, NO);
        assert_eq!(got(&run), libc::EACCES);
    });
}

#[test]
fn when_the_guardian_goes_the_waiting_fail_and_so_does_everything_later() {
    inside("touch::when_the_guardian_goes_the_waiting_fail_and_so_does_everything_later", |home| {
        let mut place = Place::new(home, true, None);
        let at = place.at.clone();
        let run = agent(move || errno(File::open(at.join("x"))));
        place.touched();
        place.leave();
        let seen = got(&run);
        assert!([libc::EIO, libc::ENOTCONN, libc::ECONNABORTED].contains(&seen), "{seen}");
        let at = place.at.clone();
        let later = got(&agent(move || errno(File::open(at.join("x")))));
        assert!([libc::EIO, libc::ENOTCONN, libc::ECONNABORTED].contains(&later), "{later}");
    });
}

#[test]
fn a_killed_role_fails_the_waiting_and_hangs_nobody() {
    inside("touch::a_killed_role_fails_the_waiting_and_hangs_nobody", |home| {
        let place = Place::new(home, true, None);
        let at = place.at.clone();
        let run = agent(move || errno(File::open(at.join("x"))));
        place.touched();
        aisandbox::sys::process::send_signal(place.pid, libc::SIGKILL).unwrap();
        let seen = got(&run);
        assert!([libc::EIO, libc::ENOTCONN, libc::ECONNABORTED].contains(&seen), "{seen}");
    });
}
