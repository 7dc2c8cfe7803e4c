//! Wide openings into the kernel. Seen: io_uring (CVE-2022-29582 and many more), keyrings (CVE-2016-0728), AF_PACKET
//! (CVE-2017-7308), AF_VSOCK (CVE-2021-26708), userfaultfd as an exploit's tool, open_by_handle_at (the container escape
//! of 2014, "shocker").

use crate::attack::{for_each_attacker, lines};

#[test]
fn calls_that_are_known_and_refused_do_not_reach_the_kernel() {
    // Arguments that the kernel itself answers with another errno wherever it would look at them.
    let script = "
print('ENOSYS', call('io_uring_setup', 0, 0))
print('ENOSYS', call('io_uring_enter', -1, 0, 0, 0, 0, 0))
print('ENOSYS', call('io_uring_register', -1, 0, 0, 0))
print('EPERM', call('add_key', 0, 0, 0, 0, 0))
print('EPERM', call('request_key', 0, 0, 0, 0))
print('EPERM', call('keyctl', 0, -3, 0, 0, 0))
print('EPERM', call('open_by_handle_at', -1, 0, 0))
print('EPERM', call('perf_event_open', 0, 0, -1, -1, 0))
print('EPERM', call('personality', 0x0400000))";
    for_each_attacker(|home| {
        let (outside, inside) = home.attack_both(&[], script);
        assert!(lines(&inside).len() == 9 && lines(&inside).iter().all(|line| line.0 == line.1), "{inside}");
        // The control. Two of them ask for a capability before all else, and io_uring can be switched off.
        let other = lines(&outside).iter().filter(|line| line.0 != line.1).count();
        assert!(other >= 5, "{outside}");
    });
}

#[test]
fn calls_of_an_administrator_are_refused_to_root_as_well() {
    let script = "
for name in ('bpf', 'userfaultfd', 'init_module', 'finit_module', 'delete_module', 'kexec_load', 'syslog', 'fanotify_init',
             'swapon', 'chroot'):
    print(name, call(name, 0, 0, 0, 0, 0))
print('personality', call('personality', 0xFFFFFFFF))";
    for_each_attacker(|home| {
        let (outside, inside) = home.attack_both(&[], script);
        for (name, said) in lines(&inside) {
            assert_eq!(said, if name == "personality" { "ok" } else { "EPERM" }, "{name}");
        }
        // Outside, root gets as far as the arguments; an ordinary user is refused by the kernel's own settings.
        if home.user.is_root() {
            assert!(lines(&outside).iter().filter(|line| line.1 != "EPERM").count() >= 5, "{outside}");
        }
    });
}

#[test]
fn no_socket_family_beyond_local_and_internet_can_be_had() {
    let script = "
for family in range(48):
    for kind in 1, 2, 3, 5:
        print(family, kind, attempt(lambda: socket.socket(family, kind, 0).close()))
print('pair', attempt(lambda: socket.socketpair()))";
    for_each_attacker(|home| {
        let (outside, inside) = home.attack_both(&[], script);
        for line in inside.lines().filter(|line| !line.starts_with("pair")) {
            let words: Vec<&str> = line.split(' ').collect();
            if !["1", "2", "10", "16"].contains(&words[0]) {
                assert_eq!(words[2], "EAFNOSUPPORT", "{line}");
            }
        }
        for allowed in ["1 1 ok", "2 1 ok", "10 2 ok", "pair ok"] {
            assert!(inside.lines().any(|line| line == allowed), "{allowed}: {inside}"); // the control
        }
        for raw in ["2 3 ok", "10 3 ok", "17 3 ok"] {
            assert!(!inside.contains(raw), "{raw}"); // root has no raw sockets either
        }
        let families = |text: &str| text.lines().filter(|line| line.ends_with(" ok")).count();
        assert!(families(&inside) <= families(&outside));
    });
}

#[test]
fn a_handle_of_a_file_does_not_open_it() {
    // Asking for a handle is harmless; opening by one passes by every folder.
    let script = "
class Handle(ctypes.Structure):
    _fields_ = [('bytes', ctypes.c_uint), ('kind', ctypes.c_int), ('data', ctypes.c_char * 128)]
handle = Handle(128)
mount = ctypes.c_int()
libc.name_to_handle_at(-100, b'/usr', ctypes.byref(handle), ctypes.byref(mount), 0)
print('bytes', handle.bytes > 0)
folder = os.open('/usr', os.O_RDONLY)
libc.open_by_handle_at.restype = ctypes.c_int
opened = libc.open_by_handle_at(folder, ctypes.byref(handle), os.O_RDONLY)
print('opened', 'ok' if opened >= 0 else errno.errorcode[ctypes.get_errno()])";
    for_each_attacker(|home| {
        let (outside, inside) = home.attack_both(&[], script);
        assert!(inside.ends_with("opened EPERM\n"), "{inside}");
        if home.user.is_root() {
            assert_eq!(outside, "bytes True\nopened ok\n");
        }
    });
}
