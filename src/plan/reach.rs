//! The reach filter: without namespaces, the ways to the host that no file rule covers are closed by their calls.
//!
//! Used only where namespaces are missing. Local sockets by path (D-Bus, agents of keys, container engines) and System
//! V objects are the host's own there, and whoever serves them acts outside the sandbox. Never judges a path.

use super::bpf::{AND, AT_ARGS, IF_EQ, LOAD, Program, RET_ALLOW, RET_ERRNO, RETURN, branch, plain};
use super::dispatch::{Answer, lay_out};
use crate::profile::{Arch, call_number};
use crate::sys::seccomp::Instruction;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Shared memory, semaphores and queues of this user on the host, by numbers that can be guessed; and io_uring, which
/// makes sockets without socket(2).
const CLOSED: &[&str] = &[
    "io_uring_setup",
    "mq_open",
    "mq_unlink",
    "msgctl",
    "msgget",
    "msgrcv",
    "msgsnd",
    "semctl",
    "semget",
    "semop",
    "semtimedop",
    "shmat",
    "shmctl",
    "shmget",
];
/// EACCES.
const REFUSED: u32 = RET_ERRNO | 13;
const AF_UNIX: u32 = 1;
const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;
const SOCK_STREAM: u32 = 1;
const SOCK_SEQPACKET: u32 = 5;
/// The rest of a socket's type are flags (SOCK_TYPE_MASK of linux/net.h).
const TYPE_MASK: u32 = 0xF;

/// The filter for one machine. `network`: internet sockets stay; otherwise socket(2) is refused whole. `landlock_abi`:
/// before 3 Landlock does not cover truncate(2), which is then refused here.
pub fn reach_filter(arch: Arch, network: bool, landlock_abi: u32) -> Program {
    let socket = if network { Answer::Run(internet_only()) } else { Answer::Return(REFUSED) };
    let truncate = (landlock_abi < 3).then_some(("truncate", Answer::Return(REFUSED)));
    let answers: BTreeMap<u32, Answer> = CLOSED
        .iter()
        .map(|call| (*call, Answer::Return(REFUSED)))
        .chain([
            ("socket", socket),
            ("socketpair", Answer::Run(connected_pairs())),
            ("prlimit64", Answer::Run(own_limits())),
        ])
        .chain(truncate)
        .filter_map(|(call, answer)| Some((call_number(call, arch)?, answer)))
        .collect();
    let instructions = lay_out(arch, RET_ALLOW, RET_ALLOW, &answers).unwrap_or_default();
    Program { arch, instructions: Cow::Owned(instructions) }
}

fn internet_only() -> Vec<Instruction> {
    vec![
        plain(LOAD, AT_ARGS),
        branch(IF_EQ, AF_INET, 2, 0),
        branch(IF_EQ, AF_INET6, 1, 0),
        plain(RETURN, REFUSED),
        plain(RETURN, RET_ALLOW),
    ]
}

/// A pair of datagram sockets would send to any path (sendto(2)); the two other kinds are connected for good.
fn connected_pairs() -> Vec<Instruction> {
    vec![
        plain(LOAD, AT_ARGS),
        branch(IF_EQ, AF_UNIX, 0, 4),
        plain(LOAD, AT_ARGS + 8),
        plain(AND, TYPE_MASK),
        branch(IF_EQ, SOCK_STREAM, 2, 0),
        branch(IF_EQ, SOCK_SEQPACKET, 1, 0),
        plain(RETURN, REFUSED),
        plain(RETURN, RET_ALLOW),
    ]
}

/// A limit of another process of this user could end it, or init (RLIMIT_CPU); asking for one stays.
fn own_limits() -> Vec<Instruction> {
    vec![
        plain(LOAD, AT_ARGS),
        branch(IF_EQ, 0, 5, 0),
        plain(LOAD, AT_ARGS + 16),
        branch(IF_EQ, 0, 0, 2),
        plain(LOAD, AT_ARGS + 20),
        branch(IF_EQ, 0, 1, 0),
        plain(RETURN, REFUSED),
        plain(RETURN, RET_ALLOW),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::bpf::{CallData, Decision, decide};
    use super::*;
    use crate::profile::call_names;

    const NO: Decision = Decision::Errno(13);

    fn ask(network: bool, call: &str, first: i32, second: i32) -> Decision {
        let arch = Arch::host();
        let args = [first, second, 0, 0, 0, 0].map(|value| u64::from(value.unsigned_abs()));
        let number = call_number(call, arch).unwrap();
        decide(
            &reach_filter(arch, network, 7).instructions,
            &CallData { number, audit_arch: arch.audit(), args },
        )
    }

    #[test]
    fn no_socket_reaches_a_path_of_the_host() {
        for network in [false, true] {
            assert_eq!(ask(network, "socket", libc::AF_UNIX, libc::SOCK_STREAM), NO);
            assert_eq!(ask(network, "socketpair", libc::AF_UNIX, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC), NO);
            assert_eq!(ask(network, "socketpair", libc::AF_UNIX, libc::SOCK_RAW), NO); // unix(7) makes it a datagram one
            assert_eq!(ask(network, "socketpair", libc::AF_TIPC, libc::SOCK_STREAM), NO);
            let stream = libc::SOCK_STREAM | libc::SOCK_NONBLOCK;
            assert_eq!(ask(network, "socketpair", libc::AF_UNIX, stream), Decision::Allow);
            assert_eq!(ask(network, "socketpair", libc::AF_UNIX, libc::SOCK_SEQPACKET), Decision::Allow);
        }
    }

    #[test]
    fn internet_sockets_exist_only_with_the_hosts_network() {
        for family in [libc::AF_INET, libc::AF_INET6] {
            assert_eq!(ask(true, "socket", family, libc::SOCK_DGRAM), Decision::Allow);
            assert_eq!(ask(false, "socket", family, libc::SOCK_DGRAM), NO);
        }
        assert_eq!(ask(true, "socket", libc::AF_NETLINK, libc::SOCK_RAW), NO);
    }

    #[test]
    fn every_closed_call_is_refused_and_every_other_passes() {
        for call in call_names().filter(|call| call_number(call, Arch::host()).is_some()) {
            let closed = CLOSED.contains(&call) || matches!(call, "socket" | "socketpair");
            let expected = if closed { NO } else { Decision::Allow };
            assert_eq!(ask(false, call, 0, 0), expected, "{call}");
        }
        assert!(CLOSED.iter().all(|call| call_number(call, Arch::X86_64).is_some()));
    }

    #[test]
    fn a_limit_is_set_for_the_caller_alone() {
        let arch = Arch::host();
        let ask = |pid: u64, new: u64| {
            let number = call_number("prlimit64", arch).unwrap();
            let call = CallData { number, audit_arch: arch.audit(), args: [pid, 0, new, 0, 0, 0] };
            decide(&reach_filter(arch, false, 7).instructions, &call)
        };
        for (pid, new) in [(0, 1), (0, 0), (7, 0)] {
            assert_eq!(ask(pid, new), Decision::Allow, "{pid} {new}");
        }
        for new in [1, 1 << 40, u64::MAX] {
            assert_eq!(ask(7, new), NO, "{new}");
        }
    }

    #[test]
    fn truncate_is_refused_where_landlock_does_not_cover_it() {
        let arch = Arch::host();
        let call = CallData {
            number: call_number("truncate", arch).unwrap(),
            audit_arch: arch.audit(),
            args: [0; 6],
        };
        assert_eq!(decide(&reach_filter(arch, false, 2).instructions, &call), NO);
        assert_eq!(decide(&reach_filter(arch, false, 3).instructions, &call), Decision::Allow);
    }
}
