//! Files of /proc. Seen: core_pattern and sysrq-trigger written from containers whose root owns them (CVE-2019-5736's
//! followers, CVE-2022-0492's relatives); memory and addresses read from kcore and kpageflags.

use crate::attack::{for_each_attacker, lines};

#[test]
fn nothing_of_the_kernel_can_be_set_by_root_either() {
    // Opened only, never written: outside that alone must not change the machine.
    let script = "
for file in 'sys/kernel/core_pattern', 'sys/kernel/modprobe', 'sys/vm/overcommit_memory', 'sysrq-trigger', 'sys/fs/binfmt_misc/register':
    print(file, attempt(lambda: os.open('/proc/' + file, os.O_WRONLY)))";
    for_each_attacker(|home| {
        let (outside, inside) = home.attack_both(&[], script);
        assert!(lines(&inside).len() == 5 && lines(&inside).iter().all(|line| line.1 != "ok"), "{inside}");
        if home.user.is_root() {
            assert!(
                outside.contains("core_pattern ok") && outside.contains("overcommit_memory ok"),
                "{outside}"
            );
        }
    });
}

#[test]
fn no_file_of_proc_but_ones_own_can_be_opened_for_writing() {
    // Pressure triggers are everyone's; what a process says of itself is below its number.
    let script = "
for folder, folders, files in os.walk('/proc'):
    if folder == '/proc':
        folders[:] = [name for name in folders if not name.isdigit() and name not in ('self', 'thread-self')]
    for name in files:
        path = os.path.join(folder, name)
        if attempt(lambda: os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))) == 'ok':
            print(path)
print('own', attempt(lambda: os.open('/proc/self/comm', os.O_WRONLY)))";
    for_each_attacker(|home| {
        let inside = home.attack(&[], script).output().ran();
        let foreign = inside.lines().filter(|line| !line.starts_with("/proc/pressure/"));
        assert_eq!(foreign.collect::<Vec<_>>(), ["own ok"]);
    });
}

#[test]
fn what_only_root_may_read_of_the_machine_is_empty() {
    let script = "
for file in 'kcore', 'keys', 'timer_list', 'kpageflags', 'kpagecount', 'slabinfo', 'vmallocinfo', 'pagetypeinfo', 'kmsg':
    try:
        print(file, len(os.read(os.open('/proc/' + file, os.O_RDONLY | os.O_NONBLOCK), 64)))
    except OSError as error:
        print(file, errno.errorcode[error.errno])
print('uptime', len(os.read(os.open('/proc/uptime', os.O_RDONLY), 64)) > 0)";
    for_each_attacker(|home| {
        let (outside, inside) = home.attack_both(&[], script);
        for (file, said) in lines(&inside).into_iter().filter(|line| line.0 != "uptime") {
            assert!(["0", "EACCES", "EPERM", "ENOENT"].contains(&said), "{file} {said}");
        }
        assert!(inside.contains("uptime True"));
        if home.user.is_root() {
            assert!(outside.contains("kpageflags 64") && outside.contains("slabinfo 64"), "{outside}");
        }
    });
}
