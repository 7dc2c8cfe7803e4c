//! Memory: what an idle sandbox takes, with many held at once: our own processes, and the kernel for them.
//!
//! Needs root: nobody else may read the memory maps of processes that are not dumpable.

use crate::bwrap;
use crate::place::Place;
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Lines of /proc/meminfo that are the kernel's own memory.
const KERNEL: [&str; 4] = ["Slab", "PageTables", "KernelStack", "Percpu"];

/// One look at the machine, in KiB.
struct Look {
    kernel: i64,
    available: i64,
}

pub(crate) fn run(place: &Place) {
    let count = crate::turns(50, 4);
    println!("\n== memory of an idle sandbox, {count} at once, KiB each");
    if !nix::unistd::geteuid().is_root() {
        return crate::skip("memory", "only root may read the maps of processes that are not dumpable");
    }
    println!(
        "{:<12} {:>10} {:>12} {:>10} {:>22}",
        "", "our PSS", "kernel's own", "together", "less memory available"
    );
    let bare = measure("sleep", count, || sleeping(place.command("/bin/sleep")), (0, 0));
    let loopback = place.profile("loopback");
    measure("aisandbox", count, || place.sandbox(&loopback, &["/bin/sleep", "1000"]), bare);
    match bwrap::find() {
        Some(program) => {
            let flags = bwrap::flags(place, "cowork");
            let start = || bwrap::command(place, program, &flags, &["/bin/sleep", "1000"]);
            measure("bwrap", count, start, bare);
        }
        None => crate::skip("memory of bwrap", "not installed"),
    }
    println!("(a plain sleep's part is taken off the others; at most 2,560 together, aim 1,229)");
}

fn sleeping(mut command: Command) -> Command {
    command.arg("1000");
    command
}

/// Holds so many, looks, and ends them; gives the kernel's part and what is no longer available, each.
fn measure(name: &str, count: usize, start: impl Fn() -> Command, bare: (i64, i64)) -> (i64, i64) {
    settle();
    let before = look();
    let mut held: Vec<Child> = (0..count).map(|_| start().spawn().expect("start a sandbox")).collect();
    let asleep = wait_until_asleep(&held, count);
    settle();
    let after = look();
    let ours: i64 = asleep.iter().filter(|(_, command)| *command != "sleep").map(|(pid, _)| pss(*pid)).sum();
    for child in &mut held {
        child.kill().expect("end a sandbox");
        child.wait().expect("wait for a sandbox");
    }
    let each = i64::try_from(count).unwrap();
    let kernel = (after.kernel - before.kernel) / each;
    let gone = (before.available - after.available) / each;
    let (ours, own) = (ours / each, kernel - bare.0);
    println!("{name:<12} {ours:>10} {own:>12} {:>10} {:>22}", ours + own, gone - bare.1);
    (kernel, gone)
}

/// Ends of processes are worked off by the kernel a moment later.
fn settle() {
    std::thread::sleep(Duration::from_millis(if crate::quick() { 200 } else { 1500 }));
}

/// All descendants with their names, once every command inside is there.
fn wait_until_asleep(held: &[Child], count: usize) -> BTreeMap<u32, String> {
    let since = Instant::now();
    loop {
        let found = descendants(held.iter().map(Child::id).collect());
        if found.values().filter(|command| *command == "sleep").count() == count {
            return found;
        }
        assert!(since.elapsed() < Duration::from_secs(60), "not all sandboxes started: {found:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// These processes and all below them.
fn descendants(roots: BTreeSet<u32>) -> BTreeMap<u32, String> {
    let mut all: Vec<(u32, u32, String)> =
        std::fs::read_dir("/proc").unwrap().flatten().filter_map(stat).collect();
    all.sort_unstable();
    let mut found = roots;
    loop {
        let more: Vec<u32> = all
            .iter()
            .filter(|(pid, parent, _)| found.contains(parent) && !found.contains(pid))
            .map(|(pid, ..)| *pid)
            .collect();
        if more.is_empty() {
            break;
        }
        found.extend(more);
    }
    all.into_iter().filter(|(pid, ..)| found.contains(pid)).map(|(pid, _, command)| (pid, command)).collect()
}

/// Pid, parent and name, from /proc/PID/stat (proc_pid_stat(5)).
fn stat(entry: std::fs::DirEntry) -> Option<(u32, u32, String)> {
    let pid = entry.file_name().to_str()?.parse().ok()?;
    let text = std::fs::read_to_string(entry.path().join("stat")).ok()?;
    let (head, tail) = text.rsplit_once(')')?;
    let (_, command) = head.split_once('(')?;
    Some((pid, tail.split_whitespace().nth(1)?.parse().ok()?, command.to_owned()))
}

/// Proportional set size.
fn pss(pid: u32) -> i64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    number(&text, "Pss")
}

fn look() -> Look {
    let text = std::fs::read_to_string("/proc/meminfo").expect("/proc/meminfo");
    let kernel = KERNEL.iter().map(|name| number(&text, name)).sum();
    Look { kernel, available: number(&text, "MemAvailable") }
}

fn number(text: &str, name: &str) -> i64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
