//! The three layers of Landlock, each tried by something it must refuse.
//!
//! Never makes the ruleset of a sandbox; these handle one right each and deny it everywhere.

use super::{State, Verdict, must_refuse, told};
use crate::host::facts::Facts;
use crate::host::kernel::feature_named;
use crate::host::userns;
use crate::sys::probe::{self, Handled, Trial};
use crate::sys::{Errno, Sys, file, process};
use std::net::TcpListener;
use std::os::fd::AsFd;

const STEPS: &[(u8, &str)] = &[
    (1, "set no_new_privs"),
    (2, "make a ruleset"),
    (3, "restrict"),
    (4, "the control, without the ruleset"),
    (5, "what the ruleset must refuse"),
];

/// Does `what` freely, puts the ruleset in force, and does it again: now it must fail with `expected`.
fn refuses(handled: Handled, expected: Errno, what: impl Fn() -> Sys<()>) -> Sys<Trial> {
    probe::in_child(0, None, || {
        what().map_err(|errno| (4, errno))?;
        process::enter_no_new_privs().map_err(|errno| (1, errno))?;
        let ruleset = probe::denying_ruleset(handled).map_err(|errno| (2, errno))?;
        crate::sys::landlock::restrict_self(ruleset.as_fd(), 0).map_err(|errno| (3, errno))?;
        must_refuse(5, what(), expected)
    })
}

fn fix(facts: &Facts, feature: &str) -> String {
    if facts.landlock.disabled_at_boot {
        return "Landlock is built in and off: add `landlock` to the front of `lsm=` on the kernel's command line".to_owned();
    }
    let since = feature_named(feature).map(|feature| feature.since).unwrap_or_default();
    format!("a kernel with `{feature}` (Linux {since} and later; this is {})", facts.kernel.release)
}

pub(super) fn filesystem(facts: &Facts) -> Verdict {
    const LAYER: &str = "landlock-filesystem";
    const READ_FOLDER: u64 = 1 << 3;
    let handled = Handled { files: READ_FOLDER, ..Handled::default() };
    let trial =
        refuses(handled, Errno::EACCES, || file::open(c"/", libc::O_RDONLY | libc::O_DIRECTORY).map(drop));
    match (trial, facts.landlock.abi) {
        (Ok(Trial::Held), abi @ 3..) => {
            Verdict::enforced(LAYER, format!("refused to list a folder; ABI {abi}"))
        }
        (Ok(Trial::Held), abi) => Verdict::lacking(
            LAYER,
            State::Degraded,
            format!("ABI {abi} cannot refuse truncation; the mounts still do"),
            fix(facts, "landlock-truncate"),
        ),
        (trial, _) => Verdict::lacking(LAYER, State::Missing, told(&trial, STEPS), fix(facts, "landlock")),
    }
}

pub(super) fn network(facts: &Facts) -> Verdict {
    const BIND_TCP: u64 = 1;
    let handled = Handled { ports: BIND_TCP, ..Handled::default() };
    let trial = refuses(handled, Errno::EACCES, || {
        TcpListener::bind("127.0.0.1:0").map(drop).map_err(|error| userns::errno_of(&error))
    });
    newer_landlock("landlock-network", "refused to bind a TCP port", "landlock-tcp", &trial, facts)
}

pub(super) fn scopes(facts: &Facts) -> Verdict {
    const SIGNALS: u64 = 1 << 1;
    let handled = Handled { scopes: SIGNALS, ..Handled::default() };
    let parent = i32::try_from(std::process::id()).unwrap_or(0);
    let trial = refuses(handled, Errno::EPERM, || process::send_signal(parent, 0));
    newer_landlock(
        "landlock-scopes",
        "refused a signal to a process outside",
        "landlock-scopes",
        &trial,
        facts,
    )
}

fn newer_landlock(
    layer: &'static str,
    seen: &str,
    feature: &str,
    trial: &Sys<Trial>,
    facts: &Facts,
) -> Verdict {
    match trial {
        Ok(Trial::Held) => Verdict::enforced(layer, seen),
        Ok(Trial::Failed(2, _)) => {
            let why = match facts.landlock.abi {
                0 => "this kernel has no Landlock in force".to_owned(),
                abi => format!("Landlock ABI {abi} does not have it"),
            };
            Verdict::lacking(layer, State::Missing, why, fix(facts, feature))
        }
        trial => Verdict::lacking(layer, State::Missing, told(trial, STEPS), fix(facts, feature)),
    }
}
