//! System calls by another table. Seen: filters that compared numbers without looking at the architecture (CVE-2015-2830
//! is the kernel's own case; Chrome's and systemd's filters had to learn it).
#![cfg(target_arch = "x86_64")]

use crate::attack::for_each_attacker;

#[test]
fn a_call_by_another_table_ends_the_process() {
    // mov eax, 20; int 0x80; ret is getpid of i386. x32 numbers have bit 30 set.
    let script = "
import mmap
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3')
entry = ctypes.addressof(ctypes.c_char.from_buffer(code))
def i386():
    return 'pid' if ctypes.CFUNCTYPE(ctypes.c_int)(entry)() == os.getpid() else 'other'
def x32():
    return 'pid' if libc.syscall(ctypes.c_long(0x40000000 | 39)) > 0 else errno.errorcode[ctypes.get_errno()]
print('i386', forked(i386))
print('x32', forked(x32))
print('own', call('getpid'))";
    for_each_attacker(|home| {
        let (outside, inside) = home.attack_both(&[], script);
        assert_eq!(inside, "i386 signal 31\nx32 signal 31\nown ok\n"); // SIGSYS
        // The control: outside no filter ends it. A kernel without that table has other answers.
        assert!(!outside.contains("signal 31"), "{outside}");
    });
}
