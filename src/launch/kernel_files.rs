//! Kernel files: the steps that make a minimal /dev and a /proc inside.
//!
//! Never shows a device that holds somebody's data, and nothing of /proc that tells of the whole machine's memory.

use super::prepare::{Inputs, below, bind, filesystem, plain, tmpfs};
use super::ready::ReadyAct;
use crate::base::HostPath;
use crate::host::Kind;
use crate::plan::view::BindFlags;
use crate::sys::mount::attr;
use std::ffi::{CStr, CString};

/// Device nodes of a minimal /dev: they hold no data of anyone.
const NODES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// Links that programs expect in /dev.
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];
/// The most /dev/shm holds.
const SHM_SIZE: u64 = 256 << 20;

/// The steps of a minimal /dev.
pub(super) fn devices(at: &CStr, inputs: &Inputs, push: &mut impl FnMut(CString, ReadyAct)) {
    for node in NODES {
        let Ok(path) = HostPath::new(format!("/dev/{node}")) else { continue };
        let Ok(object) = crate::host::Tree::open(&crate::host::HostTree, &path, true) else { continue };
        if object.kind != Kind::CharDevice {
            continue;
        }
        push(below(at, node), ReadyAct::EmptyFile);
        let flags = BindFlags { read_only: false, noexec: true, device: true };
        push(below(at, node), bind(&object, flags, inputs));
    }
    for (name, target) in LINKS {
        push(below(at, name), ReadyAct::Symlink(plain(target)));
    }
    push(below(at, "pts"), ReadyAct::Folder);
    let parameters = vec![(c"mode", plain("620")), (c"ptmxmode", plain("666"))];
    push(below(at, "pts"), filesystem(c"devpts", parameters, attr::NOSUID | attr::NOEXEC));
    push(below(at, "shm"), ReadyAct::Folder);
    push(below(at, "shm"), tmpfs(Some(SHM_SIZE), 0o1777, true));
}

/// Parts of /proc that root may write without any capability, because its files are owned by uid 0 (bubblewrap's list).
const READ_ONLY: [&str; 5] = ["sys", "sysrq-trigger", "irq", "bus", "fs"];
/// Parts of /proc that tell of the whole machine's memory, keys and timers.
const MASKED: [&str; 3] = ["kcore", "keys", "timer_list"];

/// The same for root alone, who owns these files and so needs no capability to read them.
const MASKED_FOR_ROOT: [&str; 6] =
    ["kpagecount", "kpageflags", "kpagecgroup", "slabinfo", "vmallocinfo", "pagetypeinfo"];

/// The steps of a /proc of the sandbox.
pub(super) fn procfs(at: &CStr, push: &mut impl FnMut(CString, ReadyAct)) {
    push(at.to_owned(), filesystem(c"proc", Vec::new(), attr::NOSUID | attr::NODEV | attr::NOEXEC));
    for name in READ_ONLY {
        push(below(at, name), ReadyAct::ReadOnlyIfThere);
    }
    let more = if nix::unistd::geteuid().is_root() { &MASKED_FOR_ROOT[..] } else { &[] };
    for name in MASKED.iter().chain(more) {
        push(below(at, name), ReadyAct::MaskFile(true));
    }
}
