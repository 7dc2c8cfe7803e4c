//! Stops all that runs in the sandbox, and lets it go on.
//!
//! By the freezer of its cgroup, where it has one of its own; else by SIGSTOP to each process, until none is found that
//! runs. What was stopped by signals is looked at again and again: a process can have itself continued, by a timer
//! (timer_create(2)) for one. Never stops init without a cgroup: it is ours, and the sandbox ends by it.

use crate::guardian::process::Processes;
use crate::sys::{fd, process};
use std::collections::BTreeSet;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long everything may take to stop. Nothing of it has to be waited for but that the kernel runs each thread once.
const MOST_WAIT: Duration = Duration::from_secs(5);
/// Between two looks.
const BETWEEN: Duration = Duration::from_millis(1);

/// What was stopped, and by what.
#[derive(Debug)]
pub(in crate::guardian) enum Frozen {
    /// The cgroup.
    Cgroup,
    /// Signals.
    Signals(Stopped),
}

/// What signals stopped. What was stopped before is not among it.
#[derive(Debug, Default)]
pub(in crate::guardian) struct Stopped {
    processes: BTreeSet<i32>,
    /// Threads of them that were seen to be stopped.
    threads: BTreeSet<i32>,
}

impl Frozen {
    /// By what.
    pub(in crate::guardian) fn how(&self) -> &'static str {
        match self {
            Self::Cgroup => "cgroup",
            Self::Signals(_) => "signals",
        }
    }

    /// How many processes, where they were counted.
    pub(in crate::guardian) fn count(&self) -> u64 {
        match self {
            Self::Cgroup => 0,
            Self::Signals(stopped) => stopped.processes.len() as u64,
        }
    }
}

/// Stops everything.
/// # Errors
/// When something still runs.
pub(in crate::guardian) fn freeze(
    processes: &Processes,
    freezer: Option<&OwnedFd>,
) -> Result<Frozen, String> {
    if let Some(freezer) = freezer
        && fd::write_all(freezer.as_fd(), b"1").is_ok()
    {
        return Ok(Frozen::Cgroup);
    }
    let (mut stopped, begun) = (Stopped::default(), Instant::now());
    while begun.elapsed() < MOST_WAIT {
        match stopped.look(processes) {
            Look::Still => return Ok(Frozen::Signals(stopped)),
            Look::Moves => std::thread::sleep(BETWEEN),
            Look::Continued => break,
        }
    }
    // Better half of it stopped than all of it running, until the caller has ended the run.
    Err("something in it did not stop".to_owned())
}

/// Whether everything is stopped, or about to be. What came since, such as a fork of init that serves a call, is stopped too.
pub(in crate::guardian) fn holds(processes: &Processes, frozen: &mut Frozen) -> bool {
    match frozen {
        Frozen::Cgroup => true,
        Frozen::Signals(stopped) => stopped.look(processes) != Look::Continued,
    }
}

/// Lets what was stopped go on.
pub(in crate::guardian) fn thaw(processes: &Processes, freezer: Option<&OwnedFd>, frozen: &Frozen) -> bool {
    match frozen {
        Frozen::Cgroup => freezer.is_some_and(|freezer| fd::write_all(freezer.as_fd(), b"0").is_ok()),
        Frozen::Signals(stopped) => {
            stopped.processes.iter().for_each(|pid| signal(processes, *pid, libc::SIGCONT));
            true
        }
    }
}

/// What a look found.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    /// Nothing can run.
    Still,
    /// Something was signalled now, or has not stopped yet.
    Moves,
    /// What was stopped runs.
    Continued,
}

impl Stopped {
    /// Signals what has no signal yet. A process that forks has its signal before the fork returns, and its child is found
    /// by the next look.
    fn look(&mut self, processes: &Processes) -> Look {
        let mut found = Look::Still;
        for pid in processes.all() {
            let threads = threads(pid);
            if threads.iter().all(|(_, state)| *state == State::Stopped) {
                if self.processes.contains(&pid) {
                    self.threads.extend(threads.iter().map(|(thread, _)| *thread));
                }
                continue;
            }
            if self.processes.insert(pid) {
                signal(processes, pid, libc::SIGSTOP);
                found = Look::Moves;
                continue;
            }
            for (thread, state) in threads {
                match state {
                    State::Stopped => drop(self.threads.insert(thread)),
                    // It has the signal, and stops before it leaves the kernel.
                    State::Waits => {}
                    State::Runs if self.threads.contains(&thread) => return Look::Continued,
                    State::Runs => found = Look::Moves,
                }
            }
        }
        found
    }
}

fn signal(processes: &Processes, pid: i32, number: i32) {
    let sent = processes.descriptor(pid).map(|pidfd| process::signal_pidfd(pidfd.as_fd(), number));
    if !matches!(sent, Some(Ok(()))) {
        tracing::debug!("process {pid} is gone already");
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Or dead.
    Stopped,
    /// In the kernel, where a signal does not wake it.
    Waits,
    Runs,
}

/// The threads of a process. Its first one may be dead while others run.
fn threads(pid: i32) -> Vec<(i32, State)> {
    let state = |stat: &[u8]| {
        let end = stat.iter().rposition(|byte| *byte == b')')?;
        Some(match stat.get(end + 2)? {
            b'T' | b't' | b'Z' | b'X' | b'x' => State::Stopped,
            b'D' => State::Waits,
            _ => State::Runs,
        })
    };
    let all = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let seen = all.filter_map(|thread| {
        let number = thread.file_name().to_str()?.parse().ok()?;
        Some((number, state(&std::fs::read(thread.path().join("stat")).ok()?)?))
    });
    seen.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command};

    /// A process with these arguments, and those below it.
    fn start(script: &str, below: usize) -> (Child, Processes) {
        let child = Command::new("sh").args(["-c", script]).spawn().unwrap();
        let processes = Processes::below(child.id() as i32, None);
        while processes.all().len() < below {
            std::thread::sleep(Duration::from_millis(5));
        }
        (child, processes)
    }

    fn end(mut child: Child, processes: &Processes) {
        for pid in processes.all() {
            signal(processes, pid, libc::SIGKILL);
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn runs(pid: i32) -> bool {
        threads(pid).iter().any(|(_, state)| *state != State::Stopped)
    }

    #[test]
    fn every_process_below_is_stopped_and_goes_on_again_but_what_was_stopped_before() {
        let (child, processes) = start("sleep 600 & sleep 600", 2);
        let all = processes.all();
        signal(&processes, all[0], libc::SIGSTOP);
        while runs(all[0]) {
            std::thread::yield_now();
        }
        let mut frozen = freeze(&processes, None).unwrap();
        assert!(all.iter().all(|pid| !runs(*pid)));
        assert!(runs(child.id() as i32), "init is not touched");
        assert_eq!((frozen.how(), frozen.count()), ("signals", 1));
        assert!(holds(&processes, &mut frozen));
        assert!(thaw(&processes, None, &frozen));
        while !runs(all[1]) {
            std::thread::yield_now();
        }
        assert!(!runs(all[0]));
        assert!(!holds(&processes, &mut frozen), "what goes on is seen");
        end(child, &processes);
    }

    #[test]
    fn a_process_whose_first_thread_is_dead_is_stopped_too() {
        let lines = [
            "import ctypes, threading, time",
            "threading.Thread(target=time.sleep, args=(600,)).start()",
            "ctypes.CDLL(None).pthread_exit(0)",
        ];
        let script = format!("python3 -c '{}' & sleep 600", lines.join("\n"));
        let (child, processes) = start(&script, 2);
        let first_is_dead = |pid: &i32| {
            threads(*pid).len() > 1
                && threads(*pid).iter().any(|(thread, state)| thread == pid && *state == State::Stopped)
        };
        let begun = Instant::now();
        let pid = loop {
            if let Some(pid) = processes.all().into_iter().find(first_is_dead) {
                break pid;
            }
            assert!(begun.elapsed() < Duration::from_secs(120), "{:?}", processes.all());
            std::thread::sleep(Duration::from_millis(5));
        };
        assert!(runs(pid));
        let frozen = freeze(&processes, None).unwrap();
        assert!(!runs(pid));
        assert_eq!(frozen.count(), 2);
        end(child, &processes);
    }
}
