//! Prepare: a plan becomes [`Ready`]: descriptors opened, filter taken, strings and steps laid out. One thread, no clone.

use super::classic::classic_flags;
use super::egress::ReadyEgress;
use super::guard::{self, GuardPlan};
use super::observed::Observations;
use super::ready::{Maps, Probes, Ready, ReadyAct, ReadyCommand, ReadyStep};
use super::{kernel_files, relay, ruleset};
use crate::base::{HostPath, InnerPath};
use crate::plan::Plan;
use crate::plan::view::{Act, BindFlags, Step};
use crate::profile::{NetworkMode, Observe};
use crate::sys::limits::Resource;
use crate::sys::mount::attr;
use crate::sys::process::ExecStrings;
use crate::sys::seccomp::Instruction;
use crate::sys::signal::SignalSet;
use crate::sys::{Errno, fd, file, process, socket};
use std::ffi::{CStr, CString, OsString};
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// What `prepare` needs beside the plan.
#[derive(Debug)]
pub struct Inputs {
    /// Landlock's ABI, as `host` found it.
    pub landlock_abi: u32,
    /// The mount API by descriptor is there.
    pub mount_api: bool,
    /// Submounts of the host with their flags, for classic mounts; empty otherwise.
    pub mounts: Vec<(HostPath, u64)>,
    /// The system call filter.
    pub filter: Vec<Instruction>,
    /// The filter for creating calls.
    pub trap: Vec<Instruction>,
    /// The filter that closes what namespaces would hide.
    pub reach: Vec<Instruction>,
    /// A host file that exists and is ours, and that no profile shows: the record of this run.
    pub planted: Option<HostPath>,
    /// Try foreign system calls.
    pub foreign_abi: bool,
    /// Memory, process and CPU limits are a cgroup's; no rlimits for these.
    pub cgroup: bool,
    /// Descriptors the agent gets, by number.
    pub pass: Vec<RawFd>,
    /// Use a pseudo-terminal when a standard descriptor is a terminal.
    pub pseudo_terminal: bool,
    /// Have the namespaces told to the launcher, who cannot see them when it is an ordinary user.
    pub tell_namespaces: bool,
}

/// The parent's ends of what was prepared.
#[derive(Debug)]
pub struct Ends {
    /// Messages with init.
    pub control: OwnedFd,
    /// Where a failed stage is told.
    pub failure: OwnedFd,
    /// What is observed, where anything is.
    pub observations: Option<Observations>,
}

/// Why nothing could be prepared.
#[derive(Debug)]
pub enum PrepareError {
    /// A call failed while this was being done.
    Sys(&'static str, Errno),
    /// Landlock refused the ruleset.
    Ruleset(String),
    /// The view has more steps than a failure message can number (65,535).
    TooManySteps(usize),
}

/// Lays everything out.
/// # Errors
/// [`PrepareError`]; nothing has been started.
pub fn prepare(plan: &Plan, inputs: Inputs) -> Result<(Ready, Ends), PrepareError> {
    let failed = |what| move |errno| PrepareError::Sys(what, errno);
    let (control, to_launcher) = socket::message_pair().map_err(failed("make a socket pair"))?;
    let (failure_read, failure) = socket::message_pair().map_err(failed("make a socket pair"))?;
    let (observe, observations) = observers(plan).map_err(failed("make a socket pair"))?;
    let ruleset = ruleset::make(plan, inputs.landlock_abi).map_err(ruleset_error)?;
    let steps = steps(plan, &inputs)?;
    let ready = Ready {
        namespaces: if plan.bare.is_some() { 0 } else { namespaces(plan) },
        bare: ruleset::make_bare(plan, inputs.reach).map_err(ruleset_error)?,
        maps: maps(),
        steps,
        classic_mounts: !inputs.mount_api,
        loopback: plan.profile.network.mode == NetworkMode::Loopback,
        egress: plan.egress.as_ref().map(|way| ReadyEgress::new(way, &plan.environment)),
        host_name: plain(&plan.profile.hostname),
        limits: limits(plan, inputs.cgroup),
        ruleset,
        guard: plan.traps().then(|| (inputs.trap, guard_plan(plan))),
        observe,
        filter: inputs.filter,
        probes: probes(plan, inputs.planted.as_ref(), inputs.foreign_abi)
            .map_err(failed("open the record's folder"))?,
        tell_namespaces: inputs.tell_namespaces,
        hand_over_namespaces: plan.view.asks.iter().any(|ask| ask.mounted),
        terminals: relay::terminals(),
        terminal: inputs.pseudo_terminal.then(|| relay::pseudo_terminal(multiplexer(plan))).flatten(),
        command: command(plan),
        pass: inputs.pass,
        signals: SignalSet::of(&[]),
        wall_time: plan.profile.limits.wall_time,
        umask: process::set_umask(0o077),
        control: to_launcher,
        failure,
        null: file::open(c"/dev/null", libc::O_RDWR).map_err(failed("open /dev/null"))?,
    };
    process::set_umask(ready.umask);
    Ok((ready, Ends { control, failure: failure_read, observations }))
}

pub(super) fn plain(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}

fn namespaces(plan: &Plan) -> u64 {
    let mut flags = libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWCGROUP;
    if plan.own_network() {
        flags |= libc::CLONE_NEWNET;
    }
    let time = if plan.profile.time_namespace { CLONE_NEWTIME } else { 0 };
    flags as u64 | time
}

/// CLONE_NEWTIME of linux/sched.h (Linux 5.6); clone3 takes it, clone(2) does not.
const CLONE_NEWTIME: u64 = 0x80;

/// Outside, we are this user; in the outer namespace 0, which devpts wants; in the inner one ourselves again.
fn maps() -> Maps {
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    Maps {
        outer_uid: format!("0 {uid} 1\n").into_bytes(),
        outer_gid: format!("0 {gid} 1\n").into_bytes(),
        inner_uid: format!("{uid} 0 1\n").into_bytes(),
        inner_gid: format!("{gid} 0 1\n").into_bytes(),
    }
}

fn ruleset_error(error: impl std::fmt::Display) -> PrepareError {
    PrepareError::Ruleset(error.to_string())
}

fn limits(plan: &Plan, cgroup: bool) -> Vec<(Resource, u64)> {
    let limits = plan.profile.limits;
    let of_each = |value: Option<u64>| if cgroup { None } else { value };
    let wanted = [
        (Resource::Data, of_each(limits.memory_bytes)),
        (Resource::Processes, of_each(limits.processes)),
        (Resource::OpenFiles, limits.open_files),
        (Resource::FileSize, limits.file_size_bytes),
        (Resource::Core, Some(limits.core_size_bytes.unwrap_or(0))),
    ];
    wanted.into_iter().filter_map(|(resource, most)| Some((resource, most?))).collect()
}

/// Init's end with what it is to observe, and ours.
type Observers = (Option<(Observe, OwnedFd)>, Option<Observations>);

fn observers(plan: &Plan) -> Result<Observers, Errno> {
    let level = plan.observed();
    if !level.calls() {
        return Ok((None, None));
    }
    let (ours, theirs) = socket::message_pair()?;
    Ok((Some((level, theirs)), Some(Observations::new(ours))))
}

fn guard_plan(plan: &Plan) -> GuardPlan {
    let missing = (0u16..).zip(&plan.view.missing).map(|(pattern, missing)| guard::Missing {
        folder: missing.folder.clone(),
        below: missing.rest.clone().into(),
        pattern,
    });
    let asks = plan.view.asks.iter().filter(|ask| ask.mounted).map(|ask| ask.inner.to_cstring());
    GuardPlan { asks: asks.collect(), ..GuardPlan::from_missing(&missing.collect::<Vec<_>>()) }
}

fn probes(plan: &Plan, planted: Option<&HostPath>, foreign_abi: bool) -> Result<Probes, Errno> {
    let hidden = planted
        .filter(|path| InnerPath::new(path.as_path()).is_ok_and(|inner| plan.view.host_of(&inner).is_none()));
    let Some(path) = hidden else { return Ok(Probes { planted_path: None, planted_at: None, foreign_abi }) };
    let folder = path.parent().ok_or(Errno::EINVAL)?;
    let folder = file::open(&folder.to_cstring(), libc::O_PATH | libc::O_DIRECTORY)?;
    let name = path.file_name().and_then(|name| CString::new(name.as_bytes()).ok()).ok_or(Errno::EINVAL)?;
    // Without a mount namespace its path is there; Landlock alone must refuse it.
    let planted_path = plan.bare.is_none().then(|| path.to_cstring());
    Ok(Probes { planted_path, planted_at: Some((folder, name)), foreign_abi })
}

/// The view's own devpts, or without a view the host's.
fn multiplexer(plan: &Plan) -> &'static CStr {
    if plan.bare.is_some() { c"/dev/ptmx" } else { c"/dev/pts/ptmx" }
}

fn command(plan: &Plan) -> ReadyCommand {
    let program = plan.command.program.to_cstring();
    let mut shell = vec![c"sh".to_owned(), program.clone()];
    shell.extend(plan.command.argv.iter().skip(1).cloned());
    ReadyCommand {
        program,
        argv: ExecStrings::new(plan.command.argv.clone()),
        shell_argv: ExecStrings::new(shell),
        envp: ExecStrings::new(plan.environment_strings()),
        chdir: plan.chdir.to_cstring(),
    }
}

fn steps(plan: &Plan, inputs: &Inputs) -> Result<Vec<ReadyStep>, PrepareError> {
    let mut ready = Vec::with_capacity(plan.view.steps.len() + 24);
    for (number, step) in plan.view.steps.iter().enumerate() {
        let entry = u16::try_from(number).map_err(|_| PrepareError::TooManySteps(plan.view.steps.len()))?;
        lay_out(step, entry, inputs, &mut ready);
    }
    Ok(ready)
}

fn lay_out(step: &Step, entry: u16, inputs: &Inputs, out: &mut Vec<ReadyStep>) {
    let at = inner(&step.at);
    let mut push = |at: CString, act| out.push(ReadyStep { at, act, entry });
    match &step.act {
        Act::Folder => push(at, ReadyAct::Folder),
        Act::EmptyFile => push(at, ReadyAct::EmptyFile),
        Act::Bind { object, flags } => push(at, bind(object, *flags, inputs)),
        Act::StandIn { object } => {
            push(at, bind(object, BindFlags { read_only: true, noexec: false, device: false }, inputs))
        }
        Act::Tmpfs { size_bytes, mode, noexec } => push(at, tmpfs(*size_bytes, *mode, *noexec)),
        Act::Data(bytes) => push(at, ReadyAct::Data(bytes.clone())),
        Act::Symlink(target) => push(at, ReadyAct::Symlink(plain(target))),
        Act::MaskFolder => push(at, ReadyAct::MaskFolder),
        Act::MaskFile => push(at, ReadyAct::MaskFile(false)),
        Act::Devices => kernel_files::devices(&at, inputs, &mut push),
        Act::Proc => kernel_files::procfs(&at, &mut push),
        Act::Ask { number, folder } => push(at, ReadyAct::Ask { number: *number, folder: *folder }),
    }
}

/// Relative to the new root: no slash in front; the root itself is `.`.
fn inner(path: &InnerPath) -> CString {
    let bytes = path.as_path().as_os_str().as_bytes();
    let tail = bytes.strip_prefix(b"/").unwrap_or(bytes);
    CString::new(if tail.is_empty() { b"." } else { tail }).unwrap_or_default()
}

pub(super) fn below(at: &CStr, name: &str) -> CString {
    CString::new([at.to_bytes(), b"/", name.as_bytes()].concat()).unwrap_or_default()
}

pub(super) fn bind(object: &crate::host::Object, flags: BindFlags, inputs: &Inputs) -> ReadyAct {
    let mut attributes = attr::NOSUID;
    for (wanted, bit) in
        [(flags.read_only, attr::RDONLY), (!flags.device, attr::NODEV), (flags.noexec, attr::NOEXEC)]
    {
        attributes |= if wanted { bit } else { 0 };
    }
    ReadyAct::Bind {
        source: object.canonical.to_cstring(),
        dev: object.dev,
        ino: object.ino,
        attributes,
        remounts: if inputs.mount_api {
            Vec::new()
        } else {
            remounts(&object.canonical, classic_flags(attributes), &inputs.mounts)
        },
    }
}

/// With classic mounts, what a bind of this path copies: the part of the mount that holds it, as `.`, and every mount
/// below, each with the flags it must keep and those it gets. In a table, a later mount covers an earlier one.
fn remounts(canonical: &HostPath, added: u64, mounts: &[(HostPath, u64)]) -> Vec<(CString, u64)> {
    let holds = |(point, _): &&(HostPath, u64)| canonical.as_path().starts_with(point.as_path());
    let holder = mounts.iter().filter(holds).max_by_key(|(point, _)| point.as_path().components().count());
    let kept = holder.map_or(0, |(_, kept)| *kept);
    let mut below = std::collections::BTreeMap::new();
    for (point, kept) in mounts {
        let tail = point.as_path().strip_prefix(canonical.as_path()).unwrap_or(std::path::Path::new(""));
        if let (false, Ok(tail)) = (tail.as_os_str().is_empty(), CString::new(tail.as_os_str().as_bytes())) {
            below.insert(tail, kept | added);
        }
    }
    std::iter::once((c".".to_owned(), kept | added)).chain(below).collect()
}

pub(super) fn tmpfs(size_bytes: Option<u64>, mode: u32, noexec: bool) -> ReadyAct {
    let mut parameters = vec![(c"mode", plain(&format!("{mode:o}")))];
    if let Some(size) = size_bytes {
        parameters.push((c"size", plain(&size.to_string())));
    }
    let attributes = attr::NOSUID | attr::NODEV | if noexec { attr::NOEXEC } else { 0 };
    filesystem(c"tmpfs", parameters, attributes)
}

pub(super) fn filesystem(
    kind: &'static CStr,
    parameters: Vec<(&'static CStr, CString)>,
    attributes: u64,
) -> ReadyAct {
    let join = |(key, value): &(&CStr, CString)| [key.to_bytes(), b"=", value.to_bytes()].concat();
    let data = parameters.iter().map(join).collect::<Vec<_>>().join(&b","[..]);
    let data = CString::new(OsString::from_vec(data).as_bytes()).unwrap_or_default();
    ReadyAct::Filesystem { kind, parameters, data, attributes }
}

/// Marks every inherited descriptor close-on-exec, but for those named. Called first of all by `exec`, before this
/// program opens anything of its own that could be confused with them.
/// # Errors
/// `EBADF` with a named descriptor that is not open, `EISDIR` with one, or a standard one, that is a folder; no number,
/// and why, when the others cannot be marked.
pub fn close_inherited(kept: &[RawFd]) -> Result<(), (Option<RawFd>, Errno)> {
    if let Some(number) = kept.iter().find(|number| **number > 2 && !fd::is_open(**number)) {
        return Err((Some(*number), Errno::EBADF));
    }
    // A folder of the host leads past the view: Landlock does not cover stat and chmod, and the mounts that protect
    // names are not on that way.
    if let Some(folder) = [0, 1, 2].iter().chain(kept).find(|number| fd::is_folder(**number)) {
        return Err((Some(*folder), Errno::EISDIR));
    }
    fd::close_on_exec_from(3).or_else(|_| mark_each()).map_err(|errno| (None, errno))
}

/// One by one, for kernels and filters without the call. What cannot be listed could be kept, so nothing may start.
fn mark_each() -> Result<(), Errno> {
    let errno = |error: std::io::Error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
    let list = std::fs::read_dir("/proc/self/fd").and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let names = list.map_err(errno)?.into_iter().map(|entry| entry.file_name());
    let numbers = names.filter_map(|name| name.to_str()?.parse().ok());
    for number in numbers.filter(|number: &RawFd| *number > 2) {
        match fd::mark_close_on_exec(number, true) {
            Ok(()) | Err(Errno::EBADF) => {} // EBADF: the listing's own, closed by now
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_keeps_the_flags_of_the_mount_that_holds_it_and_of_each_below() {
        let path = |path: &str| HostPath::new(path).unwrap();
        let (quiet, nodev) = (libc::MS_NOEXEC, libc::MS_NODEV);
        let mounts = [
            (path("/"), 0),
            (path("/a"), quiet),
            (path("/a/b/c"), 0),
            (path("/ab"), 0),
            (path("/a/b/c"), nodev),
        ];
        let found = remounts(&path("/a/b"), libc::MS_RDONLY, &mounts);
        let wanted = [(c".".to_owned(), quiet | libc::MS_RDONLY), (c"c".to_owned(), nodev | libc::MS_RDONLY)];
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_step_is_relative_to_the_new_root() {
        assert_eq!(inner(&InnerPath::new("/usr/lib").unwrap()).as_c_str(), c"usr/lib");
        assert_eq!(inner(&InnerPath::new("/").unwrap()).as_c_str(), c".");
    }
}
