//! More names for a file. Seen: hard links out of protected folders (the reason for fs.protected_hardlinks), and read-only
//! descriptors opened again through /proc/self/fd (CVE-2019-5736 used it).

use crate::attack::for_each_attacker;

#[test]
fn a_read_only_file_gets_no_writable_name() {
    let script = "
def opened(): return os.open('ro/file', os.O_RDONLY)
print(attempt(lambda: os.link('ro/file', 'hard')))
print(call('linkat', -100, b'/proc/self/fd/%d' % opened(), -100, b'hard2', 0x400))
print(call('linkat', opened(), b'', -100, b'hard3', 0x1000))
print(attempt(lambda: os.rename('ro/file', 'moved')))
print(attempt(lambda: os.rename('ro', 'moved')))
print(attempt(lambda: os.open('/proc/self/fd/%d' % opened(), os.O_WRONLY)))
print(attempt(lambda: os.open('/dev/fd/%d' % opened(), os.O_RDWR)))
print(attempt(lambda: os.truncate('/proc/self/fd/%d' % opened(), 0)))
print(attempt(lambda: os.chmod(opened(), 0o777)))
print(attempt(lambda: os.utime(opened())))
print(attempt(lambda: os.symlink('ro/file', 'soft') or os.open('soft', os.O_WRONLY)))
print(attempt(lambda: os.link('free', 'hard4')))
print(attempt(lambda: os.open('/proc/self/fd/%d' % os.open('free', os.O_RDONLY), os.O_WRONLY)))";
    for_each_attacker(|home| {
        home.write("work/ro/file", "text");
        home.write("work/free", "text");
        let folder = home.join("work/ro");
        let inside = home.attack(&["--ro", folder.to_str().unwrap()], script).output().ran();
        let said: Vec<&str> = inside.lines().collect();
        assert_eq!(said.len(), 13, "{inside}");
        assert!(said[..11].iter().all(|said| said.starts_with('E')), "{inside}");
        assert_eq!(said[11..], ["ok", "ok"]); // the control: what is writable can have both
        assert_eq!(std::fs::read_to_string(home.join("work/ro/file")).unwrap(), "text");
        for left in ["hard4", "soft"] {
            std::fs::remove_file(home.join("work").join(left)).unwrap();
        }
        let outside = home.attack_outside(script).output().ran();
        assert!(outside.starts_with("ok\n"), "{outside}");
    });
}
