//! The trap filter: calls that may create a name wait for the supervisor, every other call passes.
//!
//! Never judges a path and never refuses: it stands behind the main filter, and the kernel takes the stricter of two
//! answers. It is put in force only where a profile protects names that do not exist yet.

use super::bpf::{
    AT_ARGS, CallData, Decision, IF_SET, LOAD, Program, RET_ALLOW, RET_ERRNO, RET_NOTIFY, RETURN, branch,
    decide, plain,
};
use super::dispatch::{Answer, lay_out};
use crate::profile::{Arch, call_number};
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
/// Calls that create one when their flags, this argument, have O_CREAT. O_TMPFILE without it makes no name.
const OPEN: &[(&str, u32)] = &[("open", 1), ("openat", 2)];
/// O_CREAT of asm-generic/fcntl.h, which both machines use.
const O_CREAT: u32 = 0o100;
/// O_PATH, which makes the kernel drop O_CREAT: such an open makes no name, and could not be answered either, since no
/// O_PATH descriptor can be given to a caller (seccomp_unotify(2)).
const O_PATH: u32 = 0o10_000_000;
/// openat2 has its flags in memory, which a filter cannot read: programs fall back to openat.
const ENOSYS: u32 = 38;

/// The trap filter for one machine. Calls the machine does not have are left out; another machine's call passes
/// here, because the main filter ends it.
pub fn trap_filter(arch: Arch) -> Program {
    let create = CREATE.iter().map(|call| (*call, Answer::Return(RET_NOTIFY)));
    let open = OPEN.iter().map(|(call, flags)| (*call, Answer::Run(when_creating(*flags))));
    let openat2 = [("openat2", Answer::Return(RET_ERRNO | ENOSYS))];
    let answers: BTreeMap<u32, Answer> = create
        .chain(open)
        .chain(openat2)
        .filter_map(|(call, answer)| Some((call_number(call, arch)?, answer)))
        .collect();
    let instructions = lay_out(arch, RET_ALLOW, RET_ALLOW, &answers).unwrap_or_default();
    Program { arch, instructions: Cow::Owned(instructions) }
}

fn when_creating(flags: u32) -> Vec<Instruction> {
    vec![
        plain(LOAD, AT_ARGS + 8 * flags),
        branch(IF_SET, O_PATH, 2, 0),
        branch(IF_SET, O_CREAT, 0, 1),
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

/// The calls that a main filter refuses although init would need them to guard names.
pub fn unserved(filter: &Program) -> Vec<&'static str> {
    let refused = |call: &&&str| {
        let Some(number) = call_number(call, filter.arch) else { return false };
        let call = CallData { number, audit_arch: filter.arch.audit(), args: [0; 6] };
        decide(&filter.instructions, &call) != Decision::Allow
    };
    SERVING.iter().filter(refused).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{call_name, call_names};

    fn ask(arch: Arch, call: &str, args: [u64; 6]) -> Decision {
        let number = call_number(call, arch).unwrap();
        decide(&trap_filter(arch).instructions, &CallData { number, audit_arch: arch.audit(), args })
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
            let program = trap_filter(arch);
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
            assert_eq!(unserved(&program), Vec::<&str>::new(), "{}", shipped.name());
        }
        let nothing =
            Program { arch: Arch::X86_64, instructions: vec![plain(RETURN, RET_ERRNO | ENOSYS)].into() };
        assert_eq!(unserved(&nothing), SERVING);
    }

    #[test]
    fn it_is_short() {
        assert!(trap_filter(Arch::X86_64).instructions.len() <= 64);
        assert!(trap_filter(Arch::Aarch64).instructions.len() <= 48);
    }
}
