//! Device files. Seen: containers that kept CAP_MKNOD and read the host's disk through a node of their own.

use crate::attack::for_each_attacker;

#[test]
fn a_device_can_be_neither_made_nor_used_where_one_lies() {
    // (1, 3) is /dev/null, which harms nobody; whoever opens it could as well open a disk.
    let script = "
null = os.makedev(1, 3)
for folder in '.', '/tmp', '/dev/shm', os.environ['HOME']:
    print('make', attempt(lambda: os.mknod(folder + '/node', 0o20666, null)))
    print('make', attempt(lambda: os.mknod(folder + '/disk', 0o60666, os.makedev(254, 0))))
print('fifo', attempt(lambda: os.mknod('pipe', 0o10666)))
if os.path.exists('planted'): print('use', attempt(lambda: os.open('planted', os.O_RDWR)))
print('null', attempt(lambda: os.open('/dev/null', os.O_RDWR)))";
    for_each_attacker(|home| {
        let root = nix::unistd::getuid().is_root();
        if root {
            use nix::sys::stat::{Mode, SFlag, makedev, mknod};
            let mode = Mode::from_bits_truncate(0o666);
            mknod(&home.join("work/planted"), SFlag::S_IFCHR, mode, makedev(1, 3)).unwrap();
            std::fs::set_permissions(
                home.join("work/planted"),
                std::os::unix::fs::PermissionsExt::from_mode(0o666),
            )
            .unwrap();
        }
        let inside = home.attack(&[], script).output().ran();
        assert_eq!(
            inside.matches("make EPERM\n").count() + inside.matches("make EACCES\n").count(),
            8,
            "{inside}"
        );
        assert!(inside.contains("fifo ok\n") && inside.contains("null ok\n"), "{inside}");
        if root {
            assert!(inside.contains("use EACCES\n"), "{inside}");
            let used = "print('use', attempt(lambda: os.open('planted', os.O_RDWR)))";
            assert_eq!(home.attack_outside(used).output().ran(), "use ok\n");
        }
    });
}

#[test]
fn dev_has_no_disk_no_memory_and_no_input_device() {
    let script = "print(*sorted(os.listdir('/dev')))";
    for_each_attacker(|home| {
        let (outside, inside) = home.attack_both(&[], script);
        assert_eq!(inside, "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero\n");
        assert!(outside.len() > inside.len(), "{outside}");
    });
}
