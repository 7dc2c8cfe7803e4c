//! Runs that are none: real session folders with real locks and sockets, held by a process of the home's user, which
//! answers commands by a fixed rule and writes down what it was sent.
//!
//! Never grants anything: what is tested is the person's side.

use crate::support::run::{PATIENCE, Run, Started, comes_true, while_nobody_forks};
use crate::support::{Home, skip};
use aisandbox::guardian::session::{Session, check_peer};
use aisandbox::sys::{local, signal, socket};
use aisandbox::wire::codec;
use aisandbox::wire::consent::Answer;
use aisandbox::wire::denial::Reason;
use aisandbox::wire::session::{Command, GrantState, Reply, RunState};
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

/// What it does with a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Does,
    Refuses,
    SaysNothing,
    Ends,
}

const MANNERS: [(&str, Manner); 4] = [
    ("does", Manner::Does),
    ("refuses", Manner::Refuses),
    ("says-nothing", Manner::SaysNothing),
    ("ends", Manner::Ends),
];

/// A stand-in that runs, from the test's side. It ends when this is dropped.
pub(crate) struct StandIn {
    process: Started,
    log: PathBuf,
}

impl StandIn {
    /// Starts it for these runs; there when they can be found.
    pub(crate) fn start(home: &Home, manner: Manner, states: &[RunState]) -> Self {
        let log = home.write("stand-in.log", "");
        let file = home.write("stand-in.json", &serde_json::to_string(states).unwrap());
        let word = MANNERS.iter().find(|(_, known)| *known == manner).unwrap().0;
        let mut run = Run::new(program(), home)
            .args(&["--ignored", "--exact", "stand_in_for_a_guardian", "--nocapture"])
            .env("XDG_RUNTIME_DIR", crate::runtime(home))
            .env("STAND_IN", word)
            .env("STAND_IN_STATES", file)
            .env("STAND_IN_LOG", &log)
            .env("STAND_IN_ALSO", home.work());
        run.command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
        let started = Self { process: run.start(), log };
        assert!(comes_true(PATIENCE, || started.said("ready")), "the stand-in began");
        started
    }

    /// Whether it wrote this line.
    pub(crate) fn said(&self, line: &str) -> bool {
        fs::read_to_string(&self.log).unwrap().lines().any(|said| said == line)
    }

    /// The commands it got.
    pub(crate) fn commands(&self) -> Vec<Command> {
        let text = fs::read_to_string(&self.log).unwrap();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Ends it as a machine would, without a chance to tidy up.
    pub(crate) fn kill(mut self) {
        self.process.child.kill().unwrap();
        self.process.child.wait().unwrap();
    }
}

/// This very test program, where every user can execute it.
fn program() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| {
        let copy = crate::support::binary().with_file_name("people-stand-in");
        let beside_the_binary = copy.parent().unwrap().starts_with(std::env::temp_dir());
        if !beside_the_binary {
            return std::env::current_exe().unwrap();
        }
        while_nobody_forks(|| fs::copy(std::env::current_exe().unwrap(), &copy)).unwrap();
        copy
    })
}

/// The other side: serves until stdin is closed.
pub(crate) fn serve() {
    let Ok(word) = std::env::var("STAND_IN") else {
        skip("the stand-in is started by other tests");
        return;
    };
    let manner = MANNERS.iter().find(|(known, _)| *known == word).unwrap().1;
    let states: Vec<RunState> =
        serde_json::from_str(&fs::read_to_string(std::env::var("STAND_IN_STATES").unwrap()).unwrap())
            .unwrap();
    let runs: Vec<(Session, OwnedFd, RunState)> = states.into_iter().map(listening).collect();
    let also = fs::File::open(std::env::var("STAND_IN_ALSO").unwrap()).unwrap();
    let also = local::listen(also.as_fd(), "also").unwrap();
    let mut kept = Vec::new();
    write_down("ready");
    loop {
        let stdin = std::io::stdin();
        let mut waits =
            vec![signal::wants_reading(Some(stdin.as_fd())), signal::wants_reading(Some(also.as_fd()))];
        waits.extend(runs.iter().map(|(_, listener, _)| signal::wants_reading(Some(listener.as_fd()))));
        signal::poll(&mut waits, -1).unwrap();
        if waits[0].revents != 0 && stdin.lock().read(&mut [0]).unwrap() == 0 {
            return;
        }
        if let Ok(connection) = local::accept(also.as_fd()) {
            write_down(
                &check_peer(connection.as_fd()).map_or_else(|no| no.to_string(), |_| "the person".into()),
            );
        }
        for (_, listener, state) in &runs {
            if let Ok(connection) = local::accept(listener.as_fd()) {
                kept.extend(answer(connection, manner, state));
            }
        }
    }
}

fn listening(state: RunState) -> (Session, OwnedFd, RunState) {
    let session = Session::make(state.run.parse().unwrap()).unwrap();
    session.write(&state).unwrap();
    let listener = session.listen_control().unwrap();
    (session, listener, state)
}

fn write_down(line: &str) {
    let mut log = OpenOptions::new().append(true).open(std::env::var("STAND_IN_LOG").unwrap()).unwrap();
    writeln!(log, "{line}").unwrap();
}

/// Gives back a connection that must stay open.
fn answer(connection: OwnedFd, manner: Manner, state: &RunState) -> Option<OwnedFd> {
    check_peer(connection.as_fd()).unwrap();
    signal::poll(&mut [signal::wants_reading(Some(connection.as_fd()))], 180_000).unwrap();
    let mut buffer = vec![0; codec::MOST_BYTES];
    let (length, _) = socket::receive(connection.as_fd(), &mut buffer, false).unwrap();
    let command: Command = codec::decode(&buffer[..length]).unwrap();
    write_down(&serde_json::to_string(&command).unwrap());
    let reply = match manner {
        Manner::Ends => return None,
        Manner::SaysNothing => return Some(connection),
        Manner::Refuses => Reply::Refused { reason: Reason::Ceiling, detail: "\x1b]0;title\x07".into() },
        Manner::Does => done(&command, state),
    };
    let send = |reply: &Reply| {
        socket::send(connection.as_fd(), &codec::encode(reply).unwrap(), None, true).unwrap();
    };
    send(&reply);
    if command == (Command::Watch {}) {
        let answered = RunState { requests: Vec::new(), ..state.clone() };
        std::thread::sleep(Duration::from_millis(300));
        send(&Reply::State { state: Box::new(answered) });
        return Some(connection);
    }
    None
}

fn done(command: &Command, state: &RunState) -> Reply {
    let lease = |id: &str| -> Option<Box<GrantState>> {
        Some(Box::new(GrantState { id: id.to_owned(), ..state.grants.first()?.clone() }))
    };
    let (grant, left) = match command {
        Command::State {} | Command::Watch {} => return Reply::State { state: Box::new(state.clone()) },
        Command::Answer { answer: Answer::Allow { .. }, .. } => (lease("NEW-g9"), Vec::new()),
        Command::Grant { .. } | Command::Extend { .. } => (lease("NEW-g9"), Vec::new()),
        Command::Revoke { .. } => (None, vec!["pid 812 has \x1b[31mit open".to_owned()]),
        Command::Answer { .. } | Command::Sign { .. } | Command::Resume {} => (None, Vec::new()),
    };
    Reply::Done { grant, left }
}
