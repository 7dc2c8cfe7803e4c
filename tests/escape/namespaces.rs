//! New namespaces, which give capabilities over kernel code written for root. Seen: CVE-2022-0185 and CVE-2023-32233
//! begin with a user namespace; filters that knew clone and not clone3 let it pass.

use crate::attack::{for_each_attacker, lines};

#[test]
fn no_namespace_can_be_made_or_entered() {
    let script = "
kinds = {'user': 0x10000000, 'mnt': 0x20000, 'cgroup': 0x2000000, 'uts': 0x4000000, 'ipc': 0x8000000,
         'pid': 0x20000000, 'net': 0x40000000, 'time': 0x80}
user = kinds['user']
def cloned(flags):
    said = call('clone', flags | signal.SIGCHLD, 0, 0, 0, 0)
    if value == 0: os._exit(0)
    return said
for kind, flag in kinds.items():
    print('unshare', forked(lambda: call('unshare', flag | user)))
    print('high', forked(lambda: call('unshare', 1 << 32 | flag | user)))
    if kind != 'time': print('clone', forked(lambda: cloned(flag | user)))
args = (ctypes.c_uint64 * 11)(user, 0, 0, 0, signal.SIGCHLD)
def cloned3():
    said = call('clone3', args, 88)
    if value == 0: os._exit(0)
    return said
print('clone3', forked(cloned3))
print('thread', forked(lambda: cloned(0)))";
    for_each_attacker(|home| {
        let (outside, inside) = home.attack_both(&[], script);
        assert!(lines(&outside).iter().all(|line| line.0 == "high" || line.1 == "ok"), "{outside}");
        for (what, said) in lines(&inside) {
            let expected = match what {
                "clone3" => "ENOSYS",
                "thread" => "ok", // the control: processes can be made
                _ => "EPERM",
            };
            assert_eq!(said, expected, "{what}: {inside}");
        }
    });
}

#[test]
fn the_namespaces_of_init_and_ones_own_cannot_be_entered() {
    let script = "
for kind in os.listdir('/proc/self/ns'):
    print(kind, attempt(lambda: os.open('/proc/1/ns/' + kind, os.O_RDONLY)))
    print(kind, call('setns', os.open('/proc/self/ns/' + kind, os.O_RDONLY), 0))
print('pidfd', call('setns', call('pidfd_open', 1, 0) and value, 0x20000))";
    for_each_attacker(|home| {
        let inside = home.attack(&[], script).output().ran();
        assert!(lines(&inside).len() > 14, "{inside}");
        assert!(lines(&inside).iter().all(|line| matches!(line.1, "EPERM" | "EACCES")), "{inside}");
        // The control: a file of a namespace can be opened and handed to setns, and only who may, may.
        let outside = "
print(forked(lambda: call('unshare', 0x10000000) + ' ' + call('unshare', 0x4000000) + ' ' +
    call('setns', os.open('/proc/self/ns/uts', os.O_RDONLY), 0)))";
        assert_eq!(home.attack_outside(outside).output().ran(), "ok ok ok\n");
    });
}
