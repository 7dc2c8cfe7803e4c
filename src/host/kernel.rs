//! Kernel: the features of Linux this program uses, since when they exist, and what is lost without each.
//!
//! One table for `doctor`, `explain` and the man page; it never decides: distributions carry features back.

use super::facts::Version;

/// One feature of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature {
    /// The name this program and its manual use.
    pub name: &'static str,
    /// The first kernel of kernel.org with it.
    pub since: Version,
    /// What we use it for.
    pub used_for: &'static str,
    /// What a sandbox lacks on older kernels.
    pub lost_without: &'static str,
}

const fn feature(
    name: &'static str,
    since: Version,
    used_for: &'static str,
    lost_without: &'static str,
) -> Feature {
    Feature { name, since, used_for, lost_without }
}

/// Oldest first.
pub static FEATURES: &[Feature] = &[
    feature(
        "seccomp-filter",
        Version(3, 5, 0),
        "refuse system calls by number and argument",
        "the whole seccomp layer; the launch stops",
    ),
    feature(
        "user-namespaces",
        Version(3, 8, 0),
        "build the view of the filesystem without root",
        "every namespace for an ordinary user; the launch stops unless the profile allows it",
    ),
    feature(
        "cgroup-v2",
        Version(4, 5, 0),
        "limit memory, processes and CPU of the sandbox as a whole",
        "the layer cgroup: limits count for each process alone (rlimits)",
    ),
    feature(
        "cgroup-namespace",
        Version(4, 6, 0),
        "hide where in the host's cgroup tree the sandbox lies",
        "the path of its cgroup can be read inside",
    ),
    feature(
        "seccomp-user-notif",
        Version(5, 0, 0),
        "let the launcher create files in trees with protected names",
        "the layer protect-new: names that do not exist yet can be created",
    ),
    feature(
        "mount-api",
        Version(5, 2, 0),
        "mount by descriptor, so that no path is walked twice",
        "mounts go through /proc/self/fd, slower",
    ),
    feature(
        "clone3",
        Version(5, 3, 0),
        "make the process, its namespaces and its descriptor in one call",
        "nothing starts",
    ),
    feature(
        "openat2",
        Version(5, 6, 0),
        "open a path beneath a folder, never following a link out of it",
        "paths are walked one component at a time, slower",
    ),
    feature(
        "time-namespace",
        Version(5, 6, 0),
        "clocks of its own, where the profile asks",
        "`time_namespace: true` stops the launch",
    ),
    feature(
        "clone-into-cgroup",
        Version(5, 7, 0),
        "start the sandbox inside its cgroup, limited from its first instruction",
        "the layer cgroup: limits count for each process alone (rlimits)",
    ),
    feature(
        "close-range",
        Version(5, 11, 0),
        "mark every inherited descriptor close-on-exec in one call",
        "descriptors are marked one by one, slower",
    ),
    feature(
        "mount-setattr",
        Version(5, 12, 0),
        "set read-only and nosuid on a whole tree of mounts at once",
        "each mount is changed by itself, slower",
    ),
    feature(
        "landlock",
        Version(5, 13, 0),
        "rights on files as a second lock under the mounts (ABI 1)",
        "the layer landlock-filesystem",
    ),
    feature(
        "namespaced-rlimit-nproc",
        Version(5, 14, 0),
        "count processes for each sandbox where no cgroup is delegated",
        "the process limit counts all processes of the user",
    ),
    feature(
        "seccomp-addfd-send",
        Version(5, 14, 0),
        "answer a call with a descriptor in one step",
        "the layer protect-new: names that do not exist yet can be created",
    ),
    feature(
        "landlock-refer",
        Version(5, 19, 0),
        "allow a rename from folder to folder (ABI 2)",
        "renames between folders fail inside",
    ),
    feature(
        "seccomp-wait-killable",
        Version(5, 19, 0),
        "keep a signal from cutting a handed-over call in half",
        "a call may be carried out twice when a signal arrives",
    ),
    feature(
        "landlock-truncate",
        Version(6, 2, 0),
        "refuse truncation of files that may only be read (ABI 3)",
        "landlock-filesystem is degraded: truncate(2) is left to the mounts",
    ),
    feature("landlock-tcp", Version(6, 7, 0), "TCP ports by number (ABI 4)", "the layer landlock-network"),
    feature(
        "landlock-ioctl-dev",
        Version(6, 10, 0),
        "refuse device ioctls (ABI 5)",
        "ioctls on devices that are granted are left to the seccomp filter",
    ),
    feature(
        "landlock-scopes",
        Version(6, 12, 0),
        "signals and abstract sockets stay inside (ABI 6)",
        "the layer landlock-scopes; the pid and net namespaces still hold",
    ),
    feature(
        "landlock-log",
        Version(6, 15, 0),
        "denials of the agent reach the kernel's audit log, ours do not (ABI 7)",
        "denials by Landlock are not in the kernel's audit log",
    ),
];

/// The feature of this name.
pub fn feature_named(name: &str) -> Option<&'static Feature> {
    FEATURES.iter().find(|feature| feature.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_by_version_and_then_by_name() {
        assert!(FEATURES.is_sorted_by_key(|feature| (feature.since, feature.name)));
    }

    #[test]
    fn every_row_is_complete_and_named_once() {
        let mut names: Vec<&str> = FEATURES.iter().map(|feature| feature.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
        for row in FEATURES {
            assert!(row.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            assert!(!row.used_for.is_empty() && !row.lost_without.is_empty(), "{}", row.name);
            assert_eq!(feature_named(row.name), Some(row));
        }
    }
}
