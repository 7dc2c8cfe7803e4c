//! Trial: each layer of a sandbox tried for real in a child, for `doctor`.
//!
//! Never believes a version: a layer is enforced when something it must refuse was refused, after the same thing had
//! been allowed without it. Nothing of a trial outlives its child.

mod ask;
mod egress;
mod filter;
mod landlock;
mod limits;
mod namespaces;

use super::facts::Facts;
use crate::sys::probe::{StepFailure, Trial};
use crate::sys::seccomp::Instruction;
use crate::sys::{Errno, Sys};

pub use ask::can_ask;
pub use egress::WaysOut;
pub(super) use filter::listener_is_taken;
pub use filter::{Gate, foreign_gates};

/// How far a layer holds here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// All of it.
    Enforced,
    /// Some of it.
    Degraded,
    /// None of it.
    Missing,
}

/// What the trial of one layer found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The layer's name, as profiles and flags write it.
    pub layer: &'static str,
    /// How far it holds.
    pub state: State,
    /// What was seen.
    pub why: String,
    /// What would make it hold.
    pub fix: Option<String>,
}

impl Verdict {
    fn enforced(layer: &'static str, why: impl Into<String>) -> Self {
        Self { layer, state: State::Enforced, why: why.into(), fix: None }
    }

    fn lacking(layer: &'static str, state: State, why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { layer, state, why: why.into(), fix: Some(fix.into()) }
    }
}

/// Tries every layer, in the order a launch puts them in force. `agent_filter` is the program an agent will run under;
/// when it is empty, only a filter of our own is tried. `ways` is what a filtered network is made with.
pub fn all(facts: &Facts, agent_filter: &[Instruction], ways: WaysOut<'_>) -> Vec<Verdict> {
    vec![
        namespaces::namespaces(),
        landlock::filesystem(facts),
        landlock::network(facts),
        landlock::scopes(facts),
        filter::seccomp_filter(agent_filter),
        filter::protect_new(facts),
        limits::cgroup(),
        ask::ask_mounts(),
        egress::egress(ways),
    ]
}

/// In words, for a trial that did not hold.
fn told(trial: &Sys<Trial>, steps: &[(u8, &str)]) -> String {
    match trial {
        Ok(Trial::Held) => "it held".to_owned(),
        Ok(Trial::Failed(step, errno)) => {
            let name = steps.iter().find(|(number, _)| number == step).map_or("a step", |(_, name)| name);
            format!("{name}: {errno}")
        }
        Ok(Trial::Killed(signal)) => format!("the trial was ended by signal {signal}"),
        Ok(Trial::Silent) => "the trial ended without an answer".to_owned(),
        Err(Errno::EBUSY) => "this process has more than one thread, so nothing could be tried".to_owned(),
        Err(errno) => format!("the trial did not start: {errno}"),
    }
}

/// A step that must be refused: being allowed is its failure, told as EALREADY.
fn must_refuse<T>(step: u8, outcome: Result<T, Errno>, expected: Errno) -> Result<(), StepFailure> {
    match outcome {
        Err(errno) if errno == expected => Ok(()),
        Err(errno) => Err((step, errno)),
        Ok(_) => Err((step, Errno::EALREADY)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::process::{self, Ended, Side};
    use std::process::Command;

    /// Runs one ignored test in a process of its own: there, nothing else runs while it forks.
    fn alone(test: &str) -> String {
        let this = std::env::current_exe().unwrap();
        let run = Command::new(this)
            .args(["--exact", test, "--ignored", "--test-threads=1", "--nocapture"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success() && said.contains("1 passed"), "{said}");
        said
    }

    /// A trial wants one thread, and the harness has two even then: a fork has one. The harness's other thread only
    /// waits, so it holds no lock that the fork would inherit.
    fn in_one_thread(test: fn()) {
        match process::fork_bare().unwrap() {
            Side::Child => process::exit_now(i32::from(std::panic::catch_unwind(test).is_err())),
            Side::Parent(pid) => assert_eq!(process::wait_for(pid), Ok(Ended::Exited(0))),
        }
    }

    #[test]
    fn with_a_second_thread_nothing_is_tried_and_nothing_is_called_enforced() {
        let waiting = std::sync::Arc::new(std::sync::Barrier::new(2));
        let other = std::sync::Arc::clone(&waiting);
        let second = std::thread::spawn(move || other.wait());
        let verdicts = all(&Facts::for_launch(), &[], WaysOut::default());
        waiting.wait();
        second.join().unwrap();
        assert!(verdicts.iter().all(|verdict| verdict.state != State::Enforced), "{verdicts:?}");
        assert!(verdicts.iter().all(|verdict| verdict.fix.is_some()));
    }

    #[test]
    fn a_layer_is_enforced_by_what_it_refuses() {
        alone("host::trial::tests::alone_each_layer_answers_for_itself");
    }

    #[test]
    #[ignore = "run by a_layer_is_enforced_by_what_it_refuses, in a process with one thread"]
    fn alone_each_layer_answers_for_itself() {
        in_one_thread(each_layer_answers_for_itself);
    }

    fn each_layer_answers_for_itself() {
        let facts = Facts::for_launch();
        let state = |layer: &str| {
            all(&facts, &[], WaysOut::default())
                .into_iter()
                .find(|verdict| verdict.layer == layer)
                .unwrap()
                .state
        };
        assert_eq!(state("seccomp"), State::Enforced);
        assert_eq!(state("landlock-filesystem") == State::Enforced, facts.landlock.abi >= 3);
        assert_eq!(state("landlock-network") == State::Enforced, facts.landlock.abi >= 4);
        assert_eq!(state("landlock-scopes") == State::Enforced, facts.landlock.abi >= 6);
    }

    #[test]
    fn a_second_listener_is_told_from_a_kernel_without_one() {
        alone("host::trial::tests::alone_below_a_listener");
    }

    #[test]
    #[ignore = "run by a_second_listener_is_told_from_a_kernel_without_one, in a process with one thread"]
    fn alone_below_a_listener() {
        in_one_thread(below_a_listener);
    }

    fn below_a_listener() {
        let facts = Facts::for_launch();
        let before = filter::protect_new(&facts);
        crate::sys::process::enter_no_new_privs().unwrap();
        let listener = crate::sys::seccomp::install_with_listener(&filter::answering(0x7fff_0000)).unwrap();
        let below = filter::protect_new(&facts);
        drop(listener);
        assert_ne!(before.state, State::Missing, "{before:?}");
        assert_eq!(below.state, State::Missing);
        assert!(below.why.contains("has a listener already"), "{below:?}");
    }

    #[test]
    fn a_filter_that_looks_at_the_architecture_closes_the_foreign_gates() {
        alone("host::trial::tests::alone_foreign_gates");
    }

    #[test]
    #[ignore = "run by a_filter_that_looks_at_the_architecture_..., in a process with one thread"]
    fn alone_foreign_gates() {
        in_one_thread(gates_close);
    }

    fn gates_close() {
        let open = foreign_gates(&[]);
        let blind = foreign_gates(&filter::answering(0x7fff_0000));
        let native = if cfg!(target_arch = "x86_64") { 0xC000_003E } else { 0xC000_00B7 };
        let plain = |code, k| Instruction { code, jt: 0, jf: 0, k };
        let careful = [
            plain(0x20, 4), // seccomp_data.arch
            Instruction { code: 0x15, jt: 1, jf: 0, k: native },
            plain(0x06, 0x8000_0000), // kill the process
            plain(0x20, 0),
            Instruction { code: 0x35, jt: 0, jf: 1, k: 0x4000_0000 },
            plain(0x06, 0x8000_0000),
            plain(0x06, 0x7fff_0000),
        ];
        let closed = foreign_gates(&careful);
        let something = open.iter().any(|(_, gate)| *gate == Gate::Open);
        let must_run = std::env::var_os("AISANDBOX_MUST_RUN").is_some_and(|value| value == "1");
        assert!(something || !must_run || !cfg!(target_arch = "x86_64"), "no foreign ABI here to try");
        assert_eq!(open, blind, "a filter that looks at numbers only leaves them open");
        for ((name, without), (_, with)) in open.iter().zip(&closed) {
            match without {
                Gate::Absent => eprintln!("nothing to close: this kernel has no {name} ABI"),
                Gate::Open => assert_eq!(*with, Gate::Closed, "{name}"),
                Gate::Closed => panic!("closed without a filter"),
            }
        }
    }
}
