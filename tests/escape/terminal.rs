//! Typing for the person. Seen: CVE-2017-5226 (bubblewrap and others: TIOCSTI pushes keys into the terminal the sandbox
//! was started from), CVE-2019-10063 (flatpak's filter looked at 64 bits of a 32-bit request).

use crate::attack::{for_each_attacker, lines};

#[test]
fn the_terminal_cannot_be_typed_into() {
    // Descriptor -1: outside the kernel says so, inside the filter answers before it looks.
    let script = "
for name, request in ('TIOCSTI', 0x5412), ('TIOCLINUX', 0x541C), ('TIOCSETD', 0x5423):
    for high in 0, 1 << 32, 0x7FFFFFFF << 32:
        print(name, call('ioctl', -1, request | high, 0))
print('TIOCGWINSZ', call('ioctl', -1, 0x5413, 0))";
    for_each_attacker(|home| {
        let (outside, inside) = home.attack_both(&[], script);
        assert!(lines(&outside).iter().all(|line| line.1 == "EBADF"), "{outside}");
        let (harmless, pushing): (Vec<_>, Vec<_>) =
            lines(&inside).into_iter().partition(|line| line.0 == "TIOCGWINSZ");
        assert_eq!(harmless, [("TIOCGWINSZ", "EBADF")]); // the control: not every ioctl is refused
        assert_eq!(pushing.len(), 9);
        assert!(pushing.iter().all(|line| line.1 == "EPERM"), "{inside}");
    });
}
