//! Userns: why this machine refuses user namespaces to us, and what to do about it.
//!
//! Never makes a namespace for the caller: the probe unshares in a child, and only `doctor` and a failed launch ask.

use super::facts::{Root, UsernsSwitches};
use super::surroundings;
use crate::sys::probe::{self, Trial};
use crate::sys::{Errno, Sys, process};
use std::fmt;

/// Where a launch was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// clone or unshare with CLONE_NEWUSER.
    Create,
    /// Writing the id maps, or the first use of a capability in the new namespace.
    Use,
}

/// Why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsernsRefusal {
    /// The kernel was built without user namespaces.
    NotBuiltIn,
    /// `user.max_user_namespaces` is 0.
    SetToZero,
    /// The count of `user.max_user_namespaces` is used up, or namespaces are nested 32 deep.
    LimitReached {
        /// The limit here; those of the namespaces above count too.
        most: Option<u64>,
    },
    /// AppArmor lets only programs with a profile that says `userns,` have one (Ubuntu 23.10 and later).
    AppArmor,
    /// `kernel.unprivileged_userns_clone` is 0 (Debian).
    DebianSwitch,
    /// A container's seccomp filter or missing capability.
    Container {
        /// Which, as its traces say.
        kind: String,
    },
    /// Processes in a chroot may not make one (user_namespaces(7)).
    Chroot,
    /// Nothing we know of.
    Unknown {
        /// What the kernel said.
        errno: Errno,
    },
}

impl UsernsRefusal {
    /// What makes it work, as a command where there is one.
    pub fn fix(&self) -> String {
        match self {
            Self::NotBuiltIn => "boot a kernel with CONFIG_USER_NS=y".to_owned(),
            Self::SetToZero => keep("user.max_user_namespaces", "15000"),
            Self::LimitReached { most } => {
                keep("user.max_user_namespaces", &most.unwrap_or(0).max(7_500).saturating_mul(2).to_string())
            }
            Self::AppArmor => {
                "install the package's AppArmor profile /etc/apparmor.d/aisandbox and load it: \
                               `sudo apparmor_parser -r /etc/apparmor.d/aisandbox` \
                               (less strict: `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`)"
                    .to_owned()
            }
            Self::DebianSwitch => keep("kernel.unprivileged_userns_clone", "1"),
            Self::Container { kind } => container_fix(kind),
            Self::Chroot => "use pivot_root instead of chroot, or run it outside".to_owned(),
            Self::Unknown { .. } => "look for a refusal in the kernel's log: `sudo dmesg | tail`, \
                                     `sudo ausearch -m avc,seccomp -ts recent`"
                .to_owned(),
        }
    }
}

/// Sets a sysctl now and at each boot.
fn keep(name: &str, value: &str) -> String {
    format!(
        "`sudo sysctl {name}={value}`; to keep it: `echo {name}={value} | sudo tee /etc/sysctl.d/60-aisandbox.conf`"
    )
}

fn container_fix(kind: &str) -> String {
    match kind {
        "docker" | "podman" => format!(
            "`{kind} run --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
             --security-opt systempaths=unconfined …`, or a seccomp profile that allows clone, unshare, mount and pivot_root"
        ),
        "kubernetes" => "in the pod: `hostUsers: false`, `securityContext.procMount: Unmasked`, and a \
                         `seccompProfile` that allows clone, unshare, mount and pivot_root"
            .to_owned(),
        "lxc" => "`lxc config set NAME security.nesting=true`".to_owned(),
        "systemd-nspawn" => "`systemd-nspawn --private-users=pick …`".to_owned(),
        other => format!("let {other} allow clone, unshare, mount and pivot_root"),
    }
}

impl fmt::Display for UsernsRefusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBuiltIn => out.write_str("this kernel was built without user namespaces"),
            Self::SetToZero => out.write_str("user.max_user_namespaces is 0"),
            Self::LimitReached { most: Some(most) } => {
                write!(out, "the limit of user namespaces is reached (user.max_user_namespaces is {most})")
            }
            Self::LimitReached { most: None } => out.write_str("the limit of user namespaces is reached"),
            Self::AppArmor => out.write_str(
                "AppArmor denies user namespaces to programs without a profile \
                 (kernel.apparmor_restrict_unprivileged_userns is 1)",
            ),
            Self::DebianSwitch => out.write_str("kernel.unprivileged_userns_clone is 0"),
            Self::Container { kind } => write!(out, "the container ({}) forbids it", kind.escape_debug()),
            Self::Chroot => out.write_str("we are in a chroot, and the kernel refuses user namespaces there"),
            Self::Unknown { errno } => write!(out, "the kernel refused: {errno}"),
        }
    }
}

impl std::error::Error for UsernsRefusal {}

/// Finds the reason behind an errno, from the switches and traces of this machine.
pub fn explain(at: At, errno: Errno) -> UsernsRefusal {
    explain_on(&Root::real(), nix::unistd::geteuid().is_root(), at, errno)
}

fn explain_on(root: &Root, by_root: bool, at: At, errno: Errno) -> UsernsRefusal {
    let switches = UsernsSwitches::read(root);
    if !root.path("proc/self/ns/user").exists() && root.path("proc/self/ns").exists() {
        return UsernsRefusal::NotBuiltIn;
    }
    if switches.most == Some(0) {
        return UsernsRefusal::SetToZero;
    }
    if at == At::Create && matches!(errno, Errno::ENOSPC | Errno::EUSERS) {
        return UsernsRefusal::LimitReached { most: switches.most };
    }
    if !matches!(errno, Errno::EPERM | Errno::EACCES | Errno::ENOSYS) {
        return UsernsRefusal::Unknown { errno };
    }
    if !by_root && switches.unprivileged_clone == Some(false) {
        return UsernsRefusal::DebianSwitch;
    }
    if !by_root && switches.apparmor_restricts == Some(true) {
        return UsernsRefusal::AppArmor;
    }
    if let Some(kind) = surroundings::container(root) {
        return UsernsRefusal::Container { kind };
    }
    if surroundings::in_chroot(root) {
        return UsernsRefusal::Chroot;
    }
    UsernsRefusal::Unknown { errno }
}

const MADE: u8 = 1;
const MAPPED: u8 = 2;
const USED: u8 = 3;

/// Makes a user namespace in a child, maps our ids in it, and uses it to make a mount namespace.
/// # Errors
/// [`UsernsRefusal`] with its reason.
pub fn probe_user_namespace() -> Result<(), UsernsRefusal> {
    let ids = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    let tried = probe::in_child(0, None, || {
        process::unshare(libc::CLONE_NEWUSER).map_err(|errno| (MADE, errno))?;
        map_ids(ids).map_err(|errno| (MAPPED, errno))?;
        process::unshare(libc::CLONE_NEWNS).map_err(|errno| (USED, errno))
    });
    match tried {
        Ok(Trial::Held) => Ok(()),
        Ok(Trial::Failed(MADE, errno)) | Err(errno) => Err(explain(At::Create, errno)),
        Ok(Trial::Failed(_, errno)) => Err(explain(At::Use, errno)),
        Ok(Trial::Killed(_) | Trial::Silent) => Err(explain(At::Create, Errno::EPERM)),
    }
}

/// Maps one user and one group to themselves (user_namespaces(7)). For a child in a namespace of its own.
pub(super) fn map_ids(ids: (u32, u32)) -> Sys<()> {
    map_ids_to(ids, ids)
}

/// Maps one user and one group to these numbers inside.
pub(super) fn map_ids_to((uid, gid): (u32, u32), (inner_uid, inner_gid): (u32, u32)) -> Sys<()> {
    let write = |path: &str, text: String| std::fs::write(path, text).map_err(|error| errno_of(&error));
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/uid_map", format!("{inner_uid} {uid} 1"))?;
    write("/proc/self/gid_map", format!("{inner_gid} {gid} 1"))
}

pub(super) fn errno_of(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fixture::Folder;

    const NS: (&str, &str) = ("proc/self/ns/user", "");
    const ROOTED: (&str, &str) = ("proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
    const MOST: &str = "proc/sys/user/max_user_namespaces";
    const APPARMOR: &str = "proc/sys/kernel/apparmor_restrict_unprivileged_userns";
    const DEBIAN: &str = "proc/sys/kernel/unprivileged_userns_clone";

    fn reason(files: &[(&str, &str)], at: At, errno: Errno) -> UsernsRefusal {
        explain_on(&Folder::with(files).root(), false, at, errno)
    }

    #[test]
    fn a_limit_of_zero_is_told_from_a_limit_that_is_reached() {
        let zero = reason(&[NS, ROOTED, (MOST, "0\n")], At::Create, Errno::ENOSPC);
        assert_eq!(zero, UsernsRefusal::SetToZero);
        assert!(zero.fix().contains("sudo sysctl user.max_user_namespaces=15000"));
        let reached = reason(&[NS, ROOTED, (MOST, "100\n")], At::Create, Errno::ENOSPC);
        assert_eq!(reached, UsernsRefusal::LimitReached { most: Some(100) });
    }

    #[test]
    fn apparmor_is_named_when_its_switch_is_on() {
        let on = [NS, ROOTED, (APPARMOR, "1\n")];
        let refusal = reason(&on, At::Use, Errno::EACCES);
        assert_eq!(refusal, UsernsRefusal::AppArmor);
        assert!(refusal.fix().contains("/etc/apparmor.d/aisandbox"));
        let off = [NS, ROOTED, (APPARMOR, "0\n")];
        assert_eq!(reason(&off, At::Use, Errno::EACCES), UsernsRefusal::Unknown { errno: Errno::EACCES });
        let by_root = explain_on(&Folder::with(&on).root(), true, At::Use, Errno::EACCES);
        assert_eq!(by_root, UsernsRefusal::Unknown { errno: Errno::EACCES });
    }

    #[test]
    fn the_debian_switch_is_named_with_its_sysctl() {
        let refusal = reason(&[NS, ROOTED, (DEBIAN, "0\n")], At::Create, Errno::EPERM);
        assert_eq!(refusal, UsernsRefusal::DebianSwitch);
        assert!(refusal.fix().contains("kernel.unprivileged_userns_clone=1"));
    }

    #[test]
    fn a_container_is_named_by_its_kind() {
        let refusal = reason(&[NS, ROOTED, (".dockerenv", "")], At::Create, Errno::EPERM);
        assert_eq!(refusal, UsernsRefusal::Container { kind: "docker".to_owned() });
        assert!(refusal.fix().contains("docker run --security-opt"));
    }

    #[test]
    fn a_chroot_is_seen_by_a_root_that_is_no_mount() {
        let mounts = ("proc/self/mountinfo", "22 1 8:1 / /proc rw - proc proc rw\n");
        assert_eq!(reason(&[NS, mounts], At::Create, Errno::EPERM), UsernsRefusal::Chroot);
    }

    #[test]
    fn a_kernel_without_them_has_no_entry_in_proc() {
        let refusal = reason(&[ROOTED, ("proc/self/ns/mnt", "")], At::Create, Errno::EINVAL);
        assert_eq!(refusal, UsernsRefusal::NotBuiltIn);
    }
}
