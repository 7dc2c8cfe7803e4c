//! Hints: what an errno of a stage usually means, and what to do. One table.

use super::probe::PROBES;
use super::stage::{Stage, StageFailure};
use crate::plan::Plan;
use crate::sys::Errno;

/// A failure in words: what was tried, on what, why it failed, who asked; and the hint, if there is one.
pub fn explain(failure: StageFailure, plan: &Plan) -> (String, Option<&'static str>) {
    let StageFailure { stage, entry, errno } = failure;
    let why = format!("{errno:?}: {}", errno.desc());
    let message = match stage {
        Stage::Entry => match plan.view.steps.get(usize::from(entry)) {
            Some(step) => format!("{} {}: {why} ({})", stage.text(), step.at, step.asked),
            None => format!("{}: {why}", stage.text()),
        },
        Stage::Probe => {
            let probe = PROBES.get(usize::from(entry)).copied().unwrap_or("unknown probe");
            format!("{}: {probe}, but it was not so", stage.text())
        }
        Stage::ForbidNamespaces if errno == Errno::EISCONN => {
            "forbid further user namespaces: one could still be made".to_owned()
        }
        Stage::Exec => format!("{} {}: {why}", stage.text(), plan.command.program),
        Stage::Chdir => format!("{} {}: {why}", stage.text(), plan.chdir),
        _ => format!("{}: {why}", stage.text()),
    };
    (message, hint(stage, errno))
}

fn hint(stage: Stage, errno: Errno) -> Option<&'static str> {
    HINTS
        .iter()
        .find(|(stages, errnos, _)| stages.contains(&stage) && errnos.contains(&errno))
        .map(|row| row.2)
}

type Row = (&'static [Stage], &'static [Errno], &'static str);

const HINTS: [Row; 15] = [
    (
        &[Stage::Clone, Stage::InnerUser],
        &[Errno::ENOSPC, Errno::EUSERS],
        "the limit of user namespaces is reached or 0 (sysctl user.max_user_namespaces): `aisandbox doctor` says more; `--allow-degraded namespaces` goes without",
    ),
    (
        &[Stage::Clone, Stage::MapIds, Stage::InnerUser, Stage::NewRoot, Stage::Loopback],
        &[Errno::EPERM, Errno::EACCES],
        "this system refuses user namespaces to us (AppArmor, a container, a sysctl): `aisandbox doctor` says which and how to allow it; `--allow-degraded namespaces` goes without",
    ),
    (
        &[Stage::Egress],
        &[
            Errno::EPERM,
            Errno::EACCES,
            Errno::EPROTONOSUPPORT,
            Errno::EOPNOTSUPP,
            Errno::ENOENT,
            Errno::EAFNOSUPPORT,
        ],
        "this kernel, or a filter above us, has not what the way out needs: `aisandbox doctor` says what there is; `network.way: auto` takes the best of it",
    ),
    (
        &[Stage::ForbidNamespaces],
        &[Errno::EROFS, Errno::EACCES, Errno::EPERM],
        "a container keeps /proc/sys read-only: give it an unmasked /proc (`--security-opt systempaths=unconfined`)",
    ),
    (
        &[Stage::Clone],
        &[Errno::ENOSYS],
        "clone3 is hidden by a filter above us, or the kernel is older than 5.3",
    ),
    (&[Stage::Clone], &[Errno::EAGAIN], "too many processes: ulimit -u, or the pids limit of the cgroup"),
    (
        &[Stage::Clone],
        &[Errno::EBUSY],
        "this process has a second thread, which must not be: please report it",
    ),
    (
        &[Stage::Entry],
        &[Errno::EPERM],
        "for /proc: a container masks parts of its /proc, so the kernel allows no fresh one inside",
    ),
    (&[Stage::Entry], &[Errno::ESTALE], "the file was replaced while the sandbox was being built: try again"),
    (&[Stage::Entry], &[Errno::ELOOP], "a symlink is on the way; write the path it leads to"),
    (
        &[Stage::Entry],
        &[Errno::ENOENT],
        "something to mount on is missing there, and nothing is created on the host",
    ),
    (
        &[Stage::Guard],
        &[Errno::EBUSY],
        "another supervisor above us has a seccomp listener: `--allow-degraded protect-new` goes without the guard",
    ),
    (
        &[Stage::Exec],
        &[Errno::ENOENT],
        "the file or its interpreter (the `#!` line, ld.so) is not in the view: `aisandbox explain` shows the view",
    ),
    (
        &[Stage::Exec],
        &[Errno::E2BIG],
        "an argument or variable is longer than 128 KiB, or all of them than a quarter of the stack (ulimit -s)",
    ),
    (
        &[Stage::Exec],
        &[Errno::EACCES],
        "not executable inside: a noexec entry, the file's mode, or a Landlock rule",
    ),
];
