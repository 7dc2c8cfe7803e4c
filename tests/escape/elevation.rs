//! Programs that give rights. Seen: setuid programs inside bubblewrap before no_new_privs, and every local exploit of a
//! setuid program (CVE-2021-4034, pkexec).

use crate::attack::for_each_attacker;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_setuid_program_gives_nothing() {
    for_each_attacker(|home| {
        if !nix::unistd::getuid().is_root() || home.user.is_root() {
            return; // only root can make one, and to root it gives nothing
        }
        let program = home.join("work/id");
        std::fs::copy("/usr/bin/id", &program).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o6755)).unwrap();
        let (outside, inside) = home.run_both("cowork", "./id -u; echo ran");
        assert_eq!(outside.expect_code(0), "0\nran\n");
        assert_eq!(inside.expect_code(0), format!("{}\nran\n", home.user.uid));
    });
}

#[test]
fn a_program_with_file_capabilities_gets_none() {
    // Version 2 of the attribute: effective, CAP_NET_RAW (13) and CAP_SYS_ADMIN (21) permitted.
    let mark = "import os, struct, sys
os.setxattr(sys.argv[1], 'security.capability', struct.pack('<IIIII', 0x02000001, 1 << 13 | 1 << 21, 0, 0, 0))";
    for_each_attacker(|home| {
        if !nix::unistd::getuid().is_root() {
            return;
        }
        let program = home.join("work/cat");
        std::fs::copy("/usr/bin/cat", &program).unwrap();
        let marked = std::process::Command::new("python3").args(["-c", mark]).arg(&program).status().unwrap();
        assert!(marked.success());
        let script = "grep CapEff /proc/self/status | tr -d '\\t'; ./cat /proc/self/status | grep CapEff";
        let (outside, inside) = home.run_both("cowork", script);
        assert!(!outside.expect_code(0).ends_with(":\t0000000000000000\n"), "{}", outside.stdout());
        assert_eq!(inside.expect_code(0), "CapEff:0000000000000000\nCapEff:\t0000000000000000\n");
    });
}

#[test]
fn root_inside_has_no_capability_and_cannot_get_one() {
    let script = "
status = open('/proc/self/status').read()
for name in 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb':
    print(name, status.split(name + ':\\t')[1].split()[0])
print('NoNewPrivs', status.split('NoNewPrivs:\\t')[1].split()[0], 'Groups', *status.split('Groups:\\t')[1].split('\\n')[0].split())
print(attempt(lambda: os.chown('mine', 1, 1)), attempt(lambda: os.setgroups([0])), attempt(lambda: os.nice(-5)))
print(call('prctl', 24, 0, 0, 0, 0), attempt(lambda: os.setuid(os.getuid() + 1)))";
    for_each_attacker(|home| {
        home.write("work/mine", "");
        let inside = home.attack(&[], script).output().ran();
        let zeroes = "0000000000000000\n";
        for name in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert!(inside.contains(&format!("{name} {zeroes}")), "{inside}");
        }
        assert!(inside.contains("NoNewPrivs 1 Groups\n"), "{inside}");
        assert!(!inside.lines().skip(6).any(|line| line.contains("ok")), "{inside}");
        let outside = home.attack_outside(script).output().ran();
        if home.user.is_root() {
            assert!(outside.ends_with("ok ok ok\nok ok\n"), "{outside}");
        } else {
            assert!(!outside.contains(&format!("CapBnd {zeroes}")), "{outside}");
        }
    });
}
