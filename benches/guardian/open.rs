//! Open: a file of a lease by the broker, with its descriptor back, beside an open of the same file by its path.
//!
//! The agent is inside a real guarded run, as an ordinary user where root runs the bench. Everything is on one CPU, so
//! each call takes two changes of process. What an open costs outside of any sandbox is shown to compare with, and the
//! floor: the same calls of the kernel by a process that does nothing else.

use super::floor::Opener;
use super::support::{Home, users};
use super::timing::median;
use super::turns;
use aisandbox::cli::broker::Broker;
use aisandbox::wire::broker::{Op, Outcome};
use aisandbox::wire::subject::{Action, Resource};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use std::fs::File;
use std::path::Path;
use std::time::Instant;

/// Paths in one call; the most there may be.
const BATCH: usize = 8;
/// Opens between two looks at the clock.
const OFTEN: usize = 50;

/// Everything of this part.
pub(crate) fn run() {
    let Some(user) = users().pop() else { return println!("skipped: nobody here may make user namespaces") };
    let home = Home::of(user);
    home.write("work/docs/note", "some text\n");
    let this = home.write_program("work/bench", "");
    std::fs::copy(std::env::current_exe().unwrap(), &this).unwrap();
    let docs = home.join("work/docs").display().to_string();
    let profile = format!(
        "version: 1\nextends: [cowork]\nfilesystem:\n  - {{ path: {docs}, access: ask, actions: [read] }}\n\
         consent:\n  channels: [ui]\n  timeout: 20s\n  templates: [{{ name: bench, actions: [read], path: {docs} }}]\n"
    );
    let profile = home.write("open.yaml", &profile).display().to_string();
    on_one_cpu(|| {
        let args = ["exec", "-q", "--profile", &profile, "--", "./bench", "--open", &docs];
        print!("{}", home.aisandbox(&args).output().expect_code(0));
        outside(&docs);
    });
}

/// The same outside of any sandbox, and by a process that does nothing but the system calls.
fn outside(docs: &str) {
    let mut opener = Opener::start(Path::new(docs));
    let path = format!("{docs}/note");
    let (mut by_path, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..turns(300, 5) {
        by_path.push(per_open(&mut || native(&path), 1));
        floor.push(opener.open());
    }
    let (by_path, floor) = (median(&mut by_path), median(&mut floor));
    println!("open by path, outside of a sandbox {by_path:>9.2} µs");
    println!(
        "floor: the calls of the kernel alone {floor:>7.2} µs {:>6.2} times, outside as well",
        floor / by_path
    );
}

/// Keeps this process, and all it starts meanwhile, on one CPU.
fn on_one_cpu(body: impl FnOnce()) {
    let all = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let first = (0..CpuSet::count()).find(|cpu| all.is_set(*cpu).unwrap()).unwrap();
    let mut one = CpuSet::new();
    one.set(first).unwrap();
    sched_setaffinity(Pid::from_raw(0), &one).unwrap();
    body();
    sched_setaffinity(Pid::from_raw(0), &all).unwrap();
}

/// The part that runs as the agent.
pub(crate) fn inside(docs: &str) {
    let mut broker = Broker::connect().unwrap();
    let wish = Op::Request {
        actions: vec![Action::Read],
        resource: Resource::File { path: docs.to_owned() },
        why: "to measure".to_owned(),
        traceparent: None,
    };
    let (answer, _) = broker.call(wish, &mut |_, _| {}).unwrap();
    assert!(matches!(answer, Outcome::Granted { .. }), "{answer:?}");
    let path = format!("{docs}/note");
    let (mut one, mut eight, mut by_path) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..turns(300, 5) {
        by_path.push(per_open(&mut || native(&path), 1));
        one.push(per_open(&mut || brokered(&mut broker, &path, 1), 1));
        eight.push(per_open(&mut || brokered(&mut broker, &path, BATCH), BATCH));
    }
    let by_path = median(&mut by_path);
    println!("open by path, inside               {by_path:>9.2} µs");
    for (name, times, wanted) in [
        ("open by the broker, one CPU ", &mut one, "must 8, aim 6.2"),
        ("open by the broker, eight a call", &mut eight, "must 2.2"),
    ] {
        let took = median(times);
        println!("{name:<34} {took:>9.2} µs {:>6.2} times ({wanted})", took / by_path);
    }
}

/// Microseconds of one open.
pub(crate) fn per_open(open: &mut dyn FnMut(), each: usize) -> f64 {
    let begun = Instant::now();
    (0..OFTEN).for_each(|_| open());
    begun.elapsed().as_secs_f64() * 1e6 / (OFTEN * each) as f64
}

fn native(path: &str) {
    drop(File::open(Path::new(path)).unwrap());
}

fn brokered(broker: &mut Broker, path: &str, count: usize) {
    let open = Op::Open { paths: vec![path.to_owned(); count], action: Action::Read };
    let (answer, files) = broker.call(open, &mut |_, _| {}).unwrap();
    assert!(files.len() == count, "{answer:?}");
}
