//! System calls of a foreign ABI, to prove that the filter ends who makes them. Only for a child: it may be ended.

/// getpid through `int 0x80`, as 32-bit x86 does it. Gives the raw answer; elsewhere `-ENOSYS`.
#[cfg(target_arch = "x86_64")]
pub fn call_i386() -> i64 {
    let answer: i64;
    // SAFETY: getpid takes nothing and touches no memory; int 0x80 clobbers r8 to r11 at most, which are declared.
    unsafe {
        std::arch::asm!(
            "int 0x80",
            inlateout("rax") 20i64 => answer,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            options(nostack)
        );
    }
    answer
}

/// getpid with the x32 bit. Gives the raw answer; elsewhere `-ENOSYS`.
#[cfg(target_arch = "x86_64")]
pub fn call_x32() -> i64 {
    let answer: i64;
    // SAFETY: getpid takes nothing and touches no memory; `syscall` clobbers rcx and r11, which are declared.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") (0x4000_0000i64 | libc::SYS_getpid) => answer,
            out("rcx") _, out("r11") _,
            options(nostack)
        );
    }
    answer
}

/// No foreign ABI is known here.
#[cfg(not(target_arch = "x86_64"))]
pub fn call_i386() -> i64 {
    -i64::from(libc::ENOSYS)
}

/// No foreign ABI is known here.
#[cfg(not(target_arch = "x86_64"))]
pub fn call_x32() -> i64 {
    -i64::from(libc::ENOSYS)
}
