//! Seccomp filters and listeners, tried by a call they must answer; and the gates of foreign ABIs.
//!
//! Never puts a filter in force in our own process.

use super::{State, Verdict, must_refuse, told};
use crate::host::facts::Facts;
use crate::sys::probe::{self, Trial};
use crate::sys::seccomp::{self, Instruction};
use crate::sys::{Errno, foreign, process};
use std::os::fd::AsFd;

const STEPS: &[(u8, &str)] = &[
    (1, "set no_new_privs"),
    (2, "put the filter in force"),
    (3, "answer a call with a descriptor (`seccomp-addfd-send`)"),
    (4, "the control, without the filter"),
    (5, "what the filter must refuse"),
];

/// A filter that answers one harmless call with `action` and allows all others. A trial only: the filter of an agent
/// is compiled by `plan`, and looks at the architecture first.
pub(super) fn answering(action: u32) -> [Instruction; 4] {
    const LOAD_WORD: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const ALLOW: u32 = 0x7fff_0000;
    let plain = |code, k| Instruction { code, jt: 0, jf: 0, k };
    [
        plain(LOAD_WORD, 0), // seccomp_data.nr
        Instruction { code: JUMP_IF_EQUAL, jt: 0, jf: 1, k: probe::HARMLESS_CALL },
        plain(RETURN, action),
        plain(RETURN, ALLOW),
    ]
}

pub(super) fn seccomp_filter(agent_filter: &[Instruction]) -> Verdict {
    const LAYER: &str = "seccomp";
    const RETURN_ERRNO: u32 = 0x0005_0000;
    let refused = Errno::ENOANO;
    let trial = probe::in_child(0, None, || {
        probe::harmless_call().map_err(|errno| (4, errno))?;
        process::enter_no_new_privs().map_err(|errno| (1, errno))?;
        seccomp::install(&answering(RETURN_ERRNO | refused as u32)).map_err(|errno| (2, errno))?;
        must_refuse(5, probe::harmless_call(), refused)
    });
    match trial {
        Ok(Trial::Held) if agent_filter.is_empty() => {
            Verdict::enforced(LAYER, "a filter refused a call by its number")
        }
        Ok(Trial::Held) => {
            match foreign_gates(agent_filter).into_iter().find(|(_, gate)| *gate == Gate::Open) {
                None => Verdict::enforced(
                    LAYER,
                    "a filter refused a call by its number; no call of another ABI passes the agent's filter",
                ),
                Some((name, _)) => Verdict::lacking(
                    LAYER,
                    State::Missing,
                    format!("calls of the {name} ABI pass the agent's filter"),
                    "report this as a fault of aisandbox, with the output of `aisandbox doctor --json`",
                ),
            }
        }
        trial => Verdict::lacking(
            LAYER,
            State::Missing,
            told(&trial, STEPS),
            "a kernel with CONFIG_SECCOMP_FILTER=y, and no filter above that refuses seccomp(2)",
        ),
    }
}

/// Whether a filter above us has a listener, beside which the kernel allows no second one.
pub(in crate::host) fn listener_is_taken() -> bool {
    const USER_NOTIF: u32 = 0x7fc0_0000;
    let trial = probe::in_child(0, None, || {
        process::enter_no_new_privs().map_err(|errno| (1, errno))?;
        seccomp::install_with_listener(&answering(USER_NOTIF)).map(drop).map_err(|errno| (2, errno))
    });
    trial == Ok(Trial::Failed(2, Errno::EBUSY))
}

pub(super) fn protect_new(facts: &Facts) -> Verdict {
    const LAYER: &str = "protect-new";
    const USER_NOTIF: u32 = 0x7fc0_0000;
    if !facts.calls.openat2 {
        return Verdict::lacking(
            LAYER,
            State::Missing,
            "openat2 is hidden by a filter above us, or the kernel is older than 5.6",
            "a systemd unit without `RestrictSUIDSGID=` and `DynamicUser=`, which hide it",
        );
    }
    let trial = probe::in_child(0, None, || {
        process::enter_no_new_privs().map_err(|errno| (1, errno))?;
        let listener = seccomp::install_with_listener(&answering(USER_NOTIF)).map_err(|errno| (2, errno))?;
        if !probe::has_addfd_send(listener.as_fd()) {
            return Err((3, Errno::EOPNOTSUPP));
        }
        drop(listener); // nobody answers any more: the kernel says ENOSYS (seccomp_unotify(2))
        must_refuse(5, probe::harmless_call(), Errno::ENOSYS)
    });
    match trial {
        Ok(Trial::Held) if facts.seccomp.wait_killable => {
            Verdict::enforced(LAYER, "a call was handed to a listener")
        }
        Ok(Trial::Held) => Verdict::lacking(
            LAYER,
            State::Degraded,
            "works, but a signal may cut a handed-over call in half",
            "a kernel with `seccomp-wait-killable` (Linux 5.19 and later)",
        ),
        Ok(Trial::Failed(2, Errno::EBUSY)) => Verdict::lacking(
            LAYER,
            State::Missing,
            "a filter above us has a listener already, and the kernel allows one",
            "start aisandbox outside that supervisor (WSL2: `networkingMode=nat` in .wslconfig), \
             or allow the lack: `--allow-degraded protect-new`",
        ),
        trial => Verdict::lacking(
            LAYER,
            State::Missing,
            told(&trial, STEPS),
            "a kernel with `seccomp-addfd-send` (Linux 5.14 and later)",
        ),
    }
}

/// What becomes of a call by another ABI than our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// The kernel has no such ABI.
    Absent,
    /// The filter ends the process.
    Closed,
    /// The call is carried out.
    Open,
}

/// Makes one harmless call by each foreign ABI under `filter`. With an empty filter it tells what the kernel has.
pub fn foreign_gates(filter: &[Instruction]) -> Vec<(&'static str, Gate)> {
    vec![("i386", foreign_gate(filter, foreign::call_i386)), ("x32", foreign_gate(filter, foreign::call_x32))]
}

fn foreign_gate(filter: &[Instruction], getpid: fn() -> i64) -> Gate {
    let call = || if getpid() < 0 { Err(Errno::ENOSYS) } else { Ok(()) };
    // The control: without the filter the call works, or there is no such ABI here.
    if probe::in_child(0, None, || call().map_err(|errno| (4, errno))) != Ok(Trial::Held) {
        return Gate::Absent;
    }
    let trial = probe::in_child(0, None, || {
        process::enter_no_new_privs().map_err(|errno| (1, errno))?;
        if !filter.is_empty() {
            seccomp::install(filter).map_err(|errno| (2, errno))?;
        }
        call().map_err(|errno| (5, errno))
    });
    if trial == Ok(Trial::Killed(libc::SIGSYS)) { Gate::Closed } else { Gate::Open }
}
