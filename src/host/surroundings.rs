//! Surroundings: what is around us on this machine and bears on a sandbox; read for `doctor`, never on a launch.
//!
//! Never tries anything that is felt outside this process; all of it are files, and a few harmless opens.

use super::facts::Root;
use crate::sys::probe;

/// Whether a device can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It is not there.
    Absent,
    /// It is there, and we may not open it.
    Refused,
    /// It opens.
    Usable,
}

/// What `doctor` tells beside the layers. `None`: this kernel does not have it, or we may not read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// Security modules in force, in order.
    pub modules: Option<Vec<String>>,
    /// Windows Subsystem for Linux.
    pub wsl: bool,
    /// The kind of container we are in.
    pub container: Option<String>,
    /// The root is an overlay.
    pub overlay_root: bool,
    /// Parts of /proc are covered, so that no fresh /proc can be mounted in a user namespace.
    pub masked_proc: bool,
    /// The root is a plain folder of a chroot.
    pub chroot: bool,
    /// `/dev/fuse`.
    pub fuse: Access,
    /// AppArmor is in the kernel and on.
    pub apparmor: bool,
    /// The AppArmor profile we run under.
    pub apparmor_label: Option<String>,
    /// SELinux: `Some(true)` when it enforces.
    pub selinux_enforces: Option<bool>,
    /// `kernel.yama.ptrace_scope`, 0 to 3.
    pub yama: Option<u64>,
    /// A process may push input into its terminal (TIOCSTI).
    pub tiocsti: Option<bool>,
    /// The kernel has a packet filter to configure.
    pub packet_filter: bool,
}

impl Surroundings {
    /// Looks around.
    pub fn read(root: &Root) -> Self {
        let list = root.word("sys/kernel/security/lsm");
        Self {
            modules: list.map(|list| list.split(',').map(str::to_owned).collect()),
            wsl: wsl(root),
            container: container(root),
            overlay_root: root_filesystem(root).as_deref() == Some("overlay"),
            masked_proc: masked_proc(root),
            chroot: in_chroot(root),
            fuse: fuse(root),
            apparmor: root.word("sys/module/apparmor/parameters/enabled").as_deref() == Some("Y"),
            apparmor_label: label(root),
            selinux_enforces: root.switch("sys/fs/selinux/enforce"),
            yama: root.number("proc/sys/kernel/yama/ptrace_scope"),
            tiocsti: root.switch("proc/sys/dev/tty/legacy_tiocsti"),
            packet_filter: probe::packet_filter_socket().is_ok(),
        }
    }
}

/// Microsoft's kernels name themselves.
fn wsl(root: &Root) -> bool {
    let release = root.word("proc/sys/kernel/osrelease").unwrap_or_default().to_ascii_lowercase();
    release.contains("microsoft") || release.contains("wsl2")
}

/// The kind of container we are in, by the traces that each leaves.
pub(super) fn container(root: &Root) -> Option<String> {
    if root.path("var/run/secrets/kubernetes.io").exists() || root.path("run/secrets/kubernetes.io").exists()
    {
        return Some("kubernetes".to_owned());
    }
    if root.path(".dockerenv").exists() {
        return Some("docker".to_owned());
    }
    if root.path("run/.containerenv").exists() {
        return Some("podman".to_owned());
    }
    if let Some(told) = root.word("run/systemd/container").or_else(|| root.word("run/host/container-manager"))
    {
        return Some(told);
    }
    let groups = root.word("proc/1/cgroup").unwrap_or_default();
    let traces = [("kubepods", "kubernetes"), ("docker", "docker"), ("libpod", "podman"), ("lxc", "lxc")];
    traces.iter().find(|(trace, _)| groups.contains(trace)).map(|(_, kind)| (*kind).to_owned())
}

/// The fields of each mount: its place, and the filesystem's kind (proc_pid_mountinfo(5)).
fn mounts(root: &Root) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root.path("proc/self/mountinfo")).unwrap_or_default();
    let one = |line: &str| {
        let (place, rest) = line.split_once(" - ")?;
        Some((place.split(' ').nth(4)?.to_owned(), rest.split(' ').next()?.to_owned()))
    };
    text.lines().filter_map(one).collect()
}

fn root_filesystem(root: &Root) -> Option<String> {
    mounts(root).into_iter().rev().find(|(place, _)| place == "/").map(|(_, kind)| kind)
}

/// The kernel refuses user namespaces to a process whose root is not the root of a mount namespace; then no mount
/// that we see lies at `/`. A chroot to a mount point is not seen.
pub(super) fn in_chroot(root: &Root) -> bool {
    let mounts = mounts(root);
    !mounts.is_empty() && mounts.iter().all(|(place, _)| place != "/")
}

/// Something other than the kernel's own automount covers a part of /proc.
fn masked_proc(root: &Root) -> bool {
    mounts(root)
        .iter()
        .any(|(place, kind)| place.starts_with("/proc/") && kind != "binfmt_misc" && kind != "autofs")
}

fn fuse(root: &Root) -> Access {
    let device = root.path("dev/fuse");
    if !device.exists() {
        return Access::Absent;
    }
    match std::fs::File::options().read(true).write(true).open(device) {
        Ok(_) => Access::Usable,
        Err(_) => Access::Refused,
    }
}

fn label(root: &Root) -> Option<String> {
    let label = root.word("proc/self/attr/apparmor/current")?;
    (!label.is_empty()).then_some(label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fixture::Folder;

    #[test]
    fn wsl_is_seen_by_the_kernels_name() {
        let name = |text| Folder::with(&[("proc/sys/kernel/osrelease", text)]);
        assert!(wsl(&name("5.15.167.4-microsoft-standard-WSL2\n").root()));
        assert!(!wsl(&name("6.1.0-56-amd64\n").root()));
    }

    #[test]
    fn a_container_is_seen_by_the_traces_it_leaves() {
        let kind = |path, text| container(&Folder::with(&[(path, text)]).root());
        assert_eq!(kind("run/.containerenv", "").as_deref(), Some("podman"));
        assert_eq!(kind("run/systemd/container", "systemd-nspawn\n").as_deref(), Some("systemd-nspawn"));
        assert_eq!(kind("proc/1/cgroup", "0::/kubepods.slice/pod1\n").as_deref(), Some("kubernetes"));
        assert_eq!(kind("proc/1/cgroup", "0::/init.scope\n"), None);
    }

    #[test]
    fn a_covered_proc_and_an_overlay_root_are_seen() {
        let docker = "1 0 0:5 / / rw - overlay overlay rw\n2 1 0:6 / /proc rw - proc proc rw\n\
                      3 2 0:7 / /proc/kcore rw - tmpfs tmpfs rw\n";
        let seen = Surroundings::read(&Folder::with(&[("proc/self/mountinfo", docker)]).root());
        assert!(seen.overlay_root && seen.masked_proc && !seen.chroot);
        let plain = "1 0 0:5 / / rw - ext4 /dev/sda1 rw\n2 1 0:6 / /proc rw - proc proc rw\n\
                     3 2 0:7 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw\n";
        let seen = Surroundings::read(&Folder::with(&[("proc/self/mountinfo", plain)]).root());
        assert!(!seen.overlay_root && !seen.masked_proc && !seen.chroot);
        assert_eq!(seen.fuse, Access::Absent);
    }
}
