//! The index follows the logs, takes nothing on trust, and answers what is asked.

use super::{Index, Pattern, ask, discard};
use crate::audit::access::{Denial, Grant, Seen, Transfer, What, Who};
use crate::audit::event::{EndReason, Event, Exit, RunEnd};
use crate::audit::log::{Log, State};
use crate::audit::network::Network;
use crate::audit::{find, new_run_id};
use crate::base::RunId;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("aisandbox-index-{}", new_run_id().unwrap()));
        fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
        Self(path)
    }

    fn runs(&self) -> PathBuf {
        self.0.join("runs")
    }

    fn file(&self) -> PathBuf {
        self.0.join("index/index.sqlite")
    }

    fn begin(&self) -> (RunId, Log) {
        let run = new_run_id().unwrap();
        (run, Log::create(&self.runs(), run).unwrap())
    }

    fn run(&self, events: &[Event]) -> RunId {
        let (run, mut log) = self.begin();
        events.iter().for_each(|event| log.append(event).unwrap());
        log.seal().unwrap();
        run
    }

    fn segment(&self, run: RunId) -> PathBuf {
        self.runs().join(run.to_string()).join("00000000.seg")
    }

    fn ask<T>(&self, mut question: impl FnMut(&Index) -> T) -> T {
        ask(&self.runs(), &mut |_| {}, &mut |index| Ok(question(index))).unwrap()
    }

    /// Names that a pattern meets, with what was refused there.
    fn touched(&self, pattern: &str) -> Vec<(String, u64)> {
        let pattern = Pattern::of(pattern, "/", None).unwrap();
        let rows = self.ask(|index| index.touched(&pattern, None, 100).unwrap().rows);
        rows.told.into_iter().map(|row| (row.name, row.denied_times)).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn what(resource: &str, label: &str, actions: &[&str]) -> What {
    let actions = actions.iter().map(|action| (*action).to_owned()).collect();
    What { actions, resource: resource.into(), path: None, label: label.into(), upload: None }
}

fn who() -> Who {
    Who { process: Seen { pid: 7, program: "/usr/bin/cat".into(), sha256: None }, parents: Vec::new() }
}

fn denial(path: &str) -> Event {
    Event::Denial(Box::new(Denial {
        denial: "8F3K-d1".into(),
        request: Some("8F3K-1".into()),
        who: who(),
        what: what(&format!("file {path}"), "", &["read"]),
        reason: "ceiling".into(),
        detail: String::new(),
        by: None,
        shown_ms: None,
        count: 3,
    }))
}

fn grant(id: &str, path: &str, label: &str) -> Event {
    Event::Grant(Box::new(Grant {
        grant: id.into(),
        request: Some("8F3K-2".into()),
        who: who(),
        what: what(&format!("file {path}"), label, &["read", "overwrite"]),
        how: "mount".into(),
        approved_by: "terminal".into(),
        scope: "session".into(),
        shown_ms: Some(1200),
        lease_s: None,
        uses: None,
        bytes: None,
        decision_id: None,
        token: None,
    }))
}

fn transfer(grant: &str, path: Option<&str>, action: &str) -> Event {
    Event::Transfer(Transfer {
        grant: grant.into(),
        path: path.map(str::to_owned),
        action: action.into(),
        read: 10,
        written: 0,
        redacted: 0,
        request: None,
        token: None,
    })
}

fn network(what: &str, host: &str, flow: u64, sent: u64) -> Event {
    let process = Some(who().process);
    Event::Network(Box::new(Network {
        what: what.into(),
        flow,
        host: host.into(),
        port: 443,
        protocol: "tls".into(),
        process,
        sent,
        received: sent * 2,
        ..Network::default()
    }))
}

fn end() -> Event {
    let denied = std::collections::BTreeMap::new();
    Event::RunEnd(RunEnd { exit: Exit::Code(0), reason: EndReason::Exited, duration_ms: 5, denied })
}

#[test]
fn what_was_touched_approved_refused_and_sent_is_found_again() {
    let place = Place::new();
    let found = |mut event: Event| {
        let Event::Network(network) = &mut event else { panic!("{event:?}") };
        network.findings = vec![("known-file".into(), 2), ("card".into(), 1)];
        event
    };
    let run = place.run(&[
        denial("/home/u/.ssh/id"),
        grant("8F3K-g1", "/home/u/.gnupg", "keys"),
        transfer("8F3K-g1", Some("/home/u/.gnupg/ring"), "read"),
        transfer("8F3K-g1", Some("/home/u/.gnupg/ring"), "append"),
        network("open", "api.example.com", 1, 0),
        network("volume", "api.example.com", 1, 500),
        network("close", "api.example.com", 1, 900),
        found(network("alert", "api.example.com", 2, 0)),
        network("denied", "paste.example.net", 3, 0),
        end(),
    ]);
    let name = run.to_string();
    let summary = place.ask(|index| index.summary(index.run(&name).unwrap().unwrap(), 10).unwrap());
    assert_eq!((summary.files.read, summary.files.changed, summary.files.deleted), (1, 1, 0));
    assert_eq!((summary.grants, summary.denials), (1, 3 + 1 + 1));
    let group = &summary.approved[0];
    assert_eq!(
        (group.by.as_str(), group.person, group.objects[0].name.as_str()),
        ("terminal", true, "/home/u/.gnupg")
    );
    assert_eq!(summary.denied.told[0].name, "/home/u/.ssh/id");
    assert_eq!(summary.run.about.outcome.as_deref(), Some("exit 0"));
    let moved = place.ask(|index| index.moved_of_run(&name, 10).unwrap());
    assert_eq!((moved.sent, moved.received, moved.rows.all), (900, 1800, 2));
    let row = &moved.rows.told[0];
    assert_eq!((row.host.as_str(), row.sent, row.denied), ("api.example.com:443", 900, 1));
    assert!(row.by_content && row.by_rule && row.found[0].name == "known-file", "{row:?}");
    assert_eq!(
        (row.near[0].name.as_str(), row.near[0].label.as_str(), row.near[0].seconds),
        ("/home/u/.gnupg", "keys", 0)
    );
    assert_eq!(place.ask(|index| index.moved_to("*.example.com", None, 10).unwrap().sent), 900);
    assert_eq!(place.ask(|index| index.moved_in_all(None, 10).unwrap().rows.told[0].sent), 900);
    assert_eq!(place.touched("/home/u/.ssh"), [("/home/u/.ssh/id".to_owned(), 3)]);
    assert_eq!(place.touched("ring"), [("/home/u/.gnupg/ring".to_owned(), 0)]);
    let leaves = place.ask(|index| index.leaves_of("8f3k-g1").unwrap());
    let indexes: Vec<u64> = leaves.iter().map(|leaf| leaf.index).collect();
    assert_eq!(indexes.len(), 3, "the grant and both uses: {leaves:?}");
    let approvals = place.ask(|index| index.approvals(None, 10).unwrap());
    assert_eq!((approvals.len(), approvals[0].leaf.index), (1, indexes[0]));
    let stats = place.ask(|index| index.stats(None, 10).unwrap());
    assert_eq!(
        (stats.tally.sealed, stats.reasons[0].name.as_str(), stats.reasons[0].count),
        (1, "ceiling", 3)
    );
}

#[test]
fn a_run_that_grows_that_is_cut_that_changes_and_that_goes_is_followed() {
    let place = Place::new();
    let (run, mut log) = place.begin();
    log.append(&denial("/a")).unwrap();
    log.append(&network("open", "h", 1, 100)).unwrap();
    assert_eq!(place.touched("/a"), [("/a".to_owned(), 3)]);
    let row = place.ask(|index| index.run(&run.to_string()).unwrap().unwrap());
    assert!(row.alive && row.verdict.unwrap().state == State::Open);
    let short = fs::read(place.segment(run)).unwrap();
    log.append(&denial("/a")).unwrap();
    log.append(&network("close", "h", 1, 150)).unwrap();
    log.append(&end()).unwrap();
    log.seal().unwrap();
    drop(log);
    assert_eq!(place.touched("/a"), [("/a".to_owned(), 6)], "what is new is added once");
    let sent = || place.ask(|index| index.moved_of_run(&run.to_string(), 1).unwrap().sent);
    assert_eq!(sent(), 150, "a connection that goes on is not counted twice");
    let whole = fs::read(place.segment(run)).unwrap();
    fs::write(place.segment(run), &short).unwrap();
    assert_eq!((place.touched("/a")[0].1, sent()), (3, 100), "what was cut off is not told");
    let mut changed = whole.clone();
    let at = whole.len() - 200;
    changed[at] ^= 1;
    fs::write(place.segment(run), &changed).unwrap();
    let row = place.ask(|index| index.run(&run.to_string()).unwrap().unwrap());
    assert_eq!(row.verdict.unwrap().state, State::Truncated, "the last block of all can be torn");
    changed = whole.clone();
    changed[short.len() + 60] ^= 1;
    fs::write(place.segment(run), &changed).unwrap();
    let row = place.ask(|index| index.run(&run.to_string()).unwrap().unwrap());
    assert_eq!((row.verdict.unwrap().state, place.touched("/a")[0].1), (State::Tampered, 3));
    fs::write(place.segment(run), &whole).unwrap();
    assert_eq!((place.touched("/a")[0].1, sent()), (6, 150), "and back");
    fs::remove_dir_all(place.runs().join(run.to_string())).unwrap();
    assert_eq!(place.touched("/a"), []);
    let words =
        place.ask(|index| index.db.query_row("SELECT count(*) FROM obj", [], |row| row.get::<_, i64>(0)));
    assert_eq!(words, Ok(0), "its words are gone as well");
    let bytes = fs::read(place.file()).unwrap();
    assert!(
        !bytes.windows(14).any(|part| part == b"not_in_ceiling")
            && !bytes.windows(7).any(|part| part == b"8F3K-d1")
    );
}

#[test]
fn another_log_in_the_place_of_one_is_read_from_its_start() {
    let place = Place::new();
    let (run, mut log) = place.begin();
    log.append(&denial("/first")).unwrap();
    drop(log);
    assert_eq!(place.touched("/first").len(), 1);
    let second = Place::new();
    let mut log = Log::create(&second.runs(), run).unwrap();
    ["/second", "/third", "/fourth"].iter().for_each(|path| log.append(&denial(path)).unwrap());
    drop(log);
    for end in ["seg", "openings"] {
        let name = |place: &Place| place.segment(run).with_extension(end);
        fs::copy(name(&second), name(&place)).unwrap();
    }
    assert_eq!((place.touched("/first"), place.touched("/second").len()), (Vec::new(), 1));
}

#[test]
fn a_hostile_name_is_a_name() {
    let place = Place::new();
    let names = [
        "/x'; DROP TABLE ev; --".to_owned(),
        "/x\" OR 1=1".to_owned(),
        "/nul\0here".to_owned(),
        "/\u{1b}[2J\u{202e}<script>".to_owned(),
        format!("/long/{}", "y".repeat(1 << 20)),
    ];
    let run = place.run(&names.iter().map(|name| denial(name)).collect::<Vec<_>>());
    for name in &names[..4] {
        let plain =
            format!("/{}", name.chars().skip(1).flat_map(|letter| ['\\', letter]).collect::<String>());
        assert_eq!(place.touched(&plain), [(name.clone(), 3)]);
    }
    let long = place.touched("/long/**");
    assert!(long.len() == 1 && long[0].0.len() < 5000, "{}", long.len());
    assert_eq!(
        place.ask(|index| index.run(&run.to_string()).unwrap().unwrap().verdict.unwrap().state),
        State::Sealed
    );
}

#[test]
fn an_index_that_is_not_ours_is_made_anew_and_nothing_of_it_is_believed() {
    let place = Place::new();
    place.run(&[denial("/a")]);
    let good = || assert_eq!(place.touched("/a"), [("/a".to_owned(), 3)]);
    good();
    let whole = fs::read(place.file()).unwrap();
    for damage in [b"".to_vec(), b"nonsense".to_vec(), whole[..whole.len() / 2].to_vec(), vec![0; 100_000]] {
        fs::write(place.file(), damage).unwrap();
        good();
    }
    for statement in [
        "PRAGMA user_version = 99",
        "CREATE TRIGGER evil AFTER INSERT ON ev BEGIN DELETE FROM ev; END",
        "CREATE VIEW evil AS SELECT * FROM ev",
        "DROP INDEX ev_denied",
        "UPDATE run SET verdict = '{}'",
        "UPDATE run SET name = x'ff'",
    ] {
        let db = rusqlite::Connection::open(place.file()).unwrap();
        db.execute_batch(statement).unwrap();
        drop(db);
        place.ask(|index| index.runs(None).map(drop)).ok();
        good();
        let again = ask(&place.runs(), &mut |_| {}, &mut |index| index.runs(None)).unwrap();
        assert!(again.iter().all(|run| run.verdict.as_ref().unwrap().state == State::Sealed), "{statement}");
    }
    fs::write(place.0.join("other"), "kept").unwrap();
    fs::remove_file(place.file()).unwrap();
    std::os::unix::fs::symlink(place.0.join("other"), place.file()).unwrap();
    good();
    assert_eq!(fs::read(place.0.join("other")).unwrap(), b"kept");
    fs::set_permissions(place.file(), fs::Permissions::from_mode(0o666)).unwrap();
    good();
    assert_eq!(fs::metadata(place.file()).unwrap().permissions().mode() & 0o7777, 0o600);
    discard(&place.runs()).unwrap();
    assert!(!place.file().exists());
    good();
}

#[test]
fn where_no_index_can_be_kept_the_answer_is_the_same() {
    let place = Place::new();
    assert_eq!(place.touched("/a"), [], "no run yet");
    assert!(!place.runs().exists() && !place.file().exists());
    place.run(&[denial("/a")]);
    fs::set_permissions(&place.0, fs::Permissions::from_mode(0o770)).unwrap();
    assert_eq!(place.touched("/a").len(), 1);
    assert!(!place.file().exists(), "others could have written to it");
    fs::set_permissions(&place.0, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn many_ask_at_once_while_runs_are_written() {
    let place = Place::new();
    place.run(&[denial("/a")]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..6).for_each(|_| assert!(!place.touched("/a").is_empty())));
        }
        scope.spawn(|| (0..6).for_each(|_| assert!(place.run(&[denial("/a")]) != RunId::from_parts(0, 0))));
        scope.spawn(|| (0..3).for_each(|_| discard(&place.runs()).unwrap()));
    });
    assert_eq!(place.touched("/a").len(), 7);
}

#[test]
fn a_log_that_cannot_be_read_is_listed_as_such() {
    let place = Place::new();
    let good = place.run(&[denial("/a")]);
    let bad = new_run_id().unwrap();
    fs::create_dir(place.runs().join(bad.to_string())).unwrap();
    let rows = place.ask(|index| index.runs(None).unwrap());
    let of = |run: RunId| rows.iter().find(|row| row.run == run.to_string()).unwrap();
    assert!(of(bad).verdict.is_none() && of(bad).about.unreadable.is_some());
    assert_eq!(of(good).verdict.as_ref().unwrap().state, State::Sealed);
    assert!(find(&place.runs(), "last").is_ok() && Path::new(&place.file()).exists());
}
