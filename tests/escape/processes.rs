//! Other processes. Seen: containers that shared the host's pid namespace; CVE-2019-5736's way through init; sandboxes
//! whose helper could be traced by the program it watched.

use crate::attack::for_each_attacker;
use crate::support::run::processes_with;

#[test]
fn init_can_be_neither_ended_nor_stopped_nor_traced_nor_read() {
    let script = "
for number in signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGSEGV:
    os.kill(1, number)
attempt(lambda: os.kill(-1, signal.SIGKILL))
for file in 'mem', 'environ', 'maps', 'auxv', 'syscall', 'stack', 'task/1/mem', 'personality':
    print('init', attempt(lambda: os.read(os.open('/proc/1/' + file, os.O_RDONLY), 64)) != 'ok')
here = ctypes.create_string_buffer(16)
vector = (ctypes.c_uint64 * 2)(ctypes.addressof(here), 16)
print('vm', call('process_vm_readv', 1, vector, 1, vector, 1, 0))
print('attach', call('ptrace', 16, 1, 0, 0), call('ptrace', 0x4206, 1, 0, 0))
child = os.fork()
if child == 0: time.sleep(60)
print('own', attempt(lambda: os.open('/proc/%d/mem' % child, os.O_RDONLY)), call('ptrace', 0x4206, child, 0, 0))
os.kill(child, 9)
print('init', os.path.exists('/proc/1'))";
    for_each_attacker(|home| {
        let inside = home.attack(&[], script).output().ran();
        let expected = "init True\n".repeat(8) + "vm EPERM\nattach EPERM EPERM\nown ok ok\ninit True\n";
        assert_eq!(inside, expected);
    });
}

#[test]
fn no_process_of_the_host_can_be_seen_or_signalled() {
    for_each_attacker(|home| {
        let mark = format!("8{:06}.{}", std::process::id() % 1_000_000, home.user.uid);
        let victim =
            crate::support::run::Run::new(std::path::Path::new("/bin/sleep"), &home).args(&[&mark]).start();
        let pid = victim.pid();
        let script = format!(
            "print([name for name in os.listdir('/proc') if name.isdigit() and int(name) > 20])
print(attempt(lambda: os.stat('/proc/{pid}')), attempt(lambda: os.kill({pid}, 0)), call('pidfd_open', {pid}, 0))"
        );
        assert!(home.attack_outside(&script).output().ran().ends_with("ok ok ok\n"));
        let inside = home.attack(&[], &script).output().ran();
        // A kernel asks pidfd_open for EINVAL or ESRCH where no such process is.
        assert!(inside.starts_with("[]\nENOENT ESRCH E"), "{inside}");
        let all = "print(attempt(lambda: os.kill(-1, signal.SIGKILL)))";
        assert_eq!(home.attack(&[], all).output().ran(), "ESRCH\n"); // nobody else is there
        assert_eq!(processes_with(&mark), [pid]);
    });
}
