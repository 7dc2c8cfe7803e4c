//! The kernel's constants that a filter file may name in place of a number.
//!
//! Never differs between x86_64 and aarch64: only constants that are equal on both are here.

use super::nearest::nearest;

/// The value of a constant; `None` for a word that is not here.
pub(super) fn constant(word: &str) -> Option<u64> {
    CONSTANTS.iter().find(|known| known.0 == word).map(|known| known.1)
}

/// The word that a misspelt one was meant to be.
pub(super) fn nearest_constant(word: &str) -> Option<String> {
    let small: Vec<String> = CONSTANTS.iter().map(|known| known.0.to_lowercase()).collect();
    nearest(word, small.iter().map(String::as_str)).map(str::to_uppercase)
}

/// From the kernel's headers for programs; the file is named above each group.
const CONSTANTS: &[(&str, u64)] = &[
    // asm-generic/ioctls.h
    ("TIOCSCTTY", 0x540E),
    ("TIOCSTI", 0x5412),
    ("TIOCLINUX", 0x541C),
    ("TIOCCONS", 0x541D),
    ("TIOCSETD", 0x5423),
    // linux/btrfs.h, ocfs2_fs.h, bcachefs_ioctl.h: requests that make a name
    ("BTRFS_IOC_SNAP_CREATE", 0x5000_9401),
    ("BTRFS_IOC_SUBVOL_CREATE", 0x5000_940E),
    ("BTRFS_IOC_SNAP_CREATE_V2", 0x5000_9417),
    ("BTRFS_IOC_SUBVOL_CREATE_V2", 0x5000_9418),
    ("OCFS2_IOC_REFLINK", 0x4018_6F04),
    ("BCH_IOCTL_SUBVOLUME_CREATE", 0x4020_BC10),
    // linux/sched.h
    ("CLONE_VM", 0x0000_0100),
    ("CLONE_FS", 0x0000_0200),
    ("CLONE_FILES", 0x0000_0400),
    ("CLONE_THREAD", 0x0001_0000),
    ("CLONE_NEWTIME", 0x0000_0080),
    ("CLONE_NEWNS", 0x0002_0000),
    ("CLONE_NEWCGROUP", 0x0200_0000),
    ("CLONE_NEWUTS", 0x0400_0000),
    ("CLONE_NEWIPC", 0x0800_0000),
    ("CLONE_NEWUSER", 0x1000_0000),
    ("CLONE_NEWPID", 0x2000_0000),
    ("CLONE_NEWNET", 0x4000_0000),
    // linux/socket.h
    ("AF_UNSPEC", 0),
    ("AF_UNIX", 1),
    ("AF_INET", 2),
    ("AF_INET6", 10),
    ("AF_NETLINK", 16),
    ("AF_PACKET", 17),
    ("AF_BLUETOOTH", 31),
    ("AF_ALG", 38),
    ("AF_VSOCK", 40),
    ("SOCK_STREAM", 1),
    ("SOCK_DGRAM", 2),
    ("SOCK_RAW", 3),
    ("SOCK_SEQPACKET", 5),
    ("SOCK_DCCP", 6),
    // linux/in.h
    ("IPPROTO_TCP", 6),
    ("IPPROTO_UDP", 17),
    ("IPPROTO_DCCP", 33),
    ("IPPROTO_L2TP", 115),
    ("IPPROTO_SCTP", 132),
    ("IPPROTO_UDPLITE", 136),
    ("IPPROTO_SMC", 256),
    ("IPPROTO_MPTCP", 262),
    // linux/netlink.h
    ("NETLINK_ROUTE", 0),
    ("NETLINK_SOCK_DIAG", 4),
    ("NETLINK_KOBJECT_UEVENT", 15),
    // linux/personality.h
    ("UNAME26", 0x0002_0000),
    ("ADDR_NO_RANDOMIZE", 0x0004_0000),
    ("READ_IMPLIES_EXEC", 0x0040_0000),
    // linux/prctl.h
    ("PR_SET_PDEATHSIG", 1),
    ("PR_SET_DUMPABLE", 4),
    ("PR_SET_NAME", 15),
    ("PR_SET_SECCOMP", 22),
    ("PR_SET_SECUREBITS", 28),
    ("PR_SET_MM", 35),
    ("PR_SET_NO_NEW_PRIVS", 38),
    ("PR_CAP_AMBIENT", 47),
    ("PR_SET_SPECULATION_CTRL", 53),
    ("PR_SET_IO_FLUSHER", 57),
    ("PR_SET_SYSCALL_USER_DISPATCH", 59),
    ("PR_SET_VMA", 0x5356_4D41),
    ("PR_SET_PTRACER", 0x5961_6D61),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_agree_with_the_c_library() {
        for (word, value) in [
            ("TIOCSTI", libc::TIOCSTI),
            ("CLONE_NEWUSER", u64::from(libc::CLONE_NEWUSER.unsigned_abs())),
            ("CLONE_NEWTIME", u64::from(libc::CLONE_NEWTIME.unsigned_abs())),
            ("AF_NETLINK", u64::from(libc::AF_NETLINK.unsigned_abs())),
            ("SOCK_SEQPACKET", u64::from(libc::SOCK_SEQPACKET.unsigned_abs())),
            ("IPPROTO_SCTP", u64::from(libc::IPPROTO_SCTP.unsigned_abs())),
            ("ADDR_NO_RANDOMIZE", u64::from(libc::ADDR_NO_RANDOMIZE.unsigned_abs())),
            ("PR_SET_DUMPABLE", u64::from(libc::PR_SET_DUMPABLE.unsigned_abs())),
            ("PR_SET_MM", u64::from(libc::PR_SET_MM.unsigned_abs())),
            ("PR_SET_PTRACER", u64::from(libc::PR_SET_PTRACER.unsigned_abs())),
        ] {
            assert_eq!(constant(word), Some(value), "{word}");
        }
    }

    #[test]
    fn no_word_stands_twice() {
        let mut words: Vec<&str> = CONSTANTS.iter().map(|known| known.0).collect();
        words.sort_unstable();
        assert!(words.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
