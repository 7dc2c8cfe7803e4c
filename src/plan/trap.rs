//! The trap filter: calls that may create a name wait for init, and those that the profile has observed; every other
//! call passes.
//!
//! Never judges a path: it stands behind the main filter, and the kernel takes the stricter of two answers. It is put in
//! force only where a profile protects names that do not exist yet, or has calls observed. It refuses only what would
//! pass by the one who waits.

use super::bpf::{
    AT_ARGS, CallData, Decision, IF_SET, LOAD, Program, RET_ALLOW, RET_ERRNO, RET_NOTIFY, RETURN, branch,
    decide, plain,
};
use super::dispatch::{Answer, lay_out};
use crate::profile::{Arch, Observe, call_number};
use crate::sys::seccomp::Instruction;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Calls that always create a name, and bind, whose address may be one: it lies in memory, where no filter looks.
const CREATE: &[&str] = &[
    "bind",
    "creat",
    "link",
    "linkat",
    "mkdir",
    "mkdirat",
    "mknod",
    "mknodat",
    "rename",
    "renameat",
    "renameat2",
    "symlink",
    "symlinkat",
];
/// Calls that change or remove what has a name.
const CHANGE: &[&str] = &["chmod", "fchmodat", "fchmodat2", "rmdir", "truncate", "unlink", "unlinkat"];
/// Calls that execute.
const EXECUTE: &[&str] = &["execve", "execveat"];
/// Calls that reach files past every observer of calls. A Landlock ruleset of a program's own would not hold for what init
/// does in its place, so there is none to be had.
const BLIND: &[&str] = &["io_uring_setup", "landlock_create_ruleset", "open_by_handle_at"];
/// Calls that create one when their flags, this argument, have O_CREAT. O_TMPFILE without it makes no name.
const OPEN: &[(&str, u32)] = &[("open", 1), ("openat", 2)];
/// O_CREAT of asm-generic/fcntl.h, which both machines use.
const O_CREAT: u32 = 0o100;
/// O_WRONLY, O_RDWR, O_CREAT, O_TRUNC and the bit of O_TMPFILE: with any of them an open may change something.
const WRITING: u32 = 0o1 | 0o2 | O_CREAT | 0o1000 | 0o20_000_000;
/// O_PATH, which makes the kernel drop O_CREAT: such an open makes no name, and could not be answered either, since no
/// O_PATH descriptor can be given to a caller (seccomp_unotify(2)).
const O_PATH: u32 = 0o10_000_000;
/// openat2 has its flags in memory, which a filter cannot read: programs fall back to openat.
const ENOSYS: u32 = 38;

/// The trap filter for one machine. Calls the machine does not have are left out; another machine's call passes
/// here, because the main filter ends it.
pub fn trap_filter(arch: Arch, observe: Observe) -> Program {
    let waits = |call: &&'static str| (*call, Answer::Return(RET_NOTIFY));
    let open = OPEN.iter().map(|(call, flags)| (*call, Answer::Run(when_of_use(*flags, observe))));
    let missing = |call: &&'static str| (*call, Answer::Return(RET_ERRNO | ENOSYS));
    let observed = observe.calls().then(|| {
        let waiting = CHANGE.iter().chain(EXECUTE).map(waits);
        waiting.chain(BLIND.iter().map(missing))
    });
    let answers: BTreeMap<u32, Answer> = CREATE
        .iter()
        .map(waits)
        .chain(open)
        .chain(["openat2"].iter().map(missing))
        .chain(observed.into_iter().flatten())
        .filter_map(|(call, answer)| Some((call_number(call, arch)?, answer)))
        .collect();
    let instructions = lay_out(arch, RET_ALLOW, RET_ALLOW, &answers).unwrap_or_default();
    Program { arch, instructions: Cow::Owned(instructions) }
}

fn when_of_use(flags: u32, observe: Observe) -> Vec<Instruction> {
    let load = plain(LOAD, AT_ARGS + 8 * flags);
    if observe.reads() {
        return vec![load, branch(IF_SET, O_PATH, 1, 0), plain(RETURN, RET_NOTIFY), plain(RETURN, RET_ALLOW)];
    }
    let wanted = if observe.calls() { WRITING } else { O_CREAT };
    vec![
        load,
        branch(IF_SET, O_PATH, 2, 0),
        branch(IF_SET, wanted, 0, 1),
        plain(RETURN, RET_NOTIFY),
        plain(RETURN, RET_ALLOW),
    ]
}

/// Calls init answers the waiting ones with. It is under the main filter itself.
const SERVING: &[&str] = &[
    "bind",
    "fchdir",
    "getsockopt",
    "ioctl",
    "linkat",
    "mkdirat",
    "mknodat",
    "openat",
    "openat2",
    "pidfd_getfd",
    "pidfd_open",
    "process_vm_readv",
    "readlinkat",
    "renameat2",
    "symlinkat",
    "unlinkat",
];
/// The same where calls are observed.
const OBSERVING: &[&str] = &["fchmodat", "prlimit64", "sendmsg", "truncate"];

/// The calls that a main filter refuses although init would need them to guard names, or to observe.
pub fn unserved(filter: &Program, observe: Observe) -> Vec<&'static str> {
    let refused = |call: &&&str| {
        let Some(number) = call_number(call, filter.arch) else { return false };
        let call = CallData { number, audit_arch: filter.arch.audit(), args: [0; 6] };
        decide(&filter.instructions, &call) != Decision::Allow
    };
    let observing = if observe.calls() { OBSERVING } else { &[] };
    SERVING.iter().chain(observing).filter(refused).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{call_name, call_names};

    fn ask(arch: Arch, call: &str, args: [u64; 6]) -> Decision {
        observing(arch, Observe::Deny, call, args)
    }

    fn observing(arch: Arch, observe: Observe, call: &str, args: [u64; 6]) -> Decision {
        let number = call_number(call, arch).unwrap();
        decide(&trap_filter(arch, observe).instructions, &CallData { number, audit_arch: arch.audit(), args })
    }

    #[test]
    fn what_is_observed_waits_and_what_would_pass_by_is_not_there() {
        for arch in Arch::ALL {
            for (observe, reads) in [(Observe::Writes, Decision::Allow), (Observe::All, Decision::Notify)] {
                let open =
                    |flags_of: i32| observing(arch, observe, "openat", [0, 0, flags(flags_of), 0, 0, 0]);
                assert_eq!(open(libc::O_RDONLY | libc::O_CLOEXEC | libc::O_DIRECTORY), reads);
                assert_eq!(open(libc::O_RDONLY | libc::O_APPEND), reads);
                for writing in [libc::O_WRONLY, libc::O_RDWR, libc::O_TRUNC, libc::O_CREAT, libc::O_TMPFILE] {
                    assert_eq!(open(writing | libc::O_CLOEXEC), Decision::Notify, "{writing:o}");
                }
                assert_eq!(open(libc::O_PATH | libc::O_RDWR), Decision::Allow);
                for call in CREATE
                    .iter()
                    .chain(CHANGE)
                    .chain(EXECUTE)
                    .filter(|call| call_number(call, arch).is_some())
                {
                    assert_eq!(observing(arch, observe, call, [0; 6]), Decision::Notify, "{call}");
                }
                for call in BLIND.iter().chain(&["openat2"]) {
                    assert_eq!(observing(arch, observe, call, [0; 6]), Decision::Errno(38), "{call}");
                }
                for call in ["read", "write", "close", "stat", "ftruncate", "mmap", "connect"] {
                    if call_number(call, arch).is_some() {
                        assert_eq!(observing(arch, observe, call, [0; 6]), Decision::Allow, "{call}");
                    }
                }
            }
        }
    }

    fn flags(value: i32) -> u64 {
        u64::from(value.unsigned_abs())
    }

    #[test]
    fn an_open_waits_only_when_it_may_create() {
        let create = flags(libc::O_CREAT | libc::O_WRONLY | libc::O_CLOEXEC);
        for arch in Arch::ALL {
            assert_eq!(ask(arch, "openat", [0, 0, create, 0, 0, 0]), Decision::Notify);
            assert_eq!(ask(arch, "openat", [0, 0, create | 1 << 32, 0, 0, 0]), Decision::Notify);
            assert_eq!(ask(arch, "openat", [0, create, flags(libc::O_RDWR), create, 0, 0]), Decision::Allow);
            assert_eq!(ask(arch, "openat", [0, 0, create | flags(libc::O_PATH), 0, 0, 0]), Decision::Allow);
            assert_eq!(
                ask(arch, "openat", [0, 0, flags(libc::O_TMPFILE | libc::O_RDWR), 0, 0, 0]),
                Decision::Allow
            );
        }
        assert_eq!(ask(Arch::X86_64, "open", [0, create, 0, 0, 0, 0]), Decision::Notify);
        assert_eq!(ask(Arch::X86_64, "open", [0, flags(libc::O_WRONLY), create, 0, 0, 0]), Decision::Allow);
    }

    #[test]
    fn every_call_that_makes_a_name_waits_and_no_other_does() {
        for arch in Arch::ALL {
            for call in call_names().filter(|call| call_number(call, arch).is_some()) {
                let expected = match call {
                    "openat2" => Decision::Errno(38),
                    name if CREATE.contains(&name) => Decision::Notify,
                    _ => Decision::Allow,
                };
                assert_eq!(ask(arch, call, [0; 6]), expected, "{call} on {arch:?}");
            }
        }
    }

    #[test]
    fn numbers_without_a_call_and_other_machines_pass() {
        for arch in Arch::ALL {
            let program = trap_filter(arch, Observe::All);
            for number in
                (0..2000).chain([0x4000_0002, u32::MAX]).filter(|number| call_name(*number, arch).is_none())
            {
                let call = CallData { number, audit_arch: arch.audit(), args: [u64::MAX; 6] };
                assert_eq!(decide(&program.instructions, &call), Decision::Allow, "{number}");
            }
            let i386 = CallData { number: 8, audit_arch: 0x4000_0003, args: [u64::MAX; 6] };
            assert_eq!(decide(&program.instructions, &i386), Decision::Allow);
        }
    }

    #[test]
    fn every_shipped_filter_lets_init_serve_and_a_narrow_one_is_noticed() {
        use crate::plan::compile;
        use crate::profile::ShippedFilter;
        for shipped in ShippedFilter::ALL {
            let program = compile(&shipped.file().unwrap(), Arch::X86_64).unwrap();
            assert_eq!(unserved(&program, Observe::All), Vec::<&str>::new(), "{}", shipped.name());
        }
        let nothing =
            Program { arch: Arch::X86_64, instructions: vec![plain(RETURN, RET_ERRNO | ENOSYS)].into() };
        assert_eq!(unserved(&nothing, Observe::Deny), SERVING);
    }

    #[test]
    fn it_is_short() {
        assert!(trap_filter(Arch::X86_64, Observe::Deny).instructions.len() <= 64);
        assert!(trap_filter(Arch::Aarch64, Observe::Deny).instructions.len() <= 48);
        assert!(trap_filter(Arch::X86_64, Observe::All).instructions.len() <= 128);
    }
}
