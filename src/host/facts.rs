//! Facts: what this kernel offers to a launch, gathered on every start and therefore cheap (tens of microseconds).
//!
//! Never tries anything that leaves a trace; `trial` does that, in a child: for `doctor`, and here only below a filter.

use crate::sys::probe::{self, Call};
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Where `/proc` and `/sys` lie. Tests give a folder of their own.
#[derive(Debug, Clone)]
pub struct Root(PathBuf);

impl Root {
    /// The machine we run on.
    pub fn real() -> Self {
        Self(PathBuf::from("/"))
    }

    /// A folder that looks like one.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// A path of this machine; `below` has no leading slash.
    pub fn path(&self, below: &str) -> PathBuf {
        self.0.join(below)
    }

    /// The first 4 KiB of a small file, without the blanks around; `None` when it cannot be read.
    pub fn word(&self, below: &str) -> Option<String> {
        read_start(&self.path(below))
    }

    /// A number in a file of its own, as the sysctls of /proc/sys are.
    pub fn number(&self, below: &str) -> Option<u64> {
        self.word(below)?.parse().ok()
    }

    /// A switch in a file of its own: on when it is not 0.
    pub fn switch(&self, below: &str) -> Option<bool> {
        self.number(below).map(|value| value != 0)
    }
}

/// One read without the fstat and the second read that `fs::read` adds: /proc answers a small file whole.
fn read_start(path: &Path) -> Option<String> {
    let mut buffer = [0u8; 4096];
    let length = std::fs::File::open(path).ok()?.read(&mut buffer).ok()?;
    Some(String::from_utf8_lossy(buffer.get(..length)?).trim().to_owned())
}

/// The kernel by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kernel {
    /// As `uname -r` prints it.
    pub release: String,
    /// The numbers at its start.
    pub version: Version,
    /// As `uname -m` prints it.
    pub machine: String,
}

/// Major, minor, patch. Distribution kernels carry features back, so this names and never decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u16, pub u16, pub u16);

impl Version {
    /// From the start of a release such as `6.18.44-fc-v669`; what is missing counts as 0.
    pub fn parse(release: &str) -> Self {
        let mut numbers =
            release.split(|letter: char| !letter.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        Self(next(), next(), next())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(major, minor, 0) => write!(out, "{major}.{minor}"),
            Self(major, minor, patch) => write!(out, "{major}.{minor}.{patch}"),
        }
    }
}

/// Who runs us: the ids a map must name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ids {
    /// Effective user.
    pub uid: u32,
    /// Effective group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

/// What Landlock can do here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Landlock {
    /// The newest ABI; 0 without Landlock.
    pub abi: u32,
    /// Built into the kernel but not enabled at boot (`lsm=` without `landlock`).
    pub disabled_at_boot: bool,
    /// Fixes the kernel says it has, one bit each (Linux 6.15).
    pub errata: u32,
}

/// The switches that take user namespaces away. `None`: this kernel has no such switch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsernsSwitches {
    /// `user.max_user_namespaces`; `None` also where the kernel has no user namespaces.
    pub most: Option<u64>,
    /// `kernel.apparmor_restrict_unprivileged_userns` (Ubuntu).
    pub apparmor_restricts: Option<bool>,
    /// `kernel.unprivileged_userns_clone` (Debian).
    pub unprivileged_clone: Option<bool>,
}

impl UsernsSwitches {
    /// Reads the three files.
    pub fn read(root: &Root) -> Self {
        Self {
            most: root.number("proc/sys/user/max_user_namespaces"),
            apparmor_restricts: root.switch("proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
            unprivileged_clone: root.switch("proc/sys/kernel/unprivileged_userns_clone"),
        }
    }
}

/// Calls a launch prefers and can replace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    /// open_tree, move_mount, fsopen (Linux 5.2) and mount_setattr (5.12).
    pub mount_api: bool,
    /// openat2 (Linux 5.6).
    pub openat2: bool,
    /// clone3 (Linux 5.3).
    pub clone3: bool,
    /// close_range (Linux 5.9).
    pub close_range: bool,
}

/// What seccomp can do here beyond plain filters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seccomp {
    /// Calls can be handed to a listener (Linux 5.0).
    pub user_notif: bool,
    /// A filter above us has a listener; the kernel allows no second one.
    pub listener_taken: bool,
    /// Targets wait killably (Linux 5.19).
    pub wait_killable: bool,
}

/// Everything a launch needs to know. The default is a kernel that can do none of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// By name.
    pub kernel: Kernel,
    /// Who runs us.
    pub ids: Ids,
    /// Landlock.
    pub landlock: Landlock,
    /// User namespaces.
    pub userns: UsernsSwitches,
    /// System calls.
    pub calls: Calls,
    /// Seccomp.
    pub seccomp: Seccomp,
    /// Yama's kernel.yama.ptrace_scope; `None` without Yama. From 2 on, no process reads another one's memory without
    /// CAP_SYS_PTRACE, not even its descendant's.
    pub ptrace_scope: Option<u64>,
}

impl Facts {
    /// Asks the kernel: about ten calls that fail at once and three small files.
    pub fn for_launch() -> Self {
        Self {
            kernel: kernel(),
            ids: ids(),
            landlock: landlock(),
            userns: UsernsSwitches::read(&Root::real()),
            calls: Calls {
                mount_api: probe::answers(Call::OpenTree) && probe::answers(Call::MountSetattr),
                openat2: probe::answers(Call::Openat2),
                clone3: probe::answers(Call::Clone3),
                close_range: probe::answers(Call::CloseRange),
            },
            seccomp: Seccomp {
                user_notif: probe::has_user_notif(),
                listener_taken: probe::is_filtered() && super::trial::listener_is_taken(),
                wait_killable: probe::has_wait_killable(),
            },
            ptrace_scope: Root::real().number("proc/sys/kernel/yama/ptrace_scope"),
        }
    }
}

/// The security modules in force, as securityfs lists them; `None` where that is not mounted.
pub fn security_modules() -> Option<Vec<String>> {
    let list = Root::real().word("sys/kernel/security/lsm")?;
    Some(list.split(',').map(str::to_owned).collect())
}

fn kernel() -> Kernel {
    let (release, machine) = probe::kernel_names().unwrap_or_default();
    Kernel { version: Version::parse(&release), release, machine }
}

fn ids() -> Ids {
    let groups = nix::unistd::getgroups().unwrap_or_default();
    Ids {
        uid: nix::unistd::geteuid().as_raw(),
        gid: nix::unistd::getegid().as_raw(),
        groups: groups.into_iter().map(nix::unistd::Gid::as_raw).collect(),
    }
}

fn landlock() -> Landlock {
    match crate::sys::landlock::abi() {
        Ok(abi) => Landlock { abi, disabled_at_boot: false, errata: probe::landlock_errata() },
        Err(errno) => {
            Landlock { disabled_at_boot: errno == nix::errno::Errno::EOPNOTSUPP, ..Landlock::default() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_gives_its_numbers() {
        assert_eq!(Version::parse("6.18.44-fc-v669"), Version(6, 18, 44));
        assert_eq!(Version::parse("5.15.0-139-generic"), Version(5, 15, 0));
        assert_eq!(Version::parse("6.6-rc1"), Version(6, 6, 0));
        assert_eq!(Version::parse("what"), Version(0, 0, 0));
        assert!(Version::parse("6.9.1") < Version::parse("6.10"));
    }

    #[test]
    fn a_switch_that_is_not_there_is_not_off() {
        let folder =
            crate::host::fixture::Folder::with(&[("proc/sys/kernel/unprivileged_userns_clone", "0\n")]);
        let read = UsernsSwitches::read(&folder.root());
        assert_eq!(read, UsernsSwitches { unprivileged_clone: Some(false), ..UsernsSwitches::default() });
    }

    #[test]
    fn the_kernel_is_asked_for_what_a_launch_needs() {
        let facts = Facts::for_launch();
        assert!(facts.kernel.version > Version(4, 0, 0), "{facts:?}");
        assert_eq!(facts.landlock.abi, crate::sys::landlock::abi().unwrap_or(0));
        assert_eq!(facts.ids.uid, nix::unistd::geteuid().as_raw());
    }
}
