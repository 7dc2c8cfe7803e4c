//! Classic BPF as seccomp runs it: the few instructions our filters are made of, and what they decide.
//!
//! Never installs a filter, and knows no file format: `filter` and `trap` lay out programs with it.

use crate::profile::Arch;
use crate::sys::seccomp::Instruction;
use std::borrow::Cow;

/// A program for one machine, ready for the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The machine it judges calls of.
    pub arch: Arch,
    /// The instructions, at most [`MAX_INSTRUCTIONS`].
    pub instructions: Cow<'static, [Instruction]>,
}

impl Program {
    /// The instructions as bytes, to tell one program from another.
    pub fn bytes(&self) -> Vec<u8> {
        let one = |it: &Instruction| {
            let [c0, c1] = it.code.to_le_bytes();
            let [k0, k1, k2, k3] = it.k.to_le_bytes();
            [c0, c1, it.jt, it.jf, k0, k1, k2, k3]
        };
        self.instructions.iter().flat_map(one).collect()
    }
}

/// `BPF_MAXINSNS` of linux/bpf_common.h: the kernel takes no more.
pub const MAX_INSTRUCTIONS: usize = 4096;

/// One call as a filter sees it (`struct seccomp_data`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallData {
    /// The number, with the x32 bit where it was given.
    pub number: u32,
    /// `AUDIT_ARCH_*` of the instruction that made the call.
    pub audit_arch: u32,
    /// The arguments, whole registers.
    pub args: [u64; 6],
}

/// What the kernel does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Carries it out.
    Allow,
    /// Returns this errno; 0 returns success without doing anything.
    Errno(u16),
    /// Asks the filter's listener.
    Notify,
    /// Ends the process.
    Kill,
}

/// SECCOMP_RET_ALLOW.
pub(super) const RET_ALLOW: u32 = 0x7FFF_0000;
/// SECCOMP_RET_USER_NOTIF (Linux 5.0).
pub(super) const RET_NOTIFY: u32 = 0x7FC0_0000;
/// SECCOMP_RET_ERRNO; the errno is the low half.
pub(super) const RET_ERRNO: u32 = 0x0005_0000;
/// SECCOMP_RET_KILL_PROCESS (Linux 4.14).
pub(super) const RET_KILL: u32 = 0x8000_0000;

/// BPF_LD | BPF_W | BPF_ABS: a word of `seccomp_data` into the accumulator.
pub(super) const LOAD: u16 = 0x20;
/// BPF_ALU | BPF_AND | BPF_K.
pub(super) const AND: u16 = 0x54;
/// BPF_JMP | BPF_JA.
pub(super) const JUMP: u16 = 0x05;
/// BPF_JMP | BPF_JEQ | BPF_K.
pub(super) const IF_EQ: u16 = 0x15;
/// BPF_JMP | BPF_JGT | BPF_K.
pub(super) const IF_GT: u16 = 0x25;
/// BPF_JMP | BPF_JGE | BPF_K.
pub(super) const IF_GE: u16 = 0x35;
/// BPF_JMP | BPF_JSET | BPF_K.
pub(super) const IF_SET: u16 = 0x45;
/// BPF_RET | BPF_K.
pub(super) const RETURN: u16 = 0x06;

/// Where `seccomp_data` holds the number, the machine, and the first argument (low half first).
pub(super) const AT_NUMBER: u32 = 0;
pub(super) const AT_ARCH: u32 = 4;
pub(super) const AT_ARGS: u32 = 16;

/// An instruction without a branch.
pub(super) const fn plain(code: u16, k: u32) -> Instruction {
    Instruction { code, jt: 0, jf: 0, k }
}

/// A comparison that skips `jt` instructions when it holds and `jf` when not.
pub(super) const fn branch(code: u16, k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code, jt, jf, k }
}

/// What the instructions decide about a call. A program the kernel would refuse to load (a jump or a load out of
/// bounds, an unknown instruction, no return) kills.
pub fn decide(instructions: &[Instruction], call: &CallData) -> Decision {
    let (mut at, mut held) = (0_usize, 0_u32);
    while let Some(Instruction { code, jt, jf, k }) = instructions.get(at).copied() {
        let holds = match code {
            RETURN => return decision(k),
            LOAD => {
                let Some(word) = call.word(k) else { return Decision::Kill };
                held = word;
                None
            }
            AND => {
                held &= k;
                None
            }
            JUMP => {
                at = at.saturating_add(usize::try_from(k).unwrap_or(usize::MAX));
                None
            }
            IF_EQ => Some(held == k),
            IF_GT => Some(held > k),
            IF_GE => Some(held >= k),
            IF_SET => Some(held & k != 0),
            _ => return Decision::Kill,
        };
        let skip = holds.map_or(0, |holds| usize::from(if holds { jt } else { jf }));
        at = at.saturating_add(1 + skip);
    }
    Decision::Kill
}

/// What a returned value means (seccomp(2)).
pub(super) fn decision(value: u32) -> Decision {
    match value & 0xFFFF_0000 {
        RET_ALLOW => Decision::Allow,
        RET_ERRNO => Decision::Errno(u16::try_from(value & 0xFFFF).unwrap_or(0)),
        RET_NOTIFY => Decision::Notify,
        _ => Decision::Kill,
    }
}

impl CallData {
    /// The word of `seccomp_data` at a byte offset; both machines are little-endian.
    fn word(&self, offset: u32) -> Option<u32> {
        let half = |value: u64, upper: bool| {
            u32::try_from(if upper { value >> 32 } else { value & 0xFFFF_FFFF }).ok()
        };
        match offset {
            AT_NUMBER => Some(self.number),
            AT_ARCH => Some(self.audit_arch),
            8 | 12 => Some(0),
            AT_ARGS..64 if offset.is_multiple_of(4) => {
                let place = usize::try_from((offset - AT_ARGS) / 8).ok()?;
                half(*self.args.get(place)?, !offset.is_multiple_of(8))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: CallData = CallData { number: 7, audit_arch: 9, args: [0x1_0000_0002, 0, 0, 0, 0, 5] };

    #[test]
    fn a_load_sees_the_halves_of_an_argument() {
        for (offset, value) in [(0, 7), (4, 9), (16, 2), (20, 1), (56, 5)] {
            let program = [
                plain(LOAD, offset),
                branch(IF_EQ, value, 0, 1),
                plain(RETURN, RET_ALLOW),
                plain(RETURN, RET_ERRNO | 1),
            ];
            assert_eq!(decide(&program, &CALL), Decision::Allow, "{offset}");
        }
    }

    #[test]
    fn a_program_the_kernel_would_refuse_kills() {
        assert_eq!(decide(&[], &CALL), Decision::Kill);
        assert_eq!(decide(&[plain(LOAD, 64), plain(RETURN, RET_ALLOW)], &CALL), Decision::Kill);
        assert_eq!(decide(&[plain(LOAD, 2), plain(RETURN, RET_ALLOW)], &CALL), Decision::Kill);
        assert_eq!(decide(&[plain(JUMP, u32::MAX), plain(RETURN, RET_ALLOW)], &CALL), Decision::Kill);
        assert_eq!(decide(&[plain(0x61, 0), plain(RETURN, RET_ALLOW)], &CALL), Decision::Kill);
    }
}
