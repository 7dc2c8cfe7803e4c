//! What was open before. Seen: CVE-2024-21626 (runc: a working folder through a leaked descriptor of the host),
//! CVE-2016-9962 (Docker: init's descriptors reached by ptrace).

use crate::attack::for_each_attacker;
use crate::support::Home;
use crate::support::run::Run;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

/// Every kind of descriptor that a careless caller leaves open.
fn leaky(run: Run, home: &Home) -> Run {
    let (socket, _) = UnixStream::pair().unwrap();
    let (pipe, _) = std::io::pipe().unwrap();
    let memory = nix::sys::memfd::memfd_create("leak", nix::sys::memfd::MFdFlags::empty()).unwrap();
    let file = home.write("secret", "secret");
    run.descriptor(50, File::open("/").unwrap().into())
        .descriptor(51, File::open(file).unwrap().into())
        .descriptor(52, socket.into())
        .descriptor(53, OwnedFd::from(pipe))
        .descriptor(54, memory)
}

const LIST: &str = "
here = [int(name) for name in os.listdir('/proc/self/fd')]
print('open', *[number for number in sorted(here) if number in range(50, 60) and attempt(lambda: os.fstat(number)) == 'ok'])
print('cwd', os.readlink('/proc/self/cwd'))
print('up', attempt(lambda: os.open('.', os.O_PATH, dir_fd=50)))";

#[test]
fn no_descriptor_of_the_caller_is_inherited_unless_it_is_named() {
    for_each_attacker(|home| {
        let outside = leaky(home.attack_outside(LIST), &home).output().ran();
        assert!(outside.starts_with("open 50 51 52 53 54\n") && outside.contains("up ok"), "{outside}");
        let inside = leaky(home.attack(&[], LIST), &home).output().ran();
        let work = home.work();
        assert_eq!(inside, format!("open\ncwd {}\nup EBADF\n", work.display()));
        let passed = leaky(home.attack(&["--pass-fd", "51"], LIST), &home).output().ran();
        assert!(passed.starts_with("open 51\n"), "{passed}");
    });
}

#[test]
fn a_folder_is_not_passed_because_it_leads_past_the_view() {
    // Landlock covers neither stat nor chmod, and a protected file has no read-only mount on that way.
    let script = "
print('above', attempt(lambda: os.stat('../../secret', dir_fd=50)))
print('mode', attempt(lambda: os.chmod('../../secret', 0o600, dir_fd=50)))";
    for_each_attacker(|home| {
        home.write("secret", "secret");
        home.make_folder("work/given");
        let given = || OwnedFd::from(File::open(home.join("work/given")).unwrap());
        let outside = home.attack_outside(script).descriptor(50, given()).output().ran();
        assert_eq!(outside, "above ok\nmode ok\n");
        for number in [0, 50] {
            let flags: &[&str] = if number == 0 { &[] } else { &["--pass-fd", "50"] };
            let refused = home.attack(flags, script).descriptor(number, given()).output();
            assert_eq!(refused.expect_code(125), "");
            refused.expect_said(&format!("descriptor {number}: a folder"));
        }
    });
}

#[test]
fn a_file_given_for_reading_cannot_be_opened_for_writing() {
    let script = "
print('read', os.read(0, 4).decode())
for name in 'fd', 'stdin':
    path = '/dev/stdin' if name == 'stdin' else '/proc/self/fd/0'
    for flags in os.O_WRONLY, os.O_RDWR | os.O_TRUNC, os.O_WRONLY | os.O_CREAT:
        print(name, attempt(lambda: os.open(path, flags)))";
    for_each_attacker(|home| {
        let file = home.write("input", "text");
        let given = || OwnedFd::from(File::open(&file).unwrap());
        let inside = home.attack(&[], script).descriptor(0, given()).output().ran();
        let refused = "fd EACCES\n".repeat(3) + &"stdin EACCES\n".repeat(3);
        assert_eq!(inside, format!("read text\n{refused}"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "text");
        let outside = home.attack_outside(script).descriptor(0, given()).output().ran();
        assert_eq!(outside.matches(" ok\n").count(), 6, "{outside}"); // the control: its owner may write to it
    });
}

#[test]
fn descriptors_of_init_cannot_be_fetched() {
    let script = "
init = call('pidfd_open', 1, 0) and value
print('init', *sorted({call('pidfd_getfd', init, number, 0) for number in range(64)}))
own = call('pidfd_open', os.getpid(), 0) and value
print('own', call('pidfd_getfd', own, 1, 0))
print('links', *sorted({attempt(lambda: os.readlink('/proc/1/fd/%d' % number)) for number in range(64)} - {'ENOENT'}))";
    for_each_attacker(|home| {
        let inside = home.attack(&[], script).output().ran();
        assert_eq!(inside, "init EPERM\nown ok\nlinks EACCES\n");
    });
}
