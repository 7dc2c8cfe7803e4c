//! What the record of a planned run will be able to say, and what nobody will see.
//!
//! Pure, and never says more than the plan makes sure.

use super::bpf::{CallData, Decision, Program, decide};
use super::{Plan, State};
use crate::audit::Coverage;
use crate::profile::{Layer, NetworkMode, Observe, call_number};

/// Descriptors that every command has.
const STDIO: u64 = 3;

impl Plan {
    /// What is observed with this filter, when so many descriptors are passed on.
    pub fn coverage(&self, filter: &Program, passed: usize) -> Coverage {
        let guarded = self.profile.guarded();
        let served = self.view.asks.iter().any(|ask| ask.mounted && ask.serve.is_some());
        let leases = guarded && !self.view.asks.is_empty();
        let started = !self.transitions.is_empty() || self.profile.agents.is_some();
        let word = |holds: bool, yes: &str| if holds { yes } else { "none" }.to_owned();
        let network = match self.profile.network.mode {
            NetworkMode::Host => "none",
            NetworkMode::Filtered if self.bare.is_none() => "all",
            NetworkMode::Filtered | NetworkMode::None | NetworkMode::Loopback => "closed",
        };
        let observed = self.observed();
        let file_opens = match observed {
            Observe::All | Observe::Strict => "all",
            Observe::Writes => "writes",
            Observe::Deny if leases => "leases",
            Observe::Deny => "none",
        };
        let exec = match (observed.calls(), guarded && started) {
            (true, _) => "attempts",
            (false, true) => "started",
            (false, false) => "command",
        };
        Coverage {
            level: observed.word().to_owned(),
            requests: word(guarded, "all"),
            file_opens: file_opens.to_owned(),
            read_bytes: word(served, "served"),
            writes: word(served, "served"),
            file_changes: word(observed.calls(), "all"),
            protected_names: word(self.state(Layer::ProtectNew) == State::Enforced, "refusals"),
            exec: exec.to_owned(),
            network: network.to_owned(),
            tls_bodies: word(network == "all" && self.profile.network.inspects(), "inspected"),
            landlock_denials: word(false, ""),
            seccomp_denials: word(false, ""),
            inherited_descriptors: STDIO + u64::try_from(passed).unwrap_or(u64::MAX - STDIO),
            io_uring: if observed.calls() || self.bare.is_some() || refuses(filter, "io_uring_setup") {
                "refused"
            } else {
                "allowed"
            }
            .to_owned(),
        }
    }
}

/// Whether a filter lets a call through for no arguments.
fn refuses(filter: &Program, call: &str) -> bool {
    let Some(number) = call_number(call, filter.arch) else { return true };
    let call = CallData { number, audit_arch: filter.arch.audit(), args: [0; 6] };
    decide(&filter.instructions, &call) != Decision::Allow
}
