//! The mounts of the host with their flags: only needed where mounts are remounted one by one (classic mounts).
//!
//! One of the few files that names procfs. A kernel with the mount API needs no table, and so has no race with it.

use crate::base::HostPath;
use procfs::process::Process;

/// Every mount point and the flags that a remount must keep, as mount(2) numbers them.
/// # Errors
/// What reading /proc/self/mountinfo gives, in words: without it a mount below a read-only folder would stay writable.
pub fn table() -> Result<Vec<(HostPath, u64)>, String> {
    let mounts = Process::myself()
        .and_then(|own| own.mountinfo())
        .map_err(|error| format!("read the table of mounts: {error}"))?;
    let row = |mount: procfs::process::MountInfo| {
        let flags = mount.mount_options.keys().map(|name| flag(name)).fold(0, |all, flag| all | flag);
        Some((HostPath::new(&mount.mount_point).ok()?, flags))
    };
    Ok(mounts.into_iter().filter_map(row).collect())
}

fn flag(name: &str) -> u64 {
    match name {
        "ro" => libc::MS_RDONLY,
        "nosuid" => libc::MS_NOSUID,
        "nodev" => libc::MS_NODEV,
        "noexec" => libc::MS_NOEXEC,
        "noatime" => libc::MS_NOATIME,
        "nodiratime" => libc::MS_NODIRATIME,
        "relatime" => libc::MS_RELATIME,
        _ => 0,
    }
}
