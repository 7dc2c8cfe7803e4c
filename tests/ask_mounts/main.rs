//! Ask mounts, from the entry to the real files: the mechanism with a Guardian of the test's own.
//!
//! Without the test harness, which has threads: every case runs in a process of its own with one thread, as each user.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

mod creating;
#[path = "../support/forked.rs"]
mod forked;
mod fuse;
mod guardian;
#[path = "../support/library.rs"]
mod library;
mod real;
#[path = "../support/mod.rs"]
mod support;

use aisandbox::launch::Outcome;
use aisandbox::sys::process::{self, Ended};
use aisandbox::wire::mounts::{FromMounts, ToMounts};
use fuse::{Answer, Touch};
use guardian::{DONE, Guarded, Mounts};
use nix::errno::Errno;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

type Case = (&'static str, fn(&Path));

/// Cases by their sentence.
const CASES: &[Case] = &[
    ("a yes shows the real folder to the call that waited", a_yes_shows_the_real_folder),
    ("to list the folder above and to look at the place asks nothing", looking_asks_nothing),
    ("a file asks when it is opened", a_file_asks_when_it_is_opened),
    ("a no is EACCES", a_no_is_eacces),
    ("a read-only yes cannot be written, is nosuid, nodev and noexec", a_read_only_yes_is),
    ("a full yes reaches the host's files", a_full_yes_reaches_the_host),
    ("Landlock holds the ceiling although the mount would not", landlock_holds_the_ceiling),
    ("to change into it asks, and the working folder is the real one", a_working_folder_inside),
    ("what is taken back asks again", what_is_taken_back_asks_again),
    ("an object that was replaced is not mounted", a_replaced_object_is_not_mounted),
    ("mounts of the host inside come along, read-only too", submounts_come_along),
    ("the agent can neither unmount it nor move what it lies in", the_agent_cannot_move_it),
    ("the role says no to what makes no sense, and does twice what makes sense twice", the_role_is_careful),
    ("a server that dies is an error and no hang", a_server_that_dies),
    ("the run ends although an asker waits without an answer", the_run_ends_although),
    ("init killed from outside ends every asker", init_killed_ends_every_asker),
    ("while a creating call waits for an answer, others are done and init reaps", creating::init_never_waits),
    ("a creating call that was refused is EACCES", creating::a_creating_call_is_refused),
    ("an open that may create asks on a file too", creating::a_file_is_refused_to_a_creating_open),
    ("many askers wait for one answer of role files", real::many_askers_wait_for_one_answer),
    ("a served file can only grow, under Landlock and a filter", real::a_served_file_can_only_grow),
    ("names are made in a served folder, through a worker of init", real::names_are_made_in_a_served_folder),
    ("role files killed is an error and no hang", real::a_killed_role_is_an_error),
    (
        "a protected name stays protected for calls that a worker has walked",
        creating::a_worker_loses_no_protection,
    ),
];

fn main() {
    support::binary();
    let mut failed = 0;
    for user in support::users() {
        for (sentence, case) in CASES {
            let folder = Folder::new(user.uid);
            let ended = forked::in_child(180, || {
                support::run::become_user(user).unwrap();
                process::set_dumpable(true).unwrap();
                case(&folder.0);
            });
            let held = ended == Ended::Exited(0);
            failed += i32::from(!held);
            println!("as uid {}: {sentence}: {}", user.uid, if held { "ok" } else { "FAILED" });
        }
    }
    assert_eq!(failed, 0, "cases failed");
}

const READ: &str = "filesystem: [{ path: $PWD/asked, access: ask, actions: [read] }]\n";

/// Attaches read-only at every touch.
fn yes(touch: Touch, mounts: &Mounts) -> Answer {
    if mounts.attach(touch.entry, true) == DONE { Answer::Retry } else { Answer::Deny }
}

fn said(folder: &Path, profile: &str, script: &str) -> String {
    let (outcome, said) = Guarded::new(folder, profile, script).run(yes);
    assert!(matches!(outcome, Outcome::Exited(_)), "{outcome:?}");
    said
}

fn a_yes_shows_the_real_folder(folder: &Path) {
    static TOUCHES: AtomicU32 = AtomicU32::new(0);
    let sandbox = Guarded::new(folder, READ, "cat asked/note asked/sub/deep; ls asked");
    let (outcome, said) = sandbox.run(|touch, mounts| {
        TOUCHES.fetch_add(1, Ordering::Relaxed);
        assert!(touch.call == fuse::LOOKUP && touch.pid > 1);
        yes(touch, mounts)
    });
    assert_eq!((outcome, said.as_str()), (Outcome::Exited(0), "real\ndeep\nnote\nsub\n"));
    assert_eq!(TOUCHES.load(Ordering::Relaxed), 1, "the kernel asked once, and then never again");
}

fn looking_asks_nothing(folder: &Path) {
    let (_, said) =
        Guarded::new(folder, READ, "ls -l | grep -c asked; test -d asked && echo folder; stat -f asked >&2")
            .run(|touch, _| panic!("{touch:?}"));
    assert_eq!(said, "1\nfolder\n");
}

fn a_file_asks_when_it_is_opened(folder: &Path) {
    let profile = "filesystem: [{ path: $PWD/asked/note, access: ask, actions: [read] }]\n";
    std::fs::write(folder.join("asked/sub/other"), "plain\n").unwrap();
    let script =
        "cat asked/sub/other; test -f asked/note && cat asked/note; echo x > asked/note || echo refused";
    let (_, said) = Guarded::new(folder, profile, script).run(|touch, mounts| {
        assert_eq!(touch.call, fuse::OPEN);
        yes(touch, mounts)
    });
    assert_eq!(said, "plain\nreal\nrefused\n");
}

fn a_no_is_eacces(folder: &Path) {
    let script = "cat asked/note; ls asked; cd asked; echo still here";
    let sandbox = Guarded::new(folder, READ, &format!("{{ {script}; }} 2>&1"));
    let (outcome, said) = sandbox.run(|_, _| Answer::Deny);
    assert_eq!(outcome, Outcome::Exited(0));
    assert_eq!(said.matches("ermission denied").count(), 2, "{said}");
    assert!(said.contains("can't cd") && said.ends_with("still here\n"), "{said}");
}

fn a_read_only_yes_is(folder: &Path) {
    let script = "cat asked/note; echo x > asked/note || echo refused; grep /asked /proc/self/mountinfo | cut -d' ' -f6";
    let said = said(folder, READ, script);
    let (before, options) = said.rsplit_once("refused\n").unwrap();
    assert_eq!(before, "real\n");
    for option in ["ro", "nosuid", "nodev", "noexec"] {
        assert!(options.trim().split(',').any(|known| known == option), "{options}");
    }
}

const FULL: &str =
    "filesystem: [{ path: $PWD/asked, access: ask, actions: [read, append, overwrite, create, delete] }]\n";

fn a_full_yes_reaches_the_host(folder: &Path) {
    let script = "echo more >> asked/note && mkdir asked/new && rm asked/sub/deep && cat asked/note";
    let (outcome, said) = Guarded::new(folder, FULL, script).run(|touch, mounts| {
        assert_eq!(mounts.attach(touch.entry, false), DONE);
        Answer::Retry
    });
    assert_eq!((outcome, said.as_str()), (Outcome::Exited(0), "real\nmore\n"));
    assert_eq!(std::fs::read_to_string(folder.join("asked/note")).unwrap(), "real\nmore\n");
    assert!(folder.join("asked/new").is_dir() && !folder.join("asked/sub/deep").exists());
}

/// The place is outside the working folder: what is writable around it would give its rights to all below.
fn landlock_holds_the_ceiling(folder: &Path) {
    let outside = |actions: &str| {
        let source = folder.join("beside");
        let source = source.display();
        format!("filesystem: [{{ path: /asked, source: {source}, access: ask, actions: {actions} }}]\n")
    };
    let try_it = |actions: &str| {
        let script = "{ cat /asked/note; echo x > /asked/note; echo y > /asked/made; } 2>&1";
        let (_, said) =
            Guarded::new(&folder.join("asked"), &outside(actions), script).run(|touch, mounts| {
                assert_eq!(mounts.attach(touch.entry, false), DONE);
                Answer::Retry
            });
        said
    };
    let said = try_it("[read]");
    assert!(said.starts_with("real\n") && said.matches("ermission denied").count() == 2, "{said}");
    assert_eq!(std::fs::read_to_string(folder.join("beside/note")).unwrap(), "real\n");
}

fn a_working_folder_inside(folder: &Path) {
    let (_, said) = Guarded::new(folder, READ, "cd asked && cat note && cd sub && cat deep && cd .. && ls")
        .run(|touch, mounts| {
            assert_eq!(touch.call, fuse::ACCESS);
            yes(touch, mounts)
        });
    assert_eq!(said, "real\ndeep\nnote\nsub\n");
}

fn what_is_taken_back_asks_again(folder: &Path) {
    static TOUCHES: AtomicU32 = AtomicU32::new(0);
    let script =
        "cat asked/note; exec 3< asked/note; echo x > held; while ! test -e back; do sleep 0.02; done
        cat asked/note || echo gone; cat <&3; cat asked/sub/deep";
    let sandbox = Guarded::new(folder, READ, script);
    let mounts = std::sync::Arc::clone(&sandbox.mounts);
    let here = folder.to_path_buf();
    std::thread::spawn(move || {
        wait_for(&here.join("held"));
        assert_eq!(mounts.lock().unwrap().detach(0), DONE);
        std::fs::write(here.join("back"), "").unwrap();
    });
    let (_, said) = sandbox.run(|touch, mounts| match TOUCHES.fetch_add(1, Ordering::Relaxed) {
        1 => Answer::Deny,
        _ => yes(touch, mounts),
    });
    assert_eq!(said, "real\ngone\nreal\ndeep\n", "no, then yes again; the open file stays");
    assert_eq!(TOUCHES.load(Ordering::Relaxed), 3);
}

fn a_replaced_object_is_not_mounted(folder: &Path) {
    let (from, to) = (folder.join("asked"), folder.join("before"));
    let other = folder.join("beside");
    let (_, said) = Guarded::new(folder, READ, "cat asked/note || echo nothing").run(move |touch, mounts| {
        std::fs::rename(&from, &to).unwrap();
        std::fs::rename(&other, &from).unwrap();
        let FromMounts::Failed { errno, .. } = mounts.attach(touch.entry, true) else { panic!("mounted") };
        assert_eq!(errno, Errno::ESTALE as i32);
        Answer::Deny
    });
    assert_eq!(said, "nothing\n");
}

fn submounts_come_along(folder: &Path) {
    if !nix::unistd::geteuid().is_root() {
        return; // only root mounts anything on the host
    }
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
    let none: Option<&str> = None;
    let flags = nix::mount::MsFlags::MS_REC | nix::mount::MsFlags::MS_PRIVATE;
    nix::mount::mount(none, "/", none, flags, none).unwrap();
    let plain = nix::mount::MsFlags::empty();
    nix::mount::mount(Some("tmpfs"), &folder.join("asked/sub"), Some("tmpfs"), plain, none).unwrap();
    std::fs::write(folder.join("asked/sub/deep"), "mounted\n").unwrap();
    let said = said(folder, READ, "cat asked/sub/deep; echo x > asked/sub/deep || echo refused");
    assert_eq!(said, "mounted\nrefused\n");
}

fn the_agent_cannot_move_it(folder: &Path) {
    let profile = "filesystem: [{ path: $PWD/asked/sub, access: ask, actions: [read] }]\n";
    let script =
        "cat asked/sub/deep; mv asked elsewhere || echo pinned; mv asked/sub asked/gone || echo mounted
        umount -l asked/sub || echo mine; echo x > asked/beside && cat asked/beside";
    assert_eq!(said(folder, profile, script), "deep\npinned\nmounted\nmine\nx\n");
}

fn the_role_is_careful(folder: &Path) {
    let sandbox = Guarded::new(folder, READ, "cat asked/note");
    let mounts = std::sync::Arc::clone(&sandbox.mounts);
    {
        let mounts = mounts.lock().unwrap();
        let failed = |answer: FromMounts| match answer {
            FromMounts::Failed { errno, .. } => Errno::from_raw(errno),
            FromMounts::Done {} => panic!("done"),
        };
        assert_eq!(failed(mounts.attach(7, true)), Errno::ENOENT);
        assert_eq!(failed(mounts.say(&ToMounts::UserNamespace {}, None)), Errno::EPROTO);
        let entry = |entry, inner: &str| ToMounts::Entry {
            entry,
            inner_hex: inner.into(),
            host_hex: "2f".into(),
            dev: 0,
            ino: 0,
            noexec: false,
        };
        assert_eq!(failed(mounts.say(&entry(0, "2f61"), None)), Errno::EINVAL, "known already");
        assert_eq!(failed(mounts.say(&entry(1, "2F61"), None)), Errno::EINVAL, "no hex");
        assert_eq!(failed(mounts.say(&entry(1, "2f2e2e"), None)), Errno::EINVAL, "a parent");
        assert_eq!(failed(mounts.say(&entry(1, "2f6e6f6e65"), None)), Errno::ENOENT, "no such place");
        assert_eq!(mounts.detach(0), DONE, "it is as it should be");
        for read_only in [true, true, false, true] {
            assert_eq!(mounts.attach(0, read_only), DONE);
        }
        assert_eq!((mounts.detach(0), mounts.detach(0)), (DONE, DONE));
    }
    let (_, said) = sandbox.run(yes);
    assert_eq!(said, "real\n");
}

fn a_server_that_dies(folder: &Path) {
    let script = "cat asked/note || echo failed; cat asked/note || echo again; echo alive";
    let (outcome, said) = Guarded::new(folder, READ, script).run(|_, _| Answer::Die);
    assert_eq!((outcome, said.as_str()), (Outcome::Exited(0), "failed\nagain\nalive\n"));
}

/// Runs with a Guardian that holds the device until it hears of the end, and does something at the first touch.
fn held_open(folder: &Path, script: &str, at_touch: impl Fn(i32) + Send + 'static) -> (Outcome, String) {
    let mut sandbox = Guarded::new(folder, READ, script);
    let (mut devices, lives) = sandbox.take_devices();
    let init = sandbox.init();
    let (_, device) = devices.pop().unwrap();
    std::thread::spawn(move || {
        fuse::serve(0, device, true, &mut |_| {
            at_touch(init);
            let lives = std::os::fd::AsFd::as_fd(&lives);
            let closed = aisandbox::sys::socket::receive(lives, &mut [0; 1], true);
            assert!(matches!(closed, Ok((0, None)) | Err(_)));
            Answer::Die
        });
    });
    sandbox.finish()
}

fn the_run_ends_although(folder: &Path) {
    let here = folder.to_path_buf();
    let script = "cat asked/note & while ! test -e go; do sleep 0.02; done; echo done";
    let ended = held_open(folder, script, move |_| std::fs::write(here.join("go"), "").unwrap());
    assert_eq!(ended, (Outcome::Exited(0), "done\n".into()));
}

fn init_killed_ends_every_asker(folder: &Path) {
    // A worker of init waits too.
    for script in ["cat asked/note", "mkdir asked/new"] {
        let folder = folder.to_path_buf();
        let done = forked::in_child(180, move || {
            let (outcome, _) = held_open(&folder, script, |init| {
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(init), nix::sys::signal::Signal::SIGKILL)
                    .unwrap();
            });
            assert_eq!(outcome, Outcome::Lost(Ended::Signaled(libc::SIGKILL)));
        });
        assert_eq!(done, Ended::Exited(0), "{script}");
    }
}

fn wait_for(path: &Path) {
    assert!(support::run::comes_true(support::run::PATIENCE, || path.exists()), "{}", path.display());
}

/// The folder of one case: `asked` with a note and a folder, `beside` with another note.
struct Folder(PathBuf);

impl Folder {
    fn new(uid: u32) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("aisandbox-ask-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().canonicalize().unwrap().join(name);
        for (file, text) in
            [("asked/note", "real\n"), ("asked/sub/deep", "deep\n"), ("beside/note", "real\n")]
        {
            let file = path.join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        for own in ["", "asked", "asked/sub", "beside", "asked/note", "asked/sub/deep", "beside/note"] {
            std::os::unix::fs::chown(path.join(own), Some(uid), Some(uid)).unwrap();
        }
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
