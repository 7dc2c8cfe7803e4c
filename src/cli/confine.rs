//! How each of our own processes is confined before it reads its first byte: one table.
//!
//! Every role: not dumpable, no capability, no_new_privs, a system call filter of its own (`seccomp/role-*.yaml`), and
//! Landlock. Role `mounts` alone is without Landlock, which forbids every mount: its filter is all the tighter. Where
//! the kernel has no Landlock the rest holds. Never serves anything itself.

use crate::launch::ruleset::{self, Reach};
use crate::plan;
use crate::profile::{Arch, own_filter};
use crate::role::Role;
use crate::sys::{Errno, caps, landlock, process, seccomp};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

const BASE: &str = include_str!("../../seccomp/role-base.yaml");
const FORWARD: &str = include_str!("../../seccomp/role-forward.yaml");

/// The filter of what serves records.
const SERVER: &str = include_str!("../../seccomp/role-serve.yaml");

/// The filter of a role, on top of [`BASE`].
fn filter_text(role: Role) -> &'static str {
    match role {
        Role::Files => include_str!("../../seccomp/role-files.yaml"),
        Role::Mounts => include_str!("../../seccomp/role-mounts.yaml"),
        Role::Policy => include_str!("../../seccomp/role-policy.yaml"),
        Role::Notify => include_str!("../../seccomp/role-notify.yaml"),
        Role::Reputation => include_str!("../../seccomp/role-reputation.yaml"),
        Role::Egress => include_str!("../../seccomp/role-egress.yaml"),
        Role::Dlp => include_str!("../../seccomp/role-dlp.yaml"),
        Role::Detect => include_str!("../../seccomp/role-detect.yaml"),
    }
}

/// What a role reaches by Landlock when it was started without a ruleset.
fn reach(role: Role) -> Option<Reach> {
    match role {
        Role::Files | Role::Policy | Role::Dlp | Role::Detect => Some(Reach::Nothing),
        Role::Mounts => None,
        Role::Notify => Some(Reach::Sockets),
        Role::Reputation => Some(Reach::ReadAndConnect),
        Role::Egress => Some(Reach::Connect),
    }
}

/// Confines this process for good. `ruleset` is what the launcher made for it, if anything.
/// # Errors
/// Why a part could not be put in force; then the process must end.
pub(super) fn enter_role(role: Role, ruleset: Option<OwnedFd>) -> Result<(), String> {
    let ruleset = match (reach(role), ruleset) {
        (Some(_), Some(given)) => Some(given),
        (Some(reach), None) => ruleset::of_role(reach).map_err(|error| error.to_string())?,
        (None, _) => None,
    };
    enter(role.name(), filter_text(role), ruleset)
}

/// Confines a process that serves over sockets, under what its starter made for it: never without, where the kernel has
/// Landlock.
/// # Errors
/// As [`enter_role`].
pub(super) fn enter_server(ruleset: Option<OwnedFd>) -> Result<(), String> {
    if ruleset.is_none() && crate::sys::landlock::abi().is_ok_and(|abi| abi > 0) {
        return Err("there is no Landlock ruleset".to_owned());
    }
    enter("serve", SERVER, ruleset)
}

/// Confines the forwarder, before its threads begin: it reads `read` and what a resolver needs, writes below `write`, and
/// connects to these ports.
/// # Errors
/// As [`enter_role`].
pub(super) fn enter_forward(read: &[PathBuf], write: &Path, ports: &[u16]) -> Result<(), String> {
    let ruleset = ruleset::of_places(read, write, ports).map_err(|error| error.to_string())?;
    enter("forward", FORWARD, ruleset)
}

fn enter(name: &str, text: &'static str, ruleset: Option<OwnedFd>) -> Result<(), String> {
    let failed = |what: &'static str| move |errno: Errno| format!("{what}: {errno}");
    let file = own_filter(name, &[BASE, text]).map_err(|errors| format!("filter: {errors:?}"))?;
    let filter = plan::compile(&file, Arch::host()).map_err(|error| error.to_string())?;
    process::set_dumpable(false).map_err(failed("become undumpable"))?;
    caps::drop_held().map_err(failed("drop capabilities"))?;
    process::enter_no_new_privs().map_err(failed("set no_new_privs"))?;
    if let Some(ruleset) = ruleset {
        landlock::restrict_self(ruleset.as_fd(), 0).map_err(failed("enter the Landlock ruleset"))?;
    }
    seccomp::install(&filter.instructions).map_err(failed("install the seccomp filter"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_a_filter_that_compiles_and_none_lets_it_execute_but_one() {
        for (role, name) in Role::ALL {
            let file = own_filter(name, &[BASE, filter_text(role)]).unwrap();
            for arch in Arch::ALL {
                assert!(!plan::compile(&file, arch).unwrap().instructions.is_empty(), "{name}");
            }
            let names = |call: &str| file.rules.iter().any(|rule| rule.calls.contains(&call));
            assert_eq!(names("execve"), role == Role::Reputation, "{name}");
            assert_eq!(names("move_mount"), role == Role::Mounts, "{name}");
            assert_eq!(
                names("socket"),
                matches!(role, Role::Notify | Role::Reputation | Role::Egress),
                "{name}"
            );
            assert!(!names("ptrace") && !names("bpf"), "{name}");
        }
    }

    #[test]
    fn what_serves_has_a_filter_that_compiles_and_neither_connects_nor_executes() {
        let names = called("serve", SERVER);
        for call in ["execve", "connect", "socket", "ptrace", "bpf", "fork", "vfork", "mount"] {
            assert!(!names.contains(&call), "{call}");
        }
        assert!(names.contains(&"accept4"));
    }

    #[test]
    fn the_filter_of_the_forwarder_compiles_and_lets_it_execute_nothing() {
        let names = called("forward", FORWARD);
        for call in ["execve", "execveat", "ptrace", "mount", "bpf", "clone3", "kill"] {
            assert!(!names.contains(&call), "{call}");
        }
        assert!(names.contains(&"socket") && names.contains(&"fdatasync"));
    }

    /// The calls that a filter on top of [`BASE`] names; it compiles for every architecture.
    fn called(name: &str, text: &'static str) -> Vec<&'static str> {
        let file = own_filter(name, &[BASE, text]).unwrap();
        for arch in Arch::ALL {
            assert!(!plan::compile(&file, arch).unwrap().instructions.is_empty());
        }
        file.rules.iter().flat_map(|rule| rule.calls.clone()).collect()
    }
}
