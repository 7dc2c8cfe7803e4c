//! A cgroup leaf made, entered at birth by a child, and removed.
//!
//! Never leaves the leaf behind.

use super::{State, Verdict, told};
use crate::base::{RunId, WallTime};
use crate::host::cgroup::{Cgroup, Limits};
use crate::host::userns;
use crate::sys::Errno;
use crate::sys::probe::{self, Trial};

const LAYER: &str = "cgroup";

/// A leaf with every limit, a child born in it that sees itself there, and its removal.
pub(super) fn cgroup() -> Verdict {
    let limits = Limits { memory_bytes: Some(64 << 20), processes: Some(16), cpu_millis: None };
    let now = WallTime::now().unix_millis();
    let leaf = match Cgroup::create(RunId::from_parts(now, u128::from(std::process::id())), &limits) {
        Ok(leaf) => leaf,
        Err(error) => return no_cgroup(error.to_string()),
    };
    let name = leaf.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let trial = probe::in_child(0, Some(leaf.descriptor()), || {
        let seen =
            std::fs::read_to_string("/proc/self/cgroup").map_err(|error| (1, userns::errno_of(&error)))?;
        if seen.lines().any(|line| line.ends_with(&name)) { Ok(()) } else { Err((2, Errno::ENOENT)) }
    });
    let place = leaf.path().parent().map(|parent| parent.to_string_lossy().into_owned()).unwrap_or_default();
    match (trial, leaf.remove()) {
        (Ok(Trial::Held), Ok(())) => {
            Verdict::enforced(LAYER, format!("started a process under limits below {}", place.escape_debug()))
        }
        (Ok(Trial::Held), Err(error)) => no_cgroup(format!("the leaf could not be removed: {error}")),
        (trial, _) => {
            no_cgroup(told(&trial, &[(1, "read /proc/self/cgroup"), (2, "find itself in the leaf")]))
        }
    }
}

fn no_cgroup(why: String) -> Verdict {
    Verdict::lacking(
        LAYER,
        State::Degraded,
        format!("{why}; limits count for each process alone (rlimits)"),
        "start it in a cgroup that is yours: `systemd-run --user --scope aisandbox …`, \
         or a unit with `Delegate=yes`",
    )
}
