//! Scale: a thousand runs of one person, and the commands that look at all of them.
//!
//! The runs are none: their folders, locks and states are real and are held by a few processes, each for some hundred.

use aisandbox::guardian::session::Session;
use aisandbox::wire::session::{Given, GrantState, RunState};
use aisandbox::wire::subject::{Action, Resource};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const RUNS: usize = 1000;
/// Processes that hold them: with three descriptors a run, each stays below the usual limit of 1,024.
const HOLDERS: usize = 5;
const GRANTS_EACH: usize = 3;

/// A runtime folder of the bench; it goes with it.
struct Runtime(PathBuf);

impl Drop for Runtime {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

pub(crate) fn run() {
    let place = std::env::temp_dir().join(format!("aisandbox-scale-{}", std::process::id()));
    fs::DirBuilder::new().mode(0o700).create(&place).unwrap();
    let runtime = Runtime(place);
    one_folder(&runtime.0);
    let mut holders: Vec<Child> = (0..HOLDERS).map(|_| holder(&runtime.0, RUNS / HOLDERS)).collect();
    println!(
        "{RUNS} runs with {GRANTS_EACH} grants each, held by {HOLDERS} processes; medians, must 1 s, aim 100 ms"
    );
    let last = fs::read_dir(runtime.0.join("aisandbox")).unwrap().last().unwrap().unwrap().file_name();
    let last = last.to_str().unwrap();
    for words in [
        &["ps"][..],
        &["ps", "--json"],
        &["grants"],
        &["grants", "--json"],
        &["grants", last],
        &["requests"],
        &["--version"],
    ] {
        let mut times: Vec<Duration> = (0..crate::turns(21, 5)).map(|_| timed(&runtime.0, words)).collect();
        times.sort();
        let shown = words.join(" ").replace(last, "RUN");
        let [least, median] = [times[0], times[times.len() / 2]].map(|time| time.as_secs_f64() * 1000.0);
        println!("{shown:<16} {median:8.1} ms (least {least:.1})");
    }
    holders.iter_mut().for_each(|holder| drop((holder.kill(), holder.wait())));
    let dead = timed(&runtime.0, &["ps"]).as_secs_f64() * 1000.0;
    println!("{:<16} {dead:8.1} ms", "ps, all dead");
    assert_eq!(fs::read_dir(runtime.0.join("aisandbox")).unwrap().count(), 0, "what they left was removed");
}

/// What the folder costs a launch: made, its state written, removed.
fn one_folder(runtime: &Path) {
    let mut child = command(runtime, 0);
    println!("{}", line(&mut child));
    drop(child.stdin.take());
    child.wait().unwrap();
}

fn holder(runtime: &Path, runs: usize) -> Child {
    let mut child = command(runtime, runs);
    assert_eq!(line(&mut child), "ready");
    child
}

fn command(runtime: &Path, runs: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--hold", &runs.to_string()])
        .env("XDG_RUNTIME_DIR", runtime)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

fn timed(runtime: &Path, words: &[&str]) -> Duration {
    let begun = Instant::now();
    let done = Command::new(env!("CARGO_BIN_EXE_aisandbox"))
        .args(words)
        .env("XDG_RUNTIME_DIR", runtime)
        .output()
        .unwrap();
    let took = begun.elapsed();
    assert!(done.status.success() && done.stderr.is_empty(), "{words:?}: {done:?}");
    assert!(words.len() > 1 || words == ["--version"] || done.stdout.len() > 10, "{done:?}");
    took
}

/// The process that holds runs until its stdin is closed; for none, it times one folder and says so.
pub(crate) fn hold() {
    let count: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    if count == 0 {
        return time_one();
    }
    let sessions: Vec<Session> = (0..count).map(|_| begin()).collect();
    println!("ready");
    std::io::stdout().flush().unwrap();
    drop(std::io::stdin().read(&mut [0]));
    drop(sessions);
}

fn time_one() {
    let mut parts: [Vec<Duration>; 3] = Default::default();
    for _ in 0..crate::turns(2000, 100) {
        let id = aisandbox::audit::new_run_id().unwrap();
        let state = state(id.to_string());
        let begun = Instant::now();
        let session = Session::make(id).unwrap();
        let made = Instant::now();
        session.write(&state).unwrap();
        let written = Instant::now();
        drop(session);
        let rest = [made - begun, written - made, written.elapsed()];
        parts.iter_mut().zip(rest).for_each(|(all, one)| all.push(one));
    }
    let [make, write, remove] = parts.map(|mut all| {
        all.sort();
        all[all.len() / 2].as_secs_f64() * 1e6
    });
    println!("one folder: made {make:.0} µs, state written {write:.0} µs, removed {remove:.0} µs (medians)");
}

fn begin() -> Session {
    let id = aisandbox::audit::new_run_id().unwrap();
    let session = Session::make(id).unwrap();
    session.write(&state(id.to_string())).unwrap();
    session
}

fn state(run: String) -> RunState {
    let grant = |number: usize| GrantState {
        id: format!("{}-g{number}", &run[20..]),
        actions: vec![Action::Read, Action::Append],
        resource: Resource::File { path: format!("/home/u/Documents/project-{number}/report.txt") },
        path: Some(format!("/home/u/Documents/project-{number}/report.txt")),
        upload: None,
        by: Given::Mount,
        approved_by: "terminal".into(),
        since: 1_700_000_000,
        until: Some(4_000_000_000),
        uses_left: None,
        bytes_left: None,
        revocable: true,
    };
    RunState {
        version: 1,
        parent: None,
        launcher: 1,
        init: 2,
        profile: "cowork".into(),
        command: vec!["agent".into(), "--task".into(), "the quarterly report".into()],
        since: 1_700_000_000,
        guarded: true,
        public_key: None,
        requests: Vec::new(),
        grants: (0..GRANTS_EACH).map(grant).collect(),
        denials: Vec::new(),
        alerts: Vec::new(),
        frozen: None,
        run,
    }
}
