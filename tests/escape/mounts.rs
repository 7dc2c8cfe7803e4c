//! Changing the view. Seen: CVE-2022-0492 (a container mounted a cgroup hierarchy and had the host run a program), and
//! containers whose read-only bind was mounted writable again from inside.

use crate::attack::{for_each_attacker, lines};

#[test]
fn the_view_cannot_be_changed() {
    let script = "
attr = (ctypes.c_uint64 * 4)(0, 1)
print('mount', call('mount', b'none', b'/tmp', b'tmpfs', 0, 0))
print('bind', call('mount', b'/usr', b'/tmp', 0, 0x1000, 0))
print('remount', call('mount', b'none', b'/usr', 0, 0x1020, 0))
print('private', call('mount', b'none', b'/', 0, 0x40000, 0))
print('proc', call('mount', b'proc', b'/tmp', b'proc', 0, 0))
print('umount', call('umount2', b'/proc/keys', 2))
print('umount', call('umount2', b'/', 2))
print('pivot_root', call('pivot_root', b'/tmp', b'/tmp'))
print('chroot', call('chroot', b'/tmp'))
print('open_tree', call('open_tree', -100, b'/usr', 1))
print('move_mount', call('move_mount', -100, b'/tmp', -100, b'/usr', 0))
print('fsopen', call('fsopen', b'tmpfs', 0))
print('mount_setattr', call('mount_setattr', -100, b'/usr', 0, attr, 32))
print('swapon', call('swapon', b'/tmp/x', 0))
print('written', attempt(lambda: put('/usr/new', 'x')), attempt(lambda: put('/new', 'x')))";
    let control = "
os.makedirs('m')
def tried():
    said = call('unshare', 0x10020000)
    return said + ' ' + call('mount', b'none', b'm', b'tmpfs', 0, 0) + ' ' + call('umount2', b'm', 2)
print(forked(tried))";
    for_each_attacker(|home| {
        assert_eq!(home.attack_outside(control).output().ran(), "ok ok ok\n");
        let inside = home.attack(&[], script).output().ran();
        let (written, calls): (Vec<_>, Vec<_>) =
            lines(&inside).into_iter().partition(|line| line.0 == "written");
        assert!(calls.len() == 14 && calls.iter().all(|line| line.1 == "EPERM"), "{inside}");
        assert!(!written[0].1.contains("ok"), "{inside}");
    });
}
