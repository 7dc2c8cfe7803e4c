//! A scene: a person's terminal, a launcher on it with an agent, and the Guardian's end of its socket.

use crate::support::pty::Terminal;
use crate::support::run::{PATIENCE, Run};
use crate::support::{Home, users};
use aisandbox::sys::socket;
use aisandbox::wire::codec;
use aisandbox::wire::consent::{Answer, Object, Question, Show, Shown};
use aisandbox::wire::subject::{Action, Asker, Process, Resource};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The number the launcher finds its socket under.
pub(crate) const SOCKET: i32 = 90;
/// A little more than the time in which keys do not count.
pub(crate) const MOMENT: Duration = Duration::from_millis(1100);

/// This program, at a place that every user can execute.
pub(crate) fn launcher_copy() -> PathBuf {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    let place = std::env::temp_dir().join(format!("aisandbox-consent-{}", std::process::id()));
    PLACE
        .get_or_init(|| {
            std::fs::copy(std::env::current_exe().unwrap(), &place).unwrap();
            place
        })
        .clone()
}

pub(crate) fn remove_copy() {
    drop(std::fs::remove_file(launcher_copy()));
}

/// The Guardian's end of the socket.
pub(crate) struct Guardian(OwnedFd);

impl Guardian {
    /// Both ends.
    pub(crate) fn pair() -> (Self, OwnedFd) {
        let (ours, theirs) = socket::message_pair().unwrap();
        (Self(ours), theirs)
    }

    /// Asks, with a time that is far away.
    pub(crate) fn ask(&self, id: &str) {
        self.ask_until(id, 300);
    }

    /// Asks, until so many seconds from now. The nonce is the id twice.
    pub(crate) fn ask_until(&self, id: &str, seconds: u64) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let question = Box::new(Question { asked_at: now, until: now + seconds, ..question(id) });
        self.show(&Show::Ask { question, nonce: format!("{id}{id}") });
    }

    /// Takes a question back.
    pub(crate) fn withdraw(&self, id: &str) {
        self.show(&Show::Withdraw { id: id.into() });
    }

    fn show(&self, show: &Show) {
        socket::send(self.0.as_fd(), &codec::encode(show).unwrap(), None, true).unwrap();
    }

    /// The next word of the launcher.
    #[track_caller]
    pub(crate) fn hear(&self) -> Shown {
        self.hear_within(PATIENCE).unwrap_or_else(|| panic!("the launcher says nothing"))
    }

    /// The next word, or `None` when none comes in time.
    pub(crate) fn hear_within(&self, most: Duration) -> Option<Shown> {
        let mut waiting = [nix::poll::PollFd::new(self.0.as_fd(), nix::poll::PollFlags::POLLIN)];
        let most = nix::poll::PollTimeout::try_from(most).unwrap();
        if nix::poll::poll(&mut waiting, most).unwrap() == 0 {
            return None;
        }
        let mut bytes = vec![0; codec::MOST_BYTES];
        let (length, _) = socket::receive(self.0.as_fd(), &mut bytes, false).unwrap();
        (length > 0).then(|| codec::decode(&bytes[..length]).unwrap())
    }

    /// Hears that a question is on the screen.
    #[track_caller]
    pub(crate) fn hear_visible(&self, id: &str) {
        assert_eq!(self.hear(), Shown::Visible { id: id.into() });
    }

    /// Hears an answer, and that a yes was not given in the first second.
    #[track_caller]
    pub(crate) fn hear_answer(&self, id: &str) -> Answer {
        match self.hear() {
            Shown::Answered { id: answered, nonce, answer, after_ms } => {
                assert_eq!((answered, nonce), (id.to_owned(), format!("{id}{id}")));
                let least = if matches!(answer, Answer::Allow { .. }) { 1000 } else { 0 };
                assert!((least..60_000).contains(&after_ms), "{after_ms}");
                answer
            }
            other => panic!("not an answer: {other:?}"),
        }
    }
}

/// A launcher on a terminal, not started.
pub(crate) fn launch(home: &Home, script: &str, theirs: OwnedFd) -> Run {
    Run::new(&launcher_copy(), home)
        .args(&["--launch", &SOCKET.to_string(), script])
        .descriptor(SOCKET, theirs)
}

/// A launcher on a terminal whose agent has printed `ready`.
pub(crate) fn scene(script: &str) -> (Home, Terminal, Guardian) {
    let home = Home::of(users().remove(0));
    let (guardian, theirs) = Guardian::pair();
    let mut screen = Terminal::start(launch(&home, script, theirs));
    screen.wait_for("ready");
    (home, screen, guardian)
}

/// Waits for a question on the screen; gives its code.
#[track_caller]
pub(crate) fn code(screen: &mut Terminal, id: &str) -> String {
    screen.wait_for(&format!("aisandbox asks: {id}"));
    let text = screen.wait_for("o once");
    text[text.len() - 10..text.len() - 6].to_owned()
}

fn question(id: &str) -> Question {
    Question {
        id: id.into(),
        run: "01TEST".into(),
        profile: "test".into(),
        chain: Vec::new(),
        asker: Asker {
            process: Process { pid: 7, program: "/bin/sh".into(), sha256: None },
            parents: Vec::new(),
        },
        actions: vec![Action::Read],
        resource: Resource::File { path: "/home/u/Documents".into() },
        object: Some(Object {
            path: "/home/u/Documents".into(),
            kind: "folder".into(),
            size: None,
            label: String::new(),
            sha256: None,
        }),
        why: Some("\x1b[2Jto be\n Answer  of help".into()),
        upload: None,
        lease_s: Some(60),
        asked_at: 0,
        until: 0,
        policy: None,
    }
}
