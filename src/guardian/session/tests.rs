//! Session folders, good and bad, and a small Guardian at the other end of a command.

use super::folder::Session;
use super::list::{Listed, list_in};
use super::place::Place;
use super::*;
use crate::base::{RunId, WallTime};
use crate::sys::{Errno, local, signal, socket};
use crate::wire::codec;
use crate::wire::denial::{Denial, Reason};
use crate::wire::session::{Command, Reply, RunState};
use std::fs::{self, File, Permissions};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longer than anything here takes on the slowest machine.
const LONG: Duration = Duration::from_secs(180);

/// A place of one test; it goes with it.
struct Base(PathBuf);

impl Base {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("aisandbox-session-{test}-{}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
        Self(path)
    }

    fn place(&self) -> Place {
        Place { path: self.0.clone(), folder: File::open(&self.0).unwrap(), keeps_spare: false }
    }

    fn session(&self, run: RunId) -> Session {
        Session::make_in(self.place(), run).unwrap()
    }

    fn list(&self) -> Listed {
        list_in(vec![Ok(self.place())])
    }

    fn names(&self) -> usize {
        fs::read_dir(&self.0).unwrap().count()
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Made long ago.
fn old(number: u128) -> RunId {
    RunId::from_parts(1_700_000_000_000, number)
}

fn state(run: RunId) -> RunState {
    RunState {
        version: 1,
        run: run.to_string(),
        parent: None,
        launcher: 1,
        init: 2,
        profile: "cowork".into(),
        command: vec!["sleep".into(), "1".into()],
        since: 0,
        guarded: true,
        public_key: None,
        requests: Vec::new(),
        grants: Vec::new(),
        denials: Vec::new(),
        alerts: Vec::new(),
        frozen: None,
    }
}

/// The folder of a run whose launcher was killed: all is there, and nobody holds the lock.
fn left_behind(base: &Base, name: &str) -> PathBuf {
    let path = base.0.join(name);
    fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
    fs::write(path.join("lock"), "").unwrap();
    fs::write(path.join("state.json"), "{}").unwrap();
    path
}

#[test]
fn a_run_is_found_while_its_launcher_lives_and_not_after() {
    let base = Base::new("life");
    let session = base.session(old(1));
    assert!(base.list().runs.is_empty(), "it has not written a state yet");
    session.write(&state(old(1))).unwrap();
    session.state_file().unwrap().write(&state(old(1))).unwrap();
    let found = base.list();
    assert_eq!(found.runs.iter().map(|run| run.state.clone()).collect::<Vec<_>>(), [state(old(1))]);
    let _control = session.listen_control().unwrap();
    let _broker = session.listen_broker().unwrap();
    drop(session);
    assert_eq!(base.names(), 0);
}

/// What every launch does at its start, and `ps`: look at all folders, and take the locks of those that seem dead.
#[test]
fn runs_begin_and_end_while_others_look() {
    let base = Base::new("many");
    let place = || Place { keeps_spare: true, ..base.place() };
    let young = |number| RunId::from_parts(WallTime::now().unix_millis(), number);
    let turns = 1_500;
    std::thread::scope(|scope| {
        let launchers: Vec<_> = (0..3)
            .map(|thread| {
                scope.spawn(move || {
                    for turn in 0..turns {
                        let run = young(thread * turns + turn);
                        let session = Session::make_in(place(), run).unwrap();
                        session.write(&state(run)).unwrap();
                        assert!(session.path().join("lock").exists(), "its folder was taken away");
                    }
                })
            })
            .collect();
        while !launchers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            drop(list_in(vec![Ok(place())]));
        }
    });
    assert!(base.names() <= 1, "nothing but the spare one is left");
}

#[test]
fn on_a_disk_the_folder_of_the_last_run_is_the_next_one_s() {
    let base = Base::new("spare");
    let begin = |run| Session::make_in(Place { keeps_spare: true, ..base.place() }, run).unwrap();
    let (first, second) = (begin(old(1)), begin(old(2)));
    first.write(&state(old(1))).unwrap();
    let ino = |path: &Path| fs::metadata(path).unwrap().ino();
    let used = ino(first.path());
    drop(first);
    assert_eq!((base.names(), base.list().cleaned), (2, 0), "the spare one and the second run's");
    let third = begin(old(3));
    assert_eq!(
        (ino(third.path()), base.list().runs.len()),
        (used, 0),
        "taken, and without the first one's state"
    );
    fs::write(second.path().join("thesis.txt"), "years of work").unwrap();
    drop(second);
    assert!(base.0.join(old(2).to_string()).join("thesis.txt").exists(), "what is not ours is not moved");
    drop(third);
    assert_eq!(fs::read_dir(base.0.join(".spare")).unwrap().count(), 0);
}

#[test]
fn what_a_killed_launcher_left_is_removed_by_whoever_lists() {
    let base = Base::new("stale");
    for number in 0..1000 {
        left_behind(&base, &old(number).to_string());
    }
    let live = base.session(old(5000));
    live.write(&state(old(5000))).unwrap();
    let found = base.list();
    assert_eq!((found.runs.len(), found.cleaned, found.odd.len()), (1, 1000, 0));
    assert_eq!(base.names(), 1);
}

#[test]
fn a_folder_that_is_still_being_made_is_left_alone_and_an_old_one_is_not() {
    let base = Base::new("making");
    let young = RunId::from_parts(crate::base::WallTime::now().unix_millis(), 7);
    left_behind(&base, &format!(".new-{young}"));
    left_behind(&base, &format!(".new-{}", old(7)));
    let found = base.list();
    assert_eq!((found.runs.len(), found.cleaned), (0, 1));
    assert!(base.0.join(format!(".new-{young}")).exists());
}

#[test]
fn a_dead_folder_with_something_else_in_it_loses_only_what_is_ours() {
    let base = Base::new("else");
    let path = left_behind(&base, &old(1).to_string());
    fs::write(path.join("thesis.txt"), "years of work").unwrap();
    base.list();
    assert_eq!(fs::read_to_string(path.join("thesis.txt")).unwrap(), "years of work");
    assert!(!path.join("state.json").exists());
}

#[test]
fn names_that_are_no_runs_are_not_touched() {
    let base = Base::new("names");
    for name in ["notes", ".new-notes", "01ABC"] {
        left_behind(&base, name);
    }
    let found = base.list();
    assert_eq!((found.runs.len(), found.cleaned, found.odd.len(), base.names()), (0, 0, 0, 3));
}

#[test]
fn a_folder_is_not_made_where_something_stands_already() {
    let base = Base::new("taken");
    fs::create_dir_all(base.0.join(old(1).to_string()).join("x")).unwrap();
    let refused = Session::make_in(base.place(), old(1)).unwrap_err();
    assert!(
        matches!(refused, SessionError::Sys { errno: Errno::ENOTEMPTY | Errno::EEXIST, .. }),
        "{refused}"
    );
    assert_eq!(base.names(), 1, "nothing is left behind");
}

/// One live run, and its folder changed by `spoil`: what is said instead of a state.
fn spoiled(test: &str, spoil: impl FnOnce(&Path)) -> String {
    let base = Base::new(test);
    let session = base.session(old(1));
    session.write(&state(old(1))).unwrap();
    assert_eq!(base.list().runs.len(), 1, "the control");
    spoil(session.path());
    let found = base.list();
    assert_eq!((found.runs.len(), found.odd.len(), found.cleaned), (0, 1, 0));
    found.odd.first().unwrap().to_string()
}

#[test]
fn a_state_that_is_a_link_is_not_followed() {
    let said = spoiled("link", |path| {
        fs::rename(path.join("state.json"), path.join("elsewhere")).unwrap();
        symlink("elsewhere", path.join("state.json")).unwrap();
    });
    assert!(said.contains("ELOOP"), "{said}");
}

#[test]
fn a_state_that_is_a_pipe_does_not_block() {
    let said = spoiled("pipe", |path| {
        fs::remove_file(path.join("state.json")).unwrap();
        nix::unistd::mkfifo(&path.join("state.json"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    });
    assert!(said.contains("no file of this user"), "{said}");
}

#[test]
fn a_state_that_is_huge_malformed_or_of_another_run_is_not_believed() {
    for (test, text, why) in [
        ("huge", "x".repeat(65_537), "65536 is the most"),
        ("malformed", "{\"version\":1".to_owned(), "malformed"),
        ("deep", "[".repeat(60_000), "malformed"),
        ("other", serde_json::to_string(&state(old(2))).unwrap(), "another run"),
    ] {
        let said = spoiled(test, |path| fs::write(path.join("state.json"), text).unwrap());
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn a_folder_that_is_a_link_or_open_to_others_is_not_believed() {
    let said = spoiled("aliased", |path| {
        fs::rename(path, path.parent().unwrap().join("moved")).unwrap();
        symlink("moved", path).unwrap();
    });
    assert!(said.contains("no folder, or a link"), "{said}");
    let said = spoiled("open", |path| fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap());
    assert!(said.contains("open to others (mode 0755)"), "{said}");
}

#[test]
fn a_folder_of_another_user_is_not_believed() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root can give a folder away");
        return;
    }
    let said = spoiled("foreign", |path| std::os::unix::fs::chown(path, Some(65534), None).unwrap());
    assert!(said.contains("belongs to uid 65534"), "{said}");
}

#[test]
fn a_state_that_is_too_long_loses_its_oldest_refusals() {
    let base = Base::new("long");
    let session = base.session(old(1));
    let mut long = state(old(1));
    for number in 0..50 {
        long.denials.push(Denial {
            id: number.to_string(),
            reason: Reason::Ceiling,
            detail: "d".repeat(2000),
            what: String::new(),
            at: 0,
        });
    }
    session.write(&long).unwrap();
    let found = base.list();
    let kept = &found.runs.first().unwrap().state.denials;
    assert!((10..40).contains(&kept.len()) && kept.last().unwrap().id == "49", "{}", kept.len());
    long.command = vec!["x".repeat(70_000)];
    assert!(session.write(&long).is_err());
}

/// Waits for one connection and one command, and hands them to `then`.
fn serve(
    listener: OwnedFd,
    then: impl FnOnce(OwnedFd, Command) + Send + 'static,
) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let wait = |fd: &OwnedFd| {
            signal::poll(&mut [signal::wants_reading(Some(fd.as_fd()))], 180_000).unwrap();
        };
        wait(&listener);
        let connection = local::accept(listener.as_fd()).unwrap();
        check_peer(connection.as_fd()).unwrap();
        wait(&connection);
        let mut buffer = vec![0; codec::MOST_BYTES];
        let (length, _) = socket::receive(connection.as_fd(), &mut buffer, false).unwrap();
        then(connection, codec::decode(&buffer[..length]).unwrap());
    })
}

fn asked(
    test: &str,
    within: Duration,
    then: impl FnOnce(OwnedFd, Command) + Send + 'static,
) -> Result<Reply, AskError> {
    let base = Base::new(test);
    let session = base.session(old(1));
    session.write(&state(old(1))).unwrap();
    let guardian = serve(session.listen_control().unwrap(), then);
    let answer = ask(base.list().runs.first().unwrap(), &Command::State {}, within);
    guardian.join().unwrap();
    answer
}

#[test]
fn a_command_gets_its_answer() {
    let reply = asked("answer", LONG, |connection, command| {
        assert_eq!(command, Command::State {});
        let reply = Reply::State { state: Box::new(state(old(1))) };
        socket::send(connection.as_fd(), &codec::encode(&reply).unwrap(), None, true).unwrap();
    });
    assert_eq!(reply.unwrap(), Reply::State { state: Box::new(state(old(1))) });
}

#[test]
fn a_guardian_that_never_answers_is_given_up() {
    let limit = Duration::from_millis(200);
    let held = asked("silent", limit, |connection, _| {
        signal::poll(&mut [signal::wants_reading(Some(connection.as_fd()))], 180_000).unwrap(); // it goes away
    });
    assert!(matches!(held, Err(AskError::Silent(within)) if within == limit), "{held:?}");
}

#[test]
fn a_run_that_ends_in_the_middle_of_a_command_is_told() {
    let ended = asked("ends", LONG, |connection, _| drop(connection));
    assert!(matches!(ended, Err(AskError::Ended)), "{ended:?}");
}

#[test]
fn an_answer_that_is_none_is_refused() {
    let odd = asked("odd", LONG, |connection, _| {
        socket::send(connection.as_fd(), b"{\"done\":{\"grant\":null,\"left\":[],\"more\":1}}", None, true)
            .unwrap();
    });
    assert!(matches!(odd, Err(AskError::Malformed(_))), "{odd:?}");
}

#[test]
fn a_run_without_a_guardian_is_not_asked() {
    let base = Base::new("plain");
    let session = base.session(old(1));
    session.write(&RunState { guarded: false, ..state(old(1)) }).unwrap();
    let refused = ask(base.list().runs.first().unwrap(), &Command::State {}, LONG);
    assert!(matches!(refused, Err(AskError::NotGuarded)));
}

#[test]
fn a_watcher_gets_every_state_until_the_run_ends() {
    let base = Base::new("watch");
    let session = base.session(old(1));
    session.write(&state(old(1))).unwrap();
    let guardian = serve(session.listen_control().unwrap(), |connection, command| {
        assert_eq!(command, Command::Watch {});
        for since in [1, 2] {
            let reply = Reply::State { state: Box::new(RunState { since, ..state(old(1)) }) };
            socket::send(connection.as_fd(), &codec::encode(&reply).unwrap(), None, true).unwrap();
        }
    });
    let watch = watch(base.list().runs.first().unwrap()).unwrap();
    assert_eq!(watch.next(LONG).unwrap().unwrap().since, 1);
    assert_eq!(watch.next(LONG).unwrap().unwrap().since, 2);
    assert!(matches!(watch.next(LONG), Err(AskError::Ended)));
    guardian.join().unwrap();
}
