//! The same with role `files` as it is: confined by Landlock to the ceiling and by its filter, beside role `mounts`.

use crate::guardian::{DONE, Guarded, Mounts};
use aisandbox::launch::Outcome;
use aisandbox::launch::ruleset;
use aisandbox::sys::socket;
use aisandbox::wire::codec;
use aisandbox::wire::files::{FromFiles, ToFiles, Verdict};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};

/// Role `files`, serving the mounts of a sandbox.
struct Files {
    role: Child,
    socket: OwnedFd,
}

impl Files {
    fn start(sandbox: &mut Guarded) -> Self {
        let (ours, theirs) = socket::message_pair().unwrap();
        let rules = ruleset::of_asks(&sandbox.plan).unwrap();
        let files = Self { role: crate::guardian::role("files", &theirs, rules.as_ref()), socket: ours };
        let (devices, _) = sandbox.take_devices();
        for (entry, device) in devices {
            let ask = &sandbox.plan.view.asks[usize::from(entry)];
            let serve = ask.serve.clone();
            let message = ToFiles::Entry { entry, folder: ask.is_folder(), uid: 0, gid: 0, serve };
            files.say(&message, Some(&device));
        }
        files
    }

    fn say(&self, message: &ToFiles, descriptor: Option<&OwnedFd>) {
        let bytes = codec::encode(message).unwrap();
        socket::send(self.socket.as_fd(), &bytes, descriptor.map(AsFd::as_fd), true).unwrap();
    }

    /// The next message; `None` when the role is gone.
    fn hear(&self) -> Option<FromFiles> {
        let mut buffer = vec![0; codec::MOST_BYTES];
        match socket::receive(self.socket.as_fd(), &mut buffer, true) {
            Ok((0, _)) | Err(_) => None,
            Ok((length, _)) => Some(codec::decode(&buffer[..length]).unwrap()),
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        drop(self.role.kill());
        drop(self.role.wait());
    }
}

/// Says yes to every touch; gives how the run ended, what it said, and how many questions there were.
fn granted(folder: &Path, profile: &str, script: &str) -> (Outcome, String, u32) {
    static QUESTIONS: AtomicU32 = AtomicU32::new(0);
    let mut sandbox = Guarded::new(folder, profile, script);
    let files = Files::start(&mut sandbox);
    let mounts = std::sync::Arc::clone(&sandbox.mounts);
    let grants: Vec<_> =
        sandbox.plan.view.asks.iter().map(|ask| (ask.wish.clone(), ask.serve.is_some())).collect();
    let objects: Vec<OwnedFd> = sandbox
        .plan
        .view
        .asks
        .iter()
        .map(|ask| ask.object.fd.as_ref().unwrap().try_clone().unwrap())
        .collect();
    std::thread::spawn(move || {
        while let Some(message) = files.hear() {
            let FromFiles::Touched { entry, touch, .. } = message else { continue };
            QUESTIONS.fetch_add(1, Ordering::Relaxed);
            let (wish, served) = &grants[usize::from(entry)];
            let verdict = if *served {
                let actions = wish.actions.clone();
                let object = &objects[usize::from(entry)];
                files.say(&ToFiles::Grant { entry, actions, bytes: wish.bytes }, Some(object));
                Verdict::Serve {}
            } else {
                let read_only = aisandbox::plan::ask::AskEntry::read_only(&wish.actions);
                assert_eq!(attach(&mounts, entry, read_only), DONE);
                Verdict::Retry {}
            };
            files.say(&ToFiles::Decided { touch, verdict }, None);
        }
    });
    let (outcome, said) = sandbox.finish();
    (outcome, said, QUESTIONS.load(Ordering::Relaxed))
}

fn attach(
    mounts: &std::sync::Mutex<Mounts>,
    entry: u16,
    read_only: bool,
) -> aisandbox::wire::mounts::FromMounts {
    mounts.lock().unwrap().attach(entry, read_only)
}

pub(crate) fn many_askers_wait_for_one_answer(folder: &Path) {
    let script =
        "for n in 1 2 3 4 5; do cat asked/note & done; wait; ls asked; mkdir asked/no || echo read-only";
    let (outcome, said, questions) = granted(folder, crate::READ, script);
    assert_eq!(outcome, Outcome::Exited(0));
    assert_eq!(said, "real\nreal\nreal\nreal\nreal\nnote\nsub\nread-only\n");
    assert!((1..=5).contains(&questions), "{questions}");
}

pub(crate) fn a_served_file_can_only_grow(folder: &Path) {
    let profile = "filesystem: [{ path: $PWD/asked/note, access: ask, actions: [read, append] }]\n";
    let script = "echo more >> asked/note && cat asked/note; (echo less > asked/note) || echo kept";
    let (outcome, said, _) = granted(folder, profile, script);
    assert_eq!((outcome, said.as_str()), (Outcome::Exited(0), "real\nmore\nkept\n"));
    assert_eq!(std::fs::read_to_string(folder.join("asked/note")).unwrap(), "real\nmore\n");
}

pub(crate) fn names_are_made_in_a_served_folder(folder: &Path) {
    let profile = "filesystem: [{ path: $PWD/asked, access: ask, actions: [read, append, create] }]\n";
    let script = "echo new > asked/new && mkdir asked/made && echo deep > asked/made/deep && cat asked/new asked/made/deep
        rm asked/note || echo kept";
    let (outcome, said, _) = granted(folder, profile, script);
    assert_eq!((outcome, said.as_str()), (Outcome::Exited(0), "new\ndeep\nkept\n"));
    assert_eq!(std::fs::read_to_string(folder.join("asked/made/deep")).unwrap(), "deep\n");
}

pub(crate) fn a_killed_role_is_an_error(folder: &Path) {
    let mut sandbox =
        Guarded::new(folder, crate::READ, "cat asked/note || echo failed; ls asked || echo again");
    let mut files = Files::start(&mut sandbox);
    std::thread::spawn(move || {
        let touched = files.hear();
        assert!(matches!(touched, Some(FromFiles::Touched { entry: 0, .. })), "{touched:?}");
        files.role.kill().unwrap();
        files.role.wait().unwrap();
    });
    assert_eq!(sandbox.finish(), (Outcome::Exited(0), "failed\nagain\n".into()));
}
